"""What a test reads of a running bot: answers, messages, requests, keys, log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import redis

from bot import app
from bot.domain.errors import KeydeskError
from bot.domain.requests import KeyRequest
from bot.slack.messages.kinds import CARD
from bot.store.redis_store import RedisStore
from sandbox.aws import LocalAws
from sandbox.local import LocalSlack
from sandbox.local_person import LocalPerson
from sandbox.seen import SeenMessage
from tests.support.answers import Answer, AnswerLog
from tests.support.running_bot import MovedClock, RunningBot
from tests.support.store_server import StoreServer
from tests.support.watched_person import WatchedPerson, handle, iam_name

CHANGES = ("CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey")
"""The IAM calls that change a user's keys."""


@dataclass(frozen=True)
class WorldFacts:
    """A bot and everything around it. `folder` holds every file that it writes.

    `running` is the bot as a process. `built` is the one in this process, whose `clock` the test
    moves.
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
    beside: WorldFacts | None = None

    # -- answers

    @cached_property
    def answers(self) -> AnswerLog:
        """Return the answers of the bots, as their logs have them."""
        if self.beside:
            self.beside.answers.add(self.folder)
            return self.beside.answers
        return AnswerLog(self.folder)

    def answered(
        self, person: LocalPerson, error: type[KeydeskError] | None = None, code: str = ""
    ) -> Answer:
        """Wait for an answer to this user that nothing has waited for yet, and return it.

        Without `error` it is a success, else a refusal or failure of this class and code.
        """
        name = f"{error.__name__} {code}" if error else "done"
        try:
            return self.slack.wait_until(
                lambda: self.answers.take(person.id, error, code), why=f"{person.id}: {name}"
            )
        except AssertionError as missing:
            missing.add_note(f"its answers are {self.answers.left(person.id)}")
            raise

    def message(self, person: LocalPerson, name: str, kind: str) -> SeenMessage:
        """Wait for the newest message of this kind about a stored value. Return it.

        `name` is "request:<ID>" or "key:<ID>". `kind` is as in bot.slack.messages, without marks.
        """
        return self.slack.wait_until(
            lambda: self.last_message(person, name, kind), why=f"{person.id} sees {kind} of {name}"
        )

    def last_message(self, person: LocalPerson, name: str, kind: str) -> SeenMessage | None:
        """Return the newest message of this kind about a stored value, or None."""
        found = [
            (one.channel, one.ts)
            for one in self.store.messages(name)
            if one.kind.partition("#")[0].partition(":")[0] == kind
        ]
        seen = [
            one
            for place in ("dm", "key-approvals")
            for one in person.messages(place)
            if (one.channel, one.ts) in found
        ]
        return max(seen, key=lambda one: one.ts, default=None)

    # -- people, stored values, IAM and the log

    @property
    def carol(self) -> LocalPerson:
        """Return the approver of most journeys."""
        return WatchedPerson(self.slack, "U0CAROL", self.answers)

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
        """Return this user's newest request, as stored."""
        return self.requests(person)[0]

    def reaches(self, person: LocalPerson, status: str) -> KeyRequest:
        """Wait until this user's newest request has that status."""

        def there() -> KeyRequest | None:
            request = self.request(person)
            return request if request.status == status else None

        return self.slack.wait_until(there, why=f"{person.id}'s request becomes {status}")

    def decided(self, person: LocalPerson) -> KeyRequest:
        """Wait until this user's newest request does not wait for approvers any more."""

        def done() -> KeyRequest | None:
            request = self.request(person)
            return None if request.status == "pending" else request

        return self.slack.wait_until(done, why=f"{person.id}'s request is decided")

    def entries(self, request: KeyRequest) -> list[dict[str, str]]:
        """Return the audit entries about this request, oldest first."""
        trail: Any = self.redis.xrange("{keydesk}:audit")
        return [dict(fields) for _, fields in trail if fields.get("request_id") == request.id]

    def keys(self, person: LocalPerson) -> dict[str, str]:
        """Return this user's access keys in IAM: ID -> status."""
        return {key["AccessKeyId"]: key["Status"] for key in self.aws.keys(iam_name(person))}

    def changes(self, person: LocalPerson) -> list[str]:
        """Return the calls by which Keydesk tried to change this user's IAM user."""
        calls = [
            call for call in self.aws.calls() if call.parameters.get("UserName") == iam_name(person)
        ]
        return [call.action for call in calls if call.action in CHANGES]

    def card(self, person: LocalPerson) -> SeenMessage | None:
        """Return this user's newest approval card, as Carol sees it."""
        requests = self.requests(person)
        return self.last_message(self.carol, requests[0].name, CARD) if requests else None

    def nothing_happened(self, person: LocalPerson) -> None:
        """Assert that no request, card or message is new, and that IAM has not changed."""
        assert not self.requests(person), f"a request of {person.id} is stored"
        posted = self.carol.last("key-approvals", f"@{handle(person)}")
        assert posted is None or posted.ephemeral, f"a card of {person.id} is posted"
        assert not self.changes(person), f"IAM was changed for {person.id}: {self.changes(person)}"
