"""Render the messages about a leaked key, for the approvers and the owner."""

from __future__ import annotations

from datetime import datetime

from slack_sdk.models.blocks import ButtonElement

from bot.domain.keys import AccessKey, DesiredState, ManagedKey
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
    section,
)
from bot.slack.messages.key_status import (
    is_confirmed,
    key_line,
    last_used_text,
    off_text,
    owner_text,
    snapshot_of,
    snapshot_text,
)


def report(key: ManagedKey, *, newest: bool, again: bool) -> Message:
    """Return the urgent card about a reported key.

    Args:
        key: the key that was reported.
        newest: whether this card is about the newest report.
        again: whether this card is about a report after the first.
    """
    head = f":rotating_light: *{_report_text(key, newest=newest, again=again)}.* {owner_text(key)}"
    if key.leaked or key.desired is DesiredState.DELETED:
        return _stopped(key, head)
    lead = f"Key {key.id} was reported as leaked"
    if not newest:
        return message(
            f"{lead} again.",
            [section(head), context("It was reported again: see the newest card below.")],
        )
    if key.out_of_reach:
        return message(
            f"{lead}. An AWS admin must disable it in the AWS console.",
            [section(head), section(f":warning: {_out_of_reach_text(key)}")],
        )
    return message(
        f"{lead}. Disable it now?",
        [
            section(head),
            actions(leaked_button(key.id, snapshot_of(key, key.id))),
            context(
                "Disabling it breaks what uses it. Until then, anyone who has found it can use it."
            ),
        ],
    )


def _report_text(key: ManagedKey, *, newest: bool, again: bool) -> str:
    by = key.reported_by if not again else key.reported_again_by if newest else ""
    suffix = " again" if again else ""
    if by:
        return f"<@{by}> reported key {key.id} as leaked{suffix}"
    return f"Key {key.id} was reported as leaked again"


def _stopped(key: ManagedKey, head: str) -> Message:
    """Return the card of a key that is off for good or deleted."""
    became = "deleted" if key.desired is DesiredState.DELETED else "turned off"
    done = is_confirmed(key)
    mark, being = (
        (":white_check_mark:", "was") if done else (":hourglass_flowing_sand:", "is being")
    )
    by = f" by <@{key.changed_by}>" if key.changed_by.startswith(("U", "W")) else ""
    at = f", {date_token(key.changed_at)}" if key.changed_at else ""
    return message(
        f"Leaked key {key.id} {being} {became}.",
        [
            section(head),
            context(f"{mark} It {being} {became}{by}{at}. It can never be turned on again."),
        ],
    )


def _out_of_reach_text(key: ManagedKey) -> str:
    """Return that Keydesk may not change the key, so that an AWS admin must."""
    return (
        f"Keydesk doesn't manage the IAM user `{escape(key.iam_user)}`, so it can't disable "
        f"{key.id}. *An AWS admin must disable it in the AWS console now.*"
    )


def details(key: ManagedKey) -> Message:
    """Return what IAM showed of the key at its newest report, for the card's thread."""
    when = "at the newest report" if key.reported_again_at else "when it was reported"
    return message(
        f"Details of the leaked key {key.id}.",
        [section(f"*Details {when}*\n{snapshot_text(key)}\n{owner_text(key)}")],
    )


def leaked_button(key_id: str, known: AccessKey | None) -> ButtonElement:
    """Return **Disable now**, with a dialog that names the key's last use."""
    used = last_used_text(known) if known else "last use unknown"
    return button(
        "Disable now",
        action_ids.LEAKED_DISABLE,
        key_id,
        style="danger",
        confirm=confirm(
            "Disable this leaked key?",
            f"{key_id}, {used}. It can never be turned on again.",
            "Disable now",
            danger=True,
        ),
    )


def leak_question(key: AccessKey, now: datetime) -> Message:
    """Return the question to an approver who reports a key, with its last use."""
    return message(
        f"Disable {key.id} now?",
        [
            section(f"{key_line(key, now)} · IAM user `{escape(key.iam_user)}`"),
            actions(leaked_button(key.id, key)),
        ],
    )


def for_owner(key: ManagedKey) -> Message:
    """Return the owner's message about a reported key."""
    stopped = key.leaked or key.desired is DesiredState.DELETED
    if stopped:
        state = f"It {off_text(key)} for good."
    elif key.out_of_reach:
        state = _out_of_reach_text(key)
    else:
        state = "The approvers have been asked to turn it off."
    text = f"Your key {key.id} was reported as leaked."
    return message(
        text,
        [
            section(f":rotating_light: *{text}* {state} Check what it was used for."),
            None if key.out_of_reach else actions(*_owner_buttons(key, stopped=stopped)),
        ],
    )


def _owner_buttons(key: ManagedKey, *, stopped: bool) -> list[ButtonElement]:
    request = button("Request a key", action_ids.ASK, key.id, style="primary")
    if stopped:
        return [request]
    return [request, button("Disable", action_ids.LEAKED_DISABLE, key.id, style="danger")]
