"""Who is this person, and who may approve at this moment? Asked of Slack."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from slack_sdk import WebClient

from bot.domain import policy
from bot.domain.errors import NotAMember, SlackUnavailable
from bot.domain.identity import Member
from bot.slack.errors import translate_errors

CACHE_SECONDS = 60.0
"""Seconds for which an answer may serve: a person's for any question but a fresh one, a group's only while Slack
rate-limits the question."""

_NOT_FOUND_ERRORS = {"user_not_found", "user_not_visible", "users_not_found"}

NO_SUCH_GROUP = "no_such_subteam"

_GROUP_PROBLEMS = {
    "plan_upgrade_required": (
        "user groups need a paid plan of Slack",
        "Whoever runs Keydesk must name people (U…) instead of groups.",
    ),
    "missing_scope": (
        "the bot lacks the scope usergroups:read",
        "Whoever runs Keydesk must add it to the Slack app and install the app again, or name people "
        "(U…) instead of groups.",
    ),
    NO_SUCH_GROUP: (
        "Slack has no such group, or it is disabled",
        "Whoever runs Keydesk must correct APPROVERS, or enable the group again.",
    ),
    "ratelimited": ("Slack limits how often that may be asked", "Try again in a minute."),
}


def group_problem(error: str) -> tuple[str, str]:
    """Why a group is not shown, and what would make it work ("usergroups.users.list", Slack documentation)."""
    return _GROUP_PROBLEMS.get(error, (f"Slack did not answer: {error}", "Try again in a minute."))


class SlackDirectory:
    """The Directory port over users.info and usergroups.users.list.

    `team_id` is the desk's own workspace. `users` and `groups` are the configured approvers: Slack user IDs and
    user-group IDs. `monotonic` gives seconds that never jump.
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
                id_: kept for id_, kept in self._members.items() if now - kept[0] < CACHE_SECONDS
            }
        return member

    def approvers(self, *, fresh: bool = False) -> frozenset[str]:
        return self._users.union(
            *(self._asked(group, fresh=fresh) for group in sorted(self._groups))
        )

    def member_by_email(self, email: str) -> str:
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
        return (
            member.id if member.email.lower() == email.lower() else ""
        )  # an address that is not confirmed is none

    def group(self, group: str, *, fresh: bool = False) -> frozenset[str]:
        try:
            return self._asked(group, fresh=fresh)
        except SlackUnavailable as failure:
            if failure.error != NO_SUCH_GROUP:
                raise
            return frozenset()

    def _asked(self, group: str, *, fresh: bool) -> frozenset[str]:
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
            why, mend = group_problem("ratelimited" if limited else failure.error)
            words = f"I cannot tell who is in the user group {group} ({why}), so I have done nothing. {mend}"
            raise SlackUnavailable(
                failure.method,
                failure.error,
                words,
                refused=failure.refused,
                retry_after=failure.retry_after,
            ) from None
        with self._lock:
            self._group_members[group] = (now, users)
        return users


def _member(user: dict[str, Any]) -> Member:
    """A person as the desk needs them, from a user object ("User object", Slack documentation).

    `is_bot` is false for Slackbot, and `is_external` says nothing when it is absent: the team decides.
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
