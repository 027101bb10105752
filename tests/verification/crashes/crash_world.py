"""Stop the running bot at a call, kill it, and follow it until a key arrives.

A call is held by the local workspace, or by the layer before moto. The product knows nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from bot.domain.codes import Code
from bot.domain.errors import KeydeskError
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.slack import action_ids
from bot.store import embedded
from bot.store.connection import connect
from sandbox.aws import LocalAws
from sandbox.aws_faults import AwsFaults
from sandbox.faults import Faults, Hold, Moment
from sandbox.local import LocalSlack
from sandbox.seen import SeenMessage
from tests.support.answers import Answer, AnswerLog
from tests.support.running_bot import MANIFEST, MovedClock, RunningBot, built_bot, wait_for

T = TypeVar("T")

ALICE = "alice@example.com"
CARDS = "key-approvals"
LEASE = "6s"  # AWS and Slack get a sixth of it for each answer
SETTINGS = {"LOOK_AFTER": "2s", "SWEEP_EVERY": "1s"}
RESTS = (Status.PENDING, Status.APPROVED, Status.DELIVERED, Status.CONFIRMED)
PATIENCE = 30  # seconds
RENDER_LOCK_LASTS = 60  # seconds
YOUNG_FOR = 5  # minutes for which the absence of a new key proves nothing
MAX_CLICKS = 8  # more than anyone needs to get a key after one crash


@dataclass(frozen=True)
class Journey:
    """A click, and the state that it starts from."""

    arrange: Callable[[CrashWorld], object]
    click: Callable[[CrashWorld], object]


class CrashWorld:
    """Alice, Carol and the real bot, which can be stopped at a call and killed."""

    def __init__(
        self, slack: LocalSlack, aws: LocalAws, bot: RunningBot, setenv: Callable[[str, str], None]
    ) -> None:
        self.slack, self.aws, self.bot, self._setenv = slack, aws, bot, setenv
        self.alice, self.carol = slack.person("alice"), slack.person("carol")
        self.reveals = 0
        self.rotated = self.delete_first = ""

    # -- gestures

    def create(self) -> None:
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
        self.create()
        self.approve()
        self.rest(Status.APPROVED)

    def get_delivered(self) -> None:
        self.get_approved()
        self.reveal()
        self.rest(Status.DELIVERED)

    def get_rotation_approved(self) -> None:
        """Give Alice two keys, of which she rotates one and the reveal deletes the other."""
        iam = self.aws.client("iam")
        self.rotated, self.delete_first = (
            iam.create_access_key(UserName=ALICE)["AccessKey"]["AccessKeyId"] for _ in range(2)
        )
        for key_id in self.known:
            self.aws.backdate(key_id, datetime.now(UTC) - timedelta(days=95))
        self.alice.command(f"/key rotate {self.rotated} --delete {self.delete_first}")
        self.rest(Status.PENDING)
        self.approve()
        self.rest(Status.APPROVED)

    def delete_orphan(self) -> None:
        """Let Carol delete the orphaned key that takes the slot of the deleted one."""
        orphans = set(self.aws.key_ids(ALICE)) - self.known
        self.carol.click(self.oldest(CARDS, action_ids.FOUND_DELETE), action_ids.FOUND_DELETE)
        self._until(lambda: not orphans & set(self.aws.key_ids(ALICE)), "no orphaned key")

    def go_on(self) -> KeyRequest:
        """Click what Keydesk offers until Alice has a key, and return the request.

        She confirms a key whose secret she sees, and returns any other.
        """
        for _ in range(MAX_CLICKS):
            request = self.rest()
            if request.status is Status.CONFIRMED:
                return request
            if request.status is Status.DELETING:
                self.minutes_pass(YOUNG_FOR + 1)
            elif request.status is Status.PENDING:
                self.approve()
            elif request.status is Status.APPROVED:
                if len(set(self.aws.key_ids(ALICE)) - {self.delete_first}) > 1:
                    self.delete_orphan()
                self.reveal()
            elif self.sees_secret_of(request.access_key_id):
                self.alice.click(self.oldest("dm", action_ids.HAVE_IT), action_ids.HAVE_IT)
            else:
                self.did_not_get()
            self._until(
                lambda before=request.version: self.request().version > before,
                "the click to take effect",
            )
        raise AssertionError(f"no key after {MAX_CLICKS} clicks\n{self.slack.describe()}")

    # -- crashes and time

    def faults(self, method: str) -> Faults | AwsFaults:
        """Return where a call meets its faults: IAM's actions begin with a capital letter."""
        return self.aws.faults if method[0].isupper() else self.slack.faults

    def hold(self, method: str, moment: Moment, nth: int, click: Callable[[], object]) -> Hold:
        """Click, and return when the `nth` call of a method stands still."""
        hold = self.faults(method).hold(method, moment, nth)
        click()
        assert hold.reached.wait(PATIENCE), f"{method}\n{self.slack.describe()}"
        return hold

    def crash(self) -> None:
        """Kill the bot and start it in the same folder. A held call never takes effect."""
        self.bot.kill()
        self.start_again()

    def start_again(self) -> None:
        """Start the killed bot, after the render locks of the dead one."""
        self._unlock()
        self.bot.start()

    def minutes_pass(self, minutes: float) -> None:
        """Kill the bot, let another sweep whose clock is ahead, and start the bot again."""
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
        """End a dead process's render locks, as a minute does. None may last for ever."""
        server = embedded.start(self.bot.data_dir)
        client = connect(server.url)
        try:
            for lock in client.scan_iter("{keydesk}:render-lock:*"):
                assert 0 < client.ttl(lock) <= RENDER_LOCK_LASTS
                client.delete(lock)
        finally:
            client.close()
            server.stop()

    # -- state

    def request(self) -> KeyRequest:
        """Return Alice's request as it is stored."""
        return self.bot.requests_of(self.alice.id)[0]

    @property
    def known(self) -> set[str]:
        """The keys that Alice had before her request."""
        return {self.rotated, self.delete_first} - {""}

    def status(self, key_id: str) -> str:
        """Return a key's status in IAM, "" for no such key."""
        found = {key["AccessKeyId"]: str(key["Status"]) for key in self.aws.keys(ALICE)}
        return found.get(key_id, "")

    def active(self) -> list[str]:
        """Return Alice's active keys, without those that she had before."""
        keys = [key["AccessKeyId"] for key in self.aws.keys(ALICE) if key["Status"] == "Active"]
        return [key_id for key_id in keys if key_id not in self.known]

    def rest(self, status: Status | None = None) -> KeyRequest:
        """Wait until the request changes no more by itself and all is rendered; return it.

        A deletion rests, too, once it is rescheduled because the key is too young.
        """

        def resting() -> KeyRequest | None:
            assert len(self.active()) <= 1, "two living keys"
            with self.bot.store() as store:
                found = next(iter(store.requests_of(self.alice.id)), None)
                rendered = not store.unrendered(datetime.now(UTC) + timedelta(days=1))
                if found is None or found.awaits_permissions or not rendered:
                    return None
                waits = found.status is Status.DELETING and store.reschedule_count(found.name) > 0
            rests = found.status is status if status else found.status in RESTS or waits
            return found if rests else None

        return self._until(resting, f"the request to rest{f' as {status}' if status else ''}")

    def sees(self, *words: str) -> SeenMessage:
        """Wait until Alice sees all these words in one message."""

        def found() -> SeenMessage | None:
            seen = reversed(self.alice.messages("dm"))
            return next((one for one in seen if all(word in one.words for word in words)), None)

        return self._until(found, f"Alice sees {words}")

    def answered(self, code: Code, cause: Code | None = None) -> Answer:
        """Wait until Alice is answered with this code, for this cause."""

        def found() -> Answer | None:
            given = AnswerLog(self.bot.folder).of(self.alice.id)
            return next((one for one in given if one.is_of(KeydeskError, code)), None)

        answer = self._until(found, f"Alice is answered {code}")
        assert cause is None or answer.facts["cause"] == cause, answer
        return answer

    def oldest(self, channel: str, button: str) -> SeenMessage:
        """Wait for the oldest message with this button, which the bot may not know."""
        person = self.carol if channel == CARDS else self.alice

        def found() -> SeenMessage | None:
            return next((one for one in person.messages(channel) if one.has_button(button)), None)

        return self._until(found, f"{button!r} in {channel}")

    def sees_secret_of(self, key_id: str) -> bool:
        return any(
            one.ephemeral and self.aws.secrets[key_id] in one.words
            for one in self.alice.messages("dm")
        )

    def _until(self, condition: Callable[[], T | None], why: str) -> T:
        found: T = wait_for(
            condition, PATIENCE, lambda: f"{why}\n{self.slack.describe()}\n{self.bot.log[-3000:]}"
        )
        return found


@contextmanager
def crash_world(
    folder: Path, setenv: Callable[[str, str], None], lease: str = LEASE
) -> Iterator[CrashWorld]:
    """Run a workspace, an AWS and a bot that serves, with its files in `folder`."""
    with LocalSlack(MANIFEST) as slack, LocalAws([ALICE]) as aws:
        aws.keys(ALICE)  # moto's first call takes longer than the bot waits for an answer
        with RunningBot(slack, aws, folder, more={"LEASE_TTL": lease, **SETTINGS}) as bot:
            yield CrashWorld(slack, aws, bot, setenv)
