"""How is the running bot stopped at one of its calls, killed there, and followed until its person has a key?

A journey stands still because Slack or AWS does not answer: the local workspace, or the layer before moto, keeps
the call waiting. Nothing in the product knows of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from bot.domain.codes import Code
from bot.domain.errors import KeydeskError
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.slack import action_ids
from bot.slack.messages.errors import text
from bot.store import embedded
from bot.store.connection import connect
from sandbox.aws import LocalAws
from sandbox.aws_faults import AwsFaults
from sandbox.faults import Faults, Hold, Moment
from sandbox.local import LocalSlack
from sandbox.seen import SeenMessage, names_in, readable
from tests.support.answers import Answer, AnswerLog
from tests.support.running_bot import MANIFEST, MovedClock, RunningBot, built_bot, wait_for

T = TypeVar("T")

ALICE = "alice@example.com"
CARDS = "key-approvals"
LEASE = "6s"  # AWS and Slack get a sixth of it for each answer
SETTINGS = {"LOOK_AFTER": "2s", "SWEEP_EVERY": "1s"}
DRAWINGS = ("chat.update", "chat.postMessage")
RESTS = (Status.PENDING, Status.APPROVED, Status.DELIVERED, Status.CONFIRMED)
PATIENCE = 30  # seconds
LOCK_LASTS = 60  # seconds for which a process that died may have locked a drawing
YOUNG_FOR = 5  # minutes for which the absence of a new key proves nothing
CLICKS = 8  # more than anybody needs to get a key after one crash


@dataclass(frozen=True)
class Journey:
    """What is clicked, from where, and every call that follows, in order; drawings are finished before each step.

    `killed_at` are the calls (counted from 0) at which the bot is killed; None: all of them.
    """

    arrange: Callable[[CrashWorld], object]
    click: Callable[[CrashWorld], object]
    calls: tuple[str, ...]
    killed_at: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Point:
    """Where a journey stands still: at its `number`th call, counted from 0, before that takes effect or after."""

    number: int
    moment: Moment

    def method(self, journey: Journey) -> str:
        return journey.calls[self.number]

    def nth(self, journey: Journey) -> int:
        """Which of the calls of its method it is, counted from 1."""
        return journey.calls[: self.number + 1].count(self.method(journey))


class CrashWorld:
    """Alice, Carol and the real bot, which can be stopped at a call, killed and started again."""

    def __init__(
        self, slack: LocalSlack, aws: LocalAws, bot: RunningBot, setenv: Callable[[str, str], None]
    ) -> None:
        self.slack, self.aws, self.bot, self._setenv = slack, aws, bot, setenv
        self.alice, self.carol = slack.person("alice"), slack.person("carol")
        self.reveals = 0
        self.kept = self.delete_first = ""
        self._gates: dict[str, Hold] = {}

    # -- what people do

    def ask(self) -> None:
        self.alice.command("/key create nightly backup")
        self.rest(Status.PENDING)

    def approve(self) -> None:
        self.carol.click(self.oldest(CARDS, action_ids.APPROVE), action_ids.APPROVE)

    def reveal(self) -> None:
        self.reveals += 1
        self.alice.click(self.oldest("dm", action_ids.REVEAL), action_ids.REVEAL)

    def did_not_get(self) -> None:
        self.alice.click(self.oldest("dm", action_ids.DID_NOT_GET), action_ids.DID_NOT_GET)

    def get_approved(self) -> None:
        self.ask()
        self.approve()
        self.rest(Status.APPROVED)

    def get_delivered(self) -> None:
        self.get_approved()
        self.reveal()
        self.rest(Status.DELIVERED)

    def get_rotation_approved(self) -> None:
        """Alice has two keys, as many as IAM allows; one is to be replaced and stays, the other goes at the reveal."""
        iam = self.aws.client("iam")
        self.kept, self.delete_first = (
            iam.create_access_key(UserName=ALICE)["AccessKey"]["AccessKeyId"] for _ in range(2)
        )
        for key_id in self.known:
            self.aws.backdate(key_id, datetime.now(UTC) - timedelta(days=95))
        self.alice.command(f"/key rotate {self.kept} --delete {self.delete_first}")
        self.rest(Status.PENDING)
        self.approve()
        self.rest(Status.APPROVED)

    def make_room(self) -> None:
        """Carol deletes the key that was found after a lost answer and fills the slot of the one that went."""
        found = set(self.aws.key_ids(ALICE)) - self.known
        self.carol.click(self.oldest(CARDS, action_ids.FOUND_DELETE), action_ids.FOUND_DELETE)
        self._until(lambda: not found & set(self.aws.key_ids(ALICE)), "the found key to be deleted")

    def go_on(self) -> KeyRequest:
        """Alice and Carol click what the desk offers them until Alice has a key; returns the request.

        She says that she has a key whose secret she sees, and that she did not get any other.
        """
        for _ in range(CLICKS):
            request = self.rest()
            if request.status is Status.CONFIRMED:
                return request
            if request.status is Status.DELETING:
                self.minutes_pass(YOUNG_FOR + 1)
            elif request.status is Status.PENDING:
                self.approve()
            elif request.status is Status.APPROVED:
                if len(set(self.aws.key_ids(ALICE)) - {self.delete_first}) > 1:
                    self.make_room()
                self.reveal()
            elif self.sees_secret_of(request.access_key_id):
                self.alice.click(self.oldest("dm", action_ids.HAVE_IT), action_ids.HAVE_IT)
            else:
                self.did_not_get()
            self._until(
                lambda before=request.version: self.request().version > before,
                "the click to be carried out",
            )
        raise AssertionError(f"no key after {CLICKS} clicks\n{self.slack.describe()}")

    # -- standing still

    def walk(self, journey: Journey, point: Point | None) -> None:
        """Clicks, and lets the journey run until it stands still at `point`, or to its end.

        Each step waits until the copies in Slack are drawn, so that the calls come in the same order every time.
        Where a drawing is the point, the journey itself stands still before its next step.
        """
        steps = [method for method in journey.calls if method not in DRAWINGS]
        self._gates = {method: self.faults(method).hold(method, "before") for method in steps}
        hold = self._hold(journey, point)
        journey.click(self)
        in_drawing = point is not None and point.method(journey) in DRAWINGS

        def still(gate: Hold) -> bool:
            if not _reached(hold):
                return gate.reached.is_set() and self.rendered()
            return gate.reached.is_set() if in_drawing else self.rendered()

        for method, gate in self._gates.items():
            self._until(partial(still, gate), method)
            if _reached(hold):
                return
            gate.release()
        self._until(lambda: _reached(hold) if hold else self.rendered(), "the last call")

    def _hold(self, journey: Journey, point: Point | None) -> Hold | None:
        if point is None:
            return None
        method = point.method(journey)
        if method in self._gates and point.moment == "before" and point.nth(journey) == 1:
            return self._gates[method]
        return self.faults(method).hold(method, point.moment, point.nth(journey))

    def faults(self, method: str) -> Faults | AwsFaults:
        """Where a call meets its faults: IAM's actions begin with a capital letter, Slack's methods do not."""
        return self.aws.faults if method[0].isupper() else self.slack.faults

    # -- crashes and time

    def crash(self) -> None:
        """kill -9, and a start in the same folder. A call that is held never takes effect any more."""
        self.bot.kill()
        self.start_again()

    def start_again(self) -> None:
        """The killed bot starts again, a minute later as far as locks are concerned; nothing is held from now on."""
        for gate in self._gates.values():
            if not gate.reached.is_set():
                gate.release()
        self._unlock()
        self.bot.start()

    def minutes_pass(self, minutes: float) -> None:
        """The bot is killed, another sweeps whose clock is that far ahead, then the bot starts again."""
        self.bot.kill()
        self._unlock()
        server = embedded.start(self.bot.data_dir)
        clock = MovedClock()
        clock.move(minutes=minutes)
        try:
            with built_bot(
                self.slack, self.aws, server.url, clock, self._setenv, **self.bot.more
            ) as later:
                later.scheduler.run_once()
        finally:
            server.stop()
        self.bot.start()

    def _unlock(self) -> None:
        """What a minute does by itself: a dead process's locks on drawings run out. None of them is without an end."""
        server = embedded.start(self.bot.data_dir)
        client = connect(server.url)
        try:
            for lock in client.scan_iter("{keydesk}:render-lock:*"):
                assert 0 < client.ttl(lock) <= LOCK_LASTS
                client.delete(lock)
        finally:
            client.close()
            server.stop()

    # -- looking

    def request(self) -> KeyRequest:
        """Alice's request as it is stored."""
        return self.bot.requests_of(self.alice.id)[0]

    def rendered(self) -> bool:
        """Whether every copy in Slack shows what is stored."""
        with self.bot.store() as store:
            return not store.unrendered(datetime.now(UTC) + timedelta(days=1))

    @property
    def known(self) -> set[str]:
        """The keys that Alice had before she asked."""
        return {self.kept, self.delete_first} - {""}

    def active(self) -> list[str]:
        """Alice's living keys, but those that she had before she asked."""
        keys = [key["AccessKeyId"] for key in self.aws.keys(ALICE) if key["Status"] == "Active"]
        return [key_id for key_id in keys if key_id not in self.known]

    def rest(self, status: Status | None = None) -> KeyRequest:
        """Waits until nothing moves any more by itself (or for this status), all of it drawn; returns the request.

        A withdrawal rests as well once it was put off because IAM's word on so young a key proves nothing.
        """

        def resting() -> KeyRequest | None:
            assert len(self.active()) <= 1, "two living keys"
            with self.bot.store() as store:
                found = next(iter(store.requests_of(self.alice.id)), None)
                if (
                    found is None
                    or found.awaits_permissions
                    or store.unrendered(datetime.now(UTC) + timedelta(days=1))
                ):
                    return None
                put_off = found.status is Status.DELETING and store.reschedule_count(found.name) > 0
                return (
                    found
                    if (found.status is status if status else found.status in RESTS or put_off)
                    else None
                )

        return self._until(resting, f"the request to rest{f' as {status}' if status else ''}")

    def told(self, *words: str) -> SeenMessage:
        """Waits until Alice reads all these words in one message; returns the newest such."""

        def found() -> SeenMessage | None:
            seen = reversed(self.alice.messages("dm"))
            return next((one for one in seen if all(word in one.words for word in words)), None)

        return self.slack.wait_until(found, PATIENCE, f"Alice reads {words}")

    def answered(self, code: Code, *words: str, cause: Code | None = None) -> None:
        """Waits until Alice is answered with this code (for this cause), and reads it with all these words."""

        def found() -> Answer | None:
            given = AnswerLog(self.bot.folder).of(self.alice.id)
            return next((one for one in given if one.is_of(KeydeskError, code)), None)

        answer = self.slack.wait_until(found, PATIENCE, f"Alice is answered {code}")
        assert cause is None or answer.facts["cause"] == cause, answer
        name_of = self.slack.look(lambda box: names_in(box.workspace))
        self.told(readable(text(code, answer.facts), name_of), *words)

    def oldest(self, channel: str, button: str) -> SeenMessage:
        """The oldest message with this button: where there is one too many, the one that the bot may not know of."""
        person = self.carol if channel == CARDS else self.alice

        def found() -> SeenMessage | None:
            return next((one for one in person.messages(channel) if one.has_button(button)), None)

        return self.slack.wait_until(found, PATIENCE, f"somebody sees {button!r} in {channel}")

    def sees_secret_of(self, key_id: str) -> bool:
        return any(
            one.ephemeral and self.aws.secrets[key_id] in one.words
            for one in self.alice.messages("dm")
        )

    def _until(self, condition: Callable[[], T], why: str) -> T:
        found: T = wait_for(
            condition, PATIENCE, lambda: f"{why}\n{self.slack.describe()}\n{self.bot.log[-3000:]}"
        )
        return found


@contextmanager
def crash_world(
    folder: Path, setenv: Callable[[str, str], None], lease: str = LEASE
) -> Iterator[CrashWorld]:
    """A workspace, an AWS and a bot that serves; its memory and its logs are in `folder`."""
    with LocalSlack(MANIFEST) as slack, LocalAws([ALICE]) as aws:
        aws.keys(
            ALICE
        )  # moto loads much at its first call, longer than the bot waits for an answer
        with RunningBot(slack, aws, folder, more={"LEASE_TTL": lease, **SETTINGS}) as bot:
            yield CrashWorld(slack, aws, bot, setenv)


def _reached(hold: Hold | None) -> bool:
    return hold is not None and hold.reached.is_set()
