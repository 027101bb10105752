"""The Home tab: keys, open requests and what waits, within Slack's limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.keys import AccessKey, KeyStatus, ManagedKey
from bot.domain.requests import KeyRequest
from bot.slack import action_ids
from bot.slack.listeners import routes
from bot.slack.messages import home
from bot.slack.messages.home import MAX_OPEN, MAX_WAITING, Home, view
from bot.slack.messages.request_status import approvals_text
from bot.slack.messages.text import age_text, utc_text
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
)
from tests.support.message_parts import buttons, parts

INSTEAD = "use <https://sso.example.com|SSO> & *co*"
NONE = Home((), {}, (), NOW)
TWO = replace(NONE, keys=KEYS, records={KEY: KEPT})
OFF = replace(KEYS[0], status=KeyStatus.INACTIVE)
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


def waiting(request: KeyRequest) -> Home:
    """Return the Home tab of an approver for whom one request waits."""
    return replace(NONE, approver=True, waiting=[request], waiting_in_all=1)


def words(tab: dict[str, Any]) -> str:
    """Return all that can be read, as text to search in."""
    kinds = ("mrkdwn", "plain_text", "raw_text", "text")
    return "\n".join(one["text"] for kind in kinds for one in parts(tab, kind))


def rows(tab: dict[str, Any]) -> list[list[str]]:
    """Return the table's rows without its head. A date is shown by its fallback."""
    [table] = parts(tab, "table")
    return [["".join(_pieces(cell)) for cell in row] for row in table["rows"]][1:]


def _pieces(cell: dict[str, Any]) -> Iterator[str]:
    elements = [cell] if cell["type"] == "raw_text" else cell["elements"][0]["elements"]
    return (one.get("text") or one["fallback"] for one in elements)


def one_key(key: AccessKey, record: ManagedKey | None) -> dict[str, Any]:
    return view(replace(NONE, keys=[key], records={key.id: record} if record else {}))


def values(tab: dict[str, Any], action_id: str) -> list[str]:
    return [one["value"] for one in parts(tab, "button") if one["action_id"] == action_id]


TABS = {
    "none": NONE,
    "two keys": TWO,
    "100 waiting": APPROVER,
    "nothing waits": replace(NONE, approver=True),
    "keys unknown": replace(NONE, problem="x" * 5000),
}


@pytest.mark.parametrize("tab", TABS.values(), ids=TABS)
def test_slack_takes_every_home_tab(tab: Home) -> None:
    check_view(view(tab), allowed="home")
    assert set(buttons(view(tab))) <= set(routes.BUTTONS)
    assert buttons(view(tab))[action_ids.ASK] == "new"


def test_no_secret_can_be_in_a_home_tab() -> None:
    """It is rendered from values that have none."""
    assert "Secret" not in "".join(str(one.__annotations__) for one in (Home, home.view))


# -- keys


def test_without_keys_there_is_only_the_request_button() -> None:
    assert set(buttons(view(NONE))) == {action_ids.ASK} and not parts(view(NONE), "table")


@pytest.mark.parametrize("name", MANAGED)
@pytest.mark.parametrize("status", KeyStatus)
def test_slack_takes_a_key_in_each_state(name: str, status: KeyStatus) -> None:
    for key in (KEYS[0], UNKNOWN_USE, KEYS[1]):
        check_view(one_key(replace(key, id=KEY, status=status), MANAGED[name]), allowed="home")


def test_keys_are_a_table_with_state_age_use_and_expiry() -> None:
    """Unknown use is not "never used", and an inactive key does not live for ever."""
    first, second = rows(view(TWO))
    [unknown] = rows(one_key(UNKNOWN_USE, None))
    used = KEYS[0].last_used
    assert first[:3] == [KEY, "active", age_text(KEYS[0], NOW)] and first[4] == utc_text(LATER)
    assert used and used.at and first[3].startswith(f"{utc_text(used.at)} (")
    assert "us-gov-northwest-17" in first[3]
    assert second[:3] == [OLDER_KEY, "inactive", age_text(KEYS[1], NOW)]
    for column in (3, 4):
        assert len({first[column], second[column], unknown[column]}) == 3


