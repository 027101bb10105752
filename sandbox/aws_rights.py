"""Judge calls to a strict local AWS by the caller's policies.

moto looks at actions only ("TODO add support for the Resource and Condition parts", its
access_control.py): it is told the actions, for a second opinion on them, and everything else is
judged here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from sandbox.aws_faults import Refusal
from sandbox.aws_keys import moto_iam, moto_key
from sandbox.iam_policy import Decision, Document, Request, decide, trusts

_ALWAYS = (
    "sts:GetCallerIdentity"  # "No permissions are required to perform this operation" (AWS STS API)
)
_NO_USER = "arn:aws:iam::000000000000:user/none"


@dataclass(frozen=True)
class _Caller:
    """Whom a key makes its holder.

    `principal` is the IAM user or role, `shown` what AWS's messages call it.
    """

    principal: str
    shown: str
    context: Mapping[str, str]

    @property
    def account(self) -> str:
        return self.principal.split(":")[4]


class Rights:
    """The policies of users and roles. No other rights exist."""

    def __init__(self) -> None:
        self._policies: dict[str, list[Document]] = {}
        self._trust: dict[str, Document] = {}

    def give(self, principal: str, policy: Document) -> None:
        """Let a user or role, by ARN, have this policy, and no other any more."""
        self._policies[principal] = [policy]
        kind, _, name = principal.split(":", 5)[5].partition("/")
        iam = moto_iam(principal.split(":")[4])
        put = iam.put_user_policy if kind == "user" else iam.put_role_policy
        put(name.rpartition("/")[2], "rights", json.dumps(actions_alone(policy)))

    def add_role(self, account: str, name: str, trust: Document, policy: Document) -> str:
        """Make a role of any account that trusts whom `trust` says. Return its ARN."""
        moto_iam(account).create_role(name, json.dumps(trust), "/", None, "", [], None)
        arn = f"arn:aws:iam::{account}:role/{name}"
        self._trust[arn] = trust
        self.give(arn, policy)
        return arn

    def refusal(
        self, key_id: str, service: str, action: str, parameters: Mapping[str, str]
    ) -> Refusal | None:
        """What AWS answers to a call of this key's holder. None where they may."""
        name, caller = f"{service}:{action}", _caller(key_id)
        if name == _ALWAYS:
            return None
        resource, tags = _resource(caller.account, parameters)
        request = Request(name, resource, {**caller.context, **tags}, caller.principal)
        decision = decide(self._policies.get(caller.principal, []), request)
        if decision is Decision.ALLOWED and name == "sts:AssumeRole":
            decision = self._trusted(request, parameters)
        if decision is Decision.ALLOWED:
            return None
        why = (
            "with an explicit deny in an identity-based policy"
            if decision is Decision.DENIED
            else f"because no identity-based policy allows the {name} action"
        )
        message = (
            f"User: {caller.shown} is not authorized to perform: {name} on resource: "
            f"{resource} {why}"
        )
        return Refusal("AccessDenied", message, 403)

    def _trusted(self, request: Request, parameters: Mapping[str, str]) -> Decision:
        context = {**request.context, "sts:RoleSessionName": parameters.get("RoleSessionName", "")}
        if "ExternalId" in parameters:
            context["sts:ExternalId"] = parameters["ExternalId"]
        trust = self._trust.get(request.resource)
        asks = Request(request.action, request.resource, context, request.principal)
        return trusts(trust, asks) if trust else Decision.NOT_ALLOWED


def actions_alone(policy: Document) -> dict[str, Any]:
    """Return the actions that a policy allows, as a policy that moto understands."""
    allowed = [one["Action"] for one in policy["Statement"] if one["Effect"] == "Allow"]
    actions = [action for one in allowed for action in (one if isinstance(one, list) else [one])]
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}],
    }


def is_over(key_id: str, token: str) -> bool:
    """Return True for a role's key with another token, or whose time is over."""
    role = _session(key_id)
    return role is not None and (
        token != role.session_token or role.expiration.replace(tzinfo=UTC) <= datetime.now(UTC)
    )


def _session(key_id: str) -> Any:
    """Return moto's record of the role that a temporary key stands for, or None."""
    roles = [
        role
        for account in list(sts_backends)
        for role in sts_backends[account]["aws"].assumed_roles
    ]
    return next((role for role in roles if role.access_key_id == key_id), None)


def _caller(key_id: str) -> _Caller:
    role = _session(key_id)
    if role is not None:
        return _Caller(role.role_arn, role.arn, {"aws:PrincipalArn": role.role_arn})
    key = moto_key(key_id)
    if key is None:
        return _Caller(_NO_USER, _NO_USER, {})
    user = next(
        moto_iam(one).users[key.user_name]
        for one in (DEFAULT_ACCOUNT_ID, *list(iam_backends))
        if key_id in moto_iam(one).access_keys
    )
    return _Caller(user.arn, user.arn, {"aws:username": user.name, "aws:PrincipalArn": user.arn})


def _resource(account: str, parameters: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """What a call is about, by ARN, with its tags.

    For AWS, too, a user who is not there is under no path.
    """
    iam = moto_iam(account)
    name = parameters.get("UserName")
    if name is None and "AccessKeyId" in parameters:
        key = iam.access_keys.get(parameters["AccessKeyId"])
        if key is None or not key.user_name:
            return "*", {}
        name = key.user_name
    if name is not None:
        user = iam.users.get(name)
        if user is None:
            return f"arn:aws:iam::{account}:user/{name}", {}
        tags = iam.list_user_tags(name)
        return user.arn, {
            f"{of}:ResourceTag/{tag['Key']}": tag["Value"] for tag in tags for of in ("aws", "iam")
        }
    if "GroupName" in parameters:
        return f"arn:aws:iam::{account}:group/{parameters['GroupName']}", {}
    return parameters.get("PolicyArn") or parameters.get("RoleArn") or "*", {}
