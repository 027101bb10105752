"""Reveal a key: who may, one at a time, and no key is created for anyone else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.errors import KeydeskError, TooManyKeys
from bot.domain.identity import IamMapping, Member
from bot.domain.keys import DesiredState, Origin
from bot.domain.outside_errors import (
    IamDenied,
    IamRefused,
    IamThrottled,
    IamUnavailable,
    OutcomeUnknown,
)
from bot.domain.records import Change
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.operations import reveal_key
from tests.support.errors import refuses
from tests.support.fake_issuer import ACCOUNT
from tests.support.world import ALICE, BOB, CAROL, World, fails, make_desk, reveal
from tests.unit.operations.key_checks import actions, assert_fields
from tests.unit.operations.key_times import HOUR, ORPHAN_CHECK

ISSUING = f"issuing:{ACCOUNT}:{ALICE.email}"
THROTTLED = IamThrottled("Throttling", "CreateAccessKey")


@pytest.fixture
def world() -> World:
    return make_desk()


@pytest.fixture
def approved(world: World) -> KeyRequest:
    return world.approved()


def test_the_click_creates_a_key_shows_it_once_and_records_it(
    world: World, approved: KeyRequest
) -> None:
    request = reveal(world, approved)
    ((channel, key_id, secret),) = world.slack.observed
    assert (channel, secret) == ("D0ALICE", world.iam.made[key_id])
    assert request == world.now(request)
    now = world.clock.now()
    assert_fields(
        request, status=Status.DELIVERED, access_key_id=key_id, reveals=1, delivered_at=now
    )
    assert request.deadline == now + 12 * HOUR
    record = world.record(key_id)
    assert_fields(
        record,
        desired=DesiredState.ACTIVE,
        origin=Origin.ISSUED,
        owner=ALICE.id,
        request_id=request.id,
        iam_user=ALICE.email,
    )
    assert world.store.lock_holder(ISSUING) is None
    assert actions(world)[-3:] == ["reveal", "record_key", "deliver"]
    stored = [request, record, world.store.entries, world.slack.rendered]
    assert secret not in repr(stored), "it is in the ephemeral and nowhere else"


# Who may reveal, and when.


@pytest.mark.parametrize("member", [BOB, CAROL])
def test_only_the_requester_reveals(world: World, approved: KeyRequest, member: Member) -> None:
    with world.nothing_happens(), refuses(Code.NOT_THE_REQUESTER):
        reveal_key.reveal(world.services, member, approved.id)


@pytest.mark.parametrize("state", ["pending", "delivered", "unclaimed"])
def test_only_an_approved_request_is_revealed(world: World, state: str) -> None:
    request = getattr(world, state)()
    with world.nothing_happens(), refuses(Code.REQUEST_MOVED_ON, status=request.status.value):
        reveal(world, request)


def test_an_expired_approval_reveals_nothing(world: World, approved: KeyRequest) -> None:
    world.clock.advance(72 * HOUR)
    with refuses(Code.REQUEST_MOVED_ON, status="expired"):
        reveal(world, approved)
    assert world.iam.made == {} and world.now(approved).status is Status.EXPIRED


def recreate_user(world: World) -> None:
    world.iam.add_user(ALICE.email, "AIDANEW", Owner=ALICE.id)


def tag_another_owner(world: World) -> None:
    world.iam.add_user(ALICE.email, Owner=BOB.id)


def silence_aws(world: World) -> None:
    world.taps.on("issuer.user", before=IamUnavailable("GetUser"))


def set_clock(seconds: int) -> Callable[[World], None]:
    return lambda world: setattr(world.clock, "ahead", timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("change", "code", "facts"),
    [
        (
            recreate_user,
            Code.IAM_USER_RECREATED,
            {"iam_user": ALICE.email, "verb": "create", "service_user": ""},
        ),
        (tag_another_owner, Code.NOT_IN_OWNER_TAG, {}),
        (silence_aws, Code.AWS_UNAVAILABLE, {}),
        (set_clock(6), Code.CLOCK_SKEWED, {"seconds": 6}),
        (set_clock(-6), Code.CLOCK_SKEWED, {"seconds": -6}),
    ],
)
def test_a_change_since_the_approval_stops_the_reveal(
    change: Callable[[World], None], code: Code, facts: dict[str, object]
) -> None:
    world = make_desk(iam_owner_tag="Owner")
    world.iam.add_user(ALICE.email, Owner=ALICE.id)
    request = world.approved()
    change(world)
    with world.nothing_happens(), refuses(code, **facts):
        reveal(world, request)


def test_a_member_matched_to_another_iam_user_gets_no_key() -> None:
    pairs = {ALICE.id: ALICE.email}
    world = make_desk(iam_mapping=IamMapping("", pairs=pairs))
    request = world.approved()
    pairs[ALICE.id] = BOB.email
    with world.nothing_happens(), refuses(Code.MATCHED_TO_OTHER_USER, iam_user=BOB.email):
        reveal(world, request)


# One reveal at a time.


@pytest.mark.parametrize(
    "call", ["issuer.user", "store.commit", "issuer.create_key", "messenger.deliver"]
)
def test_of_two_concurrent_reveals_only_one_creates_a_key(
    world: World, approved: KeyRequest, call: str
) -> None:
    refused: list[Code] = []

    def click() -> None:
        try:
            reveal(world, approved)
        except KeydeskError as error:
            refused.append(error.code)

    world.taps.on(call, before=click)
    click()
    assert len(refused) == 1 and refused[0] in (Code.REQUEST_MOVED_ON, Code.REVEAL_RUNNING)
    assert len(world.iam.made) == len(world.slack.observed) == 1
    assert world.now(approved).status is Status.DELIVERED


def test_two_leases_of_the_same_moment_differ(world: World, approved: KeyRequest) -> None:
    leases = []
    for _ in range(2):
        world.taps.on("issuer.create_key", before=THROTTLED)
        world.taps.on("store.commit", after=lambda: leases.append(world.now(approved).lease))
        with refuses(Code.AWS_THROTTLED):
            reveal(world, approved)
    assert leases[0].ends == leases[1].ends and leases[0] != leases[1]


def test_an_iam_user_gets_one_key_at_a_time(world: World, approved: KeyRequest) -> None:
    other = replace(approved, id="id9", verb="rotate", version=1, status=Status.ISSUING)
    world.store.commit(Change(None, other), entry=world.store.entries[-1])
    with world.nothing_happens(), refuses(Code.OTHER_REVEAL_RUNNING):
        reveal(world, approved)


def test_a_click_that_loses_the_lease_says_that_a_reveal_runs(
    world: World, approved: KeyRequest
) -> None:
    def reveal_without_answer() -> None:
        world.taps.on("issuer.create_key", after=OutcomeUnknown("CreateAccessKey"))
        fails(world, approved, Code.KEY_CREATION_UNCONFIRMED)

    world.taps.on("store.commit", before=reveal_without_answer)
    with refuses(Code.REVEAL_RUNNING):
        reveal(world, approved)
    assert len(world.iam.made) == 1 and world.now(approved).status is Status.ISSUING


# AWS refuses, or its answer is lost.


@pytest.mark.parametrize(
    "refusal",
    [
        IamDenied("AccessDenied", "CreateAccessKey"),
        THROTTLED,
        IamRefused("ServiceFailure", "CreateAccessKey"),
        IamUnavailable("CreateAccessKey"),
    ],
)
def test_after_a_refusal_by_iam_the_approval_starts_again(
    world: World, approved: KeyRequest, refusal: KeydeskError
) -> None:
    world.clock.advance(70 * HOUR)
    world.taps.on("issuer.create_key", before=refusal)
    with refuses(refusal.code):
        reveal(world, approved)
    now = world.now(approved)
    facts = {"cause": refusal.code, "aws_code": getattr(refusal, "aws_code", "")}
    assert (now.status, now.lease, now.access_key_id) == (Status.APPROVED, None, "")
    assert now.detail == world.store.entries[-1].detail == Detail(Code.KEY_NOT_CREATED, facts)
    assert now.deadline == world.clock.now() + 72 * HOUR
    assert world.store.lock_holder(ISSUING) is None
    assert (world.iam.made, world.slack.observed) == ({}, [])
    assert reveal(world, approved).status is Status.DELIVERED


def test_at_the_limit_the_error_names_both_keys(world: World, approved: KeyRequest) -> None:
    ids = [world.iam.create_key(ALICE.email)[0].id for _ in range(2)]
    with pytest.raises(TooManyKeys) as refused:
        reveal(world, approved)
    assert [key.id for key in refused.value.keys] == ids
    facts = {"cause": refused.value.code, "aws_code": "LimitExceeded"}
    assert world.now(approved).detail == Detail(Code.KEY_NOT_CREATED, facts)
    world.taps.on("issuer.keys", before=IamThrottled("Throttling", "ListAccessKeys"))
    with refuses(Code.ACCESS_KEY_LIMIT):
        reveal(world, approved)
    assert world.now(approved).status is Status.APPROVED


@pytest.mark.parametrize("side", ["before", "after"])
def test_after_a_lost_answer_no_second_key_can_be_created(
    world: World, approved: KeyRequest, side: str
) -> None:
    world.taps.on("issuer.create_key", **{side: OutcomeUnknown("CreateAccessKey")})
    wait = int(ORPHAN_CHECK.total_seconds())
    fails(world, approved, Code.KEY_CREATION_UNCONFIRMED, wait=wait)
    assert world.now(approved).status is Status.ISSUING
    assert world.store.lock_holder(ISSUING) == approved.id
    with world.nothing_happens(), refuses(Code.REQUEST_MOVED_ON, status="issuing"):
        reveal(world, approved)


def test_after_a_third_of_the_lease_no_key_is_created(world: World, approved: KeyRequest) -> None:
    world.taps.on("store.commit", after=lambda: world.clock.advance(timedelta(seconds=20)))
    fails(world, approved, Code.REVEAL_TOOK_TOO_LONG)
    assert world.iam.made == {} and world.now(approved).status is Status.APPROVED
