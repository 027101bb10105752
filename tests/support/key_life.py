"""What do the journeys of a key's later life share? Old keys, service users, rotations, and days that pass."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from bot.domain.keys import ManagedKey
from sandbox.local_person import LocalPerson
from sandbox.seen import SeenMessage
from tests.support.running_world import OWNER_TAG, HandedOver, World, handle, iam_name

T = TypeVar("T")

NEVER_MADE = "AKIAIOSFODNN7EXAMPLE"
NOT_YOURS = "You have no access key with that ID. /key list shows yours."
SWEEPS = 4
"""Sweeps after each day: a key does one thing in each, and may have several to do."""


def types(
    world: World, person: LocalPerson, line: str, answer: str, channel: str = "general"
) -> SeenMessage:
    """The person types a command; returns the private answer with these words."""
    known = {one.ts for one in person.messages(channel)}
    assert person.command(line, channel).acked

    def answered() -> SeenMessage | None:
        fresh = [
            one for one in person.messages(channel) if one.ts not in known and answer in one.words
        ]
        return fresh[-1] if fresh else None

    found = until(world, answered, f"{person.id} is answered {answer!r} to {line!r}")
    assert found.ephemeral
    return found


def card_of(world: World, person: LocalPerson, asks: str) -> SeenMessage:
    """The card of the person's newest request, undecided, by which they ask for that, as Carol sees it."""
    request = world.request(person)

    def posted() -> SeenMessage | None:
        card = world.carol.last("key-approvals", f"@{handle(person)} asks {asks}", button="Approve")
        return card if card and any(button.value == request.id for button in card.buttons) else None

    return until(world, posted, f"the card by which {person.id} asks {asks}")


def approves(world: World, person: LocalPerson, asks: str) -> SeenMessage:
    """Carol approves; returns the card as it was."""
    card = card_of(world, person, asks)
    world.carol.click(card, "Approve")
    return card


def arrives(world: World, person: LocalPerson) -> HandedOver:
    """The person reveals their key and says that they saved it."""
    key = world.reveals(person)
    world.receipt(person, key)
    person.click(key.message, "I saved it")
    world.reaches(person, "confirmed")
    return key


def old_key(world: World, person: LocalPerson, days: int = 95) -> str:
    """A key of the person's that was made in the console that many days ago; returns its ID."""
    key_id = str(world.iam.create_access_key(UserName=iam_name(person))["AccessKey"]["AccessKeyId"])
    world.aws.backdate(key_id, world.time() - timedelta(days=days))
    return key_id


def rotated(world: World, person: LocalPerson, old: str) -> tuple[HandedOver, SeenMessage]:
    """The person rotates a key and has the new one; returns it and the message with both side by side."""
    types(world, person, f"/key rotate {old}", "Asked.")
    approves(world, person, f"to rotate {old}")
    new = arrives(world, person)
    return new, person.wait_for(
        "dm", f"Your new key {new.key_id} is in place", button="Check again"
    )


def given(world: World, person: LocalPerson, how: str = "") -> HandedOver:
    """The person asks for a key (`how`: options of the command), is approved, and has it."""
    types(world, person, f"/key create {how} nightly backup", "Asked.")
    approves(world, person, "for an access key")
    return arrives(world, person)


def service_user(world: World, *owners: str) -> str:
    """A new IAM user that is nobody's, whose tag names these owners; returns its name."""
    name = f"ci-{next(world.numbers):04}"
    world.iam.create_user(UserName=name, Tags=[{"Key": OWNER_TAG, "Value": " ".join(owners)}])
    return name


def states(world: World, user: str) -> dict[str, str]:
    """An IAM user's keys: ID -> status."""
    return {key["AccessKeyId"]: key["Status"] for key in world.aws.keys(user)}


def record(world: World, key_id: str) -> ManagedKey:
    """What Keydesk remembers of a key."""
    found = world.store.key(key_id)
    assert found, f"{key_id} has no record"
    return found


def until(world: World, condition: Callable[[], T | None], why: str) -> T:
    return world.slack.wait_until(condition, why=why)


def days_pass(world: World, days: float) -> None:
    """Days pass one by one, each with its sweeps; the rest of a day comes last."""
    while days > 0:
        world.pass_time(days=min(1.0, days))
        for _ in range(SWEEPS - 1):
            world.sweep()
        days -= 1.0


def told(person: LocalPerson, containing: str) -> list[SeenMessage]:
    """The lasting messages in the person's direct message that hold these words."""
    return [one for one in person.messages("dm") if not one.ephemeral and containing in one.words]
