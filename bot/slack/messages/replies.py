"""Render the private answers to users, and the one message with a secret."""

from __future__ import annotations

from datetime import datetime

from bot.domain.keys import AccessKey
from bot.domain.requests import MAX_REVEALS, KeyRequest
from bot.domain.secret import Secret
from bot.domain.states import Status
from bot.slack import action_ids
from bot.slack.messages.blocks import (
    Message,
    actions,
    button,
    context,
    date_token,
    escape,
    message,
    operator_section,
    preformatted,
    section,
    sentence,
)
from bot.slack.messages.key_status import delete_button, key_line, last_used_text
from bot.slack.messages.request_status import approvals_text, cancelled_text, note_text, status_text
from bot.slack.messages.text import duration_text, plural

PROFILE = "keydesk"
"""The profile's name in the delivered forms of a key, never `[default]`."""

CHECKING_TEXT = "Checking…"


def unexpected(reference: str) -> str:
    """Return the answer after an unexpected error.

    Its traceback is logged under `reference`.
    """
    return f"Something went wrong in Keydesk. Tell a Keydesk admin this reference: {reference}."


# Requests


def request_sent(request: KeyRequest, instead: str = "") -> Message:
    """Return that a request waits for approval.

    Args:
        request: the new request.
        instead: what the operator recommends instead of keys, in mrkdwn, "" for nothing.
    """
    lead = ":white_check_mark: *Sent to the approvers.*"
    if request.urgent:
        lead = ":rotating_light: *Sent as urgent.* One approval is enough."
    by = f" ({date_token(request.deadline)} at the latest)" if request.deadline else ""
    tell = f"Keydesk will message you when they decide{by}. You can cancel it there."
    life = request.lifetime if request.urgent else None
    lasts = f" The key will last {duration_text(life)}." if life else ""
    text = f"{lead} {tell}{lasts}"
    return message(
        f"{instead}\n{text}".strip(),
        [operator_section(instead) if instead else None, section(text)],
    )


def cancelled(request: KeyRequest) -> Message:
    """Return that the requester cancelled a request."""
    return sentence(f"Cancelled. {cancelled_text(request)}")


def nudged() -> Message:
    """Return that the approvers were reminded."""
    return sentence("Keydesk has reminded the approvers. You can nudge them once an hour.")


# Approvals


def approved(request: KeyRequest) -> Message:
    """Return what an approval has led to."""
    who = f"<@{request.requester}>"
    if request.status is Status.PENDING:
        more = plural(request.approvals_missing, "more approval")
        text = f"Your approval counts. {approvals_text(request)} · {more} needed."
    elif request.status is Status.EXPIRED:
        text = f"You approved it, but the change is no longer possible. {note_text(request)}"
    elif request.delivers_secret:
        text = f"Approved. {who} can now reveal the key."
    elif request.status is Status.CONFIRMED:
        text = f"Approved and done. {who} has been told."
    elif request.status is Status.APPROVED:
        text = "Approved. Keydesk is applying it now."
    else:
        text = f"You approved it, but the change was not made. {status_text(request)}"
    return sentence(text.rstrip())


def approval_withdrawn(request: KeyRequest) -> Message:
    """Return that an approver withdrew their approval."""
    return sentence(f"You withdrew your approval. {approvals_text(request)}.")


def denied(request: KeyRequest) -> Message:
    """Return that an approver denied a request."""
    return sentence(f"Denied. <@{request.requester}> has been told, with your reason.")


def revoked(request: KeyRequest) -> Message:
    """Return that an approver revoked an approval."""
    told = f"<@{request.requester}> has been told."
    return sentence(f"Revoked. {cancelled_text(request)} {told}")


def review_toggled(request: KeyRequest) -> Message:
    """Return that an approver is looking at a request, or no longer."""
    if not request.review_ends_at:
        return sentence("The others see that you are no longer looking at it.")
    return sentence(
        "The others see that you are looking at it, for 15 minutes or until you click again. "
        "Every approver can still decide."
    )


# Delivery


def saved(key_id: str) -> Message:
    """Return that a key is confirmed.

    It is shown where Slack did not remove the message with the secret.
    """
    return sentence(
        f"You have {key_id}. Slack didn't remove the message with the secret: reload Slack, and it "
        "is gone."
    )


def confirmed(key_id: str) -> Message:
    """Return that a requester confirmed a key."""
    return sentence(f"You have {key_id}. `/key list` shows it.")


def claimed(key_id: str, *, active: bool, reported: bool) -> Message:
    """Return that a requester confirmed a key that was off.

    Args:
        key_id: the key.
        active: whether it is turned on again.
        reported: whether it was reported as leaked.
    """
    if active:
        return turned_on(key_id)
    why = "because it was reported as leaked" if reported else "and `/key list` shows why"
    ask = f"To ask for it, type `/key enable {key_id} &lt;reason&gt;`."
    return sentence(f"You have {key_id}. It stays off, {why}. {ask}")


def turned_on(key_id: str) -> Message:
    """Return that a key is on again."""
    return sentence(f"{key_id} is on again. It may take a minute to work.")


