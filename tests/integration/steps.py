"""Steps and checks that the journeys of several files share."""

from __future__ import annotations

from typing import Any

from bot.domain.codes import Code
from bot.domain.errors import KeydeskError
from bot.slack import action_ids
from sandbox.local_person import LocalPerson
from sandbox.seen import SeenMessage
from tests.support.answers import Answer
from tests.support.key_life import types, until
from tests.support.running_world import World
from tests.support.watched_person import handle, iam_name

SECRET_LOOKING = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
"""A text in the form of a secret access key."""


def named(person: LocalPerson) -> str:
    """Return how Slack shows a mention of this user."""
    return f"@{handle(person)}"


def refused(world: World, person: LocalPerson, code: Code, **facts: Any) -> Answer:
    """Wait until this user is refused with this code and these facts."""
    answer = world.answered(person, KeydeskError, code)
    assert {name: answer.facts.get(name) for name in facts} == facts
    return answer


def refuses(
    world: World, person: LocalPerson, line: str, code: Code, channel: str = "general"
) -> SeenMessage:
    """Type a command that is refused with this code, and return the private answer."""
    return types(world, person, line, KeydeskError, code, channel=channel)


def clicks(
    world: World, person: LocalPerson, message: SeenMessage, button: str, code: Code | None = None
) -> Answer:
    """Click a button, and return the answer: a success, or a refusal with this code."""
    world.answers.skip(person.id)
    assert person.click(message, button).acked
    return refused(world, person, code) if code else world.answered(person)


def asks_for(world: World, person: LocalPerson, message: SeenMessage, button: str) -> str:
    """Return the text of the dialog that a button of this message opens first."""
    confirm = next(one.confirm for one in message.buttons if one.action_id == button)
    return str(confirm["text"]["text"]) if confirm else ""


def set_key(world: World, person: LocalPerson, key_id: str, status: str = "Inactive") -> None:
    """Change a key of this user in the AWS console."""
    world.iam.update_access_key(UserName=iam_name(person), AccessKeyId=key_id, Status=status)


def with_inactive(world: World) -> tuple[LocalPerson, str]:
    """Return a new user and the ID of their only key, which is inactive."""
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)
    set_key(world, person, key_id)
    return person, key_id


def thread(world: World, card: SeenMessage) -> list[str]:
    """Return the words of each message in the card's thread, oldest first."""
    return [one.words for one in world.carol.messages("key-approvals") if one.thread_ts == card.ts]


def is_cancelled(world: World, person: LocalPerson) -> None:
    """Wait until the newest request is cancelled, and nothing offers to do so."""
    world.reaches(person, "cancelled")
    until(
        world,
        lambda: (card := world.card(person)) is not None and not card.buttons,
        "the card has no button",
    )
    until(
        world,
        lambda: not any(one.has_button(action_ids.CANCEL) for one in person.messages("dm")),
        "nothing can be cancelled",
    )
