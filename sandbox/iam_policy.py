"""Evaluate IAM policies as AWS documents it.

By action, resource, condition and principal. Only what Keydesk's policies may use is known ("IAM
JSON policy elements reference" and "Policy evaluation logic", AWS IAM User Guide). Anything else
raises ValueError, since an evaluator that guesses proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Document = Mapping[str, Any]

_ELEMENTS = {
    "Sid",
    "Effect",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Principal",
    "Condition",
}
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_ARN_PARTS = 6


class Decision(StrEnum):
    """What the policies come to.

    Nothing that is not allowed is done. An explicit denial beats every permission.
    """

    ALLOWED = "allowed"
    NOT_ALLOWED = "not allowed"
    DENIED = "explicitly denied"


@dataclass(frozen=True)
class Request:
    """One call: an action on a resource, with the keys of its context.

    The action is like "iam:GetUser". The resource is an ARN, or "*".

    `principal` is the ARN of the IAM user or role that calls. Policies attached to it do not look
    at it, a role's trust policy does.
    """

    action: str
    resource: str = "*"
    context: Mapping[str, str] = field(default_factory=dict)
    principal: str = ""

    def value(self, key: str) -> str | None:
        """Return the value of a key of the context. Case does not matter."""
        return next(
            (value for name, value in self.context.items() if name.lower() == key.lower()), None
        )


def decide(documents: Iterable[Document], request: Request) -> Decision:
    """Return what a principal's own policies decide about its request.

    Raises ValueError for a policy that this file does not understand.
    """
    effects = {
        statement["Effect"]
        for document in documents
        for statement in _statements(document)
        if "Principal" not in statement and _applies(statement, request, document)
    }
    return _come_to(effects)


def trusts(document: Document, request: Request) -> Decision:
    """Return what a role's trust policy decides about `request.principal`.

    The principal wants to assume the role. Raises ValueError as `decide`.
    """
    effects = {
        statement["Effect"]
        for statement in _statements(document)
        if _names(statement["Principal"], request.principal)
        and _applies({**statement, "Resource": "*"}, request, document)
    }
    return _come_to(effects)


def _come_to(effects: set[str]) -> Decision:
    if "Deny" in effects:
        return Decision.DENIED
    return Decision.ALLOWED if "Allow" in effects else Decision.NOT_ALLOWED


def _statements(document: Document) -> list[dict[str, Any]]:
    found = document["Statement"]
    statements: list[dict[str, Any]] = [found] if isinstance(found, dict) else list(found)
    for statement in statements:
        if unknown := statement.keys() - _ELEMENTS:
            raise ValueError(f"elements that are not known here: {sorted(unknown)}")
        if statement["Effect"] not in ("Allow", "Deny"):
            raise ValueError(f"an effect that there is not: {statement['Effect']}")
    return statements


def _applies(statement: Mapping[str, Any], request: Request, document: Document) -> bool:
    variables = document.get("Version") == "2012-10-17"  # older policies take them for plain text
    return (
        _one_of(statement, "Action", lambda pattern: _like(pattern.lower(), request.action.lower()))
        and _one_of(statement, "Resource", lambda pattern: _covers(pattern, request, variables))
        and all(
            _holds(operator, key, values, request, variables)
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _one_of(statement: Mapping[str, Any], element: str, matches: Any) -> bool:
    """Return True if a pattern matches, or in the element's Not form if none does."""
    if element in statement:
        return any(matches(pattern) for pattern in _listed(statement[element]))
    return not any(matches(pattern) for pattern in _listed(statement[f"Not{element}"]))


def _names(principal: object, caller: str) -> bool:
    """Return True if a Principal element names the caller or its whole account.

    The account is named by its number or its root.
    """
    if not isinstance(principal, dict) or principal.keys() != {"AWS"}:
        raise ValueError("a principal that is not known here")
    account = caller.split(":")[4]
    return any(
        one in (caller, account, f"arn:aws:iam::{account}:root")
        for one in _listed(principal["AWS"])
    )


def _covers(pattern: str, request: Request, variables: bool) -> bool:
    """Return True if a pattern covers the request's resource.

    An asterisk stays within its part of an ARN, unless it ends that.
    """
    regex = _regex(pattern, request, variables)
    return regex is not None and re.fullmatch(regex, request.resource, re.DOTALL) is not None


def _regex(pattern: str, request: Request | None, variables: bool) -> str | None:
    """Return a pattern as a regular expression.

    Returns None where it has a variable that the request has no value for.
    """
    parts = pattern.split(":", _ARN_PARTS - 1)
    made = []
    for number, part in enumerate(parts):
        last, regex, at = number == _ARN_PARTS - 1 or len(parts) == 1, "", 0
        while at < len(part):
            found = _VARIABLE.match(part, at) if variables else None
            if found:
                value = _variable(found[1], request)
                if value is None:
                    return None
                regex, at = regex + re.escape(value), found.end()
                continue
            wild = {
                "*": ".*" if last or at == len(part) - 1 else "[^:]*",
                "?": "." if last else "[^:]",
            }
            regex += wild.get(part[at]) or re.escape(part[at])
            at += 1
        made.append(regex)
    return ":".join(made)


def _variable(name: str, request: Request | None) -> str | None:
    """The value of `${name}`.

    `${*}`, `${?}` and `${$}` are those characters themselves.
    """
    if name in ("*", "?", "$"):
        return name
    if "," in name:
        raise ValueError("variables with a default are not known here")
    return request.value(name) if request else None


def _like(pattern: str, text: str) -> bool:
    regex = "".join({"*": ".*", "?": "."}.get(one) or re.escape(one) for one in pattern)
    return re.fullmatch(regex, text, re.DOTALL) is not None


def _holds(operator: str, key: str, values: object, request: Request, variables: bool) -> bool:
    """Return True if one condition holds.

    A key that the request does not have meets only what is negated, or `…IfExists`.
    """
    given = request.value(key)
    wanted = [
        str(value).lower() if isinstance(value, bool) else str(value) for value in _listed(values)
    ]
    if operator == "Null":
        return any((given is None) == (value.lower() == "true") for value in wanted)
    plain = operator.removesuffix("IfExists")
    compare = _OPERATORS.get(plain.replace("Not", ""))
    if compare is None:
        raise ValueError(f"a condition operator that is not known here: {operator}")
    if given is None:
        return "Not" in plain or operator != plain
    return any(compare(value, given, request if variables else None) for value in wanted) != (
        "Not" in plain
    )


def _string_like(pattern: str, text: str, request: Request | None) -> bool:
    if _VARIABLE.search(pattern) and request:
        raise ValueError("variables in a condition are not known here")
    return _like(pattern, text)


def _arn_like(pattern: str, text: str, request: Request | None) -> bool:
    """Part by part: no wildcard reaches into the next part of an ARN."""
    patterns, parts = pattern.split(":", _ARN_PARTS - 1), text.split(":", _ARN_PARTS - 1)
    return len(patterns) == len(parts) == _ARN_PARTS and all(
        _string_like(one, part, request) for one, part in zip(patterns, parts, strict=True)
    )


_OPERATORS = {
    "StringEquals": lambda wanted, given, request: wanted == given,
    "StringEqualsIgnoreCase": lambda wanted, given, request: wanted.lower() == given.lower(),
    "StringLike": _string_like,
    "Bool": lambda wanted, given, request: wanted.lower() == given.lower(),
    "ArnEquals": _arn_like,  # it reads wildcards as well as ArnLike does
    "ArnLike": _arn_like,
}


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]
