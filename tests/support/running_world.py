"""What does a journey walk in? One workspace, one AWS account and one desk, and the steps that journeys share."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import redis

from bot import app
from bot.domain.errors import StoreUnavailable
from bot.domain.requests import KeyRequest
from bot.store import embedded
from bot.store.redis_store import RedisStore, connect
from sandbox.aws import LocalAws
from sandbox.local import LocalSlack
from sandbox.local_person import LocalPerson
from sandbox.people import Person
from sandbox.seen import SeenMessage
from tests.support.running_bot import MovedClock, RunningBot

T = TypeVar("T")
INSTEAD = "People: use <https://sso.example.com/start|single sign-on> &amp; be happy."
INSTEAD_READS = "People: use single sign-on & be happy."
CHANGES = ("CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey")
APPROVERS = "S0APPROVERS"
OWNER_TAG = "owner"
"""The tag that names an IAM user's owner, where a journey's settings say so."""
_HANDED_OVER = re.compile(r"Access key ID +(?P<id>\S+)\nSecret access key +(?P<secret>\S+)")


@dataclass(frozen=True)
class HandedOver:
    """A key as its person sees it in the ephemeral message."""

    key_id: str
    secret: str = field(repr=False)
    message: SeenMessage = field(repr=False)


class StoreServer:
    """A Valkey server of a test's own, which it stops and starts again with what it remembers."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self.server = embedded.start(data_dir)

    @property
    def url(self) -> str:
        return self.server.url

    def stop(self) -> None:
        self.server.stop()

    def start(self) -> None:
        was = self.url
        self.server = embedded.start(self._data_dir)
        assert self.url == was, "the server is to be found where it was"

    def client(self) -> redis.Redis:
        return connect(self.url)


