"""Which journeys are walked? Each begins with people who stand ready, and is one gesture and all that follows it.

Every gesture finds its button anew, so that a person who comes back after a crash can do it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bot.domain.keys import ObservedState
from bot.slack import action_ids
from sandbox.local_person import LocalPerson
from sandbox.seen import SeenMessage
from tests.support.key_life import old_key
from tests.support.running_world import iam_name
from tests.verification.matrix.gates import Point, Side
from tests.verification.matrix.harness import Cell

CARDS = "key-approvals"
TWO = {"APPROVALS_REQUIRED": "2"}


@dataclass
class Cast:
    """Who plays, and which keys matter: `known` were in IAM before anybody asked, `key_id` is the one in question."""

    person: LocalPerson
    known: set[str] = field(default_factory=set)
    key_id: str = ""
    delete_first: str = ""
    approver: LocalPerson | None = None
    other: LocalPerson | None = None


@dataclass(frozen=True)
class Journey:
    """One gesture (`act`), from where (`arrange`), and when all of it has happened (`done`).

    `by_time`: nobody clicks; time does it, so it happens whoever comes back or stays away. `polling`: what the auditor
    does every few seconds is part of it.
    """

    arrange: Callable[[Cell], Cast]
    act: Callable[[Cell, Cast], None]
    done: Callable[[Cell, Cast], bool]
    settings: Mapping[str, str] = field(default_factory=dict)
    by_time: bool = False
    polling: bool = False


# -- what people do


def types(line: str) -> Callable[[Cell, Cast], None]:
    """The person types a command; `{key}` and `{gone}` are the keys in question."""

    def act(cell: Cell, cast: Cast) -> None:
        cast.person.command(line.format(key=cast.key_id, gone=cast.delete_first))

    return act


def finds(cell: Cell, who: LocalPerson, button: str, channel: str) -> SeenMessage:
    return cell.until(
        lambda: who.last(channel, button=button), f"{who.id} sees {button!r} in {channel}"
    )


def clicks(button: str, *, by: str = "person", channel: str = "dm") -> Callable[[Cell, Cast], None]:
    """Somebody (`by`: "person", "approver", "other") clicks the newest such button."""

    def act(cell: Cell, cast: Cast) -> None:
        who = getattr(cast, by) or cell.world.carol
        who.click(finds(cell, who, button, channel), button)

    return act


def denies(cell: Cell, cast: Cast) -> None:
    carol = cell.world.carol
    carol.click(finds(cell, carol, action_ids.DENY, CARDS), action_ids.DENY)
    cell.until(
        lambda: (carol.modal or {}).get("callback_id") == action_ids.DENY_FORM,
        "the form that asks why",
    )
    carol.submit({"reason": "not needed"})


def deletes(cell: Cell, cast: Cast) -> None:
    cast.person.command(f"/key delete {cast.key_id}")
    cast.person.click(finds(cell, cast.person, action_ids.DELETE, "general"), action_ids.DELETE)


def approver_reports(cell: Cell, cast: Cast) -> None:
    carol = cell.world.carol
    carol.command(f"/key leaked {cast.key_id}")
    carol.click(finds(cell, carol, action_ids.LEAKED_DISABLE, "general"), action_ids.LEAKED_DISABLE)


def other_reports(cell: Cell, cast: Cast) -> None:
    assert cast.other
    cast.other.command(f"/key leaked {cast.key_id}")


def approves_and_seals(cell: Cell, cast: Cast) -> None:
    """An approver approves, and the auditor carries the new entry to the log and the channel, and seals it."""
    if at("pending")(cell, cast):
        approves(cell, cast)
        cell.until(lambda: at("approved")(cell, cast), "the approval")
    cell.bot.forked.ask("round")


def passes(**by: float) -> Callable[[Cell, Cast], None]:
    """Time passes, and the bot sweeps."""

    def act(cell: Cell, cast: Cast) -> None:
        cell.clock.move(**by)
        for _ in range(4):
            cell.bot.forked.ask("sweep")

    return act


# -- where they stand


def somebody(cell: Cell) -> Cast:
    return Cast(cell.world.engineer())


def with_key(cell: Cell) -> Cast:
    """Somebody with a key that was made in the console, and a stranger."""
    person = cell.world.engineer()
    key_id = old_key(cell.world, person)
    return Cast(person, {key_id}, key_id, other=cell.world.engineer(iam=False))


def with_inactive(cell: Cell) -> Cast:
    cast = with_key(cell)
    cell.world.iam.update_access_key(
        UserName=iam_name(cast.person), AccessKeyId=cast.key_id, Status="Inactive"
    )
    return cast


def after(
    before: Callable[[Cell], Cast], *steps: Callable[[Cell, Cast], None]
) -> Callable[[Cell], Cast]:
    """Who stands where these steps, each carried out to its end, lead to."""

    def arrange(cell: Cell) -> Cast:
        cast = before(cell)
        for step in steps:
            step(cell, cast)
            cell.rest(lambda: not _moving(cell, cast))
        return cast

    return arrange


def _moving(cell: Cell, cast: Cast) -> bool:
    """Whether the person's newest request is on its way to somewhere else."""
    requests = cell.world.requests(cast.person)
    return bool(requests) and (
        requests[0].awaits_permissions or requests[0].status in ("issuing", "deleting")
    )


