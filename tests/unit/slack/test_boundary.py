"""Each payload is acknowledged at once, done once, and answered privately."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from slack_sdk import WebClient

from bot.domain import errors
from bot.domain.codes import Code
from bot.domain.errors import KeydeskError
from bot.domain.outside_errors import AwsNotConfigured, SlackUnavailable, Unavailable
from bot.domain.states import Status
from bot.slack import action_ids
from bot.slack.errors import MustWait
from bot.slack.listeners.responder import AlreadyAnswered, ResponseFailed
from bot.slack.listeners.routes import BUTTONS
from bot.slack.messages import modals
from bot.slack.messages.errors import error_text
from bot.slack.messages.replies import CHECKING_TEXT
from bot.slack.payload import Payload
from sandbox.local import LocalSlack
from sandbox.local_person import LocalPerson
from sandbox.people import TEAM_ID, Person
from tests.support.example_errors import ERRORS
from tests.support.logged import Log
from tests.support.slack_services import PATIENCE, NoRoom, SlackDesk, build, serving, words_of
from tests.unit.slack.steps import (
    OF_ALICE,
    failing,
    open_create_form,
    outcome,
    transitions,
    wait_for_form,
)

BUSY = words_of(Code.WORKERS_BUSY)
NOT_YOURS = errors.NotYourKey()


def kinds(error: type[KeydeskError]) -> set[type[KeydeskError]]:
    return {error, *(found for kind in error.__subclasses__() for found in kinds(kind))}


def told(world: SlackDesk) -> list[tuple[bool, str]]:
    """Return Alice's direct messages: whether ephemeral, and the text."""
    return [(one.ephemeral, one.text) for one in world.alice.messages()]


# -- run_and_answer


def test_every_kind_of_error_has_an_example() -> None:
    unanswered = {ResponseFailed, AlreadyAnswered, MustWait}
    assert {type(error) for error in ERRORS} == kinds(KeydeskError) - unanswered


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_every_error_is_answered_and_logged_once(
    unserved: SlackDesk, log: Log, error: KeydeskError
) -> None:
    unserved.dispatcher.run_and_answer(OF_ALICE, "try", failing(error))
    assert told(unserved) == [(True, error_text(error))]
    [line] = log.lines()
    words = {
        AwsNotConfigured: ("not set up", "error"),
        errors.Refused: ("refused", "info"),
        Unavailable: ("unavailable", "warning"),
        KeydeskError: ("not done", "info"),
    }
    word, level = next(word for kind, word in words.items() if isinstance(error, kind))
    logged = [line[name] for name in ("event", "outcome", "level", "code", "user")]
    assert logged == ["try", word, level, error.code, "U0ALICE"]
    assert line["ms"] >= 0


@pytest.mark.parametrize("error", ["token_revoked", "missing_scope"])
def test_what_only_an_admin_can_end_is_an_error_with_a_hint(
    unserved: SlackDesk, log: Log, error: str
) -> None:
    refused = SlackUnavailable("users.info", error, refused=True)
    unserved.dispatcher.run_and_answer(OF_ALICE, "try", failing(refused))
    [line] = log.lines("try")
    assert (line["level"], line["code"]) == ("error", Code.SLACK_NOT_CONFIGURED) and line["hint"]


def test_the_hint_of_a_cause_is_logged(unserved: SlackDesk, log: Log) -> None:
    hidden = errors.DeliveryFailed(Code.UNEXPECTED)
    hidden.__cause__ = AwsNotConfigured("ExpiredToken", "CreateAccessKey")
    own_cause = errors.DeliveryFailed(Code.UNEXPECTED)
    own_cause.__cause__ = own_cause  # an operation may raise an error from itself
    for number, error in enumerate((hidden, own_cause)):
        payload = replace(OF_ALICE, delivery=f"D{number}")
        unserved.dispatcher.run_and_answer(payload, "try", failing(error))
    first, second = log.lines("try")
    assert (first["level"], bool(first["hint"])) == ("error", True)
    assert (second["level"], second["outcome"]) == ("info", "not done")


def test_an_unexpected_error_is_told_as_a_reference_only(unserved: SlackDesk, log: Log) -> None:
    unserved.dispatcher.run_and_answer(OF_ALICE, "try", failing(ZeroDivisionError("inner details")))
    [answer] = unserved.alice.messages()
    [line], [why] = log.lines("try"), log.lines("unexpected")
    assert line["outcome"] == "failed" and line["reference"] == why["reference"]
    assert line["reference"] in answer.words and "inner details" in why["exception"]
    assert "inner" not in answer.words and "ZeroDivision" not in answer.words


