"""What if an answer is lost first, and then the bot is killed? The same promises, and the person is told the truth."""

from __future__ import annotations

import pytest

from bot.domain.codes import Code
from bot.domain.states import Status
from bot.slack import action_ids
from sandbox.faults import Moment
from tests.verification.crashes.crash_world import ALICE, CARDS, CrashWorld, Journey
from tests.verification.crashes.promises import check_copies, check_end, check_rest

REVEAL = Journey(CrashWorld.get_approved, CrashWorld.reveal, ())
DID_NOT_GET = Journey(CrashWorld.get_delivered, CrashWorld.did_not_get, ())

LOST = {
    "CreateAccessKey, not done": (
        REVEAL,
        "CreateAccessKey",
        "before",
        Code.KEY_CREATION_UNCONFIRMED,
    ),
    "CreateAccessKey, done": (REVEAL, "CreateAccessKey", "after", Code.KEY_CREATION_UNCONFIRMED),
    "chat.postEphemeral, not done": (
        REVEAL,
        "chat.postEphemeral",
        "before",
        Code.KEY_DELETED_REVEAL_AGAIN,
    ),
    "chat.postEphemeral, done": (
        REVEAL,
        "chat.postEphemeral",
        "after",
        Code.KEY_DELETED_REVEAL_AGAIN,
    ),
    "DeleteAccessKey, not done": (
        DID_NOT_GET,
        "DeleteAccessKey",
        "before",
        Code.KEY_DELETION_PENDING,
    ),
    "DeleteAccessKey, done": (DID_NOT_GET, "DeleteAccessKey", "after", Code.KEY_DELETION_PENDING),
}


@pytest.mark.parametrize(("journey", "method", "moment", "code"), LOST.values(), ids=LOST)
def test_killed_after_a_lost_answer_one_key_is_delivered(
    world: CrashWorld, journey: Journey, method: str, moment: Moment, code: Code
) -> None:
    journey.arrange(world)
    world.faults(method).drop(method, moment)
    journey.click(world)
    cause = Code.SLACK_DID_NOT_CONFIRM if method == "chat.postEphemeral" else None
    world.answered(code, cause=cause)
    world.crash()
    check_rest(world, world.rest())
    check_end(world, world.go_on())


def test_a_key_made_after_the_death_is_an_orphan(
    world: CrashWorld,
) -> None:
    """AWS may carry out a call whose caller is gone."""
    world.get_approved()
    hold = world.aws.faults.hold("CreateAccessKey", "before")
    world.reveal()
    assert hold.reached.wait(10)
    world.bot.kill()
    hold.release()
    world.slack.wait_until(world.active, why="AWS makes the key all the same")
    [late] = world.active()

    world.start_again()
    found = world.rest(Status.APPROVED).detail
    assert found and found.code == Code.ORPHAN_FOUND
    world.told(late)
    assert world.active() == []
    check_end(world, world.go_on())

    card = world.carol.wait_for(CARDS, containing=late, button=action_ids.FOUND_DELETE)
    world.carol.click(card, action_ids.FOUND_DELETE)
    world.slack.wait_until(
        lambda: late not in world.aws.key_ids(ALICE), why="the late key is deleted"
    )


def test_a_message_posted_twice_works_in_both(
    world: CrashWorld,
) -> None:
    world.get_delivered()
    world.slack.faults.drop("chat.postMessage", "after")
    world.did_not_get()
    world.slack.wait_until(lambda: world.bot.events("render"), why="the drawing to be put off")
    world.crash()
    check_rest(world, world.rest(Status.APPROVED), lost_answers=1)
    offers = [one for one in world.alice.messages("dm") if one.has_button(action_ids.REVEAL)]
    assert len(offers) == 2
    check_end(world, world.go_on())  # Alice clicks the older one, which the bot did not know of
    check_copies(world, world.request())
