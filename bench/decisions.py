"""Measure the seconds from a click until all messages show the decision.

The workspace keeps to Slack's limits, and the real bot is a process of its own:
`python -m bench.decisions [open] [burst] [processes] [approvers with their Home tab open]`.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.store import embedded
from sandbox.aws import LocalAws
from sandbox.local import LocalSlack
from sandbox.local_person import LocalPerson
from sandbox.people import Person
from sandbox.seen import SeenMessage
from sandbox.web_api import Call
from tests.support.running_bot import MANIFEST, RunningBot

CHANNEL = "C0APPROVALS"
MAX_WAIT_SECONDS = 180
"""Seconds after which a message counts as not shown at all."""
NEVER = math.inf


@dataclass(frozen=True)
class Asked:
    """One open request: who asked, why, and its card."""

    person: LocalPerson
    reason: str
    card: SeenMessage


@dataclass(frozen=True)
class DecisionTimes:
    """Seconds from a click until each message showed it.

    `home` is the last of the open Home tabs.
    """

    card: float
    asked: float
    outcome: float
    home: float

    @property
    def all(self) -> float:
        """Return the seconds until the last message shows the decision."""
        return max(self.card, self.asked, self.outcome, self.home)


class Bench:
    """A workspace, its people, and the bots that serve it."""

    def __init__(self, slack: LocalSlack, aws: LocalAws, open_homes: int) -> None:
        self.slack, self.aws = slack, aws
        self.approvers = [
            slack.person("carol"),
            *(self._person(f"APP{n}") for n in range(open_homes - 1)),
        ]
        slack.set_group("S0APPROVERS", [one.id for one in self.approvers])

    def _person(self, mark: str) -> LocalPerson:
        name = mark.lower()
        person = Person(f"U0{mark}", name, f"Person {mark}", f"{name}@example.com")
        self.aws.client("iam").create_user(UserName=person.email)
        return self.slack.add_person(person, ["C0GENERAL", CHANNEL])

    def ask(self, count: int) -> tuple[list[Asked], float]:
        """Let `count` people ask at once.

        Returns:
            Their requests, and the seconds until the last card was posted.
        """
        people = [(self._person(f"ENG{n:03}"), f"reason {n:03}") for n in range(count)]
        began = time.monotonic()
        with ThreadPoolExecutor(20) as threads:
            acks = list(threads.map(lambda one: one[0].command(f"/key create {one[1]}"), people))
        assert all(ack.acked and ack.body is None for ack in acks), "a request was not accepted"
        cards = self.slack.wait_until(
            lambda: self._cards([reason for _, reason in people]), 3 * MAX_WAIT_SECONDS, "all cards"
        )
        took = time.monotonic() - began
        return [Asked(person, reason, cards[reason]) for person, reason in people], took

    def _cards(self, reasons: list[str]) -> dict[str, SeenMessage] | None:
        seen = self.slack.person("carol").messages("key-approvals")
        found = {
            reason: one
            for reason in reasons
            for one in seen
            if reason in one.words and one.has_button("Approve")
        }
        return found if len(found) == len(reasons) else None

    def decide(self, requests: list[Asked]) -> tuple[list[DecisionTimes], list[float]]:
        """Let the approvers click at once.

        Returns:
            The times of each request, and the milliseconds of each acknowledgement.
        """

        def click(one: tuple[int, Asked]) -> tuple[float, float]:
            at = time.time()
            delivery = self.approvers[one[0] % len(self.approvers)].click(one[1].card, "Approve")
            assert delivery.acked, delivery
            return at, delivery.milliseconds

        with ThreadPoolExecutor(len(requests)) as threads:
            clicks = list(threads.map(click, enumerate(requests)))
        since = min(at for at, _ in clicks)
        until = time.monotonic() + MAX_WAIT_SECONDS
        shown: list[DecisionTimes] = []

        def over() -> bool:
            shown[:] = self._shown(requests, [at for at, _ in clicks], since)
            return all(one.all < NEVER for one in shown) or time.monotonic() > until

        self.slack.wait_until(over, MAX_WAIT_SECONDS + 10, "all messages")
        return shown, [ms for _, ms in clicks]

    def _shown(
        self, requests: list[Asked], clicked: list[float], since: float
    ) -> list[DecisionTimes]:
        calls = [one for one in self.slack.calls() if one.at >= since and one.answer.get("ok")]
        homes = [
            (one.at, str(one.args["user_id"]), json.dumps(one.args["view"]))
            for one in calls
            if one.method == "views.publish"
        ]
        return [
            self._one(request, at, calls, homes)
            for request, at in zip(requests, clicked, strict=True)
        ]

    def _one(
        self, request: Asked, at: float, calls: list[Call], open_homes: list[tuple[float, str, str]]
    ) -> DecisionTimes:
        def first(method: str, channel: str, ts: str = "") -> float:
            return (
                next(
                    (
                        one.at
                        for one in calls
                        if one.method == method
                        and one.args["channel"] == channel
                        and ts in ("", one.args.get("ts"))
                    ),
                    NEVER,
                )
                - at
            )

        tabs = [
            next(
                (
                    when
                    for when, whose, view in open_homes
                    if whose == one.id and request.reason not in view
                ),
                NEVER,
            )
            for one in self.approvers
        ]
        return DecisionTimes(
            first("chat.update", CHANNEL, request.card.ts),
            first("chat.update", request.person.dm),
            first("chat.postMessage", request.person.dm),
            max(tabs) - at,
        )


@contextmanager
def running(processes: int, open_homes: int) -> Iterator[tuple[Bench, list[RunningBot]]]:
    """Yield a bench with `processes` bots on one store."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        slack, aws = stack.enter_context(LocalSlack(MANIFEST)), stack.enter_context(LocalAws())
        server = embedded.start(folder / "store")
        stack.callback(server.stop)
        bots = []
        for number in range(processes):
            (folder / str(number)).mkdir()
            more = {"REDIS_URL": server.url, "SWEEP_EVERY": "15s", "TRIAL_PACE": "1"}
            bots.append(
                stack.enter_context(RunningBot(slack, aws, folder / str(number), more=more))
            )
        slack.wait_until(lambda: slack.connections == processes, 30, "all bots are there")
        yield Bench(slack, aws, open_homes), bots


