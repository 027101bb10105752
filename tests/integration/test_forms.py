"""Journeys of the forms of rotate and enable."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.codes import Code
from bot.slack import action_ids
from sandbox.local_person import LocalPerson
from tests.integration.steps import refused, set_key, with_inactive
from tests.support.key_life import card_of, types
from tests.support.running_world import World
from tests.support.seen_by_user import form_opens

TRANSPORT = "http"


def options(view: dict[str, Any], block_id: str) -> set[str]:
    """Return what can be chosen in this field."""
    [block] = [one for one in view["blocks"] if one.get("block_id") == block_id]
    return {option["value"] for option in block["element"]["options"]}


def opened(person: LocalPerson, line: str, form: str) -> dict[str, Any]:
    """Type a command, and return the form with this callback ID that it opens."""
    assert person.command(line).acked
    return dict(form_opens(person, form))


def test_the_form_of_rotate_offers_ones_own_keys(world: World) -> None:
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)
    view = opened(person, "/key rotate", action_ids.ROTATE_FORM)
    assert options(view, "key") == {key_id}
    assert not any(one.get("block_id") == action_ids.LET_GO_BLOCK for one in view["blocks"])

    person.submit({"key": key_id, "lifetime": "30d"})

    world.answered(person)
    assert key_id in card_of(world, person).words


def test_a_full_user_chooses_the_key_to_delete_in_the_form(world: World) -> None:
    person = world.engineer(keys=2)
    one, other = world.keys(person)
    view = opened(person, "/key rotate", action_ids.ROTATE_FORM)
    assert options(view, action_ids.LET_GO_BLOCK) == options(view, "key") == {one, other}

    person.submit({"key": one, action_ids.LET_GO_BLOCK: other, "reason": "it is old"})

    world.answered(person)
    assert "it is old" in card_of(world, person).words
    assert world.request(person).delete_first == other


@pytest.mark.parametrize(
    ("verb", "keys", "code"),
    [("rotate", 0, Code.NO_KEY_TO_ROTATE), ("enable", 1, Code.NO_INACTIVE_KEY)],
)
def test_without_a_fitting_key_no_form_opens(
    world: World, verb: str, keys: int, code: Code
) -> None:
    person = world.engineer(keys=keys)
    person.command(f"/key {verb}")
    refused(world, person, code)
    assert person.modal is not None and not person.modal.get("callback_id")
    world.nothing_happened(person)


def test_the_form_of_enable_offers_inactive_keys_alone(world: World) -> None:
    person = world.engineer(keys=2)
    active, inactive = world.keys(person)
    set_key(world, person, inactive)
    view = opened(person, "/key enable", action_ids.ENABLE_FORM)
    assert options(view, "key") == {inactive}

    person.submit({"key": inactive, "reason": "  "})
    assert list(person.field_errors) == ["reason"]
    person.submit({"key": inactive, "reason": "the nightly job"})

    world.answered(person)
    assert "the nightly job" in card_of(world, person).words
    assert world.keys(person) == {active: "Active", inactive: "Inactive"}


@pytest.mark.parametrize("verb", ["rotate", "enable"])
def test_buttons_of_the_list_open_the_form_for_their_key(world: World, verb: str) -> None:
    person, key_id = with_inactive(world)
    if verb == "rotate":
        set_key(world, person, key_id, "Active")

    person.click(types(world, person, "/key list", names=key_id), verb)
    form_opens(person, f"{verb}_form")
    person.submit({"reason": "a reason"})

    world.answered(person)
    assert key_id in card_of(world, person).words


def test_while_aws_is_down_the_form_says_so(world: World) -> None:
    person = world.engineer(keys=1)
    world.aws.faults.down()
    person.command("/key rotate")
    refused(world, person, Code.AWS_UNAVAILABLE)
    assert person.modal is not None and not person.modal.get("callback_id")


def test_a_foreign_key_in_a_hostile_form_is_refused(world: World) -> None:
    person, other = world.engineer(keys=1), world.engineer(keys=1)
    [theirs] = world.keys(other)
    view = opened(person, "/key rotate", action_ids.ROTATE_FORM)
    for block in view["blocks"]:
        if block.get("block_id") == "key":
            block["element"]["options"][0]["value"] = theirs

    person.submit({"key": theirs}, view=view)

    refused(world, person, Code.NOT_YOUR_KEY)
    world.nothing_happened(person)
