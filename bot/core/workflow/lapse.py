"""Time passes: what becomes of a request or key whose moment has come. The sweeper calls `tick`; anyone may, twice."""

from __future__ import annotations

from bot.core.access_key import Shown, Wanted
from bot.core.errors import IamDenied, NoSuchKey
from bot.core.ports import Change
from bot.core.request import Action, KeyRequest, Status
from bot.core.workflow import hand_over, recovery, retire
from bot.core.workflow.desk import KEYDESK, Desk


def tick(desk: Desk, name: str) -> None:
    """Does what is due for `name` (`request:…` or `key:…`), if anything is.

    Raises Conflict when somebody was faster, else what IAM or the store raise; the sweeper tries again later.
    """
    kind, _, id_ = name.partition(":")
    now = desk.clock.now()
    if kind == "key":
        key = desk.store.key(id_)
        if key and key.due and key.due <= now:
            retire.settle(desk, key)
        return
    request = desk.store.request(id_)
    if request is None or request.deadline is None:
        return
    if request.deadline > now:
        desk.store.postpone(name, request.deadline)  # it was put off, and has moved since
        return
    match request.status:
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


def _ask_for_receipt(desk: Desk, request: KeyRequest) -> None:
    """At half time a reminder, recorded before it is sent; at the end the key's own use decides."""
    now = desk.clock.now()
    ends = (request.handed_over_at or now) + desk.rules.receipt_ttl
    if _used(desk, request):
        desk.write(request, request.move(Action.CONFIRM, KEYDESK, now, deadline=None), why="the key has been used")
    elif now < ends:
        desk.write(request, request.move(Action.REMIND, KEYDESK, now, reminded_at=now, deadline=ends))
    else:
        _end(desk, request, Action.UNCLAIM, Wanted.INACTIVE, unclaimed_at=now,
             deadline=now + desk.rules.delete_after)


def _give_up(desk: Desk, request: KeyRequest) -> None:
    """An unclaimed key is deleted once `delete_after` is over; one that somebody turned on in AWS and uses is not."""
    key = desk.store.key(request.access_key_id)
    if key and _used(desk, request) and retire.read(desk, key) is Shown.ACTIVE:
        _end(desk, request, Action.CONFIRM, Wanted.ACTIVE, deadline=None)
    else:
        _end(desk, request, Action.LAPSE, Wanted.DELETED, deadline=None)


def _end(desk: Desk, request: KeyRequest, action: Action, wanted: Wanted, **facts: object) -> None:
    """Moves the request and what is wanted of its key in one step, then carries it out."""
    now = desk.clock.now()
    key = desk.store.key(request.access_key_id)
    ended = key.want(wanted, KEYDESK, now, due=desk.soon()) if key and key.wanted is not Wanted.DELETED else None
    desk.write(request, request.move(action, KEYDESK, now, **facts), *([Change(key, ended)] if ended else []))
    if ended:
        retire.carry_out(desk, ended)


def _used(desk: Desk, request: KeyRequest) -> bool:
    """Has the key been used? One that IAM no longer shows has not been, as far as anybody can tell.

    IAM answers the question about a deleted key with AccessDenied, too; only the list tells the two apart.
    """
    try:
        return desk.issuer.last_used(request.access_key_id).at is not None
    except NoSuchKey:
        return False
    except IamDenied:
        if any(key.id == request.access_key_id for key in desk.issuer.listed(request.iam_user)):
            raise
        return False
