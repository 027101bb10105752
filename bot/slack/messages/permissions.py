"""Render a key's permissions and its requester's earlier requests.

They are shown on the card and the Home tab.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from slack_sdk.models.blocks import Block

from bot.domain.permissions import Group, Permissions
from bot.domain.requests import KeyRequest, RequestHistory
from bot.slack.messages.blocks import context, date_token, escape, section
from bot.slack.messages.text import one_line

LOADING_TEXT = ":mag: Loading permissions…"
UNREAD_TEXT = "couldn't be read"
MAX_NAMES_TEXT, MAX_GROUPS_TEXT, MAX_GROUP_TEXT, MAX_SHORT_TEXT, MAX_REASON_TEXT = (
    600,
    1000,
    200,
    150,
    200,
)
"""Maximum characters: names, all groups, one group's policies, a short warning, a denial's reason.

Together they stay far below the 3000 of a section ("Block Kit", Slack documentation).
"""


def card_blocks(request: KeyRequest) -> list[Block]:
    """Return the card's part on permissions.

    It has a warning, the permissions, what could not be read, and earlier requests.
    """
    history = [section(_history_text(request.history))] if request.history else []
    return [*_permission_blocks(request), *history]


def short_warning(request: KeyRequest) -> str:
    """Return the warning for a row, with its separator, "" for none."""
    permissions = request.permissions
    if permissions is None or not permissions.risky:
        return ""
    if not permissions.admin_like:
        return " · :warning: admin access unknown: assume yes"
    return f" · :warning: *Admin access:* {_names(permissions.admin_like, MAX_SHORT_TEXT)}"


def _permission_blocks(request: KeyRequest) -> list[Block]:
    permissions = request.permissions
    if permissions is None:
        if request.awaits_permissions:
            return [section(LOADING_TEXT)]
        late = request.permissions_due is not None and request.decided_at is not None
        return [context("Decided before the permissions were loaded.")] if late else []
    at = f" (as of {date_token(request.permissions_at)})" if request.permissions_at else ""
    mfa = UNREAD_TEXT if permissions.mfa is None else "yes" if permissions.mfa else "no"
    lines = [
        f"*Permissions*{at}",
        "*Policies*  "
        f"{_names_or_unread(permissions, permissions.attached, 'ListAttachedUserPolicies')}",
        "*Inline policies*  "
        f"{_names_or_unread(permissions, permissions.inline, 'ListUserPolicies')}",
        f"*Groups*  {_groups_or_unread(permissions)}",
        f"*MFA*  {mfa}",
    ]
    warning = _warning_text(request, permissions)
    return [
        *([section(f":warning: {warning}")] if warning else []),
        section("\n".join(lines)),
        *([context(_unread_text(permissions))] if permissions.unread else []),
    ]


def _warning_text(request: KeyRequest, permissions: Permissions) -> str:
    will = "will have" if request.delivers_secret else "has"
    if permissions.admin_like:
        names = _names(permissions.admin_like, MAX_NAMES_TEXT)
        return f"*This key {will} admin access:* {names}"
    if permissions.unsure:
        return "*Keydesk couldn't check for admin access.* Assume that this key has it."
    return ""


def _names_or_unread(permissions: Permissions, names: Sequence[str], action: str) -> str:
    return UNREAD_TEXT if permissions.could_not_read(action) else _names(names, MAX_NAMES_TEXT)


def _groups_or_unread(permissions: Permissions) -> str:
    unread = permissions.could_not_read("ListGroupsForUser")
    return UNREAD_TEXT if unread else _groups(permissions.groups)


def _groups(groups: Sequence[Group]) -> str:
    words = []
    for group in groups:
        policies = (*group.attached, *group.inline)
        words.append(
            f"`{escape(group.name)}`{f' ({_names(policies, MAX_GROUP_TEXT)})' if policies else ''}"
        )
    return _shorten(words, MAX_GROUPS_TEXT)


def _names(names: Iterable[str], limit: int) -> str:
    return _shorten([f"`{escape(name)}`" for name in names], limit)


def _shorten(words: Sequence[str], limit: int) -> str:
    """Return the first words up to `limit` characters, and how many are left out.

    At least one word is returned.
    """
    shown, used = 0, 0
    for word in words:
        used += len(word) + len(", ")
        if shown and used > limit:
            break
        shown += 1
    more = [f"and {len(words) - shown} more"] if shown < len(words) else []
    return ", ".join([*words[:shown], *more]) or "none"


def _unread_text(permissions: Permissions) -> str:
    """Return which permissions Keydesk lacks, and which calls got no answer."""
    denied = ", ".join(f"`iam:{one.action}`" for one in permissions.unread if one.denied)
    silent = ", ".join(f"`iam:{one.action}`" for one in permissions.unread if not one.denied)
    texts = (
        f"Keydesk isn't allowed to call {denied}." if denied else "",
        f"AWS didn't answer {silent}." if silent else "",
    )
    return " ".join(filter(None, texts))


def _history_text(history: RequestHistory) -> str:
    """Return how often the requester asked and was denied before, and the last denial."""
    title = "*Earlier requests*"
    if not history.asked:
        return f"{title}  none"
    if not history.denied:
        return f"{title}  {history.asked}, none denied"
    by = f" by <@{history.by}>" if history.by else ""
    at = f", {date_token(history.denied_at)}" if history.denied_at else ""
    why = f" ({escape(one_line(history.why, MAX_REASON_TEXT))})" if history.why else ""
    return f"{title}  {history.asked}, {history.denied} denied · last denial{by}{at}{why}"
