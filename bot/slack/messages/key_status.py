"""How does a key stand? The words that its lasting messages share."""

from __future__ import annotations

from bot.domain.keys import (
    AccessKey,
    DesiredState,
    ManagedKey,
    ObservedState,
)
from bot.slack.messages.blocks import date_token, escape, key_line


def snapshot_of(key: ManagedKey, key_id: str) -> AccessKey | None:
    return next((one for one in key.snapshot if one.id == key_id), None)


def snapshot_text(key: ManagedKey) -> str:
    """What IAM showed of the key when it was last asked."""
    known = snapshot_of(key, key.id)
    at = key.snapshot_at or key.created_at
    return (
        f"{key_line(known, at)} · IAM user `{escape(key.iam_user)}`"
        if known
        else (f"`{key.id}` · IAM user `{escape(key.iam_user)}`")
    )


def owner_text(key: ManagedKey) -> str:
    return (
        f"Its owner is <@{key.owner}>." if key.owner else "Nobody in Slack is known as its owner."
    )


def status_text(key: ManagedKey) -> str:
    """How the key stands, for a message whose question is over."""
    if key.observed is ObservedState.DELETED and key.desired is not DesiredState.DELETED:
        return f"Key `{key.id}` is not in AWS any more."
    being = "" if is_confirmed(key) else "being made "
    if key.desired is DesiredState.ACTIVE and key.expires_at:
        return f"Key `{key.id}` is {being}active and ends {date_token(key.expires_at)}."
    return f"Key `{key.id}` is {being}{key.desired.value}{f': {key.inactive_reason}' if key.inactive_reason else ''}."


def is_confirmed(key: ManagedKey) -> bool:
    """Has IAM shown that what is wanted of the key is so? Done is said after it is done."""
    return key.observed.value == key.desired.value or key.observed is ObservedState.DELETED


def state_text(key: ManagedKey, became: str = "turned off") -> str:
    return f"is {'' if is_confirmed(key) else 'being '}{became}"
