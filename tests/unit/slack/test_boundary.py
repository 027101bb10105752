"""Every command, click and form is acknowledged at once, worked on once, and answered truthfully and privately."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from slack_sdk import WebClient

from bot.domain import errors
from bot.domain.audit.seals import REFUSED
from bot.domain.codes import Code
from bot.domain.errors import KeydeskError, NotAMember
from bot.domain.identity import Member
from bot.domain.outside_errors import Unavailable
from bot.domain.records import AuditEntry
from bot.slack import action_ids
from bot.slack.errors import MustWait
from bot.slack.listeners.responder import AlreadyAnswered, Responder, ResponseFailed
from bot.slack.listeners.routes import BUTTONS
from bot.slack.messages import modals
from bot.slack.messages.errors import TEXTS, error_text
from bot.slack.messages.replies import CHECKING_TEXT
from bot.slack.payload import Payload
from sandbox.local import LocalSlack
from sandbox.local_person import LocalPerson
from sandbox.people import TEAM_ID, Person
from sandbox.seen import SeenMessage
from tests.support.example_requests import ERRORS
from tests.support.logged import Log
from tests.support.slack_services import PATIENCE, NoRoom, SlackDesk, build, serving

Events = Callable[[str], list[dict[str, Any]]]
REMEMBERED = timedelta(seconds=60)
"""How long it may be remembered who a person is."""

BUSY = str(TEXTS[Code.WORKERS_BUSY])
OF_ALICE = Payload(user="U0ALICE", team=TEAM_ID, delivery="d1", channel="D0ALICE")


@pytest.fixture
def services(slack: LocalSlack, web: WebClient, log: Log) -> Iterator[SlackDesk]:
    """A desk that is served."""
    with serving(slack, web) as served:
        yield served


@pytest.fixture
def unserved(slack: LocalSlack, web: WebClient, log: Log) -> SlackDesk:
    """A desk whose boundary the test calls itself."""
    return build(slack, web, NoRoom(), NoRoom())


def moves(services: SlackDesk) -> list[AuditEntry]:
    """What has happened: all that is on record but the refusals."""
    return [entry for entry in services.store.entries if entry.to_status != REFUSED]


def kinds(error: type[KeydeskError]) -> set[type[KeydeskError]]:
    return {error, *(found for kind in error.__subclasses__() for found in kinds(kind))}


def failing(error: Exception) -> Callable[[Member, Responder], None]:
    def work(member: Member, answer: Responder) -> None:
        raise error

    return work


# -- guard


def test_every_kind_of_error_is_tried_here() -> None:
    drawings_own = MustWait  # nobody is told
    assert {type(error) for error in ERRORS} == kinds(KeydeskError) - {
        ResponseFailed,
        AlreadyAnswered,
        drawings_own,
    }


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_every_error_is_told_in_its_own_words_and_logged_in_one_line(
    unserved: SlackDesk, events: Events, log: Log, error: KeydeskError
) -> None:
    unserved.dispatcher.guard(OF_ALICE, "try", failing(error))
    told = unserved.alice.messages()
    assert [(one.ephemeral, one.text) for one in told] == [(True, error_text(error))]
    [line] = events("try")
    assert len(log.lines()) == 1
    word = (
        "refused"
        if isinstance(error, errors.Refused)
        else "unavailable"
        if isinstance(error, Unavailable)
        else "not done"
    )
    assert (line["outcome"], line["code"], line["user"]) == (word, error.code, "U0ALICE")
    assert line["ms"] >= 0


def test_what_nobody_expected_is_told_as_a_reference_and_logged_with_it(
    unserved: SlackDesk, events: Events
) -> None:
    unserved.dispatcher.guard(OF_ALICE, "try", failing(ZeroDivisionError("inner details")))
    [told] = unserved.alice.messages()
    [line], [why] = events("try"), events("unexpected")
    assert line["outcome"] == "failed" and line["reference"] == why["reference"]
    assert line["reference"] in told.words and "inner details" in why["exception"]
    assert "inner" not in told.words and "ZeroDivision" not in told.words


def test_the_log_names_what_stood_behind_a_failed_hand_over(
    unserved: SlackDesk, events: Events
) -> None:
    def work(member: Member, answer: Responder) -> None:
        raise errors.DeliveryFailed(Code.UNEXPECTED) from errors.Refused(Code.SLACK_REFUSED)

    unserved.dispatcher.guard(OF_ALICE, "try", work)
    assert events("try")[0]["cause"] == Code.SLACK_REFUSED


def test_a_delivery_that_is_repeated_works_once(unserved: SlackDesk, events: Events) -> None:
    done: list[str] = []
    for _ in range(3):
        unserved.dispatcher.guard(OF_ALICE, "try", lambda member, answer: done.append(member.id))
    assert done == ["U0ALICE"]
    assert [line["outcome"] for line in events("try")] == [
        "done",
        "repeated delivery",
        "repeated delivery",
    ]


def test_whoever_cannot_be_told_is_in_the_log(unserved: SlackDesk, events: Events) -> None:
    unserved.slack.faults.fail(
        "chat.postEphemeral", "channel_not_found", times=2
    )  # nor in a direct message
    unserved.dispatcher.guard(OF_ALICE, "try", failing(errors.NotYourKey()))
    assert [(line["outcome"], line["error"]) for line in events("answer")] == [
        ("not delivered", "channel_not_found")
    ]


def test_what_is_done_is_not_said_to_be_undone_when_the_answer_gets_lost(
    unserved: SlackDesk, events: Events
) -> None:
    """The first answer finds no way; a second would, and must not say that nothing was done."""
    unserved.slack.faults.status("chat.postEphemeral", 500)
    unserved.dispatcher.guard(OF_ALICE, "try", lambda member, answer: answer.say("Approved."))
    assert unserved.alice.messages() == []
    assert [(line["outcome"], line["answered"]) for line in events("try")] == [("done", False)]


HOSTILE = [
    Payload(
        user="\ud800",
        team=TEAM_ID,
        delivery="\ud800",
        channel="\ud800",
        action_id="\ud800",
        value="\ud800",
    ),
    Payload(user="", team="", delivery=""),
    Payload(
        user="U0ALICE",
        team=TEAM_ID,
        delivery="x" * 100_000,
        channel="D0ALICE",
        value="y" * 100_000,
    ),
    Payload(user="U0ALICE", team=TEAM_ID, delivery="d", view_id="\ud800"),
]


@pytest.mark.parametrize("payload", HOSTILE, ids=range(len(HOSTILE)))
def test_no_payload_gets_an_error_past_the_guard(
    unserved: SlackDesk, events: Events, payload: Payload
) -> None:
    unserved.dispatcher.guard(payload, "try", failing(errors.NotYourKey()))
    assert len(events("try")) == 1


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "junk", "http://[broken", "http://127.0.0.1:1/\ud800"]
)
def test_a_response_url_that_is_none_keeps_no_answer_away_and_is_not_logged(
    unserved: SlackDesk, log: Log, url: str
) -> None:
    unserved.dispatcher.guard(
        replace(OF_ALICE, response_url=url), "try", failing(errors.NotYourKey())
    )
    assert unserved.alice.last(containing="no access key with that ID")
    assert log.lines("answer") == [] and url not in log.text


# -- who may


def refused_people(services: SlackDesk) -> dict[str, LocalPerson]:
    """Who may not use the desk, and sees the approval channel."""
    services.slack.change_person("U0BOB", deleted=True)
    services.slack.join("U0DAVE", "C0APPROVALS")
    robot = Person("U0ROBOT", "robot", "Robot", "robot@example.com", is_bot=True)
    bot = services.slack.add_person(robot, ["C0APPROVALS"])
    return {
        "guest": services.slack.person("dave"),
        "deactivated": services.slack.person("bob"),
        "bot": bot,
        "foreign": services.slack.outsider(),
    }


def test_only_members_of_this_workspace_may_click(services: SlackDesk) -> None:
    card, request = services.asked(), services.request()
    before = moves(services)
    for person in refused_people(services).values():
        for action_id in BUTTONS:
            assert person.post_action(card, action_id, request.id).acked
        services.slack.wait_until(
            lambda who=person: len(_refusals(who)) == len(BUTTONS), PATIENCE, f"{person.id} is told"
        )
        assert all(message.ephemeral for message in _refusals(person))
    assert moves(services) == before and services.request() == request


def _refusals(person: LocalPerson) -> list[SeenMessage]:
    return [one for one in person.messages("key-approvals") if "full members" in one.words]


def test_only_members_of_this_workspace_may_type_commands(services: SlackDesk) -> None:
    people = refused_people(services)
    foreign = people.pop("foreign")
    assert foreign.command("/key create x", "key-approvals").error == "not_a_valid_command"
    for person in people.values():
        person.command("/key create deploy script", "key-approvals")
        assert person.wait_for("key-approvals", containing="full members").ephemeral
    assert moves(services) == []


def test_only_members_of_this_workspace_may_submit_the_form(services: SlackDesk) -> None:
    services.alice.command("/key create")
    services.alice.wait_for_modal("What is the key for?")
    services.slack.change_person("U0ALICE", is_restricted=True)
    services.clock.advance(REMEMBERED)
    services.alice.submit({action_ids.REASON_BLOCK: "deploy script"})
    services.alice.wait_for_modal("full members")
    assert moves(services) == []


def test_a_team_other_than_ours_is_refused_without_a_question(
    unserved: SlackDesk, events: Events
) -> None:
    payload = Payload(user="U0ALICE", team="T0OTHER", delivery="d", channel="D0ALICE")
    unserved.dispatcher.guard(payload, "try", failing(ZeroDivisionError()))
    assert events("try")[0]["code"] == NotAMember().code
    assert unserved.slack.calls("users.info") == []


# -- the acknowledgement


def test_the_acknowledgement_waits_for_nothing(services: SlackDesk) -> None:
    held = services.slack.faults.hold("users.info")
    delivery = services.alice.command("/key help")
    assert (
        delivery.acked and held.reached.wait(PATIENCE) and services.alice.messages("general") == []
    )
    held.release()
    assert services.alice.wait_for("general", containing="/key create").ephemeral


def test_with_the_pool_full_everybody_is_told_so(
    slack: LocalSlack, web: WebClient, log: Log
) -> None:
    with serving(slack, web) as before:
        card = before.asked()
    with serving(slack, web, pool=NoRoom()) as services:
        assert BUSY in str(services.alice.command("/key list").body)
        assert services.alice.wait_for("general", containing=BUSY).ephemeral
        services.carol.click(card, "Approve")
        assert services.carol.wait_for("key-approvals", containing=BUSY).ephemeral
        assert services.store.entries == []


def test_with_the_pool_full_a_form_says_so(slack: LocalSlack, web: WebClient, log: Log) -> None:
    with serving(slack, web) as before:
        before.alice.command("/key create")
        form = before.alice.wait_for_modal("What is the key for?")
    with serving(slack, web, pool=NoRoom()) as services:
        services.alice.submit({action_ids.REASON_BLOCK: "deploy script"}, form)
        services.alice.wait_for_modal(BUSY)


def test_an_answer_is_not_overwritten_by_the_acknowledgement_however_late_slack_takes_that(
    slack: LocalSlack, web: WebClient
) -> None:
    """Slack takes one for three seconds, and shows it in the form's place."""
    form = web.views_open(
        trigger_id=slack.look(lambda box: box.views.new_trigger("U0ALICE")),
        view=modals.message_view("a form that is submitted"),
    )["view"]["id"]
    payload, waited = replace(OF_ALICE, view_id=form), [0.0]

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if sum(waited) - seconds < 3 <= sum(waited):
            web.views_update(
                view=modals.message_view(CHECKING_TEXT, payload.form_name), view_id=form
            )

    build(slack, web, NoRoom(), NoRoom(), wait).dispatcher.guard(
        payload, "try", failing(errors.NotYourKey())
    )
    assert sum(waited) >= 3
    slack.person("alice").wait_for_modal(error_text(errors.NotYourKey())[:20])


def test_a_delivery_that_slack_repeats_decides_once(services: SlackDesk, events: Events) -> None:
    delivery = services.carol.click(services.asked(), "Approve")
    services.alice.wait_for(button="Reveal my key")
    services.slack.deliver_again(delivery)
    services.slack.wait_until(
        lambda: len(events("approve")) == 2, PATIENCE, "both deliveries are logged"
    )
    assert sorted(line["outcome"] for line in events("approve")) == ["done", "repeated delivery"]
