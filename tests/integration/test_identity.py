"""Somebody becomes another between asking and getting: at a reveal and at an approval they are asked anew who they are.

(Reveals: see also the journeys in which AWS says no. Every verb and every change: tests of the core.)
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.domain.codes import Code
from bot.domain.errors import NotAllowed
from bot.slack import action_ids
from sandbox.local_person import LocalPerson
from tests.support.key_life import approves, days_pass, given, old_key, rotated, types
from tests.support.running_world import World, iam_name

Change = Callable[[World, LocalPerson], object]


def has_another_address(world: World, person: LocalPerson) -> None:
    other = world.engineer()
    world.slack.change_person(person.id, email=iam_name(other))


def has_left(world: World, person: LocalPerson) -> None:
    world.slack.change_person(person.id, deleted=True)


def has_an_iam_user_made_anew(world: World, person: LocalPerson) -> None:
    for key_id in world.keys(person):
        world.iam.delete_access_key(UserName=iam_name(person), AccessKeyId=key_id)
    world.iam.delete_user(UserName=iam_name(person))
    world.iam.create_user(UserName=iam_name(person))


CHANGES = pytest.mark.parametrize(
    ("change", "code"),
    [
        (has_another_address, Code.REQUESTER_CHANGED),
        (has_left, Code.NOT_A_MEMBER),
        (has_an_iam_user_made_anew, Code.REQUESTER_CHANGED),
    ],
)


@pytest.fixture
def world(timed: World) -> World:
    return timed


@CHANGES
def test_a_key_is_not_turned_on_for_who_has_become_another(
    world: World, change: Change, code: Code
) -> None:
    person = world.engineer()
    key = given(world, person, "--for 30d")
    types(world, person, f"/key disable {key.key_id}")
    types(world, person, f"/key enable {key.key_id} still needed")

    change(world, person)
    approves(world, person)

    detail = world.reaches(person, "expired").detail
    assert detail and detail.code == code
    assert "Active" not in world.keys(person).values()


@CHANGES
def test_a_key_lives_no_longer_for_who_has_become_another(
    world: World, change: Change, code: Code
) -> None:
    person = world.engineer()
    key = given(world, person, "--for 30d")
    ends = world.store.key(key.key_id).expires_at
    days_pass(world, 23.5)
    person.click(
        person.wait_for("dm", button=action_ids.EXTEND),
        action_ids.EXTEND,
    )
    world.answered(person)

    change(world, person)
    approves(world, person)

    detail = world.reaches(person, "expired").detail
    assert detail and detail.code == code
    assert world.store.key(key.key_id).expires_at == ends


def test_a_changed_address_cannot_undo(world: World) -> None:
    person = world.engineer()
    old = old_key(world, person)
    rotated(world, person, old)
    days_pass(world, 1.1)
    off = person.wait_for("dm", old, action_ids.UNDO)

    has_another_address(world, person)
    person.click(off, action_ids.UNDO)

    world.answered(person, NotAllowed)
    assert world.keys(person)[old] == "Inactive"
