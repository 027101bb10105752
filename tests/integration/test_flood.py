"""One person floods the running bot: the others are served meanwhile, and afterwards everything is as it should be."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from bot.domain.codes import Code
from bot.domain.rate_limits import RateLimited
from bot.slack import action_ids
from tests.support.running_world import World, ephemerals, form_opens

Start = Callable[..., World]
FLOOD, HANDS = 300, 12
WITHIN = 60.0  # seconds; no test waits that long unless it fails


def nothing_went_wrong(world: World) -> None:
    """No exception, and nobody was left without an answer by a fault."""
    assert world.running
    assert world.running.events("unexpected") == [] and "Traceback" not in world.running.log


@pytest.mark.parametrize("transport", ["socket", "http"])
def test_a_flood_of_one_user_stops_no_other_user(start: Start, transport: str) -> None:
    world = start(transport)
    mallory, alice = world.engineer(), world.engineer()
    card = world.asks(mallory)
    going, served, numbers = threading.Event(), threading.Event(), itertools.count()

    def hand() -> list[bool]:
        """Sends one after the other, all hands together at least `FLOOD` and until Alice is served."""
        acked: list[bool] = []
        while (number := next(numbers)) < FLOOD or not served.is_set():
            if number == HANDS:
                going.set()
            acked.append(one(number % 4))
        return acked

    def one(step: int) -> bool:
        if step == 0:
            return mallory.command("/key list").acked
        if step == 1:
            return mallory.command("/key create again").acked
        if step == 2:
            return mallory.command("/key nonsense").acked
        return mallory.click(card, action_ids.APPROVE).acked

    with ThreadPoolExecutor(HANDS) as hands:
        flood = [hands.submit(hand) for _ in range(HANDS)]
        try:
            assert going.wait(WITHIN)
            key = world.delivered(alice)
        finally:
            served.set()
        acked = [one for done in flood for one in done.result(WITHIN)]
    assert all(acked) and len(acked) >= FLOOD

    assert world.keys(alice) == {key.key_id: "Active"} and not world.keys(mallory)
    assert len(world.requests(mallory)) == 1 and world.request(mallory).status == "pending"
    assert "create" in [entry["action"] for entry in world.entries(world.request(mallory))]
    world.carol.click(card, action_ids.APPROVE)
    assert world.reaches(mallory, "approved")
    nothing_went_wrong(world)


def test_a_reveal_over_the_limit_keeps_the_approval(start: Start) -> None:
    world = start(REVEALS_AN_HOUR="1/9")
    alice = world.engineer()
    key = world.delivered(alice)
    alice.click(world.receipt(alice, key), action_ids.DID_NOT_GET)
    again = world.revealable(alice)
    made = world.changes(alice).count("CreateAccessKey")
    for _ in range(3):
        alice.click(again, action_ids.REVEAL)
    world.answered(alice, RateLimited)
    world.slack.wait_until(lambda: len(refusals(world, "reveal")) == 3, why="all three are refused")
    assert world.changes(alice).count("CreateAccessKey") == made == 1
    assert world.request(alice).status == "approved"
    nothing_went_wrong(world)


def refusals(world: World, verb: str) -> list[dict[str, object]]:
    """The log's lines of what was refused because it was too much."""
    assert world.running
    return [line for line in world.running.events(verb) if line.get("code") == Code.RATE_LIMITED]


def test_a_limit_is_answered_once_and_in_forms_always(
    start: Start,
) -> None:
    world = start(REQUESTS_AN_HOUR="1/9")
    person = world.engineer()
    world.asks(person)
    person.click(person.wait_for("dm", button=action_ids.CANCEL), action_ids.CANCEL)
    world.reaches(person, "cancelled")

    assert world.running
    bot = world.running
    before = sum(len(ephemerals(person, channel)) for channel in ("dm", "general"))
    for _ in range(3):
        assert person.command("/key create once more").acked
    world.slack.wait_until(
        lambda: sum(one.get("code") == Code.RATE_LIMITED for one in bot.events("create")) == 3,
        why="three are refused",
    )
    told = [one for channel in ("dm", "general") for one in ephemerals(person, channel)]
    assert len(told) == before + 1, "it is said once"

    assert person.command("/key create").acked
    form_opens(person, action_ids.CREATE_FORM)
    assert person.submit({"reason": "and once more"}).acked
    world.answered(person, RateLimited)
    assert len(world.requests(person)) == 1 and world.changes(person) == []
