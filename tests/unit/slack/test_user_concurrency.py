"""A user who floods Keydesk delays no other user, and is told so once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from slack_sdk import WebClient

from bot.domain.codes import Code
from bot.domain.identity import Member
from bot.domain.rate_limits import Limit, LimitedAction, Usage
from bot.runtime.worker_pool import WorkPool
from bot.slack import action_ids
from bot.slack.listeners.responder import Responder
from bot.slack.listeners.user_concurrency import MAX_CONCURRENT, UserConcurrency
from bot.slack.payload import Payload
from sandbox.local import LocalSlack
from tests.support.logged import Log
from tests.support.slack_services import PATIENCE, NoRoom, SlackDesk, build, serving, words_of
from tests.unit.slack import steps
from tests.unit.slack.steps import Acks, open_create_form, outcome, refusals

TOO_MANY = words_of(Code.TOO_MANY_CONCURRENT)
OF_ALICE = replace(steps.OF_ALICE, delivery="")
OF_BOB = replace(OF_ALICE, user="U0BOB", channel="D0BOB")


def nothing(member: Member, responder: Responder) -> None:
    """Work that has no effect."""


@pytest.fixture
def pool() -> Iterator[WorkPool]:
    pool = WorkPool(threads=MAX_CONCURRENT + 2)
    yield pool
    assert pool.drain(PATIENCE)


# -- concurrent work


def test_each_user_has_a_share_of_their_own() -> None:
    """The count of rejections begins again once none of the user's work is left."""
    concurrency = UserConcurrency(2)
    assert [concurrency.acquire("U1") for _ in range(4)] == [0, 0, 1, 2]
    assert concurrency.acquire("U2") == 0
    concurrency.release("U1")
    assert [concurrency.acquire("U1") for _ in range(2)] == [0, 3]
    for _ in range(2):
        concurrency.release("U1")
    assert [concurrency.acquire("U1") for _ in range(3)] == [0, 0, 1]


def test_a_flood_leaves_workers_free_for_other_users(
    slack: LocalSlack, web: WebClient, log: Log, pool: WorkPool
) -> None:
    """Each click is acknowledged at once, and the user is told once."""
    busy = WorkPool(threads=1)
    world, acks, held, done = build(slack, web, pool, busy), Acks(), threading.Event(), [0]

    def slow(member: Member, responder: Responder) -> None:
        done[0] += 1
        assert held.wait(PATIENCE)

    try:
        for _ in range(300):
            click = replace(OF_ALICE, action_id="approve")
            world.dispatcher.take(acks, click, "try", slow)
        assert acks.given == [{}] * 300
        others = threading.Event()
        world.dispatcher.take(acks, OF_BOB, "try", lambda member, responder: others.set())
        assert others.wait(PATIENCE) and busy.drain(PATIENCE)
        assert [one.text for one in world.alice.messages()] == [TOO_MANY]
        rejected = [line["code"] for line in log.lines("try") if line["outcome"] == "busy"]
        assert rejected == [Code.TOO_MANY_CONCURRENT]
    finally:
        held.set()
    assert pool.drain(PATIENCE) and done == [MAX_CONCURRENT]


@pytest.mark.parametrize(
    "payload", [OF_ALICE, replace(OF_ALICE, view_id="V1")], ids=["command", "form"]
)
def test_the_ack_answers_commands_and_forms_of_a_flood(
    slack: LocalSlack, web: WebClient, log: Log, payload: Payload
) -> None:
    queued: list[Callable[[], None]] = []

    class Held:
        def submit(self, work: Callable[[], None]) -> bool:
            queued.append(work)
            return True

    world, acks = build(slack, web, Held(), NoRoom()), Acks()
    for _ in range(MAX_CONCURRENT + 2):
        world.dispatcher.take(acks, payload, "try", nothing)
    assert len(queued) == MAX_CONCURRENT
    for ack in acks.given[MAX_CONCURRENT:]:
        if payload.view_id:
            assert ack["response_action"] == "update" and TOO_MANY in str(ack["view"])
        else:
            assert ack == {"text": TOO_MANY}


def test_work_that_met_a_full_pool_frees_its_share(unserved: SlackDesk) -> None:
    acks = Acks()
    for _ in range(MAX_CONCURRENT * 3):
        unserved.dispatcher.take(acks, OF_ALICE, "try", nothing)
    assert {ack["text"] for ack in acks.given} == {words_of(Code.WORKERS_BUSY)}


# -- hourly limits


def test_beyond_an_hourly_limit_a_user_is_told_once(unserved: SlackDesk, log: Log) -> None:
    def one_too_many(member: Member, responder: Responder) -> None:
        now = unserved.clock.now()
        usage = Usage(LimitedAction.REQUEST, member.id, now, Limit(0, 9))
        unserved.store.record_usage(usage)

    for _ in range(20):
        unserved.dispatcher.run_and_answer(OF_ALICE, "create", one_too_many)
    [answer] = unserved.alice.messages()
    assert "10:02" not in answer.text and "11:00 UTC" in answer.text
    [entry] = refusals(unserved)
    assert entry.by == "U0ALICE" and entry.detail is not None
    assert [line["outcome"] for line in log.lines("create")] == ["refused"] * 20


def test_beyond_an_hourly_limit_a_form_is_always_answered(
    slack: LocalSlack, web: WebClient, log: Log
) -> None:
    no_requests = dict.fromkeys(LimitedAction, Limit(0, 9))
    with serving(slack, web, hourly_limits=no_requests) as world:
        for nth in (1, 2):
            open_create_form(world)
            assert world.alice.submit({action_ids.REASON_BLOCK: "deploy script"}).acked
            assert outcome(world, log, action_ids.CREATE_FORM, nth)["outcome"] == "refused"
            world.alice.wait_for_modal("11:00 UTC")
            world.alice.close_modal()
        assert world.store.requests_of("U0ALICE") == [] and len(world.store.entries) == 1
