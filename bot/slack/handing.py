"""Deciding and handing over, in Slack: the buttons from **Approve** to the receipt, and a rotation's after it."""

from __future__ import annotations

from bot.core.access_key import Wanted, Why
from bot.core.errors import Refused
from bot.core.moves import Status
from bot.core.people import Member
from bot.core.request import KeyRequest
from bot.core.workflow import ageing, decide, hand_over, receipt, retire, waiting
from bot.slack import forms
from bot.slack.approvals import so_far
from bot.slack.boundary import Answer
from bot.slack.context import Context
from bot.slack.forms import Typed
from bot.slack.payload import Payload


def approve(context: Context, member: Member, answer: Answer, payload: Payload) -> None:
    """**Approve**."""
    request = decide.approve(context.desk, member, payload.value)
    if request.status is Status.PENDING:
        answer.say(f"Your approval is noted. {so_far(request)}")
    elif request.status is Status.EXPIRED:
        answer.say(f"Approved, but it cannot be done any more: {request.note}")
    elif request.has_secret:
        answer.say(f"Approved. I have told <@{request.requester}>: the key can be revealed now.")
    elif request.status is Status.CONFIRMED:
        answer.say(f"Approved and done. I have told <@{request.requester}>.")
    else:
        answer.say(f"You approved it, but it was not done. {request.story()}")


def deny(context: Context, member: Member, answer: Answer, payload: Payload) -> None:
    """**Deny**: a form asks why."""
    context.open_with(
        payload,
        forms.TITLES["deny"],
        lambda: forms.deny_form(decide.may_deny(context.desk, member, payload.value)),
    )


def submit_deny(context: Context, member: Member, answer: Answer, typed: Typed) -> None:
    """The form in which an approver says why."""
    request = decide.deny(context.desk, member, typed.request_id, typed.reason)
    answer.say(f"Denied. I have told <@{request.requester}>, with your reason.")


def on_it(context: Context, member: Member, answer: Answer, payload: Payload) -> None:
    """**I'm on it**."""
    request = waiting.on_it(context.desk, member, payload.value)
    if request.looked_at_until:
        answer.say(
            "The others see that you are looking at it, for 15 minutes or until you click again. Everybody may "
            "still decide."
        )
    else:
        answer.say("Taken back: you are not looking at it any more.")


def nudge(context: Context, member: Member, answer: Answer, payload: Payload) -> None:
    """**Nudge**."""
    waiting.nudge(context.desk, member, payload.value)
    answer.say("I have asked the approvers again. *Nudge* works once an hour.")


def take_back(context: Context, member: Member, answer: Answer, payload: Payload) -> None:
    """**Take back my approval**."""
    request = decide.take_back(context.desk, member, payload.value)
    answer.say(f"Your approval is taken back. {so_far(request)}")


def revoke(context: Context, member: Member, answer: Answer, payload: Payload) -> None:
    """**Revoke**."""
    request = decide.revoke(context.desk, member, payload.value)
    then = "there is nothing to reveal any more" if request.has_secret else "nothing was done"
    answer.say(f"Revoked. I have told <@{request.requester}>: {then}.")


def reveal(context: Context, member: Member, answer: Answer, payload: Payload) -> None:
    """**Reveal my key**: the ephemeral with the key is the answer."""
    hand_over.reveal(context.desk, member, payload.value)


def saved(context: Context, member: Member, answer: Answer, payload: Payload) -> None:
    """**I saved it**, which also removes the ephemeral it stands in."""
    try:
        receipt.confirm(context.desk, member, payload.value)
    except Refused:
        answer.remove()  # the key shown there is not the one that counts
        raise
    if not answer.remove():
        answer.say(
            f"Good. {payload.value} is yours. Slack did not take the message with the secret away: reload "
            "Slack, and it is gone."
        )


def have_it(context: Context, member: Member, answer: Answer, payload: Payload) -> None:
    """**I have it**."""
    receipt.confirm(context.desk, member, payload.value)
    answer.say(f"Good. {payload.value} is yours. `/key list` shows it.")


def enable_unclaimed(context: Context, member: Member, answer: Answer, payload: Payload) -> None:
    """**I have it, enable it**."""
    receipt.confirm(context.desk, member, payload.value)
    record = context.desk.store.key(payload.value)
    if record and record.wanted is Wanted.ACTIVE:
        answer.say(f"Good. {payload.value} is active again; it may take a minute to work.")
    else:
        why = (
            "It was reported as leaked, so it stays off:"
            if record and record.reported_at
            else ("It stays off: `/key list` says why, and")
        )
        answer.say(
            f"Noted: you have {payload.value}. {why} `/key enable {payload.value} <reason>` asks for it back."
        )


def did_not_get(context: Context, member: Member, answer: Answer, payload: Payload) -> None:
    """**I did not get it**."""
    answer.say(_withdrawn(payload.value, receipt.did_not_get(context.desk, member, payload.value)))


def replace(context: Context, member: Member, answer: Answer, payload: Payload) -> None:
    """**Replace it**."""
    answer.say(_withdrawn(payload.value, receipt.replace_key(context.desk, member, payload.value)))


def found_delete(context: Context, member: Member, answer: Answer, payload: Payload) -> None:
    """**Delete it**, of a key found after a lost answer."""
    retire.decide_found(context.desk, member, payload.value, Wanted.DELETED)
    answer.say(f"{payload.value} is deleted.")


def found_enable(context: Context, member: Member, answer: Answer, payload: Payload) -> None:
    """**It is ours, enable it**."""
    retire.decide_found(context.desk, member, payload.value, Wanted.ACTIVE)
    answer.say(f"{payload.value} is active again.")


def check(context: Context, member: Member, answer: Answer, payload: Payload) -> None:
    """**Check again**: the message itself is drawn anew."""
    ageing.check(context.desk, member, payload.value)
    answer.say("I have asked AWS again; the message above shows what it says.")


def not_yet(context: Context, member: Member, answer: Answer, payload: Payload) -> None:
    """**Not yet**."""
    key = ageing.not_yet(context.desk, member, payload.value)
    answer.say(f"Then {key.replaces} stays on for now. I look at it again when its grace is over.")


def disable_old(context: Context, member: Member, answer: Answer, payload: Payload) -> None:
    """**Disable the old key**."""
    key = ageing.disable_old(context.desk, member, payload.value)
    old = context.desk.store.key(key.replaces)
    undo = old is None or (old.why is Why.ROTATED and not old.reported_at)
    back = (
        "If something breaks, *Undo* brings it back."
        if undo
        else "`/key list` says why it stays off."
    )
    answer.say(f"{key.replaces} is turned off. {back}")


def undo(context: Context, member: Member, answer: Answer, payload: Payload) -> None:
    """**Undo**."""
    ageing.undo(context.desk, member, payload.value)
    answer.say(f"{payload.value} is active again; it may take a minute to work.")


def _withdrawn(key_id: str, request: KeyRequest) -> str:
    left = request.reveals_left > 0
    if request.status is Status.WITHDRAWING:
        more = " *Reveal my key* comes back here after that." if left else ""
        return (
            f"{key_id} is being withdrawn, which AWS takes a few minutes for: do not use it.{more}"
        )
    if request.stopped_by:
        return f"{key_id} is withdrawn. <@{request.stopped_by}> had turned it off, so this request is closed."
    more = (
        "*Reveal my key* is back in your newest message."
        if left
        else "That was the last of three reveals."
    )
    return f"{key_id} is withdrawn. {more}"
