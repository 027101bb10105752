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

from bot.core.access_key import ManagedKey, Origin, Wanted
from bot.core.errors import IamThrottled, IamUnavailable, KeydeskError, NoSuchIamUser
from bot.core.people import IamMapping
from bot.core.ports import Change, Entry
from bot.core.workflow.retire import adopted
from bot.slack import ids
from tests.hostile.inside import Answered, Inside, dm_of, inside, must_be_calm
from tests.hostile.recordings import click, recordings, typed

NO_KEY, NO_REQUEST, NO_USER = "AKIA" + "Z" * 16, "f" * 30, "ci-ghost"
PLACES = {"U0ALICE": "pending", "U0BOB": "given"}

ON_REQUESTS = [
    ids.APPROVE,
    ids.DENY,
    ids.TAKE_BACK,
    ids.REVOKE,
    ids.ON_IT,
    ids.NUDGE,
    ids.CANCEL,
    ids.REVEAL,
]
ON_KEYS = [
    ids.SAVED,
    ids.HAVE_IT,
    ids.DID_NOT_GET,
    ids.ENABLE_UNCLAIMED,
    ids.REPLACE,
    ids.DISABLE,
    ids.DELETE,
    ids.ENABLE,
    ids.ROTATE,
    ids.EXTEND,
    ids.CHECK,
    ids.NOT_YET,
    ids.DISABLE_OLD,
    ids.UNDO,
    ids.FOUND_DELETE,
    ids.FOUND_ENABLE,
    ids.LEAKED_DISABLE,
    ids.DISABLE_FOR,
    ids.ASK,
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
        rules = found.desk.desk.rules
        found.desk.iam.add_user("ci-deploy", owner="U0ALICE")
        found.desk.iam.add_user("ci-group", owner="S0OPS")
        for name in ("alice", "bob", "erin", "frank", "gina"):
            found.desk.iam.add_user(f"{name}@example.com", owner=f"U0{name.upper()}")
        found.desk.iam.create_key("gina@example.com")  # both of her slots are taken
        found.names["service"] = found.desk.iam.create_key("ci-deploy")[0].id
        found.names["group"] = found.desk.iam.create_key("ci-group")[0].id
        found.names["found"] = _found(found)
        found.names["reported"] = _reported(found)
        assert rules.mapping == IamMapping()
        found.keep()
        yield found


def _found(desk: Inside) -> str:
    """A key of Erin's that was found after a lost answer."""
    key = desk.desk.iam.create_key("erin@example.com")[0]
    record = ManagedKey(
        id=key.id,
        account="111122223333",
        iam_user=key.iam_user,
        owner="U0ERIN",
        request_id=desk.names["approved"],
        origin=Origin.FOUND,
        made_at=key.created_at,
        wanted=Wanted.INACTIVE,
        version=1,
    )
    now = desk.desk.clock.now()
    desk.desk.store.commit(
        Change(None, record), entry=Entry(now, "keydesk", "found", key_id=key.id)
    )
    return key.id


def _reported(desk: Inside) -> str:
    """A key of Erin's that was reported two hours ago, and left on."""
    key, now = desk.desk.iam.create_key("erin@example.com")[0], desk.desk.clock.now()
    record = replace(
        adopted("111122223333", key, "U0ERIN"),
        reported_by="U0FRANK",
        version=1,
        reported_at=now - timedelta(hours=2),
    )
    desk.desk.store.commit(
        Change(None, record), entry=Entry(now, "U0FRANK", "report", key_id=key.id)
    )
    return key.id


@pytest.fixture(params=[False, True], ids=["people's keys", "service users, too"])
def desk(told: Inside, request: pytest.FixtureRequest) -> Iterator[Inside]:
    """The desk, put back, without and with service users."""
    usual = told.desk.desk.rules
    object.__setattr__(
        told.desk.desk, "rules", replace(usual, owner_tag="owner" if request.param else "")
    )
    yield told
    object.__setattr__(told.desk.desk, "rules", usual)


def seen(desk: Inside, payload: dict[str, Any], *secret: str) -> tuple[Answered, str]:
    """What came of it, and all that can be seen of that, without the things that it was about."""
    desk.put_back()
    entries = len(desk.desk.store.entries)
    answered = desk.deliver(payload)
    must_be_calm(answered)
    noted = [
        (entry.by, entry.action, entry.becomes, entry.why)
        for entry in desk.desk.store.entries[entries:]
    ]
    log = [
        {name: value for name, value in line.items() if name not in ("at", "ms")}
        for line in answered.log
    ]
    shown = json.dumps([answered.status, answered.body, answered.calls, log, noted], sort_keys=True)
    for thing in secret:
        shown = shown.replace(thing, "<it>")
    return answered, re.sub(r'"checking:[^"]*"', '"checking"', shown)


def alike(desk: Inside, there: dict[str, Any], not_there: dict[str, Any], *secret: str) -> None:
    """Both are answered alike, and neither moves anything."""
    before = (desk.put_back(), desk.facts())[1]
    (first, one), (_, other) = seen(desk, there, *secret), seen(desk, not_there, *secret)
    assert one == other
    assert desk.facts() == before and first.calls  # somebody was told something


@pytest.mark.parametrize("whose", ["pending", "given", "approved", "rotated"])
@pytest.mark.parametrize("action", ON_REQUESTS)
def test_somebody_elses_request_is_answered_like_one_that_is_not_there(
    desk: Inside, action: str, whose: str
) -> None:
    request = desk.names[whose]
    alike(
        desk,
        click("gina", action, request, "t"),
        click("gina", action, NO_REQUEST, "t"),
        request,
        NO_REQUEST,
    )


@pytest.mark.parametrize("whose", ["key", "new", "old", "service", "found"])
@pytest.mark.parametrize("action", ON_KEYS)
def test_somebody_elses_key_is_answered_like_one_that_is_not_there(
    desk: Inside, action: str, whose: str
) -> None:
    key = desk.names[whose]
    alike(desk, click("gina", action, key, "t"), click("gina", action, NO_KEY, "t"), key, NO_KEY)


@pytest.mark.parametrize("whose", ["key", "new", "old", "service", "found"])
@pytest.mark.parametrize("text", TYPED)
def test_a_command_on_somebody_elses_key_is_answered_like_one_on_none(
    desk: Inside, text: str, whose: str
) -> None:
    there, none = (
        text.format(key=key, own=desk.names["off"]) for key in (desk.names[whose], NO_KEY)
    )
    alike(desk, typed("gina", there), typed("gina", none), desk.names[whose], NO_KEY)


ON_SERVICE_USERS = [
    "list --user {user}",
    "create --user {user} x",
    "used {off} --user {user}",
    "disable {off} --user {user}",
    "rotate {off} --user {user}",
]


@pytest.mark.parametrize("text", ON_SERVICE_USERS)
def test_somebody_elses_service_user_is_answered_like_one_that_is_not_there(
    desk: Inside, text: str
) -> None:
    there, none = (text.format(user=user, off=desk.names["off"]) for user in ("ci-deploy", NO_USER))
    alike(desk, typed("gina", there), typed("gina", none), "ci-deploy", NO_USER)


@pytest.mark.parametrize("text", ON_SERVICE_USERS)
def test_it_is_answered_alike_where_slack_does_not_say_who_is_in_its_group(
    desk: Inside, text: str
) -> None:
    """Only one that is there has a group to be asked for, so the log may tell; whoever asked sees no difference."""
    with silent_groups(desk):
        one, other = (
            to_gina(desk, typed("gina", text.format(user=user, off=desk.names["off"])), user)
            for user in ("ci-group", NO_USER)
        )
    assert one == other


def to_gina(desk: Inside, payload: dict[str, Any], secret: str) -> tuple[int, str, str]:
    """All that Gina sees of an answer, without the thing that it was about."""
    answered, _ = seen(desk, payload)
    shown = [
        (method, args)
        for method, args in answered.calls
        if args.get("user") == "U0GINA" and "text" in args or method.startswith("views.")
    ]
    assert shown
    told = json.dumps(shown).replace(secret, "<it>")
    return answered.status, answered.body, re.sub(r'"checking:[^"]*"', '"checking"', told)


@contextmanager
def silent_groups(desk: Inside) -> Iterator[None]:
    """Slack does not say who is in a user group."""
    desk.web.groups = "fatal_error"
    try:
        yield
    finally:
        desk.web.groups = "no_such_subteam"


@pytest.mark.parametrize("action", ON_KEYS)
def test_a_click_on_its_key_is_answered_alike_then_too(desk: Inside, action: str) -> None:
    with silent_groups(desk):
        one, other = (
            to_gina(desk, click("gina", action, key, "t"), key)
            for key in (desk.names["group"], NO_KEY)
        )
    assert one == other


@pytest.mark.parametrize("text", TYPED)
def test_a_command_on_its_key_is_answered_alike_then_too(desk: Inside, text: str) -> None:
    with silent_groups(desk):
        one, other = (
            to_gina(desk, typed("gina", text.format(key=key, own=desk.names["off"])), key)
            for key in (desk.names["group"], NO_KEY)
        )
    assert one == other


@pytest.mark.parametrize("form", [ids.ROTATE_FORM, ids.ENABLE_FORM])
def test_a_form_on_somebody_elses_key_is_answered_like_one_on_none(desk: Inside, form: str) -> None:
    def submitted(key: str) -> dict[str, Any]:
        payload = json.loads(json.dumps(recordings(desk)[f"form {form}"]))
        payload["user"]["id"] = "U0GINA"
        payload["view"]["state"]["values"][ids.KEY_BLOCK][ids.KEY_INPUT]["selected_option"][
            "value"
        ] = key
        return dict(payload)

    alike(desk, submitted(desk.names["key"]), submitted(NO_KEY), desk.names["key"], NO_KEY)


@pytest.mark.parametrize(
    ("form", "name", "none"),
    [(ids.DENY_FORM, "pending", NO_REQUEST), (ids.DISABLE_FOR_FORM, "key", NO_KEY)],
)
def test_an_approvers_form_from_who_is_none_is_answered_alike(
    desk: Inside, form: str, name: str, none: str
) -> None:
    def submitted(about: str) -> dict[str, Any]:
        payload = json.loads(json.dumps(recordings(desk)[f"form {form}"]))
        payload["user"]["id"] = "U0GINA"
        payload["view"]["private_metadata"] = about
        return dict(payload)

    alike(desk, submitted(desk.names[name]), submitted(none), desk.names[name], none)


@pytest.mark.parametrize("who", ["gina", "dave"])
@pytest.mark.parametrize("whose", ["key", "new", "service", "group", "reported"])
def test_a_leak_report_is_answered_alike_whether_or_not_the_key_exists(
    desk: Inside, who: str, whose: str
) -> None:
    """A card for the approvers is made of one that exists; whoever has reported it sees nothing of that."""
    assert to_the_reporter(desk, who, desk.names[whose]) == to_the_reporter(desk, who, NO_KEY)


def test_whoever_reports_once_more_what_was_reported_long_ago_is_told_the_same_and_the_approvers_see_it(
    desk: Inside,
) -> None:
    desk.put_back()
    calls = desk.deliver(typed("dave", f"leaked {desk.names['reported']}")).calls
    posted = [
        args["text"]
        for method, args in calls
        if method == "chat.postMessage" and args["channel"] == "C0APPROVALS"
    ]
    assert f"Leaked key {desk.names['reported']}: disable it now?" in posted


def to_the_reporter(desk: Inside, who: str, key: str) -> Any:
    """All that this person sees of what came of their report."""
    answered, _ = seen(desk, typed(who, f"leaked {key}"))
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
    [NoSuchIamUser(), IamUnavailable("GetUser"), IamThrottled("Throttling", "GetUser")],
    ids=lambda one: type(one).__name__,
)
@pytest.mark.parametrize("call", ["user", "listed"])
@pytest.mark.parametrize("who", ["gina", "dave"])
def test_it_is_answered_alike_where_aws_does_not_say_whose_it_is(
    desk: Inside, who: str, call: str, failure: KeydeskError
) -> None:
    with silent_iam(desk, call, failure):
        for whose in ("key", "service"):
            assert to_the_reporter(desk, who, desk.names[whose]) == to_the_reporter(
                desk, who, NO_KEY
            )


