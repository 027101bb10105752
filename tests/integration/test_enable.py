"""Seeing when a key was last used, and asking for an inactive one back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bot.domain.errors import AlreadyOpen, ChangePending, NotAllowed, NotYourKey
from bot.slack import action_ids
from bot.slack.messages.kinds import OUTCOME
from sandbox.local_person import LocalPerson
from tests.support.key_life import (
    NEVER_MADE,
    approves,
    card_of,
    days_pass,
    given,
    types,
    until,
)
from tests.support.running_world import World, handle, iam_name

Build = Callable[..., World]
FREE = {"APPROVAL_FREE": "disable,delete,enable"}


def with_inactive(world: World) -> tuple[LocalPerson, str]:
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)
    world.iam.update_access_key(UserName=iam_name(person), AccessKeyId=key_id, Status="Inactive")
    return person, key_id


# -- used


def test_the_last_use_of_a_key_is_shown(world: World) -> None:
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)
    assert key_id in types(world, person, f"/key used {key_id}").words

    at = datetime.now(UTC) - timedelta(days=3, hours=1)
    world.aws.mark_used(key_id, at, "dynamodb", "eu-west-1")

    words = types(world, person, f"/key used {key_id.lower()}").words
    assert f"{at.day} {at:%b %Y}" in words and "eu-west-1" in words
    assert not world.changes(person)


def test_a_use_is_seen_at_once(world: World) -> None:
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)
    world.aws.call_as(key_id, world.aws.secrets[key_id])

    types(world, person, f"/key used {key_id}")


def test_the_use_of_another_users_key_is_not_shown(world: World) -> None:
    person, other = world.engineer(keys=1), world.engineer(keys=1)
    [theirs] = world.keys(other)

    words = {
        types(world, person, f"/key used {one}", NotYourKey).words for one in (theirs, NEVER_MADE)
    }
    assert len(words) == 1


# -- enable


def test_an_inactive_key_is_on_again_after_an_approval(world: World) -> None:
    person, key_id = with_inactive(world)

    types(world, person, f"/key enable {key_id} the nightly job still uses it")

    card = card_of(world, person)
    assert "the nightly job still uses it" in card.words and key_id in card.words
    assert world.keys(person) == {key_id: "Inactive"}
    world.carol.click(card, action_ids.APPROVE)
    world.answered(world.carol)
    assert world.reaches(person, "confirmed").verb == "enable"
    assert world.keys(person) == {key_id: "Active"}
    assert world.aws.call_as(key_id, world.aws.secrets[key_id])


def test_a_denied_one_stays_off(world: World) -> None:
    person, key_id = with_inactive(world)
    types(world, person, f"/key enable {key_id} x")

    world.denies(card_of(world, person))

    world.message(person, world.request(person).name, OUTCOME)
    assert world.keys(person) == {key_id: "Inactive"}


def test_it_can_be_cancelled_and_asked_again(world: World) -> None:
    person, key_id = with_inactive(world)
    types(world, person, f"/key enable {key_id} x")
    types(world, person, f"/key enable {key_id} y", AlreadyOpen)

    person.click(person.wait_for("dm", button=action_ids.CANCEL), action_ids.CANCEL)

    world.answered(person)
    types(world, person, f"/key enable {key_id} y")
    assert world.keys(person) == {key_id: "Inactive"}


def test_enabling_active_or_foreign_keys_is_refused(
    world: World,
) -> None:
    person, (other, theirs) = world.engineer(keys=1), with_inactive(world)
    [key_id] = world.keys(person)

    types(
        world,
        person,
        f"/key enable {key_id} x",
        NotAllowed,
    )
    words = {
        types(world, person, f"/key enable {one} x", NotYourKey).words
        for one in (theirs, NEVER_MADE)
    }
    assert len(words) == 1

    assert not world.requests(person)
    assert world.carol.last("key-approvals", f"@{handle(person)}") is None
    assert world.keys(other) == {theirs: "Inactive"}


def test_where_it_is_free_it_needs_no_approval(build: Build) -> None:
    world = build(**FREE)
    person, key_id = with_inactive(world)

    types(world, person, f"/key enable {key_id} x")

    assert world.keys(person) == {key_id: "Active"}
    assert not world.requests(person)
    assert world.carol.last("key-approvals", f"@{handle(person)}") is None


def test_a_key_that_has_ended_is_never_free(build: Build) -> None:
    world = build(**FREE)
    person = world.engineer()
    key = given(world, person, "--for 12h")
    days_pass(world, 1)
    assert world.keys(person) == {key.key_id: "Inactive"}

    types(world, person, f"/key enable {key.key_id} x")

    assert world.keys(person) == {key.key_id: "Inactive"}
    approves(world, person)
    until(world, lambda: world.keys(person) == {key.key_id: "Active"}, "on again")


def test_an_inactive_key_past_its_expiry_needs_approval(build: Build) -> None:
    """Else turning it off before its end, and on after, would make its end no promise."""
    world = build(**FREE)
    person = world.engineer()
    key = given(world, person, "--for 12h")
    types(world, person, f"/key disable {key.key_id}")
    days_pass(world, 1)

    types(world, person, f"/key enable {key.key_id} x")

    assert world.keys(person) == {key.key_id: "Inactive"}


def test_while_aws_is_down_an_approval_stands_and_is_done_later(build: Build) -> None:
    world = build()
    person, key_id = with_inactive(world)
    types(world, person, f"/key enable {key_id} x")
    card = card_of(world, person)
    world.aws.faults.down()

    world.carol.click(card, action_ids.APPROVE)

    world.answered(world.carol, ChangePending)
    world.aws.faults.down(False)
    for _ in range(4):
        world.pass_time(minutes=5)
    until(world, lambda: world.keys(person) == {key_id: "Active"}, "on again")
