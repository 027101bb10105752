"""The leak switch: anybody reports any key, whoever may turns it off, and no answer tells which keys exist."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from bot.domain.errors import (
    BadCommand,
    KeyIsLeaked,
    KeyNotInAccount,
    LooksLikeSecret,
    NotAllowed,
    NotAMember,
)
from bot.domain.outside_errors import IamUserNotFound
from bot.slack import action_ids
from bot.slack.messages.keys import LEAK, LEAK_DETAILS, LEAK_OWNER
from sandbox.local_person import LocalPerson
from sandbox.seen import SeenMessage
from tests.support.key_life import NEVER_MADE, days_pass, given, types, until
from tests.support.running_world import World, at_once, form_opens, handle, iam_name

Build = Callable[..., World]
SECRET_LOOKING = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def leak_card(world: World, key_id: str) -> SeenMessage:
    return world.message(world.carol, f"key:{key_id}", LEAK)


def cards(world: World, key_id: str) -> int:
    """Count the messages in the approval channel that name the key and are in no thread."""
    seen = world.carol.messages("key-approvals")
    return sum(
        key_id in one.words for one in seen if not one.ephemeral and one.thread_ts in (None, one.ts)
    )


def with_key(world: World) -> tuple[LocalPerson, str]:
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)
    world.aws.mark_used(key_id, datetime.now(UTC) - timedelta(hours=2), "s3", "eu-west-1")
    return person, key_id


def audited(world: World, key_id: str) -> list[str]:
    return [
        fields["action"]
        for _, fields in world.redis.xrange("{keydesk}:audit")
        if fields["key_id"] == key_id
    ]


def test_its_owner_turns_it_off_by_reporting_it(world: World) -> None:
    owner, key_id = with_key(world)

    types(world, owner, f"/key leaked {key_id}")

    assert world.keys(owner) == {key_id: "Inactive"}
    told = owner.wait_for("dm", key_id, action_ids.ASK)
    until(
        world,
        lambda: not leak_card(world, key_id).buttons,
        "the card says it is done",
    )
    card = leak_card(world, key_id)
    assert not card.buttons
    _thread_holds_the_facts(world, owner, key_id)
    assert "leaked" in audited(world, key_id)
    owner.click(told, action_ids.ASK)
    form_opens(owner, action_ids.CREATE_FORM)


def test_an_approver_is_asked_once_with_its_last_use(world: World) -> None:
    owner, key_id = with_key(world)

    question = types(world, world.carol, f"/key leaked {key_id}")

    assert "eu-west-1" in question.words and iam_name(owner) in question.words
    dialog = question.buttons[0].confirm
    assert dialog and key_id in dialog["text"]["text"] and "eu-west-1" in dialog["text"]["text"]
    assert world.keys(owner) == {key_id: "Active"} and cards(world, key_id) == 0
    world.carol.click(question, action_ids.LEAKED_DISABLE)
    world.answered(world.carol)
    assert world.keys(owner) == {key_id: "Inactive"}
    owner.wait_for("dm", key_id, action_ids.ASK)
    _thread_holds_the_facts(world, owner, key_id)


def test_a_strangers_report_reaches_approvers_and_owner(world: World) -> None:
    (owner, key_id), stranger = with_key(world), world.engineer(iam=False)

    types(world, stranger, f"/key leaked {key_id}")

    card = world.carol.wait_for("key-approvals", f"@{handle(stranger)}", action_ids.LEAKED_DISABLE)
    assert f"@{handle(owner)}" in card.words
    owner.wait_for("dm", key_id, action_ids.LEAKED_DISABLE)
    assert world.keys(owner) == {key_id: "Active"}, "a report alone breaks nothing"
    _thread_holds_the_facts(world, owner, key_id)
    world.carol.click(card, action_ids.LEAKED_DISABLE)
    until(world, lambda: world.keys(owner) == {key_id: "Inactive"}, "turned off")
    until(
        world,
        lambda: "@carol" in leak_card(world, key_id).words,
        "the card says who did it",
    )
    assert not leak_card(world, key_id).buttons
    until(
        world,
        lambda: not told_again(world, owner, key_id).has_button(action_ids.LEAKED_DISABLE),
        "the owner's message follows",
    )
    assert {"report", "leaked"} <= set(audited(world, key_id))


def told_again(world: World, owner: LocalPerson, key_id: str) -> SeenMessage:
    return world.message(owner, f"key:{key_id}", LEAK_OWNER)


def test_its_owner_may_turn_it_off_where_they_are_told(world: World) -> None:
    (owner, key_id), stranger = with_key(world), world.engineer(iam=False)
    types(world, stranger, f"/key leaked {key_id}")

    owner.click(
        owner.wait_for("dm", key_id, action_ids.LEAKED_DISABLE),
        action_ids.LEAKED_DISABLE,
    )

    until(world, lambda: world.keys(owner) == {key_id: "Inactive"}, "turned off")
    until(
        world,
        lambda: f"by @{handle(owner)}" in leak_card(world, key_id).words,
        "the card says who did it",
    )


def test_nobody_learns_from_the_answer_whether_a_key_exists(world: World) -> None:
    """Word for word the same: a living key, an inactive one, one reported already, one that was never made."""
    (_, key_id), (other, inactive), stranger = (
        with_key(world),
        with_key(world),
        world.engineer(iam=False),
    )
    world.iam.update_access_key(UserName=iam_name(other), AccessKeyId=inactive, Status="Inactive")

    words = {
        types(world, stranger, f"/key leaked {one}").words
        for one in (key_id, key_id, inactive, NEVER_MADE)
    }

    assert len(words) == 1, words
    assert not any(id_ in next(iter(words)) for id_ in (key_id, inactive, NEVER_MADE))
    assert cards(world, NEVER_MADE) == 0


def test_a_key_that_is_reported_often_has_one_card(world: World) -> None:
    (owner, key_id), strangers = with_key(world), [world.engineer(iam=False) for _ in range(4)]

    at_once(*[partial(strangers[n % 4].command, f"/key leaked {key_id}") for n in range(12)])

    until(
        world,
        lambda: (
            sum(one.outcome == "done" for who in strangers for one in world.answers.of(who.id))
            == 12
        ),
        "all are answered alike",
    )
    leak_card(world, key_id)
    assert cards(world, key_id) == 1
    assert audited(world, key_id).count("report") == 1
    assert world.keys(owner) == {key_id: "Active"}


def test_a_key_of_no_user_here_is_said_so_to_approvers_alone(world: World) -> None:
    types(
        world,
        world.carol,
        f"/key leaked {NEVER_MADE}",
        KeyNotInAccount,
    )
    world.aws.faults.fail("GetAccessKeyLastUsed", "AccessDenied", times=3)
    another = "AKIAIOSFODNN7EXAMPL2"
    types(world, world.carol, f"/key leaked {another}", KeyNotInAccount)
    assert cards(world, NEVER_MADE) == 0


def test_keydesks_own_key_is_refused(world: World) -> None:
    own, stranger = world.aws.credentials["AWS_ACCESS_KEY_ID"], world.engineer(iam=False)

    for person in (stranger, world.carol):
        types(world, person, f"/key leaked {own}", NotAllowed)
    question = types(world, world.carol, "/key list", IamUserNotFound)
    world.carol.post_action(question, "leaked_disable", own)

    until(
        world,
        lambda: (
            sum(
                one.verb in ("leaked", "leaked_disable") and one.is_of(NotAllowed)
                for one in world.answers.of(world.carol.id)
            )
            == 2
        ),
        "its button, too",
    )
    assert cards(world, own) == 0
    assert [key["Status"] for key in world.aws.keys("keydesk-bot")] == ["Active"]


def test_only_approvers_and_the_owner_disable(world: World) -> None:
    (owner, key_id), stranger = with_key(world), world.engineer(iam=False)
    types(world, stranger, f"/key leaked {key_id}")

    stranger.click(
        stranger.wait_for("key-approvals", key_id, action_ids.LEAKED_DISABLE),
        action_ids.LEAKED_DISABLE,
    )

    world.answered(stranger, NotAllowed)
    assert world.keys(owner) == {key_id: "Active"}


def test_a_leaked_key_is_never_turned_on_again(world: World) -> None:
    owner, key_id = with_key(world)
    types(world, owner, f"/key leaked {key_id}")

    types(world, owner, f"/key enable {key_id} please", KeyIsLeaked)

    listed = types(world, owner, "/key list", names=key_id)
    assert [button.action_id for button in listed.buttons] == [action_ids.DELETE]
    assert "(leaked)" in listed.words
    owner.post_action(listed, "undo", key_id)
    world.answered(owner, KeyIsLeaked)
    assert world.keys(owner) == {key_id: "Inactive"}


def test_nothing_brings_a_leaked_key_back(build: Build) -> None:
    world = build(APPROVAL_FREE="disable,delete,enable")
    owner = world.engineer()
    key = given(world, owner)
    types(world, owner, f"/key leaked {key.key_id}")
    world.iam.update_access_key(UserName=iam_name(owner), AccessKeyId=key.key_id, Status="Active")

    world.pass_time(minutes=16)
    days_pass(world, 1)

    assert world.keys(owner) == {key.key_id: "Inactive"}
    types(world, owner, f"/key enable {key.key_id} please", KeyIsLeaked)


@pytest.mark.parametrize("words", [SECRET_LOOKING, f"it is {SECRET_LOOKING}"])
def test_a_typed_secret_is_refused_and_stored_nowhere(world: World, words: str) -> None:
    person = world.engineer()
    assert "/key leaked" in types(world, person, f"/key leaked {words}", LooksLikeSecret).words
    assert (
        SECRET_LOOKING not in world.log + world.slack.lasting_text() + world.slack.ephemeral_text()
    )


def test_a_guest_may_report_a_key_and_nothing_else(world: World) -> None:
    owner, key_id = with_key(world)
    guest = world.engineer(iam=False, is_restricted=True)
    refused = types(world, guest, "/key list", NotAMember)
    assert refused.ephemeral

    types(world, guest, "/key leaked", BadCommand)
    types(world, guest, f"/key leaked {SECRET_LOOKING}", LooksLikeSecret)
    types(world, guest, f"/key leaked {key_id}")
    types(world, guest, f"/key leaked {NEVER_MADE}")

    assert leak_card(world, key_id).has_button(action_ids.LEAKED_DISABLE) and world.keys(owner) == {
        key_id: "Active"
    }
    assert cards(world, NEVER_MADE) == 0


def _thread_holds_the_facts(world: World, owner: LocalPerson, key_id: str) -> None:
    facts = world.message(world.carol, f"key:{key_id}", LEAK_DETAILS)
    assert facts.thread_ts == leak_card(world, key_id).ts
    for words in (
        f"@{handle(owner)}",
        "eu-west-1",
        iam_name(owner),
    ):
        assert words in facts.words