@contextmanager
def silent_iam(desk: Inside, call: str, failure: KeydeskError) -> Iterator[None]:
    """IAM fails at each such call about a user."""

    def fails(name: str) -> Any:
        raise failure

    setattr(desk.desk.iam, call, fails)
    try:
        yield
    finally:
        delattr(desk.desk.iam, call)


@pytest.mark.parametrize("person", ["U0ALICE", "U0NOBODY", "U0DAVE", "U0CAROL"])
def test_nobody_but_an_approver_learns_whether_somebody_has_keys(desk: Inside, person: str) -> None:
    texts = [f"list <@{person}|x>", "list <@U0ERIN|x>"]
    alike(desk, typed("gina", texts[0]), typed("gina", texts[1]), person, "U0ERIN")


def test_whoever_may_is_answered_differently(desk: Inside) -> None:
    """Else these tests could not tell one answer from another."""
    request, key = desk.names["pending"], desk.names["key"]
    for there, none in (
        (click("carol", ids.APPROVE, request, "t"), click("carol", ids.APPROVE, NO_REQUEST, "t")),
        (click("alice", ids.CANCEL, request, "t"), click("alice", ids.CANCEL, NO_REQUEST, "t")),
        (typed("bob", f"used {key}"), typed("bob", f"used {NO_KEY}")),
    ):
        assert seen(desk, there, request, key)[1] != seen(desk, none, NO_REQUEST, NO_KEY)[1]
