"""Journeys of a delivery whose process dies, or whose call fails, at any step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.errors import KeydeskError, Refused
from bot.domain.outside_errors import (
    IamThrottled,
    IamUnavailable,
    OutcomeUnknown,
    SlackUnavailable,
    StoreUnavailable,
)
from bot.domain.records import Change
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.operations import confirm_receipt, disable_key
from tests.support.taps import ProcessDied
from tests.support.world import ALICE, World, make_desk, reveal

Steps = tuple[Callable[[World], KeyRequest], Callable[[World, KeyRequest], object]]
"""How a journey is prepared, and the journey itself."""


def lost_answer(world: World, request: KeyRequest) -> object:
    world.taps.on("issuer.create_key", after=OutcomeUnknown("CreateAccessKey"))
    with pytest.raises(KeydeskError):
        reveal(world, request)
    return [world.pass_time(timedelta(minutes=8)) for _ in range(3)]


def not_posted(world: World, request: KeyRequest) -> object:
    world.taps.on(
        "messenger.deliver", before=Refused(Code.SLACK_REFUSED, error="channel_not_found")
    )
    with pytest.raises(KeydeskError):
        reveal(world, request)
    return world.pass_time(timedelta(minutes=8))


def maybe_posted(world: World, request: KeyRequest) -> object:
    world.taps.on("messenger.deliver", after=OutcomeUnknown("chat.postEphemeral"))
    with pytest.raises(KeydeskError):
        reveal(world, request)
    return world.pass_time(timedelta(minutes=8))


def not_recorded(world: World, request: KeyRequest) -> object:
    world.taps.on("issuer.create_key", after=lambda: same_again(world, request))
    with pytest.raises(KeydeskError):
        reveal(world, request)
    return world.pass_time(timedelta(minutes=8))


def same_again(world: World, request: KeyRequest) -> None:
    now = world.now(request)
    world.store.commit(
        Change(now, replace(now, version=now.version + 1)), entry=world.store.entries[-1]
    )


def did_not_get(world: World, request: KeyRequest) -> object:
    return confirm_receipt.did_not_get(world.services, ALICE, request.access_key_id)


def no_receipt(world: World, request: KeyRequest) -> object:
    return [world.pass_time(timedelta(hours=12)) for _ in range(2)]


def have_it(world: World, request: KeyRequest) -> object:
    return confirm_receipt.confirm(world.services, ALICE, request.access_key_id)


def replace_it(world: World, request: KeyRequest) -> object:
    return confirm_receipt.replace_key(world.services, ALICE, request.access_key_id)


def delete_it(world: World, request: KeyRequest) -> object:
    return disable_key.delete(world.services, ALICE, request.access_key_id)


def give_up(world: World, request: KeyRequest) -> object:
    return world.pass_time(timedelta(days=7))


JOURNEYS: dict[str, Steps] = {
    "reveal": (World.approved, reveal),
    "reveal, CreateAccessKey's answer is lost": (World.approved, lost_answer),
    "reveal, Slack refuses the ephemeral": (World.approved, not_posted),
    "reveal, Slack's answer is lost": (World.approved, maybe_posted),
    "reveal, the record is refused": (World.approved, not_recorded),
    "I did not get it": (World.delivered, did_not_get),
    "I have it": (World.delivered, have_it),
    "no receipt comes": (World.delivered, no_receipt),
    "unclaimed, I have it": (World.unclaimed, have_it),
    "unclaimed, Replace it": (World.unclaimed, replace_it),
    "unclaimed, deleted by its owner": (World.unclaimed, delete_it),
    "unclaimed to the end": (World.unclaimed, give_up),
}


def calls(steps: Steps) -> list[str]:
    """Return the calls of a journey that nothing disturbs."""
    arrange, walk = steps
    world = make_desk()
    request = arrange(world)
    before = len(world.taps.calls)
    walk(world, request)
    return world.taps.calls[before:]


def deaths(steps: Steps) -> list[tuple[int, str]]:
    """Return the number of every call of a journey, with both its sides."""
    return [
        (call, side) for call in range(1, len(calls(steps)) + 1) for side in ("before", "after")
    ]


def walk_and_die(steps: Steps, call: int, side: str) -> tuple[World, KeyRequest]:
    """Let the process die at a call of a journey. Return the world and the request."""
    arrange, walk = steps
    world = make_desk()
    request = arrange(world)
    world.taps.break_at(call, side)
    with pytest.raises(ProcessDied):
        walk(world, request)
    world.taps.calm()
    return world, request


def issuing_locks(request: KeyRequest) -> list[str]:
    """Return the locks that a request holds while its key is created."""
    return [f"issuing:{request.account}:{request.iam_user}"]


def come_back(world: World, now: KeyRequest) -> None:
    """Reveal the key as its requester does. Return True if it was shown."""
    if now.status is Status.APPROVED:
        reveal(world, now)
    elif now.status in (Status.DELIVERED, Status.UNCLAIMED):
        shown = now.access_key_id in [key_id for _, key_id, _ in world.slack.observed]
        click = (
            confirm_receipt.confirm
            if shown
            else confirm_receipt.did_not_get
            if now.status is Status.DELIVERED
            else confirm_receipt.replace_key
        )
        click(world.services, ALICE, now.access_key_id)


def lost(call: str) -> BaseException:
    """Return what a call raises when its answer is lost."""
    part, _, method = call.partition(".")
    if part == "issuer":
        changes = method in ("create_key", "set_status", "delete_key")
        return OutcomeUnknown(method) if changes else IamUnavailable(method)
    if part == "store":
        return StoreUnavailable()
    return (
        OutcomeUnknown(method) if method == "deliver" else SlackUnavailable(method, "fatal_error")
    )


def refused(call: str) -> BaseException:
    """Return what a call raises when it certainly did not run."""
    if call.startswith("issuer"):
        return IamThrottled("Throttling", call)
    return (
        Refused(Code.SLACK_REFUSED, error="channel_not_found")
        if call == "messenger.deliver"
        else lost(call)
    )
