"""Which calls does each journey of a hand-over make, and what must come of a kill at any of them?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from tests.verification.crashes.crash_world import DRAWINGS, CrashWorld, Journey, Point, crash_world
from tests.verification.crashes.promises import check_end, check_rest

REDRAWN = (
    "chat.update",
) * 3  # the card, the requester's first message, and the one after the decision

LEASE = "12s"  # longer, since several worlds share the machine's processors

JOURNEYS = {
    "approve": Journey(
        CrashWorld.ask,
        CrashWorld.approve,
        (
            "users.info",
            "usergroups.users.list",
            "chat.update",
            "chat.update",
            "chat.postMessage",
            "response_url",
        ),
    ),
    "reveal": Journey(
        CrashWorld.get_approved,
        CrashWorld.reveal,
        (
            "users.info",
            "GetUser",
            *REDRAWN,
            "CreateAccessKey",
            *REDRAWN,
            "chat.postEphemeral",
            *REDRAWN,
        ),
    ),
    "did not get it": Journey(
        CrashWorld.get_delivered,
        CrashWorld.did_not_get,
        (
            *REDRAWN,
            "DeleteAccessKey",
            "ListAccessKeys",
            "chat.update",
            "chat.update",
            "chat.postMessage",
            "chat.update",
            "response_url",
        ),
    ),
    "rotate with both slots taken": Journey(
        CrashWorld.get_rotation_approved,
        CrashWorld.reveal,
        (
            "users.info",
            "GetUser",
            "ListAccessKeys",
            "GetAccessKeyLastUsed",
            "GetAccessKeyLastUsed",
            *REDRAWN,
            "DeleteAccessKey",
            "ListAccessKeys",
            "CreateAccessKey",
            *REDRAWN,
            "chat.postEphemeral",
            *REDRAWN,
        ),
        killed_at=(8, 9, 10, 14),
    ),  # what a reveal does besides, and what the deletion changes for it
}


def points() -> Iterator[tuple[str, Point]]:
    """Both sides of every call of every journey; "just after its answer" is the moment before the next call."""
    for name, journey in JOURNEYS.items():
        for number in journey.killed_at or range(len(journey.calls)):
            yield name, Point(number, "before")
            yield name, Point(number, "after")


def within_a_drawing(name: str, point: Point) -> bool:
    """Between two updates of one drawing nothing is decided."""
    calls = JOURNEYS[name].calls
    beside = point.number - 1 if point.moment == "before" else point.number + 1
    return (
        calls[point.number] == "chat.update"
        and 0 <= beside < len(calls)
        and calls[beside] in DRAWINGS
    )


def kill_at(name: str, point: Point, folder: Path) -> None:
    """One kill, from the start to the key that its person has. Runs alone in its process, whose environment it sets."""
    journey = JOURNEYS[name]
    with crash_world(folder, os.environ.__setitem__, LEASE) as world:
        try:
            journey.arrange(world)
            world.walk(journey, point)
            world.crash()
            lost = int(point.method(journey) == "chat.postMessage" and point.moment == "after")
            check_rest(world, world.rest(), lost)
            check_end(world, world.go_on())
        except AssertionError as failure:
            failure.add_note(f"{world.slack.describe()}\n{world.bot.log[-3000:]}")
            raise
