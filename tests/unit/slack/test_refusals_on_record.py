"""Each refusal is on record: who, what and why, never what was typed; and a record that fails changes no answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from slack_sdk import WebClient

from bot.domain import errors
from bot.domain.codes import Code
from bot.domain.errors import KeydeskError, Refused
from bot.domain.identity import Member
from bot.domain.outside_errors import Conflict, StoreUnavailable
from bot.domain.records import AuditEntry
from bot.slack.listeners.dispatch import Dispatcher
from bot.slack.listeners.responder import Responder
from bot.slack.messages.errors import error_text
from bot.slack.payload import Payload
from sandbox.local import LocalSlack
from sandbox.people import TEAM_ID
from tests.support.example_requests import ERRORS
from tests.support.logged import Log
from tests.support.slack_services import PATIENCE, NoRoom, SlackDesk, at_once, build, serving
from tests.support.taps import Tapped, Taps

REQUEST, A_KEY = "0123456789abcdef0123456789abcd", "AKIAIOSFODNN7EXAMPLE"
OF_ALICE = Payload(user="U0ALICE", team=TEAM_ID, delivery="d1", channel="D0ALICE")
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKE2"


@pytest.fixture
def services(slack: LocalSlack, web: WebClient, log: Log) -> Iterator[SlackDesk]:
    with serving(slack, web) as served:
        yield served


@pytest.fixture
def unserved(slack: LocalSlack, web: WebClient, log: Log) -> SlackDesk:
    return build(slack, web, NoRoom(), NoRoom())


def failing(error: Exception) -> Callable[[Member, Responder], None]:
    def work(member: Member, answer: Responder) -> None:
        raise error

    return work


def refusals(services: SlackDesk) -> list[AuditEntry]:
    return [entry for entry in services.store.entries if entry.to_status == "refused"]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_every_refusal_is_noted_but_what_was_mistyped(
    unserved: SlackDesk, error: KeydeskError
) -> None:
    unserved.dispatcher.guard(OF_ALICE, "approve", failing(error))
    if not isinstance(error, Refused) or isinstance(
        error, (errors.BadCommand, errors.UnknownControl)
    ):
        assert unserved.store.entries == []
        return
    [entry] = unserved.store.entries
    assert (entry.at, entry.by, entry.action, entry.from_status, entry.to_status) == (
        unserved.clock.now(),
        "U0ALICE",
        "approve",
        "",
        "refused",
    )
    assert entry.reason == "" and entry.detail and entry.detail.code == error.code
    assert entry.key_id == getattr(error, "key_id", "") and entry.request_id == getattr(
        error, "request_id", ""
    )


def test_what_a_button_stands_for_is_noted_with_it(unserved: SlackDesk) -> None:
    for number, value in enumerate((REQUEST, A_KEY, "neither of the two")):
        unserved.dispatcher.guard(
            replace(OF_ALICE, delivery=f"d{number}", value=value),
            "approve",
            failing(errors.NotAllowed(Code.NOT_AN_APPROVER)),
        )
    assert [(entry.request_id, entry.key_id) for entry in unserved.store.entries] == [
        (REQUEST, ""),
        ("", A_KEY),
        ("", ""),
    ]


def test_a_delivery_that_is_repeated_is_noted_once(unserved: SlackDesk) -> None:
    for _ in range(3):
        unserved.dispatcher.guard(
            OF_ALICE, "approve", failing(errors.NotAllowed(Code.NOT_AN_APPROVER))
        )
    assert len(unserved.store.entries) == 1


class DownForEntries:
    """A store that is down, or fails in another way, whenever an entry is to be written."""

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
def test_a_store_that_fails_changes_nothing_of_the_answer(
    unserved: SlackDesk, web: WebClient, log: Log, failure: Exception
) -> None:
    store: Any = DownForEntries(unserved.store, failure)
    dispatcher = Dispatcher(
        NoRoom(),
        NoRoom(),
        web,
        store,
        unserved.services.directory,
        TEAM_ID,
        at_once,
        now=unserved.clock.now,
    )
    dispatcher.guard(OF_ALICE, "approve", failing(errors.NotYourKey()))
    assert [one.text for one in unserved.alice.messages()] == [error_text(errors.NotYourKey())]
    assert [(line["level"], line["outcome"]) for line in log.lines("refusal")] == [
        ("error", "not recorded")
    ]
    assert log.lines("approve")[0]["outcome"] == "refused"


def test_a_refusal_is_noted_before_it_is_told(
    unserved: SlackDesk, web: WebClient, log: Log
) -> None:
    """Whoever was told no can be sure that it is on record."""
    taps = Taps()
    store: Any = Tapped("store", unserved.store, taps)
    taps.on("store.commit", after=lambda: told.append(len(unserved.alice.messages())))
    told: list[int] = []
    Dispatcher(
        NoRoom(),
        NoRoom(),
        web,
        store,
        unserved.services.directory,
        TEAM_ID,
        at_once,
        now=unserved.clock.now,
    ).guard(OF_ALICE, "approve", failing(errors.NotYourKey()))
    assert told == [0] and len(unserved.alice.messages()) == 1


# -- as people meet it


def test_who_may_not_decide_is_on_record_with_the_request(services: SlackDesk) -> None:
    card = services.asked()
    services.slack.person("bob").click(card, "Approve")
    services.slack.person("bob").wait_for("key-approvals", "Only approvers can do that")
    [entry] = refusals(services)
    assert (entry.by, entry.action, entry.request_id) == ("U0BOB", "approve", services.request().id)


def test_a_command_about_a_key_is_on_record_with_the_key(services: SlackDesk) -> None:
    services.alice.command(f"/key disable {A_KEY}")
    services.alice.wait_for("general", "no access key with that ID")
    [entry] = refusals(services)
    assert (entry.by, entry.action, entry.key_id) == ("U0ALICE", "disable", A_KEY)


def test_what_is_refused_in_a_form_is_on_record_and_told_once(services: SlackDesk) -> None:
    services.alice.command("/key rotate")
    services.alice.wait_for_modal("have an access key to rotate")
    services.slack.wait_until(lambda: refusals(services), PATIENCE, "it is on record")
    [entry] = refusals(services)
    assert (entry.by, entry.action) == ("U0ALICE", "rotate") and entry.detail
    assert services.alice.messages("general") == []


def test_a_form_that_is_closed_at_once_keeps_no_refusal_off_the_record(services: SlackDesk) -> None:
    card = services.asked()
    bob = services.slack.person("bob")
    services.slack.faults.fail(
        "views.update", "not_found"
    )  # he has closed it while it said "Checking…"
    bob.click(card, "Deny")
    bob.wait_for("key-approvals", "Only approvers can do that")
    [entry] = refusals(services)
    assert (entry.by, entry.action, entry.request_id) == ("U0BOB", "deny", services.request().id)


def test_a_typed_secret_is_on_record_without_the_secret(services: SlackDesk) -> None:
    services.alice.command(f"/key create {SECRET}")
    services.alice.wait_for("general", "That looks like a secret access key")
    [entry] = refusals(services)
    assert entry.detail and not entry.detail.facts
    assert SECRET not in repr(services.store.entries)


def test_a_mistyped_command_is_not(services: SlackDesk) -> None:
    services.alice.command("/key crate")
    services.alice.wait_for("general", "/key create")
    assert services.store.entries == []
