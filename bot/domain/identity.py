"""Identity: Slack members, IAM users, and the configured mapping between them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.codes import Code
from bot.domain.errors import NoIamUser

_SLACK_ID, _EMAIL = re.compile(r"[UW][A-Z0-9]+"), re.compile(r"[^@]+@[^@]+")


def is_slack_id(text: str) -> bool:
    """Return True if the text is shaped like a Slack user ID.

    An email address may begin like one.
    """
    return _SLACK_ID.fullmatch(text) is not None


@dataclass(frozen=True)
class Member:
    """A Slack user as users.info shows them.

    `email` is "" unless Slack says that it is confirmed.
    """

    id: str
    team_id: str
    email: str = ""
    deleted: bool = False
    is_bot: bool = False
    is_guest: bool = False
    is_external: bool = False


@dataclass(frozen=True)
class IamUser:
    """An IAM user as GetUser shows it.

    `read_at` is the Date header of IAM's answer (UTC).
    """

    name: str
    user_id: str
    arn: str
    read_at: datetime
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def account(self) -> str:
        """The AWS account number, from the ARN."""
        return self.arn.split(":")[4]

    @property
    def path(self) -> str:
        """The IAM path, from the ARN: "/" or "/people/"."""
        return "/" + "".join(f"{part}/" for part in self.arn.split(":", 5)[5].split("/")[1:-1])


@dataclass(frozen=True)
class IamMapping:
    """The configured mapping from a Slack member to an IAM user name (`IAM_USERNAME`).

    `rule` is `{email}`, `{slack_id}` or `{email_local}`. It is "" where `pairs` decides: a Slack
    user ID or lower-case email address, with an IAM user name. `domains` are the email domains
    whose addresses count (empty: all). `{email_local}` needs at least one.
    """

    rule: str = "{email}"
    pairs: Mapping[str, str] = field(default_factory=dict)
    domains: frozenset[str] = frozenset()

    def listed(self, member: Member) -> frozenset[str]:
        """Return every IAM user name that `pairs` has for a member."""
        return frozenset(
            self.pairs[k] for k in (member.id, member.email.lower()) if k in self.pairs
        )

    def person(self, iam_user: str) -> str:
        """Return the Slack user ID or email address of an IAM user's owner, "" if unknown."""
        if self.pairs:
            owners = [
                owner for owner, name in self.pairs.items() if name.lower() == iam_user.lower()
            ]
            return owners[0] if len(owners) == 1 else ""
        shape = {"{slack_id}": _SLACK_ID, "{email}": _EMAIL}.get(self.rule)
        return iam_user if shape and shape.fullmatch(iam_user) else ""

    def iam_user(self, member: Member) -> str:
        """Return a member's IAM user name.

        Raises NoIamUser where there is none, or more than one.
        """
        if self.pairs:
            names = self.listed(member)
            if len(names) != 1:
                raise NoIamUser(Code.TWICE_IN_USER_LIST if names else Code.NOT_IN_USER_LIST)
            return min(names)
        if self.rule == "{slack_id}":
            return member.id
        if not member.email:
            raise NoIamUser(Code.EMAIL_NOT_CONFIRMED)
        local, _, domain = member.email.partition("@")
        if (self.domains or self.rule == "{email_local}") and domain.lower() not in self.domains:
            raise NoIamUser(Code.EMAIL_DOMAIN_NOT_SERVED)
        return local if self.rule == "{email_local}" else member.email
