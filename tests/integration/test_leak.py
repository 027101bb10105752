"""Journeys of `/key leaked`: no answer tells which keys exist."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.codes import Code
from bot.slack import action_ids
from bot.slack.messages.keys import LEAK, LEAK_DETAILS, LEAK_OWNER
from sandbox.local_person import LocalPerson
from sandbox.seen import SeenMessage
from tests.integration.steps import (
    SECRET_LOOKING,
    asks_for,
    clicks,
    named,
    refused,
    refuses,
    with_inactive,
)
from tests.support.key_life import NEVER_MADE, types, until
from tests.support.running_world import World
from tests.support.seen_by_user import form_opens
from tests.support.watched_person import iam_name


def leak_card(world: World, key_id: str) -> SeenMessage:
    """Wait for the approvers' card about this key."""
    return world.message(world.carol, f"key:{key_id}", LEAK)


def cards(world: World, key_id: str) -> int:
    """Count the messages of the approval channel, outside threads, with this key."""
    return sum(
        key_id in one.words
        for one in world.carol.messages("key-approvals")
        if not one.ephemeral and one.thread_ts in (None, one.ts)
    )


def with_key(world: World) -> tuple[LocalPerson, str]:
    """Return a new user and their only key, which was used two hours ago."""
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)
    world.aws.mark_used(key_id, datetime.now(UTC) - timedelta(hours=2), "s3", "eu-west-1")
    return person, key_id


def audited(world: World, key_id: str) -> list[str]:
    """Return the actions of the audit trail about this key."""
    entries = world.redis.xrange("{keydesk}:audit")
    return [fields["action"] for _, fields in entries if fields["key_id"] == key_id]


def thread_has_the_details(world: World, owner: LocalPerson, key_id: str) -> None:
    """Assert that what Keydesk knows of the key stands in the thread of its card."""
    details = world.message(world.carol, f"key:{key_id}", LEAK_DETAILS)
    assert details.thread_ts == leak_card(world, key_id).ts
    assert all(words in details.words for words in (named(owner), "eu-west-1", iam_name(owner)))


def test_an_owner_disables_a_key_by_reporting_it(world: World) -> None:
    """It is never enabled again. Below its message another key can be requested."""
    owner, key_id = with_key(world)

    types(world, owner, f"/key leaked {key_id}")

    assert world.keys(owner) == {key_id: "Inactive"}
    told = owner.wait_for("dm", key_id, action_ids.ASK)
    until(world, lambda: not leak_card(world, key_id).buttons, "the card says it is done")
    thread_has_the_details(world, owner, key_id)
    assert "leaked" in audited(world, key_id)
    refuses(world, owner, f"/key enable {key_id} please", Code.KEY_IS_LEAKED)
    listed = types(world, owner, "/key list", names=key_id)
    assert [button.action_id for button in listed.buttons] == [action_ids.DELETE]
    owner.post_action(listed, action_ids.UNDO, key_id)
    refused(world, owner, Code.KEY_IS_LEAKED)
    assert world.keys(owner) == {key_id: "Inactive"}
    owner.click(told, action_ids.ASK)
    form_opens(owner, action_ids.CREATE_FORM)


def test_an_approver_is_asked_once_with_the_last_use(world: World) -> None:
    owner, key_id = with_key(world)

    question = types(world, world.carol, f"/key leaked {key_id}")

    assert "eu-west-1" in question.words and iam_name(owner) in question.words
    dialog = asks_for(world, world.carol, question, action_ids.LEAKED_DISABLE)
    assert key_id in dialog and "eu-west-1" in dialog
    assert world.keys(owner) == {key_id: "Active"} and cards(world, key_id) == 0
    clicks(world, world.carol, question, action_ids.LEAKED_DISABLE)
    assert world.keys(owner) == {key_id: "Inactive"}
    owner.wait_for("dm", key_id, action_ids.ASK)
    thread_has_the_details(world, owner, key_id)


@pytest.mark.parametrize("by", ["approver", "owner"])
def test_a_report_by_others_waits_for_approver_or_owner(world: World, by: str) -> None:
    (owner, key_id), other = with_key(world), world.engineer(iam=False)

    types(world, other, f"/key leaked {key_id}")

    card = world.carol.wait_for("key-approvals", named(other), action_ids.LEAKED_DISABLE)
    assert named(owner) in card.words
    told = owner.wait_for("dm", key_id, action_ids.LEAKED_DISABLE)
    thread_has_the_details(world, owner, key_id)
    clicks(world, other, card, action_ids.LEAKED_DISABLE, Code.NOT_AN_APPROVER)
    assert world.keys(owner) == {key_id: "Active"}, "a report alone breaks nothing"
    if by == "approver":
        world.carol.click(card, action_ids.LEAKED_DISABLE)
    else:
        owner.click(told, action_ids.LEAKED_DISABLE)
    until(world, lambda: world.keys(owner) == {key_id: "Inactive"}, "it is disabled")
    who = "@carol" if by == "approver" else f"by {named(owner)}"
    until(world, lambda: who in leak_card(world, key_id).words, "the card says who did it")
    assert not leak_card(world, key_id).buttons
    until(
        world,
        lambda: (
            not world.message(owner, f"key:{key_id}", LEAK_OWNER).has_button(
                action_ids.LEAKED_DISABLE
            )
        ),
        "the owner's message follows",
    )
    assert {"report", "leaked"} <= set(audited(world, key_id))


def test_no_answer_tells_whether_a_key_exists(world: World) -> None:
    """An active key, one reported already, an inactive one, one that was never made."""
    (_, key_id), (_, inactive), other = with_key(world), with_inactive(world), world.engineer()

    words = {
        types(world, other, f"/key leaked {one}").words
        for one in (key_id, key_id, inactive, NEVER_MADE)
    }

    assert len(words) == 1, words
    assert not any(one in next(iter(words)) for one in (key_id, inactive, NEVER_MADE))
    assert cards(world, NEVER_MADE) == 0 and audited(world, key_id).count("report") == 1


def test_only_approvers_learn_that_a_key_is_not_here(world: World) -> None:
    refuses(world, world.carol, f"/key leaked {NEVER_MADE}", Code.KEY_NOT_IN_ACCOUNT)
    assert cards(world, NEVER_MADE) == 0


def test_keydesks_own_key_is_refused(world: World) -> None:
    own = world.aws.credentials["AWS_ACCESS_KEY_ID"]

    for person in (world.engineer(iam=False), world.carol):
        refuses(world, person, f"/key leaked {own}", Code.KEYDESK_OWN_KEY)
    answer = types(world, world.carol, "/key help")
    world.carol.post_action(answer, action_ids.LEAKED_DISABLE, own)
    refused(world, world.carol, Code.KEYDESK_OWN_KEY)

    assert cards(world, own) == 0
    assert [key["Status"] for key in world.aws.keys("keydesk-bot")] == ["Active"]


def test_a_guest_may_report_a_key_and_nothing_else(world: World) -> None:
    owner, key_id = with_key(world)
    guest = world.engineer(iam=False, is_restricted=True)

    refuses(world, guest, "/key list", Code.NOT_A_MEMBER)
    refuses(world, guest, "/key leaked", Code.KEY_ID_MISSING)
    refuses(world, guest, f"/key leaked {SECRET_LOOKING}", Code.LOOKS_LIKE_SECRET)
    for one in (key_id, NEVER_MADE):
        types(world, guest, f"/key leaked {one}")

    assert leak_card(world, key_id).has_button(action_ids.LEAKED_DISABLE)
    assert world.keys(owner) == {key_id: "Active"}
    assert cards(world, NEVER_MADE) == 0
