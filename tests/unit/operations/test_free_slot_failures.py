"""A rotation with both slots taken where the deletion or the creation fails."""

from __future__ import annotations

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.errors import KeydeskError
from bot.domain.outside_errors import (
    IamDenied,
    IamThrottled,
    IamUnavailable,
    OutcomeUnknown,
    StoreUnavailable,
)
from bot.domain.states import Status
from bot.operations import create_request
from tests.support.world import ALICE, fails, make_desk, reveal
from tests.unit.operations.key_checks import iam_status
from tests.unit.operations.key_steps import rotation
from tests.unit.operations.key_times import SOON
from tests.unit.operations.test_free_slot import full


def cause_facts(problem: KeydeskError) -> dict[str, object]:
    return {"cause": problem.code, "aws_code": getattr(problem, "aws_code", "")}


@pytest.mark.parametrize(
    "problem",
    [IamThrottled("Throttling", "x"), IamUnavailable("x"), IamDenied("AccessDenied", "x")],
)
def test_a_failed_creation_says_that_the_old_key_is_deleted(problem: KeydeskError) -> None:
    """The time of the deletion stays on record, also when a later click fails too."""
    world, request = full()
    assert request.delete_first_at is None
    deleted_at = world.clock.now()
    facts = {"key_id": request.delete_first, **cause_facts(problem)}
    for _ in range(2):
        world.taps.on("issuer.create_key", before=problem)
        fails(world, request, Code.OLD_KEY_DELETED_NO_NEW_KEY, **facts)
        now = world.now(request)
        assert (now.status, now.delete_first_at) == (Status.APPROVED, deleted_at)
        assert now.detail == Detail(Code.OLD_KEY_DELETED_NO_NEW_KEY, facts)
        assert world.iam.active == [request.target]
        world.clock.advance(SOON)
    key_id = reveal(world, request).access_key_id
    assert sorted(world.iam.active) == sorted((request.target, key_id))


def test_a_cancelled_request_keeps_the_time_of_the_deletion() -> None:
    world, request = full()
    deleted_at = world.clock.now()
    world.taps.on("issuer.create_key", before=IamUnavailable("CreateAccessKey"))
    fails(world, request, Code.OLD_KEY_DELETED_NO_NEW_KEY)
    world.clock.advance(SOON)
    cancelled = create_request.cancel(world.services, ALICE, request.id)
    assert cancelled.delete_first_at == deleted_at
    assert world.iam.active == [request.target]


DELETION_FAILURES: dict[str, tuple[str, KeydeskError]] = {
    "throttled": ("before", IamThrottled("Throttling", "DeleteAccessKey")),
    "unavailable": ("before", IamUnavailable("DeleteAccessKey")),
    "answer lost, not deleted": ("before", OutcomeUnknown("DeleteAccessKey")),
    "denied": ("before", IamDenied("AccessDenied", "DeleteAccessKey")),
    "answer lost, deleted": ("after", OutcomeUnknown("DeleteAccessKey")),
}


@pytest.mark.parametrize(
    ("side", "problem"), DELETION_FAILURES.values(), ids=list(DELETION_FAILURES)
)
def test_without_a_certain_deletion_no_key_is_created(side: str, problem: KeydeskError) -> None:
    """The scheduler deletes the key, or AWS has. Then one more click reveals a key."""
    world, request = full()
    world.taps.on("issuer.delete_key", **{side: problem})
    if isinstance(problem, OutcomeUnknown):
        code, facts = Code.OLD_KEY_DELETION_UNCONFIRMED, {"key_id": request.delete_first}
    else:
        code = Code.OLD_KEY_NOT_DELETED
        facts = {"key_id": request.delete_first, **cause_facts(problem)}
    fails(world, request, code, **facts)
    now = world.now(request)
    assert (now.status, len(world.iam.made)) == (Status.APPROVED, 2)
    assert now.detail == Detail(code, facts)
    if side == "before":
        world.pass_time(SOON)
    assert iam_status(world, request.delete_first) == "gone"
    assert reveal(world, request).status is Status.DELIVERED


def test_a_database_failure_after_the_lease_costs_one_more_click() -> None:
    world, request = full()
    world.taps.on(
        "store.commit", after=lambda: world.taps.on("store.key", before=StoreUnavailable())
    )
    fails(world, request, Code.OLD_KEY_NOT_DELETED, key_id=request.delete_first)
    assert (len(world.iam.made), world.now(request).status) == (2, Status.APPROVED)
    assert reveal(world, request).status is Status.DELIVERED


def test_a_deletion_that_iam_does_not_confirm_stops_the_creation() -> None:
    world = make_desk()
    target, young = world.console_key(), world.iam.create_key(ALICE.email)[0].id
    request = rotation(world, target, young)
    world.taps.on("issuer.delete_key", before=lambda: world.iam.hidden.add(young))
    fails(world, request, Code.OLD_KEY_DELETION_UNCONFIRMED, key_id=young)
    assert len(world.iam.made) == 2
    world.iam.hidden.clear()
    world.rest(days=1)
    assert iam_status(world, young) == "gone"
    assert reveal(world, request).status is Status.DELIVERED
