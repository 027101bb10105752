"""Render a requester's direct messages about a request, with their buttons."""

from __future__ import annotations

from slack_sdk.models.blocks import ActionsBlock, ButtonElement

from bot.domain.requests import MAX_REVEALS, KeyRequest
from bot.domain.states import Event, Status
from bot.slack import action_ids
from bot.slack.messages.blocks import (
    Message,
    actions,
    button,
    confirm,
    context,
    date_token,
    escape,
    message,
    quote,
    section,
    sentence,
)
from bot.slack.messages.key_status import last_used_text
from bot.slack.messages.request_status import (
    approved_by,
    cancel_button,
    cancelled_text,
    expired_text,
    note_text,
    reason_block,
    review_text,
    status_text,
    stopped_text,
    wish_text,
)


def requested(request: KeyRequest) -> Message:
    """Return the message about a new request, with **Nudge** and **Cancel request**."""
    asked = f"You asked {wish_text(request) or 'for an access key'}"
    pending = request.status is Status.PENDING
    state = _pending_text(request) if pending else status_text(request)
    return message(
        f"{asked} ({escape(request.iam_user)}). Status: {request.status}.",
        [
            section(f"{asked} (`{escape(request.iam_user)}`):"),
            reason_block(request),
            None if request.decided_at else context(state),
            _pending_buttons(request) if pending else None,
        ],
    )


def _pending_text(request: KeyRequest) -> str:
    """Return the approvals so far, since when it waits, and what has happened."""
    nudged = request.nudged_at
    parts = (
        f" · asked {date_token(request.requested_at)}",
        f" · you nudged the approvers {date_token(nudged)}" if nudged else "",
        f"\n{review_text(request)}" if review_text(request) else "",
    )
    return status_text(request) + "".join(parts)


def _pending_buttons(request: KeyRequest) -> ActionsBlock:
    return actions(button("Nudge", action_ids.NUDGE, request.id), cancel_button(request))


def outcome(request: KeyRequest) -> Message:
    """Return the message after the decision, to reveal and confirm the key."""
    if request.status is Status.DENIED and request.last_event is Event.DENY:
        return _denied(request)
    note = note_text(request)
    if request.status is Status.APPROVED and request.delivers_secret:
        return _ready(request, note)
    if request.status is Status.DELIVERED:
        return _delivered(request)
    if request.status is Status.CONFIRMED and request.delivers_secret:
        return sentence(f":white_check_mark: You have key `{request.access_key_id}`.")
    text = status_text(request)
    shown = note and request.delivers_secret
    return message(text, [section(text), section(note) if shown else None])


def _ready(request: KeyRequest, note: str) -> Message:
    """Return the message with **Reveal my key**."""
    by = approved_by(request)
    lead = f"Your request was approved by {by}."
    if request.reveal_round:
        lead = f"You can reveal another key: approved by {by}."
    until = f" by {date_token(request.deadline)}" if request.deadline else ""
    return message(
        lead,
        [
            section(f":white_check_mark: *{lead}* Reveal your key{until}."),
            section(note) if note else None,
            actions(_reveal_button(request), cancel_button(request)),
            context(
                "The key is created when you click, and shown once. If it doesn't reach you, you "
                f"can reveal another. Reveals left: {request.reveals_left}."
            ),
        ],
    )


def _reveal_button(request: KeyRequest) -> ButtonElement:
    first = None if request.delete_first_at else request.key(request.delete_first)
    deletes = f"{first.id} ({last_used_text(first)}) will be deleted first. " if first else ""
    return button(
        "Reveal my key",
        action_ids.REVEAL,
        request.id,
        style="primary",
        confirm=confirm(
            "Reveal the key now?",
            f"{deletes}The secret is shown once, in this conversation. Be ready to save it.",
            "Reveal",
            danger=first is not None,
        ),
    )


def _delivered(request: KeyRequest) -> Message:
    """Return the question whether the key arrived.

    After a crash it may not have been shown.
    """
    key_id = request.access_key_id
    shown = "may have been" if request.last_event is Event.RECOVER else "was"
    at = f", {date_token(request.delivered_at)}" if request.delivered_at else ""
    question = f"*Did you save it?*{stopped_text(request)}"
    return message(
        f"Key {key_id} {shown} shown to you. Did you save it?",
        [
            section(f":key: Key `{key_id}` {shown} shown to you{at}. {question}"),
            actions(*_receipt_buttons(request)),
            context(
                "The secret was in a message that only you could see, and can't be shown again."
            ),
        ],
    )


