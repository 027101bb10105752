"""Every refusal says what would make it work: a command, a button, whom to ask, or when to try again."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain import errors, policy
from bot.domain.errors import KeydeskError
from bot.domain.identity import IamMapping
from bot.domain.keys import (
    AccessKey,
    DesiredState,
    KeyStatus,
    ObservedState,
    Origin,
)
from bot.domain.states import Event
from bot.operations import (
    create_request,
    decide_request,
    finish_rotation,
    identify,
    remind_approvers,
    reveal_key,
)
from bot.operations.create_request import RequestOptions
from bot.slack.messages.errors import error_text
from tests.support.example_requests import ERRORS
from tests.support.world import ALICE, BOB, CAROL, World, make_desk

NEXT = re.compile(
    r"`/key \w+|\*[A-Z][^*]+\*|[Tt]ry again|[Aa]sk |[Tt]ell |again from|must decide|have been asked|"
    r"newest message"
)
"""A command to type, a button to click, somebody to turn to, a time to try again, or who goes on by themselves."""

MADE_UP = (
    errors.KeydeskError,
    errors.Refused,
    errors.NotAllowed,
    errors.AlreadyOpen,
    errors.TooManyKeys,
    errors.DeliveryFailed,
    errors.ChangePending,
    errors.OutcomeUnknown,
)
"""Kinds whose words are given where they are raised: those of the list are a test's own, or never seen by a person."""


@pytest.mark.parametrize(
    "error", [one for one in ERRORS if type(one) not in MADE_UP], ids=lambda one: type(one).__name__
)
def test_every_kind_of_refusal_says_what_would_make_it_work(error: KeydeskError) -> None:
    assert NEXT.search(error_text(error)), error_text(error)


def _key(world: World) -> AccessKey:
    return AccessKey("AKIAIOSFODNN7EXAMPLE", ALICE.email, KeyStatus.ACTIVE, world.clock.now())


def _twice(world: World) -> object:
    world.pending()
    return world.pending()


def _same_user(world: World) -> object:
    world.people.people[CAROL.id] = replace(CAROL, email=ALICE.email)
    return decide_request.approve(world.services, world.people.people[CAROL.id], world.pending().id)


def _nudged(world: World) -> object:
    request = world.pending()
    remind_approvers.nudge(world.services, ALICE, request.id)
    return remind_approvers.nudge(world.services, ALICE, request.id)


def _denied(world: World) -> object:
    request = decide_request.deny(world.services, CAROL, world.pending().id, "not needed")
    return reveal_key.reveal(world.services, ALICE, request.id)


def _full(world: World) -> object:
    world.console_key(), world.console_key()
    return world.pending()


def _own(world: World) -> None:
    world.iam.own = frozenset({"AKIAIOSFODNN7EXAMPLE"})
    identify.check_not_own_key(world.services, "AKIAIOSFODNN7EXAMPLE")


REFUSALS: dict[str, Callable[[World], object]] = {
    "a second request": _twice,
    "a second one while the first is approved": lambda world: [world.approved(), world.pending()],
    "a second one while the first is handed over": lambda world: [
        world.delivered(),
        world.pending(),
    ],
    "both slots taken": _full,
    "no approver": lambda world: decide_request.approve(world.services, BOB, world.pending().id),
    "one's own request": lambda world: decide_request.approve(
        world.services, ALICE, world.pending().id
    ),
    "one's own IAM user": _same_user,
    "somebody else's request": lambda world: create_request.cancel(
        world.services, BOB, world.pending().id
    ),
    "no approver of keys": lambda world: policy.check_approver(BOB, frozenset({CAROL.id})),
    "a denied request": _denied,
    "a cancelled request": lambda world: decide_request.approve(
        world.services, CAROL, create_request.cancel(world.services, ALICE, world.pending().id).id
    ),
    "a nudge too early": _nudged,
    "urgent, and not set up": lambda world: create_request.create(
        world.services, ALICE, "x", RequestOptions(urgent=True)
    ),
    "urgent, and not named": lambda world: policy.check_may_break_glass(ALICE, frozenset({BOB.id})),
    "too long a life": lambda world: create_request.create(
        world.services, ALICE, "x", RequestOptions(lifetime=timedelta(days=366))
    ),
    "no service users": lambda world: create_request.create(
        world.services, ALICE, "x", RequestOptions(service_user="ci")
    ),
    "a key of the desk's own": _own,
    "an active key to be turned on": lambda world: policy.check_may_enable(_key(world), None),
    "a key that is being deleted": lambda world: policy.check_may_enable(
        replace(_key(world), status=KeyStatus.INACTIVE),
        reveal_key.managed_key(
            world.pending(), _key(world), Origin.ISSUED, DesiredState.DELETED, ObservedState.UNKNOWN
        ),
    ),
    "more time for nobody's key": lambda world: create_request.extend(
        world.services, ALICE, "AKIAIOSFODNN7EXAMPLE"
    ),
    "nothing to undo": lambda world: finish_rotation.undo(
        world.services, ALICE, "AKIAIOSFODNN7EXAMPLE"
    ),
    "a mapping that gives nobody": lambda world: IamMapping("", pairs={"U0X": "x"}).iam_user(ALICE),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_every_refusal_of_a_journey_does(refusal: str) -> None:
    with pytest.raises(KeydeskError) as refused:
        REFUSALS[refusal](make_desk())
    assert NEXT.search(error_text(refused.value)), error_text(refused.value)


@pytest.mark.parametrize("action", [Event.DENY, Event.CANCEL, Event.EXPIRE])
@pytest.mark.parametrize("verb", ["create", "rotate", "enable", "extend"])
def test_what_ended_without_a_key_names_the_command_that_asks_anew(
    verb: str, action: Event
) -> None:
    world = make_desk()
    request = replace(world.pending(), verb=verb).transition(action, CAROL.id, world.clock.now())
    command = "rotate" if verb == "extend" else verb
    assert request.story().endswith(f"A new one may be made with `/key {command}`.")
