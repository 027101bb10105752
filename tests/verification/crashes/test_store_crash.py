"""Kill the database in the middle of a delivery: the same promises hold."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from bot.domain.codes import Code
from bot.domain.states import Status
from tests.support.running_bot import wait_for
from tests.verification.crashes.crash_world import CrashWorld
from tests.verification.crashes.promises import check_end, check_rest


def kill_valkey(world: CrashWorld) -> None:
    """Kill the bot's own Valkey server, whose process ID is in its lock."""
    pid = int((world.bot.data_dir / "server.lock").read_text())
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not _runs(pid), 10, lambda: "Valkey to end")


def _runs(pid: int) -> bool:
    """Say whether a process runs, and does not merely wait for its parent."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("method", ["CreateAccessKey", "chat.postEphemeral"])
def test_bot_and_database_killed_at_once_lose_nothing(world: CrashWorld, method: str) -> None:
    world.get_approved()
    world.hold(method, "after", 1, world.reveal)
    kill_valkey(world)
    world.crash()
    check_rest(world, world.rest())
    check_end(world, world.go_on())


def test_a_key_that_cannot_be_recorded_is_deleted(world: CrashWorld) -> None:
    world.get_approved()
    hold = world.hold("CreateAccessKey", "before", 1, world.reveal)
    kill_valkey(world)
    hold.release()
    answer = world.answered(Code.UNRECORDED_KEY_DELETED, Code.KEY_NOT_RECORDED)
    assert list(world.aws.secrets) == [answer.facts["key_id"]]
    assert world.status(answer.facts["key_id"]) == ""

    world.alice.command("/key list", channel="dm")
    world.answered(Code.STORE_UNAVAILABLE)
    world.crash()
    check_rest(world, world.rest())
    check_end(world, world.go_on())


def test_a_database_killed_while_showing_asks_later(world: CrashWorld) -> None:
    """The key ID is on record then, the delivery once the database is back."""
    world.get_approved()
    hold = world.hold("chat.postEphemeral", "after", 1, world.reveal)
    kill_valkey(world)
    hold.release()
    [key_id] = world.aws.secrets
    world.sees(key_id, world.aws.secrets[key_id])
    assert world.active() == [key_id]

    world.crash()
    request = world.rest()
    assert (request.status, request.access_key_id) == (Status.DELIVERED, key_id)
    check_rest(world, request)
    check_end(world, world.go_on())
    assert world.active() == [key_id]
