"""Who floods the desk keeps nobody else waiting, is told so once, and leaves a short trail."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from slack_sdk import WebClient

from bot.domain import errors
from bot.domain.audit.seals import REFUSED
from bot.domain.identity import Member
from bot.domain.rate_limits import Limit, LimitedAction, Usage
from bot.runtime.worker_pool import WorkPool
from bot.slack.listeners.audit_refusals import LIMIT
from bot.slack.listeners.dispatch import Payload, Responder
from bot.slack.listeners.user_concurrency import MAX_CONCURRENT, UserConcurrency
from bot.slack.messages.replies import TOO_MANY_TEXT
from sandbox.local import LocalSlack
from sandbox.people import TEAM_ID
from tests.support.logged import Log
from tests.support.slack_services import PATIENCE, NoRoom, SlackDesk, build, serving

OF_ALICE = Payload(person="U0ALICE", team=TEAM_ID, delivery="", channel="D0ALICE")
OF_BOB = replace(OF_ALICE, person="U0BOB", channel="D0BOB")
NONE = dict.fromkeys(LimitedAction, Limit(0, 9))


class Acks:
    """Remembers what was acknowledged."""

    def __init__(self) -> None:
        self.given: list[dict[str, Any]] = []

    def __call__(self, **answer: Any) -> None:
        self.given.append(answer)


@pytest.fixture
def unserved(slack: LocalSlack, web: WebClient, log: Log) -> SlackDesk:
    """A desk whose boundary the test calls itself."""
    return build(slack, web, NoRoom(), NoRoom())


@pytest.fixture
def pool() -> Iterator[WorkPool]:
    pool = WorkPool(threads=MAX_CONCURRENT + 2)
    yield pool
    assert pool.drain(PATIENCE)


def over(unserved: SlackDesk) -> Callable[[Member, Responder], None]:
    """Work that is one request too many."""

    def work(member: Member, answer: Responder) -> None:
        unserved.store.count(
            Usage(LimitedAction.REQUEST, member.id, unserved.clock.now(), Limit(0, 9))
        )

    return work


# -- how much may wait or run at once


def test_a_share_is_each_persons_own_and_comes_back() -> None:
    shares = UserConcurrency(2)
    assert [shares.take("U1") for _ in range(4)] == [0, 0, 1, 2] and shares.take("U2") == 0
    shares.give_back("U1")
    assert [shares.take("U1") for _ in range(2)] == [0, 3]
    for _ in range(2):
        shares.give_back("U1")
    assert [shares.take("U1") for _ in range(3)] == [0, 0, 1], (
        "told anew once nothing of theirs is left"
    )


def test_a_flood_of_one_person_is_acknowledged_at_once_and_keeps_no_thread_from_another(
    slack: LocalSlack, web: WebClient, log: Log, pool: WorkPool
) -> None:
    busy = WorkPool(threads=1)
    services, acks, held = build(slack, web, pool, busy), Acks(), threading.Event()
    flood = [0]

    def slow(member: Member, answer: Responder) -> None:
        flood[0] += 1
        assert held.wait(PATIENCE)

    def click(payload: Payload, work: Callable[[Member, Responder], None]) -> None:
        services.dispatcher.take(acks, payload, "try", work)

    try:
        for _ in range(300):
            click(replace(OF_ALICE, action_id="approve"), slow)
        assert acks.given == [{}] * 300
        done = threading.Event()
        click(OF_BOB, lambda member, answer: done.set())
        assert done.wait(PATIENCE), "another's work runs while the flood is held up"
        assert busy.drain(PATIENCE)
        assert [one.text for one in services.slack.person("U0ALICE").messages()] == [
            TOO_MANY_TEXT
        ], "told once"
        assert [
            (line["outcome"], line["theirs"])
            for line in log.lines("try")
            if line["outcome"] == "busy"
        ] == [("busy", True)]
    finally:
        held.set()
    assert pool.drain(PATIENCE) and flood == [MAX_CONCURRENT]


@pytest.mark.parametrize(
    "payload, answer",
    [
        (OF_ALICE, {"text": TOO_MANY_TEXT}),
        (replace(OF_ALICE, view_id="V1"), "update"),
    ],
    ids=["command", "form"],
)
def test_a_command_and_a_form_beyond_the_share_are_answered_by_their_ack(
    slack: LocalSlack, web: WebClient, log: Log, payload: Payload, answer: object
) -> None:
    waits: list[Callable[[], None]] = []

    class Held:
        def submit(self, work: Callable[[], None]) -> bool:
            waits.append(work)
            return True

    services, acks = build(slack, web, Held(), NoRoom()), Acks()
    for _ in range(MAX_CONCURRENT + 2):
        services.dispatcher.take(acks, payload, "try", lambda member, answer: None)
    assert len(waits) == MAX_CONCURRENT
    for ack in acks.given[MAX_CONCURRENT:]:
        assert ack == answer or (
            ack["response_action"] == answer and TOO_MANY_TEXT in str(ack["view"])
        )


def test_work_that_found_no_room_leaves_its_share_free(unserved: SlackDesk) -> None:
    acks = Acks()
    for _ in range(MAX_CONCURRENT * 3):
        unserved.dispatcher.take(acks, OF_ALICE, "try", lambda member, answer: None)
    assert all("very busy" in ack["text"] for ack in acks.given)


# -- how much in an hour


def test_a_person_beyond_a_limit_is_told_once_and_noted_once(unserved: SlackDesk, log: Log) -> None:
    for _ in range(20):
        unserved.dispatcher.guard(OF_ALICE, "create", over(unserved))
    assert [
        "10:02" not in one.text and "11:00 UTC" in one.text for one in unserved.alice.messages()
    ] == [True]
    [entry] = unserved.store.entries
    assert (entry.by, entry.to_status) == ("U0ALICE", REFUSED) and entry.reason.startswith(
        "RateLimited: "
    )
    assert [line["outcome"] for line in log.lines("create")] == ["refused"] * 20


def test_a_form_beyond_a_limit_always_says_how_it_ended(
    slack: LocalSlack, web: WebClient, log: Log
) -> None:
    with serving(slack, web, hourly_limits=NONE) as services:
        for _ in range(2):
            services.alice.command("/key create")
            services.alice.wait_for_modal("What is the key for?")
            assert services.alice.submit({"reason": "deploy script"}).acked
            services.alice.wait_for_modal("I have done nothing")
            services.alice.close_modal()
        assert services.store.requests_of("U0ALICE") == [] and len(services.store.entries) == 1


def test_a_flood_of_refusals_is_noted_up_to_a_number_and_hides_nobody_elses(
    unserved: SlackDesk, log: Log
) -> None:
    def no(member: Member, answer: Responder) -> None:
        raise errors.NotYourKey

    for _ in range(LIMIT.person + 20):
        unserved.dispatcher.guard(OF_ALICE, "used", no)
    unserved.dispatcher.guard(OF_BOB, "used", no)
    *first, last, others = unserved.store.entries
    assert len(first) == LIMIT.person and others.by == "U0BOB"
    assert "Further refusals of this person before 11:00 UTC stand in the log alone." in last.reason
    assert not any("Further" in entry.reason for entry in (*first, others))
    assert len(log.lines("used")) == LIMIT.person + 21, "the log has every one"
