"""What may an IAM user do? Their policies, their groups' and their MFA, asked side by side, as far as AWS tells."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from bot.aws.errors import translate_errors
from bot.domain.errors import IamDenied, IamRefused, IamUnavailable
from bot.domain.permissions import (
    ADMIN_POLICIES,
    MFA_ACTION,
    Group,
    Permissions,
    Unread,
    grants_admin_access,
)

TIMEOUT_SECONDS = 10.0
"""Seconds after which what has not arrived is missing: nobody should wait longer for a card to be complete."""

POLL_SECONDS = 50
"""Questions that are put to `submit` at once: it has room for few more than 250, from all that are read by then."""

Submit = Callable[[Callable[[], object]], bool]
"""Takes work for some thread, or returns False where there is no room."""

_Query = tuple[str, Callable[[], Any]]


def read_permissions(
    reads: Any,
    submit: Submit,
    user: str,
    *,
    monotonic: Callable[[], float],
    within: float = TIMEOUT_SECONDS,
) -> Permissions:
    """The facts of one user, after `within` seconds at most. `reads` is a boto3 client.

    In three rounds: what the user has, what the user's groups have, and the documents of policies that are not AWS's
    own. AWS's own are judged by their names, which nobody else can take ("IAM identifiers", AWS). Nothing that waits
    for another may be where `submit` puts work; where it takes none, IamUnavailable is raised, so that nobody takes
    for missing what can be read a little later.
    """
    round_ = _Queries(submit, monotonic, monotonic() + within)
    attached, inline, groups, mfa = round_.ask(
        _paged(reads, "ListAttachedUserPolicies", "AttachedPolicies", UserName=user),
        _paged(reads, "ListUserPolicies", "PolicyNames", UserName=user),
        _paged(reads, "ListGroupsForUser", "Groups", UserName=user),
        _paged(reads, MFA_ACTION, "MFADevices", UserName=user),
    )
    names = [group["GroupName"] for group in groups or ()]
    of_groups = round_.ask(
        *(
            question
            for name in names
            for question in (
                _paged(reads, "ListAttachedGroupPolicies", "AttachedPolicies", GroupName=name),
                _paged(reads, "ListGroupPolicies", "PolicyNames", GroupName=name),
            )
        )
    )
    holders = [_Holder("", attached or [], inline or [])]
    holders += [
        _Holder(name, of_groups[2 * at] or [], of_groups[2 * at + 1] or [])
        for at, name in enumerate(names)
    ]
    judged = _admin_policies(reads, round_, user, holders)
    return Permissions(
        attached=holders[0].names,
        inline=tuple(holders[0].inline),
        mfa=None if mfa is None else bool(mfa),
        groups=tuple(Group(one.group, one.names, tuple(one.inline)) for one in holders[1:]),
        admin_like=tuple(words for holder in holders for words in holder.wide(judged)),
        unread=tuple(round_.missing.values()),
    )


@dataclass(frozen=True)
class _Holder:
    """Who has policies: the user (`group` is "") or one of the groups; policies attached, and names of inline ones."""

    group: str
    attached: list[Mapping[str, str]]
    inline: list[str]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one["PolicyName"] for one in self.attached)

    def wide(self, judged: Mapping[str, bool]) -> Iterable[str]:
        """Which of them make administrator-like, in words."""
        of = f"group {self.group}" if self.group else ""
        for policy in self.attached:
            if policy["PolicyName"] in ADMIN_POLICIES or judged.get(policy["PolicyArn"]):
                yield f"{policy['PolicyName']} ({of})" if of else policy["PolicyName"]
        for name in self.inline:
            if judged.get(self.inline_id(name)):
                yield f"{name} ({', '.join(filter(None, ('inline', of)))})"

    def inline_id(self, name: str) -> str:
        """What tells an inline policy from every other one and from every ARN: no name has a slash in it."""
        return f"{self.group}/{name}"


@dataclass
class _Queries:
    """Questions that are asked side by side; what brings no answer by the time `ends` (monotonic) is `missing`."""

    submit: Submit
    monotonic: Callable[[], float]
    ends: float
    missing: dict[str, Unread] = field(default_factory=dict)

    def ask(self, *questions: _Query) -> list[Any]:
        """The answers, in order; None for what is missing. A slice at a time: a user of many policies fits, too."""
        answers: list[Any] = []
        for first in range(0, len(questions), POLL_SECONDS):
            asked = [
                (action, self._begun(action, call))
                for action, call in questions[first : first + POLL_SECONDS]
            ]
            answers += [self._answer(action, future) for action, future in asked]
        return answers

    def _begun(self, action: str, call: Callable[[], Any]) -> Future[Any]:
        future: Future[Any] = Future()
        if not self.submit(lambda: _run(future, call)):
            raise IamUnavailable(action)
        return future

    def _answer(self, action: str, future: Future[Any]) -> Any:
        try:
            return future.result(timeout=max(0.0, self.ends - self.monotonic()))
        except IamDenied as denied:
            self.missing[denied.action] = Unread(denied.action, denied=True)
        except (IamRefused, IamUnavailable, ValueError, TimeoutError) as failure:
            future.cancel()  # if it has not begun
            action = getattr(failure, "action", action)
            self.missing.setdefault(action, Unread(action))
        return None


def _run(future: Future[Any], call: Callable[[], Any]) -> None:
    """Answers a question, unless nobody waits for that any more."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(call())
    except Exception as failure:
        future.set_exception(failure)


