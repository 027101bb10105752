"""Checks that the tests of a key's life share."""

from __future__ import annotations

from datetime import timedelta

from bot.domain.keys import DesiredState, InactiveReason, ManagedKey
from bot.domain.requests import KeyRequest
from tests.support.world import World


def assert_fields(value: KeyRequest | ManagedKey, **expected: object) -> None:
    """Assert that a request or record has these fields."""
    assert {name: getattr(value, name) for name in expected} == expected


def iam_status(world: World, key_id: str) -> str:
    """Return the status of a key in IAM, or "gone"."""
    key = world.iam.observed(key_id)
    return "gone" if key is None else key.status.value


def assert_leaked(world: World, key_id: str) -> None:
    """Assert that the key is recorded as leaked, and is inactive in IAM."""
    record = world.record(key_id)
    assert_fields(
        record, leaked=True, desired=DesiredState.INACTIVE, inactive_reason=InactiveReason.LEAKED
    )
    assert key_id not in world.iam.active


def assert_nothing_due(world: World) -> None:
    """Assert that the scheduler will never run anything again."""
    assert not world.store.due(world.clock.now() + timedelta(days=4000))


def actions(world: World) -> list[str]:
    """Return the actions in the audit trail, oldest first."""
    return [entry.action for entry in world.store.entries]
