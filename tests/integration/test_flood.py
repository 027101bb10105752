"""One person floods the running bot: the others are served meanwhile, and afterwards everything is as it should be."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.running_world import World, ephemerals

Start = Callable[..., World]
FLOOD, HANDS = 300, 12
WITHIN = 60.0  # seconds; no test waits that long unless it fails


def nothing_went_wrong(world: World) -> None:
    """No exception, and nobody was left without an answer by a fault."""
    assert world.running
    assert world.running.events("unexpected") == [] and "Traceback" not in world.running.log


@pytest.mark.parametrize("transport", ["socket", "http"])
def test_a_flood_of_one_person_keeps_nobody_else_from_asking_deciding_and_revealing(
    start: Start, transport: str
) -> None:
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
        return mallory.click(card, "Approve").acked

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
    world.carol.click(card, "Approve")
    assert world.reaches(mallory, "approved")
    nothing_went_wrong(world)


def test_a_reveal_too_many_makes_no_key_and_the_request_stays_approved(start: Start) -> None:
    world = start(REVEALS_AN_HOUR="1/9")
    alice = world.engineer()
    key = world.delivered(alice)
    alice.click(world.receipt(alice, key), "I did not get it")
    again = world.revealable(alice, "withdrawn")
    made = world.changes(alice).count("CreateAccessKey")
    for _ in range(3):
        alice.click(again, "Reveal my key")
    alice.wait_for("dm", "you have revealed a key once in this hour")
    world.slack.wait_until(lambda: len(refusals(world, "reveal")) == 3, why="all three are refused")
    assert world.changes(alice).count("CreateAccessKey") == made == 1
    assert world.request(alice).status == "approved"
    nothing_went_wrong(world)


def refusals(world: World, verb: str) -> list[dict[str, object]]:
    """The log's lines of what was refused because it was too much."""
    assert world.running
    return [line for line in world.running.events(verb) if line.get("why") == "RateLimited"]


def test_a_deed_too_many_is_refused_once_in_words_and_then_counted_in_silence_but_for_forms(
    start: Start,
) -> None:
    world = start(REQUESTS_AN_HOUR="1/9")
    person = world.engineer()
    world.asks(person)
    person.click(person.wait_for("dm", button="Cancel request"), "Cancel request")
    world.reaches(person, "cancelled")

    assert world.running
    bot = world.running
    for _ in range(3):
        assert person.command("/key create once more").acked
    world.slack.wait_until(
        lambda: sum(one.get("why") == "RateLimited" for one in bot.events("create")) == 3,
        why="three are refused",
    )
    told = [
        one
        for channel in ("dm", "general")
        for one in ephemerals(person, channel)
        if "once" in one.words
    ]
    assert (
        len([one for one in told if "I have done nothing: you have asked once" in one.words]) == 1
    )

    assert person.command("/key create").acked
    person.wait_for_modal("What is the key for?")
    assert person.submit({"reason": "and once more"}).acked
    person.wait_for_modal("I have done nothing")
    assert len(world.requests(person)) == 1 and world.changes(person) == []
