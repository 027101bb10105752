"""Read what an IAM user may do: policies, groups and MFA.

The calls run in parallel. What AWS does not answer is listed as missing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from bot.aws.clients import IamClients
from bot.domain.outside_errors import IamDenied, IamRefused, IamUnavailable
from bot.domain.permissions import (
    ADMIN_POLICIES,
    MFA_ACTION,
    Group,
    Permissions,
    Unread,
    grants_admin_access,
)

TIMEOUT_SECONDS = 10.0
"""How long to wait for AWS. A card must not wait longer to be complete."""

BATCH_SIZE = 50
"""How many calls go to `submit` at once.

Its queue has room for about 250 calls, for all users that are read at that time.
"""

Submit = Callable[[Callable[[], object]], bool]
"""Run work in some thread. Returns False if there is no room."""

_Query = tuple[str, Callable[[], Any]]


def read_permissions(
    clients: IamClients,
    submit: Submit,
    user: str,
    *,
    monotonic: Callable[[], float],
    within: float = TIMEOUT_SECONDS,
) -> Permissions:
    """Return the permissions of one user, after at most `within` seconds.

    There are three rounds of calls: the user's policies, those of the user's groups, and the
    policy documents. AWS managed policies are judged by name, because their ARNs are reserved for
    AWS ("IAM identifiers", AWS IAM User Guide).

    Args:
        clients: The connection to IAM.
        submit: Takes the calls. Its threads must not run work that waits for other work.
        user: The IAM user's name.
        monotonic: Returns seconds that never jump.
        within: The timeout in seconds.

    Raises:
        IamUnavailable: `submit` takes no work. Nothing is then reported as missing.
    """
    round_ = _Queries(submit, monotonic, monotonic() + within)
    attached, inline, groups, mfa = round_.ask(
        _paged(clients, "ListAttachedUserPolicies", "AttachedPolicies", UserName=user),
        _paged(clients, "ListUserPolicies", "PolicyNames", UserName=user),
        _paged(clients, "ListGroupsForUser", "Groups", UserName=user),
        _paged(clients, MFA_ACTION, "MFADevices", UserName=user),
    )
    names = [group["GroupName"] for group in groups or ()]
    holders = [_Holder("", attached or [], inline or []), *_group_holders(clients, round_, names)]
    judged = _admin_policies(clients, round_, user, holders)
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
    """The policies of the user (`group` is "") or of one group.

    `attached` are the attached policies, `inline` the names of the inline ones.
    """

    group: str
    attached: list[Mapping[str, str]]
    inline: list[str]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one["PolicyName"] for one in self.attached)

    def wide(self, judged: Mapping[str, bool]) -> Iterable[str]:
        """Yield the policies that grant admin access, in words."""
        of = f"group {self.group}" if self.group else ""
        for policy in self.attached:
            if policy["PolicyName"] in ADMIN_POLICIES or judged.get(policy["PolicyArn"]):
                yield f"{policy['PolicyName']} ({of})" if of else policy["PolicyName"]
        for name in self.inline:
            if judged.get(self.inline_id(name)):
                yield f"{name} ({', '.join(filter(None, ('inline', of)))})"

    def inline_id(self, name: str) -> str:
        """Return an ID that no other policy has. No policy name contains a slash."""
        return f"{self.group}/{name}"


def _group_holders(clients: IamClients, round_: _Queries, names: list[str]) -> list[_Holder]:
    """Return the policies of groups, in one round of calls."""
    answers = round_.ask(
        *(
            question
            for name in names
            for question in (
                _paged(clients, "ListAttachedGroupPolicies", "AttachedPolicies", GroupName=name),
                _paged(clients, "ListGroupPolicies", "PolicyNames", GroupName=name),
            )
        )
    )
    return [
        _Holder(name, attached or [], inline or [])
        for name, attached, inline in zip(names, answers[::2], answers[1::2], strict=True)
    ]


@dataclass
class _Queries:
    """Calls that run in parallel.

    What has no answer by `ends` (monotonic seconds) is `missing`.
    """

    submit: Submit
    monotonic: Callable[[], float]
    ends: float
    missing: dict[str, Unread] = field(default_factory=dict)

    def ask(self, *questions: _Query) -> list[Any]:
        """Return the answers in order, with None for what is missing.

        The calls go out in batches, so that a user with many policies fits.
        """
        answers: list[Any] = []
        for first in range(0, len(questions), BATCH_SIZE):
            asked = [
                (action, self._begun(action, call))
                for action, call in questions[first : first + BATCH_SIZE]
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
    """Run a call, unless its future was cancelled."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(call())
    except Exception as failure:
        future.set_exception(failure)


def _admin_policies(
    clients: IamClients, round_: _Queries, user: str, holders: list[_Holder]
) -> dict[str, bool]:
    """Return which policies grant admin access, by ARN or inline ID.

    Each document is read once.
    """
    questions: dict[str, _Query] = {}
    for holder in holders:
        of = {"GroupName": holder.group} if holder.group else {"UserName": user}
        for policy in holder.attached:
            if not _is_aws_managed(policy["PolicyArn"]):
                questions[policy["PolicyArn"]] = _managed_policy(clients, policy["PolicyArn"])
        for name in holder.inline:
            questions[holder.inline_id(name)] = _inline_policy(clients, name, of)
    return {
        id_: bool(wide)
        for id_, wide in zip(questions, round_.ask(*questions.values()), strict=True)
    }


def _is_aws_managed(arn: str) -> bool:
    return arn.split(":")[4:5] == ["aws"]


def _paged(clients: IamClients, action: str, element: str, **of: str) -> _Query:
    def call() -> list[Any]:
        with clients.reading(action) as iam:
            pages = iam.get_paginator(_method(iam, action)).paginate(**of)
            return [one for page in pages for one in page[element]]

    return action, call


def _inline_policy(clients: IamClients, name: str, of: Mapping[str, str]) -> _Query:
    action = "GetGroupPolicy" if "GroupName" in of else "GetUserPolicy"

    def call() -> bool:
        with clients.reading(action) as iam:
            document = getattr(iam, _method(iam, action))(PolicyName=name, **of)["PolicyDocument"]
        return grants_admin_access(_parse_document(document))

    return action, call


def _managed_policy(clients: IamClients, arn: str) -> _Query:
    """Return a query for the default version of a policy, which is in effect."""

    def call() -> bool:
        with clients.reading("GetPolicy") as iam:
            version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        with clients.reading("GetPolicyVersion") as iam:
            document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"][
                "Document"
            ]
        return grants_admin_access(_parse_document(document))

    return "GetPolicyVersion", call


def _method(iam: Any, action: str) -> str:
    """Return boto3's name of an API action: `list_mfa_devices` for ListMFADevices."""
    return str(next(name for name, of in iam.meta.method_to_api_mapping.items() if of == action))


def _parse_document(document: object) -> object:
    """Return a policy document as a dict.

    boto3 decodes most documents, and leaves a string where it could not.
    """
    return json.loads(document) if isinstance(document, str) else document
