"""Time passes: what becomes of a request or key whose moment has come. The sweeper calls `tick`; anyone may, twice."""

from __future__ import annotations

from bot.core import policy
from bot.core.access_key import ManagedKey, Shown, Wanted, Why
from bot.core.errors import IamDenied, NoSuchKey
from bot.core.moves import Action, Status
from bot.core.ports import Change
from bot.core.request import KeyRequest
from bot.core.workflow import ageing, change, hand_over, intent, learn, recovery, waiting
from bot.core.workflow.desk import KEYDESK, Desk


def tick(desk: Desk, name: str) -> None:
    """Does what is due for `name` (`request:…` or `key:…`), if anything is.

    Raises Conflict when somebody was faster, else what IAM or the store raise; the sweeper tries again later.
    """
    kind, _, id_ = name.partition(":")
    now = desk.clock.now()
    if kind == "key":
        key = desk.store.key(id_)
        if key and key.next_due:
            _tick_key(desk, key)
        return
    request = desk.store.request(id_)
    if request is None or request.next_due is None:
        return
    if request.next_due > now:
        desk.store.postpone(name, request.next_due)  # it was put off, and has moved since
        return
    match request.status:
        case Status.APPROVED if not request.has_secret:
            change.apply(desk, request)
        case Status.PENDING if waiting.is_due(request, now):
            waiting.pass_time(desk, request)
        case Status.PENDING if learn.is_due(request, now):
            learn.overdue(desk, request)
        case Status.PENDING | Status.APPROVED:
            desk.write(request, request.move(Action.LAPSE, KEYDESK, now, deadline=None))
        case Status.ISSUING:
            recovery.recover(desk, request)
        case Status.WITHDRAWING:
            hand_over.finish_withdrawal(desk, request)
        case Status.DELIVERED:
            _ask_for_receipt(desk, request)
        case Status.UNCLAIMED:
            _give_up(desk, request)


def _tick_key(desk: Desk, key: ManagedKey) -> None:
    now = desk.clock.now()
    if key.due and key.due <= now:
        intent.settle(desk, key)
        recovery.withdraw_if_gone(desk, key.id)
        ageing.notice_if_gone(desk, key.id)
    elif key.next_due and key.next_due <= now:
        ageing.age(desk, key)
    elif key.next_due:
        desk.store.postpone(key.name, key.next_due)  # it was put off, and has changed since


def _ask_for_receipt(desk: Desk, request: KeyRequest) -> None:
    """At half time a reminder, recorded before it is sent; at the end the key's own use decides."""
    now = desk.clock.now()
    ends = (request.handed_over_at or now) + desk.rules.receipt_ttl
    if _used(desk, request):
        key = desk.store.key(request.access_key_id)
        grace = ageing.grace(desk, key, request) if key else {}
        desk.write(
            request,
            request.move(Action.CONFIRM, KEYDESK, now, deadline=None),
            *([Change(key, key.noted(**grace))] if key and grace else []),
            why="the key has been used",
        )
    elif now < ends:
        desk.write(
            request, request.move(Action.REMIND, KEYDESK, now, reminded_at=now, deadline=ends)
        )
    else:
        _end(
            desk,
            request,
            Action.UNCLAIM,
            Wanted.INACTIVE,
            Why.UNCLAIMED,
            unclaimed_at=now,
            deadline=now + desk.rules.delete_after,
        )


def _give_up(desk: Desk, request: KeyRequest) -> None:
    """An unclaimed key is deleted once `delete_after` is over; one that somebody turned on in AWS and uses is not."""
    key = desk.store.key(request.access_key_id)
    if (
        key
        and not key.stays_off
        and _used(desk, request)
        and intent.read(desk, key) is Shown.ACTIVE
    ):
        now = desk.clock.now()
        wants = key.want(
            Wanted.ACTIVE, KEYDESK, now, due=desk.soon(), **ageing.grace(desk, key, request)
        )
        desk.write(
            request, request.move(Action.CONFIRM, KEYDESK, now, deadline=None), Change(key, wants)
        )
        intent.carry_out(desk, wants)
    else:
        _end(desk, request, Action.LAPSE, Wanted.DELETED, Why.UNCLAIMED, deadline=None)


def _end(
    desk: Desk, request: KeyRequest, action: Action, wanted: Wanted, why: Why, **facts: object
) -> None:
    """Moves the request and what is wanted of its key in one step, then carries it out.

    A key that is off because an approver, its end or a report has it so is left as it is, with the reason.
    """
    now = desk.clock.now()
    key = desk.store.key(request.access_key_id)
    over = (
        key is None
        or key.wanted is Wanted.DELETED
        or (wanted is Wanted.INACTIVE and key.wanted is wanted and policy.ended(key, now))
    )
    ended = (
        None if key is None or over else key.want(wanted, KEYDESK, now, due=desk.soon(), why=why)
    )
    desk.write(
        request,
        request.move(action, KEYDESK, now, **facts),
        *([Change(key, ended)] if ended else []),
    )
    if ended:
        intent.carry_out(desk, ended)


def _used(desk: Desk, request: KeyRequest) -> bool:
    """Has the key been used? One that IAM no longer shows has not been, as far as anybody can tell.

    IAM answers the question about a deleted key with AccessDenied, too; only what else IAM shows tells the two apart.
    """
    try:
        return desk.issuer.last_used(request.access_key_id).at is not None
    except NoSuchKey:
        return False
    except IamDenied:
        key = desk.store.key(request.access_key_id)
        if key and intent.read(desk, key) is not Shown.DELETED:
            raise
        return False
