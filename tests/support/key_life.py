"""Steps of a key's later life: old keys, service users, rotations, passing days."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from bot.domain.errors import KeydeskError
from bot.domain.keys import ManagedKey
from bot.slack import action_ids
from sandbox.local_person import LocalPerson
from sandbox.seen import SeenMessage
from tests.support.running_world import OWNER_TAG, World
from tests.support.seen_by_user import ShownKey
from tests.support.watched_person import iam_name

T = TypeVar("T")

NEVER_MADE = "AKIAIOSFODNN7EXAMPLE"
SWEEPS = 4
"""Runs after each day: a key does one thing in each, and may have several to do."""


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
    """Wait for the newest request's undecided card. Return it as Carol sees it."""

    def posted() -> SeenMessage | None:
        card = world.card(person)
        return card if card and card.has_button(action_ids.APPROVE) else None

    return until(world, posted, f"the card of {person.id}")


def approves(world: World, person: LocalPerson) -> SeenMessage:
    """Let Carol approve the newest request, and return its card as it was."""
    card = card_of(world, person)
    world.carol.click(card, action_ids.APPROVE)
    return card


def arrives(world: World, person: LocalPerson) -> ShownKey:
    """Reveal this user's key, and confirm that it arrived."""
    key = world.reveals(person)
    world.receipt(person, key)
    person.click(key.message, action_ids.SAVED)
    world.reaches(person, "confirmed")
    return key


def old_key(world: World, person: LocalPerson, days: int = 95) -> str:
    """Make a key of this user's in the console that many days ago. Return its ID."""
    key_id = str(world.iam.create_access_key(UserName=iam_name(person))["AccessKey"]["AccessKeyId"])
    world.aws.backdate(key_id, world.time() - timedelta(days=days))
    return key_id


def rotated(world: World, person: LocalPerson, old: str) -> tuple[ShownKey, SeenMessage]:
    """Rotate a key of this user's. Return the new key and the message with both."""
    types(world, person, f"/key rotate {old}")
    approves(world, person)
    new = arrives(world, person)
    return new, person.wait_for("dm", new.key_id, action_ids.CHECK)


def given(world: World, person: LocalPerson, how: str = "") -> ShownKey:
    """Request, approve and reveal a key (`how`: options of the command)."""
    types(world, person, f"/key create {how} nightly backup")
    approves(world, person)
    return arrives(world, person)


def service_user(world: World, *owners: str) -> str:
    """Make an IAM user whose tag names these owners. Return its name."""
    name = f"ci-{next(world.numbers):04}"
    world.iam.create_user(UserName=name, Tags=[{"Key": OWNER_TAG, "Value": " ".join(owners)}])
    return name


def states(world: World, user: str) -> dict[str, str]:
    """Return an IAM user's keys: ID -> status."""
    return {key["AccessKeyId"]: key["Status"] for key in world.aws.keys(user)}


def record(world: World, key_id: str) -> ManagedKey:
    """Return the record of a key."""
    found = world.store.key(key_id)
    assert found, f"{key_id} has no record"
    return found


def until(world: World, condition: Callable[[], T | None], why: str) -> T:
    return world.slack.wait_until(condition, why=why)


def days_pass(world: World, days: float) -> None:
    """Let days pass, each with runs of the scheduler, and then the rest of a day."""
    while days > 0:
        world.pass_time(days=min(1.0, days))
        for _ in range(SWEEPS - 1):
            world.sweep()
        days -= 1.0


def told(person: LocalPerson, containing: str) -> list[SeenMessage]:
    """Return the lasting messages in this user's direct message with these words."""
    return [one for one in person.messages("dm") if not one.ephemeral and containing in one.words]
