"""A Home tab shows how things stand: when it is opened, and after each change that concerns whoever has it open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from slack_sdk import WebClient

from bot.domain.codes import Code
from bot.domain.errors import NotAMember
from bot.domain.keys import DesiredState, ManagedKey, Origin
from bot.domain.outside_errors import StoreUnavailable
from bot.domain.records import AuditEntry, Change
from bot.domain.states import Event, Status
from bot.operations import create_request as asking
from bot.operations import decide_request, remind_approvers, reveal_key
from bot.slack.delivery.home_tabs import COUNTS_AS_OPEN_FOR
from bot.slack.messages.errors import TEXTS
from sandbox.local import LocalSlack
from sandbox.people import TEAM_ID
from tests.support.logged import Log
from tests.support.slack_services import PATIENCE, NoRoom, SlackDesk, build, serving

Events = Callable[[str], list[dict[str, Any]]]


class AtOnce:
    """A pool that does its work before `submit` returns."""

    def submit(self, work: Callable[[], None]) -> bool:
        work()
        return True


@pytest.fixture
def services(slack: LocalSlack, web: WebClient, log: Log) -> Iterator[SlackDesk]:
    """A desk that is served."""
    with serving(slack, web) as served:
        yield served


@pytest.fixture
def here(slack: LocalSlack, web: WebClient, log: Log) -> SlackDesk:
    """A desk that is not served, and whose work is done at once."""
    return build(slack, web, AtOnce(), AtOnce())


def opens(services: SlackDesk, *people: str) -> None:
    """They open their Home tabs; what was published so far is not counted."""
    for person in people:
        services.open_homes.opened(services.services.directory.member(person))


def published(services: SlackDesk) -> list[str]:
    """For whom a Home tab was drawn, in order."""
    return [str(call.args["user_id"]) for call in services.slack.calls("views.publish")]


def redrawn(services: SlackDesk, change: Callable[[], object]) -> set[str]:
    """For whom a Home tab is drawn anew by a change."""
    before = len(published(services))
    change()
    return set(published(services)[before:])


def ask(services: SlackDesk, person: str = "U0ALICE") -> str:
    return asking.create(
        services.services, services.services.directory.member(person), "deploy script"
    ).id


# -- opening it


def test_it_is_drawn_when_it_is_opened(services: SlackDesk, events: Events) -> None:
    services.alice.open_home()
    view = services.alice.wait_for_home("You don't have any access keys yet.")
    assert view["type"] == "home" and services.alice.home_words.count("Request a key") == 1
    services.slack.wait_until(lambda: events("home"), PATIENCE, "it is logged")
    assert [(line["user"], line["outcome"]) for line in events("home")] == [("U0ALICE", "done")]
    assert dict(services.store.open_homes(services.clock.now())) == {"U0ALICE": False}


def test_an_approvers_shows_what_waits_and_is_noted_as_one(services: SlackDesk) -> None:
    services.asked()
    services.carol.open_home()
    services.carol.wait_for_home("deploy script")
    assert dict(services.store.open_homes(services.clock.now())) == {"U0CAROL": True}


def test_everything_can_be_done_from_it(services: SlackDesk) -> None:
    """It is answered in the direct message, for a click there has no response URL."""
    services.asked()
    services.carol.open_home()
    services.carol.wait_for_home("deploy script")
    services.carol.click_in_home("Approve")
    assert services.carol.wait_for(containing="Approved. @alice").ephemeral
    services.carol.wait_for_home("No requests.")
    services.alice.open_home()
    services.alice.wait_for_home("approved")
    services.alice.click_in_home("Request a key")
    services.alice.wait_for_modal("What is the key for?")
    services.alice.close_modal()
    services.alice.click_in_home("Cancel request")
    assert services.alice.wait_for(containing="Cancelled. There is no key to reveal.").ephemeral


@pytest.mark.parametrize(
    "body",
    [
        {"team_id": TEAM_ID, "event": {"user": "U0ALICE", "tab": "messages"}},
        {"team_id": TEAM_ID, "event": {}},
        {"team_id": TEAM_ID, "event": "home"},
        {},
    ],
)
def test_another_tab_is_acknowledged_and_nothing_is_drawn(
    here: SlackDesk, body: dict[str, Any]
) -> None:
    ack: Any = Acks()
    here.listeners.home(ack, body)
    assert ack.count == 1 and published(here) == [] and not here.store.open_homes(here.clock.now())


class Acks:
    """How often something was acknowledged."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, *words: Any, **named: Any) -> None:
        self.count += 1


