"""Finish a rotation: what the owner's buttons do, and who may click them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bot.domain.codes import Code
from bot.domain.errors import KeydeskError, Refused
from bot.domain.identity import Member
from bot.domain.keys import DesiredState, InactiveReason, ManagedKey
from bot.domain.outside_errors import IamUnavailable
from bot.domain.requests import KeyRequest
from bot.operations import create_request, disable_key, finish_rotation, report_leak
from bot.operations.services import Services
from bot.slack import action_ids
from bot.slack.messages import keys
from tests.support.errors import refuses
from tests.support.fake_issuer import ACCOUNT
from tests.support.world import ALICE, BOB, CAROL, World, make_desk, reveal
from tests.unit.operations.key_checks import assert_fields, iam_status
from tests.unit.operations.key_steps import UNKNOWN_KEY, confirm
from tests.unit.operations.key_times import DAY, HOUR, SECOND

Click = Callable[[Services, Member, str], ManagedKey]
BUTTONS: list[Click] = [
    finish_rotation.check_last_use,
    finish_rotation.not_yet,
    finish_rotation.disable_old,
]


Change = Callable[[World], Member]
OTHER_ADDRESS = "alice.adams@example.com"

each_button = pytest.mark.parametrize("click", BUTTONS)


@pytest.fixture
def world() -> World:
    return make_desk()


def new(world: World, request: KeyRequest) -> ManagedKey:
    """Return the record of the rotation's new key."""
    return world.record(world.now(request).access_key_id)


def disable_old(world: World, request: KeyRequest) -> ManagedKey:
    return finish_rotation.disable_old(world.services, ALICE, request.access_key_id)


def test_check_again_reads_both_keys(world: World) -> None:
    request = world.rotated()
    world.iam.use(request.access_key_id)
    world.clock.advance(HOUR)
    finish_rotation.check_last_use(world.services, ALICE, request.access_key_id)
    record = new(world, request)
    assert (record.snapshot, record.snapshot_at) == (world.iam.keys(ALICE.email), world.clock.now())
    last_used = record.snapshot[1].last_used
    assert last_used is not None and last_used.at is not None


def test_not_yet_restarts_the_grace_period(world: World) -> None:
    request = world.rotated()
    world.pass_time(23 * HOUR)
    finish_rotation.not_yet(world.services, ALICE, request.access_key_id)
    world.pass_time(DAY - SECOND)
    assert iam_status(world, request.target) == "Active"
    world.pass_time(SECOND)
    assert iam_status(world, request.target) == "Inactive"


def test_the_owner_disables_an_old_key_in_use(world: World) -> None:
    request = world.rotated()
    world.iam.use(request.target)
    disable_old(world, request)
    assert iam_status(world, request.target) == "Inactive"
    old, record = world.record(request.target), new(world, request)
    assert_fields(
        old,
        inactive_reason=InactiveReason.ROTATED,
        delete_at=world.clock.now() + 7 * DAY,
        changed_by=ALICE.id,
    )
    assert (record.replaces, record.grace_ends_at) == ("", None)
    second = create_request.rotate(
        world.services, ALICE, request.access_key_id, delete_first=request.target
    )
    assert second.delete_first == request.target, "the next rotation may be requested"


@each_button
def test_the_buttons_work_only_during_the_grace_period(world: World, click: Click) -> None:
    request = reveal(world, world.rotating())
    key_id = request.access_key_id
    with world.nothing_happens():
        for member, other in ((BOB, key_id), (CAROL, key_id), (ALICE, UNKNOWN_KEY)):
            with refuses(Code.NOT_YOUR_KEY):
                click(world.services, member, other)
        with refuses(Code.ROTATION_FINISHED):
            click(world.services, ALICE, key_id)
    confirm(world, key_id)
    disable_old(world, request)
    with world.nothing_happens(), refuses(Code.ROTATION_FINISHED, key_id=key_id):
        click(world.services, ALICE, key_id)


def test_of_two_clicks_on_disable_one_wins(world: World) -> None:
    request = world.rotated()
    world.taps.on("store.commit", before=lambda: disable_old(world, request))
    with refuses(Code.ROTATION_FINISHED, key_id=request.access_key_id):
        disable_old(world, request)
    assert iam_status(world, request.target) == "Inactive"


@pytest.mark.parametrize("ends", ["disabled", "leaked", "deleted"])
def test_an_inactive_new_key_leaves_the_old_one_active(world: World, ends: str) -> None:
    request = world.rotated()
    key_id = request.access_key_id
    world.clock.advance(HOUR)
    if ends == "leaked":
        report_leak.report(world.services, ALICE, key_id)
    else:
        disable_key.disable(world.services, ALICE, key_id)
    if ends == "deleted":
        disable_key.delete(world.services, ALICE, key_id)
    for click in BUTTONS:
        with refuses(Code.NEW_KEY_INACTIVE, key_id=key_id, old_key=request.target):
            click(world.services, ALICE, key_id)
    world.pass_time(DAY)
    assert world.iam.active == [request.target]
    assert action_ids.DISABLE_OLD not in str(keys.render(world.record(key_id), "rotation").blocks)


