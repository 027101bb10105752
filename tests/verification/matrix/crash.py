"""One cell of the crash matrix: a journey, a call of it, and a kill -9 there. Then another process, time, and people.

Half of the cells (by a checksum of their names, so always the same half) have a person who stays away, the other
half one who comes back, does again what did not happen, and clicks what the desk offers until they have a key.
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
from tests.verification.matrix.forked import Build
from tests.verification.matrix.gates import ACK, SIDES, Point, Side
from tests.verification.matrix.harness import POLLING, Cell, Workshop
from tests.verification.matrix.journeys import CARDS, Cast, Journey

DRAWING = re.compile(r"render|messages|chat\.update|views\.publish")
WALKS = 3
"""Times that a journey is walked unharmed, to know its calls."""
CLICKS = 10
"""More than anybody needs to get a key after one crash."""


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
        """The kill that is called so."""
        journey, _, where = text.rpartition(": ")
        side, service, rest = where.split(" ", 2)
        name, _, nth = rest.rpartition(" #")
        return cls(journey, Point(service, name, int(nth)), side)

    @property
    def number(self) -> int:
        """The same for the same kill in every run and process."""
        return zlib.crc32(str(self).encode())

    @property
    def stays_away(self) -> bool:
        return self.number % 2 == 0


def kills_of(name: str, points: Sequence[Point], *, all_of_it: bool = False) -> list[Kill]:
    """Where a journey with these calls is killed: with `all_of_it` at every side of every call. Otherwise

    - a call that changes nothing outside the process leaves the same world on each of its sides: one kill stands for
      all three, at the first call of its name;
    - the many calls of a drawing (its lock, the copies it draws and notes, its mark) are killed at one side each,
      which one by a checksum;
    - every other call is killed at all three sides.
    """
    kills = []
    for point in points:
        every = [
            Kill(name, point, side) for side in SIDES if (point.name, side) != (ACK, "answered")
        ]
        if all_of_it:
            kills += every
        elif not point.changes:
            kills += every[:1] if point.nth == 1 else []
        elif DRAWING.search(point.name):
            kills.append(every[zlib.crc32(f"{name} {point}".encode()) % 3])
        else:
            kills += every
    return kills


def points_of(shop: Workshop, name: str, journey: Journey) -> list[Point]:
    """Every call of the journey that comes each time it is walked unharmed.

    A drawing that has begun shows what is committed meanwhile, too, so there are more or fewer of them.
    """
    first, *others = [_walked(shop, journey) for _ in range(WALKS)]
    return [point for point in first if all(point in other for other in others)]


def _walked(shop: Workshop, journey: Journey) -> list[Point]:
    """Every call of one walk, which must come to its end and keep every promise."""
    with shop.cell(**journey.settings) as cell:
        cast = _walk_to(cell, journey)
        cell.begin()
        cell.click(lambda: journey.act(cell, cast))
        assert cell.rest(lambda: journey.done(cell, cast))
        points = [
            point
            for point in cell.bot.gates.points()
            if journey.polling or point.name not in POLLING
        ]
        promises.end(cell, cast)
        return points


def killed(
    shop: Workshop,
    journey: Journey,
    kill: Kill,
    build: Build | None = None,
    *,
    away: bool | None = None,
) -> bool:
    """Runs the cell; False where the call did not come this time. Raises AssertionError where a promise is broken.

    `build` builds another bot than the product's, to see whether that is noticed; `away` says whether its person stays
    away (None: as the kill has it).
    """
    with shop.cell(**journey.settings) as cell:
        cell.build = build
        try:
            cast = _walk_to(cell, journey)
            cell.begin()
            cell.kill_at(kill.point, kill.side)
            cell.click(lambda: journey.act(cell, cast))
            reached = not cell.rest(lambda: journey.done(cell, cast))
            if reached:
                _afterwards(cell, cast, journey, kill.stays_away if away is None else away)
            promises.end(cell, cast)
            return reached
        except BaseException as failure:
            failure.add_note(f"{kill}\n{cell.describe()}")
            raise


def _walk_to(cell: Cell, journey: Journey) -> Cast:
    cell.acks = True
    cell.start()
    cast = journey.arrange(cell)
    cell.rest()
    assert not journey.done(cell, cast), "the journey is over before it begins"
    return cast


def _afterwards(cell: Cell, cast: Cast, journey: Journey, away: bool) -> None:
    cell.restart()
    promises.look(cell, cast)
    cell.pass_time(minutes=2)  # every lease is over
    promises.look(cell, cast)
    cell.pass_time(minutes=16)  # and the look after it
    promises.look_at_rest(cell, cast)
    promises.home_tabs(cell, cast)
    if journey.by_time:
        assert journey.done(cell, cast), "what time was to do is not done"
    if away:
        stays_away(cell, cast)
    else:
        comes_back(cell, cast, journey)


def stays_away(cell: Cell, cast: Cast) -> None:
    """Nobody clicks any more: after a receipt's time no key lives that nobody has, and in the end all is closed."""
    cell.pass_time(hours=13)
    cell.pass_time(hours=13)
    promises.look_at_rest(cell, cast)
    promises.nobodys_key_is_off(cell, cast)
    cell.pass_time(days=4)
    cell.pass_time(days=5)
    promises.look_at_rest(cell, cast)
    promises.nobodys_key_is_off(cell, cast)
    for request in promises.requests(cell):
        assert request.status.final, f"{request.id} is {request.status} after ten days"


