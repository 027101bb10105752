"""What may its person say of a key that was handed over, and what does a cancelled request leave behind?"""

from __future__ import annotations

from slack_sdk.models.blocks import ButtonElement

from bot.domain.requests import KeyRequest
from bot.slack import action_ids
from bot.slack.messages.blocks import button, confirm, delete_first_text


def receipt_buttons(request: KeyRequest) -> tuple[ButtonElement, ButtonElement]:
    """What its person may say of a key that was handed over."""
    key_id = request.access_key_id
    why = "It was turned off" if request.stopped_by else "This was the last of three reveals"
    after = (
        "You can then reveal another."
        if request.reveals_left
        else (f"{why}: the request closes, and you would have to ask again.")
    )
    return (
        button("I have it", action_ids.HAVE_IT, key_id, style="primary"),
        button(
            "I did not get it",
            action_ids.DID_NOT_GET,
            key_id,
            confirm=confirm(
                "You did not get it?",
                f"This withdraws the key {key_id}. {after}",
                "Withdraw it",
                danger=True,
            ),
        ),
    )


def unclaimed_buttons(request: KeyRequest) -> tuple[ButtonElement, ButtonElement]:
    """What its person may say of a key that is off, since they had said nothing or an approver turned it off."""
    key_id = request.access_key_id
    if request.stopped_by:
        return (
            button("I have it", action_ids.ENABLE_UNCLAIMED, key_id, style="primary"),
            button(
                "I do not have it",
                action_ids.REPLACE,
                key_id,
                confirm=confirm(
                    "Delete this key?",
                    f"This deletes {key_id}, and the request closes.",
                    "Delete it",
                    danger=True,
                ),
            ),
        )
    return (
        button("I have it, enable it", action_ids.ENABLE_UNCLAIMED, key_id, style="primary"),
        button(
            "Replace it",
            action_ids.REPLACE,
            key_id,
            confirm=confirm(
                "Replace this key?",
                f"This deletes {key_id}; you can then reveal another.",
                "Replace it",
                danger=True,
            ),
        ),
    )


def cancelled_text(request: KeyRequest) -> str:
    """What a cancelled request leaves behind."""
    if not request.delivers_secret:
        return "Nothing was done."
    return (
        f"No key is kept.{delete_first_text(request)}" if request.decided_at else "No key was made."
    )