def test_the_log_names_the_cause_of_a_failed_delivery(unserved: SlackDesk, log: Log) -> None:
    failure = errors.DeliveryFailed(Code.UNEXPECTED)
    failure.__cause__ = errors.Refused(Code.SLACK_REFUSED)
    unserved.dispatcher.run_and_answer(OF_ALICE, "try", failing(failure))
    assert log.lines("try")[0]["cause"] == Code.SLACK_REFUSED


def test_a_repeated_delivery_works_once(unserved: SlackDesk, log: Log) -> None:
    done: list[str] = []
    for _ in range(3):
        unserved.dispatcher.run_and_answer(
            OF_ALICE, "try", lambda member, _: done.append(member.id)
        )
    assert done == ["U0ALICE"]
    outcomes = [line["outcome"] for line in log.lines("try")]
    assert outcomes == ["done", "repeated delivery", "repeated delivery"]


def test_an_answer_that_reaches_no_one_is_logged(unserved: SlackDesk, log: Log) -> None:
    """Neither the channel nor the direct message takes it."""
    unserved.slack.faults.fail("chat.postEphemeral", "channel_not_found", times=2)
    unserved.dispatcher.run_and_answer(OF_ALICE, "try", failing(NOT_YOURS))
    [line] = log.lines("answer")
    assert (line["outcome"], line["error"]) == ("not delivered", "channel_not_found")


def test_a_lost_answer_does_not_make_work_undone(unserved: SlackDesk, log: Log) -> None:
    """The first answer fails. A second would say that nothing was done."""
    unserved.slack.faults.status("chat.postEphemeral", 500)
    unserved.dispatcher.run_and_answer(
        OF_ALICE, "try", lambda _, responder: responder.say("Approved.")
    )
    assert told(unserved) == []
    [line] = log.lines("try")
    assert (line["outcome"], line["answered"]) == ("done", False)


