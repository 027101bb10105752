"""Each refusal is recorded: who, what and why, but not what was typed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from slack_sdk import WebClient

from bot.domain import errors
from bot.domain.codes import Code
from bot.domain.errors import KeydeskError, Refused
from bot.domain.outside_errors import Conflict, StoreUnavailable
from bot.slack import action_ids
from bot.slack.listeners.audit_refusals import LIMIT, LOG_ONLY_UNTIL
from bot.slack.listeners.dispatch import Dispatcher
from bot.slack.messages.errors import error_text
from sandbox.people import TEAM_ID
from tests.support.example_errors import ERRORS
from tests.support.example_requests import ID, KEY
from tests.support.logged import Log
from tests.support.slack_services import NoRoom, SlackDesk, at_once
from tests.support.taps import Tapped, Taps
from tests.unit.slack.steps import OF_ALICE, SECRET, failing, outcome, refusals

NOT_YOURS = errors.NotYourKey()
NOT_AN_APPROVER = errors.NotAllowed(Code.NOT_AN_APPROVER)
MISTYPED = (errors.BadCommand, errors.UnknownControl)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_refusals_are_recorded_but_not_mistyped_input(
    unserved: SlackDesk, error: KeydeskError
) -> None:
    unserved.dispatcher.run_and_answer(OF_ALICE, "approve", failing(error))
    if not isinstance(error, Refused) or isinstance(error, MISTYPED):
        assert unserved.store.entries == []
        return
    [entry] = unserved.store.entries
    assert (entry.at, entry.by, entry.action, entry.from_status, entry.to_status, entry.reason) == (
        unserved.clock.now(),
        "U0ALICE",
        "approve",
        "",
        "refused",
        "",
    )
    assert entry.detail and entry.detail.code == error.code
    about = (getattr(error, "key_id", ""), getattr(error, "request_id", ""))
    assert (entry.key_id, entry.request_id) == about


@pytest.mark.parametrize(
    ("value", "about"), [(ID, (ID, "")), (KEY, ("", KEY)), ("neither of the two", ("", ""))]
)
def test_a_refusal_names_what_its_button_is_about(
    unserved: SlackDesk, value: str, about: tuple[str, str]
) -> None:
    """A repeated delivery is recorded once."""
    for _ in range(3):
        payload = replace(OF_ALICE, value=value)
        unserved.dispatcher.run_and_answer(payload, "approve", failing(NOT_AN_APPROVER))
    assert [(entry.request_id, entry.key_id) for entry in unserved.store.entries] == [about]


def dispatcher(world: SlackDesk, web: WebClient, store: Any) -> Dispatcher:
    """Return a dispatcher with another store."""
    directory, now = world.services.directory, world.clock.now
    return Dispatcher(NoRoom(), NoRoom(), web, store, directory, TEAM_ID, at_once, now=now)


class FailingEntries:
    """A store that fails whenever an entry is to be written."""

    def __init__(self, store: object, failure: Exception) -> None:
        self._store, self._failure = store, failure

    def commit(self, *changes: object, **rest: object) -> None:
        raise self._failure

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@pytest.mark.parametrize(
    "failure",
    [StoreUnavailable(), RuntimeError("WRONGTYPE"), Conflict("request:id1")],
    ids=lambda failure: type(failure).__name__,
)
def test_a_refusal_is_answered_though_it_is_not_recorded(
    unserved: SlackDesk, web: WebClient, log: Log, failure: Exception
) -> None:
    failing_store = FailingEntries(unserved.store, failure)
    dispatcher(unserved, web, failing_store).run_and_answer(OF_ALICE, "approve", failing(NOT_YOURS))
    assert [one.text for one in unserved.alice.messages()] == [error_text(NOT_YOURS)]
    [line] = log.lines("refusal")
    assert (line["level"], line["outcome"]) == ("error", "not recorded")
    assert log.lines("approve")[0]["outcome"] == "refused"


def test_a_refusal_is_recorded_before_it_is_told(unserved: SlackDesk, web: WebClient) -> None:
    """A user who was refused can be sure that it is recorded."""
    taps, told = Taps(), list[int]()
    taps.on("store.commit", after=lambda: told.append(len(unserved.alice.messages())))
    tapped = Tapped("store", unserved.store, taps)
    dispatcher(unserved, web, tapped).run_and_answer(OF_ALICE, "approve", failing(NOT_YOURS))
    assert told == [0] and len(unserved.alice.messages()) == 1


def test_a_flood_of_refusals_is_recorded_up_to_a_limit(unserved: SlackDesk, log: Log) -> None:
    """It hides no refusal of another user, and the log has all of them."""
    of_alice = replace(OF_ALICE, delivery="")
    for _ in range(LIMIT.person + 20):
        unserved.dispatcher.run_and_answer(of_alice, "used", failing(NOT_YOURS))
    unserved.dispatcher.run_and_answer(replace(of_alice, user="U0BOB"), "used", failing(NOT_YOURS))
    *first, last, others = unserved.store.entries
    assert len(first) == LIMIT.person and others.by == "U0BOB"
    until = [entry.detail and entry.detail.facts.get(LOG_ONLY_UNTIL) for entry in (last, others)]
    assert until == ["2026-11-24T11:00:00+00:00", None]
    assert not any(entry.detail and LOG_ONLY_UNTIL in entry.detail.facts for entry in first)
    assert len(log.lines("used")) == LIMIT.person + 21


# -- over HTTP


def test_a_refused_decision_is_recorded_with_its_request(served: SlackDesk, log: Log) -> None:
    served.slack.person("bob").click(served.asked(), "Approve")
    assert outcome(served, log, "approve")["code"] == Code.NOT_AN_APPROVER
    [entry] = refusals(served)
    assert (entry.by, entry.action, entry.request_id) == ("U0BOB", "approve", served.request().id)


def test_a_refused_command_is_recorded_with_its_key(served: SlackDesk, log: Log) -> None:
    served.alice.command(f"/key disable {KEY}")
    assert outcome(served, log, "disable")["code"] == Code.NOT_YOUR_KEY
    [entry] = refusals(served)
    assert (entry.by, entry.action, entry.key_id) == ("U0ALICE", "disable", KEY)


def test_a_refusal_in_a_form_is_recorded_and_told_once(served: SlackDesk, log: Log) -> None:
    served.alice.command("/key rotate")
    assert outcome(served, log, "rotate")["outcome"] == "refused"
    [entry] = refusals(served)
    assert (entry.by, entry.action) == ("U0ALICE", "rotate") and entry.detail
    assert served.alice.messages("general") == []


def test_a_refusal_in_a_closed_form_is_told_outside_it(served: SlackDesk, log: Log) -> None:
    card, bob = served.asked(), served.slack.person("bob")
    served.slack.faults.fail("views.update", "not_found")  # Bob closed it while it was loading
    bob.click(card, "Deny")
    assert outcome(served, log, action_ids.DENY)["code"] == Code.NOT_AN_APPROVER
    assert bob.messages("key-approvals")[-1].ephemeral
    [entry] = refusals(served)
    assert (entry.by, entry.action, entry.request_id) == ("U0BOB", "deny", served.request().id)


def test_a_typed_secret_is_not_recorded(served: SlackDesk, log: Log) -> None:
    served.alice.command(f"/key create {SECRET}")
    served.alice.wait_for("general")
    [entry] = refusals(served)
    assert entry.detail and not entry.detail.facts
    assert SECRET not in repr(served.store.entries) + log.text
