"""Learning what a request's key will be able to do: read after the card is posted, by anyone, any number of times."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from bot.core.errors import Conflict, KeydeskError
from bot.core.iam_facts import IamFacts
from bot.core.moves import Action, Status
from bot.core.people import Member
from bot.core.request import Earlier, KeyRequest
from bot.core.workflow.desk import CONFLICT_TRIES, KEYDESK, Desk

LEARNT_WITHIN = timedelta(seconds=30)
"""How long a process that has taken on the reading may take, before time has it done by another."""

LOOKED_BACK = 50
"""How many of a person's requests are looked at for what they asked for before."""


def soon(desk: Desk, request_id: str) -> bool:
    """Has the facts read when there is room; returns False where there is none. Nobody waits for it."""
    return desk.later(lambda: _if_possible(desk, request_id))


def is_due(request: KeyRequest, now: datetime) -> bool:
    """Must time have the facts read now? Not any more once the request's own time is over."""
    due, ends = request.facts_due, request.deadline
    return request.awaits_facts and due is not None and due <= now and (ends is None or now < ends)


def overdue(desk: Desk, request: KeyRequest) -> None:
    """The facts have not come in time (their process died, or it takes long): they are read here. Raises as `learn`."""
    desk.store.postpone(request.name, desk.clock.now() + LEARNT_WITHIN)
    if not soon(desk, request.id):
        learn(desk, request.id)


def learn(desk: Desk, request_id: str) -> None:
    """Reads what the request's IAM user may do and writes it, where the request still waits for that.

    A request that has been decided meanwhile is left as it is. Raises Conflict when others were always faster, or
    what the store raises; then it stays due.
    """
    request = desk.store.request(request_id)
    if request is None or not request.awaits_facts:
        return
    facts = desk.issuer.facts(request.iam_user)
    for _ in range(CONFLICT_TRIES):
        request = desk.found(request_id)
        if not request.awaits_facts:
            return
        now = desk.clock.now()
        learnt = request.move(Action.LEARN, KEYDESK, now, facts=facts, facts_at=now, facts_due=None)
        try:
            desk.write(
                request, learnt if request.approvals else without_one_more(learnt), why=_why(facts)
            )
        except Conflict:
            continue
        return
    raise Conflict(f"request:{request_id}")


def earlier(desk: Desk, member: Member) -> Earlier:
    """What a person has asked for before, of their last fifty requests. Raises StoreUnavailable."""
    asked = desk.store.requests_of(member.id, LOOKED_BACK)
    denied = [one for one in asked if one.status is Status.DENIED]
    last = max(denied, key=lambda one: one.moved_at or one.asked_at, default=None)
    if last is None:
        return Earlier(len(asked))
    return Earlier(len(asked), len(denied), last.moved_at, last.moved_by, last.denied_why)


def without_one_more(request: KeyRequest) -> KeyRequest:
    """The request without the one more approval that a risky one needs, where it is known not to be risky.

    It stays where somebody had approved before that was known, who was told how many are missing: until they take
    that back. None is approved by this: that is a click's to do.
    """
    facts = request.facts
    goes = (
        request.one_more
        and facts is not None
        and not facts.risky
        and len(request.approvals) < request.needed - 1
    )
    return replace(request, needed=request.needed - 1, one_more=False) if goes else request


def _if_possible(desk: Desk, request_id: str) -> None:
    try:
        learn(desk, request_id)
    except KeydeskError:
        return  # it stays due, and the sweeper comes to it


def _why(facts: IamFacts) -> str:
    """What the audit trail says of it."""
    admin = [f"administrator-like: {', '.join(facts.admin_like)}"] if facts.admin_like else []
    unread = (
        ["could not be read: " + ", ".join(f"iam:{one.action}" for one in facts.missing)]
        if facts.missing
        else []
    )
    return "; ".join([*admin, *unread])
