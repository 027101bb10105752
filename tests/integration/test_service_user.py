"""Journeys with service users, which only the owners in their tag may use."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.domain.codes import Code
from bot.slack import action_ids
from bot.slack.messages.keys import LEAK_OWNER
from sandbox.local_person import LocalPerson
from tests.integration.steps import clicks, refuses
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
from tests.support.running_world import APPROVERS, OWNER_TAG, World
from tests.support.seen_by_user import form_opens
from tests.support.watched_person import iam_name

SETTINGS = {"IAM_OWNER_TAG": OWNER_TAG}
TRANSPORT = "http"


def owned(world: World) -> tuple[LocalPerson, str]:
    """Return a new user and the name of a service user that they own."""
    owner = world.engineer()
    return owner, service_user(world, owner.id)


def key_of(world: World, user: str) -> str:
    """Make a key of an IAM user in the console, and return its ID."""
    return str(world.iam.create_access_key(UserName=user)["AccessKey"]["AccessKeyId"])


def test_an_owner_gets_a_service_users_key(world: World) -> None:
    owner, user = owned(world)

    types(world, owner, f"/key create --user {user} nightly deploys")

    card = card_of(world, owner)
    assert user in card.words and "nightly deploys" in card.words
    world.carol.click(card, action_ids.APPROVE)
    key = arrives(world, owner)
    assert states(world, user) == {key.key_id: "Active"} and not world.keys(owner)
    assert world.aws.call_as(key.key_id, key.secret).endswith(f"user/{user}")


def test_a_group_may_be_an_owner_as_long_as_it_has_the_member(world: World) -> None:
    """Who leaves it reveals nothing more."""
    [member] = world.approvers(1)
    user = service_user(world, APPROVERS, "U0UNKNOWN")
    types(world, member, f"/key create --user {user} nightly deploys")
    approves(world, member)
    message = world.revealable(member)

    world.slack.set_group(APPROVERS, ["U0CAROL"])

    clicks(world, member, message, action_ids.REVEAL, Code.NOT_SERVICE_OWNER)
    refuses(world, member, f"/key list --user {user}", Code.NOT_SERVICE_OWNER)
    assert not states(world, user)


def test_an_owner_uses_all_commands_on_a_service_user(world: World) -> None:
    owner, user = owned(world)
    old = key_of(world, user)
    world.aws.mark_used(old, datetime.now(UTC), "s3", "eu-west-1")

    listed = types(world, owner, f"/key list --user {user}", names=old)
    assert "eu-west-1" in types(world, owner, f"/key used --user {user} {old}").words
    owner.click(listed, action_ids.DISABLE)
    until(world, lambda: states(world, user) == {old: "Inactive"}, "disabled")
    types(world, owner, f"/key enable --user {user} {old} still needed")
    approves(world, owner)
    until(world, lambda: states(world, user) == {old: "Active"}, "enabled")
    owner.command(f"/key rotate --user {user}")
    form_opens(owner, action_ids.ROTATE_FORM)
    owner.submit({})  # the only key is chosen
    world.answered(owner)
    approves(world, owner)
    new = arrives(world, owner)
    message = owner.wait_for("dm", new.key_id, action_ids.DISABLE_OLD)
    owner.click(message, action_ids.DISABLE_OLD)
    until(world, lambda: states(world, user) == {old: "Inactive", new.key_id: "Active"}, "rotated")
    question = types(world, owner, f"/key delete --user {user} {old}")
    owner.click(question, action_ids.DELETE)
    until(world, lambda: states(world, user) == {new.key_id: "Active"}, "deleted")
    assert world.keys(owner) == {}


def test_an_owner_disables_a_leaked_service_key_at_once(world: World) -> None:
    """What is requested below its message is for the same service user."""
    owner, user = owned(world)
    key_id = key_of(world, user)

    types(world, owner, f"/key leaked {key_id}")

    assert states(world, user) == {key_id: "Inactive"}
    told = world.message(owner, f"key:{key_id}", LEAK_OWNER)
    owner.click(told, action_ids.ASK)
    form_opens(owner, action_ids.CREATE_FORM)
    owner.submit({"reason": "in its place"})
    world.answered(owner)
    assert world.request(owner).iam_user == user


@pytest.mark.parametrize("verb", ["create", "list", "disable", "enable"])
def test_others_are_refused_alike_whether_or_not_it_exists(world: World, verb: str) -> None:
    """A service user of others, a member's own IAM user, and one that is not there."""
    other, (_, theirs), member = world.engineer(), owned(world), world.engineer(keys=1)
    key_id = key_of(world, theirs)
    users = {
        theirs: key_id,
        iam_name(member): next(iter(world.keys(member))),
        "not-there": NEVER_MADE,
    }

    words = set()
    for user, key in users.items():
        rest = {"create": "x", "list": "", "enable": f"{key} x"}.get(verb, key)
        answer = refuses(world, other, f"/key {verb} --user {user} {rest}", Code.NOT_SERVICE_OWNER)
        words.add(answer.words.replace(user, "U").replace("@", ""))
    if verb == "disable":
        refuses(world, other, f"/key disable {key_id}", Code.KEY_NOT_FOUND)

    assert len(words) == 1, words
    world.nothing_happened(other)
    assert states(world, theirs) == {key_id: "Active"}
    assert set(world.keys(member).values()) == {"Active"}
