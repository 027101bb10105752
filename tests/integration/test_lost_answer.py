"""CreateAccessKey's answer is lost: no second key, ever; what was made all the same is found and made inactive."""

from __future__ import annotations

import pytest

from bot.domain.errors import DeliveryFailed, NotAllowed, WrongState
from bot.slack import action_ids
from sandbox.faults import Moment
from sandbox.local_person import LocalPerson
from sandbox.seen import SeenMessage
from tests.support.running_world import World, handed_over, iam_name


def lost(world: World, person: LocalPerson, moment: Moment = "after") -> SeenMessage:
    """The person reveals; the connection to AWS is cut before or after the key was made. Returns what was clicked."""
    message = world.approved(person)
    world.aws.faults.drop("CreateAccessKey", moment)
    person.click(message, action_ids.REVEAL)
    world.answered(person, DeliveryFailed)
    return message


def found(world: World, person: LocalPerson) -> tuple[str, SeenMessage]:
    """A key whose answer was lost, after it was found; and the approvers' message about it."""
    lost(world, person)
    [key_id] = world.keys(person)
    world.pass_time(minutes=17)
    return key_id, world.carol.wait_for("key-approvals", key_id, button=action_ids.FOUND_DELETE)


def test_a_lost_answer_makes_no_second_key(timed: World) -> None:
    person = timed.engineer()
    message = lost(timed, person)
    [orphan] = timed.keys(person)

    for minutes in (1, 5, 9):
        timed.pass_time(minutes=minutes)
        person.click(message, action_ids.REVEAL)
    timed.slack.wait_until(
        lambda: sum(one.is_of(WrongState) for one in timed.answers.of(person.id)) == 3,
        why="told each time",
    )
    assert timed.request(person).status == "issuing"
    assert timed.keys(person) == {orphan: "Active"}, "not touched before it is certain"
    assert timed.changes(person) == ["CreateAccessKey"]

    timed.pass_time(minutes=2)

    assert orphan in timed.revealable(person).words
    assert timed.keys(person) == {orphan: "Inactive"}
    card = timed.carol.wait_for("key-approvals", orphan, action_ids.FOUND_DELETE)
    assert [button.action_id for button in card.buttons] == [
        action_ids.FOUND_DELETE,
        action_ids.FOUND_ENABLE,
    ]
    assert timed.changes(person) == ["CreateAccessKey", "UpdateAccessKey"]
    assert handed_over(person) == []


def test_an_approver_deletes_an_orphaned_key(timed: World) -> None:
    person = timed.engineer()
    orphan, card = found(timed, person)

    timed.carol.click(card, action_ids.FOUND_DELETE)

    timed.answered(timed.carol)
    assert timed.keys(person) == {}
    _decided(timed, card)
    key = timed.reveals(person)
    assert timed.keys(person) == {key.key_id: "Active"}
    timed.carol.click(card, action_ids.FOUND_ENABLE)
    timed.answered(timed.carol, WrongState)
    assert timed.keys(person) == {key.key_id: "Active"}


def test_an_approver_keeps_the_found_key(timed: World) -> None:
    person = timed.engineer()
    orphan, card = found(timed, person)

    timed.carol.click(card, action_ids.FOUND_ENABLE)

    timed.answered(timed.carol)
    assert timed.keys(person) == {orphan: "Active"}
    _decided(timed, card)
    timed.pass_time(days=1)
    assert timed.keys(person) == {orphan: "Active"}


@pytest.mark.parametrize("button", [action_ids.FOUND_DELETE, action_ids.FOUND_ENABLE])
def test_only_approvers_decide_about_an_orphaned_key(timed: World, button: str) -> None:
    person, other = timed.engineer(), timed.engineer()
    orphan, card = found(timed, person)

    person.click(card, button)
    other.click(card, button)

    timed.answered(person, NotAllowed)
    timed.answered(other, NotAllowed)
    assert timed.keys(person) == {orphan: "Inactive"}


def test_when_no_key_was_made_the_person_is_told_and_reveals(timed: World) -> None:
    person = timed.engineer()
    lost(timed, person, "before")

    timed.pass_time(minutes=17)

    timed.revealable(person)
    key = timed.reveals(person)
    assert timed.keys(person) == {key.key_id: "Active"}
    assert timed.carol.last("key-approvals", button=action_ids.FOUND_DELETE) is None


def test_a_key_that_is_in_use_is_somebodys_and_is_left_alone(timed: World) -> None:
    person = timed.engineer()
    lost(timed, person, "before")
    ours = timed.iam.create_access_key(UserName=iam_name(person))["AccessKey"]
    timed.aws.call_as(ours["AccessKeyId"], ours["SecretAccessKey"])

    timed.pass_time(minutes=17)

    timed.revealable(person)
    assert timed.keys(person) == {ours["AccessKeyId"]: "Active"}


def test_keys_that_were_there_before_are_left_alone(timed: World) -> None:
    person = timed.engineer(keys=1)
    [before] = timed.keys(person)
    lost(timed, person)
    [orphan] = set(timed.keys(person)) - {before}

    timed.pass_time(minutes=17)

    timed.carol.wait_for("key-approvals", orphan, action_ids.FOUND_DELETE)
    assert timed.keys(person) == {before: "Active", orphan: "Inactive"}


def test_an_outage_of_aws_at_the_look_only_puts_it_off(timed: World) -> None:
    person = timed.engineer()
    lost(timed, person)
    [orphan] = timed.keys(person)
    timed.aws.faults.down()
    timed.pass_time(minutes=17)
    assert timed.request(person).status == "issuing"
    timed.aws.faults.down(False)

    timed.pass_time(minutes=10)

    timed.revealable(person)
    assert timed.keys(person) == {orphan: "Inactive"}


def _decided(world: World, card: SeenMessage) -> None:
    """The approvers' message is redrawn: what was decided, by whom, and no button any more."""

    def redrawn() -> bool:
        now = next(one for one in world.carol.messages("key-approvals") if one.ts == card.ts)
        return not now.buttons and "@carol" in now.words

    world.slack.wait_until(redrawn, why="the message says by whom it was decided")
