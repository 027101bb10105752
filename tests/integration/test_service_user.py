"""Service users: IAM users that are nobody's, served by those whom their owner tag names, and by nobody else."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.domain.errors import NotAllowed, NotYourKey
from bot.slack import action_ids
from bot.slack.messages.keys import LEAK_OWNER
from sandbox.local_person import LocalPerson
from tests.support.key_life import (
    NEVER_MADE,
    approves,
    arrives,
    card_of,
    service_user,
    states,
    types,
    until,
)
from tests.support.running_world import APPROVERS, OWNER_TAG, World, form_opens, handle, iam_name

SETTINGS = {"IAM_OWNER_TAG": OWNER_TAG}


def owned(world: World) -> tuple[LocalPerson, str]:
    owner = world.engineer()
    return owner, service_user(world, owner.id)


def key_of(world: World, user: str, status: str = "Active") -> str:
    key_id = str(world.iam.create_access_key(UserName=user)["AccessKey"]["AccessKeyId"])
    world.iam.update_access_key(UserName=user, AccessKeyId=key_id, Status=status)
    return key_id


def test_its_owner_asks_and_the_secret_goes_to_who_asked(world: World) -> None:
    owner, user = owned(world)

    types(world, owner, f"/key create --user {user} nightly deploys")

    card = card_of(world, owner)
    assert user in card.words and "nightly deploys" in card.words
    world.carol.click(card, action_ids.APPROVE)
    key = arrives(world, owner)
    assert states(world, user) == {key.key_id: "Active"} and not world.keys(owner)
    assert world.aws.call_as(key.key_id, key.secret).endswith(f"user/{user}")


def test_a_group_may_be_its_owner(world: World) -> None:
    [member] = world.approvers(1)
    user = service_user(world, APPROVERS, "U0NOBODY")
    types(world, member, f"/key create --user {user} nightly deploys")
    approves(world, member)
    key = arrives(world, member)
    assert states(world, user) == {key.key_id: "Active"}

    world.slack.set_group(APPROVERS, ["U0CAROL"])

    types(world, member, f"/key list --user {user}", NotAllowed)


def test_an_owner_uses_all_commands_on_a_service_user(
    world: World,
) -> None:
    owner, user = owned(world)
    old = key_of(world, user)
    world.aws.mark_used(old, datetime.now(UTC), "s3", "eu-west-1")

    assert old in types(world, owner, f"/key list --user {user}").words
    types(world, owner, f"/key used --user {user} {old}")
    types(world, owner, f"/key disable {old} --user {user}")
    assert states(world, user) == {old: "Inactive"}
    types(world, owner, f"/key enable --user {user} {old} still needed")
    approves(world, owner)
    until(world, lambda: states(world, user) == {old: "Active"}, "on again")
    types(world, owner, f"/key rotate --user {user} {old}")
    approves(world, owner)
    new = arrives(world, owner)
    message = owner.wait_for("dm", new.key_id, action_ids.DISABLE_OLD)
    owner.click(message, action_ids.DISABLE_OLD)
    until(world, lambda: states(world, user) == {old: "Inactive", new.key_id: "Active"}, "rotated")
    question = types(world, owner, f"/key delete --user {user} {old}")
    owner.click(question, action_ids.DELETE)
    until(world, lambda: states(world, user) == {new.key_id: "Active"}, "deleted")
    assert world.keys(owner) == {}


def test_the_buttons_of_its_list_work(world: World) -> None:
    owner, user = owned(world)
    key_id = key_of(world, user)
    listed = types(world, owner, f"/key list --user {user}", names=key_id)

    owner.click(listed, action_ids.DISABLE)

    until(world, lambda: states(world, user) == {key_id: "Inactive"}, "turned off")


def test_without_a_key_id_the_form_offers_its_keys(world: World) -> None:
    owner, user = owned(world)
    key_of(world, user)

    owner.command(f"/key rotate --user {user}")
    form_opens(owner, action_ids.ROTATE_FORM)
    owner.submit({})  # the only key is chosen

    world.answered(owner)
    approves(world, owner)
    arrives(world, owner)
    assert len(states(world, user)) == 2 and world.keys(owner) == {}


def test_what_is_asked_for_below_its_keys_message_is_for_it(world: World) -> None:
    owner, user = owned(world)
    key_id = key_of(world, user)
    types(world, owner, f"/key leaked {key_id}")

    owner.click(
        owner.wait_for("dm", key_id, action_ids.ASK),
        action_ids.ASK,
    )
    form_opens(owner, action_ids.CREATE_FORM)
    owner.submit({"reason": "in its place"})

    world.answered(owner)
    assert world.request(owner).iam_user == user


@pytest.mark.parametrize(
    "verb", ["create", "list", "used", "rotate", "disable", "enable", "delete"]
)
def test_strangers_are_refused_alike_whether_or_not_it_exists(world: World, verb: str) -> None:
    """A service user of others, a person's IAM user, and one that is not there."""
    stranger, (_, theirs), somebody = world.engineer(), owned(world), world.engineer(keys=1)
    key_id = key_of(world, theirs)
    users = {
        theirs: key_id,
        iam_name(somebody): next(iter(world.keys(somebody))),
        "not-there": NEVER_MADE,
    }

    words = set()
    for user, key in users.items():
        rest = {"create": "x", "list": "", "enable": f"{key} x"}.get(verb, key)
        answer = types(world, stranger, f"/key {verb} --user {user} {rest}", NotAllowed)
        words.add(answer.words.replace(user, "U").replace("@", ""))

    assert len(words) == 1, words
    assert not world.requests(stranger)
    assert world.carol.last("key-approvals", f"@{handle(stranger)}") is None
    assert states(world, theirs) == {key_id: "Active"} and set(world.keys(somebody).values()) == {
        "Active"
    }


def test_a_key_of_a_service_user_is_no_key_of_a_stranger(world: World) -> None:
    stranger, (_, theirs) = world.engineer(), owned(world)
    key_id = key_of(world, theirs)

    for verb in ("disable", "used"):
        types(world, stranger, f"/key {verb} {key_id}", NotYourKey)

    assert states(world, theirs) == {key_id: "Active"}


def test_the_approver_rules_are_the_same(world: World) -> None:
    user = service_user(world, "U0CAROL")
    types(world, world.carol, f"/key create --user {user} x")
    card = world.carol.wait_for("key-approvals", user, button=action_ids.APPROVE)

    world.carol.click(card, action_ids.APPROVE)

    world.answered(world.carol, NotAllowed)
    assert not states(world, user)


def test_who_is_no_owner_any_more_reveals_nothing(world: World) -> None:
    owner, user = owned(world)
    types(world, owner, f"/key create --user {user} x")
    approves(world, owner)
    message = world.revealable(owner)
    world.iam.tag_user(UserName=user, Tags=[{"Key": OWNER_TAG, "Value": "U0SOMEBODY"}])

    owner.click(message, action_ids.REVEAL)

    world.answered(owner, NotAllowed)
    assert not states(world, user)


def test_an_owner_turns_a_leaked_key_off_at_once(world: World) -> None:
    owner, user = owned(world)
    key_id = key_of(world, user)

    types(world, owner, f"/key leaked {key_id}")

    assert states(world, user) == {key_id: "Inactive"}
    world.message(owner, f"key:{key_id}", LEAK_OWNER)


def test_without_the_setting_there_are_none(timed: World) -> None:
    person = timed.engineer()
    user = service_user(timed, person.id)

    types(timed, person, f"/key create --user {user} x", NotAllowed)

    assert not timed.requests(person)
