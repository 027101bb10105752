"""What if the desk's memory dies in the middle of a hand-over? Nobody is left with a key that nobody has."""

from __future__ import annotations

import os
import signal

import pytest

from bot.domain.codes import Code
from bot.domain.states import Status
from tests.support.running_bot import wait_for
from tests.verification.crashes.crash_world import ALICE, CrashWorld
from tests.verification.crashes.promises import check_end, check_rest


def kill_valkey(world: CrashWorld) -> None:
    """kill -9 of the bot's own Valkey server, whose process ID stands in its lock; waits until it is gone."""
    lock = world.bot.data_dir / "server.lock"
    number = int(lock.read_text())
    os.kill(number, signal.SIGKILL)
    wait_for(lambda: not _runs(number), 10, lambda: "Valkey to end")


def _runs(number: int) -> bool:
    """Whether the process is there and not merely waiting to be reaped by its parent."""
    try:
        with open(f"/proc/{number}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("method", ["CreateAccessKey", "chat.postEphemeral"])
def test_bot_and_database_killed_at_once_lose_nothing(world: CrashWorld, method: str) -> None:
    world.get_approved()
    hold = world.faults(method).hold(method, "after")
    world.reveal()
    assert hold.reached.wait(10)
    kill_valkey(world)
    world.crash()
    check_rest(world, world.rest())
    check_end(world, world.go_on())


def test_a_key_that_cannot_be_recorded_is_deleted(
    world: CrashWorld,
) -> None:
    world.get_approved()
    hold = world.aws.faults.hold("CreateAccessKey", "before")
    world.reveal()
    assert hold.reached.wait(10)
    kill_valkey(world)
    hold.release()
    world.answered(Code.UNRECORDED_KEY_DELETED, *world.aws.secrets, cause=Code.KEY_NOT_RECORDED)
    assert len(world.aws.secrets) == 1
    assert world.aws.key_ids(ALICE) == []

    world.alice.command("/key list", channel="dm")
    world.answered(Code.STORE_UNAVAILABLE)
    world.crash()
    check_rest(world, world.rest())
    check_end(world, world.go_on())


def test_a_database_killed_while_showing_asks_later(
    world: CrashWorld,
) -> None:
    """The key ID is on record by then; that it was shown is noted when the desk's memory is back."""
    world.get_approved()
    hold = world.slack.faults.hold("chat.postEphemeral", "after")
    world.reveal()
    assert hold.reached.wait(10)
    kill_valkey(world)
    hold.release()
    [key_id] = world.aws.secrets
    world.told(key_id, world.aws.secrets[key_id])
    assert world.active() == [key_id]

    world.crash()
    request = world.rest()
    assert (request.status, request.access_key_id) == (Status.DELIVERED, key_id)
    check_rest(world, request)
    check_end(world, world.go_on())
    assert world.active() == [key_id]
