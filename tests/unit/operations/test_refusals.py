"""Each kind of refusal of requests has a code, and words for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain import policy
from bot.domain.codes import Code
from bot.domain.errors import KeydeskError
from bot.domain.keys import (
    AccessKey,
    DesiredState,
    KeyStatus,
    ObservedState,
    Origin,
)
from bot.operations import (
    create_request,
    decide_request,
    identify,
    key_record,
    remind_approvers,
    reveal_key,
)
from bot.operations.create_request import RequestOptions
from bot.slack.messages.errors import error_text
from tests.support.world import ALICE, BOB, CAROL, World, make_desk


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
        key_record.managed_key(
            world.pending(), _key(world), Origin.ISSUED, DesiredState.DELETED, ObservedState.UNKNOWN
        ),
    ),
}


CODES = {
    "a second request": Code.REQUEST_ALREADY_OPEN,
    "a second one while the first is approved": Code.REQUEST_ALREADY_OPEN,
    "a second one while the first is handed over": Code.REQUEST_ALREADY_OPEN,
    "both slots taken": Code.TOO_MANY_KEYS,
    "no approver": Code.NOT_AN_APPROVER,
    "one's own request": Code.OWN_REQUEST,
    "one's own IAM user": Code.SAME_IAM_USER,
    "somebody else's request": Code.NOT_THE_REQUESTER,
    "no approver of keys": Code.NOT_AN_APPROVER,
    "a denied request": Code.REQUEST_MOVED_ON,
    "a cancelled request": Code.REQUEST_MOVED_ON,
    "a nudge too early": Code.NUDGED_RECENTLY,
    "urgent, and not set up": Code.URGENT_REQUESTS_OFF,
    "urgent, and not named": Code.URGENT_NOT_ALLOWED,
    "too long a life": Code.LIFETIME_TOO_LONG,
    "no service users": Code.SERVICE_USERS_OFF,
    "a key of the desk's own": Code.KEYDESK_OWN_KEY,
    "an active key to be turned on": Code.KEY_ALREADY_ACTIVE,
    "a key that is being deleted": Code.KEY_IS_BEING_DELETED,
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_has_its_own_code_and_words(refusal: str) -> None:
    world = make_desk()
    with pytest.raises(KeydeskError) as refused:
        REFUSALS[refusal](world)
    assert refused.value.code is CODES[refusal]
    assert error_text(refused.value)
