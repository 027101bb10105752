"""The calls of a journey where a crash, failure or console change matters."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta

from bot.domain.requests import KeyRequest
from tests.support.crash_journeys import Steps, calls, lost, refused, walk_and_die
from tests.support.taps import ProcessDied
from tests.support.world import World, make_desk

WRITES = {
    "store.commit",
    "store.reschedule",
    "issuer.create_key",
    "issuer.set_status",
    "issuer.delete_key",
    "messenger.deliver",
}
"""The calls with an effect. To lose another call's answer is the same as to lose the call."""

FAILURES: dict[str, tuple[str, Callable[[str], BaseException]]] = {
    "call lost": ("before", lost),
    "answer lost": ("after", lost),
    "refused": ("before", refused),
}
"""How a call fails: the side of the call, and its error."""


def crashes(steps: Steps) -> range:
    """Return the number of each call of a journey.

    A process that dies after a call leaves the same as one that dies before the next call.
    """
    return range(1, len(calls(steps)) + 1)


def die_twice(steps: Steps, call: int, second: int) -> tuple[World, KeyRequest]:
    """Let the process die after a call, and the next process after call `second`.

    Return the world at rest, and the request as it was after the first crash.
    """
    world, request = walk_and_die(steps, call, "after")
    world.taps.break_at(second, "after")
    for _ in range(20):
        with contextlib.suppress(ProcessDied):
            world.pass_time(timedelta(minutes=1))
    world.taps.calm()
    world.rest()
    return world, request


def failures(steps: Steps, failure: str) -> Iterator[int]:
    """Return the number of each call for which this failure differs from the others.

    To render raises nothing.
    """
    for number, name in enumerate(calls(steps), 1):
        differs = {
            "call lost": True,
            "answer lost": name in WRITES,
            "refused": type(refused(name)) is not type(lost(name)),
        }
        if differs[failure] and name != "messenger.render":
            yield number


def console_moments(steps: Steps) -> Iterator[tuple[str, int]]:
    """Return the moments at which a change in the console can make a difference.

    These are before each call to IAM, as its name and how often it was called up to then.
    """
    names = calls(steps)
    for number, name in enumerate(names, 1):
        if name.startswith("issuer"):
            yield name, names[:number].count(name)


def keys_of_journey(steps: Steps) -> list[str]:
    """Return the fields of the request that name a key at the end of a journey."""
    world = make_desk()
    request = steps[0](world)
    steps[1](world, request)
    fields = ("target", "access_key_id", "delete_first")
    return [field for field in fields if getattr(world.now(request), field)]
