"""Whoever has to ask anew is told the command with which that works: the verb, and the service user, of the request."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.domain.commands import Command, parse
from bot.domain.errors import IdentityChanged
from bot.domain.identity import Member
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.operations import (
    confirm_receipt,
    create_request,
    decide_request,
    reveal_key,
)
from tests.support.world import ALICE, BOB, CAROL, World, make_desk


def created(world: World) -> tuple[Member, KeyRequest]:
    return ALICE, world.approved()


def rotating(world: World) -> tuple[Member, KeyRequest]:
    return ALICE, world.rotating()


def for_a_service_user(world: World) -> tuple[Member, KeyRequest]:
    return BOB, decide_request.approve(
        world.services,
        CAROL,
        create_request.create(
            world.services,
            BOB,
            "nightly deploys",
            create_request.RequestOptions(service_user="ci-deploy"),
        ).id,
    )


AGAIN: list[tuple[Callable[[World], tuple[Member, KeyRequest]], str]] = [
    (created, "create"),
    (rotating, "rotate"),
    (for_a_service_user, "create --user ci-deploy"),
]


def services() -> World:
    world = make_desk(iam_owner_tag="owner")
    for user, owner in ((ALICE.email, ALICE), (BOB.email, BOB), ("ci-deploy", BOB)):
        world.iam.add_user(user, owner=owner.id)
    return world


@pytest.mark.parametrize(("asks", "again"), AGAIN)
def test_after_the_last_of_three_reveals_the_verb_is_the_requests(
    asks: Callable[[World], tuple[Member, KeyRequest]], again: str
) -> None:
    world = services()
    member, request = asks(world)
    for _ in range(3):
        shown = reveal_key.reveal(world.services, member, request.id)
        confirm_receipt.did_not_get(world.services, member, shown.access_key_id)
    assert world.now(request).status is Status.EXPIRED
    assert world.now(request).verb_again == again


@pytest.mark.parametrize(("asks", "again"), AGAIN)
def test_where_somebody_is_another_by_now_the_verb_is_the_requests(
    asks: Callable[[World], tuple[Member, KeyRequest]], again: str
) -> None:
    world = services()
    member, request = asks(world)
    world.iam.add_user(request.iam_user, "AIDAMADEANEW", owner=member.id)
    with world.nothing_happens(), pytest.raises(IdentityChanged):
        reveal_key.reveal(world.services, member, request.id)
    assert request.verb_again == again


@pytest.mark.parametrize("again", [again for _, again in AGAIN])
def test_what_they_are_told_to_type_opens_a_form(again: str) -> None:
    verb, _, user = again.partition(" --user ")
    assert parse(again) == Command(verb, user=user)
