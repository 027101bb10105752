"""The Home tab: everything a person may do with their keys, within Slack's limits, saying what it leaves out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.keys import (
    AccessKey,
    DesiredState,
    InactiveReason,
    KeyStatus,
    ManagedKey,
)
from bot.domain.requests import KeyRequest
from bot.slack import action_ids
from bot.slack.listeners.routes import BUTTONS
from bot.slack.messages import home
from bot.slack.messages.home import (
    MAX_OPEN,
    MAX_WAITING,
    Home,
    view,
)
from sandbox.limits import check_view
from tests.support.example_keys import EXPIRED, KEPT, LEAKED, MANAGED
from tests.support.example_requests import (
    APPROVED,
    DELIVERED,
    ID,
    KEY,
    KEYS,
    LATER,
    NOW,
    OLDER_KEY,
    PENDING,
    REQUESTER,
    REQUESTS,
    UNKNOWN_USE,
    VERBS,
    buttons,
    parts,
)
from tests.support.example_requests import APPROVER as DECIDER

NONE = Home((), {}, (), NOW)
TWO = replace(NONE, keys=KEYS, records={KEY: KEPT})
WAITING = [
    replace(PENDING, id=f"{number:030x}", requested_at=NOW + timedelta(minutes=number))
    for number in range(100)
]
APPROVER = replace(
    TWO,
    approver=True,
    waiting=WAITING,
    waiting_in_all=100,
    instead="People: use <SSO> & *co*. " * 30,
    requests=[replace(request, id=f"f{n:029x}") for n, request in enumerate(REQUESTS.values())],
)


def words(observed: dict[str, Any]) -> str:
    """All that can be read, as text to search in."""
    return "\n".join(
        one["text"]
        for kind in ("mrkdwn", "plain_text", "raw_text", "text")
        for one in parts(observed, kind)
    )


def rows(observed: dict[str, Any]) -> list[list[str]]:
    """The table's rows without its head."""
    [table] = parts(observed, "table")
    return [[cell["text"] for cell in row] for row in table["rows"]][1:]


def one_key(key: AccessKey, record: ManagedKey | None) -> dict[str, Any]:
    return view(replace(NONE, keys=[key], records={key.id: record} if record else {}))


def values(observed: dict[str, Any], action_id: str) -> list[str]:
    return [one["value"] for one in parts(observed, "button") if one["action_id"] == action_id]


@pytest.mark.parametrize(
    "observed",
    [
        NONE,
        TWO,
        APPROVER,
        replace(NONE, approver=True),
        replace(NONE, problem="x" * 5000),
    ],
    ids=["none", "two keys", "100 waiting", "nothing waits", "keys unknown"],
)
def test_slack_takes_it(observed: Home) -> None:
    check_view(view(observed), allowed="home")
    assert set(buttons(view(observed))) <= set(BUTTONS)
    assert buttons(view(observed))[action_ids.ASK] == "new"


def test_who_has_no_key_can_ask_for_one_and_sees_nothing_else() -> None:
    assert words(view(NONE)).splitlines()[0] == "You have none."
    assert set(buttons(view(NONE))) == {action_ids.ASK} and not parts(view(NONE), "table")


@pytest.mark.parametrize("name", MANAGED)
@pytest.mark.parametrize("status", KeyStatus)
def test_slack_takes_a_key_in_each_state(name: str, status: KeyStatus) -> None:
    for key in (KEYS[0], UNKNOWN_USE, KEYS[1]):
        check_view(one_key(replace(key, id=KEY, status=status), MANAGED[name]), allowed="home")


def test_keys_are_a_table_with_state_age_last_use_and_end() -> None:
    first, second = rows(view(TWO))
    assert first[:3] == [KEY, "active", "400 days old"] and first[4] == "27 Nov 2026 10:02 UTC"
    assert (
        first[3].startswith("21 Nov 2026 10:02 UTC, a-service-with")
        and "us-gov-northwest-17" in first[3]
    )
    assert second == [OLDER_KEY, "inactive", "made today", "never", "is off"]
    assert rows(one_key(UNKNOWN_USE, None))[0][3:] == ["unknown", "not by itself"]


@pytest.mark.parametrize(
    "record", [EXPIRED, replace(EXPIRED, delete_at=None), LEAKED, None], ids=str
)
def test_an_inactive_key_shows_no_end_but_when_it_is_deleted(record: ManagedKey | None) -> None:
    [row] = rows(one_key(replace(KEYS[0], status=KeyStatus.INACTIVE), record))
    assert row[4] == ("deleted 27 Nov 2026 10:02 UTC" if record and record.delete_at else "is off")
    assert row[1] == (f"inactive ({record.inactive_reason})" if record else "inactive")