@pytest.mark.parametrize(
    "record", [EXPIRED, replace(EXPIRED, delete_at=None), LEAKED, None], ids=str
)
def test_an_inactive_key_shows_its_deletion_and_no_expiry(record: ManagedKey | None) -> None:
    [row] = rows(one_key(OFF, record))
    assert row[4].endswith(utc_text(LATER)) is bool(record and record.delete_at)
    assert row[1] == (f"inactive ({record.inactive_reason})" if record else "inactive")


def test_each_keys_buttons_name_the_key() -> None:
    """A leaked key can only be deleted."""
    found = [one for one in parts(view(TWO), "button") if one["value"] in (KEY, OLDER_KEY)]
    assert {(one["action_id"], one["value"]) for one in found} == {
        *((action_id, KEY) for action_id in (action_ids.ROTATE, action_ids.DISABLE)),
        *((action_id, OLDER_KEY) for action_id in (action_ids.ENABLE, action_ids.DELETE)),
    }
    assert all(one["text"]["text"].endswith(f"…{one['value'][-4:]}") for one in found)
    asking = {one["action_id"] for one in found if "confirm" in one}
    assert asking == {action_ids.DISABLE, action_ids.DELETE}
    assert set(buttons(one_key(OFF, LEAKED))) == {action_ids.ASK, action_ids.DELETE}


def test_a_problem_with_the_keys_hides_nothing_else() -> None:
    problem = "*Why* `/key create &lt;reason&gt;`."
    tab = view(replace(NONE, problem=problem, requests=[PENDING]))
    assert f":warning: {problem}" in words(tab) and values(tab, action_ids.CANCEL) == [ID]


# -- requests


def test_open_requests_can_be_cancelled_where_that_works() -> None:
    requests = [APPROVED, replace(DELIVERED, id="b" * 30), REQUESTS["denied"]]
    tab = view(replace(NONE, requests=requests))
    assert values(tab, action_ids.CANCEL) == [ID]
    assert "delivered" in words(tab) and "denied" not in words(tab)


def test_more_open_requests_than_are_shown_are_counted() -> None:
    many = [replace(PENDING, id=f"{n:030x}") for n in range(2 * MAX_OPEN + 2)]
    more, all_ = (
        view(replace(NONE, requests=some))["blocks"][-1] for some in (many, many[:MAX_OPEN])
    )
    assert f" {MAX_OPEN + 2} " in more["elements"][0]["text"] and all_["type"] == "section"


def test_an_approver_sees_the_oldest_requests() -> None:
    """What is left out is counted."""
    tab = view(APPROVER)
    oldest = [request.id for request in WAITING[:MAX_WAITING]]
    assert values(tab, action_ids.APPROVE) == values(tab, action_ids.DENY) == oldest
    assert len(parts(tab, "rich_text_quote")) == MAX_WAITING
    assert f"<@{REQUESTER}>" in words(tab) and f"`{OLDER_KEY}` inactive" in words(tab)
    assert str(100 - MAX_WAITING) in tab["blocks"][-1]["elements"][0]["text"]
    few = view(replace(APPROVER, waiting=WAITING[:3], waiting_in_all=3))
    assert few["blocks"][-1]["type"] == "actions"


def test_only_an_approver_sees_what_waits() -> None:
    tab = view(replace(APPROVER, approver=False))
    assert action_ids.APPROVE not in buttons(tab)
    assert len(parts(tab, "header")) == len(parts(view(APPROVER), "header")) - 1


def test_approvals_are_shown_to_approvers_and_requester() -> None:
    request = REQUESTS["approved by one of three"]
    for tab in (waiting(request), replace(NONE, requests=[request])):
        assert approvals_text(request) in words(view(tab))
    assert action_ids.TAKE_BACK in buttons(view(waiting(request)))


@pytest.mark.parametrize("request_", VERBS.values(), ids=VERBS)
def test_every_kind_of_request_can_wait_and_be_open(request_: KeyRequest) -> None:
    tab = view(replace(waiting(request_), requests=[request_]))
    check_view(tab, allowed="home")
    assert {action_ids.APPROVE, action_ids.DENY, action_ids.CANCEL} <= set(buttons(tab))
