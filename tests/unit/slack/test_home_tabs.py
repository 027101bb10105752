"""A Home tab is published when opened and after changes that concern its user."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.codes import Code
from bot.domain.keys import DesiredState, ManagedKey, Origin
from bot.domain.records import AuditEntry, Change
from bot.domain.states import Event, Status
from bot.operations import create_request, decide_request, remind_approvers, reveal_key
from bot.slack import action_ids
from bot.slack.delivery.home_tabs import COUNTS_AS_OPEN_FOR
from sandbox.people import TEAM_ID
from tests.support.logged import Log
from tests.support.slack_services import PATIENCE, SlackDesk, words_of
from tests.unit.slack.homes import (
    ALICE,
    BOB,
    CAROL,
    REASON,
    changed,
    has_button,
    member,
    open_homes,
    published,
    published_by,
    request_key,
)

# -- when it is opened


def test_an_opened_tab_is_published_and_recorded(served: SlackDesk, log: Log) -> None:
    served.alice.open_home()
    view = served.alice.wait_for_home()
    assert view["type"] == "home" and str(view).count(f"'{action_ids.ASK}'") == 1
    served.slack.wait_until(lambda: log.lines("home"), PATIENCE, "it is logged")
    assert [(line["user"], line["outcome"]) for line in log.lines("home")] == [(ALICE, "done")]
    assert dict(served.store.open_homes(served.clock.now())) == {ALICE: False}


def test_everything_can_be_done_from_a_tab(served: SlackDesk) -> None:
    """The answer comes in the direct message: a click there has no response URL."""
    served.asked()
    served.carol.open_home()
    served.carol.wait_for_home(REASON)
    assert dict(served.store.open_homes(served.clock.now())) == {CAROL: True}
    served.carol.click_in_home("Approve")
    assert served.carol.wait_for(containing="@alice").ephemeral
    served.carol.wait_until(lambda: REASON not in served.carol.home_words, PATIENCE, "it is gone")
    served.alice.open_home()
    served.alice.wait_for_home("approved")
    served.alice.click_in_home("Request a key")
    assert served.alice.wait_for_modal()["callback_id"] == action_ids.CREATE_FORM
    served.alice.close_modal()
    told = len(served.alice.messages())
    served.alice.click_in_home("Cancel request")
    served.alice.wait_until(lambda: len(served.alice.messages()) > told, PATIENCE, "the answer")
    assert served.alice.messages()[-1].ephemeral
    assert served.request().status is Status.CANCELLED


def open_by_event(here: SlackDesk, body: dict[str, Any]) -> int:
    """Deliver an `app_home_opened` event. Return how often it was acknowledged."""
    acks: list[object] = []
    acknowledge: Any = lambda *args, **fields: acks.append(args)  # noqa: E731
    here.listeners.home(acknowledge, body)
    return len(acks)


@pytest.mark.parametrize(
    "body",
    [
        {"team_id": TEAM_ID, "event": {"user": ALICE, "tab": "messages"}},
        {"team_id": TEAM_ID, "event": {}},
        {"team_id": TEAM_ID, "event": "home"},
        {},
    ],
)
def test_other_events_are_only_acknowledged(here: SlackDesk, body: dict[str, Any]) -> None:
    assert open_by_event(here, body) == 1
    assert published(here) == [] and not here.store.open_homes(here.clock.now())


@pytest.mark.parametrize(
    ("user", "team"),
    [("U0DAVE", TEAM_ID), (BOB, TEAM_ID), (ALICE, "T0OTHER")],
    ids=["guest", "deactivated", "other workspace"],
)
def test_only_members_get_a_tab(here: SlackDesk, log: Log, user: str, team: str) -> None:
    here.slack.change_person(BOB, deleted=True)
    event = {"user": user, "tab": "home"}
    open_by_event(here, {"team_id": team, "event_id": "Ev1", "event": event})
    assert published(here) == [] and not here.store.open_homes(here.clock.now())
    assert [line["code"] for line in log.lines("home")] == [Code.NOT_A_MEMBER]


def test_a_tab_says_why_keys_cannot_be_read(here: SlackDesk) -> None:
    open_homes(here, CAROL)
    assert words_of(Code.IAM_USER_NOT_FOUND)[:30] in here.carol.home_words


# -- after a change


def test_a_request_concerns_requester_and_approvers(here: SlackDesk) -> None:
    open_homes(here, ALICE, BOB, CAROL)
    assert published_by(here, lambda: request_key(here)) == {ALICE, CAROL}
    assert has_button(here.alice, action_ids.CANCEL) and REASON in here.carol.home_words


@pytest.mark.parametrize("transitions", [0, 4])
@pytest.mark.parametrize("decision", ["approve", "deny", "cancel"])
def test_a_decision_concerns_requester_and_approvers(
    here: SlackDesk, decision: str, transitions: int
) -> None:
    """Whatever happened to the request while it waited."""
    request, services = request_key(here), here.services
    alice, carol = member(here, ALICE), member(here, CAROL)
    for _ in range(transitions):
        remind_approvers.toggle_review(services, carol, request)
    open_homes(here, ALICE, CAROL)
    decide: dict[str, Callable[[], object]] = {
        "approve": lambda: decide_request.approve(services, carol, request),
        "deny": lambda: decide_request.deny(services, carol, request, "not needed"),
        "cancel": lambda: create_request.cancel(services, alice, request),
    }
    assert published_by(here, decide[decision]) == {ALICE, CAROL}
    assert REASON not in here.carol.home_words
    assert ("approved" in here.alice.home_words) is (decision == "approve")


def test_transitions_rendered_as_one_concern_approvers(here: SlackDesk) -> None:
    """Messages may show only the last of a request's transitions."""
    open_homes(here, ALICE, CAROL)
    request_key(here)
    waiting, now = here.request(), here.clock.now()
    extended = replace(waiting, verb="extend").transition(Event.APPROVE, CAROL, now)
    for late in (
        extended.transition(Event.APPLY, "keydesk", now, deadline=None),
        replace(waiting, status=Status.APPROVED, version=9),
        replace(waiting, version=7).transition(Event.DENY, CAROL, now),
    ):
        here.clock.advance(timedelta(seconds=60))
        assert published_by(here, lambda one=late: here.open_homes.changed(one)) == {ALICE, CAROL}


