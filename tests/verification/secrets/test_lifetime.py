"""Show that a secret lives in the process only as long as one function runs.

Python cannot erase a string. These tests show that no living object leads to the secret, not that
it is nowhere in freed memory.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import pytest

from bot.slack import action_ids
from sandbox.local import LocalSlack
from tests.support.running_bot import wait_for
from tests.support.running_world import World
from tests.verification.secrets.conftest import Run


def holders(world: World) -> list[str]:
    """Return the kinds of the bot's objects that hold the newest secret now."""
    secret, folder = list(world.aws.secrets.values())[-1], world.folder
    (folder / "scan.json").unlink(missing_ok=True)
    half = folder / "scan.new"
    half.write_text(hashlib.sha256(secret.encode()).hexdigest())
    half.replace(folder / "scan")
    wait_for((folder / "scan.json").exists, 60, lambda: "the scan")
    found: list[str] = json.loads((folder / "scan.json").read_text())
    return found


ENDINGS: dict[str, Callable[[LocalSlack], object]] = {
    "shown": lambda slack: None,
    "refused": lambda slack: slack.faults.fail("chat.postEphemeral", "channel_not_found"),
    "answer lost": lambda slack: slack.faults.drop("chat.postEphemeral", "after"),
    "outage": lambda slack: slack.faults.status("chat.postEphemeral", 500),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_after_a_delivery_nothing_leads_to_the_secret(run: Run, ending: str) -> None:
    world = run(program="tests.verification.secrets.scanned")
    person = world.engineer()
    message = world.approved(person)
    ENDINGS[ending](world.slack)
    moment = "after" if ending == "shown" else "before"
    hold = world.slack.faults.hold("chat.postEphemeral", moment)

    person.click(message, action_ids.REVEAL)
    assert hold.reached.wait(30)
    during = holders(world)
    hold.release()
    world.reaches(person, "delivered" if ending == "shown" else "approved")
    wait_for(lambda: world.running.events("reveal"), 30, lambda: "the end of the reveal")

    assert "Secret" in during, "it is found while it is delivered"
    assert holders(world) == []
