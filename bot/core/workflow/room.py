"""Making room: with both of IAM's slots taken, how does the key that the person let go die at the reveal click?"""

from __future__ import annotations

import contextlib

from bot.core import policy
from bot.core.access_key import Shown, Wanted, Why
from bot.core.errors import (
    Conflict,
    HandOverFailed,
    IamRefused,
    OutcomeUnknown,
    Refused,
    Unavailable,
)
from bot.core.moves import Action
from bot.core.people import IamUser
from bot.core.ports import Change
from bot.core.request import KeyRequest
from bot.core.workflow import intent, retire
from bot.core.workflow.desk import KEYDESK, Desk


def unchanged(desk: Desk, request: KeyRequest) -> None:
    """The key that is to die at this click must be as the dialog showed it, else that is drawn anew. Raises Refused."""
    if not request.let_go or _going(desk, request.let_go):
        return
    keys = desk.issuer.keys(request.iam_user)
    now, then = (
        next((key for key in keys if key.id == request.let_go), None),
        request.key(request.let_go),
    )
    if now is None or now == then:
        return  # gone already, or as it was
    if now.last_used is None and not (then and then.last_used is None):
        # No change to be shown: drawn so, it would be refused as changed once more when AWS knows the key again.
        raise Refused(
            f"AWS does not say at the moment when {now.id}, which is deleted when you reveal the new key, "
            "was last used: it might have been used since you were asked. I have done nothing: click *Reveal "
            "my key* again in a minute."
        )
    with contextlib.suppress(Conflict):  # another click was faster: nothing is done either way
        desk.write(request, request.move(Action.REFRESH, KEYDESK, desk.clock.now(), keys=keys))
    raise Refused(
        f"{now.id}, which is deleted when you reveal the new key, has changed since you were asked: it is "
        f"{now.status.lower()}, {policy.last_used_words(now)}. I have done nothing. If it may go all the "
        "same, click *Reveal my key* again."
    )


def _going(desk: Desk, key_id: str) -> bool:
    record = desk.store.key(key_id)
    return record is not None and record.wanted is Wanted.DELETED


def make(desk: Desk, issuing: KeyRequest) -> None:
    """Deletes the key that the person let go; its end was stored with the lease. Raises HandOverFailed."""
    if not issuing.let_go:
        return
    try:
        record = desk.store.key(issuing.let_go)
        certain = record is None or record.shown is Shown.DELETED or intent.carry_out(desk, record)
    except (IamRefused, Unavailable, OutcomeUnknown) as problem:
        raise HandOverFailed(
            f"{issuing.let_go} could not be deleted yet ({problem.sentence.rstrip('.')}), so no new "
            "key was made. I keep at it: click *Reveal my key* again in a minute."
        ) from problem
    if not certain:
        raise HandOverFailed(
            f"{issuing.let_go} is not gone for certain yet, so no new key was made. Click *Reveal "
            "my key* again in a few minutes."
        )


def lets_go(desk: Desk, request: KeyRequest, user: IamUser) -> list[Change]:
    """The end of the key that makes room, stored before it is carried out."""
    if not request.let_go or _going(desk, request.let_go):
        return []
    key = request.key(request.let_go)
    record = desk.store.key(request.let_go)
    if key is None:
        return []
    base = record or retire.adopted(user.account, key, request.requester)
    gone = base.want(
        Wanted.DELETED, request.requester, desk.clock.now(), due=desk.soon(), why=Why.ROTATED
    )
    return [Change(record, gone), *retire.closes(desk, gone, request.requester)]
