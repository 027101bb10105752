"""No answer says whether a secret thing exists: what is somebody else's and what is not there are answered alike.

Alike is: the same HTTP answer, the same calls to Slack byte for byte (the two IDs aside), the same lines of the log but
for milliseconds, and as many entries on record. What the approvers see of a reported key is theirs to see.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.errors import KeydeskError
from bot.domain.identity import IamMapping
from bot.domain.keys import DesiredState, ManagedKey, Origin
from bot.domain.outside_errors import IamThrottled, IamUnavailable, IamUserNotFound
from bot.domain.records import AuditEntry, Change
from bot.operations.disable_key import adopted_key
from bot.slack import action_ids
from tests.verification.hostile.inside import Answered, Inside, dm_of, inside, must_be_calm
from tests.verification.hostile.recordings import click, recordings, typed

NO_KEY, NO_REQUEST, NO_USER = "AKIA" + "Z" * 16, "f" * 30, "ci-ghost"
PLACES = {"U0ALICE": "pending", "U0BOB": "given"}

ON_REQUESTS = [
    action_ids.APPROVE,
    action_ids.DENY,
    action_ids.TAKE_BACK,
    action_ids.REVOKE,
    action_ids.ON_IT,
    action_ids.NUDGE,
    action_ids.CANCEL,
    action_ids.REVEAL,
]
ON_KEYS = [
    action_ids.SAVED,
    action_ids.HAVE_IT,
    action_ids.DID_NOT_GET,
    action_ids.ENABLE_UNCLAIMED,
    action_ids.REPLACE,
    action_ids.DISABLE,
    action_ids.DELETE,
    action_ids.ENABLE,
    action_ids.ROTATE,
    action_ids.EXTEND,
    action_ids.CHECK,
    action_ids.NOT_YET,
    action_ids.DISABLE_OLD,
    action_ids.UNDO,
    action_ids.FOUND_DELETE,
    action_ids.FOUND_ENABLE,
    action_ids.LEAKED_DISABLE,
    action_ids.DISABLE_FOR,
    action_ids.ASK,
]
TYPED = [
    "used {key}",
    "disable {key}",
    "delete {key}",
    "rotate {key} old",
    "enable {key} please",
    "rotate {own} --delete {key} old",
]


@pytest.fixture(scope="module")
def told() -> Iterator[Inside]:
    """One desk for all, with a service user that is Alice's."""
    with inside() as found:
        rules = found.services.services.settings
        found.services.iam.add_user("ci-deploy", owner="U0ALICE")
        found.services.iam.add_user("ci-group", owner="S0OPS")
        for name in ("alice", "bob", "erin", "frank", "gina"):
            found.services.iam.add_user(f"{name}@example.com", owner=f"U0{name.upper()}")
        found.services.iam.create_key("gina@example.com")  # both of her slots are taken
        found.names["service"] = found.services.iam.create_key("ci-deploy")[0].id
        found.names["group"] = found.services.iam.create_key("ci-group")[0].id
        found.names["found"] = _found(found)
        found.names["reported"] = _reported(found)
        assert rules.iam_mapping == IamMapping()
        found.keep()
        yield found


def _found(services: Inside) -> str:
    """A key of Erin's that was found after a lost answer."""
    key = services.services.iam.create_key("erin@example.com")[0]
    record = ManagedKey(
        id=key.id,
        account="111122223333",
        iam_user=key.iam_user,
        owner="U0ERIN",
        request_id=services.names["approved"],
        origin=Origin.ORPHANED,
        created_at=key.created_at,
        desired=DesiredState.INACTIVE,
        version=1,
    )
    now = services.services.clock.now()
    services.services.store.commit(
        Change(None, record), entry=AuditEntry(now, "keydesk", "found", key_id=key.id)
    )
    return key.id


def _reported(services: Inside) -> str:
    """A key of Erin's that was reported two hours ago, and left on."""
    key, now = (
        services.services.iam.create_key("erin@example.com")[0],
        services.services.clock.now(),
    )
    record = replace(
        adopted_key("111122223333", key, "U0ERIN"),
        reported_by="U0FRANK",
        version=1,
        reported_at=now - timedelta(hours=2),
    )
    services.services.store.commit(
        Change(None, record), entry=AuditEntry(now, "U0FRANK", "report", key_id=key.id)
    )
    return key.id


@pytest.fixture(params=[False, True], ids=["people's keys", "service users, too"])
def services(told: Inside, request: pytest.FixtureRequest) -> Iterator[Inside]:
    """The desk, put back, without and with service users."""
    usual = told.services.services.settings
    object.__setattr__(
        told.services.services,
        "settings",
        usual.model_copy(update={"iam_owner_tag": "owner" if request.param else ""}),
    )
    yield told
    object.__setattr__(told.services.services, "settings", usual)


