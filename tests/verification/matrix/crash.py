"""Run a cell of the crash matrix: a SIGKILL at a call, then time and users.

In half of the cells, always the same half, the requester stays away. In the other half they come
back, repeat what did not happen, and click what Keydesk offers until they have a key.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.states import Status
from bot.slack import action_ids
from sandbox.local_person import LocalPerson
from tests.verification.matrix import promises
from tests.verification.matrix.cell import POLLING, Cell
from tests.verification.matrix.forked import Build
from tests.verification.matrix.gates import ACK, SIDES, Point, Side
from tests.verification.matrix.harness import Workshop
from tests.verification.matrix.steps import CARDS, Cast, Journey, newest_request

RENDERING = re.compile(r"render|messages|chat\.update|views\.publish")
WALKS = 3
"""Times that a journey is walked unharmed, to know its calls."""
TRIES = 3
"""How often a cell is tried whose call did not come: threads do not always take turns alike."""
MISSED = 0.05
"""The part of the cells whose call may not come."""
MAX_CLICKS = 10
"""More than anyone needs to get a key after one crash."""


@dataclass(frozen=True)
class Kill:
    """Where the bot is killed: at this side of this call of this journey."""

    journey: str
    point: Point
    side: Side

    def __str__(self) -> str:
        return f"{self.journey}: {self.side} {self.point}"

    @classmethod
    def named(cls, text: str) -> Kill:
        """Return the kill of this name."""
        journey, _, where = text.rpartition(": ")
        side, service, rest = where.split(" ", 2)
        name, _, nth = rest.rpartition(" #")
        return cls(journey, Point(service, name, int(nth)), side)

    @property
    def number(self) -> int:
        """A number that is the same in every run and process."""
        return zlib.crc32(str(self).encode())

    @property
    def stays_away(self) -> bool:
        return self.number % 2 == 0


def kills_of(name: str, points: Sequence[Point], *, every_side: bool = False) -> list[Kill]:
    """Return the kills of a journey with these calls.

    With `every_side` it is killed at every side of every call. Otherwise:

    - A call that changes nothing is killed once, at the first call of its name: the world is the
      same on each of its sides.
    - Each of the many calls of a rendering is killed at one side, chosen by a checksum.
    - Every other call is killed at all three sides.
    """
    kills = []
    for point in points:
        sides = [one for one in SIDES if (point.name, one) != (ACK, "answered")]
        every = [Kill(name, point, side) for side in sides]
        if every_side:
            kills += every
        elif not point.changes:
            kills += every[:1] if point.nth == 1 else []
        elif RENDERING.search(point.name):
            kills.append(every[zlib.crc32(f"{name} {point}".encode()) % 3])
        else:
            kills += every
    return kills


def points_of(shop: Workshop, journey: Journey) -> list[Point]:
    """Return every call that comes each time the journey is walked unharmed.

    The number of calls of a rendering varies, since it also shows what is committed meanwhile.
    """
    first, *others = [_walked(shop, journey) for _ in range(WALKS)]
    return [point for point in first if all(point in other for other in others)]


def _walked(shop: Workshop, journey: Journey) -> list[Point]:
    """Walk a journey unharmed and return its calls. It must keep every promise."""
    with shop.cell(**journey.settings) as cell:
        cast = _arranged(cell, journey)
        cell.begin()
        cell.click(lambda: journey.act(cell, cast))
        assert cell.rest(lambda: journey.done(cell, cast))
        points = [
            one for one in cell.bot.gates.points() if journey.polling or one.name not in POLLING
        ]
        promises.check_end(cell, cast)
        return points


def killed(
    shop: Workshop,
    journey: Journey,
    kill: Kill,
    build: Build | None = None,
    *,
    away: bool | None = None,
) -> bool:
    """Run the cell. Return False where the call did not come this time.

    Args:
        build: Builds another bot than the product's.
        away: Whether the requester stays away (None: as the kill has it).

    Raises:
        AssertionError: A promise is broken.
    """
    with shop.cell(**journey.settings) as cell:
        cell.build = build
        try:
            cast = _arranged(cell, journey)
            cell.begin()
            cell.kill_at(kill.point, kill.side)
            cell.click(lambda: journey.act(cell, cast))
            reached = not cell.rest(lambda: journey.done(cell, cast))
            if reached:
                _recover(cell, cast, journey, kill.stays_away if away is None else away)
            promises.check_end(cell, cast)
            return reached
        except BaseException as failure:
            failure.add_note(f"{kill}\n{cell.describe()}")
            raise


def _arranged(cell: Cell, journey: Journey) -> Cast:
    cell.acks = True
    cell.start()
    cast = journey.arrange(cell)
    cell.rest()
    assert not journey.done(cell, cast), "the journey is over before it begins"
    return cast


def _recover(cell: Cell, cast: Cast, journey: Journey, away: bool) -> None:
    cell.restart()
    promises.check_now(cell, cast)
    cell.pass_time(minutes=2)  # every lease is over
    promises.check_now(cell, cast)
    cell.pass_time(minutes=16)  # and the orphan check after it
    promises.check_at_rest(cell, cast)
    promises.check_home_tabs(cell, cast)
    if journey.by_time:
        assert journey.done(cell, cast), "what time was to do is not done"
    if away:
        stays_away(cell, cast)
    else:
        comes_back(cell, cast, journey)


def stays_away(cell: Cell, cast: Cast) -> None:
    """Let ten days pass without a click. Unconfirmed keys must be off, requests ended."""
    for spans in (({"hours": 13}, {"hours": 13}), ({"days": 4}, {"days": 5})):
        for by in spans:
            cell.pass_time(**by)
        promises.check_at_rest(cell, cast)
        promises.check_unconfirmed_keys_are_off(cell, cast)
    for request in promises.stored_requests(cell):
        assert request.status.final, f"{request.id} is {request.status} after ten days"


def comes_back(cell: Cell, cast: Cast, journey: Journey) -> None:
    """Repeat what did not happen, and go on until the requester has their key."""
    if not journey.done(cell, cast):
        free_slot(cell, cast)
        cell.click(lambda: journey.act(cell, cast))
        assert cell.rest(lambda: journey.done(cell, cast))
        promises.check_now(cell, cast)
    go_on(cell, cast)
    promises.check_now(cell, cast)
    request, living = newest_request(cell, cast), promises.living_keys(cell, cast)
    if request is None or not request.delivers_secret or request.status is not Status.CONFIRMED:
        assert not living, f"{living} lives, and no key was delivered"
        return
    if not journey.by_time:
        assert living == [request.access_key_id]
    for key_id in living:
        assert promises.was_shown(cell, cast, key_id)


def free_slot(cell: Cell, cast: Cast) -> None:
    """Let an approver delete an orphaned key that takes the last slot."""
    request, keys = newest_request(cell, cast), cell.world.keys(cast.person)
    if len(keys) < 2 or request is None or request.status is not Status.APPROVED:
        return
    if promises.new_keys(cell, cast):
        _click(cell, cell.world.carol, action_ids.FOUND_DELETE, CARDS)
        cell.rest(lambda: len(cell.world.keys(cast.person)) < len(keys))


def go_on(cell: Cell, cast: Cast) -> None:
    """Click what Keydesk offers until the newest request is final."""
    for _ in range(MAX_CLICKS):
        request = newest_request(cell, cast)
        if request is None or request.status.final:
            return
        if request.status in (Status.ISSUING, Status.DELETING):
            cell.pass_time(minutes=16)
        else:
            _click_on(cell, cast, request.status)
            cell.rest(
                lambda version=request.version: cell.world.request(cast.person).version > version
            )
    raise AssertionError(f"no key after {MAX_CLICKS} clicks")


def _click_on(cell: Cell, cast: Cast, status: Status) -> None:
    if status is Status.PENDING:
        given = cell.world.request(cast.person).approvers
        two = (cast.approver, cast.other) if cast.approver else ()  # else the other is a user
        approvers = [one for one in (*two, cell.world.carol) if one and one.id not in given]
        _click(cell, approvers[0], action_ids.APPROVE, CARDS)
    elif status is Status.APPROVED:
        free_slot(cell, cast)
        _click(cell, cast.person, action_ids.REVEAL)
    elif status is Status.UNCLAIMED:
        _click(cell, cast.person, action_ids.REPLACE)
    else:
        key_id = cell.world.request(cast.person).access_key_id
        shown = promises.was_shown(cell, cast, key_id)
        _click(cell, cast.person, action_ids.HAVE_IT if shown else action_ids.DID_NOT_GET)


def _click(cell: Cell, who: LocalPerson, button: str, channel: str = "dm") -> None:
    """Click the newest message with this button."""
    message = who.last(channel, button=button)
    assert message, f"{who.id} sees no {button!r}"
    cell.click(lambda: who.click(message, button))
