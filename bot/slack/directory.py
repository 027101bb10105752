"""Look up members, approvers and user groups in Slack."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from slack_sdk import WebClient

from bot.domain import policy
from bot.domain.codes import Code
from bot.domain.errors import NotAMember
from bot.domain.identity import Member
from bot.domain.outside_errors import SlackUnavailable
from bot.slack.errors import translate_errors

CACHE_SECONDS = 60.0
"""Seconds for which an answer may be used again.

A member's answer serves unless a fresh one is asked for. A group's serves only while Slack
rate-limits the question.
"""

_NOT_FOUND_ERRORS = {"user_not_found", "user_not_visible", "users_not_found"}
_GROUP_NOT_FOUND_ERROR = "no_such_subteam"

_GROUP_CODES = {
    "plan_upgrade_required": Code.GROUP_NEEDS_PAID_PLAN,
    "missing_scope": Code.GROUP_SCOPE_MISSING,
    _GROUP_NOT_FOUND_ERROR: Code.GROUP_NOT_FOUND,
}
"""Why Slack does not list a group's users ("usergroups.users.list", Slack documentation)."""


class SlackDirectory:
    """Directory (`domain/ports.py`) over users.info and usergroups.users.list.

    Args:
        team_id: Keydesk's own workspace.
        users: Slack user IDs of the configured approvers.
        groups: User-group IDs of the configured approvers.
        monotonic: Returns seconds that never jump.
    """

    def __init__(
        self,
        web: WebClient,
        team_id: str,
        *,
        users: frozenset[str],
        groups: frozenset[str],
        monotonic: Callable[[], float],
    ) -> None:
        self._web, self._team_id = web, team_id
        self._users, self._groups = users, groups
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._members: dict[str, tuple[float, Member]] = {}
        self._group_members: dict[str, tuple[float, frozenset[str]]] = {}

    def member(self, slack_user: str, *, fresh: bool = False) -> Member:
        """Return who a Slack user is. Raises SlackUnavailable."""
        now = self._monotonic()
        with self._lock:
            at, known = self._members.get(slack_user, (now - CACHE_SECONDS, None))
        if known and not fresh and now - at < CACHE_SECONDS:
            return known
        try:
            with translate_errors("users.info"):
                user = self._web.users_info(user=slack_user)["user"]
        except SlackUnavailable as failure:
            if failure.error in _NOT_FOUND_ERRORS:
                raise NotAMember from failure
            raise
        member = _member(user)
        with self._lock:
            self._members[slack_user] = (now, member)
            self._members = {
                id_: entry for id_, entry in self._members.items() if now - entry[0] < CACHE_SECONDS
            }
        return member

    def approvers(self, *, fresh: bool = False) -> frozenset[str]:
        """Return the Slack user IDs that may approve now, with groups resolved."""
        return self._users.union(
            *(self._group_users(group, fresh=fresh) for group in sorted(self._groups))
        )

    def member_by_email(self, email: str) -> str:
        """Return the Slack user ID of the full member with this e-mail address, or ""."""
        try:
            with translate_errors("users.lookupByEmail"):
                member = _member(self._web.users_lookupByEmail(email=email)["user"])
            policy.check_member(member, self._team_id)
        except NotAMember:
            return ""
        except SlackUnavailable as failure:
            if failure.error in _NOT_FOUND_ERRORS:
                return ""
            raise
        # An unconfirmed address counts as none, so `email` is "" then.
        return member.id if member.email.lower() == email.lower() else ""

    def group(self, group: str, *, fresh: bool = False) -> frozenset[str]:
        """Return the Slack user IDs of a user group, or none if it does not exist."""
        try:
            return self._group_users(group, fresh=fresh)
        except SlackUnavailable as failure:
            if failure.error != _GROUP_NOT_FOUND_ERROR:
                raise
            return frozenset()

    def _group_users(self, group: str, *, fresh: bool) -> frozenset[str]:
        now = self._monotonic()
        try:
            with translate_errors("usergroups.users.list"):
                users = frozenset(self._web.usergroups_users_list(usergroup=group)["users"])
        except SlackUnavailable as failure:
            with self._lock:
                at, known = self._group_members.get(group, (now - CACHE_SECONDS, frozenset[str]()))
            limited = failure.retry_after is not None
            if limited and not fresh and now - at < CACHE_SECONDS:
                return known
            raise SlackUnavailable(
                failure.method,
                failure.error,
                Code.GROUP_RATE_LIMITED if limited else _group_code(failure.error),
                refused=failure.refused,
                retry_after=failure.retry_after,
                group=group,
            ) from None
        with self._lock:
            self._group_members[group] = (now, users)
        return users


def _group_code(error: str) -> Code:
    return _GROUP_CODES.get(error, Code.GROUP_UNREADABLE)


def _member(user: dict[str, Any]) -> Member:
    """Return the member that a user object describes.

    `is_bot` is false for Slackbot. `is_external` may be absent, so the team decides.

    Source: "User object", Slack documentation.
    """
    profile = user.get("profile") or {}
    return Member(
        id=user["id"],
        team_id=str(user.get("team_id") or ""),
        email=str(profile.get("email") or "") if user.get("is_email_confirmed") else "",
        deleted=bool(user.get("deleted")),
        is_bot=bool(user.get("is_bot") or user.get("is_workflow_bot") or user["id"] == "USLACKBOT"),
        is_guest=bool(
            user.get("is_restricted")
            or user.get("is_ultra_restricted")
            or user.get("is_invited_user")
        ),
        is_external=bool(user.get("is_external")),
    )