def seen(services: Inside, payload: dict[str, Any], *secret: str) -> tuple[Answered, str]:
    """What came of it, and all that can be seen of that, without the things that it was about."""
    services.put_back()
    entries = len(services.services.store.entries)
    answered = services.deliver(payload)
    must_be_calm(answered)
    noted = [
        (entry.by, entry.action, entry.to_status, entry.reason)
        for entry in services.services.store.entries[entries:]
    ]
    log = [
        {name: value for name, value in line.items() if name not in ("at", "ms")}
        for line in answered.log
    ]
    shown = json.dumps([answered.status, answered.body, answered.calls, log, noted], sort_keys=True)
    for thing in secret:
        shown = shown.replace(thing, "<it>")
    return answered, re.sub(r'"checking:[^"]*"', '"checking"', shown)


def alike(services: Inside, there: dict[str, Any], not_there: dict[str, Any], *secret: str) -> None:
    """Both are answered alike, and neither moves anything."""
    before = (services.put_back(), services.state())[1]
    (first, one), (_, other) = seen(services, there, *secret), seen(services, not_there, *secret)
    assert one == other
    assert services.state() == before and first.calls  # somebody was told something


@pytest.mark.parametrize("whose", ["pending", "given", "approved", "rotated"])
@pytest.mark.parametrize("action", ON_REQUESTS)
def test_another_users_request_is_answered_like_a_missing_one(
    services: Inside, action: str, whose: str
) -> None:
    request = services.names[whose]
    alike(
        services,
        click("gina", action, request, "t"),
        click("gina", action, NO_REQUEST, "t"),
        request,
        NO_REQUEST,
    )


@pytest.mark.parametrize("whose", ["key", "new", "old", "service", "found"])
@pytest.mark.parametrize("action", ON_KEYS)
def test_another_users_key_is_answered_like_a_missing_one(
    services: Inside, action: str, whose: str
) -> None:
    key = services.names[whose]
    alike(
        services, click("gina", action, key, "t"), click("gina", action, NO_KEY, "t"), key, NO_KEY
    )


@pytest.mark.parametrize("whose", ["key", "new", "old", "service", "found"])
@pytest.mark.parametrize("text", TYPED)
def test_a_command_on_another_users_key_hides_it(services: Inside, text: str, whose: str) -> None:
    there, none = (
        text.format(key=key, own=services.names["off"]) for key in (services.names[whose], NO_KEY)
    )
    alike(services, typed("gina", there), typed("gina", none), services.names[whose], NO_KEY)


ON_SERVICE_USERS = [
    "list --user {user}",
    "create --user {user} x",
    "used {off} --user {user}",
    "disable {off} --user {user}",
    "rotate {off} --user {user}",
]


@pytest.mark.parametrize("text", ON_SERVICE_USERS)
def test_another_service_user_is_answered_like_a_missing_one(services: Inside, text: str) -> None:
    there, none = (
        text.format(user=user, off=services.names["off"]) for user in ("ci-deploy", NO_USER)
    )
    alike(services, typed("gina", there), typed("gina", none), "ci-deploy", NO_USER)


@pytest.mark.parametrize("text", ON_SERVICE_USERS)
def test_an_unreadable_group_is_answered_alike(services: Inside, text: str) -> None:
    """Only one that is there has a group to be asked for, so the log may tell; whoever asked sees no difference."""
    with silent_groups(services):
        one, other = (
            to_gina(
                services, typed("gina", text.format(user=user, off=services.names["off"])), user
            )
            for user in ("ci-group", NO_USER)
        )
    assert one == other


def to_gina(services: Inside, payload: dict[str, Any], secret: str) -> tuple[int, str, str]:
    """All that Gina sees of an answer, without the thing that it was about."""
    answered, _ = seen(services, payload)
    shown = [
        (method, args)
        for method, args in answered.calls
        if args.get("user") == "U0GINA" and "text" in args or method.startswith("views.")
    ]
    assert shown
    told = json.dumps(shown).replace(secret, "<it>")
    return answered.status, answered.body, re.sub(r'"checking:[^"]*"', '"checking"', told)


@contextmanager
def silent_groups(services: Inside) -> Iterator[None]:
    """Slack does not say who is in a user group."""
    services.web.groups = "fatal_error"
    try:
        yield
    finally:
        services.web.groups = "no_such_subteam"


@pytest.mark.parametrize("action", ON_KEYS)
def test_a_click_on_its_key_is_answered_alike_then_too(services: Inside, action: str) -> None:
    with silent_groups(services):
        one, other = (
            to_gina(services, click("gina", action, key, "t"), key)
            for key in (services.names["group"], NO_KEY)
        )
    assert one == other


@pytest.mark.parametrize("text", TYPED)
def test_a_command_on_its_key_is_answered_alike_then_too(services: Inside, text: str) -> None:
    with silent_groups(services):
        one, other = (
            to_gina(services, typed("gina", text.format(key=key, own=services.names["off"])), key)
            for key in (services.names["group"], NO_KEY)
        )
    assert one == other


