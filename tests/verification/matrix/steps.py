"""Define the steps of journeys: gestures, states to start from, and results.

Every gesture finds its button again, so that a user who comes back after a crash can repeat it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bot.domain.keys import ManagedKey, ObservedState
from bot.domain.requests import KeyRequest
from bot.slack import action_ids
from sandbox.local_person import LocalPerson
from sandbox.seen import SeenMessage
from tests.support.key_life import old_key
from tests.support.watched_person import iam_name
from tests.verification.matrix.cell import Cell
from tests.verification.matrix.gates import Point, Side

CARDS = "key-approvals"
TWO_APPROVALS = {"APPROVALS_REQUIRED": "2"}


@dataclass
class Cast:
    """The users and keys of a journey.

    Attributes:
        person: The requester, or the owner of the key.
        known: The keys that were in IAM before the journey.
        key_id: The key that the journey is about.
        delete_first: The key that a rotation deletes at its reveal.
        approver: The approver who clicks (None: Carol).
        other: Another user.
    """

    person: LocalPerson
    known: set[str] = field(default_factory=set)
    key_id: str = ""
    delete_first: str = ""
    approver: LocalPerson | None = None
    other: LocalPerson | None = None


Arrange = Callable[[Cell], Cast]
Step = Callable[[Cell, Cast], None]
Done = Callable[[Cell, Cast], bool]


@dataclass(frozen=True)
class Journey:
    """One gesture (`act`), its start (`arrange`), and its result (`done`).

    Attributes:
        settings: Settings besides the usual ones.
        by_time: Time does it, not a click.
        polling: What the audit publisher does every few seconds is part of it.
    """

    arrange: Arrange
    act: Step
    done: Done
    settings: Mapping[str, str] = field(default_factory=dict)
    by_time: bool = False
    polling: bool = False


def newest_request(cell: Cell, cast: Cast) -> KeyRequest | None:
    """Return the requester's newest request, or None."""
    return next(iter(cell.world.requests(cast.person)), None)


# -- gestures


def types(line: str) -> Step:
    """Type a command; `{key}` and `{delete_first}` are the keys of the journey."""

    def act(cell: Cell, cast: Cast) -> None:
        cast.person.command(line.format(key=cast.key_id, delete_first=cast.delete_first))

    return act


def finds(cell: Cell, who: LocalPerson, button: str, channel: str) -> SeenMessage:
    """Wait for the newest message with this button."""
    found = cell.until(
        lambda: who.last(channel, button=button), f"{who.id} sees {button!r} in {channel}"
    )
    assert found
    return found


def clicks(button: str, *, by: str = "person", channel: str = "dm") -> Step:
    """Click the newest such button. `by` is "person", "approver" or "other"."""

    def act(cell: Cell, cast: Cast) -> None:
        who = getattr(cast, by) or cell.world.carol
        who.click(finds(cell, who, button, channel), button)

    return act


def denies(cell: Cell, cast: Cast) -> None:
    carol = cell.world.carol
    clicks(action_ids.DENY, by="approver", channel=CARDS)(cell, cast)
    cell.until(
        lambda: (carol.modal or {}).get("callback_id") == action_ids.DENY_FORM,
        "the form that asks why",
    )
    carol.submit({"reason": "not needed"})


def deletes(cell: Cell, cast: Cast) -> None:
    cast.person.command(f"/key delete {cast.key_id}")
    clicks(action_ids.DELETE, channel="general")(cell, cast)


def approver_reports(cell: Cell, cast: Cast) -> None:
    cell.world.carol.command(f"/key leaked {cast.key_id}")
    clicks(action_ids.LEAKED_DISABLE, by="approver", channel="general")(cell, cast)


def other_reports(cell: Cell, cast: Cast) -> None:
    assert cast.other
    cast.other.command(f"/key leaked {cast.key_id}")


def approves_and_publishes(cell: Cell, cast: Cast) -> None:
    """Approve, and let the audit publisher publish and seal the entry."""
    if at("pending")(cell, cast):
        approves(cell, cast)
        cell.until(lambda: at("approved")(cell, cast), "the approval")
    cell.bot.forked.ask("publish")


def passes(**by: float) -> Step:
    """Let time pass, and let the bot sweep."""

    def act(cell: Cell, cast: Cast) -> None:
        cell.clock.move(**by)
        for _ in range(4):
            cell.bot.forked.ask("sweep")

    return act


def opens_homes(cell: Cell, cast: Cast) -> None:
    for who in (cast.person, cell.world.carol):
        who.open_home()
        cell.until(lambda who=who: who.home, "the Home tab")


def notes_key(cell: Cell, cast: Cast) -> None:
    """Make the key of the newest request the one that the journey is about."""
    cast.key_id = cell.world.request(cast.person).access_key_id