def two_approvers(cell: Cell) -> Cast:
    first, second = cell.world.approvers(2)
    return Cast(cell.world.engineer(), approver=first, other=second)


def with_two_keys(cell: Cell) -> Cast:
    """Somebody with as many keys as IAM allows."""
    cast = with_key(cell)
    cast.delete_first = old_key(cell.world, cast.person, 40)
    cast.known.add(cast.delete_first)
    return cast


def opens_homes(cell: Cell, cast: Cast) -> None:
    for who in (cast.person, cell.world.carol):
        who.open_home()
        cell.until(lambda who=who: who.home, "the Home tab")


def notes_key(cell: Cell, cast: Cast) -> None:
    """The key that the newest request brought is the one in question from here on."""
    cast.key_id = cell.world.request(cast.person).access_key_id


def broken_off(before: Callable[[Cell], Cast], point: Point, side: Side) -> Callable[[Cell], Cast]:
    """Who stands where a hand-over was broken off: the bot died at this call, and another runs."""

    def arrange(cell: Cell) -> Cast:
        cast = before(cell)
        cell.begin()
        cell.kill_at(point, side)
        cell.click(lambda: reveals(cell, cast))
        assert not cell.rest(lambda: False)
        cell.restart()
        return cast

    return arrange


asks = types("/key create nightly backup")
approves = clicks(action_ids.APPROVE, by="approver", channel=CARDS)
reveals = clicks(action_ids.REVEAL)
saved = clicks(action_ids.SAVED)
asked, approved = after(somebody, asks), after(somebody, asks, approves)
delivered = after(somebody, asks, approves, reveals)
unclaimed = after(delivered, passes(hours=12.1), passes(hours=12))
confirmed = after(delivered, saved, notes_key)
short_lived = after(
    somebody, types("/key create --for 12h nightly backup"), approves, reveals, saved, notes_key
)
rotation = after(with_two_keys, types("/key rotate {key} --delete {gone}"), approves)
rotated = after(with_key, types("/key rotate {key}"), approves, reveals, saved)
on_record = broken_off(approved, Point("slack", "chat.postEphemeral", 1), "before")
not_on_record = broken_off(approved, Point("iam", "CreateAccessKey", 1), "after")


# -- when it has happened


def at(status: str) -> Callable[[Cell, Cast], bool]:
    def done(cell: Cell, cast: Cast) -> bool:
        requests = cell.world.requests(cast.person)
        return (
            bool(requests) and requests[0].status == status and not requests[0].awaits_permissions
        )

    return done


def key_is(status: str) -> Callable[[Cell, Cast], bool]:
    """The key in question has this status in IAM ("" for none), and Keydesk has read that it is so."""

    def done(cell: Cell, cast: Cast) -> bool:
        record = cell.world.store.key(cast.key_id)
        read = record is not None and record.observed is not ObservedState.UNKNOWN
        return read and cell.world.keys(cast.person).get(cast.key_id, "") == status

    return done


def both(*conditions: Callable[[Cell, Cast], bool]) -> Callable[[Cell, Cast], bool]:
    return lambda cell, cast: all(one(cell, cast) for one in conditions)


def endorsed(cell: Cell, cast: Cast) -> bool:
    return len(cell.world.request(cast.person).approvals) == 1


def in_grace(cell: Cell, cast: Cast) -> bool:
    request = cell.world.request(cast.person)
    record = cell.world.store.key(request.access_key_id) if request.access_key_id else None
    return request.status == "confirmed" and record is not None and record.grace_ends_at is not None


def reported(cell: Cell, cast: Cast) -> bool:
    record = cell.world.store.key(cast.key_id)
    return record is not None and record.reported_at is not None


