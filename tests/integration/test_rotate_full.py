"""Rotation with both of IAM's slots taken: the person chooses which key goes, and it goes at the reveal click."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.errors import DeliveryFailed, MustChooseKey, NotYourKey, Refused
from bot.slack import action_ids
from sandbox.local_person import LocalPerson
from tests.support.key_life import (
    approves,
    arrives,
    card_of,
    days_pass,
    old_key,
    record,
    types,
    until,
)
from tests.support.running_world import World, ephemerals, handed_over, handle, iam_name


def two_keys(world: World) -> tuple[LocalPerson, str, str]:
    """A person, their key to be replaced (95 days old, in use) and another (40 days old, last used a month ago)."""
    person = world.engineer()
    old, other = old_key(world, person, 95), old_key(world, person, 40)
    world.aws.mark_used(old, world.time() - timedelta(hours=1), "s3", "eu-west-1")
    world.aws.mark_used(other, world.time() - timedelta(days=30), "ec2", "us-west-2")
    return person, old, other


def approved(world: World, person: LocalPerson, old: str, gone: str) -> None:
    types(world, person, f"/key rotate {old} --delete {gone}")
    approves(world, person)
    world.revealable(person)


def test_a_full_user_chooses_which_key_to_delete_first(
    timed: World,
) -> None:
    person, old, other = two_keys(timed)

    words = types(timed, person, f"/key rotate {old}", MustChooseKey).words

    assert old in words and "eu-west-1" in words
    assert "us-west-2" in words
    assert other in words
    timed.nothing_happened(person)
    assert timed.carol.last("key-approvals", f"@{handle(person)}") is None


def test_card_and_dialog_name_the_key_to_delete(timed: World) -> None:
    person, old, other = two_keys(timed)
    types(timed, person, f"/key rotate {old} --delete {other} --for 2w")
    card = card_of(timed, person)
    for words in (
        old,
        other,
        "us-west-2",
    ):
        assert words in card.words

    timed.carol.click(card, action_ids.APPROVE)

    dialog = timed.revealable(person).buttons[0].confirm
    assert dialog
    assert "us-west-2" in dialog["text"]["text"]
    assert set(timed.keys(person)) == {old, other}, "not before the click"
    key = arrives(timed, person)
    assert timed.keys(person) == {old: "Active", key.key_id: "Active"}
    assert timed.changes(person) == ["DeleteAccessKey", "CreateAccessKey"]
    assert record(timed, other).desired == "deleted"
    person.wait_for("dm", key.key_id, action_ids.CHECK)


def test_the_replaced_key_itself_may_be_let_go(timed: World) -> None:
    person, old, other = two_keys(timed)
    types(timed, person, f"/key rotate {old} --delete {old}")
    assert old in card_of(timed, person).words
    approves(timed, person)

    key = arrives(timed, person)

    assert timed.keys(person) == {other: "Active", key.key_id: "Active"}
    days_pass(timed, 2)
    assert timed.keys(person) == {other: "Active", key.key_id: "Active"}, (
        "no grace, and nothing else is turned off"
    )


@pytest.mark.parametrize("change", ["used", "turned off"])
def test_a_changed_key_to_delete_is_refused_once(timed: World, change: str) -> None:
    person, old, other = two_keys(timed)
    approved(timed, person, old, other)
    if change == "used":
        timed.aws.call_as(other, timed.aws.secrets[other])
    else:
        timed.iam.update_access_key(UserName=iam_name(person), AccessKeyId=other, Status="Inactive")

    person.click(timed.revealable(person), action_ids.REVEAL)

    timed.answered(person, Refused)
    answer = ephemerals(person)[-1]
    assert other in answer.words
    assert set(timed.keys(person)) == {old, other} and not timed.changes(person)
    assert not handed_over(person)
    if change == "used":
        until(
            timed,
            lambda: "sts" in str(timed.revealable(person).buttons[0].confirm),
            "the dialog is drawn anew",
        )
    key = arrives(timed, person)
    assert timed.keys(person) == {old: "Active", key.key_id: "Active"}


def test_a_failed_creation_after_the_deletion_can_be_retried(
    timed: World,
) -> None:
    person, old, other = two_keys(timed)
    approved(timed, person, old, other)
    timed.aws.faults.fail("CreateAccessKey", "AccessDenied")

    person.click(timed.revealable(person), action_ids.REVEAL)

    timed.answered(person, DeliveryFailed)
    assert timed.keys(person) == {old: "Active"}
    assert timed.reaches(person, "approved").delete_first == other
    key = arrives(timed, person)
    assert timed.keys(person) == {old: "Active", key.key_id: "Active"}
    assert timed.changes(person) == ["DeleteAccessKey", "CreateAccessKey", "CreateAccessKey"]


def test_a_failed_deletion_makes_no_key_and_can_be_retried(timed: World) -> None:
    person, old, other = two_keys(timed)
    approved(timed, person, old, other)
    timed.aws.faults.fail("DeleteAccessKey", "AccessDenied")

    person.click(timed.revealable(person), action_ids.REVEAL)

    timed.answered(person, DeliveryFailed)
    assert timed.changes(person) == ["DeleteAccessKey"], "and no key was made"
    key = arrives(timed, person)
    assert timed.keys(person) == {old: "Active", key.key_id: "Active"}


def test_a_key_that_is_gone_already_makes_room_as_well(timed: World) -> None:
    person, old, other = two_keys(timed)
    approved(timed, person, old, other)
    timed.iam.delete_access_key(UserName=iam_name(person), AccessKeyId=other)

    key = arrives(timed, person)

    assert timed.keys(person) == {old: "Active", key.key_id: "Active"}


@pytest.mark.parametrize("ending", ["cancelled", "denied", "lapsed"])
def test_without_a_reveal_no_key_is_let_go(timed: World, ending: str) -> None:
    person, old, other = two_keys(timed)
    types(timed, person, f"/key rotate {old} --delete {other}")
    card = card_of(timed, person)
    if ending == "denied":
        timed.denies(card)
        timed.reaches(person, "denied")
    else:
        timed.carol.click(card, action_ids.APPROVE)
        message = timed.revealable(person)
        if ending == "cancelled":
            person.click(message, action_ids.CANCEL)
        else:
            days_pass(timed, 4)
        timed.reaches(person, "cancelled" if ending == "cancelled" else "expired")

    days_pass(timed, 2)

    assert timed.keys(person) == {old: "Active", other: "Active"}
    assert not timed.changes(person)


def test_a_key_of_somebody_else_cannot_be_let_go(timed: World) -> None:
    person, old, other = two_keys(timed)
    stranger = timed.engineer(keys=1)
    [theirs] = timed.keys(stranger)

    types(timed, person, f"/key rotate {old} --delete {theirs}", NotYourKey)
    types(
        timed,
        person,
        f"/key rotate {theirs} --delete {other}",
        NotYourKey,
    )

    timed.nothing_happened(person)
    assert timed.keys(stranger) == {theirs: "Active"}
