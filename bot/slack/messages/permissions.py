"""How is it shown what a key will be able to do, and what its person asked for before? Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from slack_sdk.models.blocks import Block

from bot.domain.permissions import Group, Permissions
from bot.domain.requests import KeyRequest, RequestHistory
from bot.slack.messages.blocks import (
    context,
    date_token,
    escape,
    section,
)

LOADING_TEXT = ":mag: Reading what this key will be able to do…"
UNREAD_TEXT = "could not be read"
MAX_NAMES_TEXT, MAX_GROUPS_TEXT, MAX_GROUP_TEXT, MAX_SHORT_TEXT, MAX_REASON_TEXT = (
    600,
    1000,
    200,
    150,
    200,
)
"""Letters for a list of names, for all groups, for the policies of one, for a short warning and for a denial's reason:
together far from the 3000 of a section ("Block Kit", Slack)."""


def card_blocks(request: KeyRequest) -> list[Block]:
    """What the approvers see: a warning first, what the key will be able to do, what is unread, earlier requests."""
    return [
        *_permission_blocks(request),
        *([section(_history_text(request.history))] if request.history else []),
    ]


def short_warning(request: KeyRequest) -> str:
    """The warning alone, for a row; "" where there is none. It goes on after what stands before it."""
    facts = request.permissions
    if facts is None or not facts.risky:
        return ""
    return f" · :warning: {_admin_text(facts.admin_like, MAX_SHORT_TEXT) if facts.admin_like else _NOT_KNOWN}"


_NOT_KNOWN = f"whether it is administrator-like {UNREAD_TEXT}"


def _permission_blocks(request: KeyRequest) -> list[Block]:
    if request.permissions is None:
        if request.awaits_permissions:
            return [section(LOADING_TEXT)]
        late = request.permissions_due is not None and request.decided_at is not None
        return (
            [context("Decided before AWS had told what this key will be able to do.")]
            if late
            else []
        )
    facts = request.permissions
    title = (
        "What the new key will be able to do" if request.delivers_secret else "What this key can do"
    )
    as_of = f"  as of {date_token(request.permissions_at)}" if request.permissions_at else ""
    lines = [
        f"*{title}*{as_of}",
        f"*Policies*  {_names_or_unread(facts, facts.attached, 'ListAttachedUserPolicies')}",
        f"*Inline policies*  {_names_or_unread(facts, facts.inline, 'ListUserPolicies')}",
        f"*Groups*  {UNREAD_TEXT if facts.could_not_read('ListGroupsForUser') else _groups(facts.groups)}",
        f"*MFA*  {UNREAD_TEXT if facts.mfa is None else 'yes' if facts.mfa else 'no'}",
    ]
    blocks: list[Block] = []
    if facts.admin_like:
        blocks.append(section(f":warning: {_admin_text(facts.admin_like, MAX_NAMES_TEXT)}"))
    elif facts.unsure:
        blocks.append(section(f":warning: {_NOT_KNOWN.capitalize()}; take it for possible."))
    blocks.append(section("\n".join(lines)))
    if facts.unread:
        blocks.append(context(_unread_text(facts)))
    return blocks


def _admin_text(admin_like: Sequence[str], room: int) -> str:
    return f"*Administrator-like:* {_names(admin_like, room)}"


def _names_or_unread(permissions: Permissions, names: Sequence[str], action: str) -> str:
    return UNREAD_TEXT if permissions.could_not_read(action) else _names(names, MAX_NAMES_TEXT)


def _groups(groups: Sequence[Group]) -> str:
    words = []
    for group in groups:
        policies = (*group.attached, *group.inline)
        words.append(
            f"`{escape(group.name)}`{f' ({_names(policies, MAX_GROUP_TEXT)})' if policies else ''}"
        )
    return _shorten(words, MAX_GROUPS_TEXT)


def _names(names: Iterable[str], room: int) -> str:
    return _shorten([f"`{escape(name)}`" for name in names], room)


def _shorten(words: Sequence[str], room: int) -> str:
    """The first words that have room, at least one, and how many more there are; "none" for none."""
    shown, used = 0, 0
    for word in words:
        used += len(word) + len(", ")
        if shown and used > room:
            break
        shown += 1
    more = [f"and {len(words) - shown} more"] if shown < len(words) else []
    return ", ".join([*words[:shown], *more]) or "none"


def _unread_text(permissions: Permissions) -> str:
    """Which permissions the desk lacks, and which answers did not come."""
    denied = ", ".join(f"`iam:{one.action}`" for one in permissions.unread if one.denied)
    silent = ", ".join(f"`iam:{one.action}`" for one in permissions.unread if not one.denied)
    return " ".join(
        filter(
            None,
            [
                f"AWS does not let the desk do {denied}." if denied else "",
                f"AWS did not answer {silent}." if silent else "",
            ],
        )
    )


def _history_text(history: RequestHistory) -> str:
    """How often its person asked and was denied before, and the last denial."""
    if not history.asked:
        return "*Earlier requests*  none"
    last = ""
    if history.denied:
        by = f" by <@{history.by}>" if history.by else ""
        when = f", {date_token(history.denied_at)}" if history.denied_at else ""
        why = f": {escape(_one_line(history.why))}" if history.why else ""
        last = f"; the last denial{by}{when}{why}"
    return f"*Earlier requests*  {history.asked}, {history.denied or 'none'} of them denied{last}"


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_REASON_TEXT else f"{line[:MAX_REASON_TEXT]}…"
