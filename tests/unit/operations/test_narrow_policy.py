"""AWS denies whatever is asked about a user who is not there, where the policy is as narrow as the path.

That leaves nothing stuck; and a permission that is only missing never passes for a key that is gone.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.errors import DeliveryFailed
from bot.domain.keys import DesiredState, ObservedState
from bot.domain.outside_errors import IamDenied, OutcomeUnknown
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.operations import (
    confirm_receipt,
    create_request,
    decide_request,
    reconcile,
    reveal_key,
)
from tests.support.errors import refuses
from tests.support.narrow_policy import ALL, PATH, NarrowIssuer, narrow_desk
from tests.support.world import ALICE, BOB, CAROL, World

OLD = timedelta(minutes=6)  # old enough for absence to prove something
DAY = timedelta(days=1)


def lost_answer() -> tuple[World, NarrowIssuer, KeyRequest]:
    """Alice's reveal, to which AWS gave no answer: a key was made that nobody has seen."""
    world, iam = narrow_desk()
    request = world.approved()
    world.taps.on("issuer.create_key", after=OutcomeUnknown("CreateAccessKey"))
    with pytest.raises(DeliveryFailed):
        reveal_key.reveal(world.services, ALICE, request.id)
    return world, iam, request


def use_a_role(world: World, iam: NarrowIssuer) -> None:
    """The desk's credentials are a role's, of which IAM says nothing; Bob has a key that it knows."""
    iam.own = frozenset()
    request = decide_request.approve(
        world.services, CAROL, create_request.create(world.services, BOB, "x").id
    )
    confirm_receipt.confirm(
        world.services, BOB, reveal_key.reveal(world.services, BOB, request.id).access_key_id
    )


@pytest.mark.parametrize("role", [False, True], ids=["a user's key", "a role"])
def test_a_lost_answer_ends_when_the_user_is_deleted(
    role: bool,
) -> None:
    world, iam, request = lost_answer()
    if role:
        use_a_role(world, iam)
    iam.delete_user(ALICE.email)
    world.pass_time(DAY)
    now = world.now(request)
    assert (now.status, now.lease) == (Status.APPROVED, None)
    assert now.detail is not None and now.detail.code == Code.ORPHAN_CHECK_IMPOSSIBLE
    assert (now.detail.facts["iam_user"], now.detail.facts["iam_path"]) == (ALICE.email, PATH)
    assert create_request.cancel(world.services, ALICE, request.id).locks == frozenset()


@pytest.mark.parametrize(
    "missing", [{"ListAccessKeys"}, ALL], ids=["one permission", "all of them"]
)
def test_missing_permissions_do_not_mean_a_missing_user(
    missing: set[str],
) -> None:
    world, iam, request = lost_answer()
    iam.lacks = set(missing)
    world.pass_time(DAY)
    assert world.now(request).status is Status.ISSUING
    iam.lacks = set()
    world.pass_time(DAY)
    detail = world.now(request).detail
    assert world.iam.active == [] and detail is not None and detail.code == Code.ORPHAN_FOUND


@pytest.mark.parametrize("role", [False, True], ids=["a user's key", "a role"])
def test_a_delivered_key_of_a_deleted_user_expires(role: bool) -> None:
    world, iam = narrow_desk()
    request = world.delivered()
    if role:
        use_a_role(world, iam)
    iam.delete_user(ALICE.email)
    for _ in range(20):
        world.pass_time(DAY / 2)
    record = world.record(request.access_key_id)
    assert world.now(request).status is Status.EXPIRED
    assert (record.desired, record.observed) == (DesiredState.DELETED, ObservedState.DELETED)
    assert record.name not in world.still_due()


def test_a_confirmed_key_of_a_deleted_user_is_noticed() -> None:
    world, iam = narrow_desk()
    key_id = world.delivered().access_key_id
    confirm_receipt.confirm(world.services, ALICE, key_id)
    iam.delete_user(ALICE.email)
    world.outlive(90)
    assert world.record(key_id).desired is DesiredState.DELETED and not world.still_due()


@pytest.mark.parametrize(
    "missing",
    [
        {"ListAccessKeys"},
        {"ListAccessKeys", "UpdateAccessKey", "DeleteAccessKey"},
        {"GetAccessKeyLastUsed"},
        {"ListAccessKeys", "GetAccessKeyLastUsed"},
        ALL,
    ],
    ids=["list", "changes", "whose", "list and whose", "all"],
)
@pytest.mark.parametrize("own", [False, True], ids=["a role", "a user's key"])
def test_a_missing_permission_does_not_mean_a_deleted_key(missing: set[str], own: bool) -> None:
    world, iam = narrow_desk()
    if not own:
        use_a_role(world, iam)
    request = world.delivered()
    confirm_receipt.confirm(world.services, ALICE, request.access_key_id)
    world.clock.advance(OLD)
    iam.lacks = set(missing)
    world.outlive(89)
    assert world.record(request.access_key_id).observed is not ObservedState.DELETED
    assert world.record(request.access_key_id).desired is DesiredState.ACTIVE
    iam.lacks = set()
    world.outlive(10)
    assert request.access_key_id not in world.iam.active  # its end came all the same


def test_without_evidence_from_aws_nothing_is_concluded() -> None:
    """A role's credentials, and no other key on record to ask about."""
    world, iam = narrow_desk()
    iam.own = frozenset()
    key = world.record(world.delivered().access_key_id)
    world.clock.advance(OLD)
    iam.delete_user(ALICE.email)
    with world.nothing_happens(), pytest.raises(IamDenied):
        reconcile.apply(world.services, key)


@pytest.mark.parametrize("action", ["UpdateAccessKey", "ListAccessKeys"])
def test_a_change_without_permission_is_denied(action: str) -> None:
    world, iam = narrow_desk()
    key = world.record(world.delivered().access_key_id)
    off = key.set_desired(
        DesiredState.INACTIVE, ALICE.id, world.clock.now(), check_at=world.clock.now()
    )
    world.clock.advance(OLD)
    iam.lacks = {"UpdateAccessKey", action}
    with world.nothing_happens(), pytest.raises(IamDenied) as denied:
        reconcile.apply(world.services, off)
    assert denied.value.action in ("UpdateAccessKey", "ListAccessKeys")


def test_a_moved_or_renamed_user_keeps_the_recorded_key() -> None:
    for name, path, code in (
        ("alice.new", PATH, Code.IAM_USER_RENAMED),
        (ALICE.email, "/admins/", Code.AWS_DENIED),
    ):
        world, iam = narrow_desk()
        key = world.record(world.delivered().access_key_id)
        world.clock.advance(OLD)
        if name == ALICE.email:
            iam.add_user(ALICE.email, path=path)
        else:
            iam.rename_user(ALICE.email, name)
        with world.nothing_happens(), refuses(code):
            reconcile.apply(world.services, key)
        assert iam.active == [key.id]
