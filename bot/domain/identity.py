"""Who is at the desk: a person as Slack shows them, an IAM user as IAM shows it, and the rule between them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.errors import NoIamUser

_SLACK_ID, _EMAIL = re.compile(r"[UW][A-Z0-9]+"), re.compile(r"[^@]+@[^@]+")


def is_slack_id(text: str) -> bool:
    """Is this shaped as a Slack user ID? An e-mail address may begin like one."""
    return _SLACK_ID.fullmatch(text) is not None


@dataclass(frozen=True)
class Member:
    """A person as users.info shows them. `email` is "" unless Slack says that it is confirmed."""

    id: str
    team_id: str
    email: str = ""
    deleted: bool = False
    is_bot: bool = False
    is_guest: bool = False
    is_external: bool = False


@dataclass(frozen=True)
class IamUser:
    """An IAM user as GetUser shows it. `read_at` is IAM's own clock (the answer's Date header, UTC)."""

    name: str
    user_id: str
    arn: str
    read_at: datetime
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def account(self) -> str:
        """The AWS account's number, from the ARN."""
        return self.arn.split(":")[4]

    @property
    def path(self) -> str:
        """IAM's path of the user, from the ARN: "/" or "/people/", say."""
        return "/" + "".join(f"{part}/" for part in self.arn.split(":", 5)[5].split("/")[1:-1])


@dataclass(frozen=True)
class IamMapping:
    """The one configured rule from a Slack person to an IAM user name (`IAM_USERNAME`).

    `rule` is `{email}`, `{slack_id}` or `{email_local}`, or "" where `pairs` (Slack user ID or e-mail in
    lower case -> IAM user name) decides. `domains` are the e-mail domains whose addresses count, or empty for all;
    `{email_local}` serves no address without one.
    """

    rule: str = "{email}"
    pairs: Mapping[str, str] = field(default_factory=dict)
    domains: frozenset[str] = frozenset()

    def listed(self, member: Member) -> frozenset[str]:
        """Every IAM user name that the list of people gives `member`."""
        return frozenset(
            self.pairs[k] for k in (member.id, member.email.lower()) if k in self.pairs
        )

    def person(self, iam_user: str) -> str:
        """The other way round: whose IAM user this is, as a Slack user ID or an e-mail address; "" if unknown."""
        if self.pairs:
            named = [who for who, name in self.pairs.items() if name.lower() == iam_user.lower()]
            return named[0] if len(named) == 1 else ""
        shape = {"{slack_id}": _SLACK_ID, "{email}": _EMAIL}.get(self.rule)
        return iam_user if shape and shape.fullmatch(iam_user) else ""

    def iam_user(self, member: Member) -> str:
        """The IAM user name for `member`. Raises NoIamUser where the rule gives none, or more than one."""
        if self.pairs:
            found = self.listed(member)
            if len(found) != 1:
                raise NoIamUser(
                    "you are not named in the desk's list of people"
                    if not found
                    else "the desk's list of people names you twice"
                )
            return min(found)
        if self.rule == "{slack_id}":
            return member.id
        if not member.email:
            raise NoIamUser("Slack has no confirmed e-mail address for you")
        local, _, domain = member.email.partition("@")
        if (self.domains or self.rule == "{email_local}") and domain.lower() not in self.domains:
            raise NoIamUser("your e-mail address is not of a domain that the desk serves")
        return local if self.rule == "{email_local}" else member.email