def key_deleted(key_id: str, request: KeyRequest) -> Message:
    """Return what became of a delivered key that the requester does not have."""
    left = request.reveals_left > 0
    if request.status is Status.DELETING:
        more = " You can reveal a new one after that." if left else ""
        text = f"Keydesk is deleting {key_id}, which can take a few minutes. Don't use it.{more}"
    elif request.stopped_by:
        by = f"<@{request.stopped_by}> had turned it off, so this request is closed."
        text = f"{key_id} was deleted. {by}"
    elif left:
        text = f"{key_id} was deleted. To reveal a new key, use your latest message."
    else:
        text = f"{key_id} was deleted. That was the last of {MAX_REVEALS} reveals."
    return sentence(text)


def secret_message(key: AccessKey, secret: Secret) -> Message:
    """Return the one message with the secret: three usual forms, and **I saved it**."""
    shown = secret.expose()
    file_form = f"[{PROFILE}]\naws_access_key_id = {key.id}\naws_secret_access_key = {shown}"
    shell = f"export AWS_ACCESS_KEY_ID={key.id}\nexport AWS_SECRET_ACCESS_KEY={shown}"
    configure = (
        f"aws configure --profile {PROFILE} set aws_access_key_id {key.id}\n"
        f"aws configure --profile {PROFILE} set aws_secret_access_key {shown}"
    )
    return message(
        f"Your access key {key.id} is shown here once. Save it now.",
        [
            section(
                f":key: *Your new access key* for `{escape(key.iam_user)}`. Save it now: it can't "
                "be shown again, and Keydesk doesn't store it. It may take a minute to work."
            ),
            preformatted(f"Access key ID      {key.id}\nSecret access key  {shown}"),
            section("In `~/.aws/credentials`:"),
            preformatted(file_form),
            section("In a shell:"),
            preformatted(shell),
            section("With the AWS command line:"),
            preformatted(configure),
            actions(button("I saved it", action_ids.SAVED, key.id, style="primary")),
            context("Click *I saved it*, and this message disappears."),
        ],
    )


# Keys


def disabled(key: AccessKey) -> Message:
    """Return that a user turned off a key.

    It says what stops working, and how to turn the key on again.
    """
    if key.last_used is not None and key.last_used.at is None:
        stops = "It was never used, so nothing should stop working."
    else:
        stops = f"Anything that used it has stopped working: {last_used_text(key)}."
    return message(
        f"{key.id} is off. {stops}",
        [
            section(f":no_entry: *{key.id} is off.* {stops}"),
            context(
                f"To turn it on again: `/key enable {key.id} &lt;reason&gt;`. To remove it for "
                f"good: `/key delete {key.id}`."
            ),
        ],
    )


def already_off(key_id: str) -> Message:
    """Return that a key was off before."""
    return sentence(f"{key_id} is already off.")


def disabled_for(
    key_id: str, iam_user: str, *, already: bool, updated: bool, owner_told: bool
) -> Message:
    """Return what an approver's **Disable** did.

    Args:
        key_id: the key.
        iam_user: whose key it is.
        already: whether it was off before.
        updated: whether the reason was stored.
        owner_told: whether the owner can be reached in Slack.
    """
    if not updated:
        return already_off(key_id)
    state = "was already off. Your reason was saved" if already else "is off"
    told = "Its owner has been told."
    if not owner_told:
        told = f"Keydesk can't reach its owner: tell the users of `{escape(iam_user)}`."
    return sentence(f"{key_id} {state}. {told}")


def delete_question(key: AccessKey, now: datetime) -> Message:
    """Return the question of `/key delete`, with the key and its last use."""
    return message(
        f"Delete {key.id} for good?",
        [section(f"Delete this key for good?\n{key_line(key, now)}", delete_button(key))],
    )


def deleted(key_id: str) -> Message:
    """Return that a user deleted a key of theirs."""
    return sentence(f"{key_id} is deleted. To request a new key, type `/key create`.")


def orphan_deleted(key_id: str) -> Message:
    """Return that an approver deleted an unrecorded key."""
    return sentence(f"{key_id} is deleted.")


def leak_reported() -> Message:
    """Return the thanks for a report: the same words whether or not the key exists."""
    return sentence(
        "Thank you for reporting it. If it is one of our keys, the approvers are looking at it "
        "now. Don't post the key anywhere else."
    )


def leak_disabled(key_id: str, *, owner: bool = False) -> Message:
    """Return that a leaked key is off.

    Its owner reads the next steps in a direct message.
    """
    more = " Keydesk has sent you a message with the next steps." if owner else ""
    return sentence(f"{key_id} is turned off for good.{more}")


# Rotations


def last_use_checked() -> Message:
    """Return that AWS was asked again when the keys of a rotation were last used."""
    return sentence("Checked with AWS. The message above shows the result.")


def old_key_stays(key_id: str) -> Message:
    """Return that the old key of a rotation stays on for now."""
    return sentence(f"{key_id} stays on. Keydesk will check again when its grace period ends.")


def old_key_disabled(key_id: str, *, can_undo: bool) -> Message:
    """Return that the old key of a rotation is off."""
    back = (
        "If something breaks, click *Undo*." if can_undo else "`/key list` shows why it stays off."
    )
    return sentence(f"{key_id} is off. {back}")
