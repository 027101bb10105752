"""Helpers for tests of listeners: a payload, failing work, forms, records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bot.domain.audit.seals import REFUSED
from bot.domain.identity import Member
from bot.domain.records import AuditEntry
from bot.slack.action_ids import CREATE_FORM
from bot.slack.listeners.responder import Responder
from bot.slack.messages.blocks import Message
from bot.slack.payload import Payload
from sandbox.local_person import LocalPerson
from sandbox.people import TEAM_ID
from tests.support.logged import Log
from tests.support.slack_services import PATIENCE, SlackDesk

OF_ALICE = Payload(user="U0ALICE", team=TEAM_ID, delivery="d1", channel="D0ALICE")
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKE2"
View = dict[str, Any]


class Acks:
    """Remembers what was acknowledged."""

    def __init__(self) -> None:
        self.given: list[dict[str, Any]] = []

    def __call__(self, *words: Any, **fields: Any) -> None:
        self.given.append(fields)


def failing(error: Exception) -> Callable[[Member, Responder], None]:
    """Return work that raises this error."""

    def work(member: Member, responder: Responder) -> None:
        raise error

    return work


def wait_for_form(user: LocalPerson, callback_id: str) -> View:
    """Return the open form once it has this callback ID, "" for a mere text."""

    def form() -> View | None:
        view = user.modal
        return dict(view) if view and (view["callback_id"] or "") == callback_id else None

    return user.wait_until(form, PATIENCE, f"{user.id} sees the form {callback_id!r}")


def open_create_form(world: SlackDesk) -> View:
    world.alice.command("/key create")
    return wait_for_form(world.alice, CREATE_FORM)


def wait_for_answer(user: LocalPerson, answer: Message, channel: str = "dm") -> None:
    """Wait until the user has this private answer."""
    user.wait_until(
        lambda: any(one.ephemeral and one.text == answer.text for one in user.messages(channel)),
        PATIENCE,
        f"{user.id} reads {answer.text!r}",
    )


def wait_for_kind(world: SlackDesk, kind: str) -> None:
    """Wait until Alice's request has a lasting message of this kind."""
    world.slack.wait_until(
        lambda: kind in {one.kind for one in world.store.messages(world.request().name)},
        PATIENCE,
        f"the message {kind} is posted",
    )


def outcome(world: SlackDesk, log: Log, verb: str, nth: int = 1) -> dict[str, Any]:
    """Wait until a verb was logged `nth` times. Return its last line."""
    world.slack.wait_until(lambda: len(log.lines(verb)) >= nth, PATIENCE, f"{verb} is logged")
    return log.lines(verb)[-1]


def is_refusal(entry: AuditEntry) -> bool:
    return entry.to_status == REFUSED


def refusals(world: SlackDesk) -> list[AuditEntry]:
    return [entry for entry in world.store.entries if is_refusal(entry)]


def transitions(world: SlackDesk) -> list[AuditEntry]:
    """Return everything in the audit trail but refusals."""
    return [entry for entry in world.store.entries if not is_refusal(entry)]
