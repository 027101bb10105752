"""Every refusal says what would make it work: a command, a button, whom to ask, or when to try again."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core import errors, policy
from bot.core.access_key import AccessKey, KeyStatus, Origin, Shown, Wanted
from bot.core.errors import KeydeskError
from bot.core.moves import Action
from bot.core.people import IamMapping
from bot.core.workflow import ageing, ask, decide, hand_over, waiting
from bot.core.workflow.ask import Terms
from tests.core.fakes import ALICE, BOB, CAROL, World, make_desk
from tests.slack.facts import ERRORS

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
    errors.HandOverFailed,
    errors.StillTrying,
    errors.OutcomeUnknown,
)
"""Kinds whose words are given where they are raised: those of the list are a test's own, or never seen by a person."""


@pytest.mark.parametrize(
    "error", [one for one in ERRORS if type(one) not in MADE_UP], ids=lambda one: type(one).__name__
)
def test_every_kind_of_refusal_says_what_would_make_it_work(error: KeydeskError) -> None:
    assert NEXT.search(error.sentence), error.sentence


def _key(world: World) -> AccessKey:
    return AccessKey("AKIAIOSFODNN7EXAMPLE", ALICE.email, KeyStatus.ACTIVE, world.clock.now())


def _twice(world: World) -> object:
    world.pending()
    return world.pending()


def _same_user(world: World) -> object:
    world.people.people[CAROL.id] = replace(CAROL, email=ALICE.email)
    return decide.approve(world.desk, world.people.people[CAROL.id], world.pending().id)


def _nudged(world: World) -> object:
    request = world.pending()
    waiting.nudge(world.desk, ALICE, request.id)
    return waiting.nudge(world.desk, ALICE, request.id)


def _denied(world: World) -> object:
    request = decide.deny(world.desk, CAROL, world.pending().id, "not needed")
    return hand_over.reveal(world.desk, ALICE, request.id)


def _full(world: World) -> object:
    world.console_key(), world.console_key()
    return world.pending()


def _own(world: World) -> None:
    world.iam.own = frozenset({"AKIAIOSFODNN7EXAMPLE"})
    world.desk.spare_itself("AKIAIOSFODNN7EXAMPLE")


REFUSALS: dict[str, Callable[[World], object]] = {
    "a second request": _twice,
    "a second one while the first is approved": lambda world: [world.approved(), world.pending()],
    "a second one while the first is handed over": lambda world: [
        world.delivered(),
        world.pending(),
    ],
    "both slots taken": _full,
    "no approver": lambda world: decide.approve(world.desk, BOB, world.pending().id),
    "one's own request": lambda world: decide.approve(world.desk, ALICE, world.pending().id),
    "one's own IAM user": _same_user,
    "somebody else's request": lambda world: ask.cancel(world.desk, BOB, world.pending().id),
    "no approver of keys": lambda world: policy.is_approver(BOB, frozenset({CAROL.id})),
    "a denied request": _denied,
    "a cancelled request": lambda world: decide.approve(
        world.desk, CAROL, ask.cancel(world.desk, ALICE, world.pending().id).id
    ),
    "a nudge too early": _nudged,
    "urgent, and not set up": lambda world: ask.create(world.desk, ALICE, "x", Terms(urgent=True)),
    "urgent, and not named": lambda world: policy.may_break_glass(ALICE, frozenset({BOB.id})),
    "too long a life": lambda world: ask.create(
        world.desk, ALICE, "x", Terms(lifetime=timedelta(days=366))
    ),
    "no service users": lambda world: ask.create(world.desk, ALICE, "x", Terms(service_user="ci")),
    "a key of the desk's own": _own,
    "an active key to be turned on": lambda world: policy.may_enable(_key(world), None),
    "a key that is being deleted": lambda world: policy.may_enable(
        replace(_key(world), status=KeyStatus.INACTIVE),
        hand_over.managed(
            world.pending(), _key(world), Origin.ISSUED, Wanted.DELETED, Shown.UNKNOWN
        ),
    ),
    "more time for nobody's key": lambda world: ask.extend(
        world.desk, ALICE, "AKIAIOSFODNN7EXAMPLE"
    ),
    "nothing to undo": lambda world: ageing.undo(world.desk, ALICE, "AKIAIOSFODNN7EXAMPLE"),
    "a mapping that gives nobody": lambda world: IamMapping("", pairs={"U0X": "x"}).iam_user(ALICE),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_every_refusal_of_a_journey_does(refusal: str) -> None:
    with pytest.raises(KeydeskError) as refused:
        REFUSALS[refusal](make_desk())
    assert NEXT.search(refused.value.sentence), refused.value.sentence


@pytest.mark.parametrize("action", [Action.DENY, Action.CANCEL, Action.LAPSE])
@pytest.mark.parametrize("verb", ["create", "rotate", "enable", "extend"])
def test_what_ended_without_a_key_names_the_command_that_asks_anew(
    verb: str, action: Action
) -> None:
    world = make_desk()
    request = replace(world.pending(), verb=verb).move(action, CAROL.id, world.clock.now())
    command = "rotate" if verb == "extend" else verb
    assert request.story().endswith(f"A new one may be made with `/key {command}`.")
