"""One's own requests and what waits for approvers; an approver looks at somebody's keys and turns one off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sandbox.local_person import LocalPerson
from tests.support.key_life import approves, card_of, types, until
from tests.support.running_world import World, ephemerals, handle, iam_name


def cancels(world: World, person: LocalPerson) -> None:
    request = world.request(person)
    message = until(
        world,
        lambda: next(
            (
                one
                for one in person.messages("dm")
                for button in one.buttons
                if (button.text, button.value) == ("Cancel request", request.id)
            ),
            None,
        ),
        "the message about it",
    )
    person.click(message, "Cancel request")
    world.reaches(person, "cancelled")
    until(
        world,
        lambda: (
            person.last("dm", "You asked", button="Cancel request") is None
            and world.carol.last("key-approvals", f"@{handle(person)} asks", button="Approve")
            is None
        ),
        "all is redrawn",
    )


def lines(words: str) -> list[str]:
    return [line for line in words.splitlines() if " asked " in line]


def test_without_requests_it_says_so(world: World) -> None:
    answer = types(world, world.engineer(), "/key requests", "You have no open requests")
    assert "Waiting for approvers" not in answer.words


def test_open_ones_come_first_and_can_be_cancelled_there(world: World) -> None:
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)
    world.asks(person)
    cancels(world, person)
    types(world, person, f"/key rotate {key_id}", "Asked.")

    answer = types(world, person, "/key requests", "Your last requests")

    first, second = lines(answer.words)
    assert first.startswith(f"rotate {key_id} asked ") and "pending" in first
    assert second.startswith("create asked ") and "cancelled" in second
    person.click(answer, "Cancel request")
    world.reaches(person, "cancelled")
    assert len(lines(types(world, person, "/key requests", "You have no open requests").words)) == 2


def test_the_last_ten_that_are_over_are_shown(world: World) -> None:
    person = world.engineer()
    for _ in range(12):
        world.asks(person)
        cancels(world, person)

    assert len(lines(types(world, person, "/key requests", "Your last requests").words)) == 10


def test_approvers_see_also_what_waits_for_them(world: World) -> None:
    person, [approver] = world.engineer(), world.approvers(1)
    world.asks(person)

    answer = types(world, approver, "/key requests", "Waiting for approvers")

    assert any(one.startswith("@") and "pending" in one for one in lines(answer.words))
    assert (
        "Waiting for approvers"
        not in types(world, person, "/key requests", "Your open requests").words
    )
    approves(world, person, "for an access key")


# -- somebody's keys


def test_an_approver_sees_somebodys_keys_and_turns_one_off_with_a_reason_which_its_owner_is_told(
    world: World,
) -> None:
    person, carol = world.engineer(keys=2), world.carol
    one, other = world.keys(person)
    world.aws.mark_used(one, datetime.now(UTC) - timedelta(days=2), "s3", "eu-west-1")
    world.iam.update_access_key(UserName=iam_name(person), AccessKeyId=other, Status="Inactive")

    answer = types(
        world,
        carol,
        f"/key list <@{person.id}|{handle(person)}>",
        f"@{handle(person)} has 2 access keys",
    )

    assert "for s3 in eu-west-1" in answer.words
    assert [(button.text, button.value) for button in answer.buttons] == [("Disable", one)]
    carol.click(answer, "Disable")
    carol.wait_for_modal(f"Turn off {one}?")
    carol.submit({"reason": "   "})
    assert list(carol.field_errors) == ["reason"]
    assert world.keys(person)[one] == "Active"
    carol.submit({"reason": "it is in a public <file> & more"})
    carol.wait_for_modal(f"{one} is turned off, and its owner is told")
    assert world.keys(person) == {one: "Inactive", other: "Inactive"}
    told = person.wait_for(
        "dm", f"Your key {one} was turned off by @carol", button="Ask to turn it on again"
    )
    assert "it is in a public <file> & more" in told.words
    person.click(told, "Ask to turn it on again")
    person.wait_for_modal("Why is it needed again?")
    person.submit({"reason": "the file is gone", "key": one})
    person.wait_for_modal("Asked.")
    card_of(world, person, f"to turn {one} on again")


def test_somebody_without_keys_has_none(world: World) -> None:
    person = world.engineer()
    types(
        world,
        world.carol,
        f"/key list <@{person.id}|{handle(person)}>",
        f"@{handle(person)} has no access keys",
    )


def test_somebody_without_an_iam_user_is_said_so(world: World) -> None:
    person = world.engineer(iam=False)
    types(
        world,
        world.carol,
        f"/key list <@{person.id}|{handle(person)}>",
        f"No IAM user here is @{handle(person)}'s",
    )


def test_nobody_else_sees_or_turns_off_somebodys_keys(world: World) -> None:
    person, other = world.engineer(keys=1), world.engineer()
    [key_id] = world.keys(person)

    answer = types(
        world, other, f"/key list <@{person.id}|{handle(person)}>", "Only the desk's approvers"
    )
    other.post_action(answer, "disable_for", key_id)

    until(
        world,
        lambda: other.modal or len(ephemerals(other, "general")) == 2,
        "the click is answered",
    )
    if other.modal:
        other.submit({"reason": "because"})
        other.wait_for_modal("Only the desk's approvers")
    assert not any(key_id in one.words for one in other.messages("general"))
    assert world.keys(person) == {key_id: "Active"}


def test_ones_own_name_shows_ones_own_list(world: World) -> None:
    person = world.engineer(keys=1)
    types(world, person, f"/key list <@{person.id}|{handle(person)}>", "You have 1 access key")


def test_a_person_may_be_named_as_people_type_it(world: World) -> None:
    person = world.engineer(keys=1)
    types(world, world.carol, f"/key list @{handle(person)}", f"@{handle(person)} has 1 access key")
