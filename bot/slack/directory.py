"""Who is this person, and who may approve at this moment? Asked of Slack."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from slack_sdk import WebClient

from bot.core.errors import NotAMember, SlackUnavailable
from bot.core.people import Member
from bot.slack.calls import asked, retry_after

REMEMBERED = 60.0
"""Seconds for which an answer may serve: a person's for any question but a fresh one, a group's only while Slack
rate-limits the question."""

_NOBODY = {"user_not_found", "user_not_visible", "users_not_found"}


class SlackDirectory:
    """The Directory port over users.info and usergroups.users.list.

    `users` and `groups` are the configured approvers: Slack user IDs and user-group IDs. `monotonic` gives
    seconds that never jump.
    """

    def __init__(self, web: WebClient, *, users: frozenset[str], groups: frozenset[str],
                 monotonic: Callable[[], float]) -> None:
        self._web = web
        self._users, self._groups = users, groups
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._members: dict[str, tuple[float, Member]] = {}
        self._group_members: dict[str, tuple[float, frozenset[str]]] = {}

    def member(self, slack_user: str, *, fresh: bool = False) -> Member:
        now = self._monotonic()
        with self._lock:
            at, known = self._members.get(slack_user, (now - REMEMBERED, None))
        if known and not fresh and now - at < REMEMBERED:
            return known
        try:
            with asked("users.info"):
                user = self._web.users_info(user=slack_user)["user"]
        except SlackUnavailable as failure:
            if failure.error in _NOBODY:
                raise NotAMember from failure
            raise
        member = _member(user)
        with self._lock:
            self._members[slack_user] = (now, member)
            self._members = {id_: kept for id_, kept in self._members.items() if now - kept[0] < REMEMBERED}
        return member

    def approvers(self) -> frozenset[str]:
        return self._users.union(*(self.group(group) for group in self._groups))

    def person_by_email(self, email: str) -> str:
        try:
            with asked("users.lookupByEmail"):
                return str(self._web.users_lookupByEmail(email=email)["user"]["id"])
        except SlackUnavailable as failure:
            if failure.error in _NOBODY:
                return ""
            raise

    def group(self, group: str) -> frozenset[str]:
        now = self._monotonic()
        try:
            with asked("usergroups.users.list"):
                users = frozenset(self._web.usergroups_users_list(usergroup=group)["users"])
        except SlackUnavailable as failure:
            with self._lock:
                at, known = self._group_members.get(group, (now - REMEMBERED, frozenset[str]()))
            if retry_after(failure.__cause__) is not None and now - at < REMEMBERED:
                return known
            raise
        with self._lock:
            self._group_members[group] = (now, users)
        return users


def _member(user: dict[str, Any]) -> Member:
    """A person as the desk needs them, from a user object ("User object", Slack documentation).

    `is_bot` is false for Slackbot, and `is_stranger` says nothing when it is absent: the team decides.
    """
    profile = user.get("profile") or {}
    return Member(
        id=user["id"],
        team_id=str(user.get("team_id") or ""),
        email=str(profile.get("email") or "") if user.get("is_email_confirmed") else "",
        deleted=bool(user.get("deleted")),
        is_bot=bool(user.get("is_bot") or user.get("is_workflow_bot") or user["id"] == "USLACKBOT"),
        is_guest=bool(user.get("is_restricted") or user.get("is_ultra_restricted") or user.get("is_invited_user")),
        is_stranger=bool(user.get("is_stranger")))