@pytest.mark.parametrize("form", [action_ids.ROTATE_FORM, action_ids.ENABLE_FORM])
def test_a_form_on_another_users_key_hides_it(services: Inside, form: str) -> None:
    def submitted(key: str) -> dict[str, Any]:
        payload = json.loads(json.dumps(recordings(services)[f"form {form}"]))
        payload["user"]["id"] = "U0GINA"
        payload["view"]["state"]["values"][action_ids.KEY_BLOCK][action_ids.KEY_INPUT][
            "selected_option"
        ]["value"] = key
        return dict(payload)

    alike(
        services, submitted(services.names["key"]), submitted(NO_KEY), services.names["key"], NO_KEY
    )


@pytest.mark.parametrize(
    ("form", "name", "none"),
    [(action_ids.DENY_FORM, "pending", NO_REQUEST), (action_ids.DISABLE_FOR_FORM, "key", NO_KEY)],
)
def test_an_approvers_form_from_who_is_none_is_answered_alike(
    services: Inside, form: str, name: str, none: str
) -> None:
    def submitted(about: str) -> dict[str, Any]:
        payload = json.loads(json.dumps(recordings(services)[f"form {form}"]))
        payload["user"]["id"] = "U0GINA"
        payload["view"]["private_metadata"] = about
        return dict(payload)

    alike(services, submitted(services.names[name]), submitted(none), services.names[name], none)


@pytest.mark.parametrize("who", ["gina", "dave"])
@pytest.mark.parametrize("whose", ["key", "new", "service", "group", "reported"])
def test_a_leak_report_does_not_tell_whether_the_key_exists(
    services: Inside, who: str, whose: str
) -> None:
    """A card for the approvers is made of one that exists; whoever has reported it sees nothing of that."""
    assert to_the_reporter(services, who, services.names[whose]) == to_the_reporter(
        services, who, NO_KEY
    )


def test_a_later_report_is_answered_alike_and_posted(
    services: Inside,
) -> None:
    services.put_back()
    calls = services.deliver(typed("dave", f"leaked {services.names['reported']}")).calls
    posted = [
        args["text"]
        for method, args in calls
        if method == "chat.postMessage" and args["channel"] == "C0APPROVALS"
    ]
    reported = services.names["reported"]
    assert [text for text in posted if reported in text and "leaked" in text]


def to_the_reporter(services: Inside, who: str, key: str) -> Any:
    """All that this person sees of what came of their report."""
    answered, _ = seen(services, typed(who, f"leaked {key}"))
    person = f"U0{who.upper()}"
    shown = [
        (method, args)
        for method, args in answered.calls
        if method != "users.info"
        and (
            args.get("user") == person or args.get("channel") == dm_of(person) or "user_id" in args
        )
    ]
    assert [method for method, _ in shown] == ["chat.postEphemeral"]
    lines = [line["outcome"] for line in answered.log if line["event"] == "leaked"]
    return answered.status, answered.body, lines, json.dumps(shown).replace(key, "<it>")


@pytest.mark.parametrize(
    "failure",
    [IamUserNotFound(), IamUnavailable("GetUser"), IamThrottled("Throttling", "GetUser")],
    ids=lambda one: type(one).__name__,
)
@pytest.mark.parametrize("call", ["user", "listed"])
@pytest.mark.parametrize("who", ["gina", "dave"])
def test_it_is_answered_alike_where_aws_does_not_say_whose_it_is(
    services: Inside, who: str, call: str, failure: KeydeskError
) -> None:
    with silent_iam(services, call, failure):
        for whose in ("key", "service"):
            assert to_the_reporter(services, who, services.names[whose]) == to_the_reporter(
                services, who, NO_KEY
            )


@contextmanager
def silent_iam(services: Inside, call: str, failure: KeydeskError) -> Iterator[None]:
    """IAM fails at each such call about a user."""

    def fails(name: str) -> Any:
        raise failure

    setattr(services.services.iam, call, fails)
    try:
        yield
    finally:
        delattr(services.services.iam, call)


@pytest.mark.parametrize("person", ["U0ALICE", "U0NOBODY", "U0DAVE", "U0CAROL"])
def test_nobody_but_an_approver_learns_whether_somebody_has_keys(
    services: Inside, person: str
) -> None:
    texts = [f"list <@{person}|x>", "list <@U0ERIN|x>"]
    alike(services, typed("gina", texts[0]), typed("gina", texts[1]), person, "U0ERIN")


def test_whoever_may_is_answered_differently(services: Inside) -> None:
    """Else these tests could not tell one answer from another."""
    request, key = services.names["pending"], services.names["key"]
    for there, none in (
        (
            click("carol", action_ids.APPROVE, request, "t"),
            click("carol", action_ids.APPROVE, NO_REQUEST, "t"),
        ),
        (
            click("alice", action_ids.CANCEL, request, "t"),
            click("alice", action_ids.CANCEL, NO_REQUEST, "t"),
        ),
        (typed("bob", f"used {key}"), typed("bob", f"used {NO_KEY}")),
    ):
        assert seen(services, there, request, key)[1] != seen(services, none, NO_REQUEST, NO_KEY)[1]
