"""The Home tab: keys, open requests, what waits for approval, within Slack's limits."""

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
from bot.slack.listeners import routes
from bot.slack.messages import home
from bot.slack.messages.home import (
    MAX_OPEN,
    MAX_WAITING,
    Home,
    view,
)
from bot.slack.messages.request_status import approvals_text, review_text
from bot.slack.messages.text import age_text, utc_text
from sandbox.limits import check_view
from tests.support.example_keys import EXPIRED, KEPT, LEAKED, MANAGED
from tests.support.example_messages import EVERYTHING
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
    """Return all that can be read, as text to search in."""
    return "\n".join(
        one["text"]
        for kind in ("mrkdwn", "plain_text", "raw_text", "text")
        for one in parts(observed, kind)
    )


def rows(observed: dict[str, Any]) -> list[list[str]]:
    """Return the table's rows without its head. A date is shown by its fallback."""
    [table] = parts(observed, "table")
    return [[cell_text(cell) for cell in row] for row in table["rows"]][1:]


def cell_text(cell: dict[str, Any]) -> str:
    if cell["type"] == "raw_text":
        return str(cell["text"])
    return "".join(one.get("text") or one["fallback"] for one in cell["elements"][0]["elements"])


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
def test_slack_takes_every_home_tab(observed: Home) -> None:
    check_view(view(observed), allowed="home")
    assert set(buttons(view(observed))) <= set(vars(routes).get("ACTIONS") or routes.BUTTONS)
    assert buttons(view(observed))[action_ids.ASK] == "new"


def test_without_keys_there_is_only_the_request_button() -> None:
    assert set(buttons(view(NONE))) == {action_ids.ASK} and not parts(view(NONE), "table")


@pytest.mark.parametrize("name", MANAGED)
@pytest.mark.parametrize("status", KeyStatus)
def test_slack_takes_a_key_in_each_state(name: str, status: KeyStatus) -> None:
    for key in (KEYS[0], UNKNOWN_USE, KEYS[1]):
        check_view(one_key(replace(key, id=KEY, status=status), MANAGED[name]), allowed="home")


def test_keys_are_a_table_with_state_age_use_and_expiry() -> None:
    first, second = rows(view(TWO))
    assert first[:3] == [KEY, "active", age_text(KEYS[0], NOW)] and first[4] == utc_text(LATER)
    used = KEYS[0].last_used
    assert used and used.at and first[3].startswith(f"{utc_text(used.at)} (")
    assert "us-gov-northwest-17" in first[3]
    assert second[:3] == [OLDER_KEY, "inactive", age_text(KEYS[1], NOW)]
    [unknown] = rows(one_key(UNKNOWN_USE, None))
    assert len({first[3], second[3], unknown[3]}) == 3, "unknown use is not never used"
    assert len({first[4], second[4], unknown[4]}) == 3, "off is not without expiry"


@pytest.mark.parametrize(
    "record", [EXPIRED, replace(EXPIRED, delete_at=None), LEAKED, None], ids=str
)
def test_an_inactive_key_shows_its_deletion_and_no_expiry(record: ManagedKey | None) -> None:
    [row] = rows(one_key(replace(KEYS[0], status=KeyStatus.INACTIVE), record))
    assert row[4].endswith(utc_text(LATER)) is bool(record and record.delete_at)
    assert row[1] == (f"inactive ({record.inactive_reason})" if record else "inactive")


def test_each_keys_buttons_name_the_key() -> None:
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


def test_more_open_requests_than_are_shown_are_counted() -> None:
    many = [replace(PENDING, id=f"{n:030x}") for n in range(MAX_OPEN + 2)]
    last = [view(replace(NONE, requests=some))["blocks"][-1] for some in (many, many[:MAX_OPEN])]
    assert "2" in last[0]["elements"][0]["text"] and last[1]["type"] == "section"


def test_an_approver_sees_the_oldest_requests_and_can_decide() -> None:
    shown = view(APPROVER)
    ids_shown = [request.id for request in WAITING[:MAX_WAITING]]
    assert values(shown, action_ids.APPROVE) == values(shown, action_ids.DENY) == ids_shown
    assert len(parts(shown, "rich_text_quote")) == MAX_WAITING
    assert f"<@{REQUESTER}>" in words(shown) and f"`{OLDER_KEY}` inactive" in words(shown)


def test_what_is_left_out_is_counted() -> None:
    shown = view(APPROVER)
    check_view(shown, allowed="home")
    assert len(shown["blocks"]) <= 100
    left = str(100 - MAX_WAITING)
    assert left in shown["blocks"][-1]["elements"][0]["text"]
    few = view(replace(APPROVER, waiting=WAITING[:3], waiting_in_all=3))
    assert few["blocks"][-1]["type"] == "actions"


def test_approvals_are_shown_to_approvers_and_requester() -> None:
    waiting = REQUESTS["approved by one of three"]
    approver = view(replace(NONE, approver=True, waiting=[waiting], waiting_in_all=1))
    for shown in (approver, view(replace(NONE, requests=[waiting]))):
        assert approvals_text(waiting) in words(shown)
    assert action_ids.TAKE_BACK in buttons(approver)


def test_an_approver_sees_who_is_looking_and_what_is_urgent() -> None:
    shown = words(view(replace(NONE, approver=True, waiting=[EVERYTHING], waiting_in_all=1)))
    assert review_text(EVERYTHING) in shown and ":rotating_light:" in shown


def test_only_an_approver_sees_what_waits() -> None:
    shown = view(replace(APPROVER, approver=False))
    assert action_ids.APPROVE not in buttons(shown)
    assert len(parts(shown, "header")) == len(parts(view(APPROVER), "header")) - 1


@pytest.mark.parametrize("request_", VERBS.values(), ids=VERBS)
def test_every_kind_of_request_can_wait_and_be_open(request_: KeyRequest) -> None:
    shown = view(
        replace(NONE, requests=[request_], approver=True, waiting=[request_], waiting_in_all=1)
    )
    check_view(shown, allowed="home")
    assert {action_ids.APPROVE, action_ids.DENY, action_ids.CANCEL} <= set(buttons(shown))


def test_a_problem_with_the_keys_hides_nothing_else() -> None:
    shown = view(replace(NONE, problem="*Why* `/key create &lt;reason&gt;`.", requests=[PENDING]))
    assert ":warning: *Why* `/key create &lt;reason&gt;`." in words(shown)
    assert values(shown, action_ids.CANCEL) == [ID]


def test_what_to_use_instead_comes_first() -> None:
    shown = view(replace(NONE, instead="use <https://sso.example.com|SSO> & *co*"))
    assert shown["blocks"][1]["text"]["text"] == "use <https://sso.example.com|SSO> & *co*"


def test_no_secret_can_be_in_a_home_tab() -> None:
    """It is rendered from values that hold none."""
    assert "Secret" not in "".join(str(one.__annotations__) for one in (Home, home.view))
