"""Whose key it is: a member's own, a service user's of theirs, or anyone's for an approver."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.errors import KeydeskError, NotAllowed, NotYourKey
from bot.domain.identity import IamMapping, Member
from bot.domain.keys import (
    DesiredState,
    KeyStatus,
)
from bot.domain.outside_errors import (
    IamDenied,
    IamThrottled,
    IamUnavailable,
    IamUserNotFound,
    SlackUnavailable,
)
from bot.operations import (
    confirm_receipt,
    create_request,
    decide_request,
    disable_key,
    key_owner,
    report_leak,
    reveal_key,
)
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, ERIN, World, make_desk

NOBODYS = "AKIAIOSFODNN7EXAMPLE"

OF_A_GROUP = {
    "used": disable_key.last_use,
    "disable": disable_key.disable,
    "delete": disable_key.delete,
    "which service user is it": key_owner.service_user_of,
}

FOREIGN = "AKIAIOSFODNN7EXAMPLE"

Does = Callable[[World, Member, str], object]

APPROVERS: dict[str, Does] = {
    "leaked": lambda world, member, key: report_leak.report(world.services, member, key),
    "Disable now": lambda world, member, key: report_leak.disable(world.services, member, key),
    "used": lambda world, member, key: disable_key.last_use(world.services, member, key),
    "Disable, with a reason": lambda world, member, key: disable_key.disable_for(
        world.services, member, key, "x"
    ),
}


def a_key(world: World, status: KeyStatus = KeyStatus.ACTIVE) -> str:
    """A key of Alice's, made in the console some time ago."""
    key_id = world.iam.create_key(ALICE.email)[0].id
    world.iam.set_status(ALICE.email, key_id, status)
    world.clock.advance(timedelta(hours=1))
    return key_id


def service_key(world: World, owners: str, owner: Member = BOB) -> str:
    """A key that the service user ci-deploy got for its owner."""
    world.iam.add_user("ci-deploy", owner=owners)
    asked = create_request.create(
        world.services, owner, "nightly", create_request.RequestOptions(service_user="ci-deploy")
    )
    key_id = reveal_key.reveal(
        world.services, owner, decide_request.approve(world.services, CAROL, asked.id).id
    ).access_key_id
    confirm_receipt.confirm(world.services, owner, key_id)
    return key_id


def test_a_member_sees_their_keys_oldest_first_with_last_use() -> None:
    world = make_desk()
    first, second = a_key(world), a_key(world)
    world.iam.create_key(BOB.email)
    world.iam.use(second)
    with world.nothing_happens():
        keys = key_owner.keys_of(world.services, ALICE)
        assert key_owner.owned_key(world.services, ALICE, second) == keys[1]
    assert [key.id for key in keys] == [first, second]
    assert keys[0].last_used is not None and keys[0].last_used.at is None
    assert keys[1].last_used is not None and keys[1].last_used.service == "s3"


def test_an_approver_sees_the_last_use_of_any_key() -> None:
    world = make_desk()
    key_id = world.console_key()
    world.iam.use(key_id)
    with world.nothing_happens():
        assert (
            disable_key.last_use(world.services, CAROL, key_id)
            == disable_key.last_use(world.services, ALICE, key_id)
            == world.iam.keys(ALICE.email)[0]
        )
        with refuses(Code.KEY_NOT_IN_ACCOUNT):
            disable_key.last_use(world.services, CAROL, "AKIAIOSFODNN7EXAMPLE")
        for foreign in (key_id, "AKIAIOSFODNN7EXAMPLE"):
            with refuses(Code.NOT_YOUR_KEY):
                disable_key.last_use(world.services, BOB, foreign)


@pytest.mark.parametrize("verb", [key_owner.owned_key, disable_key.disable, disable_key.delete])
def test_a_foreign_and_a_missing_key_are_refused_alike(
    verb: object,
) -> None:
    world = make_desk()
    bobs = world.iam.create_key(BOB.email)[0].id
    answers = []
    with world.nothing_happens():
        for key_id in (bobs, NOBODYS):
            with pytest.raises(NotYourKey) as refused:
                verb(world.services, ALICE, key_id)
            answers.append((refused.value.code, refused.value.facts))
    assert answers == [(Code.NOT_YOUR_KEY, {})] * 2


