"""What do the journeys of a key's later life share? Old keys, service users, rotations, and days that pass."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from bot.domain.errors import KeydeskError
from bot.domain.keys import ManagedKey
from bot.slack import action_ids
from sandbox.local_person import LocalPerson
from sandbox.seen import SeenMessage
from tests.support.running_world import OWNER_TAG, HandedOver, World, iam_name

T = TypeVar("T")

NEVER_MADE = "AKIAIOSFODNN7EXAMPLE"
SWEEPS = 4
"""Sweeps after each day: a key does one thing in each, and may have several to do."""


def types(
    world: World,
    person: LocalPerson,
    line: str,
    error: type[KeydeskError] | None = None,
    code: str = "",
    *,
    names: str = "",
    channel: str = "general",
) -> SeenMessage:
    """Type a command, and return the private answer.

    Without `error` the command succeeds, else it is refused by an error of this class and code.
    The answer contains `names`, an ID for example.
    """
    known = {one.ts for one in person.messages(channel)}
    world.answers.skip(person.id)
    assert person.command(line, channel).acked
    world.answered(person, error, code)

    def shown() -> SeenMessage | None:
        fresh = [one for one in person.messages(channel) if one.ts not in known and one.ephemeral]
        return next((one for one in reversed(fresh) if names in one.words), None)

    return until(world, shown, f"{person.id} sees the answer to {line!r}")


def card_of(world: World, person: LocalPerson) -> SeenMessage:
    """Wait for the undecided card of the newest request, and return it as Carol sees it."""

    def posted() -> SeenMessage | None:
        card = world.card(person)
        return card if card and card.has_button(action_ids.APPROVE) else None

    return until(world, posted, f"the card of {person.id}")


def approves(world: World, person: LocalPerson) -> SeenMessage:
    """Let Carol approve the newest request, and return its card as it was."""
    card = card_of(world, person)
    world.carol.click(card, action_ids.APPROVE)
    return card


def arrives(world: World, person: LocalPerson) -> HandedOver:
    """The person reveals their key and says that they saved it."""
    key = world.reveals(person)
    world.receipt(person, key)
    person.click(key.message, action_ids.SAVED)
    world.reaches(person, "confirmed")
    return key


def old_key(world: World, person: LocalPerson, days: int = 95) -> str:
    """A key of the person's that was made in the console that many days ago; returns its ID."""
    key_id = str(world.iam.create_access_key(UserName=iam_name(person))["AccessKey"]["AccessKeyId"])
    world.aws.backdate(key_id, world.time() - timedelta(days=days))
    return key_id


def rotated(world: World, person: LocalPerson, old: str) -> tuple[HandedOver, SeenMessage]:
    """The person rotates a key and has the new one; returns it and the message with both side by side."""
    types(world, person, f"/key rotate {old}")
    approves(world, person)
    new = arrives(world, person)
    return new, person.wait_for("dm", new.key_id, action_ids.CHECK)


def given(world: World, person: LocalPerson, how: str = "") -> HandedOver:
    """The person asks for a key (`how`: options of the command), is approved, and has it."""
    types(world, person, f"/key create {how} nightly backup")
    approves(world, person)
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
