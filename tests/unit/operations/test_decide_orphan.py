"""How long an orphaned key lives after an approver enables it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.errors import NotAllowed, OutcomeUnknown
from bot.domain.keys import DesiredState, InactiveReason, KeyStatus
from bot.operations import (
    create_request,
    decide_orphan,
    decide_request,
    disable_key,
    report_leak,
)
from bot.operations.create_request import RequestOptions
from tests.support.world import ALICE, BOB, CAROL, World, fails, make_desk

DAY, HOUR = timedelta(days=1), timedelta(hours=1)

USUAL = RequestOptions()


def orphan(world: World, options: RequestOptions = USUAL, *, reported: bool = False) -> str:
    """The ID of a key that was found after a lost answer; where it is `reported`, by somebody before that."""
    request = decide_request.approve(
        world.services, CAROL, create_request.create(world.services, ALICE, "deploy", options).id
    )
    world.taps.on("issuer.create_key", after=OutcomeUnknown("CreateAccessKey"))
    fails(world, request, "did not answer")
    (key_id,) = world.iam.made
    if reported:
        report_leak.report(world.services, BOB, key_id)
    for _ in range(3):
        world.pass_time(timedelta(minutes=8))
    assert world.iam.active == []
    return key_id


@pytest.mark.parametrize("reported", [False, True])
@pytest.mark.parametrize("back", ["it is ours", "asked back"])
@pytest.mark.parametrize(
    ("options", "lives"),
    [
        (USUAL, 90 * DAY),
        (RequestOptions(lifetime=3 * DAY), 3 * DAY),
        (RequestOptions(urgent=True), 4 * HOUR),
    ],
)
def test_an_enabled_orphan_lives_as_long_as_asked_for(
    options: RequestOptions, lives: timedelta, back: str, *, reported: bool
) -> None:
    world = make_desk(break_glass=frozenset({ALICE.id}))
    key_id = orphan(world, options, reported=reported)
    if back == "it is ours":
        decide_orphan.decide(world.services, CAROL, key_id, DesiredState.ACTIVE)
    else:
        request = create_request.enable(world.services, ALICE, key_id, "it is mine")
        assert request is not None
        decide_request.approve(world.services, CAROL, request.id)
    record = world.record(key_id)
    assert (world.iam.active, record.expires_at) == ([key_id], record.created_at + lives)
    world.outlive(int(lives / DAY) + 2)
    assert (
        key_id not in world.iam.active
        and world.record(key_id).inactive_reason is InactiveReason.EXPIRED
    )


def test_an_orphan_requested_without_expiry_has_none() -> None:
    world = make_desk(key_ttl=None, key_ttl_max=None)
    key_id = orphan(world)
    decide_orphan.decide(world.services, CAROL, key_id, DesiredState.ACTIVE)
    world.outlive(400)
    assert world.iam.active == [key_id]


@pytest.mark.parametrize("off", ["as found", "by an approver"])
def test_an_undecided_orphan_is_never_deleted(off: str) -> None:
    """Somebody may have made it in the console that minute."""
    world = make_desk()
    key_id = orphan(world)
    if off == "by an approver":
        world.iam.set_status(ALICE.email, key_id, KeyStatus.ACTIVE)
        disable_key.disable_for(world.services, CAROL, key_id, "whose is it?")
    world.outlive(200)
    assert world.iam.observed(key_id) is not None and world.iam.active == []


def test_an_expired_orphan_gets_the_usual_time_when_enabled() -> None:
    world = make_desk(break_glass=frozenset({ALICE.id}))
    key_id = orphan(world, RequestOptions(urgent=True))
    world.pass_time(3 * DAY)
    decide_orphan.decide(world.services, CAROL, key_id, DesiredState.ACTIVE)
    assert (
        world.record(key_id).expires_at
        == world.clock.now() + world.services.settings.break_glass_ttl
    )
    world.pass_time(4 * HOUR)
    world.sweep()
    assert world.iam.active == []


def test_after_the_longest_life_an_orphan_is_only_deleted() -> None:
    world = make_desk(key_ttl=20 * DAY, key_ttl_max=30 * DAY)
    key_id = orphan(world)
    world.outlive(31)
    with (
        world.nothing_happens(),
        pytest.raises(NotAllowed, match="has lived 30 days, as long as a key may here"),
    ):
        decide_orphan.decide(world.services, CAROL, key_id, DesiredState.ACTIVE)
    decide_orphan.decide(world.services, CAROL, key_id, DesiredState.DELETED)
    assert world.iam.observed(key_id) is None