def test_deleting_the_old_key_ends_the_rotation(world: World) -> None:
    request = world.rotated()
    disable_key.disable(world.services, ALICE, request.target)
    disable_key.delete(world.services, ALICE, request.target)
    world.pass_time(DAY)
    assert new(world, request).replaces == ""
    assert world.record(request.target).desired is DesiredState.DELETED


# The member's identity or IAM user changes.


def tagged_world(**settings: Any) -> World:
    """Return a world where the IAM users of Alice and Bob have owner tags."""
    world = make_desk(**settings)
    for member in (ALICE, BOB):
        world.iam.add_user(member.email, owner=member.id)
    return world


def alice_with(world: World, email: str) -> Member:
    """Give Alice another e-mail address in Slack."""
    world.people.people[ALICE.id] = replace(ALICE, email=email)
    return world.people.people[ALICE.id]


def has_another_address(world: World) -> Member:
    world.iam.add_user(OTHER_ADDRESS, owner=ALICE.id)
    return alice_with(world, OTHER_ADDRESS)


def has_an_address_without_iam_user(world: World) -> Member:
    return alice_with(world, "unknown@example.com")


def iam_user_is_deleted(world: World) -> Member:
    world.iam.delete_user(ALICE.email)
    return ALICE


def iam_user_is_recreated(world: World) -> Member:
    world.iam.delete_user(ALICE.email)
    world.iam.add_user(ALICE.email, "AIDAANOTHER", owner=ALICE.id)
    return ALICE


def account_is_another(world: World) -> Member:
    """Give Keydesk credentials of another account, which has a user of the same name."""
    world.iam.delete_user(ALICE.email)
    world.iam.add_user(ALICE.email, owner=ALICE.id)
    user = world.iam.users[ALICE.email]
    world.iam.users[ALICE.email] = replace(user, arn=user.arn.replace(ACCOUNT, "999988887777"))
    return ALICE


def tag_names_another_member(world: World) -> Member:
    world.iam.add_user(ALICE.email, owner=BOB.id)
    return ALICE


CHANGES: dict[str, Change] = {
    "another address": has_another_address,
    "an address without IAM user": has_an_address_without_iam_user,
    "another member's address": lambda world: alice_with(world, BOB.email),
    "an unconfirmed address": lambda world: alice_with(world, ""),
    "a deleted IAM user": iam_user_is_deleted,
    "another account": account_is_another,
    "a tag of another member": tag_names_another_member,
}


@each_button
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_member_whose_identity_changed_is_refused(change: Change, click: Click) -> None:
    """Without the tag, the mapping alone must notice the change."""
    tag = {"iam_owner_tag": "owner"} if change is tag_names_another_member else {}
    world = tagged_world(**tag)
    request = world.rotated()
    member = change(world)
    active = world.iam.active
    with world.nothing_happens(), pytest.raises(Refused):
        click(world.services, member, request.access_key_id)
    assert world.iam.active == active


def test_a_recreated_iam_users_keys_are_not_shown() -> None:
    world = tagged_world()
    request = world.rotated()
    world.iam.use(request.target)
    member = iam_user_is_recreated(world)
    record = finish_rotation.check_last_use(world.services, member, request.access_key_id)
    assert record.snapshot == ()


@each_button
def test_the_buttons_refuse_while_aws_is_silent(click: Click) -> None:
    world = tagged_world()
    request = world.rotated()
    for refused in (click, disable_key.disable):
        world.taps.on("issuer.user", before=IamUnavailable("GetUser"))
        with world.nothing_happens(), refuses(Code.AWS_UNAVAILABLE):
            refused(world.services, ALICE, request.access_key_id)
    assert click(world.services, ALICE, request.access_key_id)


@each_button
@pytest.mark.parametrize("change", [has_another_address, has_an_address_without_iam_user])
def test_the_owner_tag_gives_the_buttons_at_any_address(change: Change, click: Click) -> None:
    """The tag names the owner, and disabling is the safe side."""
    world = make_desk(iam_owner_tag="owner")
    world.iam.add_user(ALICE.email, owner=ALICE.id)
    request = world.rotated()
    member = change(world)
    assert click(world.services, member, request.access_key_id)
    world.iam.add_user(ALICE.email, owner=BOB.id)
    with pytest.raises(KeydeskError):
        click(world.services, member, request.access_key_id)