def _receipt_buttons(request: KeyRequest) -> tuple[ButtonElement, ButtonElement]:
    """Return what a requester may answer about a key that was delivered."""
    key_id = request.access_key_id
    if request.reveals_left:
        after = "You can then reveal a new one."
    elif request.stopped_by:
        after = "It was turned off, so this request will be closed."
    else:
        after = f"This was the last of {MAX_REVEALS} reveals, so this request will be closed."
    return (
        button("I have it", action_ids.HAVE_IT, key_id, style="primary"),
        button(
            "I did not get it",
            action_ids.DID_NOT_GET,
            key_id,
            confirm=confirm(
                "Delete this key?",
                f"{key_id} will be deleted now. {after}",
                "Delete it",
                no="Keep it",
                danger=True,
            ),
        ),
    )


def receipt_reminder(request: KeyRequest) -> Message:
    """Return the reminder that a delivered key is not confirmed yet."""
    if request.status is not Status.DELIVERED:
        return sentence(status_text(request))
    unanswered = "If you don't answer and it is never used, it will be turned off"
    off = f" {unanswered} {date_token(request.deadline)}." if request.deadline else ""
    text = f"Did you save key {request.access_key_id}?"
    return message(
        text,
        [
            section(f":bell: *{text}*{stopped_text(request) or off}"),
            actions(*_receipt_buttons(request)),
        ],
    )


def unclaimed(request: KeyRequest) -> Message:
    """Return the message that a key is off because it was never confirmed or used."""
    if request.status is not Status.UNCLAIMED:
        return sentence(status_text(request))
    key_id = request.access_key_id
    lead = f"Key {key_id} is off" if request.stopped_by else f"Keydesk turned off key {key_id}"
    why = "You never confirmed it, and it was never used."
    until = f" It will be deleted {date_token(request.deadline)}." if request.deadline else ""
    return message(
        f"{lead}. {why}",
        [
            section(f":warning: *{lead}.*{stopped_text(request)} {why}{until}"),
            actions(*_unclaimed_buttons(request)),
        ],
    )


def _unclaimed_buttons(request: KeyRequest) -> tuple[ButtonElement, ButtonElement]:
    """Return what a requester may answer about a key that is off."""
    key_id, stopped = request.access_key_id, bool(request.stopped_by)
    after = "This request will be closed." if stopped else "You can then reveal a new one."
    return (
        button(
            "I have it" if stopped else "I have it, enable it",
            action_ids.ENABLE_UNCLAIMED,
            key_id,
            style="primary",
        ),
        button(
            "I do not have it" if stopped else "Replace it",
            action_ids.REPLACE,
            key_id,
            confirm=confirm(
                "Delete this key?" if stopped else "Replace this key?",
                f"{key_id} will be deleted. {after}",
                "Delete it" if stopped else "Replace it",
                no="Keep it",
                danger=True,
            ),
        ),
    )


def superseded(request: KeyRequest) -> Message:
    """Return a message about an earlier reveal, without buttons.

    It says what became of that key.
    """
    deleted = ", ".join(f"`{key_id}`" for key_id in request.deleted_keys)
    were = "were" if len(request.deleted_keys) > 1 else "was"
    text = f"{deleted} {were} deleted." if deleted else "This attempt created no key."
    return sentence(f":x: {text} The latest message below has the buttons.")


def _denied(request: KeyRequest) -> Message:
    """Return who denied a request, why, and how to ask again."""
    by = f"<@{request.decided_by}>"
    text = f"Your request was denied by {by}."
    again = _ask_again_text(request)
    if not request.denial_reason:
        return message(
            text,
            [
                section(f":no_entry: *{text}*"),
                reason_block(request),
                context(f"Ask {by} why. {again}"),
            ],
        )
    return message(
        text,
        [
            section(f":no_entry: *{text}*"),
            quote(request.denial_reason),
            context(f"Questions? Message {by}. {again}"),
        ],
    )


def revoked(request: KeyRequest) -> Message:
    """Return that the approval was revoked.

    It is a new message, because an update of the one with the button notifies no one.
    """
    by = f"<@{request.last_event_by}>"
    text = f"The approval of your request was revoked by {by}."
    return message(
        text,
        [
            section(f":no_entry: *{text}* {cancelled_text(request)}"),
            reason_block(request),
            context(f"Ask {by} why. {_ask_again_text(request)}"),
        ],
    )


def expired(request: KeyRequest) -> Message:
    """Return that time ended the request, and how to ask again."""
    text = expired_text(request)
    return message(
        text,
        [
            section(f":hourglass: {text}"),
            reason_block(request),
            context(f"Still need it? {_ask_again_text(request)}"),
        ],
    )


def _ask_again_text(request: KeyRequest) -> str:
    return f"To ask again, use `/key {request.verb_again}`."
