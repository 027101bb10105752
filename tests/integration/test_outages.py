"""Journeys in which the database, Slack or AWS is away for a while."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bot.domain.codes import Code
from bot.slack import action_ids
from tests.integration.steps import clicks, named, refused, with_inactive
from tests.support.key_life import card_of, types, until
from tests.support.running_world import World
from tests.support.seen_by_user import shown_keys
from tests.support.store_server import StoreServer

Start = Callable[..., World]
WITHIN = 45.0
"""Seconds. No test waits that long unless it fails."""


def server_of(world: World) -> StoreServer:
    """Return the world's database server."""
    assert world.server
    return world.server


def test_an_outage_of_the_database_loses_nothing(start: Start) -> None:
    world = start("http")
    person, waiting = world.engineer(), world.engineer()
    message, card = world.approved(person), world.asks(waiting)
    before = (world.request(person), world.request(waiting))
    world.settle()  # a rendering that is cut off keeps its lock for a minute
    server_of(world).stop()

    for line in ("/key create x", "/key list", "/key help"):
        person.command(line)
        refused(world, person, Code.STORE_UNAVAILABLE)
    for button in (action_ids.REVEAL, action_ids.CANCEL):
        person.click(message, button)
        refused(world, person, Code.STORE_UNAVAILABLE)
    world.carol.click(card, action_ids.APPROVE)
    refused(world, world.carol, Code.STORE_UNAVAILABLE)
    assert not world.changes(person) and not world.changes(waiting)

    server_of(world).start()

    assert (world.request(person), world.request(waiting)) == before
    world.carol.click(card, action_ids.APPROVE)
    world.revealable(waiting)
    key = world.reveals(person)
    assert world.keys(person) == {key.key_id: "Active"}
    world.receipt(person, key)


def test_a_killed_bots_unfinished_work_is_done_by_the_next(start: Start, tmp_path: Path) -> None:
    """It is killed while it reads permissions.

    The next process completes the same card.
    """
    clock = tmp_path / "clock"
    clock.write_text("0")
    world = start(TRIAL_CLOCK=str(clock))
    person = world.engineer()
    hold = world.aws.faults.hold("ListMFADevices")
    types(world, person, "/key create nightly backup")
    card = card_of(world, person)
    assert hold.reached.wait(10) and world.running
    world.settle()  # a rendering that is cut off keeps its lock for a minute

    world.running.kill()
    world.aws.faults.clear()
    clock.write_text("31")
    world.running.start()

    until(world, lambda: not world.request(person).awaits_permissions, "the permissions are read")
    assert card_of(world, person).ts == card.ts
    world.carol.click(card, action_ids.APPROVE)
    world.revealable(person)


def test_a_key_that_cannot_be_recorded_is_deleted_unseen(timed: World) -> None:
    person = timed.engineer()
    message = timed.approved(person)
    hold = timed.aws.faults.hold("CreateAccessKey", "after")
    person.click(message, action_ids.REVEAL)
    assert hold.reached.wait(WITHIN)
    assert len(timed.keys(person)) == 1
    timed.settle()
    server_of(timed).stop()

    hold.release()

    refused(timed, person, Code.UNRECORDED_KEY_DELETED)
    assert timed.keys(person) == {} and shown_keys(person) == []
    server_of(timed).start()
    timed.pass_time(minutes=17)
    key = timed.reveals(person)
    assert timed.keys(person) == {key.key_id: "Active"}


def test_an_unrecorded_delivery_asks_the_requester(timed: World) -> None:
    """The database goes while Slack shows the key, whose ID is on record."""
    person = timed.engineer()
    message = timed.approved(person)
    hold = timed.slack.faults.hold("chat.postEphemeral", "after")
    person.click(message, action_ids.REVEAL)
    assert hold.reached.wait(WITHIN)
    timed.settle()
    server_of(timed).stop()
    hold.release()
    until(
        timed,
        lambda: any(one.verb == action_ids.REVEAL for one in timed.answers.of(person.id)),
        "it goes on without the database",
    )
    key = until(timed, lambda: shown_keys(person), "the key is shown")[0]
    server_of(timed).start()

    timed.pass_time(minutes=2)

    clicks(timed, person, timed.receipt(person, key), action_ids.HAVE_IT)
    timed.reaches(person, "confirmed")
    assert timed.keys(person) == {key.key_id: "Active"}
    assert timed.changes(person) == ["CreateAccessKey"]


@pytest.mark.parametrize("fault", ["refused", "cut before", "rate limit"])
def test_what_slack_does_not_take_is_posted_later(timed: World, fault: str) -> None:
    person = timed.engineer()
    faults, before = timed.slack.faults, timed.log.count("rescheduled")
    if fault == "refused":
        faults.fail("chat.postMessage", "internal_error", times=4)
    elif fault == "cut before":
        faults.drop("chat.postMessage", "before", times=2)
    else:
        faults.status("chat.postMessage", 429, times=2, retry_after=7)
    types(timed, person, "/key create x")
    until(timed, lambda: timed.log.count("rescheduled") > before, "it is rescheduled")
    assert timed.card(person) is None

    for _ in range(2):
        timed.pass_time(minutes=1)
    faults.clear()
    timed.pass_time(minutes=1)

    timed.carol.click(card_of(timed, person), action_ids.APPROVE)
    timed.revealable(person)
    posted = [one for one in timed.carol.messages("key-approvals") if named(person) in one.words]
    assert len([one for one in posted if not one.ephemeral]) == 1


def test_a_card_posted_twice_can_be_decided_in_either(timed: World) -> None:
    """The answer to the first was lost."""
    person = timed.engineer()
    before = timed.log.count("rescheduled")
    timed.slack.faults.drop("chat.postMessage", "after")
    person.command("/key create x")
    first = timed.carol.wait_for("key-approvals", named(person), action_ids.APPROVE)
    until(timed, lambda: timed.log.count("rescheduled") > before, "it is rescheduled")
    timed.pass_time(minutes=1)

    def undecided() -> int:
        cards = [one for one in timed.carol.messages("key-approvals") if named(person) in one.words]
        return sum(one.has_button(action_ids.APPROVE) for one in cards)

    until(timed, lambda: undecided() == 2, "there is a second message")

    timed.carol.click(first, action_ids.APPROVE)

    timed.revealable(person)
    until(timed, lambda: undecided() == 0, "both show the decision")


def test_an_approved_enable_waits_for_aws(timed: World) -> None:
    person, key_id = with_inactive(timed)
    types(timed, person, f"/key enable {key_id} x")
    card = card_of(timed, person)
    timed.aws.faults.down()

    clicks(timed, timed.carol, card, action_ids.APPROVE, Code.APPROVED_NOT_APPLIED)

    timed.aws.faults.down(False)
    for _ in range(4):
        timed.pass_time(minutes=5)
    until(timed, lambda: timed.keys(person) == {key_id: "Active"}, "it is enabled")
