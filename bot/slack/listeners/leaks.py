"""Handle `/key leaked` and the button that disables a leaked key."""

from __future__ import annotations

from bot.domain.commands import Command
from bot.domain.identity import Member
from bot.operations import report_leak
from bot.slack.listeners.context import ListenerContext, checked_key_id
from bot.slack.listeners.responder import Responder
from bot.slack.messages import blocks
from bot.slack.messages.keys import leaked_button
from bot.slack.payload import Payload

LEAK_REPORTED = (
    "Thank you for reporting it. If it is a key of ours, the approvers are looking at it now. Do not post the "
    "key anywhere else."
)
"""One and the same sentence whether or not the key exists."""


def leaked(
    context: ListenerContext,
    member: Member,
    responder: Responder,
    payload: Payload,
    command: Command,
) -> None:
    """`/key leaked`: off at once for its owner, after a dialog for an approver, to the approvers for anybody else."""
    outcome = report_leak.report(context.services, member, command.key_id)
    if outcome.ask:
        disable_now = leaked_button(outcome.ask.id, outcome.ask)
        responder.show(blocks.leak_question(outcome.ask, disable_now, context.services.clock.now()))
    elif outcome.disabled:
        responder.say(
            f"{command.key_id} is turned off for good. See your direct message with me for what comes next."
        )
    else:
        responder.say(LEAK_REPORTED)


def disable_leaked(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """**Disable now**, on a leaked key."""
    report_leak.disable(context.services, member, checked_key_id(payload.value))
    responder.say(f"{payload.value} is turned off for good.", replace=True)