def test_after_the_first_reveal_approvers_are_not_concerned(here: SlackDesk) -> None:
    request = request_key(here)
    decide_request.approve(here.services, member(here, CAROL), request)
    open_homes(here, ALICE, CAROL)
    reveal_key.reveal(here.services, member(here, ALICE), request)
    assert changed(here) == {ALICE} and "delivered" in here.alice.home_words


def test_a_key_concerns_its_owner_alone(here: SlackDesk) -> None:
    open_homes(here, ALICE, BOB, CAROL)
    here.iam.create_key("alice@example.com")
    [listed] = here.iam.listed("alice@example.com")
    now = here.clock.now()
    key = ManagedKey(
        id=listed.id,
        account="111122223333",
        iam_user="alice@example.com",
        owner=ALICE,
        request_id="",
        origin=Origin.ADOPTED,
        created_at=now,
        desired=DesiredState.ACTIVE,
        expires_at=now + timedelta(days=90),
    )
    entry = AuditEntry(at=now, by=ALICE, action="test")
    assert published_by(here, lambda: here.services.commit(Change(None, key), entry=entry)) == {
        ALICE
    }
    assert listed.id in here.alice.home_words and "22 Feb 2027" in here.alice.home_words


# -- who has it open


def test_a_tab_counts_as_open_for_twelve_hours(here: SlackDesk) -> None:
    """Publishing it does not count as opening it."""
    open_homes(here, ALICE)
    here.clock.advance(COUNTS_AS_OPEN_FOR - timedelta(seconds=1))
    open_homes(here, CAROL)
    assert published_by(here, lambda: request_key(here)) == {ALICE, CAROL}
    here.clock.advance(timedelta(seconds=2))
    assert changed(here) == {CAROL}


def test_who_became_a_guest_gets_no_tab(here: SlackDesk, log: Log) -> None:
    open_homes(here, ALICE)
    request_key(here)
    here.slack.change_person(ALICE, is_restricted=True)
    here.clock.advance(timedelta(seconds=61))  # an identity is remembered for a minute
    assert changed(here) == set()
    assert [line["code"] for line in log.lines("home")] == [Code.NOT_A_MEMBER]


def test_a_former_approver_sees_no_waiting_request(here: SlackDesk) -> None:
    """What was recorded at the opening says only whose tab to publish."""
    here.store.record_home_opened(BOB, here.clock.now(), approver=True)
    assert BOB in published_by(here, lambda: request_key(here))
    assert REASON not in here.slack.person("bob").home_words


def test_approvers_are_not_looked_up_for_each_tab(here: SlackDesk) -> None:
    """Slack takes that call 20 times a minute, and decisions need it."""
    looked_up: list[int] = []
    approvers = here.services.directory.approvers

    def counted() -> frozenset[str]:
        looked_up.append(1)
        return approvers()

    here.services.directory.approvers = counted  # type: ignore[method-assign]
    open_homes(here, ALICE, CAROL)
    request_key(here)
    before = len(looked_up)
    for _ in range(5):
        changed(here)
    assert len(looked_up) == before and len(published(here)) == 2 + 2 + 10
