"""Apply a desired state in IAM, read it back, and repair a difference."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.keys import DesiredState, KeyStatus, ManagedKey, ObservedState
from bot.domain.outside_errors import AccessKeyNotFound, IamDenied, IamUnavailable, IamUserNotFound
from bot.operations import disable_key, reconcile
from tests.support.errors import refuses
from tests.support.narrow_policy import NarrowIssuer, narrow_desk
from tests.support.world import ALICE, BOB, World, make_desk
from tests.unit.operations.key_checks import assert_fields, iam_status
from tests.unit.operations.key_steps import confirmed
from tests.unit.operations.key_times import DAY, HOUR, MINUTE, ORPHAN_CHECK, SOON

LISTING_DENIED = IamDenied("AccessDenied", "ListAccessKeys")
FORBIDDEN = IamDenied("AccessDenied", "ListAccessKeys", forbidden=True)


@pytest.fixture
def world() -> World:
    return make_desk()


@pytest.fixture
def key_id(world: World) -> str:
    """Return an active key of Alice's that was created in the console."""
    return world.console_key()


def test_a_change_is_applied_read_back_and_audited(world: World, key_id: str) -> None:
    disable_key.disable(world.services, ALICE, key_id)
    record = world.record(key_id)
    assert_fields(
        record, observed=ObservedState.INACTIVE, check_at=world.clock.now() + ORPHAN_CHECK
    )
    entry = world.store.entries[-1]
    shown = Detail(Code.IAM_SHOWS, {"state": ObservedState.INACTIVE})
    assert (entry.action, entry.by, entry.detail) == ("inactive", "keydesk", shown)
    world.pass_time(ORPHAN_CHECK)
    assert (world.record(key_id).check_at, world.store.entries[-1].action) == (None, "read")
    assert world.store.entries[-1].detail == shown


def test_a_change_undone_by_a_late_call_is_repaired(world: World, key_id: str) -> None:
    disable_key.disable(world.services, ALICE, key_id)
    world.iam.set_status(ALICE.email, key_id, KeyStatus.ACTIVE)
    world.pass_time(ORPHAN_CHECK)
    assert iam_status(world, key_id) == "Inactive"
    world.pass_time(ORPHAN_CHECK)
    assert world.record(key_id).check_at is None


def test_a_key_that_iam_still_lists_is_not_deleted(world: World, key_id: str) -> None:
    """IAM's parts do not agree at every moment, however old the key is."""
    world.iam.set_status(ALICE.email, key_id, KeyStatus.INACTIVE)
    world.taps.on("issuer.delete_key", before=AccessKeyNotFound("DeleteAccessKey"))
    with refuses(Code.KEY_NOT_KNOWN_EVERYWHERE, key_id=key_id, desired=DesiredState.DELETED):
        disable_key.delete(world.services, ALICE, key_id)
    assert world.iam.observed(key_id) is not None
    world.pass_time(SOON)
    assert iam_status(world, key_id) == "gone"
    assert world.record(key_id).observed is ObservedState.DELETED


def test_a_new_key_is_retried_until_iam_knows_it(world: World) -> None:
    key_id = world.iam.create_key(ALICE.email)[0].id
    world.taps.on("issuer.set_status", before=lambda: world.iam.hidden.add(key_id))
    with refuses(Code.KEY_TOO_NEW, key_id=key_id, desired=DesiredState.INACTIVE):
        disable_key.disable(world.services, ALICE, key_id)
    with world.nothing_happens():  # Waiting is not audited.
        for _ in range(19):
            world.pass_time(SOON)
    assert world.store.reschedule_count(f"key:{key_id}") <= 5
    world.iam.hidden.clear()
    world.pass_time(SOON)
    assert iam_status(world, key_id) == "Inactive"