def test_below_the_table_each_key_has_the_actions_that_its_state_allows_and_they_name_it() -> None:
    shown = view(TWO)
    assert (values(shown, action_ids.ROTATE), values(shown, action_ids.DISABLE)) == ([KEY], [KEY])
    assert (values(shown, action_ids.ENABLE), values(shown, action_ids.DELETE)) == (
        [OLDER_KEY],
        [OLDER_KEY],
    )
    about_keys = [one for one in parts(shown, "button") if one["value"] in (KEY, OLDER_KEY)]
    assert all(one["text"]["text"].endswith(f"…{one['value'][-4:]}") for one in about_keys)
    assert all(
        "confirm" in one
        for one in about_keys
        if one["action_id"] in (action_ids.DISABLE, action_ids.DELETE)
    )


def test_a_leaked_key_can_only_be_deleted() -> None:
    off = replace(KEYS[0], status=KeyStatus.INACTIVE)
    assert set(buttons(one_key(off, LEAKED))) == {action_ids.ASK, action_ids.DELETE}
    assert (
        LEAKED.inactive_reason is InactiveReason.LEAKED and LEAKED.desired is DesiredState.INACTIVE
    )


def test_open_requests_can_be_cancelled_where_that_works() -> None:
    shown = view(
        replace(NONE, requests=[APPROVED, replace(DELIVERED, id="b" * 30), REQUESTS["denied"]])
    )
    assert values(shown, action_ids.CANCEL) == [ID]
    assert "delivered" in words(shown) and "denied" not in words(shown)


def test_more_open_requests_than_are_shown_are_said_to_be_there() -> None:
    many = [replace(PENDING, id=f"{n:030x}") for n in range(MAX_OPEN + 2)]
    assert "And 2 older ones" in words(view(replace(NONE, requests=many)))
    assert "older ones" not in words(view(replace(NONE, requests=many[:MAX_OPEN])))


def test_an_approver_sees_what_waits_the_oldest_first_with_reason_and_keys_to_decide_there() -> (
    None
):
    shown = view(APPROVER)
    ids_shown = [request.id for request in WAITING[:MAX_WAITING]]
    assert values(shown, action_ids.APPROVE) == values(shown, action_ids.DENY) == ids_shown
    assert len(parts(shown, "rich_text_quote")) == MAX_WAITING
    assert f"<@{REQUESTER}>" in words(shown) and f"`{OLDER_KEY}` inactive" in words(shown)


def test_with_100_waiting_it_stays_within_slacks_limits_and_says_what_it_leaves_out() -> None:
    shown = view(APPROVER)
    check_view(shown, allowed="home")
    assert len(shown["blocks"]) <= 100
    assert f"And {100 - MAX_WAITING} more" in words(shown)
    assert "more, the oldest first" not in words(
        view(replace(APPROVER, waiting=WAITING[:3], waiting_in_all=3))
    )


def test_who_has_approved_what_waits_and_how_many_are_missing_is_seen_by_approvers_and_by_the_requester() -> (
    None
):
    endorsed, tally = (
        REQUESTS["approved by one of three"],
        f"approved by <@{DECIDER}>; two more are needed",
    )
    for shown in (
        view(replace(NONE, approver=True, waiting=[endorsed], waiting_in_all=1)),
        view(replace(NONE, requests=[endorsed])),
    ):
        assert f"pending, {tally}" in words(shown)
    assert action_ids.TAKE_BACK in buttons(
        view(replace(NONE, approver=True, waiting=[endorsed], waiting_in_all=1))
    )


def test_nobody_else_sees_what_waits() -> None:
    shown = view(replace(APPROVER, approver=False))
    assert action_ids.APPROVE not in buttons(shown) and "Waiting" not in words(shown)


@pytest.mark.parametrize("request_", VERBS.values(), ids=VERBS)
def test_whatever_is_asked_for_can_wait_and_be_open(request_: KeyRequest) -> None:
    shown = view(
        replace(NONE, requests=[request_], approver=True, waiting=[request_], waiting_in_all=1)
    )
    check_view(shown, allowed="home")
    assert {action_ids.APPROVE, action_ids.DENY, action_ids.CANCEL} <= set(buttons(shown))


def test_why_the_keys_are_not_shown_is_said_and_the_rest_is() -> None:
    shown = view(
        replace(NONE, problem="AWS does not answer; `/key create <reason>`.", requests=[PENDING])
    )
    assert ":warning: AWS does not answer; `/key create &lt;reason&gt;`." in words(shown)
    assert values(shown, action_ids.CANCEL) == [ID]


def test_what_to_use_instead_of_keys_comes_first_as_the_operator_wrote_it() -> None:
    shown = view(replace(NONE, instead="use <https://sso.example.com|SSO> & *co*"))
    assert shown["blocks"][1]["text"]["text"] == "use <https://sso.example.com|SSO> & *co*"


def test_no_secret_can_be_in_it() -> None:
    """It is drawn from values that hold none."""
    assert "Secret" not in "".join(str(one.__annotations__) for one in (Home, home.view))
    assert LATER > NOW
