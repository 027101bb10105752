"""Forms: what can be typed in a line can be chosen in a form, and what is wrong is said at its field."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.errors import NotYourKey
from bot.domain.outside_errors import IamUnavailable
from bot.slack import action_ids
from sandbox.local_person import LocalPerson
from tests.support.key_life import card_of, types
from tests.support.running_world import World, form_opens, handle, iam_name


def options(view: dict[str, Any], block_id: str) -> list[str]:
    [block] = [one for one in view["blocks"] if one.get("block_id") == block_id]
    return [option["value"] for option in block["element"]["options"]]


def opened(person: LocalPerson, line: str, form: str) -> dict[str, Any]:
    """Type a command, and return the form with this callback ID that it opens."""
    assert person.command(line).acked
    return dict(form_opens(person, form))


def test_the_form_of_create_asks_reason_and_lifetime(world: World) -> None:
    person = world.engineer()
    opened(person, "/key create", action_ids.CREATE_FORM)
    assert "90d" in person.modal_words

    person.submit({"reason": "a reason", "lifetime": "2w"})

    world.answered(person)


def test_what_was_typed_before_the_form_is_in_it(world: World) -> None:
    person = world.engineer()
    opened(person, "/key create --for 12h", action_ids.CREATE_FORM)
    assert "12h" in person.modal_words

    person.submit({"reason": "a reason"})

    world.answered(person)


@pytest.mark.parametrize("typed", ["soon", "0d", "-1d", "30", "30 years"])
def test_a_lifetime_that_is_none_is_refused_at_its_field(world: World, typed: str) -> None:
    person = world.engineer()
    opened(person, "/key create", action_ids.CREATE_FORM)

    person.submit({"reason": "a reason", "lifetime": typed})

    assert list(person.field_errors) == ["lifetime"]
    form_opens(person, action_ids.CREATE_FORM)
    world.nothing_happened(person)


def test_every_wrong_field_is_told_at_once(world: World) -> None:
    person = world.engineer()
    opened(person, "/key create", action_ids.CREATE_FORM)

    person.submit({"reason": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "lifetime": "soon"})

    assert set(person.field_errors) == {"reason", "lifetime"}
    world.nothing_happened(person)


def test_too_long_a_life_is_refused_at_its_field(world: World) -> None:
    person = world.engineer()
    opened(person, "/key create", action_ids.CREATE_FORM)

    person.submit({"reason": "a reason", "lifetime": "never"})

    assert set(person.field_errors) == {"lifetime"}
    world.nothing_happened(person)


def test_the_form_of_rotate_offers_ones_own_keys(world: World) -> None:
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)
    view = opened(person, "/key rotate", action_ids.ROTATE_FORM)
    assert options(view, "key") == [key_id]
    assert not any(one.get("block_id") == action_ids.LET_GO_BLOCK for one in view["blocks"]), (
        "there is room"
    )

    person.submit({"key": key_id, "lifetime": "30d"})

    world.answered(person)


def test_with_both_slots_taken_the_form_asks_which_one_goes(world: World) -> None:
    person = world.engineer(keys=2)
    one, other = world.keys(person)
    view = opened(person, "/key rotate", action_ids.ROTATE_FORM)
    assert set(options(view, action_ids.LET_GO_BLOCK)) == set(options(view, "key")) == {one, other}

    person.submit({"key": one, action_ids.LET_GO_BLOCK: other, "reason": "it is old"})

    world.answered(person)
    card = card_of(world, person)
    assert "it is old" in card.words


def test_without_a_key_the_form_of_rotate_says_so(world: World) -> None:
    person = world.engineer()
    person.command("/key rotate")
    world.answered(person, NotYourKey, "no_key_to_rotate")
    assert person.modal is not None and not person.modal.get("callback_id")
    world.nothing_happened(person)


def test_the_form_of_enable_offers_the_inactive_keys_alone(world: World) -> None:
    person = world.engineer(keys=2)
    active, inactive = world.keys(person)
    world.iam.update_access_key(UserName=iam_name(person), AccessKeyId=inactive, Status="Inactive")
    view = opened(person, "/key enable", action_ids.ENABLE_FORM)
    assert options(view, "key") == [inactive]

    person.submit({"key": inactive, "reason": "  "})
    assert list(person.field_errors) == ["reason"]
    person.submit({"key": inactive, "reason": "the nightly job"})

    world.answered(person)
    assert "the nightly job" in card_of(world, person).words
    assert world.keys(person) == {active: "Active", inactive: "Inactive"}


def test_without_an_inactive_key_the_form_of_enable_says_so(world: World) -> None:
    person = world.engineer(keys=1)
    person.command("/key enable")
    world.answered(person, NotYourKey, "no_inactive_key")
    assert person.modal is not None and not person.modal.get("callback_id")


def test_with_a_key_alone_the_form_asks_for_the_reason(world: World) -> None:
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)
    world.iam.update_access_key(UserName=iam_name(person), AccessKeyId=key_id, Status="Inactive")
    opened(person, f"/key enable {key_id}", action_ids.ENABLE_FORM)

    person.submit({"reason": "the nightly job"})

    world.answered(person)
    card_of(world, person)


@pytest.mark.parametrize(
    ("button", "form"),
    [(action_ids.ROTATE, action_ids.ROTATE_FORM), (action_ids.ENABLE, action_ids.ENABLE_FORM)],
)
def test_buttons_of_the_list_open_the_form_for_their_key(
    world: World, button: str, form: str
) -> None:
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)
    if button == action_ids.ENABLE:
        world.iam.update_access_key(
            UserName=iam_name(person), AccessKeyId=key_id, Status="Inactive"
        )

    person.click(types(world, person, "/key list", names=key_id), button)
    form_opens(person, form)
    person.submit({"reason": "a reason"})

    world.answered(person)
    card_of(world, person)


def test_while_aws_is_down_the_form_says_so(world: World) -> None:
    person = world.engineer(keys=1)
    world.aws.faults.down()

    person.command("/key rotate")
    world.answered(person, IamUnavailable)


def test_a_key_of_somebody_else_in_a_hostile_form_is_refused(world: World) -> None:
    person, other = world.engineer(keys=1), world.engineer(keys=1)
    [theirs] = world.keys(other)
    view = opened(person, "/key rotate", action_ids.ROTATE_FORM)
    for block in view["blocks"]:
        if block.get("block_id") == "key":
            block["element"]["options"][0]["value"] = theirs

    person.submit({"key": theirs}, view=view)

    world.answered(person, NotYourKey)
    world.nothing_happened(person)
    assert world.carol.last("key-approvals", f"@{handle(person)}") is None