def _admin_policies(
    reads: Any, round_: _Queries, user: str, holders: list[_Holder]
) -> dict[str, bool]:
    """Which policies make administrator-like, by ARN or inline ID; each document is read once."""
    questions: dict[str, _Query] = {}
    for holder in holders:
        of = {"GroupName": holder.group} if holder.group else {"UserName": user}
        for policy in holder.attached:
            if not _is_aws_managed(policy["PolicyArn"]):
                questions[policy["PolicyArn"]] = _managed_policy(reads, policy["PolicyArn"])
        for name in holder.inline:
            questions[holder.inline_id(name)] = _inline_policy(reads, name, of)
    return {
        id_: bool(wide)
        for id_, wide in zip(questions, round_.ask(*questions.values()), strict=True)
    }


def _is_aws_managed(arn: str) -> bool:
    return arn.split(":")[4:5] == ["aws"]


def _paged(reads: Any, action: str, element: str, **of: str) -> _Query:
    def call() -> list[Any]:
        with translate_errors(action, changes=False):
            pages = reads.get_paginator(_method(reads, action)).paginate(**of)
            return [one for page in pages for one in page[element]]

    return action, call


def _inline_policy(reads: Any, name: str, of: Mapping[str, str]) -> _Query:
    action = "GetGroupPolicy" if "GroupName" in of else "GetUserPolicy"

    def call() -> bool:
        with translate_errors(action, changes=False):
            document = getattr(reads, _method(reads, action))(PolicyName=name, **of)[
                "PolicyDocument"
            ]
        return grants_admin_access(_parse_document(document))

    return action, call


def _managed_policy(reads: Any, arn: str) -> _Query:
    """The default version of an attached policy, which is the one that counts."""

    def call() -> bool:
        with translate_errors("GetPolicy", changes=False):
            version = reads.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        with translate_errors("GetPolicyVersion", changes=False):
            document = reads.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"][
                "Document"
            ]
        return grants_admin_access(_parse_document(document))

    return "GetPolicyVersion", call


def _method(reads: Any, action: str) -> str:
    """boto3's name of an API action: ListMFADevices is list_mfa_devices."""
    return str(next(name for name, of in reads.meta.method_to_api_mapping.items() if of == action))


def _parse_document(document: object) -> object:
    """boto3 decodes a policy document into a dict, and leaves what it could not read a string."""
    return json.loads(document) if isinstance(document, str) else document
