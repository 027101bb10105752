"""Handle `/key leaked` and the button that disables a leaked key."""

from __future__ import annotations

from bot.domain.commands import Command
from bot.domain.identity import Member
from bot.operations import report_leak
from bot.slack.listeners.context import ListenerContext, checked_key_id
from bot.slack.listeners.responder import Responder
from bot.slack.messages import leaks, replies
from bot.slack.payload import Payload


def leaked(
    context: ListenerContext,
    member: Member,
    responder: Responder,
    payload: Payload,
    command: Command,
) -> None:
    """Handle `/key leaked`.

    An owner's key is disabled at once. An approver is asked to confirm. A report by any other user
    goes to the approvers.
    """
    outcome = report_leak.report(context.services, member, command.key_id)
    if outcome.ask:
        responder.show(leaks.leak_question(outcome.ask, context.services.clock.now()))
    elif outcome.disabled:
        responder.show(replies.leak_disabled(command.key_id, owner=True))
    else:
        responder.show(replies.leak_reported())


def disable_leaked(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """Handle **Disable now**, on a leaked key."""
    report_leak.disable(context.services, member, checked_key_id(payload.value))
    responder.show(replies.leak_disabled(payload.value), replace=True)