ODD = "\ud800"
LONG = 100_000
PAYLOADS = {
    "odd": Payload(ODD, TEAM_ID, ODD, channel=ODD, action_id=ODD, value=ODD),
    "empty": Payload(user="", team="", delivery=""),
    "long": replace(OF_ALICE, delivery="x" * LONG, value="y" * LONG),
    "odd form": replace(OF_ALICE, channel="", view_id=ODD),
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_no_payload_raises_past_the_guard(unserved: SlackDesk, log: Log, payload: Payload) -> None:
    unserved.dispatcher.run_and_answer(payload, "try", failing(NOT_YOURS))
    assert len(log.lines("try")) == 1


URLS = ["file:///etc/passwd", "junk", "http://[broken", "http://127.0.0.1:1/\ud800"]


@pytest.mark.parametrize("url", URLS)
def test_an_invalid_response_url_is_neither_used_nor_logged(
    unserved: SlackDesk, log: Log, url: str
) -> None:
    payload = replace(OF_ALICE, response_url=url)
    unserved.dispatcher.run_and_answer(payload, "try", failing(NOT_YOURS))
    assert told(unserved) == [(True, error_text(NOT_YOURS))]
    assert log.lines("answer") == [] and url not in log.text


# -- who may use Keydesk


def outsiders(world: SlackDesk) -> dict[str, LocalPerson]:
    """Return users who see the approval channel and may not use Keydesk."""
    world.slack.change_person("U0BOB", deleted=True)
    world.slack.join("U0DAVE", "C0APPROVALS")
    robot = Person("U0ROBOT", "robot", "Robot", "robot@example.com", is_bot=True)
    return {
        "guest": world.slack.person("dave"),
        "deactivated": world.slack.person("bob"),
        "bot": world.slack.add_person(robot, ["C0APPROVALS"]),
        "external": world.slack.outsider(),
    }


def refused(user: LocalPerson) -> int:
    """Return how often a user was told privately that only members may use Keydesk."""
    words = words_of(Code.NOT_A_MEMBER)
    return sum(one.ephemeral and one.text == words for one in user.messages("key-approvals"))


def test_only_members_may_click_or_use_commands(served: SlackDesk) -> None:
    card, request = served.asked(), served.request()
    before = transitions(served)
    for name, user in outsiders(served).items():
        assert all(user.post_action(card, action_id, request.id).acked for action_id in BUTTONS)
        command = user.command("/key create deploy script", "key-approvals")
        assert (command.error == "not_a_valid_command") is (name == "external")
        times = len(BUTTONS) + (name != "external")
        user.wait_until(lambda one=user, n=times: refused(one) == n, PATIENCE, "refused")
    assert transitions(served) == before and served.request() == request


def test_a_guest_cannot_submit_a_form_opened_before(served: SlackDesk, log: Log) -> None:
    open_create_form(served)
    served.slack.change_person("U0ALICE", is_restricted=True)
    served.clock.advance(timedelta(seconds=60))  # an identity is remembered for a minute
    served.alice.submit({action_ids.REASON_BLOCK: "deploy script"})
    assert outcome(served, log, action_ids.CREATE_FORM)["code"] == Code.NOT_A_MEMBER
    served.alice.wait_for_modal(words_of(Code.NOT_A_MEMBER)[:40])
    assert transitions(served) == []


def test_a_guest_decides_nothing_while_remembered(served: SlackDesk, log: Log) -> None:
    """A decision looks the identity up again."""
    served.carol.click(served.asked(), "Deny")
    wait_for_form(served.carol, action_ids.DENY_FORM)
    before = transitions(served)
    served.slack.change_person("U0CAROL", is_restricted=True)
    served.carol.submit({action_ids.REASON_BLOCK: "no"})
    assert outcome(served, log, action_ids.DENY_FORM)["code"] == Code.NOT_A_MEMBER
    assert transitions(served) == before and served.request().status is Status.PENDING


def test_another_team_is_refused_without_a_lookup(unserved: SlackDesk, log: Log) -> None:
    payload = replace(OF_ALICE, team="T0OTHER")
    unserved.dispatcher.run_and_answer(payload, "try", failing(ZeroDivisionError()))
    assert log.lines("try")[0]["code"] == Code.NOT_A_MEMBER
    assert unserved.slack.calls("users.info") == []


# -- the acknowledgement


def test_the_acknowledgement_waits_for_nothing(served: SlackDesk) -> None:
    held = served.slack.faults.hold("users.info")
    assert served.alice.command("/key help").acked
    assert held.reached.wait(PATIENCE) and served.alice.messages("general") == []
    held.release()
    assert served.alice.wait_for("general").ephemeral


def test_a_full_pool_is_told_and_nothing_is_done(
    slack: LocalSlack, web: WebClient, log: Log
) -> None:
    with serving(slack, web) as before:
        card = before.asked()
        before.slack.person("bob").command("/key create")
        form = wait_for_form(before.slack.person("bob"), action_ids.CREATE_FORM)
    with serving(slack, web, pool=NoRoom()) as full:
        assert BUSY in str(full.alice.command("/key list").body)
        assert full.alice.wait_for("general", containing=BUSY).ephemeral
        full.carol.click(card, "Approve")
        assert full.carol.wait_for("key-approvals", containing=BUSY).ephemeral
        slack.person("bob").submit({action_ids.REASON_BLOCK: "deploy script"}, form)
        slack.person("bob").wait_for_modal(BUSY)
        assert full.store.entries == []


def test_a_late_acknowledgement_overwrites_no_answer(slack: LocalSlack, web: WebClient) -> None:
    """Slack takes one for three seconds, and shows it in the form's place."""
    trigger = slack.look(lambda box: box.views.new_trigger("U0ALICE"))
    opened: Any = web.views_open(trigger_id=trigger, view=modals.message_view("submitted"))
    payload, waited = replace(OF_ALICE, view_id=opened["view"]["id"]), [0.0]

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if sum(waited) - seconds < 3 <= sum(waited):
            checking = modals.message_view(CHECKING_TEXT, payload.form_name)
            web.views_update(view=checking, view_id=payload.view_id)

    world = build(slack, web, NoRoom(), NoRoom(), wait)
    world.dispatcher.run_and_answer(payload, "try", failing(NOT_YOURS))
    assert sum(waited) >= 3
    assert error_text(NOT_YOURS)[:20] in world.alice.modal_words


def test_a_delivery_that_slack_repeats_decides_once(served: SlackDesk, log: Log) -> None:
    delivery = served.carol.click(served.asked(), "Approve")
    served.alice.wait_for(button=action_ids.REVEAL)
    served.slack.deliver_again(delivery)
    outcome(served, log, "approve", nth=2)
    outcomes = sorted(line["outcome"] for line in log.lines("approve"))
    assert outcomes == ["done", "repeated delivery"]
    assert served.request().status is Status.APPROVED