def opened(here: SlackDesk, team: str, person: str) -> None:
    ack: Any = Acks()
    here.listeners.home(
        ack, {"team_id": team, "event_id": "Ev1", "event": {"user": person, "tab": "home"}}
    )


@pytest.mark.parametrize("who", ["guest", "deactivated", "foreign"])
def test_nobody_from_outside_gets_one(here: SlackDesk, events: Events, who: str) -> None:
    if who == "deactivated":
        here.slack.change_person("U0BOB", deleted=True)
    team = "T0OTHER" if who == "foreign" else TEAM_ID
    opened(here, team, {"guest": "U0DAVE", "deactivated": "U0BOB", "foreign": "U0ALICE"}[who])
    assert published(here) == [] and not here.store.open_homes(here.clock.now())
    assert [line["code"] for line in events("home")] == [NotAMember().code]


def test_why_the_keys_cannot_be_read_is_said_in_it(here: SlackDesk) -> None:
    opens(here, "U0CAROL")
    assert str(TEXTS[Code.IAM_USER_NOT_FOUND])[:30] in here.carol.home_words


# -- after a change


def test_a_request_changes_its_requesters_and_the_approvers_tabs_and_nobody_elses(
    here: SlackDesk,
) -> None:
    opens(here, "U0ALICE", "U0BOB", "U0CAROL")
    assert redrawn(here, lambda: ask(here)) == {"U0ALICE", "U0CAROL"}
    assert "New key" in here.alice.home_words and "deploy script" in here.carol.home_words


def test_a_decision_takes_the_request_from_the_approvers_tab(here: SlackDesk) -> None:
    request = ask(here)
    opens(here, "U0ALICE", "U0CAROL")
    carol = here.services.directory.member("U0CAROL")
    assert redrawn(here, lambda: decide_request.approve(here.services, carol, request)) == {
        "U0ALICE",
        "U0CAROL",
    }
    assert "No requests." in here.carol.home_words and "approved" in here.alice.home_words


@pytest.mark.parametrize("decision", ["approve", "deny", "cancel"])
def test_it_does_however_much_has_happened_while_it_waited(here: SlackDesk, decision: str) -> None:
    request = ask(here)
    alice, carol = (here.services.directory.member(person) for person in ("U0ALICE", "U0CAROL"))
    for _ in range(4):
        remind_approvers.toggle_review(here.services, carol, request)
    opens(here, "U0CAROL")
    decides: dict[str, Callable[[], object]] = {
        "approve": lambda: decide_request.approve(here.services, carol, request),
        "deny": lambda: decide_request.deny(here.services, carol, request, "not needed"),
        "cancel": lambda: asking.cancel(here.services, alice, request),
    }
    assert redrawn(here, decides[decision]) == {"U0CAROL"}
    assert "No requests." in here.carol.home_words


def test_what_is_approved_and_carried_out_at_once_leaves_the_approvers_tab(here: SlackDesk) -> None:
    """Its two moves may be drawn as one."""
    ask(here)
    opens(here, "U0CAROL")
    now = here.clock.now()
    request = replace(here.request(), verb="extend")
    done = request.transition(Event.APPROVE, "U0CAROL", now).transition(
        Event.APPLY, "keydesk", now, deadline=None
    )
    assert redrawn(here, lambda: here.open_homes.changed(done)) == {"U0CAROL"}


def test_what_happens_after_the_decision_is_the_requesters_alone(here: SlackDesk) -> None:
    request = ask(here)
    decide_request.approve(here.services, here.services.directory.member("U0CAROL"), request)
    opens(here, "U0ALICE", "U0CAROL")
    alice = here.services.directory.member("U0ALICE")
    reveal_key.reveal(here.services, alice, request)
    before = len(published(here))
    here.open_homes.changed(here.request())
    assert set(published(here)[before:]) == {"U0ALICE"} and "delivered" in here.alice.home_words


def test_however_many_had_to_approve_it_is_taken_from_the_approvers_tabs(here: SlackDesk) -> None:
    """The last of its moves may be the first that is drawn."""
    opens(here, "U0ALICE", "U0CAROL")
    request = here.services.get_request(ask(here))
    late = replace(request, status=Status.APPROVED, version=9)
    assert redrawn(here, lambda: here.open_homes.changed(late)) == {"U0ALICE", "U0CAROL"}


