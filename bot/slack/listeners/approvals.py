"""Handle the buttons by which approvers decide about a request."""

from __future__ import annotations

from bot.operations import decide_request, remind_approvers
from bot.slack.listeners.context import Click, Submission, View
from bot.slack.messages import modals, replies


def approve(click: Click) -> None:
    """Handle **Approve**."""
    request = decide_request.approve(click.services, click.member, click.value)
    click.show(replies.approved(request))


def deny(click: Click) -> None:
    """Handle **Deny**: open the form that asks for a reason."""

    def make() -> View:
        request = decide_request.check_may_deny(click.services, click.member, click.value)
        return modals.deny_form(request)

    click.open_with(modals.TITLES["deny"], make)


def submit_deny(form: Submission) -> None:
    """Handle the form with an approver's reason to deny a request."""
    typed = form.form_input
    request = decide_request.deny(form.services, form.member, typed.request_id, typed.reason)
    form.show(replies.denied(request))


def withdraw_approval(click: Click) -> None:
    """Handle **Withdraw my approval**."""
    request = decide_request.withdraw_approval(click.services, click.member, click.value)
    click.show(replies.approval_withdrawn(request))


def revoke(click: Click) -> None:
    """Handle **Revoke**."""
    request = decide_request.revoke(click.services, click.member, click.value)
    click.show(replies.revoked(request))


def toggle_review(click: Click) -> None:
    """Handle **I'm on it**."""
    request = remind_approvers.toggle_review(click.services, click.member, click.value)
    click.show(replies.review_toggled(request))
