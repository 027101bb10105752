"""Handing over a key: who may, one at a time, and nothing is made for who may not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.errors import (
    AccessKeyLimit,
    ClockSkewed,
    IamDenied,
    IamRefused,
    IamThrottled,
    IamUnavailable,
    IdentityChanged,
    KeydeskError,
    NotAllowed,
    OutcomeUnknown,
    TooManyKeys,
    WrongState,
)
from bot.domain.identity import IamMapping
from bot.domain.keys import DesiredState, Origin
from bot.domain.ports import Change
from bot.domain.states import Status
from bot.operations import reveal_key
from tests.support.world import ACCOUNT, ALICE, BOB, CAROL, fails, make_desk, reveal

ISSUING = f"issuing:{ACCOUNT}:{ALICE.email}"


def test_the_key_is_made_at_the_click_shown_once_in_the_stored_message_and_put_on_record() -> None:
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
    kept = [
        world.now(request),
        world.record(request.access_key_id),
        world.store.entries,
        world.slack.rendered,
    ]
    assert secret not in repr(kept)


@pytest.mark.parametrize("member", [BOB, CAROL])
def test_nobody_but_the_requester_reveals(member: object) -> None:
    world = make_desk()
    request = world.approved()
    with world.nothing_happens(), pytest.raises(NotAllowed):
        reveal_key.reveal(world.services, member, request.id)


@pytest.mark.parametrize("state", ["pending", "delivered", "unclaimed"])
def test_only_an_approved_request_is_revealed(state: str) -> None:
    world = make_desk()
    request = getattr(world, state)()
    with world.nothing_happens(), pytest.raises(WrongState):
        reveal(world, request)


def test_an_approval_that_is_over_reveals_nothing() -> None:
    world = make_desk()
    request = world.approved()
    world.clock.advance(timedelta(hours=72))
    with pytest.raises(WrongState, match="already expired"):
        reveal(world, request)
    assert world.iam.made == {} and world.now(request).status is Status.EXPIRED


def test_an_iam_user_made_anew_gets_no_key() -> None:
    world = make_desk()
    request = world.approved()
    world.iam.add_user(ALICE.email, "AIDANEW")
    with world.nothing_happens(), pytest.raises(IdentityChanged):
        reveal(world, request)


def test_a_person_who_is_mapped_to_another_iam_user_since_gets_no_key() -> None:
    pairs = {ALICE.id: ALICE.email}
    world = make_desk(iam_mapping=IamMapping("", pairs=pairs))
    request = world.approved()
    pairs[ALICE.id] = BOB.email
    with world.nothing_happens(), pytest.raises(IdentityChanged):
        reveal(world, request)


def test_a_person_whom_the_owner_tag_does_not_name_any_more_gets_no_key() -> None:
    world = make_desk(iam_owner_tag="Owner")
    world.iam.add_user(ALICE.email, Owner=ALICE.id)
    request = world.approved()
    world.iam.add_user(ALICE.email, Owner=BOB.id)
    with world.nothing_happens(), pytest.raises(NotAllowed):
        reveal(world, request)


@pytest.mark.parametrize("ahead", [6, -6])
def test_a_process_whose_clock_is_off_reveals_nothing(ahead: int) -> None:
    world = make_desk()
    request = world.approved()
    world.clock.ahead = timedelta(seconds=ahead)
    with world.nothing_happens(), pytest.raises(ClockSkewed):
        reveal(world, request)


def test_while_iam_does_not_say_who_the_person_is_nothing_begins() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("issuer.user", before=IamUnavailable("GetUser"))
    with world.nothing_happens(), pytest.raises(IamUnavailable):
        reveal(world, request)


@pytest.mark.parametrize(
    "call", ["issuer.user", "store.commit", "issuer.create_key", "messenger.deliver"]
)
def test_of_two_reveals_at_once_one_makes_a_key_and_the_other_is_told(call: str) -> None:
    world = make_desk()
    request = world.approved()
    told: list[KeydeskError] = []

    def second() -> None:
        try:
            reveal(world, request)
        except KeydeskError as error:
            told.append(error)

    world.taps.on(call, before=second)
    try:
        reveal(world, request)
    except KeydeskError as error:
        told.append(error)
    assert len(told) == 1 and isinstance(told[0], WrongState)
    assert len(world.iam.made) == len(world.slack.observed) == 1
    assert world.now(request).status is Status.DELIVERED


def test_two_leases_of_the_same_instant_are_not_equal() -> None:
    world = make_desk()
    request = world.approved()
    leases = []
    for _ in range(2):
        world.taps.on("issuer.create_key", before=IamThrottled("Throttling", "CreateAccessKey"))
        world.taps.on("store.commit", after=lambda: leases.append(world.now(request).lease))
        with pytest.raises(IamThrottled):
            reveal(world, request)
    assert leases[0].ends == leases[1].ends and leases[0] != leases[1]


def test_one_key_at_a_time_is_issued_for_an_iam_user() -> None:
    world = make_desk()
    request = world.approved()
    other = world.store.request(request.id)
    assert other is not None
    rotation = replace(other, id="id9", verb="rotate", version=1, status=Status.ISSUING)
    world.store.commit(Change(None, rotation), entry=world.store.entries[-1])
    with (
        world.nothing_happens(),
        pytest.raises(WrongState, match="Another key for your IAM user is being issued"),
    ):
        reveal(world, request)


@pytest.mark.parametrize(
    "refusal",
    [
        IamDenied("AccessDenied", "CreateAccessKey"),
        IamThrottled("Throttling", "CreateAccessKey"),
        IamRefused("ServiceFailure", "CreateAccessKey"),
        IamUnavailable("CreateAccessKey"),
    ],
)
def test_when_iam_refuses_for_certain_the_approval_stands_for_its_full_time_and_the_reason_is_kept(
    refusal: KeydeskError,
) -> None:
    world = make_desk()
    request = world.approved()
    world.clock.advance(timedelta(hours=70))
    world.taps.on("issuer.create_key", before=refusal)
    with pytest.raises(type(refusal)):
        reveal(world, request)
    now = world.now(request)
    assert (now.status, now.note, now.lease, now.access_key_id) == (
        Status.APPROVED,
        refusal.sentence,
        None,
        "",
    )
    assert now.deadline == world.clock.now() + timedelta(hours=72)
    assert (
        world.store.lock_holder(ISSUING) is None
        and world.iam.made == {}
        and world.slack.observed == []
    )
    assert reveal(world, request).status is Status.DELIVERED


def test_at_the_limit_the_person_is_told_which_two_keys_fill_it() -> None:
    world = make_desk()
    request = world.approved()
    ids = [world.iam.create_key(ALICE.email)[0].id for _ in range(2)]
    with pytest.raises(TooManyKeys, match="makes room") as refused:
        reveal(world, request)
    assert [key.id for key in refused.value.keys] == ids
    assert world.now(request).note == refused.value.sentence


def test_at_the_limit_a_list_that_cannot_be_read_does_not_hide_the_limit() -> None:
    world = make_desk()
    request = world.approved()
    for _ in range(2):
        world.iam.create_key(ALICE.email)
    world.taps.on("issuer.keys", before=IamThrottled("Throttling", "ListAccessKeys"))
    with pytest.raises(AccessKeyLimit):
        reveal(world, request)
    assert world.now(request).status is Status.APPROVED


@pytest.mark.parametrize("side", ["before", "after"])
def test_when_iams_answer_is_lost_the_request_waits_and_no_second_key_can_be_made(
    side: str,
) -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("issuer.create_key", **{side: OutcomeUnknown("CreateAccessKey")})
    fails(world, request, "I will know in about a quarter of an hour")
    assert (
        world.now(request).status is Status.ISSUING
        and world.store.lock_holder(ISSUING) == request.id
    )
    with world.nothing_happens(), pytest.raises(WrongState, match="already being issued"):
        reveal(world, request)


def test_a_click_that_took_a_third_of_the_lease_makes_no_key() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("store.commit", after=lambda: world.clock.advance(timedelta(seconds=20)))
    fails(world, request, "took too long, so no key was made")
    assert world.iam.made == {} and world.now(request).status is Status.APPROVED
