"""Stop a process in a delivery until another has recovered it, then resume it.

The process is stopped with SIGSTOP at a call. Meanwhile Keydesk's time goes on, and another process
does what is due. Then the first goes on with the answer of its call. By its own monotonic clock
hardly any time has passed, as after a laptop's sleep.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bot.slack import action_ids
from tests.support.answers import AnswerLog
from tests.support.running_bot import wait_for
from tests.support.seen_by_user import shown_keys
from tests.verification.matrix.answers import untrue
from tests.verification.matrix.cell import PATIENCE, Bot, Cell
from tests.verification.matrix.crash import free_slot
from tests.verification.matrix.gates import PASS, Call, Point, Side
from tests.verification.matrix.harness import Workshop
from tests.verification.matrix.standing import standing_of
from tests.verification.matrix.steps import Arrange, Cast, approved, rotation

LEASE = {"LEASE_TTL": "1m"}
STOPS: list[tuple[str, str, Side]] = [
    ("redis", "commit reveal", "before"),
    ("redis", "commit reveal", "after"),
    ("iam", "CreateAccessKey", "before"),
    ("iam", "CreateAccessKey", "after"),
    ("redis", "commit record_key", "before"),
    ("redis", "commit record_key", "after"),
    ("redis", "GET key", "after"),
    ("slack", "chat.postEphemeral", "before"),
    ("slack", "chat.postEphemeral", "after"),
    ("redis", "commit deliver", "before"),
    ("redis", "commit deliver", "after"),
]
LATE = {"a minute late": 2, "half an hour late": 30}


class Stopped:
    """A process that is stopped at a call, and can go on."""

    def __init__(self, bot: Bot, point: Point, side: Side) -> None:
        self._bot = bot
        self.reached, self._resumed = threading.Event(), threading.Event()
        self._answered = threading.Event()
        bot.gates.at(point, side, self._stop)
        bot.gates.at(point, "answered", self._note)

    def resume(self) -> None:
        """Carry the call out, deliver its answer, and let the process run again."""
        self._resumed.set()
        assert self._answered.wait(PATIENCE)
        self.release()

    def release(self) -> None:
        self._resumed.set()
        self._signal(signal.SIGCONT)

    def _stop(self, call: Call) -> str:
        self._signal(signal.SIGSTOP)
        self.reached.set()
        self._resumed.wait(PATIENCE)
        return PASS

    def _signal(self, number: int) -> None:
        process = self._bot.forked.process
        assert process and process.pid
        os.kill(process.pid, number)

    def _note(self, call: Call) -> str:
        self._answered.set()
        return PASS


@contextmanager
def stopped(
    shop: Workshop, arrange: Arrange, point: Point, side: Side
) -> Iterator[tuple[Cell, Cast, Stopped]]:
    """Stop the process of a reveal at a call, and start another beside it."""
    with shop.cell(**LEASE) as cell:
        first = cell.start()
        cast = arrange(cell)
        cell.rest()
        cell.begin()
        process = Stopped(first, point, side)
        try:
            message = cell.world.revealable(cast.person)
            cell.click(lambda: cast.person.click(message, action_ids.REVEAL))
            assert process.reached.wait(PATIENCE), cell.describe()
            cell.unlock()  # a minute has passed, for locks
            cell.start()
            yield cell, cast, process
        finally:
            process.release()


def one_at_most(cell: Cell, cast: Cast) -> list[str]:
    """Return the living key, if any, that was not there before."""
    keys = cell.world.keys(cast.person)
    living = [key for key, status in keys.items() if status == "Active" and key not in cast.known]
    assert len(living) <= 1, living
    return living


def check_end(cell: Cell, cast: Cast) -> None:
    """Check that only a key that its requester is asked about lives, and go on."""
    cell.wait_until_idle()
    for minutes in (2, 30, 75):
        cell.pass_time(minutes=minutes)
        one_at_most(cell, cast)
    cell.wait_until_rendered()
    person, request = cast.person, cell.world.request(cast.person)
    assert request.status in ("approved", "delivered"), request.status
    assert one_at_most(cell, cast) == [request.access_key_id] * (request.status == "delivered")
    if request.status == "delivered":
        shown = {key.key_id for key in shown_keys(person)}
        button = action_ids.HAVE_IT if request.access_key_id in shown else action_ids.DID_NOT_GET
        person.click(person.wait_for("dm", button=button), button)
        cell.rest()
    if cell.world.request(person).status == "approved":
        free_slot(cell, cast)
        key = cell.world.reveals(person)
        assert one_at_most(cell, cast) == [key.key_id]


@pytest.mark.parametrize("minutes", LATE.values(), ids=LATE)
@pytest.mark.parametrize(
    ("service", "name", "side"), STOPS, ids=[f"{side} {name}" for _, name, side in STOPS]
)
def test_a_late_delivery_leaves_one_key_at_most(
    shop: Workshop, service: str, name: str, side: Side, minutes: float
) -> None:
    with stopped(shop, approved, Point(service, name, 1), side) as (cell, cast, process):
        cell.pass_time(minutes=minutes)
        one_at_most(cell, cast)
        before, answers = standing_of(cell, cast), AnswerLog(cell.world.folder)
        earlier = len(answers.all())
        process.resume()
        cell.wait_until_idle()
        one_at_most(cell, cast)
        assert untrue(answers.all()[earlier:], before, standing_of(cell, cast)) == []
        check_end(cell, cast)


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_deleted_key_shown_late_is_named(shop: Workshop, side: Side) -> None:
    point = Point("slack", "chat.postEphemeral", 1)
    with stopped(shop, approved, point, side) as (cell, cast, process):
        cell.pass_time(minutes=2)
        [key] = one_at_most(cell, cast)
        message = cast.person.wait_for("dm", key, button=action_ids.DID_NOT_GET)
        # the payload may go to the stopped process first
        wait_for(
            lambda: cast.person.click(message, action_ids.DID_NOT_GET).acked,
            PATIENCE,
            cell.describe,
        )
        cell.rest(lambda: not one_at_most(cell, cast))
        process.resume()
        cell.wait_until_idle()
        assert key not in cell.world.keys(cast.person)
        assert any(one.ephemeral and key in one.words for one in cast.person.messages("dm"))
        check_end(cell, cast)


@pytest.mark.parametrize(
    ("name", "side"), [("DeleteAccessKey", "after"), ("CreateAccessKey", "before")]
)
def test_a_late_rotation_keeps_the_old_key(shop: Workshop, name: str, side: Side) -> None:
    with stopped(shop, rotation, Point("iam", name, 1), side) as (cell, cast, process):
        cell.pass_time(minutes=30)
        process.resume()
        cell.wait_until_idle()
        assert cell.world.keys(cast.person)[cast.key_id] == "Active"
        check_end(cell, cast)