def test_a_new_key_that_iam_only_lists_is_retried_soon(world: World) -> None:
    key_id = world.iam.create_key(ALICE.email)[0].id
    world.taps.on("issuer.set_status", before=AccessKeyNotFound("UpdateAccessKey"))
    with refuses(Code.KEY_TOO_NEW, key_id=key_id, desired=DesiredState.INACTIVE):
        disable_key.disable(world.services, ALICE, key_id)
    world.pass_time(SOON)
    assert iam_status(world, key_id) == "Inactive"


@pytest.mark.parametrize("with_user", [False, True])
def test_a_deleted_key_needs_no_more_checks(world: World, key_id: str, with_user: bool) -> None:
    disable_key.disable(world.services, ALICE, key_id)
    if with_user:
        world.iam.delete_user(ALICE.email)
    else:
        world.iam.delete_key(ALICE.email, key_id)
    world.pass_time(ORPHAN_CHECK)
    record = world.record(key_id)
    assert (record.observed, record.check_at) == (ObservedState.DELETED, None)


def test_a_change_waits_while_the_iam_user_is_renamed(world: World) -> None:
    key_id = confirmed(world).access_key_id
    world.pass_time(DAY)
    world.taps.on(
        "issuer.set_status", before=lambda: world.iam.rename_user(ALICE.email, "alice.adams")
    )
    facts = {"key_id": key_id, "iam_user": ALICE.email, "renamed_to": "alice.adams"}
    with refuses(Code.CHANGE_NOT_CONFIRMED, cause=Code.IAM_USER_RENAMED, **facts):
        disable_key.disable(world.services, ALICE, key_id)
    assert world.record(key_id).observed is ObservedState.UNKNOWN and world.iam.active == [key_id]
    world.iam.rename_user("alice.adams", ALICE.email)
    world.pass_time(HOUR)
    assert world.record(key_id).observed is ObservedState.INACTIVE and world.iam.active == []


def test_a_key_with_a_known_owner_is_not_taken_for_deleted(world: World) -> None:
    """IAM is eventually consistent: one of its answers is old."""
    key = world.record(world.delivered().access_key_id)
    world.clock.advance(ORPHAN_CHECK)
    del world.iam.users[ALICE.email]
    with world.nothing_happens(), refuses(Code.IAM_USER_RENAMED, key_id=key.id):
        reconcile.observe(world.services, key)


# AccessDenied may hide the IAM user, where the policy is as narrow as IAM_PATH.


def hidden_user(age: timedelta = HOUR) -> tuple[World, NarrowIssuer, ManagedKey]:
    """Return a world that denies calls about Alice's deleted user, and her key."""
    world, iam = narrow_desk()
    key = world.record(world.delivered().access_key_id)
    world.clock.advance(age)
    iam.delete_user(ALICE.email)
    return world, iam, key


def asked_owners(world: World) -> int:
    return world.taps.calls.count("issuer.owner")


@pytest.mark.parametrize(
    ("age", "observed"), [(HOUR, ObservedState.DELETED), (MINUTE, ObservedState.UNKNOWN)]
)
def test_a_hidden_users_key_is_deleted_if_old_enough(
    age: timedelta, observed: ObservedState
) -> None:
    world, _, key = hidden_user(age)
    with world.nothing_happens():
        assert reconcile.observe(world.services, key) is observed


def test_a_denied_change_of_a_deleted_key_is_certain() -> None:
    world, iam = narrow_desk()
    key_id = world.delivered().access_key_id
    world.clock.advance(HOUR)
    disable_key.disable(world.services, ALICE, key_id)
    iam.delete_user(ALICE.email)
    assert reconcile.apply(world.services, world.record(key_id)) is True
    assert world.record(key_id).observed is ObservedState.DELETED


