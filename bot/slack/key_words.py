"""How does a key stand? The words that its lasting messages share."""

from __future__ import annotations

from bot.core.access_key import AccessKey, ManagedKey, Shown, Wanted
from bot.slack.blocks import escape, key_facts, moment


def fact(key: ManagedKey, key_id: str) -> AccessKey | None:
    return next((one for one in key.facts if one.id == key_id), None)


def facts(key: ManagedKey) -> str:
    """What IAM showed of the key when it was last asked."""
    known = fact(key, key.id)
    at = key.facts_at or key.made_at
    return (
        f"{key_facts(known, at)} · IAM user `{escape(key.iam_user)}`"
        if known
        else (f"`{key.id}` · IAM user `{escape(key.iam_user)}`")
    )


def owner(key: ManagedKey) -> str:
    return (
        f"Its owner is <@{key.owner}>." if key.owner else "Nobody in Slack is known as its owner."
    )


def stands(key: ManagedKey) -> str:
    """How the key stands, for a message whose question is over."""
    if key.shown is Shown.DELETED and key.wanted is not Wanted.DELETED:
        return f"Key `{key.id}` is not in AWS any more."
    being = "" if certain(key) else "being made "
    if key.wanted is Wanted.ACTIVE and key.expires_at:
        return f"Key `{key.id}` is {being}active and ends {moment(key.expires_at)}."
    return f"Key `{key.id}` is {being}{key.wanted.value}{f': {key.why}' if key.why else ''}."


def certain(key: ManagedKey) -> bool:
    """Has IAM shown that what is wanted of the key is so? Done is said after it is done."""
    return key.shown.value == key.wanted.value or key.shown is Shown.DELETED


def turned(key: ManagedKey, became: str = "turned off") -> str:
    return f"is {'' if certain(key) else 'being '}{became}"
