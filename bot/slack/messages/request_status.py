"""Render the status of a request for the card, messages and lists."""

from __future__ import annotations

from typing import Any

from slack_sdk.models.blocks import ButtonElement, ContextBlock

from bot.domain.requests import MAX_REVEALS, KeyRequest
from bot.domain.states import Event, Status
from bot.slack import action_ids
from bot.slack.messages.blocks import (
    button,
    confirm,
    context,
    date_token,
    escape,
    quote,
    time_token,
)
from bot.slack.messages.errors import detail_text
from bot.slack.messages.text import duration_text, mentions, plural


def wish_text(request: KeyRequest) -> str:
    """Return what is asked for, after "wants" or "you asked": "to rotate AKIA…"."""
    return {
        "rotate": f"to rotate {request.target}",
        "enable": f"to turn {request.target} on again",
        "extend": f"to extend {request.target} by 7 days",
    }.get(request.verb, "")


def reason_block(request: KeyRequest) -> dict[str, Any] | ContextBlock:
    """Return why something is asked for, as it was typed."""
    if request.verb == "extend":
        return context("Requested from the expiry reminder.")
    return quote(request.reason) if request.reason else context("No reason given.")


def note_text(request: KeyRequest) -> str:
    """Return the last thing that the requester should know, "" for nothing."""
    return detail_text(request.detail) if request.detail else ""


def approved_by(request: KeyRequest) -> str:
    """Return the approvers of an approved request, as mentions."""
    return mentions(request.approvers or (request.decided_by,))


def approvals_text(request: KeyRequest) -> str:
    """Return how many approvals a pending request has and needs."""
    if request.approvals:
        count = f"{len(request.approvals)} of {plural(request.approvals_needed, 'approval')}"
        text = f"{count} ({mentions(request.approvers)})"
    elif request.approvals_needed > 1:
        text = f"Waiting for {request.approvals_needed} approvals"
    else:
        text = "Waiting for approval"
    if not request.dropped_approvers:
        return text
    who = mentions(request.dropped_approvers)
    if len(request.dropped_approvers) == 1:
        return f"{text} · {who} is no longer an approver, so that approval doesn't count"
    return f"{text} · {who} are no longer approvers, so their approvals don't count"


def review_text(request: KeyRequest) -> str:
    """Return who is looking at a request since when, "" where no approver is."""
    if request.review_ends_at is None or request.review_started_at is None:
        return ""
    since = time_token(request.review_started_at)
    return f":eyes: <@{request.reviewer}> has been looking at this since {since}."


def urgent_text(request: KeyRequest) -> str:
    """Return that a request is urgent and what that means, "" for every other request."""
    if not request.urgent:
        return ""
    enough = " One approval is enough." if request.status is Status.PENDING else ""
    life = request.lifetime
    lasts = f" The key will last {duration_text(life)} at most." if life else ""
    return f":rotating_light: *Urgent.*{enough}{lasts}"


def delete_first_text(request: KeyRequest) -> str:
    """Return which deletion can't be undone.

    It is "" where no deletion began with the first reveal.
    """
    if not request.delete_first_at:
        return ""
    return f" The deletion of {request.delete_first} has started and can't be undone."


def cancelled_text(request: KeyRequest) -> str:
    """Return what a cancelled or revoked request leaves behind."""
    if not request.delivers_secret:
        return "Nothing was changed."
    if not request.decided_at:
        return "No key was created."
    return f"There is no key to reveal.{delete_first_text(request)}"


def applied_text(request: KeyRequest) -> str:
    """Return what an approved request without a secret has done."""
    if request.verb == "enable":
        return f"Key `{request.target}` is on again. It may take a minute to work."
    return f"Key `{request.target}` now expires 7 days later."


def stopped_text(request: KeyRequest) -> str:
    """Return who turned off the key of a request, "" if it was not turned off."""
    return f" <@{request.stopped_by}> turned it off." if request.stopped_by else ""


