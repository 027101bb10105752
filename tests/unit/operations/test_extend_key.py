"""Extend a key: more time, within its maximum lifetime."""

from __future__ import annotations

import pytest

from bot.domain.codes import Code
from bot.domain.errors import AlreadyOpen, ChangePending, NotYourKey
from bot.domain.keys import (
    KeyStatus,
)
from bot.domain.outside_errors import OutcomeUnknown
from bot.domain.states import Status
from bot.operations import (
    create_request,
    decide_request,
    disable_key,
    report_leak,
)
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, make_desk
from tests.unit.operations.test_apply_request import DAY, SOON, asked, living


def test_an_extension_is_for_ones_own_key_with_an_end() -> None:
    world = make_desk()
    request = living(world)
    console = world.console_key()
    with world.nothing_happens():
        for member, key_id in (
            (BOB, request.access_key_id),
            (ALICE, console),
            (ALICE, "AKIAIOSFODNN7EXAMPLE"),
        ):
            with pytest.raises(NotYourKey):
                create_request.extend(world.services, member, key_id)
    pending = create_request.extend(world.services, ALICE, request.access_key_id)
    assert (pending.verb, pending.target) == ("extend", request.access_key_id)
    with world.nothing_happens(), pytest.raises(AlreadyOpen):
        create_request.extend(world.services, ALICE, request.access_key_id)
    end = world.record(request.access_key_id).expires_at
    assert end is not None
    assert decide_request.approve(world.services, CAROL, pending.id).status is Status.CONFIRMED
    assert world.record(request.access_key_id).expires_at == end + 7 * DAY


def test_no_extension_leads_beyond_the_longest_life() -> None:
    world = make_desk(key_ttl=90 * DAY, key_ttl_max=100 * DAY)
    key_id = living(world).access_key_id
    decide_request.approve(
        world.services, CAROL, create_request.extend(world.services, ALICE, key_id).id
    )
    with (
        world.nothing_happens(),
        refuses(Code.KEY_NOT_EXTENDED, key_id=key_id, longest=100 * DAY),
    ):
        create_request.extend(world.services, ALICE, key_id)


def test_an_extension_beyond_the_maximum_is_not_applied() -> None:
    """The key ended, and was given a few days by another request, while the extension waited."""
    world = make_desk(key_ttl=20 * DAY, key_ttl_max=30 * DAY, request_ttl=30 * DAY)
    key_id = living(world).access_key_id
    world.pass_time(19 * DAY)
    extension = create_request.extend(world.services, ALICE, key_id)
    world.pass_time(2 * DAY)
    decide_request.approve(world.services, CAROL, asked(world, key_id).id)
    record = world.record(key_id)
    ended = decide_request.approve(world.services, CAROL, extension.id)
    assert (
        ended.status is Status.EXPIRED
        and ended.detail
        and ended.detail.code == Code.KEY_NOT_EXTENDED
    )
    assert world.record(key_id) == record and world.iam.active == [key_id]


def test_an_enabled_expired_key_lives_within_the_maximum() -> None:
    world = make_desk(key_ttl=90 * DAY, key_ttl_max=92 * DAY)
    key_id = living(world).access_key_id
    made_at = world.record(key_id).created_at
    world.pass_time(90 * DAY)
    decide_request.approve(world.services, CAROL, asked(world, key_id).id)
    assert (world.iam.active, world.record(key_id).expires_at) == ([key_id], made_at + 92 * DAY)
    world.pass_time(2 * DAY)
    world.sweep()
    assert world.iam.active == []
    with (
        world.nothing_happens(),
        refuses(Code.KEY_LIFETIME_OVER, longest=92 * DAY),
    ):
        asked(world, key_id)


def test_an_enable_after_the_maximum_lifetime_is_not_applied() -> None:
    world = make_desk(key_ttl=90 * DAY, key_ttl_max=90 * DAY, request_ttl=20 * DAY)
    key_id = living(world).access_key_id
    world.pass_time(85 * DAY)
    disable_key.disable(world.services, ALICE, key_id)
    request = asked(world, key_id)
    world.pass_time(6 * DAY)
    ended = decide_request.approve(world.services, CAROL, request.id)
    assert (
        ended.status is Status.EXPIRED
        and ended.detail
        and ended.detail.code == Code.KEY_LIFETIME_OVER
    )
    assert world.iam.active == []


def test_an_inactive_key_is_not_given_more_time() -> None:
    world = make_desk()
    key_id = living(world).access_key_id
    disable_key.disable(world.services, ALICE, key_id)
    with world.nothing_happens(), refuses(Code.EXTEND_INACTIVE_KEY, key_id=key_id):
        create_request.extend(world.services, ALICE, key_id)


@pytest.mark.parametrize(
    "meanwhile", ["expired", "disabled", "leaked", "gone", "off in the console", "being disabled"]
)
def test_an_extension_does_not_revive_an_ended_key(meanwhile: str) -> None:
    world = make_desk(request_ttl=200 * DAY)
    key_id = living(world).access_key_id
    request = create_request.extend(world.services, ALICE, key_id)
    match meanwhile:
        case "expired":
            world.pass_time(90 * DAY)
        case "disabled":
            disable_key.disable(world.services, ALICE, key_id)
        case "leaked":
            report_leak.report(world.services, ALICE, key_id)
        case "gone":
            world.iam.delete_key(ALICE.email, key_id)
        case "off in the console":
            world.iam.set_status(ALICE.email, key_id, KeyStatus.INACTIVE)
        case _:
            world.taps.on("issuer.set_status", before=OutcomeUnknown("UpdateAccessKey"))
            with pytest.raises(ChangePending):
                disable_key.disable(world.services, ALICE, key_id)
    record = world.record(key_id)
    ended = decide_request.approve(world.services, CAROL, request.id)
    assert ended.status is Status.EXPIRED and ended.detail
    assert world.record(key_id) == record
    world.pass_time(SOON)
    assert world.iam.active == []
