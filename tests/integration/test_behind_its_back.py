"""A key that somebody deleted or changed in the AWS console, at whatever step, is noticed, not tripped over."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from bot.domain.errors import WrongState
from bot.slack import action_ids
from bot.slack.messages.kinds import EXPIRED
from sandbox.local_person import LocalPerson
from tests.support.key_life import (
    approves,
    arrives,
    days_pass,
    given,
    old_key,
    record,
    rotated,
    types,
    until,
)
from tests.support.running_world import World, iam_name

Act = Callable[[World, LocalPerson, str], object]


def deletes(world: World, person: LocalPerson, key_id: str) -> None:
    world.iam.delete_access_key(UserName=iam_name(person), AccessKeyId=key_id)


def turns(world: World, person: LocalPerson, key_id: str, status: str) -> None:
    world.iam.update_access_key(UserName=iam_name(person), AccessKeyId=key_id, Status=status)


def turns_off(world: World, person: LocalPerson, key_id: str) -> None:
    turns(world, person, key_id, "Inactive")


def no_trouble(world: World) -> None:
    """The sweeper did everything that was due at its first try."""
    lines = [json.loads(line) for line in world.log.splitlines() if line.startswith("{")]
    failed = [
        line
        for line in lines
        if line.get("event") in ("run_due", "scheduler") and line.get("outcome")
    ]
    assert not failed, failed


@pytest.fixture
def world(timed: World) -> World:
    return timed


console = pytest.mark.parametrize(
    ("act", "observed"), [(deletes, "deleted"), (turns_off, "inactive")]
)


@console
def test_before_its_end(world: World, act: Act, observed: str) -> None:
    person = world.engineer()
    key = given(world, person, "--for 30d")
    days_pass(world, 10)

    act(world, person, key.key_id)
    days_pass(world, 19)

    kept = record(world, key.key_id)
    assert (kept.desired, kept.inactive_reason) == (observed, "console")
    ended = world.last_message(person, f"key:{key.key_id}", EXPIRED)
    assert ended is None, "it did not end by itself"
    assert world.keys(person) == ({} if observed == "deleted" else {key.key_id: "Inactive"})
    no_trouble(world)


def test_a_key_disabled_in_the_console_still_expires(
    world: World,
) -> None:
    person = world.engineer()
    key = given(world, person, "--for 30d")
    days_pass(world, 10)
    turns_off(world, person, key.key_id)
    days_pass(world, 21)
    assert (record(world, key.key_id).desired, record(world, key.key_id).inactive_reason) == (
        "inactive",
        "expired",
    )

    turns(world, person, key.key_id, "Active")
    days_pass(world, 8)
    assert world.keys(person) == {}, "it is deleted a week after its end, on or off"
    no_trouble(world)


@console
def test_the_old_key_of_a_rotation(world: World, act: Act, observed: str) -> None:
    person = world.engineer()
    old = old_key(world, person)
    new, message = rotated(world, person, old)

    act(world, person, old)
    person.click(message, action_ids.DISABLE_OLD)
    world.answered(person, WrongState)
    days_pass(world, 9)

    until(world, lambda: not record(world, new.key_id).replaces, "the rotation is over")
    assert world.keys(person) == {new.key_id: "Active"} | (
        {} if observed == "deleted" else {old: "Inactive"}
    )
    no_trouble(world)


@console
def test_the_old_key_of_a_rotation_found_so_by_the_sweeper(
    world: World, act: Act, observed: str
) -> None:
    person = world.engineer()
    old = old_key(world, person)
    new, _ = rotated(world, person, old)

    act(world, person, old)
    days_pass(world, 2)

    until(world, lambda: not record(world, new.key_id).replaces, "the rotation is over")
    assert world.keys(person)[new.key_id] == "Active"
    no_trouble(world)


@console
def test_the_new_key_of_a_rotation_and_then_the_old_one_stays(
    world: World, act: Act, observed: str
) -> None:
    person = world.engineer()
    old = old_key(world, person)
    new, _ = rotated(world, person, old)

    act(world, person, new.key_id)
    days_pass(world, 9)

    assert world.keys(person)[old] == "Active", "nobody is left without a key"
    assert record(world, new.key_id).desired == observed
    no_trouble(world)


def test_a_retired_key_that_is_deleted_meanwhile(world: World) -> None:
    person = world.engineer()
    old = old_key(world, person)
    rotated(world, person, old)
    days_pass(world, 1.1)
    off = person.wait_for("dm", old, action_ids.UNDO)

    deletes(world, person, old)
    days_pass(world, 9)

    assert record(world, old).desired == "deleted"
    person.click(off, action_ids.UNDO)
    world.answered(person, WrongState, "nothing_to_undo")
    no_trouble(world)


def test_a_retired_key_that_somebody_turned_on_again_stays_on(world: World) -> None:
    person = world.engineer()
    old = old_key(world, person)
    new, _ = rotated(world, person, old)
    days_pass(world, 2)

    turns(world, person, old, "Active")
    days_pass(world, 9)

    assert world.keys(person) == {old: "Active", new.key_id: "Active"}
    kept = record(world, old)
    assert (kept.desired, kept.inactive_reason) == ("active", "console")
    no_trouble(world)


def test_an_expired_key_enabled_in_the_console_is_disabled(world: World) -> None:
    """Its end is a promise."""
    person = world.engineer()
    key = given(world, person, "--for 10d")
    days_pass(world, 11)

    turns(world, person, key.key_id, "Active")
    days_pass(world, 5.5)

    assert world.keys(person) == {key.key_id: "Inactive"}
    no_trouble(world)


def test_an_ended_key_that_is_deleted_meanwhile(world: World) -> None:
    person = world.engineer()
    key = given(world, person, "--for 10d")
    days_pass(world, 11)

    deletes(world, person, key.key_id)
    days_pass(world, 9)

    assert record(world, key.key_id).desired == "deleted"
    assert world.keys(person) == {}
    no_trouble(world)


@pytest.mark.parametrize("verb", ["enable", "extend"])
def test_a_request_about_a_key_that_is_gone_ends_with_the_reason(world: World, verb: str) -> None:
    person = world.engineer()
    key = given(world, person, "--for 30d")
    if verb == "enable":
        turns_off(world, person, key.key_id)
        types(world, person, f"/key enable {key.key_id} still needed")
    else:
        days_pass(world, 23.5)
        reminder = person.wait_for("dm", button=action_ids.EXTEND)
        person.click(reminder, action_ids.EXTEND)
        world.answered(person)

    deletes(world, person, key.key_id)
    approves(world, person)

    assert world.reaches(person, "expired").verb == verb
    assert world.keys(person) == {}
    no_trouble(world)


@pytest.mark.parametrize("when", ["pending", "approved"])
def test_the_key_to_be_replaced_before_the_new_one_is_there(world: World, when: str) -> None:
    person = world.engineer()
    old = old_key(world, person)
    types(world, person, f"/key rotate {old}")
    if when == "approved":
        approves(world, person)
        world.revealable(person)
    deletes(world, person, old)
    if when == "pending":
        approves(world, person)

    new = arrives(world, person)
    days_pass(world, 9)

    assert world.keys(person) == {new.key_id: "Active"}
    until(world, lambda: record(world, new.key_id).replaces == "", "the rotation is over")
    no_trouble(world)


@pytest.mark.parametrize("when", ["delivered", "unclaimed"])
def test_a_key_that_waits_for_its_receipt(world: World, when: str) -> None:
    person = world.engineer()
    types(world, person, "/key create nightly backup")
    approves(world, person)
    key = world.reveals(person)
    world.receipt(person, key)
    if when == "unclaimed":
        days_pass(world, 2)
        world.reaches(person, "unclaimed")

    deletes(world, person, key.key_id)
    days_pass(world, 10)

    assert world.reaches(person, "expired").access_key_id == key.key_id
    assert world.keys(person) == {}
    no_trouble(world)
