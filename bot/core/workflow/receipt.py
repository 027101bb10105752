"""The receipt: the person says that the key has arrived, that it has not, or that they want another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.core import policy
from bot.core.access_key import ManagedKey, Shown, Wanted, Why
from bot.core.errors import (
    Conflict,
    HandOverFailed,
    IamRefused,
    NotYourKey,
    OlderKey,
    OutcomeUnknown,
    StoreUnavailable,
    Unavailable,
)
from bot.core.moves import Action, Status
from bot.core.people import Member
from bot.core.ports import Change
from bot.core.request import KeyRequest
from bot.core.workflow import ageing, hand_over, intent
from bot.core.workflow.desk import CONFLICT_TRIES, Desk


def confirm(desk: Desk, member: Member, key_id: str) -> KeyRequest:
    """**I have it**, **I saved it**: the receipt. An unclaimed key is made active again. Twice is well.

    One that an approver turned off, or that is reported, stays off: the receipt is noted, and is no way around them.

    Raises NotYourKey, OlderKey, WrongState, IamRefused or Unavailable, KeyIsLeaked, HandOverFailed where the key to
    be enabled is gone, NotAllowed or NoIamUser where its IAM user is not theirs any more, or StillTrying where AWS did
    not confirm that it is active.
    """
    for _ in range(CONFLICT_TRIES):
        key, request = _receipt(desk, member, key_id)
        if request.status is Status.CONFIRMED:
            return request
        now = desk.clock.now()
        confirmed = request.move(Action.CONFIRM, member.id, now, deadline=None, note="")
        over = (
            key.is_over(now) and key.why is Why.UNCLAIMED
        )  # its end is a promise: the receipt does not move it
        enabling = (
            request.status is Status.UNCLAIMED
            and key.why is not Why.EXPIRED
            and not over
            and not _kept_off(key)
        )
        if enabling and key.wanted is Wanted.DELETED:
            raise HandOverFailed(f"{key_id} is being deleted. *Replace it* gives you another.")
        if enabling and intent.read(desk, key) is Shown.DELETED:
            raise HandOverFailed(f"{key_id} is gone from AWS. *Replace it* gives you another.")
        if enabling:
            policy.is_still_theirs(desk.identify(member, key.iam_user if key.service else ""), key)
        grace = ageing.grace(desk, key, request)
        wants = (
            key.want(Wanted.ACTIVE, member.id, now, due=desk.soon(), **grace)
            if enabling
            else (ageing.ended_now(desk, key, **grace) if over else _claimed(key, grace))
        )
        try:
            desk.write(request, confirmed, *([Change(key, wants)] if wants is not key else []))
        except Conflict:
            continue
        if enabling:
            intent.carry_out_or_say(desk, wants)
        return confirmed
    raise _busy(key_id)


def _kept_off(key: ManagedKey) -> bool:
    """Is it not its person's alone to turn this key on? One that leaked is refused, in words of its own."""
    theirs = policy.ended_by_approver(key) or key.reported_at is not None
    return theirs and key.wanted is Wanted.INACTIVE and not key.leaked


def _claimed(key: ManagedKey, grace: Mapping[str, Any]) -> ManagedKey:
    """The key with its receipt, on or off as it is; it is not unclaimed any more, so its own end counts again."""
    noted = {**grace, "why": Why.NOTHING} if key.why is Why.UNCLAIMED else grace
    return key.noted(**noted) if noted else key


def did_not_get(desk: Desk, member: Member, key_id: str) -> KeyRequest:
    """**I did not get it**: withdraws the key and brings **Reveal my key** back under the same approval.

    Where an approver has turned that key off, the request closes instead.

    Raises NotYourKey, OlderKey, WrongState, or HandOverFailed where the withdrawal is not certain yet.
    """
    return _give_back(desk, member, key_id, Action.DID_NOT_GET)


def replace_key(desk: Desk, member: Member, key_id: str) -> KeyRequest:
    """**Replace it**: withdraws an unclaimed key, and goes on and raises as `did_not_get`."""
    return _give_back(desk, member, key_id, Action.REPLACE)


def _give_back(desk: Desk, member: Member, key_id: str, action: Action) -> KeyRequest:
    for _ in range(CONFLICT_TRIES):
        _, request = _receipt(desk, member, key_id)
        try:
            return hand_over.withdraw(desk, request, action, member.id)
        except Conflict:
            continue
        except StoreUnavailable as problem:
            raise HandOverFailed(
                "The desk's memory did not answer, so I cannot say whether that is noted. Look at "
                f"your newest message here in a minute: if it still asks about {key_id}, click again."
            ) from problem
        except (IamRefused, Unavailable, OutcomeUnknown) as problem:
            raise HandOverFailed(
                f"{key_id} is being withdrawn: {problem.sentence} I keep trying, and tell you here "
                "what comes next when it is gone."
            ) from problem
    raise _busy(key_id)


def _receipt(desk: Desk, member: Member, key_id: str) -> tuple[ManagedKey, KeyRequest]:
    """The key of a receipt button and its request. A button of an older reveal moves nothing."""
    key = desk.store.key(key_id)
    request = desk.store.request(key.request_id) if key and key.request_id else None
    if key is None or request is None or request.requester != member.id:
        raise NotYourKey
    if request.access_key_id != key_id:
        raise OlderKey(key_id)
    return key, request


def _busy(key_id: str) -> HandOverFailed:
    return HandOverFailed(
        f"{key_id} is being changed at this moment. Look at your newest message here and try again."
    )
