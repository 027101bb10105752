"""Sweep as the scheduler does, and tell when something is due."""

from __future__ import annotations

from datetime import timedelta

from bot.domain.errors import KeydeskError, Refused
from bot.domain.keys import DesiredState, ManagedKey, ObservedState
from bot.domain.outside_errors import Conflict, StoreUnavailable, Unavailable
from bot.domain.requests import KeyRequest
from bot.operations import approvers, run_due
from bot.operations.services import Services
from tests.verification.simulation.world import HOUR, World


def sweep(services: Services) -> None:
    """Sweep as `bot.runtime.scheduler` does, without its log."""
    try:
        services.check_clock()
        for name in services.store.due(services.clock.now(), 100):
            try:
                run_due.run(services, name)
            except Conflict:
                continue
            except StoreUnavailable:
                raise
            except KeydeskError:
                wait = min(HOUR, 15 * 2.0 ** min(services.store.reschedule_count(name), 12))
                services.store.reschedule(name, services.clock.now() + timedelta(seconds=wait))
        approvers.check_for_changes(services)
    except (Refused, Unavailable):
        return


def due_at(world: World, value: KeyRequest | ManagedKey) -> float | None:
    """Return when this is due (seconds), but not the daily check of a leaked key."""
    checked_daily = (
        isinstance(value, ManagedKey)
        and value.leaked
        and value.desired is DesiredState.INACTIVE
        and value.observed is ObservedState.INACTIVE
        and not value.delete_at
    )
    if value.next_run is None or checked_daily:
        return None
    put_off = world.store.due_at(value.name) or value.next_run
    return (
        (max(value.next_run, put_off) - world.time.now()).total_seconds() + world.time.seconds + 3
    )
