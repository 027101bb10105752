"""Revealing a key: who may, one at a time, and no key is created for anyone else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.errors import KeydeskError, NotAllowed, TooManyKeys, WrongState
from bot.domain.identity import IamMapping
from bot.domain.keys import DesiredState, Origin
from bot.domain.outside_errors import (
    AccessKeyLimit,
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
from tests.support.world import ACCOUNT, ALICE, BOB, CAROL, World, fails, make_desk, reveal

ISSUING = f"issuing:{ACCOUNT}:{ALICE.email}"


def test_the_click_creates_a_key_shows_it_once_and_records_it() -> None:
    world = make_desk()
    request = reveal(world, world.approved())
    ((channel, key_id, secret),) = world.slack.observed
    assert (channel, secret) == ("D0ALICE", world.iam.made[key_id])
    assert request == world.now(request)
    assert (request.status, request.access_key_id, request.reveals, request.delivered_at) == (
        Status.DELIVERED,
        key_id,
        1,
        world.clock.now(),
    )
    assert request.deadline == world.clock.now() + timedelta(hours=12)
    record = world.record(key_id)
    assert (record.desired, record.origin, record.owner, record.request_id, record.iam_user) == (
        DesiredState.ACTIVE,
        Origin.ISSUED,
        ALICE.id,
        request.id,
        ALICE.email,
    )
    assert world.store.lock_holder(ISSUING) is None
    assert [entry.action for entry in world.store.entries[-3:]] == [
        "reveal",
        "record_key",
        "deliver",
    ]


def test_the_secret_is_in_the_ephemeral_and_nowhere_else() -> None:
    world = make_desk()
    request = reveal(world, world.approved())
    secret = world.iam.made[request.access_key_id]
    stored = [
        world.now(request),
        world.record(request.access_key_id),
        world.store.entries,
        world.slack.rendered,
    ]
    assert secret not in repr(stored)


@pytest.mark.parametrize("member", [BOB, CAROL])
def test_only_the_requester_reveals(member: object) -> None:
    world = make_desk()
    request = world.approved()
    with world.nothing_happens(), pytest.raises(NotAllowed):
        reveal_key.reveal(world.services, member, request.id)


@pytest.mark.parametrize("state", ["pending", "delivered", "unclaimed"])
def test_only_an_approved_request_is_revealed(state: str) -> None:
    world = make_desk()
    request = getattr(world, state)()
    with world.nothing_happens(), refuses(Code.REQUEST_MOVED_ON, status=request.status.value):
        reveal(world, request)


def test_an_expired_approval_reveals_nothing() -> None:
    world = make_desk()
    request = world.approved()
    world.clock.advance(timedelta(hours=72))
    with refuses(Code.REQUEST_MOVED_ON, status="expired"):
        reveal(world, request)
    assert world.iam.made == {} and world.now(request).status is Status.EXPIRED


def test_a_recreated_iam_user_gets_no_key() -> None:
    world = make_desk()
    request = world.approved()
    world.iam.add_user(ALICE.email, "AIDANEW")
    changed = refuses(Code.IAM_USER_RECREATED, iam_user=ALICE.email, verb="create", service_user="")
    with world.nothing_happens(), changed:
        reveal(world, request)


def test_a_member_matched_to_another_iam_user_gets_no_key() -> None:
    pairs = {ALICE.id: ALICE.email}
    world = make_desk(iam_mapping=IamMapping("", pairs=pairs))
    request = world.approved()
    pairs[ALICE.id] = BOB.email
    with world.nothing_happens(), refuses(Code.MATCHED_TO_OTHER_USER, iam_user=BOB.email):
        reveal(world, request)


def test_a_member_no_longer_in_the_owner_tag_gets_no_key() -> None:
    world = make_desk(iam_owner_tag="Owner")
    world.iam.add_user(ALICE.email, Owner=ALICE.id)
    request = world.approved()
    world.iam.add_user(ALICE.email, Owner=BOB.id)
    with world.nothing_happens(), pytest.raises(NotAllowed):
        reveal(world, request)


@pytest.mark.parametrize("ahead", [6, -6])
def test_a_process_with_a_wrong_clock_reveals_nothing(ahead: int) -> None:
    world = make_desk()
    request = world.approved()
    world.clock.ahead = timedelta(seconds=ahead)
    with world.nothing_happens(), refuses(Code.CLOCK_SKEWED, seconds=ahead):
        reveal(world, request)


def test_without_an_answer_about_the_iam_user_nothing_begins() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("issuer.user", before=IamUnavailable("GetUser"))
    with world.nothing_happens(), pytest.raises(IamUnavailable):
        reveal(world, request)


@pytest.mark.parametrize(
    "call", ["issuer.user", "store.commit", "issuer.create_key", "messenger.deliver"]
)
def test_of_two_concurrent_reveals_only_one_creates_a_key(call: str) -> None:
    world = make_desk()
    request = world.approved()
    refused: list[KeydeskError] = []

    def second() -> None:
        try:
            reveal(world, request)
        except KeydeskError as error:
            refused.append(error)

    world.taps.on(call, before=second)
    try:
        reveal(world, request)
    except KeydeskError as error:
        refused.append(error)
    assert len(refused) == 1 and isinstance(refused[0], WrongState)
    assert len(world.iam.made) == len(world.slack.observed) == 1
    assert world.now(request).status is Status.DELIVERED


def test_two_leases_of_the_same_moment_differ() -> None:
    world = make_desk()
    request = world.approved()
    leases = []
    for _ in range(2):
        world.taps.on("issuer.create_key", before=IamThrottled("Throttling", "CreateAccessKey"))
        world.taps.on("store.commit", after=lambda: leases.append(world.now(request).lease))
        with pytest.raises(IamThrottled):
            reveal(world, request)
    assert leases[0].ends == leases[1].ends and leases[0] != leases[1]


def test_an_iam_user_gets_one_key_at_a_time() -> None:
    world = make_desk()
    request = world.approved()
    other = world.store.request(request.id)
    assert other is not None
    rotation = replace(other, id="id9", verb="rotate", version=1, status=Status.ISSUING)
    world.store.commit(Change(None, rotation), entry=world.store.entries[-1])
    with world.nothing_happens(), refuses(Code.OTHER_REVEAL_RUNNING):
        reveal(world, request)


def test_a_click_that_loses_the_lease_says_that_a_reveal_runs() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("store.commit", before=lambda: fails_to_confirm(world, request))
    with refuses(Code.REVEAL_RUNNING):
        reveal(world, request)
    assert len(world.iam.made) == 1 and world.now(request).status is Status.ISSUING


def fails_to_confirm(world: World, request: KeyRequest) -> None:
    """A reveal whose answer from IAM is lost, so that its lease runs on."""
    world.taps.on("issuer.create_key", after=OutcomeUnknown("CreateAccessKey"))
    fails(world, request, Code.KEY_CREATION_UNCONFIRMED)


@pytest.mark.parametrize(
    "refusal",
    [
        IamDenied("AccessDenied", "CreateAccessKey"),
        IamThrottled("Throttling", "CreateAccessKey"),
        IamRefused("ServiceFailure", "CreateAccessKey"),
        IamUnavailable("CreateAccessKey"),
    ],
)
def test_after_a_refusal_by_iam_the_approval_starts_again(
    refusal: KeydeskError,
) -> None:
    world = make_desk()
    request = world.approved()
    world.clock.advance(timedelta(hours=70))
    world.taps.on("issuer.create_key", before=refusal)
    with pytest.raises(type(refusal)):
        reveal(world, request)
    now = world.now(request)
    facts = {"cause": refusal.code, "aws_code": getattr(refusal, "aws_code", "")}
    assert (now.status, now.lease, now.access_key_id) == (Status.APPROVED, None, "")
    assert now.detail == world.store.entries[-1].detail == Detail(Code.KEY_NOT_CREATED, facts)
    assert now.deadline == world.clock.now() + timedelta(hours=72)
    assert (
        world.store.lock_holder(ISSUING) is None
        and world.iam.made == {}
        and world.slack.observed == []
    )
    assert reveal(world, request).status is Status.DELIVERED


def test_at_the_limit_the_error_names_both_keys() -> None:
    world = make_desk()
    request = world.approved()
    ids = [world.iam.create_key(ALICE.email)[0].id for _ in range(2)]
    with pytest.raises(TooManyKeys) as refused:
        reveal(world, request)
    assert [key.id for key in refused.value.keys] == ids
    assert world.now(request).detail == Detail(
        Code.KEY_NOT_CREATED, {"cause": refused.value.code, "aws_code": "LimitExceeded"}
    )


def test_the_limit_is_reported_though_keys_cannot_be_listed() -> None:
    world = make_desk()
    request = world.approved()
    for _ in range(2):
        world.iam.create_key(ALICE.email)
    world.taps.on("issuer.keys", before=IamThrottled("Throttling", "ListAccessKeys"))
    with pytest.raises(AccessKeyLimit):
        reveal(world, request)
    assert world.now(request).status is Status.APPROVED


@pytest.mark.parametrize("side", ["before", "after"])
def test_after_a_lost_answer_no_second_key_can_be_created(
    side: str,
) -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("issuer.create_key", **{side: OutcomeUnknown("CreateAccessKey")})
    fails(world, request, Code.KEY_CREATION_UNCONFIRMED, wait=15 * 60)
    assert (
        world.now(request).status is Status.ISSUING
        and world.store.lock_holder(ISSUING) == request.id
    )
    with world.nothing_happens(), refuses(Code.REQUEST_MOVED_ON, status="issuing"):
        reveal(world, request)


def test_after_a_third_of_the_lease_no_key_is_created() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("store.commit", after=lambda: world.clock.advance(timedelta(seconds=20)))
    fails(world, request, Code.REVEAL_TOOK_TOO_LONG)
    assert world.iam.made == {} and world.now(request).status is Status.APPROVED
