"""Extend a key: more time, within its maximum lifetime."""

from __future__ import annotations

import pytest

from bot.domain.codes import Code
from bot.domain.keys import KeyStatus
from bot.domain.outside_errors import OutcomeUnknown
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.operations import create_request, disable_key, report_leak
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, World, make_desk
from tests.unit.operations.key_steps import UNKNOWN_KEY, approve, confirmed, request_enable
from tests.unit.operations.key_times import DAY, SOON


def request_extension(world: World, key_id: str) -> KeyRequest:
    return create_request.extend(world.services, ALICE, key_id)


def assert_expired(request: KeyRequest, code: Code) -> None:
    assert request.detail is not None
    assert (request.status, request.detail.code) == (Status.EXPIRED, code)


def test_an_extension_is_for_ones_own_key_with_an_end() -> None:
    world = make_desk()
    key_id, console = confirmed(world).access_key_id, world.console_key()
    with world.nothing_happens():
        for member, refused in ((BOB, key_id), (ALICE, console), (ALICE, UNKNOWN_KEY)):
            with refuses(Code.NOT_YOUR_KEY):
                create_request.extend(world.services, member, refused)
    pending = request_extension(world, key_id)
    assert (pending.verb, pending.target) == ("extend", key_id)
    with world.nothing_happens(), refuses(Code.REQUEST_ALREADY_OPEN):
        request_extension(world, key_id)
    end = world.record(key_id).expires_at
    assert end is not None
    assert approve(world, pending).status is Status.CONFIRMED
    assert world.record(key_id).expires_at == end + 7 * DAY


def test_no_extension_exceeds_the_maximum_lifetime() -> None:
    world = make_desk(key_ttl=90 * DAY, key_ttl_max=100 * DAY)
    key_id = confirmed(world).access_key_id
    approve(world, request_extension(world, key_id))
    too_long = refuses(Code.KEY_NOT_EXTENDED, key_id=key_id, longest=100 * DAY)
    with world.nothing_happens(), too_long:
        request_extension(world, key_id)


def test_an_extension_beyond_the_maximum_is_not_applied() -> None:
    """The key expired and was enabled for a few days while the request waited."""
    world = make_desk(key_ttl=20 * DAY, key_ttl_max=30 * DAY, request_ttl=30 * DAY)
    key_id = confirmed(world).access_key_id
    world.pass_time(19 * DAY)
    extension = request_extension(world, key_id)
    world.pass_time(2 * DAY)
    approve(world, request_enable(world, key_id))
    record = world.record(key_id)
    assert_expired(approve(world, extension), Code.KEY_NOT_EXTENDED)
    assert (world.record(key_id), world.iam.active) == (record, [key_id])


def test_an_enabled_expired_key_lives_within_the_maximum() -> None:
    world = make_desk(key_ttl=90 * DAY, key_ttl_max=92 * DAY)
    key_id = confirmed(world).access_key_id
    created_at = world.record(key_id).created_at
    world.pass_time(90 * DAY)
    approve(world, request_enable(world, key_id))
    assert (world.iam.active, world.record(key_id).expires_at) == ([key_id], created_at + 92 * DAY)
    world.pass_time(2 * DAY)
    world.sweep()
    assert world.iam.active == []
    with world.nothing_happens(), refuses(Code.KEY_LIFETIME_OVER, longest=92 * DAY):
        request_enable(world, key_id)


def test_an_enable_after_the_maximum_lifetime_is_not_applied() -> None:
    world = make_desk(key_ttl=90 * DAY, key_ttl_max=90 * DAY, request_ttl=20 * DAY)
    key_id = confirmed(world).access_key_id
    world.pass_time(85 * DAY)
    disable_key.disable(world.services, ALICE, key_id)
    request = request_enable(world, key_id)
    world.pass_time(6 * DAY)
    assert_expired(approve(world, request), Code.KEY_LIFETIME_OVER)
    assert world.iam.active == []


def test_an_inactive_key_is_not_given_more_time() -> None:
    world = make_desk()
    key_id = confirmed(world).access_key_id
    disable_key.disable(world.services, ALICE, key_id)
    with world.nothing_happens(), refuses(Code.EXTEND_INACTIVE_KEY, key_id=key_id):
        request_extension(world, key_id)


def disable_without_answer(world: World, key_id: str) -> None:
    world.taps.on("issuer.set_status", before=OutcomeUnknown("UpdateAccessKey"))
    with refuses(Code.CHANGE_NOT_CONFIRMED):
        disable_key.disable(world.services, ALICE, key_id)


ENDS = {
    "expired": lambda world, key_id: world.pass_time(90 * DAY),
    "disabled": lambda world, key_id: disable_key.disable(world.services, ALICE, key_id),
    "leaked": lambda world, key_id: report_leak.report(world.services, ALICE, key_id),
    "gone": lambda world, key_id: world.iam.delete_key(ALICE.email, key_id),
    "disabled in the console": lambda world, key_id: world.iam.set_status(
        ALICE.email, key_id, KeyStatus.INACTIVE
    ),
    "being disabled": disable_without_answer,
}


@pytest.mark.parametrize("meanwhile", ENDS)
def test_an_extension_does_not_revive_an_ended_key(meanwhile: str) -> None:
    world = make_desk(request_ttl=200 * DAY)
    key_id = confirmed(world).access_key_id
    request = request_extension(world, key_id)
    ENDS[meanwhile](world, key_id)
    record = world.record(key_id)
    code = Code.KEY_NOT_LISTED if meanwhile == "gone" else Code.KEY_INACTIVE_BEFORE_APPLIED
    assert_expired(approve(world, request), code)
    assert world.record(key_id) == record
    world.pass_time(SOON)
    assert world.iam.active == []
