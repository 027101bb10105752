"""Tell a missing user from a missing permission under a narrow policy.

With a policy as narrow as IAM_PATH, AWS denies every call about a user who is not there. That
leaves nothing stuck, and a missing permission never counts as a key that is gone.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.keys import DesiredState, ObservedState
from bot.domain.outside_errors import OutcomeUnknown
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.operations import confirm_receipt, create_request, decide_request, reconcile, reveal_key
from tests.support.errors import refuses
from tests.support.narrow_policy import ALL, PATH, NarrowIssuer, narrow_desk
from tests.support.world import ALICE, BOB, CAROL, World, fails

DAY = timedelta(days=1)
OLD = timedelta(minutes=6)  # old enough for absence to prove something
LIST, LAST_USE = "ListAccessKeys", "GetAccessKeyLastUsed"
by_credentials = pytest.mark.parametrize("role", [False, True], ids=["a user's key", "a role"])


def narrow_world(role: bool = False) -> tuple[World, NarrowIssuer]:
    """Return a world under a narrow policy.

    With the credentials of a role, Keydesk has no key that IAM knows, but Bob has one.
    """
    world, iam = narrow_desk()
    if role:
        iam.own = frozenset()
        request = create_request.create(world.services, BOB, "x")
        decide_request.approve(world.services, CAROL, request.id)
        key_id = reveal_key.reveal(world.services, BOB, request.id).access_key_id
        confirm_receipt.confirm(world.services, BOB, key_id)
    return world, iam


def lost_answer(role: bool = False) -> tuple[World, NarrowIssuer, KeyRequest]:
    """Return Alice's reveal of a key that AWS created without an answer."""
    world, iam = narrow_world(role)
    request = world.approved()
    world.taps.on("issuer.create_key", after=OutcomeUnknown("CreateAccessKey"))
    fails(world, request, Code.KEY_CREATION_UNCONFIRMED)
    return world, iam, request


def old_key() -> tuple[World, NarrowIssuer, str]:
    """Return a delivered key of Alice's, old enough for its absence to be proof."""
    world, iam = narrow_world()
    key_id = world.delivered().access_key_id
    world.clock.advance(OLD)
    return world, iam, key_id


# -- the IAM user is deleted


@by_credentials
def test_a_lost_answer_ends_when_the_user_is_deleted(role: bool) -> None:
    world, iam, request = lost_answer(role)
    iam.delete_user(ALICE.email)
    world.pass_time(DAY)
    now = world.now(request)
    assert (now.status, now.lease) == (Status.APPROVED, None)
    assert now.detail and now.detail.code == Code.ORPHAN_CHECK_IMPOSSIBLE
    assert (now.detail.facts["iam_user"], now.detail.facts["iam_path"]) == (ALICE.email, PATH)
    assert create_request.cancel(world.services, ALICE, request.id).locks == frozenset()


@by_credentials
def test_a_delivered_key_of_a_deleted_user_expires(role: bool) -> None:
    world, iam = narrow_world(role)
    request = world.delivered()
    iam.delete_user(ALICE.email)
    for _ in range(20):
        world.pass_time(DAY / 2)
    record = world.record(request.access_key_id)
    assert world.now(request).status is Status.EXPIRED
    assert (record.desired, record.observed) == (DesiredState.DELETED, ObservedState.DELETED)
    assert record.name not in world.still_due()


def test_a_confirmed_key_of_a_deleted_user_is_noticed() -> None:
    world, iam = narrow_world()
    key_id = world.delivered().access_key_id
    confirm_receipt.confirm(world.services, ALICE, key_id)
    iam.delete_user(ALICE.email)
    world.outlive(90)
    assert world.record(key_id).desired is DesiredState.DELETED and not world.still_due()


# -- a permission is missing


@pytest.mark.parametrize("missing", [{LIST}, ALL], ids=["one permission", "all permissions"])
def test_missing_permissions_do_not_mean_a_missing_user(missing: set[str]) -> None:
    world, iam, request = lost_answer()
    iam.lacks = missing
    world.pass_time(DAY)
    assert world.now(request).status is Status.ISSUING
    iam.lacks = set()
    world.pass_time(DAY)
    detail = world.now(request).detail
    assert world.iam.active == [] and detail and detail.code == Code.ORPHAN_FOUND


@pytest.mark.parametrize(
    "missing",
    [{LIST}, {LIST, "UpdateAccessKey", "DeleteAccessKey"}, {LAST_USE}, {LIST, LAST_USE}, ALL],
    ids=["list", "list and changes", "last use", "list and last use", "all"],
)
@by_credentials
def test_a_missing_permission_does_not_mean_a_deleted_key(missing: set[str], role: bool) -> None:
    world, iam = narrow_world(role)
    key_id = world.delivered().access_key_id
    confirm_receipt.confirm(world.services, ALICE, key_id)
    world.clock.advance(OLD)
    iam.lacks = missing
    world.outlive(89)
    record = world.record(key_id)
    assert record.observed is not ObservedState.DELETED and record.desired is DesiredState.ACTIVE
    iam.lacks = set()
    world.outlive(10)
    assert key_id not in world.iam.active, "it has expired all the same"


@pytest.mark.parametrize("action", ["UpdateAccessKey", LIST])
def test_a_change_without_permission_is_denied(action: str) -> None:
    world, iam, key_id = old_key()
    now = world.clock.now()
    off = world.record(key_id).set_desired(DesiredState.INACTIVE, ALICE.id, now, check_at=now)
    iam.lacks = {"UpdateAccessKey", action}
    with world.nothing_happens(), refuses(Code.AWS_DENIED, action=action):
        reconcile.apply(world.services, off)


def test_without_evidence_from_aws_nothing_is_concluded() -> None:
    """Use a role's credentials, with no other key on record to ask about."""
    world, iam, key_id = old_key()
    iam.own = frozenset()
    iam.delete_user(ALICE.email)
    with world.nothing_happens(), refuses(Code.AWS_DENIED):
        reconcile.apply(world.services, world.record(key_id))


@pytest.mark.parametrize("code", [Code.IAM_USER_RENAMED, Code.AWS_DENIED])
def test_a_renamed_or_moved_user_keeps_the_recorded_key(code: Code) -> None:
    world, iam, key_id = old_key()
    if code is Code.IAM_USER_RENAMED:
        iam.rename_user(ALICE.email, "alice.new")
    else:
        iam.add_user(ALICE.email, path="/admins/")
    with world.nothing_happens(), refuses(code):
        reconcile.apply(world.services, world.record(key_id))
    assert iam.active == [key_id]
