"""A Home tab shows how things stand: when it is opened, and after each change that concerns whoever has it open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from slack_sdk import WebClient

from bot.core.access_key import ManagedKey, Origin, Wanted
from bot.core.errors import StoreUnavailable
from bot.core.moves import Action, Status
from bot.core.ports import Change, Entry
from bot.core.workflow import ask as asking
from bot.core.workflow import decide, hand_over, waiting
from bot.slack.home_tabs import OPEN_FOR
from sandbox.local import LocalSlack
from sandbox.people import TEAM_ID
from tests.logged import Log
from tests.slack.desk import PATIENCE, NoRoom, SlackDesk, build, serving

Events = Callable[[str], list[dict[str, Any]]]


class AtOnce:
    """A pool that does its work before `submit` returns."""

    def submit(self, work: Callable[[], None]) -> bool:
        work()
        return True


@pytest.fixture
def desk(slack: LocalSlack, web: WebClient, log: Log) -> Iterator[SlackDesk]:
    """A desk that is served."""
    with serving(slack, web) as served:
        yield served


@pytest.fixture
def here(slack: LocalSlack, web: WebClient, log: Log) -> SlackDesk:
    """A desk that is not served, and whose work is done at once."""
    return build(slack, web, AtOnce(), AtOnce())


def opens(desk: SlackDesk, *people: str) -> None:
    """They open their Home tabs; what was published so far is not counted."""
    for person in people:
        desk.homes.opened(desk.desk.directory.member(person))


def published(desk: SlackDesk) -> list[str]:
    """For whom a Home tab was drawn, in order."""
    return [str(call.args["user_id"]) for call in desk.slack.calls("views.publish")]


def redrawn(desk: SlackDesk, change: Callable[[], object]) -> set[str]:
    """For whom a Home tab is drawn anew by a change."""
    before = len(published(desk))
    change()
    return set(published(desk)[before:])


def ask(desk: SlackDesk, person: str = "U0ALICE") -> str:
    return asking.create(desk.desk, desk.desk.directory.member(person), "deploy script").id


# -- opening it


def test_it_is_drawn_when_it_is_opened(desk: SlackDesk, events: Events) -> None:
    desk.alice.open_home()
    view = desk.alice.wait_for_home("You have none.")
    assert view["type"] == "home" and desk.alice.home_words.count("Request a key") == 1
    desk.slack.wait_until(lambda: events("home"), PATIENCE, "it is logged")
    assert [(line["person"], line["outcome"]) for line in events("home")] == [("U0ALICE", "done")]
    assert dict(desk.store.homes(desk.clock.now())) == {"U0ALICE": False}


def test_an_approvers_shows_what_waits_and_is_noted_as_one(desk: SlackDesk) -> None:
    desk.asked()
    desk.carol.open_home()
    desk.carol.wait_for_home("deploy script")
    assert dict(desk.store.homes(desk.clock.now())) == {"U0CAROL": True}


def test_everything_can_be_done_from_it(desk: SlackDesk) -> None:
    """It is answered in the direct message, for a click there has no response URL."""
    desk.asked()
    desk.carol.open_home()
    desk.carol.wait_for_home("deploy script")
    desk.carol.click_in_home("Approve")
    assert desk.carol.wait_for(containing="Approved. I have told @alice").ephemeral
    desk.carol.wait_for_home("Nothing waits.")
    desk.alice.open_home()
    desk.alice.wait_for_home("approved")
    desk.alice.click_in_home("Request a key")
    desk.alice.wait_for_modal("What is the key for?")
    desk.alice.close_modal()
    desk.alice.click_in_home("Cancel request")
    assert desk.alice.wait_for(containing="Cancelled. No key is kept.").ephemeral


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
    assert ack.count == 1 and published(here) == [] and not here.store.homes(here.clock.now())


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
    assert published(here) == [] and not here.store.homes(here.clock.now())
    assert [line["why"] for line in events("home")] == ["NotAMember"]


def test_why_the_keys_cannot_be_read_is_said_in_it(here: SlackDesk) -> None:
    opens(here, "U0CAROL")
    assert "AWS has no IAM user by your name" in here.carol.home_words


# -- after a change


def test_a_request_changes_its_requesters_and_the_approvers_tabs_and_nobody_elses(
    here: SlackDesk,
) -> None:
    opens(here, "U0ALICE", "U0BOB", "U0CAROL")
    assert redrawn(here, lambda: ask(here)) == {"U0ALICE", "U0CAROL"}
    assert "create" in here.alice.home_words and "deploy script" in here.carol.home_words


def test_a_decision_takes_the_request_from_the_approvers_tab(here: SlackDesk) -> None:
    request = ask(here)
    opens(here, "U0ALICE", "U0CAROL")
    carol = here.desk.directory.member("U0CAROL")
    assert redrawn(here, lambda: decide.approve(here.desk, carol, request)) == {
        "U0ALICE",
        "U0CAROL",
    }
    assert "Nothing waits." in here.carol.home_words and "approved" in here.alice.home_words


@pytest.mark.parametrize("decision", ["approve", "deny", "cancel"])
def test_it_does_however_much_has_happened_while_it_waited(here: SlackDesk, decision: str) -> None:
    request = ask(here)
    alice, carol = (here.desk.directory.member(person) for person in ("U0ALICE", "U0CAROL"))
    for _ in range(4):
        waiting.on_it(here.desk, carol, request)
    opens(here, "U0CAROL")
    decides: dict[str, Callable[[], object]] = {
        "approve": lambda: decide.approve(here.desk, carol, request),
        "deny": lambda: decide.deny(here.desk, carol, request, "not needed"),
        "cancel": lambda: asking.cancel(here.desk, alice, request),
    }
    assert redrawn(here, decides[decision]) == {"U0CAROL"}
    assert "Nothing waits." in here.carol.home_words


def test_what_is_approved_and_carried_out_at_once_leaves_the_approvers_tab(here: SlackDesk) -> None:
    """Its two moves may be drawn as one."""
    ask(here)
    opens(here, "U0CAROL")
    now = here.clock.now()
    request = replace(here.request(), verb="extend")
    done = request.move(Action.APPROVE, "U0CAROL", now).move(
        Action.APPLY, "keydesk", now, deadline=None
    )
    assert redrawn(here, lambda: here.homes.changed(done)) == {"U0CAROL"}


def test_what_happens_after_the_decision_is_the_requesters_alone(here: SlackDesk) -> None:
    request = ask(here)
    decide.approve(here.desk, here.desk.directory.member("U0CAROL"), request)
    opens(here, "U0ALICE", "U0CAROL")
    alice = here.desk.directory.member("U0ALICE")
    hand_over.reveal(here.desk, alice, request)
    before = len(published(here))
    here.homes.changed(here.request())
    assert set(published(here)[before:]) == {"U0ALICE"} and "delivered" in here.alice.home_words


def test_however_many_had_to_approve_it_is_taken_from_the_approvers_tabs(here: SlackDesk) -> None:
    """The last of its moves may be the first that is drawn."""
    opens(here, "U0ALICE", "U0CAROL")
    request = here.desk.found(ask(here))
    late = replace(request, status=Status.APPROVED, version=9)
    assert redrawn(here, lambda: here.homes.changed(late)) == {"U0ALICE", "U0CAROL"}


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
        made_at=now,
        wanted=Wanted.ACTIVE,
        expires_at=now + timedelta(days=90),
    )
    entry = Entry(at=now, by="U0ALICE", action="test")
    assert redrawn(here, lambda: here.desk.commit(Change(None, key), entry=entry)) == {"U0ALICE"}
    assert listed.id in here.alice.home_words and "22 Feb 2027" in here.alice.home_words


def test_who_has_not_opened_it_for_twelve_hours_gets_none(here: SlackDesk) -> None:
    opens(here, "U0ALICE")
    here.clock.advance(OPEN_FOR - timedelta(seconds=1))
    opens(here, "U0CAROL")
    assert redrawn(here, lambda: ask(here)) == {"U0ALICE", "U0CAROL"}
    here.clock.advance(timedelta(seconds=2))
    assert redrawn(here, lambda: here.homes.changed(here.request())) == {"U0CAROL"}


def test_being_redrawn_does_not_count_as_opening_it(here: SlackDesk) -> None:
    opens(here, "U0ALICE")
    here.clock.advance(OPEN_FOR / 2)
    ask(here)
    here.clock.advance(OPEN_FOR / 2 + timedelta(seconds=1))
    assert redrawn(here, lambda: here.homes.changed(here.request())) == set()


def test_whoever_has_become_a_guest_meanwhile_gets_none(here: SlackDesk, events: Events) -> None:
    opens(here, "U0ALICE")
    ask(here)
    here.slack.change_person("U0ALICE", is_restricted=True)
    here.clock.advance(timedelta(seconds=61))  # who a person is may be remembered for a minute
    assert redrawn(here, lambda: here.homes.changed(here.request())) == set()
    assert [line["why"] for line in events("home")] == ["NotAMember"]


def test_who_is_no_approver_any_more_sees_nothing_that_waits(
    here: SlackDesk, web: WebClient
) -> None:
    """Authority is asked for anew; what was noted when it was opened says only who is to be drawn for."""
    here.store.note_home("U0BOB", here.clock.now(), approver=True)
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
    here.homes.changed(here.request())
    here.slack.faults.clear()
    lines = events("home")
    assert [(line["person"], line["outcome"], line["why"]) for line in lines] == [
        ("U0ALICE", "not drawn", "SlackUnavailable")
    ]
    assert here.request().id == request and not here.store.undrawn(here.clock.now())


def test_while_the_store_does_not_say_who_has_it_open_the_request_waits_to_be_drawn(
    here: SlackDesk,
) -> None:
    """So that the tabs are not forgotten."""

    def gone(since: object) -> Any:
        raise StoreUnavailable

    opens(here, "U0ALICE")
    there, here.store.homes = here.store.homes, gone  # type: ignore[method-assign]  # the store goes away at this call
    request = ask(here)
    assert published(here) == ["U0ALICE"] and here.store.undrawn(here.clock.now()) == [
        f"request:{request}"
    ]
    here.store.homes = there  # type: ignore[method-assign]  # and comes back
    assert redrawn(here, lambda: here.messenger.draw(f"request:{request}")) == {"U0ALICE"}


def test_with_the_pool_full_nothing_is_raised(slack: LocalSlack, web: WebClient, log: Log) -> None:
    desk = build(slack, web, NoRoom(), NoRoom())
    opens(desk, "U0ALICE")
    ask(desk)
    desk.homes.changed(desk.request())
    assert published(desk) == ["U0ALICE"]
