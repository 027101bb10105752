"""Lose an answer, then kill the bot: promises hold, and the answer is true."""

from __future__ import annotations

import pytest

from bot.domain.codes import Code
from bot.domain.states import Status
from bot.slack import action_ids
from sandbox.faults import Moment
from tests.verification.crashes.crash_world import CARDS, PATIENCE, CrashWorld, Journey
from tests.verification.crashes.promises import check_end, check_messages, check_rest

REVEAL = Journey(CrashWorld.get_approved, CrashWorld.reveal)
DID_NOT_GET = Journey(CrashWorld.get_delivered, CrashWorld.did_not_get)
LOST = {
    "CreateAccessKey": (REVEAL, Code.KEY_CREATION_UNCONFIRMED, None),
    "chat.postEphemeral": (REVEAL, Code.KEY_DELETED_REVEAL_AGAIN, Code.SLACK_DID_NOT_CONFIRM),
    "DeleteAccessKey": (DID_NOT_GET, Code.KEY_DELETION_PENDING, None),
}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    ("method", "journey", "code", "cause"),
    [(method, *rest) for method, rest in LOST.items()],
    ids=LOST,
)
def test_killed_after_a_lost_answer_one_key_is_delivered(
    world: CrashWorld, method: str, journey: Journey, code: Code, cause: Code, moment: Moment
) -> None:
    journey.arrange(world)
    world.faults(method).drop(method, moment)
    journey.click(world)
    world.answered(code, cause)
    world.crash()
    check_rest(world, world.rest())
    check_end(world, world.go_on())


def test_a_key_made_after_the_death_is_an_orphan(world: CrashWorld) -> None:
    """AWS may carry out a call whose caller is dead."""
    world.get_approved()
    hold = world.hold("CreateAccessKey", "before", 1, world.reveal)
    world.bot.kill()
    hold.release()
    world.slack.wait_until(world.active, PATIENCE, "AWS makes the key all the same")
    [late] = world.active()

    world.start_again()
    detail = world.rest(Status.APPROVED).detail
    assert detail and detail.code == Code.ORPHAN_FOUND
    world.sees(late)
    assert world.active() == []
    check_end(world, world.go_on())

    card = world.carol.wait_for(CARDS, containing=late, button=action_ids.FOUND_DELETE)
    world.carol.click(card, action_ids.FOUND_DELETE)
    world.slack.wait_until(lambda: world.status(late) == "", why="the late key is deleted")


def test_a_message_posted_twice_works_in_both(world: CrashWorld) -> None:
    world.get_delivered()
    world.slack.faults.drop("chat.postMessage", "after")
    world.did_not_get()
    world.slack.wait_until(lambda: world.bot.events("render"), why="the rendering is rescheduled")
    world.crash()
    check_rest(world, world.rest(Status.APPROVED), lost_answers=1)
    offers = [one for one in world.alice.messages("dm") if one.has_button(action_ids.REVEAL)]
    assert len(offers) == 2
    check_end(world, world.go_on())  # Alice clicks the older one, which the bot does not know
    check_messages(world, world.request())