def test_a_key_changes_its_owners_tab_alone(here: SlackDesk) -> None:
    opens(here, "U0ALICE", "U0BOB", "U0CAROL")
    here.iam.create_key("alice@example.com")
    [listed] = here.iam.listed("alice@example.com")
    now = here.clock.now()
    key = ManagedKey(
        id=listed.id,
        account="111122223333",
        iam_user="alice@example.com",
        owner="U0ALICE",
        request_id="",
        origin=Origin.ADOPTED,
        created_at=now,
        desired=DesiredState.ACTIVE,
        expires_at=now + timedelta(days=90),
    )
    entry = AuditEntry(at=now, by="U0ALICE", action="test")
    assert redrawn(here, lambda: here.services.commit(Change(None, key), entry=entry)) == {
        "U0ALICE"
    }
    assert listed.id in here.alice.home_words and "22 Feb 2027" in here.alice.home_words


def test_who_has_not_opened_it_for_twelve_hours_gets_none(here: SlackDesk) -> None:
    opens(here, "U0ALICE")
    here.clock.advance(COUNTS_AS_OPEN_FOR - timedelta(seconds=1))
    opens(here, "U0CAROL")
    assert redrawn(here, lambda: ask(here)) == {"U0ALICE", "U0CAROL"}
    here.clock.advance(timedelta(seconds=2))
    assert redrawn(here, lambda: here.open_homes.changed(here.request())) == {"U0CAROL"}


def test_being_redrawn_does_not_count_as_opening_it(here: SlackDesk) -> None:
    opens(here, "U0ALICE")
    here.clock.advance(COUNTS_AS_OPEN_FOR / 2)
    ask(here)
    here.clock.advance(COUNTS_AS_OPEN_FOR / 2 + timedelta(seconds=1))
    assert redrawn(here, lambda: here.open_homes.changed(here.request())) == set()


def test_whoever_has_become_a_guest_meanwhile_gets_none(here: SlackDesk, events: Events) -> None:
    opens(here, "U0ALICE")
    ask(here)
    here.slack.change_person("U0ALICE", is_restricted=True)
    here.clock.advance(timedelta(seconds=61))  # who a person is may be remembered for a minute
    assert redrawn(here, lambda: here.open_homes.changed(here.request())) == set()
    assert [line["code"] for line in events("home")] == [NotAMember().code]


def test_who_is_no_approver_any_more_sees_nothing_that_waits(
    here: SlackDesk, web: WebClient
) -> None:
    """Authority is asked for anew; what was noted when it was opened says only who is to be drawn for."""
    here.store.record_home_opened("U0BOB", here.clock.now(), approver=True)
    assert "U0BOB" in redrawn(here, lambda: ask(here))
    assert "deploy script" not in here.slack.person("bob").home_words


# -- what fails


FAULTS: dict[str, Callable[[LocalSlack], None]] = {
    "refused": lambda slack: slack.faults.fail("views.publish", "internal_error", times=9),
    "outage": lambda slack: slack.faults.status("views.publish", 500, times=9),
    "rate limit": lambda slack: slack.faults.status("views.publish", 429, times=9),
    "connection cut": lambda slack: slack.faults.drop("views.publish", "before", times=9),
    "person unknown": lambda slack: slack.faults.status("users.info", 500, times=9),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_fails_is_logged_and_keeps_no_copy_away(
    here: SlackDesk, events: Events, fault: str
) -> None:
    opens(here, "U0ALICE")
    request = ask(here)
    here.clock.advance(timedelta(seconds=61))
    FAULTS[fault](here.slack)
    here.open_homes.changed(here.request())
    here.slack.faults.clear()
    lines = events("home")
    assert [(line["user"], line["outcome"], line["code"]) for line in lines] == [
        ("U0ALICE", "not rendered", Code.SLACK_UNAVAILABLE)
    ]
    assert here.request().id == request and not here.store.unrendered(here.clock.now())


def test_while_the_store_does_not_say_who_has_it_open_the_request_waits_to_be_drawn(
    here: SlackDesk,
) -> None:
    """So that the tabs are not forgotten."""

    def gone(since: object) -> Any:
        raise StoreUnavailable

    opens(here, "U0ALICE")
    there, here.store.open_homes = here.store.open_homes, gone  # type: ignore[method-assign]  # the store goes away at this call
    request = ask(here)
    assert published(here) == ["U0ALICE"] and here.store.unrendered(here.clock.now()) == [
        f"request:{request}"
    ]
    here.store.open_homes = there  # type: ignore[method-assign]  # and comes back
    assert redrawn(here, lambda: here.messenger.render(f"request:{request}")) == {"U0ALICE"}


def test_with_the_pool_full_nothing_is_raised(slack: LocalSlack, web: WebClient, log: Log) -> None:
    services = build(slack, web, NoRoom(), NoRoom())
    opens(services, "U0ALICE")
    ask(services)
    services.open_homes.changed(services.request())
    assert published(services) == ["U0ALICE"]
