"""Journeys in which AWS's answer to CreateAccessKey is lost."""

from __future__ import annotations

import pytest

from bot.domain.codes import Code
from bot.slack import action_ids
from sandbox.faults import Moment
from sandbox.local_person import LocalPerson
from sandbox.seen import SeenMessage
from tests.integration.steps import clicks
from tests.support.key_life import until
from tests.support.running_world import World
from tests.support.seen_by_user import shown_keys
from tests.support.watched_person import iam_name


def lost(world: World, person: LocalPerson, moment: Moment = "after") -> SeenMessage:
    """Cut the connection to AWS before or after the key was made.

    Return what was clicked.
    """
    message = world.approved(person)
    world.aws.faults.drop("CreateAccessKey", moment)
    clicks(world, person, message, action_ids.REVEAL, Code.KEY_CREATION_UNCONFIRMED)
    return message


@pytest.mark.parametrize("decision", [action_ids.FOUND_DELETE, action_ids.FOUND_ENABLE])
def test_an_orphaned_key_is_disabled_until_it_is_decided(timed: World, decision: str) -> None:
    """No second key is made before it is certain.

    Only approvers decide about the first.
    """
    person, other = timed.engineer(keys=1), timed.engineer()
    [before] = timed.keys(person)
    message = lost(timed, person)
    [orphan] = set(timed.keys(person)) - {before}
    for minutes in (1, 5, 9):
        timed.pass_time(minutes=minutes)
        clicks(timed, person, message, action_ids.REVEAL, Code.REQUEST_MOVED_ON)
    assert timed.request(person).status == "issuing"
    assert timed.keys(person)[orphan] == "Active", "not touched before it is certain"
    assert timed.changes(person) == ["CreateAccessKey"]

    timed.pass_time(minutes=2)

    assert orphan in timed.revealable(person).words
    assert timed.keys(person) == {before: "Active", orphan: "Inactive"}
    assert timed.changes(person) == ["CreateAccessKey", "UpdateAccessKey"]
    assert shown_keys(person) == []
    card = timed.carol.wait_for("key-approvals", orphan, action_ids.FOUND_DELETE)
    buttons = [button.action_id for button in card.buttons]
    assert buttons == [action_ids.FOUND_DELETE, action_ids.FOUND_ENABLE]
    clicks(timed, person, card, decision, Code.OWN_REQUEST)
    clicks(timed, other, card, decision, Code.NOT_AN_APPROVER)
    assert timed.keys(person)[orphan] == "Inactive"

    clicks(timed, timed.carol, card, decision)

    left = {before: "Active"}
    if decision == action_ids.FOUND_ENABLE:
        left[orphan] = "Active"
    assert timed.keys(person) == left

    def decided() -> bool:
        [now] = [one for one in timed.carol.messages("key-approvals") if one.ts == card.ts]
        return not now.buttons and "@carol" in now.words

    until(timed, decided, "the message says who decided")
    clicks(timed, timed.carol, card, action_ids.FOUND_ENABLE, Code.ORPHAN_DECIDED)
    timed.pass_time(days=1)
    assert timed.keys(person) == left


def test_without_an_orphaned_key_the_user_reveals_again(timed: World) -> None:
    """A key that is in use is another one, which is left alone."""
    person = timed.engineer()
    lost(timed, person, "before")
    ours = timed.iam.create_access_key(UserName=iam_name(person))["AccessKey"]
    timed.aws.call_as(ours["AccessKeyId"], ours["SecretAccessKey"])

    timed.pass_time(minutes=17)

    key = timed.reveals(person)
    assert timed.keys(person) == {ours["AccessKeyId"]: "Active", key.key_id: "Active"}
    assert timed.carol.last("key-approvals", key.key_id, action_ids.FOUND_DELETE) is None
