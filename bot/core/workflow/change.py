"""Changing a key that exists, with approval: turning it on again, and giving it more time."""

from __future__ import annotations

from dataclasses import replace

from bot.core import policy
from bot.core.access_key import AccessKey, ManagedKey, Shown, Wanted
from bot.core.counting import Deed
from bot.core.errors import (
    Conflict,
    IamDenied,
    IamThrottled,
    IdentityChanged,
    NoSuchKey,
    NotAllowed,
    NotYourKey,
    Refused,
    StillTrying,
)
from bot.core.moves import Action, Status
from bot.core.people import IamUser, Member
from bot.core.ports import Change
from bot.core.request import KeyRequest
from bot.core.workflow import ageing, intent, retire
from bot.core.workflow.desk import CONFLICT_TRIES, KEYDESK, Desk


def enable_now(desk: Desk, member: Member, user: IamUser, key: AccessKey, reason: str) -> None:
    """Turns a person's own key on without approval, where the rules allow that. Raises OverLimit, StillTrying."""
    for _ in range(CONFLICT_TRIES):
        record = desk.store.key(key.id)
        policy.may_enable(key, record)
        if policy.needs_approval("enable", record, desk.rules.approval_free, desk.clock.now()):
            raise NotAllowed(
                f"{key.id} was ended, or reported, at that very moment, so I have done nothing. "
                f"`/key enable {key.id} <reason>` asks the approvers for it."
            )
        base = record or retire.adopted(user.account, key, member.id)
        wants = base.want(Wanted.ACTIVE, member.id, desk.clock.now(), due=desk.soon(), notices=())
        wants, claimed = _claimed(desk, wants)
        try:
            desk.commit(
                Change(record, wants),
                *claimed,
                entry=desk.key_entry(wants, record, "enable", member.id, why=reason),
                count=desk.one(Deed.REQUEST, member.id, desk.clock.now()),
            )
        except Conflict:
            continue
        intent.carry_out_or_say(desk, wants)
        return
    raise retire.busy(key.id)


def apply(desk: Desk, request: KeyRequest) -> KeyRequest:
    """Carries out an approved request that ends without a secret; by anyone, any number of times.

    Who asked is asked anew, as at a reveal: somebody who has left, or has another IAM user by now, gets nothing done.
    Returns it `confirmed`, or `expired` with the reason in its note where it cannot be done any more. Raises Conflict
    when somebody was faster, IamRefused, Unavailable, OutcomeUnknown or StillTrying: it is tried again.
    """
    if request.has_begun:
        return _turn_on(desk, request)
    now = desk.clock.now()
    try:
        asker = desk.directory.member(request.requester, fresh=True)
        policy.may_use_desk(asker, desk.rules.team_id)
        user = desk.identify(asker, request.iam_user if request.service else "")
        policy.is_same_identity(user, request)
        key = next((key for key in desk.issuer.keys(user.name) if key.id == request.target), None)
        if key is None:
            raise NotYourKey
        record = desk.store.key(key.id)
        wants = _changed(desk, request, user, key, record)
        wants, claimed = _claimed(desk, wants)
    except (IamDenied, IamThrottled):
        raise  # that may pass, and says nothing about the key
    except Refused as refusal:
        why = refusal.sentence
        if isinstance(refusal, IdentityChanged):
            why = f"{refusal.what} since this was asked for, so nothing was done. Ask again if it is still needed."
        return _cannot_be_done(desk, request, why)
    if request.verb == "extend":
        done = request.move(Action.APPLY, KEYDESK, now, deadline=None, note="")
        return desk.write(request, done, Change(record, wants), *claimed)
    begun = request.move(Action.BEGIN, KEYDESK, now, deadline=desk.soon())
    return _turn_on(desk, desk.write(request, begun, Change(record, wants), *claimed))


def _turn_on(desk: Desk, request: KeyRequest) -> KeyRequest:
    """Has IAM do what is stored, then says that it is done; not where somebody ended the key meanwhile."""
    key = desk.store.key(request.target)
    if key and key.wanted is Wanted.ACTIVE and not _is_on_still(desk, key):
        try:
            if not intent.carry_out(desk, key):
                raise StillTrying(f"{key.id} is so new that AWS does not know it everywhere yet.")
        except NoSuchKey:
            return _cannot_be_done(desk, request, f"AWS does not know {request.target} any more.")
        key = desk.store.key(request.target)  # it may have been ended while IAM was asked
    if key is None or key.wanted is not Wanted.ACTIVE:
        return _cannot_be_done(
            desk, request, f"{request.target} was turned off or deleted meanwhile, so it stays so."
        )
    done = request.move(Action.APPLY, KEYDESK, desk.clock.now(), deadline=None, note="")
    return desk.write(request, done)


def _is_on_still(desk: Desk, key: ManagedKey) -> bool:
    """Has IAM turned the key on before, though nobody could be told, and is it on still?"""
    return key.shown is Shown.ACTIVE and intent.read(desk, key) is Shown.ACTIVE


def _cannot_be_done(desk: Desk, request: KeyRequest, why: str) -> KeyRequest:
    ended = request.move(Action.LAPSE, KEYDESK, desk.clock.now(), deadline=None, note=why)
    return desk.write(request, ended, why=why)


def _changed(
    desk: Desk, request: KeyRequest, user: IamUser, key: AccessKey, record: ManagedKey | None
) -> ManagedKey:
    base = record or retire.adopted(user.account, key, request.requester)
    if base.owner in (
        "",
        request.requester,
    ):  # a service user's other owner is told where they are told already
        base = replace(base, owner=request.requester, dm=request.dm, service=request.service)
    if request.verb == "extend":
        ends = policy.extended(base, desk.rules.key_ttl_max)
        if not key.active or base.wanted is not Wanted.ACTIVE:
            raise NotAllowed(
                f"{key.id} is inactive by now. `/key enable {key.id} <reason>` asks for it back."
            )
        return base.noted(expires_at=ends, notices=())
    policy.may_enable(key, record)
    if (
        record
        and policy.ended_by_approver(record)
        and record.changed_at != request.target_changed_at
    ):
        # Not by which is later: the two may be the times of clocks that differ.
        raise NotAllowed(
            f"<@{record.changed_by}> turned {key.id} off after this was approved, so it stays off. "
            f"`/key enable {key.id} <reason>` asks again."
        )
    return base.want(
        Wanted.ACTIVE,
        request.decided_by,
        desk.clock.now(),
        due=desk.soon(),
        notices=(),
        expires_at=retire.ends_again(desk, base),
    )


def _claimed(desk: Desk, key: ManagedKey) -> tuple[ManagedKey, tuple[Change, ...]]:
    """Whoever asks for an unclaimed key back has it: that is its receipt, else it would be deleted all the same.

    So does whoever asks for one back that an approver turned off before its receipt.
    """
    made_by = desk.store.request(key.request_id) if key.request_id else None
    if (
        key.wanted is not Wanted.ACTIVE
        or made_by is None
        or made_by.access_key_id != key.id
        or not (
            made_by.status is Status.UNCLAIMED
            or (made_by.status is Status.DELIVERED and made_by.stopped_by)
        )
    ):
        return key, ()
    confirmed = made_by.move(Action.CONFIRM, KEYDESK, desk.clock.now(), deadline=None, note="")
    return replace(key, **ageing.grace(desk, key, made_by)), (Change(made_by, confirmed),)
