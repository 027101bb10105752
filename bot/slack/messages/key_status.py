"""Render the status of a key: its line, its buttons, and its stored state."""

from __future__ import annotations

from datetime import datetime

from slack_sdk.models.blocks import ButtonElement

from bot.domain.keys import AccessKey, DesiredState, ManagedKey, ObservedState
from bot.slack import action_ids
from bot.slack.messages.blocks import button, confirm, date_token, escape
from bot.slack.messages.text import age_text

MAX_NAME = 30
"""Characters shown of a service's or region's name. A dialog holds 300 ("Block Kit", Slack)."""


def key_line(key: AccessKey, now: datetime, reason: str = "") -> str:
    """Return a key in a line: ID, status with its reason, age, last use."""
    status = f"{key.status.lower()}{reason}"
    return f"`{key.id}` · {status} · {age_text(key, now)} · {last_used_text(key)}"


def last_used_text(key: AccessKey) -> str:
    """Return when and for what a key was last used, as mrkdwn."""
    if key.last_used is None:
        return "last use unknown"
    if key.last_used.at is None:
        return "never used"
    service, region = (
        escape(name[:MAX_NAME]) for name in (key.last_used.service, key.last_used.region)
    )
    where = f" ({service}, {region})" if service else ""
    return f"last used {date_token(key.last_used.at)}{where}"


def list_line(key: AccessKey, record: ManagedKey | None, now: datetime) -> str:
    """Return a key in a line of a list, with when it expires or will be deleted."""
    if record is None:
        return key_line(key, now)
    if key.active:
        at = record.expires_at
        return key_line(key, now) + (f" · expires {date_token(at)}" if at else "")
    reason = f" ({record.inactive_reason})" if record.inactive_reason else ""
    at = record.delete_at
    return key_line(key, now, reason) + (f" · will be deleted {date_token(at)}" if at else "")


def key_buttons(key: AccessKey, record: ManagedKey | None) -> list[ButtonElement]:
    """Return what the owner of a key may do with it."""
    if key.active:
        return [button("Rotate", action_ids.ROTATE, key.id), disable_button(key)]
    enable = [] if record and record.leaked else [button("Enable", action_ids.ENABLE, key.id)]
    return [*enable, delete_button(key)]


def disable_button(key: AccessKey) -> ButtonElement:
    """Return **Disable**, with a dialog that names the last use."""
    return button(
        "Disable",
        action_ids.DISABLE,
        key.id,
        confirm=confirm(
            "Disable this key?",
            f"{key.id}, {last_used_text(key)}. Anything that uses it will stop working at once. "
            "To turn it on again, an approver has to agree.",
            "Disable",
            danger=True,
        ),
    )


def delete_button(key: AccessKey) -> ButtonElement:
    """Return **Delete**, with a dialog that names the last use."""
    return button(
        "Delete",
        action_ids.DELETE,
        key.id,
        style="danger",
        confirm=confirm(
            "Delete this key?",
            f"{key.id}, {last_used_text(key)}. It can't be restored.",
            "Delete",
            danger=True,
        ),
    )


def snapshot_of(key: ManagedKey, key_id: str) -> AccessKey | None:
    """Return one of the keys as IAM showed it last, None where it was not read."""
    return next((one for one in key.snapshot if one.id == key_id), None)


def snapshot_text(key: ManagedKey) -> str:
    """Return what IAM showed of the key when it was last read."""
    known = snapshot_of(key, key.id)
    line = key_line(known, key.snapshot_at or key.created_at) if known else f"`{key.id}`"
    return f"{line} · IAM user `{escape(key.iam_user)}`"


def owner_text(key: ManagedKey) -> str:
    """Return whose key it is."""
    return f"Its owner is <@{key.owner}>." if key.owner else "It has no known owner in Slack."


def status_text(key: ManagedKey) -> str:
    """Return how the key stands, for a message whose question is over."""
    if key.observed is ObservedState.DELETED and key.desired is not DesiredState.DELETED:
        return f"Key `{key.id}` no longer exists in AWS."
    being = "" if is_confirmed(key) else "being "
    if key.desired is DesiredState.ACTIVE:
        expires = f" and expires {date_token(key.expires_at)}" if key.expires_at else ""
        return f"Key `{key.id}` is {being and 'being turned '}on{expires}."
    if key.desired is DesiredState.DELETED:
        return f"Key `{key.id}` is {being}deleted."
    reason = f" ({key.inactive_reason})" if key.inactive_reason else ""
    return f"Key `{key.id}` is {being and 'being turned '}off{reason}."


def is_confirmed(key: ManagedKey) -> bool:
    """Return True once IAM has shown the desired state.

    Only then a message says "done".
    """
    return key.observed.value == key.desired.value or key.observed is ObservedState.DELETED


def off_text(key: ManagedKey) -> str:
    """Return "is off" or, until IAM shows it, "is being turned off"."""
    return "is off" if is_confirmed(key) else "is being turned off"


def when_text(at: datetime | None, before: str) -> str:
    """Return a phrase with a moment, "" without one: " It will be deleted …."."""
    return f" {before} {date_token(at)}." if at else ""