@pytest.mark.parametrize("verb", [disable_key.disable, disable_key.delete])
def test_without_an_iam_user_or_its_tag_members_are_refused(verb: object) -> None:
    world = make_desk(iam_owner_tag="Owner")
    key_id = a_key(world)
    with world.nothing_happens():
        with pytest.raises(IamUserNotFound):
            verb(world.services, CAROL, key_id)
        with pytest.raises(NotAllowed):
            verb(world.services, ALICE, key_id)


def test_a_service_users_owner_needs_no_iam_user_of_their_own() -> None:
    world = make_desk(iam_owner_tag="owner")
    key_id = service_key(world, ERIN.id, ERIN)
    assert key_owner.service_user_of(world.services, ERIN, key_id) == "ci-deploy"
    assert disable_key.disable(world.services, ERIN, key_id).key.iam_user == "ci-deploy"
    answers = []
    world.iam.add_user(ALICE.email, owner=ALICE.id)
    for other in (world.iam.create_key(ALICE.email)[0].id, "AKIAIOSFODNN7EXAMPLE"):
        with pytest.raises(IamUserNotFound) as refused:
            disable_key.disable(world.services, ERIN, other)
        answers.append((refused.value.code, refused.value.facts))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("does", OF_A_GROUP.values(), ids=OF_A_GROUP)
@pytest.mark.parametrize(
    ("call", "nth", "failure"),
    [
        ("directory.group", 1, SlackUnavailable("usergroups.users.list", "fatal_error")),
        ("issuer.user", 2, IamUnavailable("GetUser")),
        ("issuer.user", 2, IamThrottled("Throttling", "GetUser")),
        ("issuer.user", 2, IamDenied("AccessDenied", "GetUser")),
    ],
)
def test_an_unknown_owner_is_refused_as_if_the_key_were_missing(
    call: str, nth: int, failure: KeydeskError, does: Callable[..., object]
) -> None:
    world = make_desk(iam_owner_tag="owner")
    world.iam.add_user(BOB.email, owner=BOB.id)
    world.iam.add_user("ci-group", owner="S0OPS")
    world.people.groups["S0OPS"] = frozenset({ALICE.id})
    key_id = world.iam.create_key("ci-group")[0].id
    answers = []
    for known in (key_id, FOREIGN):
        world.taps.on(call, nth=nth, before=failure)
        with world.nothing_happens(), pytest.raises(NotYourKey) as refused:
            does(world.services, BOB, known)
        answers.append((refused.value.code, refused.value.facts))
        world.taps.calm()
    assert answers == [(Code.KEY_NOT_FOUND, {})] * 2


@pytest.mark.parametrize("does", APPROVERS.values(), ids=APPROVERS)
@pytest.mark.parametrize(
    "gone", ["deleted here", "being deleted here", "deleted in AWS", "with its user"]
)
def test_a_recorded_key_that_is_gone_is_not_in_the_account(gone: str, does: Does) -> None:
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
            with refuses(Code.KEY_TOO_NEW):
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
    with world.nothing_happens(), refuses(Code.KEY_NOT_IN_ACCOUNT):
        does(world, CAROL, key_id)
    with world.nothing_happens():
        assert report_leak.report(world.services, BOB, key_id) == report_leak.LeakResult()


@pytest.mark.parametrize(
    ("rule", "name", "person"),
    [
        ("{email}", "UploadBot", ""),
        ("{email}", "UPLOAD", ""),
        ("{email}", "alice@example.com", "alice@example.com"),
        ("{slack_id}", "U0ALICE", "U0ALICE"),
        ("{slack_id}", "UploadBot", ""),
    ],
)
def test_only_a_fitting_iam_user_name_maps_to_a_member(rule: str, name: str, person: str) -> None:
    assert IamMapping(rule=rule).person(name) == person
