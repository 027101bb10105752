"""Answer alike about what belongs to another user and what does not exist.

Alike is: the same HTTP answer, the same calls to Slack (the two IDs aside), the same log lines
without times, and as many audit entries. Approvers may see more of a reported key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from bot.domain.errors import KeydeskError
from bot.domain.outside_errors import IamThrottled, IamUnavailable, IamUserNotFound
from bot.slack import action_ids
from tests.verification.hostile.permitted import OF_KEYS, OF_REQUESTS
from tests.verification.hostile.recordings import CLICKED, Payload, click, submitted, typed
from tests.verification.hostile.target import NO_GROUP, Answered, Target, check_calm, dm_of

NO_KEY, NO_REQUEST, NO_USER = "AKIA" + "Z" * 16, "f" * 30, "ci-ghost"
ON_REQUESTS = [action for action, (_, subject) in CLICKED.items() if subject in OF_REQUESTS]
ON_KEYS = [action for action, (_, subject) in CLICKED.items() if subject in OF_KEYS]
COMMANDS = [
    "used {key}",
    "disable {key}",
    "delete {key}",
    "rotate {key} old",
    "enable {key} please",
    "rotate {own} --delete {key} old",
]
ON_SERVICE_USERS = [
    "list --user {user}",
    "create --user {user} x",
    "used {off} --user {user}",
    "disable {off} --user {user}",
    "rotate {off} --user {user}",
]
OTHERS_KEYS = ["key", "new", "old", "service", "found"]


@pytest.fixture(params=["", "owner"], ids=["members' keys", "service users, too"])
def target(furnished: Target, request: pytest.FixtureRequest) -> Iterator[Target]:
    """Return the target without and with service users."""
    services = furnished.bot.services
    usual = services.settings
    changed = usual.model_copy(update={"iam_owner_tag": request.param})
    object.__setattr__(services, "settings", changed)
    yield furnished
    object.__setattr__(services, "settings", usual)


# -- comparing two answers


def seen(target: Target, payload: Payload, *ids: str) -> tuple[Answered, str]:
    """Return an answer and all that can be seen of it, without the IDs."""
    target.restore()
    before = len(target.bot.store.entries)
    answered = target.deliver(payload)
    check_calm(answered)
    entries = [
        (entry.by, entry.action, entry.to_status, entry.reason)
        for entry in target.bot.store.entries[before:]
    ]
    log = [
        {name: value for name, value in line.items() if name not in ("at", "ms")}
        for line in answered.log
    ]
    return answered, without([answered.status, answered.body, answered.calls, log, entries], *ids)


def without(shown: Any, *ids: str) -> str:
    text = json.dumps(shown, sort_keys=True)
    for id_ in ids:
        text = text.replace(id_, "<ID>")
    return re.sub(r'"checking:[^"]*"', '"checking"', text)


def alike(target: Target, payload_for: Callable[[str], Payload], there: str, none: str) -> None:
    """Check that both are answered alike, and that neither changes anything."""
    before = target.restore()
    first, one = seen(target, payload_for(there), there, none)
    _, other = seen(target, payload_for(none), there, none)
    assert one == other
    assert target.state() == before and first.calls  # the user was answered


def to_gina(target: Target, payload: Payload, id_: str) -> tuple[int, str, str]:
    """Return all that Gina sees of an answer, without the ID."""
    answered, _ = seen(target, payload)
    shown = [
        (method, args)
        for method, args in answered.calls
        if args.get("user") == "U0GINA" and "text" in args or method.startswith("views.")
    ]
    assert shown
    return answered.status, answered.body, without(shown, id_)


def to_the_reporter(target: Target, who: str, key: str) -> Any:
    """Return all that a user sees of what came of their report."""
    answered, _ = seen(target, typed(who, f"leaked {key}"))
    user = f"U0{who.upper()}"
    shown = [
        (method, args)
        for method, args in answered.calls
        if method != "users.info"
        and (user == args.get("user") or args.get("channel") == dm_of(user) or "user_id" in args)
    ]
    assert [method for method, _ in shown] == ["chat.postEphemeral"]
    outcomes = [line["outcome"] for line in answered.log if line["event"] == "leaked"]
    return answered.status, answered.body, outcomes, without(shown, key)


@contextmanager
def silent_groups(target: Target) -> Iterator[None]:
    """Let Slack fail at each question about a user group."""
    target.web.group_error = "fatal_error"
    try:
        yield
    finally:
        target.web.group_error = NO_GROUP


@contextmanager
def silent_iam(target: Target, call: str, failure: KeydeskError) -> Iterator[None]:
    """Let IAM fail at each such call about a user."""

    def fails(name: str) -> Any:
        raise failure

    setattr(target.bot.iam, call, fails)
    try:
        yield
    finally:
        delattr(target.bot.iam, call)


# -- requests, keys and service users


def clicked(action: str) -> Callable[[str], Payload]:
    return lambda id_: click("gina", action, id_, "t")


def on_key(target: Target, text: str) -> Callable[[str], Payload]:
    return lambda key: typed("gina", text.format(key=key, own=target.names["off"]))


def on_service_user(target: Target, text: str) -> Callable[[str], Payload]:
    return lambda user: typed("gina", text.format(user=user, off=target.names["off"]))


@pytest.mark.parametrize("whose", ["pending", "given", "approved", "rotated"])
@pytest.mark.parametrize("action", ON_REQUESTS)
def test_another_users_request_is_answered_like_none(
    target: Target, action: str, whose: str
) -> None:
    alike(target, clicked(action), target.names[whose], NO_REQUEST)


@pytest.mark.parametrize("whose", OTHERS_KEYS)
@pytest.mark.parametrize("action", ON_KEYS)
def test_another_users_key_is_answered_like_none(target: Target, action: str, whose: str) -> None:
    alike(target, clicked(action), target.names[whose], NO_KEY)


@pytest.mark.parametrize("whose", OTHERS_KEYS)
@pytest.mark.parametrize("text", COMMANDS)
def test_a_command_on_another_users_key_hides_it(target: Target, text: str, whose: str) -> None:
    alike(target, on_key(target, text), target.names[whose], NO_KEY)


@pytest.mark.parametrize("text", ON_SERVICE_USERS)
def test_another_service_user_is_answered_like_none(target: Target, text: str) -> None:
    alike(target, on_service_user(target, text), "ci-deploy", NO_USER)


@pytest.mark.parametrize("form", [action_ids.ROTATE_FORM, action_ids.ENABLE_FORM])
def test_a_form_on_another_users_key_hides_it(target: Target, form: str) -> None:
    alike(target, lambda key: submitted(form, "gina", key), target.names["key"], NO_KEY)


@pytest.mark.parametrize(
    ("form", "name", "none"),
    [(action_ids.DENY_FORM, "pending", NO_REQUEST), (action_ids.DISABLE_FOR_FORM, "key", NO_KEY)],
)
def test_an_approvers_form_hides_its_subject_from_others(
    target: Target, form: str, name: str, none: str
) -> None:
    alike(target, lambda id_: submitted(form, "gina", id_), target.names[name], none)


@pytest.mark.parametrize("person", ["U0ALICE", "U0UNKNOWN", "U0DAVE", "U0CAROL"])
def test_only_approvers_learn_who_has_keys(target: Target, person: str) -> None:
    alike(target, lambda user: typed("gina", f"list <@{user}|x>"), person, "U0ERIN")


# -- outages: only an existing service user has a group to ask for, so the log may differ


def hidden_without_groups(
    target: Target, payload_for: Callable[[str], Payload], there: str, none: str
) -> None:
    """Check that Gina sees the same of both while Slack does not read user groups."""
    with silent_groups(target):
        one = to_gina(target, payload_for(there), there)
        assert one == to_gina(target, payload_for(none), none)


@pytest.mark.parametrize("text", ON_SERVICE_USERS)
def test_an_unreadable_group_hides_its_service_user(target: Target, text: str) -> None:
    hidden_without_groups(target, on_service_user(target, text), "ci-group", NO_USER)


@pytest.mark.parametrize("action", ON_KEYS)
def test_an_unreadable_group_hides_a_clicked_key(target: Target, action: str) -> None:
    hidden_without_groups(target, clicked(action), target.names["group"], NO_KEY)


@pytest.mark.parametrize("text", COMMANDS)
def test_an_unreadable_group_hides_a_typed_key(target: Target, text: str) -> None:
    hidden_without_groups(target, on_key(target, text), target.names["group"], NO_KEY)


# -- leak reports


@pytest.mark.parametrize("who", ["gina", "dave"])
@pytest.mark.parametrize("whose", ["key", "new", "service", "group", "reported"])
def test_a_leak_report_hides_whether_the_key_exists(target: Target, who: str, whose: str) -> None:
    """An existing key makes a card for the approvers, which the reporter does not see."""
    reported = to_the_reporter(target, who, target.names[whose])
    assert reported == to_the_reporter(target, who, NO_KEY)


def test_a_later_report_is_answered_alike_and_posted(target: Target) -> None:
    target.restore()
    reported = target.names["reported"]
    calls = target.deliver(typed("dave", f"leaked {reported}")).calls
    posted = [args for method, args in calls if method == "chat.postMessage"]
    texts = [args["text"] for args in posted if args["channel"] == "C0APPROVALS"]
    assert [text for text in texts if reported in text and "leaked" in text]


@pytest.mark.parametrize(
    "failure",
    [IamUserNotFound(), IamUnavailable("GetUser"), IamThrottled("Throttling", "GetUser")],
    ids=lambda one: type(one).__name__,
)
@pytest.mark.parametrize("call", ["user", "listed"])
@pytest.mark.parametrize("who", ["gina", "dave"])
def test_a_leak_report_hides_the_key_without_aws(
    target: Target, who: str, call: str, failure: KeydeskError
) -> None:
    with silent_iam(target, call, failure):
        none = to_the_reporter(target, who, NO_KEY)
        for whose in ("key", "service"):
            assert to_the_reporter(target, who, target.names[whose]) == none


def test_a_permitted_user_is_answered_differently(target: Target) -> None:
    """The positive control: these tests can tell one answer from another."""
    request, key = target.names["pending"], target.names["key"]
    cases: list[tuple[Callable[[str], Payload], str, str]] = [
        (lambda id_: click("carol", action_ids.APPROVE, id_, "t"), request, NO_REQUEST),
        (lambda id_: click("alice", action_ids.CANCEL, id_, "t"), request, NO_REQUEST),
        (lambda id_: typed("bob", f"used {id_}"), key, NO_KEY),
    ]
    for payload_for, there, none in cases:
        _, one = seen(target, payload_for(there), there, none)
        _, other = seen(target, payload_for(none), there, none)
        assert one != other