@dataclass(frozen=True)
class World:
    """Everything that stands around a desk. `folder` holds every file that the bot writes, its log among them.

    `running` is the bot as a process; `built` the one in this process, whose `clock` the test moves.
    """

    slack: LocalSlack
    aws: LocalAws
    redis: redis.Redis
    folder: Path
    numbers: Iterator[int]
    running: RunningBot | None = None
    built: app.Bot | None = None
    clock: MovedClock | None = None
    server: StoreServer | None = None

    # -- people

    def engineer(self, *, iam: bool = True, keys: int = 0, **permissions: Any) -> LocalPerson:
        """A new person of the workspace, with an IAM user of their own that has `keys` keys."""
        number = f"{next(self.numbers):04}"
        name = f"eng{number}"
        person = Person(
            f"U0ENG{number}", name, f"Engineer {number}", f"{name}@example.com", **permissions
        )
        if iam:
            self.iam.create_user(
                UserName=person.email, Tags=[{"Key": OWNER_TAG, "Value": person.id}]
            )
        for _ in range(keys):
            self.iam.create_access_key(UserName=person.email)
        return self.slack.add_person(person, ["C0GENERAL", "C0APPROVALS"])

    def approvers(self, count: int) -> list[LocalPerson]:
        """New people, who from now on are the approvers together with Carol."""
        people = [self.engineer(iam=False) for _ in range(count)]
        self.slack.set_group(APPROVERS, ["U0CAROL", *(person.id for person in people)])
        return people

    @property
    def carol(self) -> LocalPerson:
        return self.slack.person("carol")

    # -- facts

    @property
    def iam(self) -> Any:
        return self.aws.client("iam")

    @property
    def store(self) -> RedisStore:
        return RedisStore(self.redis)

    @property
    def log(self) -> str:
        return "".join(path.read_text() for path in sorted(self.folder.glob("bot*.log")))

    def requests(self, person: LocalPerson) -> Sequence[KeyRequest]:
        return self.store.requests_of(person.id)

    def request(self, person: LocalPerson) -> KeyRequest:
        """The person's newest request, as stored."""
        return self.requests(person)[0]

    def reaches(self, person: LocalPerson, status: str) -> KeyRequest:
        """Waits until the person's newest request has that status."""

        def there() -> KeyRequest | None:
            request = self.request(person)
            return request if request.status == status else None

        return self.slack.wait_until(there, why=f"{person.id}'s request becomes {status}")

    def decided(self, person: LocalPerson) -> KeyRequest:
        """Waits until the person's newest request does not wait for approvers any more."""

        def done() -> KeyRequest | None:
            request = self.request(person)
            return None if request.status == "pending" else request

        return self.slack.wait_until(done, why=f"{person.id}'s request is decided")

    def entries(self, request: KeyRequest) -> list[dict[str, str]]:
        """The audit entries about this request, as they are kept, oldest first."""
        trail: Any = self.redis.xrange("{keydesk}:audit")
        return [dict(fields) for _, fields in trail if fields.get("request_id") == request.id]

    def keys(self, person: LocalPerson) -> dict[str, str]:
        """The person's access keys in IAM: ID -> status."""
        return {key["AccessKeyId"]: key["Status"] for key in self.aws.keys(iam_name(person))}

    def changes(self, person: LocalPerson) -> list[str]:
        """The calls by which the desk changed, or tried to change, the person's IAM user."""
        calls = [
            call for call in self.aws.calls() if call.parameters.get("UserName") == iam_name(person)
        ]
        return [call.action for call in calls if call.action in CHANGES]

    def card(self, person: LocalPerson) -> SeenMessage | None:
        """The newest approval card of the person, as Carol sees it."""
        return self.carol.last("key-approvals", f"@{handle(person)} asks for an access key")

    def nothing_happened(self, person: LocalPerson) -> None:
        """No request is stored, no card is posted, no approver is bothered, and nothing changed in IAM."""
        assert not self.requests(person), f"a request of {person.id} is stored"
        assert self.card(person) is None, f"a card of {person.id} is posted"
        assert not self.changes(person), f"IAM was changed for {person.id}: {self.changes(person)}"

    # -- steps

    def asks(self, person: LocalPerson, reason: str = "nightly backup") -> SeenMessage:
        """The person asks; returns the card, which is a new one, complete with what the key will be able to do."""
        older = {one.ts for one in self.carol.messages("key-approvals")}
        person.command(f"/key create {reason}")

        def posted() -> SeenMessage | None:
            card = self.carol.last(
                "key-approvals", f"@{handle(person)} asks for an access key", button="Approve"
            )
            known = (
                card is not None
                and card.ts not in older
                and not self.request(person).awaits_permissions
            )
            return card if known else None

        return self.slack.wait_until(posted, why=f"the card of {person.id}")

    def approved(self, person: LocalPerson) -> SeenMessage:
        """The person asks and Carol approves; returns the message with **Reveal my key**."""
        self.carol.click(self.asks(person), "Approve")
        return self.revealable(person)

    def denies(
        self, card: SeenMessage, why: str = "not needed", by: LocalPerson | None = None
    ) -> None:
        """Carol (or `by`) clicks **Deny** and says why; returns once she is told that it is done."""
        approver = by or self.carol
        approver.click(card, "Deny")
        approver.wait_for_modal("Why not?")
        assert approver.submit({"reason": why}).acked
        approver.wait_for_modal("Denied. I have told")
        approver.close_modal()

    def revealable(self, person: LocalPerson, words: str = "approved") -> SeenMessage:
        """The newest message with **Reveal my key**, of the person's newest request, with these words."""

        def there() -> SeenMessage | None:
            message = person.last("dm", words, button="Reveal my key")
            newest = self.request(person).id
            return (
                message
                if message and any(button.value == newest for button in message.buttons)
                else None
            )

        return self.slack.wait_until(there, why=f"{person.id} may reveal, and reads {words!r}")

    def reveals(self, person: LocalPerson) -> HandedOver:
        """The person clicks **Reveal my key**; returns what they are shown."""
        before = {one.key_id for one in handed_over(person)}
        person.click(self.revealable(person), "Reveal my key")

        def shown() -> HandedOver | None:
            return next((one for one in handed_over(person) if one.key_id not in before), None)

        return self.slack.wait_until(shown, why=f"{person.id} is shown a key")

    def delivered(self, person: LocalPerson) -> HandedOver:
        """The person asks, is approved, reveals, and the lasting message about it is there."""
        self.approved(person)
        key = self.reveals(person)
        self.receipt(person, key)
        return key

    def receipt(self, person: LocalPerson, key: HandedOver) -> SeenMessage:
        """The lasting message that asks for the receipt of this key."""
        return person.wait_for("dm", f"Key {key.key_id}", button="I did not get it")

    # -- time

    def time(self) -> datetime:
        """The time by the desk's clock (UTC)."""
        return self.clock.now() if self.clock else datetime.now(UTC)

    def pass_time(self, **by: float) -> None:
        """Moves the clock of a built bot, then lets its sweeper look once. What can be drawn is drawn before and after.

        Else a test could take a message for the newest that only was not drawn anew yet.
        """
        assert self.clock, "only a built bot's clock can be moved"
        self.settle()
        self.clock.move(**by)
        self.sweep()

    def sweep(self) -> None:
        assert self.built, "only a built bot's sweeper can be called"
        self.built.scheduler.run_once()
        self.settle()

    def settle(self) -> None:
        """Has everything drawn that can be drawn now, and waits for it; what Slack refuses is put off, not waited for.

        It is asked for once more: a drawing that found no store is left to the sweeper, and comes no sooner.
        """
        for name in self._undrawn() if self.built else ():
            self.built.services.messenger.render(name)
        self.slack.wait_until(lambda: not self._undrawn(), why="everything is drawn")

    def _undrawn(self) -> Sequence[str]:
        try:
            return self.store.unrendered(self.time())
        except StoreUnavailable:
            return ()


def iam_name(person: LocalPerson) -> str:
    return f"{handle(person)}@example.com"


def handle(person: LocalPerson) -> str:
    return person.id.removeprefix("U0").lower()


def handed_over(person: LocalPerson) -> list[HandedOver]:
    """Every key that stands in an ephemeral message before this person."""
    seen = [one for one in person.messages("dm") if one.ephemeral and one.has_button("I saved it")]
    found = [(_HANDED_OVER.search(one.words), one) for one in seen]
    return [HandedOver(match["id"], match["secret"], one) for match, one in found if match]


def ephemerals(person: LocalPerson, channel: str = "dm") -> list[SeenMessage]:
    return [one for one in person.messages(channel) if one.ephemeral]


def at_once(*steps: Callable[[], T]) -> list[T]:
    """Takes all steps in the same instant, each in a thread of its own; returns what they returned."""
    barrier = threading.Barrier(len(steps))
    results: list[T] = []

    def take(step: Callable[[], T]) -> None:
        barrier.wait(10)
        results.append(step())

    threads = [threading.Thread(target=take, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(results) == len(steps), "not every step came to its end"
    return results
