"""Asking for a key, and taking the request back."""

from __future__ import annotations

from dataclasses import replace

from bot.core import policy
from bot.core.command import check_reason
from bot.core.errors import AlreadyOpen, Held, at_words
from bot.core.people import Member
from bot.core.ports import Change, Entry
from bot.core.request import Action, KeyRequest, Status
from bot.core.workflow.desk import Desk


def create(desk: Desk, member: Member, reason: str) -> KeyRequest:
    """Stores a person's request for a key and asks the approvers; returns it, `pending`.

    Whatever would make it fail later is found out before any approver is bothered. Raises BadCommand,
    LooksLikeSecret, NoIamUser, NotAllowed, AlreadyOpen, TooManyKeys, IamRefused or Unavailable.
    """
    reason = check_reason(reason)
    user = desk.identify(member)
    now = desk.clock.now()
    request = KeyRequest(
        id=desk.new_id(), verb="create", requester=member.id, dm="", account=user.account, iam_user=user.name,
        iam_user_id=user.user_id, reason=reason, keys=(), asked_at=now, deadline=now + desk.rules.request_ttl)
    for hold in request.holds:
        holder = desk.store.holder(hold)
        if holder:
            raise _already_open(desk, member, holder)
    keys = desk.issuer.keys(user.name)
    policy.has_room(keys)
    request = replace(request, keys=keys, dm=desk.messenger.dm(member.id))
    entry = Entry(at=now, by=member.id, action="create", request_id=request.id, becomes=request.status, why=reason)
    try:
        desk.commit(Change(None, request), entry=entry)
    except Held as held:
        raise _already_open(desk, member, held.holder) from held
    return request


def cancel(desk: Desk, member: Member, request_id: str) -> KeyRequest:
    """Takes a person's own request back, while pending and while approved. Raises NotAllowed or WrongState."""
    desk.lapse_if_overdue(request_id)
    return desk.move(request_id, Action.CANCEL, member.id, deadline=None,
                     check=lambda request: policy.is_requester(member, request))


def _already_open(desk: Desk, member: Member, request_id: str) -> AlreadyOpen:
    request = desk.store.request(request_id)
    if request is None:
        return AlreadyOpen(request_id, "You have a request open already; see your direct message with me.")
    if request.requester != member.id:
        return AlreadyOpen(request_id, f"<@{request.requester}> has had a request open for the IAM user you share, "
                                       f"{request.iam_user}, since {at_words(request.asked_at)}. One at a time: ask "
                                       "again when theirs is finished.")
    asked = f"You have a request open since {at_words(request.asked_at)}"
    if request.status is Status.PENDING:
        rest = "it waits for an approver. *Cancel request* in your direct message with me takes it back."
    elif request.status is Status.APPROVED:
        rest = "it is approved: click *Reveal my key* in your direct message with me."
    elif request.status in (Status.DELIVERED, Status.UNCLAIMED):
        rest = (f"its key {request.access_key_id} was handed over. Say *I have it* in your direct message with me, "
                "then ask again.")
    else:
        rest = "its key is being made or withdrawn at this moment. See your direct message with me."
    return AlreadyOpen(request_id, f"{asked}; {rest}")