def spread(values: list[float]) -> str:
    """Return the median and the last, in seconds."""
    ordered = sorted(values)
    never = f"  ({values.count(NEVER)} of {len(values)} never)" if NEVER in values else ""
    return f"{ordered[len(ordered) // 2]:7.2f} {ordered[-1]:7.2f}{never}"


def main(waiting: int = 100, burst: int = 20, processes: int = 1, open_homes: int = 20) -> None:
    """Run the bench and print what it measured."""
    with running(processes, open_homes) as (bench, bots):
        # Not held to the limits yet: a person's DM is opened 50 times a minute.
        requests, cards = bench.ask(waiting)
        print(
            f"{waiting} asked at once, {processes} process(es); all cards stood after {cards:.1f} "
            f"s",
            flush=True,
        )
        for approver in bench.approvers:
            approver.open_home()
            approver.wait_for_home(requests[0].reason)
        time.sleep(61)  # the minute that the bot counts
        bench.slack.keep_to_limits()
        before = len(bench.slack.calls())
        shown, acks = bench.decide(requests[:burst])
        calls = bench.slack.calls()[before:]
        limited = sum(one.answer.get("error") == "ratelimited" for one in calls)
        print(f"{burst} decided at once, {open_homes} Home tabs open")
        print(
            f"acks: at most {max(acks):.0f} ms; {len(calls)} calls, {limited} of them answered 429"
        )
        print("seconds from click to copy:  median    last")
        for name in ("card", "asked", "outcome", "home", "all"):
            print(f"  {name:26} {spread([getattr(one, name) for one in shown])}")


if __name__ == "__main__":
    main(*(int(one) for one in sys.argv[1:]))