# -- arranged states


def requester(cell: Cell) -> Cast:
    return Cast(cell.world.engineer())


def with_key(cell: Cell) -> Cast:
    """A user with a key that was made in the console, and a user without an IAM user."""
    person = cell.world.engineer()
    key_id = old_key(cell.world, person)
    return Cast(person, {key_id}, key_id, other=cell.world.engineer(iam=False))


def with_inactive(cell: Cell) -> Cast:
    cast = with_key(cell)
    cell.world.iam.update_access_key(
        UserName=iam_name(cast.person), AccessKeyId=cast.key_id, Status="Inactive"
    )
    return cast


def with_two_keys(cell: Cell) -> Cast:
    """A user with as many keys as IAM allows."""
    cast = with_key(cell)
    cast.delete_first = old_key(cell.world, cast.person, 40)
    cast.known.add(cast.delete_first)
    return cast


def two_approvers(cell: Cell) -> Cast:
    first, second = cell.world.approvers(2)
    return Cast(cell.world.engineer(), approver=first, other=second)


def after(before: Arrange, *steps: Step) -> Arrange:
    """Return the state to which these steps lead, each carried out to its end."""

    def arrange(cell: Cell) -> Cast:
        cast = before(cell)
        for step in steps:
            step(cell, cast)
            cell.rest(lambda: not _in_progress(cell, cast))
        return cast

    return arrange


def _in_progress(cell: Cell, cast: Cast) -> bool:
    request = newest_request(cell, cast)
    return request is not None and (
        request.awaits_permissions or request.status in ("issuing", "deleting")
    )


def killed_at(before: Arrange, point: Point, side: Side) -> Arrange:
    """Return the state in which a reveal was interrupted: the bot died at this call."""

    def arrange(cell: Cell) -> Cast:
        cast = before(cell)
        cell.begin()
        cell.kill_at(point, side)
        cell.click(lambda: reveals(cell, cast))
        assert not cell.rest(lambda: False)
        cell.restart()
        return cast

    return arrange


creates = types("/key create nightly backup")
rotates = types("/key rotate {key}")
approves = clicks(action_ids.APPROVE, by="approver", channel=CARDS)
reveals = clicks(action_ids.REVEAL)
saved = clicks(action_ids.SAVED)
pending, approved = after(requester, creates), after(requester, creates, approves)
delivered = after(requester, creates, approves, reveals)
unclaimed = after(delivered, passes(hours=12.1), passes(hours=12))
short_lived = after(
    requester, types("/key create --for 12h nightly backup"), approves, reveals, saved, notes_key
)
rotation = after(with_two_keys, types("/key rotate {key} --delete {delete_first}"), approves)
rotated = after(with_key, rotates, approves, reveals, saved)
on_record = killed_at(approved, Point("slack", "chat.postEphemeral", 1), "before")
not_on_record = killed_at(approved, Point("iam", "CreateAccessKey", 1), "after")


# -- what has happened then


def at(status: str) -> Done:
    """Return whether the newest request has this status and waits for no permissions."""

    def done(cell: Cell, cast: Cast) -> bool:
        request = newest_request(cell, cast)
        return request is not None and request.status == status and not request.awaits_permissions

    return done


def key_is(status: str) -> Done:
    """Return whether Keydesk has read this status of the key in IAM ("": none)."""

    def done(cell: Cell, cast: Cast) -> bool:
        record = _record(cell, cast)
        read = record is not None and record.observed is not ObservedState.UNKNOWN
        return read and cell.world.keys(cast.person).get(cast.key_id, "") == status

    return done


def _record(cell: Cell, cast: Cast) -> ManagedKey | None:
    return cell.world.store.key(cast.key_id)


def all_of(*conditions: Done) -> Done:
    return lambda cell, cast: all(one(cell, cast) for one in conditions)


def one_approval(cell: Cell, cast: Cast) -> bool:
    return len(cell.world.request(cast.person).approvals) == 1


def in_grace_period(cell: Cell, cast: Cast) -> bool:
    request = cell.world.request(cast.person)
    record = cell.world.store.key(request.access_key_id) if request.access_key_id else None
    return request.status == "confirmed" and record is not None and record.grace_ends_at is not None


def reported(cell: Cell, cast: Cast) -> bool:
    record = _record(cell, cast)
    return record is not None and record.reported_at is not None


def sealed(cell: Cell, cast: Cast) -> bool:
    """Say whether the newest line is in log and channel, and all is sealed."""
    trail = cell.world.store.trail()
    lines = trail.lines(limit=1000)
    newest = [line.stream_id for line in lines if not line.is_seal][-1]
    published = {trail.cursor("log"), trail.cursor("channel")}
    return trail.last_seal()[1] == newest and published == {lines[-1].stream_id}
