"""Describe the shape of a piece of Block Kit, and find everything wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

Rule = Callable[[list[str], str, Any], None]
"""Given the problems found so far, a JSON pointer and a value, adds what is wrong with the
value."""


def anything() -> Rule:
    """Accept every value: for parts whose shape Slack does not document."""
    return lambda problems, at, value: None


def string(longest: int, shortest: int = 1) -> Rule:
    """Accept a string of that length in characters."""

    def check(problems: list[str], at: str, value: Any) -> None:
        if not isinstance(value, str):
            problems.append(f"must be a string [json-pointer:{at}]")
        elif len(value) > longest:
            problems.append(f"must be less than {longest + 1} characters [json-pointer:{at}]")
        elif len(value) < shortest:
            problems.append(f"must be more than {shortest - 1} characters [json-pointer:{at}]")

    return check


def boolean() -> Rule:
    """Accept true or false."""

    def check(problems: list[str], at: str, value: Any) -> None:
        if not isinstance(value, bool):
            problems.append(f"must be a boolean [json-pointer:{at}]")

    return check


def number(lowest: int, highest: int) -> Rule:
    """Accept a whole number in that range."""

    def check(problems: list[str], at: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
            problems.append(f"must be a number from {lowest} to {highest} [json-pointer:{at}]")

    return check


def one_of(*allowed: str) -> Rule:
    """Accept one of these words."""

    def check(problems: list[str], at: str, value: Any) -> None:
        if value not in allowed:
            problems.append(f"must be one of {', '.join(allowed)} [json-pointer:{at}]")

    return check


def items(rule: Rule, fewest: int, most: int) -> Rule:
    """Accept a list of so many values, each as the rule says."""

    def check(problems: list[str], at: str, value: Any) -> None:
        if not isinstance(value, list):
            problems.append(f"must be an array [json-pointer:{at}]")
            return
        if len(value) > most:
            problems.append(f"no more than {most} items allowed [json-pointer:{at}]")
        if len(value) < fewest:
            problems.append(f"no fewer than {fewest} items allowed [json-pointer:{at}]")
        for place, one in enumerate(value):
            rule(problems, f"{at}/{place}", one)

    return check


def shape(
    required: Mapping[str, Rule],
    optional: Mapping[str, Rule] | None = None,
    *,
    open_ended: bool = False,
) -> Rule:
    """Accept an object with these fields.

    Fields it does not know are refused unless open_ended.
    """
    known = {**required, **(optional or {})}

    def check(problems: list[str], at: str, value: Any) -> None:
        if not isinstance(value, Mapping):
            problems.append(f"must be an object [json-pointer:{at}]")
            return
        for name in required:
            if name not in value:
                problems.append(f"missing required field: {name} [json-pointer:{at}]")
        for name, part in value.items():
            if name in known:
                known[name](problems, f"{at}/{name}", part)
            elif name != "type" and not open_ended:
                problems.append(f"invalid additional property: {name} [json-pointer:{at}]")

    return check


def by_type(rules: Mapping[str, Rule], allowed: Collection[str] | None = None) -> Rule:
    """Accept an object that the rule of its `type` accepts.

    The type must be in `allowed` (default: all).
    """
    usable = set(rules if allowed is None else allowed)

    def check(problems: list[str], at: str, value: Any) -> None:
        kind = value.get("type") if isinstance(value, Mapping) else None
        if not isinstance(kind, str):
            problems.append(f"must be an object with a type [json-pointer:{at}]")
        elif kind not in rules:
            problems.append(f"unsupported type: {kind} [json-pointer:{at}/type]")
        elif kind not in usable:
            problems.append(f"element type not allowed here: {kind} [json-pointer:{at}/type]")
        else:
            rules[kind](problems, at, value)

    return check


def both(*rules: Rule) -> Rule:
    """Accept what every rule accepts."""

    def check(problems: list[str], at: str, value: Any) -> None:
        for rule in rules:
            rule(problems, at, value)

    return check


def exactly_one(*names: str) -> Rule:
    """Accept an object with exactly one of these fields."""

    def check(problems: list[str], at: str, value: Any) -> None:
        if isinstance(value, Mapping) and sum(name in value for name in names) != 1:
            problems.append(f"needs exactly one of {', '.join(names)} [json-pointer:{at}]")

    return check


def at_least_one(*names: str) -> Rule:
    """Accept an object with one of these fields or more."""

    def check(problems: list[str], at: str, value: Any) -> None:
        if isinstance(value, Mapping) and not any(name in value for name in names):
            problems.append(f"needs one of {', '.join(names)} [json-pointer:{at}]")

    return check