def comes_back(cell: Cell, cast: Cast, journey: Journey) -> None:
    """What did not happen is done again; then the person goes on until they have what they asked for."""
    if not journey.done(cell, cast):
        make_room(cell, cast)
        cell.click(lambda: journey.act(cell, cast))
        assert cell.rest(lambda: journey.done(cell, cast))
        promises.look(cell, cast)
    go_on(cell, cast)
    promises.look(cell, cast)
    request = next(iter(cell.world.requests(cast.person)), None)
    living = promises.living(cell, cast)
    if request is None or not request.delivers_secret or request.status is not Status.CONFIRMED:
        assert not living, f"{living} lives, and nobody was given a key"
        return
    if not journey.by_time:
        assert living == [request.access_key_id]
    for key_id in living:
        assert promises.was_shown(cell, cast, key_id)


def make_room(cell: Cell, cast: Cast) -> None:
    """Where a key that was found after a lost answer takes the last slot, an approver deletes it, as is offered."""
    request = next(iter(cell.world.requests(cast.person)), None)
    waits = request is not None and request.status is Status.APPROVED
    if waits and promises.new_keys(cell, cast) and len(cell.world.keys(cast.person)) > 1:
        _click(cell, cell.world.carol, action_ids.FOUND_DELETE, CARDS)
        cell.rest(lambda: len(cell.world.keys(cast.person)) < 2)


def go_on(cell: Cell, cast: Cast) -> None:
    """The person and the approvers click what the desk offers until the newest request is final."""
    for _ in range(CLICKS):
        request = next(iter(cell.world.requests(cast.person)), None)
        if request is None or request.status.final:
            return
        if request.status in (Status.ISSUING, Status.DELETING):
            cell.pass_time(minutes=16)
        else:
            _click_on(cell, cast, request.status)
            cell.rest(
                lambda version=request.version: cell.world.request(cast.person).version > version
            )
    raise AssertionError(f"no key after {CLICKS} clicks")


def _click_on(cell: Cell, cast: Cast, status: Status) -> None:
    carol = cell.world.carol
    if status is Status.PENDING:
        given = cell.world.request(cast.person).approvers
        two = (
            (cast.approver, cast.other) if cast.approver else ()
        )  # else the other one is a stranger
        approvers = [one for one in (*two, carol) if one and one.id not in given]
        _click(cell, approvers[0], action_ids.APPROVE, CARDS)
    elif status is Status.APPROVED:
        make_room(cell, cast)
        _click(cell, cast.person, action_ids.REVEAL)
    elif status is Status.UNCLAIMED:
        _click(cell, cast.person, action_ids.REPLACE)
    else:
        key_id = cell.world.request(cast.person).access_key_id
        _click(
            cell,
            cast.person,
            action_ids.HAVE_IT
            if promises.was_shown(cell, cast, key_id)
            else action_ids.DID_NOT_GET,
        )


def _click(cell: Cell, who: LocalPerson, button: str, channel: str = "dm") -> None:
    """The newest message with this button is clicked; a click that moves nothing is answered."""
    message = who.last(channel, button=button)
    assert message, f"{who.id} sees no {button!r}"
    cell.click(lambda: who.click(message, button))
