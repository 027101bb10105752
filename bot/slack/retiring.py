"""Seeing and retiring keys, in Slack: list, used, disable, delete, leaked, and one's requests."""

from __future__ import annotations

from bot.core import policy
from bot.core.command import Command
from bot.core.errors import NoIamUser, NoSuchIamUser, NotAllowed
from bot.core.people import Member
from bot.core.workflow import leak, ownership, retire
from bot.slack import blocks, forms
from bot.slack.asking import key_id
from bot.slack.boundary import Answer
from bot.slack.context import Context
from bot.slack.forms import Typed
from bot.slack.key_copies import leaked_button
from bot.slack.payload import Payload

REPORTED = (
    "Thank you for reporting it. If it is a key of ours, the approvers are looking at it now. Do not post the "
    "key anywhere else."
)
"""One and the same sentence whether or not the key exists."""


def list_keys(
    context: Context, member: Member, answer: Answer, payload: Payload, command: Command
) -> None:
    """`/key list`: one's own keys, a service user's, or, for approvers, somebody's."""
    if command.person and command.person != member.id:
        _list_for_approver(context, member, answer, command.person)
        return
    keys = ownership.keys_of(context.desk, member, command.user)
    records = context.records([key.id for key in keys])
    answer.show(blocks.key_list(keys, records, context.desk.clock.now(), command.user))


def used(
    context: Context, member: Member, answer: Answer, payload: Payload, command: Command
) -> None:
    """`/key used`: of one's own key or, for approvers, of any."""
    key = retire.used(context.desk, member, command.key_id, command.user)
    answer.show(blocks.used(key, context.desk.clock.now()))


def disable(
    context: Context, member: Member, answer: Answer, payload: Payload, command: Command
) -> None:
    """`/key disable`."""
    _disable(context, member, answer, command.key_id, command.user)


def delete(
    context: Context, member: Member, answer: Answer, payload: Payload, command: Command
) -> None:
    """`/key delete` asks once more."""
    key = ownership.own_key(context.desk, member, command.key_id, command.user)
    retire.may_delete(key)
    answer.show(blocks.delete_question(key, context.desk.clock.now()))


def leaked(
    context: Context, member: Member, answer: Answer, payload: Payload, command: Command
) -> None:
    """`/key leaked`: off at once for its owner, after a dialog for an approver, to the approvers for anybody else."""
    outcome = leak.report(context.desk, member, command.key_id)
    if outcome.ask:
        disable_now = leaked_button(outcome.ask.id, outcome.ask)
        answer.show(blocks.leak_question(outcome.ask, disable_now, context.desk.clock.now()))
    elif outcome.disabled:
        answer.say(
            f"{command.key_id} is turned off for good. See your direct message with me for what comes next."
        )
    else:
        answer.say(REPORTED)


def requests(
    context: Context, member: Member, answer: Answer, payload: Payload, command: Command
) -> None:
    """`/key requests`."""
    approver = member.id in context.desk.directory.approvers()
    waiting = context.desk.store.pending(100) if approver else ()
    answer.show(
        blocks.requests(context.desk.store.requests_of(member.id, 50), waiting, approver=approver)
    )


def help_(
    context: Context, member: Member, answer: Answer, payload: Payload, command: Command
) -> None:
    """`/key help` and bare `/key`."""
    answer.show(blocks.help_text(context.usual.instead))


def disable_button(context: Context, member: Member, answer: Answer, payload: Payload) -> None:
    """**Disable**, on one's own key."""
    _disable(context, member, answer, key_id(payload.value))


def delete_button(context: Context, member: Member, answer: Answer, payload: Payload) -> None:
    """**Delete**, on one's own inactive key."""
    retire.delete(context.desk, member, key_id(payload.value))
    answer.say(
        f"{payload.value} is deleted. There is room for a new key; `/key create` asks for one.",
        replace=True,
    )


def disable_for_button(context: Context, member: Member, answer: Answer, payload: Payload) -> None:
    """**Disable**, for an approver on somebody's key: the reason is asked."""
    context.open(payload, forms.disable_for_form(key_id(payload.value)))


def submit_disable_for(context: Context, member: Member, answer: Answer, typed: Typed) -> None:
    """The form in which an approver says why."""
    retired = retire.disable_for(context.desk, member, key_id(typed.key_id), typed.reason)
    told = (
        "its owner is told"
        if retired.told
        else (f"its owner cannot be told here, so tell whoever uses {retired.key.iam_user}")
    )
    was_off = (
        "was off already; why it must stay so is noted" if retired.noted else "is inactive already"
    )
    became = was_off if retired.already else "is turned off"
    answer.say(f"{typed.key_id} {became}{f', and {told}' if retired.noted else ''}.")


def leaked_disable(context: Context, member: Member, answer: Answer, payload: Payload) -> None:
    """**Disable now**, on a leaked key."""
    leak.disable(context.desk, member, key_id(payload.value))
    answer.say(f"{payload.value} is turned off for good.", replace=True)


def _disable(context: Context, member: Member, answer: Answer, key: str, user: str = "") -> None:
    retired = retire.disable(context.desk, member, key, user)
    if retired.already:
        answer.say(f"{key} is inactive already.", replace=True)
    else:
        answer.show(blocks.disabled(retired.key), replace=True)


def _list_for_approver(context: Context, member: Member, answer: Answer, person: str) -> None:
    desk = context.desk
    policy.is_approver(member, desk.directory.approvers())
    try:
        keys = desk.issuer.keys(desk.identify(desk.directory.member(person)).name)
    except (NoIamUser, NoSuchIamUser, NotAllowed):
        raise NotAllowed(
            f"No IAM user here is <@{person}>'s, so they have no keys that I could show."
        ) from None
    answer.show(
        blocks.keys_for_approver(
            person, keys, context.records([key.id for key in keys]), desk.clock.now()
        )
    )
