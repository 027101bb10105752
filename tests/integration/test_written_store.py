"""Whoever can write to the store, and has nothing else, is shown nobody's secret and gets nobody else's key."""

from __future__ import annotations

import json
from typing import Any

from bot.domain.codes import Code
from bot.domain.errors import DeliveryFailed, IdentityChanged
from bot.slack import action_ids
from sandbox.local_person import LocalPerson
from tests.support.running_world import World, handed_over


def rewrite(world: World, request_id: str, **permissions: Any) -> None:
    """Writes into a stored request, as somebody with the store's password could."""
    name = f"{{keydesk}}:request:{request_id}"
    world.redis.set(name, json.dumps({**json.loads(str(world.redis.get(name))), **permissions}))


def refused_as_another(world: World, person: LocalPerson) -> None:
    world.answered(person, IdentityChanged)


def test_a_rewritten_dm_gets_no_secret(world: World) -> None:
    alice, mallory = world.engineer(), world.engineer()
    reveal, theirs = world.approved(alice), world.approved(mallory)
    rewrite(world, world.request(alice).id, dm=theirs.channel)

    alice.click(reveal, action_ids.REVEAL)
    world.answered(alice, DeliveryFailed, Code.KEY_DELETED_REVEAL_AGAIN)
    world.reaches(alice, "approved")

    assert "Active" not in world.keys(alice).values()
    assert handed_over(mallory) == [] and handed_over(alice) == []


def test_nobody_reveals_a_key_of_an_iam_user_that_is_not_theirs(world: World) -> None:
    alice, mallory = world.engineer(), world.engineer()
    world.approved(alice)
    theirs = world.approved(mallory)
    victim = world.request(alice)
    rewrite(
        world, world.request(mallory).id, iam_user=victim.iam_user, iam_user_id=victim.iam_user_id
    )

    mallory.click(theirs, action_ids.REVEAL)
    refused_as_another(world, mallory)

    assert world.keys(alice) == world.keys(mallory) == {}
    assert world.changes(alice) == world.changes(mallory) == []


def test_nobody_reveals_what_was_written_to_be_theirs(world: World) -> None:
    """The request of Alice is made one of Mallory's: her own identity is asked of Slack and IAM, and differs."""
    alice, mallory = world.engineer(), world.engineer()
    world.approved(alice)
    theirs = world.approved(mallory)
    victim = world.request(alice)
    rewrite(world, victim.id, requester=mallory.id, dm=theirs.channel)

    mallory.post_action(theirs, action_ids.REVEAL, victim.id)
    refused_as_another(world, mallory)

    assert world.changes(alice) == world.changes(mallory) == []
