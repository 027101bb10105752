"""What of a hand-over that was only slow, and goes on after another process has recovered its lease?

The process is stopped (SIGSTOP) in the middle of a call; meanwhile the desk's time goes on and another process does
what is due; then it goes on as if nothing had happened, the answer of its call in its hands. Its own monotonic clock
says that hardly any time has passed, as it does after a laptop has slept.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from bot.slack import action_ids
from tests.support.answers import AnswerLog
from tests.support.running_bot import wait_for
from tests.support.running_world import handed_over
from tests.verification.matrix.answers import standing_of, untrue
from tests.verification.matrix.gates import PASS, Call, Point, Side
from tests.verification.matrix.harness import PATIENCE, Bot, Cell, Workshop
from tests.verification.matrix.journeys import Cast, approved, rotation

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
LATE = [("a minute later", {"minutes": 2}), ("half an hour later", {"minutes": 30})]


class Stopped:
    """A process that is stopped at a call, and can go on."""

    def __init__(self, bot: Bot, point: Point, side: Side) -> None:
        self._bot, self._side = bot, side
        self.there, self._go, self._answered = (
            threading.Event(),
            threading.Event(),
            threading.Event(),
        )
        bot.gates.at(point, side, self._stop)
        bot.gates.at(point, "answered", self._note)

    def go_on(self) -> None:
        """The call is carried out, its answer arrives, and the process runs again."""
        self._go.set()
        assert self._answered.wait(PATIENCE)
        self.release()

    def release(self) -> None:
        self._go.set()
        process = self._bot.forked.process
        assert process and process.pid
        os.kill(process.pid, signal.SIGCONT)

    def _stop(self, call: Call) -> str:
        process = self._bot.forked.process
        assert process and process.pid
        os.kill(process.pid, signal.SIGSTOP)
        self.there.set()
        self._go.wait(PATIENCE)
        return PASS

    def _note(self, call: Call) -> str:
        self._answered.set()
        return PASS


@contextmanager
def stopped(
    shop: Workshop, arrange: Callable[[Cell], Cast], point: Point, side: Side
) -> Iterator[tuple[Cell, Cast, Stopped, Bot]]:
    """A reveal whose process is stopped there; another process serves beside it."""
    with shop.cell(**LEASE) as cell:
        first = cell.start()
        cast = arrange(cell)
        cell.rest()
        cell.begin()
        asleep = Stopped(first, point, side)
        try:
            message = cell.world.revealable(cast.person)
            cell.click(lambda: cast.person.click(message, action_ids.REVEAL))
            assert asleep.there.wait(PATIENCE), cell.describe()
            cell.unlock()  # a minute has passed, as far as locks are concerned
            cell.start()
            yield cell, cast, asleep, first
        finally:
            asleep.release()


def one_at_most(cell: Cell, cast: Cast) -> list[str]:
    keys = cell.world.keys(cast.person)
    living = [key for key, status in keys.items() if status == "Active" and key not in cast.known]
    assert len(living) <= 1, living
    return living


def in_the_end(cell: Cell, cast: Cast, first: Bot) -> None:
    """Both processes have nothing to do any more; who has a key is asked about it, and nobody else has one."""

    def idle() -> bool:
        return bool(first.forked.ask("idle")) and bool(cell.bot.forked.ask("idle"))

    wait_for(idle, PATIENCE, cell.describe)
    for minutes in (2, 30, 75):
        cell.pass_time(minutes=minutes)
        one_at_most(cell, cast)
    request = cell.world.request(cast.person)
    assert request.status in ("approved", "delivered"), request.status
    assert one_at_most(cell, cast) == [request.access_key_id] * (request.status == "delivered")
    wait_for(
        lambda: (
            not [
                copy
                for copy in cell.world.store.messages(request.name)
                if copy.version != cell.world.request(cast.person).version
            ]
        ),
        PATIENCE,
        cell.describe,
    )
    if request.status == "delivered":
        shown = {key.key_id for key in handed_over(cast.person)}
        button = action_ids.HAVE_IT if request.access_key_id in shown else action_ids.DID_NOT_GET
        cast.person.click(
            cell.world.slack.wait_until(lambda: cast.person.last("dm", button=button)), button
        )
        cell.rest()
    if cell.world.request(cast.person).status == "approved":
        make_room(cell, cast)
        key = cell.world.reveals(cast.person)
        assert one_at_most(cell, cast) == [key.key_id]


def make_room(cell: Cell, cast: Cast) -> None:
    card = cell.world.carol.last("key-approvals", button=action_ids.FOUND_DELETE)
    if card and any(button.value in cell.world.keys(cast.person) for button in card.buttons):
        cell.world.carol.click(card, action_ids.FOUND_DELETE)
        cell.rest()


@pytest.mark.parametrize(("when", "by"), LATE, ids=[when for when, _ in LATE])
@pytest.mark.parametrize(
    ("service", "name", "side"), STOPS, ids=[f"{side} {name}" for _, name, side in STOPS]
)
def test_a_late_delivery_leaves_one_key_at_most(
    shop: Workshop, service: str, name: str, side: Side, when: str, by: dict[str, float]
) -> None:
    with stopped(shop, approved, Point(service, name, 1), side) as (cell, cast, asleep, first):
        cell.pass_time(**by)
        one_at_most(cell, cast)
        before, answers = standing_of(cell, cast), AnswerLog(cell.world.folder)
        earlier = len(answers.all())
        asleep.go_on()
        wait_for(lambda: first.forked.ask("idle"), PATIENCE, cell.describe)
        one_at_most(cell, cast)
        assert untrue(answers.all()[earlier:], before, standing_of(cell, cast)) == []
        in_the_end(cell, cast, first)


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_deleted_key_shown_late_is_named(shop: Workshop, side: Side) -> None:
    point = Point("slack", "chat.postEphemeral", 1)
    with stopped(shop, approved, point, side) as (cell, cast, asleep, first):
        cell.pass_time(minutes=2)
        [key] = one_at_most(cell, cast)
        message = cast.person.wait_for("dm", key, button=action_ids.DID_NOT_GET)
        wait_for(
            lambda: cast.person.click(message, action_ids.DID_NOT_GET).acked,
            PATIENCE,
            cell.describe,
        )
        cell.rest(lambda: not one_at_most(cell, cast))
        asleep.go_on()
        wait_for(lambda: first.forked.ask("idle"), PATIENCE, cell.describe)
        assert key not in cell.world.keys(cast.person)
        assert any(one.ephemeral and key in one.words for one in cast.person.messages("dm"))
        in_the_end(cell, cast, first)


@pytest.mark.parametrize(
    ("name", "side"), [("DeleteAccessKey", "after"), ("CreateAccessKey", "before")]
)
def test_a_late_rotation_keeps_the_old_key(shop: Workshop, name: str, side: Side) -> None:
    with stopped(shop, rotation, Point("iam", name, 1), side) as (cell, cast, asleep, first):
        cell.pass_time(minutes=30)
        asleep.go_on()
        wait_for(lambda: first.forked.ask("idle"), PATIENCE, cell.describe)
        assert cell.world.keys(cast.person)[cast.key_id] == "Active"
        in_the_end(cell, cast, first)
