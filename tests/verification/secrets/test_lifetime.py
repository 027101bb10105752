"""How long does a secret live in the process? As long as one function runs, however it ends.

Python cannot wipe a string: what this shows is that nothing which lives leads to the secret, not that its letters are
nowhere in memory that was freed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.slack import action_ids
from sandbox.local import LocalSlack
from tests.support.running_bot import wait_for
from tests.support.running_world import World
from tests.verification.secrets.conftest import Run


def holders(folder: Path, secret: str) -> list[str]:
    """The kinds of the objects in the bot that hold the secret at this moment."""
    (folder / "scan.json").unlink(missing_ok=True)
    half = folder / "scan.new"
    half.write_text(hashlib.sha256(secret.encode()).hexdigest())
    half.replace(folder / "scan")
    wait_for((folder / "scan.json").exists, 60, lambda: "the scan")
    found: list[str] = json.loads((folder / "scan.json").read_text())
    return found


def newest(world: World) -> str:
    return list(world.aws.secrets.values())[-1]


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
    held = world.slack.faults.hold("chat.postEphemeral", "after" if ending == "shown" else "before")

    person.click(message, action_ids.REVEAL)
    assert held.reached.wait(30)
    during = holders(world.folder, newest(world))
    held.release()
    world.reaches(person, "delivered" if ending == "shown" else "approved")
    wait_for(
        lambda: any(line["event"] == "reveal" for line in world.running.events("reveal")),
        30,
        lambda: "its end",
    )

    assert "Secret" in during, "while it is handed over it is there, and is found"
    assert holders(world.folder, newest(world)) == []
