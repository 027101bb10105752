"""Handle `/key leaked` and the button that disables a leaked key."""

from __future__ import annotations

from bot.operations import report_leak
from bot.slack.listeners.context import Click, TypedCommand
from bot.slack.messages import leaks, replies


def leaked(typed: TypedCommand) -> None:
    """Handle `/key leaked`.

    An owner's key is disabled at once. An approver is asked to confirm. A report by any other user
    goes to the approvers.
    """
    outcome = report_leak.report(typed.services, typed.member, typed.command.key_id)
    if outcome.ask:
        typed.show(leaks.leak_question(outcome.ask, typed.services.clock.now()))
    elif outcome.disabled:
        typed.show(replies.leak_disabled(typed.command.key_id, owner=True))
    else:
        typed.show(replies.leak_reported())


def disable_leaked(click: Click) -> None:
    """Handle **Disable now**, on a leaked key."""
    report_leak.disable(click.services, click.member, click.key_id)
    click.show(replies.leak_disabled(click.value), replace=True)
