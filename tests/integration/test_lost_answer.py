"""CreateAccessKey's answer is lost: no second key, ever; what was made all the same is found and made inactive."""

from __future__ import annotations

import pytest

from sandbox.faults import Moment
from sandbox.local_person import LocalPerson
from sandbox.seen import SeenMessage
from tests.support.running_world import World, handed_over, iam_name


def lost(world: World, person: LocalPerson, moment: Moment = "after") -> SeenMessage:
    """The person reveals; the connection to AWS is cut before or after the key was made. Returns what was clicked."""
    message = world.approved(person)
    world.aws.faults.drop("CreateAccessKey", moment)
    person.click(message, "Reveal my key")
    person.wait_for(
        "dm",
        "AWS did not answer, so I do not know whether a key was made. I will know in about a "
        "quarter of an hour and tell you here; until then nothing is lost.",
    )
    return message


def found(world: World, person: LocalPerson) -> tuple[str, SeenMessage]:
    """A key whose answer was lost, after it was found; and the approvers' message about it."""
    lost(world, person)
    [key_id] = world.keys(person)
    world.pass_time(minutes=17)
    return key_id, world.carol.wait_for("key-approvals", key_id, button="Delete it")


def test_no_second_key_is_made_and_the_first_is_found_inactive_and_told(timed: World) -> None:
    person = timed.engineer()
    message = lost(timed, person)
    [orphan] = timed.keys(person)

    for minutes in (1, 5, 9):
        timed.pass_time(minutes=minutes)
        person.click(message, "Reveal my key")
    timed.slack.wait_until(
        lambda: sum("already being issued" in one.words for one in person.messages("dm")) == 3,
        why="told each time",
    )
    assert timed.request(person).status == "issuing"
    assert timed.keys(person) == {orphan: "Active"}, "not touched before it is certain"
    assert timed.changes(person) == ["CreateAccessKey"]

    timed.pass_time(minutes=2)

    again = timed.revealable(
        person, f"The last try ended without an answer from AWS. I found {orphan}"
    )
    assert "am making it inactive; the approvers decide what becomes of it" in again.words
    assert timed.keys(person) == {orphan: "Inactive"}
    card = timed.carol.wait_for("key-approvals", f"answer was lost: {orphan}", button="Delete it")
    assert "Or somebody made it in the console at that minute" in card.words
    assert [button.text for button in card.buttons] == ["Delete it", "It is ours, enable it"]
    assert timed.changes(person) == ["CreateAccessKey", "UpdateAccessKey"]
    assert handed_over(person) == []


def test_an_approver_has_the_found_key_deleted_and_the_person_reveals_another(timed: World) -> None:
    person = timed.engineer()
    orphan, card = found(timed, person)

    timed.carol.click(card, "Delete it")

    timed.carol.wait_for("key-approvals", f"{orphan} is deleted.")
    assert timed.keys(person) == {}
    _decided(timed, card, "Deleted")
    key = timed.reveals(person)
    assert timed.keys(person) == {key.key_id: "Active"}
    timed.carol.click(card, "It is ours, enable it")
    timed.carol.wait_for("key-approvals", f"{orphan} was already deleted by @carol on")
    assert timed.keys(person) == {key.key_id: "Active"}


def test_an_approver_keeps_the_found_key(timed: World) -> None:
    person = timed.engineer()
    orphan, card = found(timed, person)

    timed.carol.click(card, "It is ours, enable it")

    timed.carol.wait_for("key-approvals", f"{orphan} is active again.")
    assert timed.keys(person) == {orphan: "Active"}
    _decided(timed, card, "Enabled")
    timed.pass_time(days=1)
    assert timed.keys(person) == {orphan: "Active"}


@pytest.mark.parametrize("button", ["Delete it", "It is ours, enable it"])
def test_neither_the_person_nor_anybody_but_approvers_decides_about_a_found_key(
    timed: World, button: str
) -> None:
    person, other = timed.engineer(), timed.engineer()
    orphan, card = found(timed, person)

    person.click(card, button)
    other.click(card, button)

    person.wait_for("key-approvals", "Nobody decides their own request")
    other.wait_for("key-approvals", "Only the desk's approvers can decide this")
    assert timed.keys(person) == {orphan: "Inactive"}


def test_when_no_key_was_made_the_person_is_told_and_reveals(timed: World) -> None:
    person = timed.engineer()
    lost(timed, person, "before")

    timed.pass_time(minutes=17)

    timed.revealable(
        person,
        "The last try ended without an answer from AWS, and no key was made. You can reveal one now.",
    )
    key = timed.reveals(person)
    assert timed.keys(person) == {key.key_id: "Active"}
    assert timed.carol.last("key-approvals", button="Delete it") is None


def test_a_key_that_is_in_use_is_somebodys_and_is_left_alone(timed: World) -> None:
    person = timed.engineer()
    lost(timed, person, "before")
    ours = timed.iam.create_access_key(UserName=iam_name(person))["AccessKey"]
    timed.aws.call_as(ours["AccessKeyId"], ours["SecretAccessKey"])

    timed.pass_time(minutes=17)

    timed.revealable(person, "no key was made")
    assert timed.keys(person) == {ours["AccessKeyId"]: "Active"}


def test_keys_that_were_there_before_are_left_alone(timed: World) -> None:
    person = timed.engineer(keys=1)
    [before] = timed.keys(person)
    lost(timed, person)
    [orphan] = set(timed.keys(person)) - {before}

    timed.pass_time(minutes=17)

    timed.carol.wait_for("key-approvals", f"answer was lost: {orphan}", button="Delete it")
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


def _decided(world: World, card: SeenMessage, became: str) -> None:
    """The approvers' message is redrawn: what was decided, by whom, and no button any more."""

    def redrawn() -> bool:
        now = next(one for one in world.carol.messages("key-approvals") if one.ts == card.ts)
        return not now.buttons and became in now.words and "@carol" in now.words

    world.slack.wait_until(redrawn, why=f"the message says {became}, and by whom")