def status_text(request: KeyRequest) -> str:
    """Return a request's status for every reader: decision, and what followed."""
    ended = date_token(request.last_event_at) if request.last_event_at else ""
    match request.status:
        case Status.PENDING:
            expires = f" · expires {date_token(request.deadline)}" if request.deadline else ""
            return f":hourglass_flowing_sand: {approvals_text(request)}{expires}"
        case Status.DENIED if request.last_event is Event.REVOKE:
            by = f"Revoked by <@{request.last_event_by}>, {ended}"
            before = f"It had been approved by {approved_by(request)}."
            return f":no_entry: {by}. {before} {cancelled_text(request)}"
        case Status.DENIED:
            return f":no_entry: Denied by <@{request.decided_by}>, {ended}."
        case Status.CANCELLED:
            return (
                f":x: Cancelled by <@{request.last_event_by}>, {ended}. {cancelled_text(request)}"
            )
        case Status.EXPIRED:
            approved = f"{_approved_text(request)} " if request.decided_at else ""
            return f"{approved}:hourglass: {expired_text(request)} ({ended})"
        case _:
            return f"{_approved_text(request)} {_progress_text(request)}"


def _approved_text(request: KeyRequest) -> str:
    at = f", {date_token(request.decided_at)}" if request.decided_at else ""
    return f":white_check_mark: Approved by {approved_by(request)}{at}."


def _progress_text(request: KeyRequest) -> str:
    """Return what has become of an approved request."""
    key, owner = f"`{request.access_key_id}`", f"<@{request.requester}>"
    match request.status:
        case Status.APPROVED if not request.delivers_secret:
            return "Keydesk is applying it now."
        case Status.APPROVED:
            until = f" (until {date_token(request.deadline)})" if request.deadline else ""
            again = "The last key was deleted. " if request.deleted_keys else ""
            return f"{again}Waiting for {owner} to reveal the key{until}."
        case Status.ISSUING:
            return "The key is being created."
        case Status.DELETING:
            return f"Key {key} is being deleted."
        case Status.DELIVERED:
            shown = "may have been" if request.last_event is Event.RECOVER else "was"
            return f"Key {key} {shown} shown to {owner}; not confirmed yet.{stopped_text(request)}"
        case Status.UNCLAIMED if request.stopped_by:
            return f"Key {key} was never confirmed or used.{stopped_text(request)}"
        case Status.UNCLAIMED:
            return f"Key {key} was never confirmed or used, so Keydesk turned it off."
        case _:
            return f"{owner} has key {key}." if request.delivers_secret else applied_text(request)


def expired_text(request: KeyRequest) -> str:
    """Return why time ended a request, and what became of its key."""
    if request.last_event is Event.CLOSE and request.stopped_by:
        return f"Closed: <@{request.stopped_by}> turned the key off, and it was deleted."
    if request.last_event is Event.CLOSE:
        return f"Closed: all {MAX_REVEALS} reveals are used up, and the last key was deleted."
    if request.last_event is Event.OWNER_DELETED:
        return "Closed: the key's owner deleted it."
    if not request.decided_at:
        return _undecided_text(request)
    if not request.delivers_secret:
        return f"Closed: the change could not be made. {note_text(request)}".rstrip()
    if request.access_key_id:
        return f"Closed: key {request.access_key_id} was never confirmed or used, so it is deleted."
    rest = delete_first_text(request)
    return f"Expired: the key was not revealed in time. There is no key.{rest}"


def _undecided_text(request: KeyRequest) -> str:
    who = (
        f"only {mentions(request.approvers)} approved"
        if request.approvers
        else "no approver decided"
    )
    no_key = " No key was created." if request.delivers_secret else ""
    return f"Expired: {who} in time.{no_key}"


def request_line(request: KeyRequest) -> str:
    """Return a request in a line: what was asked for, when, and how it stands."""
    urgent = ":rotating_light: " if request.urgent and not request.status.final else ""
    asked = f"{urgent}*{_line_title(request)}* · asked {date_token(request.requested_at)}"
    if request.status is Status.PENDING:
        return f"{asked} · {approvals_text(request)}"
    at = f", {date_token(request.last_event_at)}" if request.last_event_at else ""
    return f"{asked} · {request.status}{at}"


def _line_title(request: KeyRequest) -> str:
    if request.verb == "create" and request.is_service_user:
        return f"New key for {escape(request.iam_user)}"
    return {
        "rotate": f"Rotate {request.target}",
        "enable": f"Turn on {request.target}",
        "extend": f"Extend {request.target} by 7 days",
    }.get(request.verb, "New key")


def cancel_button(request: KeyRequest) -> ButtonElement:
    """Return **Cancel request**, with a dialog that says what can't be undone."""
    done = f"No new key will be created.{delete_first_text(request)}"
    text = done if request.delete_first_at else "Nothing will be changed."
    return button(
        "Cancel request",
        action_ids.CANCEL,
        request.id,
        confirm=confirm(
            "Cancel this request?", f"{text} You can ask again at any time.", "Cancel request"
        ),
    )
