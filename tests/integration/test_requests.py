"""One's own requests and what waits for approvers; an approver looks at somebody's keys and turns one off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.domain.errors import NotAllowed
from bot.domain.states import Status
from bot.slack import action_ids
from sandbox.local_person import LocalPerson
from tests.support.key_life import approves, card_of, types, until
from tests.support.running_world import World, ephemerals, form_opens, handle, iam_name


def cancels(world: World, person: LocalPerson) -> None:
    request = world.request(person)
    message = until(
        world,
        lambda: next(
            (
                one
                for one in person.messages("dm")
                for button in one.buttons
                if (button.action_id, button.value) == (action_ids.CANCEL, request.id)
            ),
            None,
        ),
        "the message about it",
    )
    person.click(message, action_ids.CANCEL)
    world.reaches(person, "cancelled")
    until(
        world,
        lambda: (
            person.last("dm", button=action_ids.CANCEL) is None
            and world.carol.last("key-approvals", f"@{handle(person)}", action_ids.APPROVE) is None
        ),
        "all is redrawn",
    )


def lines(words: str) -> list[str]:
    return [line for line in words.splitlines() if " · " in line]


def test_without_requests_it_says_so(world: World) -> None:
    assert not types(world, world.engineer(), "/key requests").buttons


def test_open_ones_come_first_and_can_be_cancelled_there(world: World) -> None:
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)
    world.asks(person)
    cancels(world, person)
    types(world, person, f"/key rotate {key_id}")

    answer = types(world, person, "/key requests")

    first, second = lines(answer.words)
    assert key_id in first and Status.CANCELLED not in first
    assert key_id not in second and Status.CANCELLED in second
    person.click(answer, action_ids.CANCEL)
    world.reaches(person, "cancelled")
    assert len(lines(types(world, person, "/key requests").words)) == 2


def test_the_last_ten_that_are_over_are_shown(world: World) -> None:
    person = world.engineer()
    for _ in range(12):
        world.asks(person)
        cancels(world, person)

    assert len(lines(types(world, person, "/key requests").words)) == 10


def test_approvers_see_also_what_waits_for_them(world: World) -> None:
    person, [approver] = world.engineer(), world.approvers(1)
    world.asks(person)

    answer = types(world, approver, "/key requests")

    assert any(one.startswith(f"@{handle(person)} ") for one in lines(answer.words))
    approves(world, person)


# -- somebody's keys


def test_an_approver_disables_another_users_key(
    world: World,
) -> None:
    person, carol = world.engineer(keys=2), world.carol
    one, other = world.keys(person)
    world.aws.mark_used(one, datetime.now(UTC) - timedelta(days=2), "s3", "eu-west-1")
    world.iam.update_access_key(UserName=iam_name(person), AccessKeyId=other, Status="Inactive")

    answer = types(world, carol, f"/key list <@{person.id}|{handle(person)}>")

    assert "eu-west-1" in answer.words
    assert [(button.text, button.value) for button in answer.buttons] == [("Disable", one)]
    carol.click(answer, action_ids.DISABLE_FOR)
    form_opens(carol, action_ids.DISABLE_FOR_FORM)
    carol.submit({"reason": "   "})
    assert list(carol.field_errors) == ["reason"]
    assert world.keys(person)[one] == "Active"
    carol.submit({"reason": "it is in a public <file> & more"})
    world.answered(carol)
    assert world.keys(person) == {one: "Inactive", other: "Inactive"}
    told = person.wait_for("dm", one, action_ids.ENABLE)
    assert "it is in a public <file> & more" in told.words
    person.click(told, action_ids.ENABLE)
    form_opens(person, action_ids.ENABLE_FORM)
    person.submit({"reason": "the file is gone", "key": one})
    world.answered(person)
    card_of(world, person)


def test_somebody_without_keys_has_none(world: World) -> None:
    person = world.engineer()
    types(world, world.carol, f"/key list <@{person.id}|{handle(person)}>")


def test_somebody_without_an_iam_user_is_said_so(world: World) -> None:
    person = world.engineer(iam=False)
    types(
        world,
        world.carol,
        f"/key list <@{person.id}|{handle(person)}>",
        NotAllowed,
    )


def test_nobody_else_sees_or_turns_off_somebodys_keys(world: World) -> None:
    person, other = world.engineer(keys=1), world.engineer()
    [key_id] = world.keys(person)

    answer = types(world, other, f"/key list <@{person.id}|{handle(person)}>", NotAllowed)
    other.post_action(answer, "disable_for", key_id)

    until(
        world,
        lambda: other.modal or len(ephemerals(other, "general")) == 2,
        "the click is answered",
    )
    if other.modal:
        other.submit({"reason": "because"})
        world.answered(other, NotAllowed)
    assert not any(key_id in one.words for one in other.messages("general"))
    assert world.keys(person) == {key_id: "Active"}


def test_ones_own_name_shows_ones_own_list(world: World) -> None:
    person = world.engineer(keys=1)
    types(world, person, f"/key list <@{person.id}|{handle(person)}>")


def test_a_person_may_be_named_as_people_type_it(world: World) -> None:
    person = world.engineer(keys=1)
    types(world, world.carol, f"/key list @{handle(person)}")
