"""A flood by one user: the others are served meanwhile, and limits hold."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from bot.domain.codes import Code
from bot.slack import action_ids
from tests.integration.steps import refused
from tests.support.running_world import World
from tests.support.seen_by_user import ephemerals, form_opens

Start = Callable[..., World]
FLOOD, HANDS = 300, 12
WITHIN = 60.0
"""Seconds. No test waits that long unless it fails."""


def nothing_went_wrong(world: World) -> None:
    """Assert that nothing unexpected was logged."""
    assert world.running
    assert world.running.events("unexpected") == [] and "Traceback" not in world.running.log


def limited(world: World, verb: str) -> int:
    """Count the log's lines of what was refused by a limit."""
    assert world.running
    return sum(one.get("code") == Code.RATE_LIMITED for one in world.running.events(verb))


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["socket", "http"])
def test_a_flood_of_one_user_stops_no_other_user(start: Start, transport: str) -> None:
    world = start(transport)
    mallory, alice = world.engineer(), world.engineer()
    card = world.asks(mallory)
    running, served, numbers = threading.Event(), threading.Event(), itertools.count()
    steps = (
        lambda: mallory.command("/key list"),
        lambda: mallory.command("/key create again"),
        lambda: mallory.command("/key nonsense"),
        lambda: mallory.click(card, action_ids.APPROVE),
    )

    def hand() -> list[bool]:
        """Send one after the other, until all hands sent enough and Alice is served."""
        acked: list[bool] = []
        while (number := next(numbers)) < FLOOD or not served.is_set():
            if number == HANDS:
                running.set()
            acked.append(steps[number % 4]().acked)
        return acked

    with ThreadPoolExecutor(HANDS) as hands:
        flood = [hands.submit(hand) for _ in range(HANDS)]
        try:
            assert running.wait(WITHIN)
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


@pytest.mark.slow
def test_a_reveal_over_the_limit_keeps_the_approval(start: Start) -> None:
    world = start(REVEALS_AN_HOUR="1/9")
    alice = world.engineer()
    key = world.delivered(alice)
    alice.click(world.receipt(alice, key), action_ids.DID_NOT_GET)
    again = world.revealable(alice)
    for _ in range(3):
        alice.click(again, action_ids.REVEAL)
    refused(world, alice, Code.RATE_LIMITED)
    world.slack.wait_until(lambda: limited(world, "reveal") == 3, why="all three are refused")
    assert world.changes(alice).count("CreateAccessKey") == 1
    assert world.request(alice).status == "approved"
    nothing_went_wrong(world)


@pytest.mark.slow
def test_a_limit_is_answered_once_and_in_forms_always(start: Start) -> None:
    world = start(REQUESTS_AN_HOUR="1/9")
    person = world.engineer()
    world.asks(person)
    person.click(person.wait_for("dm", button=action_ids.CANCEL), action_ids.CANCEL)
    world.reaches(person, "cancelled")

    def told() -> int:
        return sum(len(ephemerals(person, channel)) for channel in ("dm", "general"))

    world.slack.wait_until(lambda: told() == 2, why="the request and its end are answered")
    before = told()
    for _ in range(3):
        assert person.command("/key create once more").acked
    world.slack.wait_until(lambda: limited(world, "create") == 3, why="three are refused")
    assert told() == before + 1

    assert person.command("/key create").acked
    form_opens(person, action_ids.CREATE_FORM)
    assert person.submit({"reason": "and once more"}).acked
    refused(world, person, Code.RATE_LIMITED)
    assert len(world.requests(person)) == 1 and world.changes(person) == []