def sealed(cell: Cell, cast: Cast) -> bool:
    """The newest line of the trail is in the log and the channel, and every entry is under a seal."""
    trail = cell.world.store.trail()
    lines = trail.lines(limit=1000)
    newest = [line.stream_id for line in lines if not line.is_seal][-1]
    return trail.last_seal()[1] == newest and {trail.cursor("log"), trail.cursor("channel")} == {
        lines[-1].stream_id
    }


JOURNEYS: Mapping[str, Journey] = {
    "ask": Journey(somebody, asks, at("pending")),
    "approve": Journey(asked, approves, at("approved")),
    "approve with Home tabs open": Journey(
        after(somebody, opens_homes, asks), approves, at("approved")
    ),
    "deny": Journey(asked, denies, at("denied")),
    "cancel": Journey(asked, clicks(action_ids.CANCEL), at("cancelled")),
    "endorse, the first of two": Journey(after(two_approvers, asks), approves, endorsed, TWO),
    "approve, the second of two": Journey(
        after(two_approvers, asks, approves),
        clicks(action_ids.APPROVE, by="other", channel=CARDS),
        at("approved"),
        TWO,
    ),
    "revoke": Journey(
        approved, clicks(action_ids.REVOKE, by="approver", channel=CARDS), at("denied")
    ),
    "reveal": Journey(approved, reveals, at("delivered")),
    "I have it": Journey(delivered, saved, at("confirmed")),
    "I did not get it": Journey(delivered, clicks(action_ids.DID_NOT_GET), at("approved")),
    "replace it": Journey(unclaimed, clicks(action_ids.REPLACE), at("approved")),
    "I have it, enable it": Journey(
        unclaimed, clicks(action_ids.ENABLE_UNCLAIMED), at("confirmed")
    ),
    "ask for a rotation": Journey(with_key, types("/key rotate {key}"), at("pending")),
    "reveal a rotation, both slots taken": Journey(rotation, reveals, at("delivered")),
    "have a rotation, grace begins": Journey(
        after(with_key, types("/key rotate {key}"), approves, reveals), saved, in_grace
    ),
    "disable the old": Journey(rotated, clicks(action_ids.DISABLE_OLD), key_is("Inactive")),
    "undo": Journey(
        after(rotated, clicks(action_ids.DISABLE_OLD)), clicks(action_ids.UNDO), key_is("Active")
    ),
    "grace ends": Journey(rotated, passes(hours=25), key_is("Inactive"), by_time=True),
    "disable": Journey(with_key, types("/key disable {key}"), key_is("Inactive")),
    "enable": Journey(
        after(with_inactive, types("/key enable {key} still used")),
        approves,
        both(at("confirmed"), key_is("Active")),
    ),
    "delete": Journey(with_inactive, deletes, key_is("")),
    "a key ends": Journey(short_lived, passes(hours=12.1), key_is("Inactive"), by_time=True),
    "an ended key is deleted": Journey(
        after(short_lived, passes(hours=12.1), passes(days=6.1)),
        passes(days=1.1),
        key_is(""),
        by_time=True,
    ),
    "a request lapses": Journey(asked, passes(hours=73), at("expired"), by_time=True),
    "an approval lapses": Journey(approved, passes(hours=73), at("expired"), by_time=True),
    "no receipt comes": Journey(
        after(delivered, passes(hours=12.1)), passes(hours=12), at("unclaimed"), by_time=True
    ),
    "an unclaimed key is deleted": Journey(
        unclaimed, passes(days=7.1), at("expired"), by_time=True
    ),
    "recover a key on record": Journey(on_record, passes(minutes=2), at("delivered"), by_time=True),
    "recover a key not on record": Journey(
        not_on_record, passes(minutes=20), at("approved"), by_time=True
    ),
    "the trail is carried on": Journey(
        asked,
        approves_and_seals,
        both(at("approved"), sealed),
        {"AUDIT_CHANNEL": "C0AUDIT"},
        polling=True,
    ),
    "its owner reports a leak": Journey(with_key, types("/key leaked {key}"), key_is("Inactive")),
    "a stranger reports a leak": Journey(with_key, other_reports, reported),
    "an approver reports a leak": Journey(with_key, approver_reports, key_is("Inactive")),
    "an approver turns a reported key off": Journey(
        after(with_key, other_reports),
        clicks(action_ids.LEAKED_DISABLE, by="approver", channel=CARDS),
        key_is("Inactive"),
    ),
}