@pytest.mark.parametrize("missing", ["permission to list", "evidence"])
def test_a_denial_that_proves_nothing_is_raised(missing: str) -> None:
    """Only other keys' owners show that AWS would name the owner of this key."""
    world, iam = narrow_desk()
    key = world.record(world.delivered().access_key_id)
    world.clock.advance(HOUR)
    if missing == "evidence":
        iam.delete_user(ALICE.email)
        iam.own = frozenset()
    else:
        iam.lacks = {"ListAccessKeys"}
    with world.nothing_happens(), refuses(Code.AWS_DENIED):
        reconcile.observe(world.services, key)


@pytest.mark.parametrize(
    ("make", "denied"), [(make_desk, LISTING_DENIED), (lambda: narrow_desk()[0], FORBIDDEN)]
)
def test_a_denial_that_hides_no_user_is_raised_at_once(
    make: Callable[[], World], denied: IamDenied
) -> None:
    """Keydesk manages all paths, or AWS forbids the call by another policy."""
    world = make()
    key = world.record(world.delivered().access_key_id)
    world.taps.on("issuer.listed", before=denied)
    with world.nothing_happens(), refuses(denied.code):
        reconcile.observe(world.services, key)
    assert asked_owners(world) == 0


@pytest.mark.parametrize("moved_to", ["alice.new", "alice.adams"])
def test_a_key_of_a_user_that_moved_away_is_not_deleted(moved_to: str) -> None:
    world, iam = narrow_desk()
    key = world.record(world.delivered().access_key_id)
    world.clock.advance(HOUR)
    iam.rename_user(ALICE.email, moved_to)
    facts = {"key_id": key.id, "iam_user": ALICE.email, "renamed_to": moved_to}
    with world.nothing_happens(), refuses(Code.IAM_USER_RENAMED, **facts):
        reconcile.observe(world.services, key)


def test_evidence_comes_from_own_keys_then_from_recorded_ones() -> None:
    world, iam, key = hidden_user()
    assert reconcile.reports_key_owners(world.services, but=key.id)
    assert asked_owners(world) == 1, "Keydesk's own key has an owner"
    iam.own = frozenset()
    assert not reconcile.reports_key_owners(world.services, but=key.id)
    bobs = [iam.create_key(BOB.email)[0].id for _ in range(2)]
    disable_key.disable(world.services, BOB, bobs[0])
    assert reconcile.reports_key_owners(world.services, but=key.id)
    assert not reconcile.reports_key_owners(world.services, but=bobs[0])


def test_at_most_five_recorded_keys_are_asked_about() -> None:
    world, iam, key = hidden_user()
    iam.own = frozenset()
    for _ in range(7):
        bobs = iam.create_key(BOB.email)[0].id
        world.clock.advance(MINUTE)
        disable_key.disable(world.services, BOB, bobs)
        iam.delete_key(BOB.email, bobs)
    world.taps.calls.clear()
    assert not reconcile.reports_key_owners(world.services, but=key.id)
    assert asked_owners(world) == 5


@pytest.mark.parametrize(
    ("answer", "hidden"),
    [(IamUserNotFound(), True), (None, True), ("exists", False), ("no evidence", False)],
)
def test_a_user_is_hidden_only_if_get_user_is_denied_alike(answer: object, hidden: bool) -> None:
    world, iam, _ = hidden_user()
    if isinstance(answer, IamUserNotFound):
        world.taps.on("issuer.user", before=answer)
    elif answer == "exists":
        iam.add_user(ALICE.email, path="/people/")
    elif answer == "no evidence":
        iam.own = frozenset()
    assert reconcile.is_user_hidden(world.services, LISTING_DENIED, ALICE.email) is hidden


def test_without_an_answer_about_the_user_nothing_is_known() -> None:
    world, _, _ = hidden_user()
    world.taps.on("issuer.user", before=IamUnavailable("GetUser"))
    with refuses(Code.AWS_UNAVAILABLE):
        reconcile.is_user_hidden(world.services, LISTING_DENIED, ALICE.email)
    assert not reconcile.is_user_hidden(world.services, FORBIDDEN, ALICE.email)
