"""A key that is seconds old is known to the desk before AWS knows it everywhere: it is reported and turned off, too."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.errors import ChangePending, KeyNotInAccount
from bot.domain.identity import Member
from bot.domain.keys import DesiredState, InactiveReason
from bot.operations import (
    create_request,
    decide_request,
    disable_key,
    report_leak,
    reveal_key,
)
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, World, make_desk
from tests.unit.operations.test_report_leak import off_for_good

Does = Callable[[World, Member, str], object]


def new_key(world: World) -> str:
    """A key that Alice has just been given, and that AWS does not know everywhere yet."""
    key_id = world.delivered().access_key_id
    world.iam.hidden.add(key_id)
    return key_id


def known_at_last(world: World) -> None:
    world.iam.hidden.clear()
    world.rest(days=1)


@pytest.mark.parametrize(
    ("member", "does"),
    [(ALICE, report_leak.report), (ALICE, report_leak.disable), (CAROL, report_leak.disable)],
    ids=["its owner reports it", "its owner disables it", "an approver disables it"],
)
def test_it_is_turned_off_for_good_as_soon_as_aws_knows_it(
    member: Member, does: Callable[[object, Member, str], object]
) -> None:
    world = make_desk()
    key_id = new_key(world)
    with refuses(Code.KEY_TOO_NEW, key_id=key_id):
        does(world.services, member, key_id)
    assert world.record(key_id).leaked
    known_at_last(world)
    off_for_good(world, key_id)


def test_an_approver_who_reports_it_is_asked_and_its_last_use_is_not_said_to_be_known() -> None:
    world = make_desk()
    key_id = new_key(world)
    with world.nothing_happens():
        asked = report_leak.report(world.services, CAROL, key_id).ask
    assert asked and (asked.id, asked.active, asked.last_used) == (key_id, True, None)


def test_a_strangers_report_makes_the_card() -> None:
    world = make_desk()
    key_id = new_key(world)
    assert report_leak.report(world.services, BOB, key_id) == report_leak.LeakResult()
    assert (world.record(key_id).reported_by, world.record(key_id).owner) == (BOB.id, ALICE.id)


def test_an_approver_sees_it_and_turns_it_off_with_a_reason() -> None:
    world = make_desk()
    key_id = new_key(world)
    with world.nothing_happens():
        assert disable_key.last_use(world.services, CAROL, key_id).active
    with refuses(Code.KEY_TOO_NEW, key_id=key_id):
        disable_key.disable_for(world.services, CAROL, key_id, "not for this")
    assert (world.record(key_id).inactive_reason, world.record(key_id).disable_note) == (
        InactiveReason.DISABLED,
        "not for this",
    )
    known_at_last(world)
    assert world.iam.active == []


def test_the_owner_of_a_service_user_retires_its_new_key_without_naming_the_user() -> None:
    world = make_desk(iam_owner_tag="owner")
    world.iam.add_user(BOB.email, owner=BOB.id)
    world.iam.add_user("ci-deploy", owner=BOB.id)
    asked = create_request.create(
        world.services, BOB, "nightly", create_request.RequestOptions(service_user="ci-deploy")
    )
    key_id = reveal_key.reveal(
        world.services, BOB, decide_request.approve(world.services, CAROL, asked.id).id
    ).access_key_id
    world.iam.hidden.add(key_id)
    world.taps.on("issuer.owner", after=world.iam.hidden.clear)
    disable_key.disable(world.services, BOB, key_id)
    assert world.iam.active == []


APPROVERS: dict[str, Does] = {
    "leaked": lambda world, member, key: report_leak.report(world.services, member, key),
    "Disable now": lambda world, member, key: report_leak.disable(world.services, member, key),
    "used": lambda world, member, key: disable_key.last_use(world.services, member, key),
    "Disable, with a reason": lambda world, member, key: disable_key.disable_for(
        world.services, member, key, "x"
    ),
}


@pytest.mark.parametrize("does", APPROVERS.values(), ids=APPROVERS)
@pytest.mark.parametrize(
    "gone", ["deleted here", "being deleted here", "deleted in AWS", "with its user"]
)
def test_a_key_that_is_on_record_and_gone_is_none_of_the_account(gone: str, does: Does) -> None:
    """The record is no proof once AWS must know the key."""
    world = make_desk()
    key_id = world.delivered().access_key_id
    if gone == "with its user":
        world.iam.delete_user(ALICE.email)
    elif gone == "deleted in AWS":
        world.iam.delete_key(ALICE.email, key_id)
    else:
        disable_key.disable(world.services, ALICE, key_id)
        if gone == "being deleted here":
            world.iam.hidden.add(key_id)
            with pytest.raises(ChangePending):
                disable_key.set_desired_state(
                    world.services,
                    ALICE,
                    world.iam.user(ALICE.email),
                    world.iam.observed(key_id),
                    DesiredState.DELETED,
                    "delete",
                )
        else:
            disable_key.delete(world.services, ALICE, key_id)
    if "here" not in gone:
        world.clock.advance(timedelta(minutes=6))
    with world.nothing_happens(), pytest.raises(KeyNotInAccount):
        does(world, CAROL, key_id)
    with world.nothing_happens():
        assert report_leak.report(world.services, BOB, key_id) == report_leak.LeakResult()
