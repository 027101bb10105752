"""Forms: what can be typed in a line can be chosen in a form, and what is wrong is said at its field."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.local_person import LocalPerson
from tests.support.key_life import card_of, types
from tests.support.running_world import World, handle, iam_name

REPLACED = "Which key is to be replaced?"
NEEDED = "Why is it needed again?"


def options(view: dict[str, Any], block_id: str) -> list[str]:
    [block] = [one for one in view["blocks"] if one.get("block_id") == block_id]
    return [option["value"] for option in block["element"]["options"]]


def opened(person: LocalPerson, line: str, words: str) -> dict[str, Any]:
    assert person.command(line).acked
    return dict(person.wait_for_modal(words))


def test_the_form_of_create_asks_reason_and_lifetime(world: World) -> None:
    person = world.engineer()
    opened(person, "/key create", "How long is it to live?")
    assert "90d" in person.modal_words

    person.submit({"reason": "a reason", "lifetime": "2w"})

    person.wait_for_modal("Asked.")
    assert "lives for 14 days" in card_of(world, person, "for an access key").words


def test_what_was_typed_before_the_form_is_in_it(world: World) -> None:
    person = world.engineer()
    opened(person, "/key create --for 12h", "How long is it to live?")
    assert "12h" in person.modal_words

    person.submit({"reason": "a reason"})

    person.wait_for_modal("Asked.")
    assert "lives for 12 hours" in card_of(world, person, "for an access key").words


@pytest.mark.parametrize("typed", ["soon", "0d", "-1d", "30", "30 years"])
def test_a_lifetime_that_is_none_is_refused_at_its_field(world: World, typed: str) -> None:
    person = world.engineer()
    opened(person, "/key create", "How long is it to live?")

    person.submit({"reason": "a reason", "lifetime": typed})

    assert list(person.field_errors) == ["lifetime"]
    assert "A key's life is a number and a unit" in person.field_errors["lifetime"]
    person.wait_for_modal("How long is it to live?")
    world.nothing_happened(person)


def test_every_wrong_field_is_told_at_once(world: World) -> None:
    person = world.engineer()
    opened(person, "/key create", "How long is it to live?")

    person.submit({"reason": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "lifetime": "soon"})

    assert set(person.field_errors) == {"reason", "lifetime"}
    world.nothing_happened(person)


def test_too_long_a_life_is_refused_at_its_field(world: World) -> None:
    person = world.engineer()
    opened(person, "/key create", "How long is it to live?")

    person.submit({"reason": "a reason", "lifetime": "never"})

    assert set(person.field_errors) == {"lifetime"}
    assert "A key may live 365 days here at most" in person.field_errors["lifetime"]
    world.nothing_happened(person)


def test_the_form_of_rotate_offers_ones_own_keys(world: World) -> None:
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)
    view = opened(person, "/key rotate", REPLACED)
    assert options(view, "key") == [key_id]
    assert not any(one.get("block_id") == "delete_first" for one in view["blocks"]), "there is room"

    person.submit({"key": key_id, "lifetime": "30d"})

    person.wait_for_modal("Asked.")
    assert "lives for 30 days" in card_of(world, person, f"to rotate {key_id}").words


def test_with_both_slots_taken_the_form_asks_which_one_goes(world: World) -> None:
    person = world.engineer(keys=2)
    one, other = world.keys(person)
    view = opened(person, "/key rotate", "Which key is deleted when the new one is revealed?")
    assert set(options(view, "delete_first")) == set(options(view, "key")) == {one, other}

    person.submit({"key": one, "delete_first": other, "reason": "it is old"})

    person.wait_for_modal("Asked.")
    card = card_of(world, person, f"to rotate {one}")
    assert f"Deleted  {other}" in card.words and "it is old" in card.words


def test_without_a_key_the_form_of_rotate_says_so(world: World) -> None:
    person = world.engineer()
    opened(person, "/key rotate", "You have no access key")
    world.nothing_happened(person)


def test_the_form_of_enable_offers_the_inactive_keys_alone(world: World) -> None:
    person = world.engineer(keys=2)
    active, inactive = world.keys(person)
    world.iam.update_access_key(UserName=iam_name(person), AccessKeyId=inactive, Status="Inactive")
    view = opened(person, "/key enable", NEEDED)
    assert options(view, "key") == [inactive]

    person.submit({"key": inactive, "reason": "  "})
    assert list(person.field_errors) == ["reason"]
    person.submit({"key": inactive, "reason": "the nightly job"})

    person.wait_for_modal("Asked.")
    assert "the nightly job" in card_of(world, person, f"to turn {inactive} on again").words
    assert world.keys(person) == {active: "Active", inactive: "Inactive"}


def test_without_an_inactive_key_the_form_of_enable_says_so(world: World) -> None:
    opened(world.engineer(keys=1), "/key enable", "You have no inactive access key")


def test_with_a_key_alone_the_form_asks_for_the_reason(world: World) -> None:
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)
    world.iam.update_access_key(UserName=iam_name(person), AccessKeyId=key_id, Status="Inactive")
    opened(person, f"/key enable {key_id}", NEEDED)

    person.submit({"reason": "the nightly job"})

    person.wait_for_modal("Asked.")
    card_of(world, person, f"to turn {key_id} on again")


@pytest.mark.parametrize(
    ("button", "asks"), [("Rotate", "to rotate {}"), ("Enable", "to turn {} on again")]
)
def test_the_buttons_of_the_list_open_the_form_with_their_key_chosen(
    world: World, button: str, asks: str
) -> None:
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)
    if button == "Enable":
        world.iam.update_access_key(
            UserName=iam_name(person), AccessKeyId=key_id, Status="Inactive"
        )

    person.click(types(world, person, "/key list", key_id), button)
    person.wait_for_modal(REPLACED if button == "Rotate" else NEEDED)
    person.submit({"reason": "a reason"})

    person.wait_for_modal("Asked.")
    card_of(world, person, asks.format(key_id))


def test_while_aws_is_down_the_form_says_so(world: World) -> None:
    person = world.engineer(keys=1)
    world.aws.faults.down()

    opened(person, "/key rotate", "AWS does not answer at the moment")


def test_a_key_of_somebody_else_in_a_hostile_form_is_refused(world: World) -> None:
    person, other = world.engineer(keys=1), world.engineer(keys=1)
    [theirs] = world.keys(other)
    view = opened(person, "/key rotate", REPLACED)
    for block in view["blocks"]:
        if block.get("block_id") == "key":
            block["element"]["options"][0]["value"] = theirs

    person.submit({"key": theirs}, view=view)

    person.wait_for_modal("You have no access key with that ID")
    world.nothing_happened(person)
    assert world.carol.last("key-approvals", f"@{handle(person)} asks") is None
