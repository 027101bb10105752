"""One workspace, one AWS account and one bot, and the steps that journeys share."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import redis

from bot import app
from bot.domain import commands
from bot.domain.errors import KeydeskError
from bot.domain.outside_errors import StoreUnavailable
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.slack import action_ids
from bot.slack.messages.kinds import CARD, OUTCOME
from bot.store import embedded
from bot.store.connection import connect
from bot.store.redis_store import RedisStore
from sandbox.aws import LocalAws
from sandbox.delivery import Delivery
from sandbox.local import LocalSlack
from sandbox.local_person import LocalPerson
from sandbox.people import Person
from sandbox.seen import SeenMessage
from sandbox.views import View
from tests.support.answers import Answer, AnswerLog
from tests.support.running_bot import MovedClock, RunningBot

T = TypeVar("T")
INSTEAD = "People: use <https://sso.example.com/start|single sign-on> &amp; be happy."
INSTEAD_READS = "People: use single sign-on & be happy."
CHANGES = ("CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey")
APPROVERS = "S0APPROVERS"
OWNER_TAG = "owner"
"""The tag that names an IAM user's owner, where a journey's settings say so."""
_SHOWN_KEY = re.compile(
    r"aws_access_key_id = (?P<id>\S+)\s+aws_secret_access_key = (?P<secret>\S+)"
)
"""The lines of an AWS credentials file, which stand in the message with a secret."""


@dataclass(frozen=True)
class ShownKey:
    """A key as its owner sees it in the ephemeral message."""

    key_id: str
    secret: str = field(repr=False)
    message: SeenMessage = field(repr=False)


VERBS = frozenset(commands.VERBS)
BUTTONS = frozenset(value for value in vars(action_ids).values() if isinstance(value, str))


class WatchedPerson(LocalPerson):
    """A user whose gestures are noted, so that no old answer is taken for a new one."""

    def __init__(self, slack: LocalSlack, user_id: str, answers: AnswerLog) -> None:
        super().__init__(slack, user_id)
        self._answers = answers

    def command(self, line: str, channel: str = "general") -> Delivery:
        """Type a slash command."""
        words = line.lower().split()
        self._answers.acts(self.id, words[1] if len(words) > 1 and words[1] in VERBS else "")
        return super().command(line, channel)

    def click(self, message: SeenMessage, button: str) -> Delivery:
        """Click a button of a message, by its text or action ID."""
        self._answers.acts(self.id, button if button in BUTTONS else "")
        return super().click(message, button)

    def post_action(
        self, message: SeenMessage, action_id: str, value: str, **overrides: Any
    ) -> Delivery:
        """Send any button action, as a hostile client would."""
        self._answers.acts(self.id, action_id if action_id in BUTTONS else "")
        return super().post_action(message, action_id, value, **overrides)

    def submit(self, typed: Mapping[str, Any], view: View | None = None) -> Delivery:
        """Fill in and submit the form that is open."""
        form = str(((view or self.modal) or {}).get("callback_id", ""))
        self._answers.acts(self.id, form if form in BUTTONS else "")
        return super().submit(typed, view)

    def click_in_home(self, button: str) -> Delivery:
        """Click a button in the Home tab."""
        self._answers.acts(self.id, button if button in BUTTONS else "")
        return super().click_in_home(button)


class StoreServer:
    """A Valkey server of a test's own, which can stop and start again with its data."""

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
    """Everything around a bot. `folder` holds every file that it writes.

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
    beside: World | None = None

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

    # -- people

    def engineer(self, *, iam: bool = True, keys: int = 0, **permissions: Any) -> LocalPerson:
        """Add a member to the workspace, with an IAM user that has `keys` keys."""
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
        self.slack.add_person(person, ["C0GENERAL", "C0APPROVALS"])
        return WatchedPerson(self.slack, person.id, self.answers)

    def approvers(self, count: int) -> list[LocalPerson]:
        """Add members who are the approvers from now on, together with Carol."""
        people = [self.engineer(iam=False) for _ in range(count)]
        self.slack.set_group(APPROVERS, ["U0CAROL", *(person.id for person in people)])
        return people

    @property
    def carol(self) -> LocalPerson:
        return WatchedPerson(self.slack, "U0CAROL", self.answers)

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

    # -- steps

    def asks(self, person: LocalPerson, reason: str = "nightly backup") -> SeenMessage:
        """Request a key. Return its new card, once it shows what the key can do."""
        older = {one.ts for one in self.carol.messages("key-approvals")}
        person.command(f"/key create {reason}")

        def posted() -> SeenMessage | None:
            card = self.card(person)
            known = (
                card is not None
                and card.ts not in older
                and card.has_button(action_ids.APPROVE)
                and not self.request(person).awaits_permissions
            )
            return card if known else None

        return self.slack.wait_until(posted, why=f"the card of {person.id}")

    def approved(self, person: LocalPerson) -> SeenMessage:
        """Request a key, and let Carol approve. Return the message with **Reveal my key**."""
        self.carol.click(self.asks(person), action_ids.APPROVE)
        return self.revealable(person)

    def denies(
        self, card: SeenMessage, why: str = "not needed", by: LocalPerson | None = None
    ) -> None:
        """Let Carol (or `by`) deny with a reason, and wait for her answer."""
        approver = by or self.carol
        approver.click(card, action_ids.DENY)
        form_opens(approver, action_ids.DENY_FORM)
        self.answered(approver)  # that the form is open
        assert approver.submit({"reason": why}).acked
        self.answered(approver)
        approver.close_modal()

    def revealable(self, person: LocalPerson) -> SeenMessage:
        """Wait until the newest request can be revealed, and return the message for that."""

        def there() -> SeenMessage | None:
            request = self.request(person)
            if request.status != Status.APPROVED:
                return None
            message = self.last_message(person, request.name, OUTCOME)
            return message if message and message.has_button(action_ids.REVEAL) else None

        return self.slack.wait_until(there, why=f"{person.id} may reveal")

    def reveals(self, person: LocalPerson) -> ShownKey:
        """Click **Reveal my key**. Return what is shown."""
        before = {one.key_id for one in shown_keys(person)}
        person.click(self.revealable(person), action_ids.REVEAL)

        def shown() -> ShownKey | None:
            return next((one for one in shown_keys(person) if one.key_id not in before), None)

        return self.slack.wait_until(shown, why=f"{person.id} is shown a key")

    def delivered(self, person: LocalPerson) -> ShownKey:
        """Request, approve and reveal a key. Wait for the lasting message about it."""
        self.approved(person)
        key = self.reveals(person)
        self.receipt(person, key)
        return key

    def receipt(self, person: LocalPerson, key: ShownKey) -> SeenMessage:
        """Return the lasting message that asks for the receipt of this key."""
        return person.wait_for("dm", key.key_id, action_ids.DID_NOT_GET)

    # -- time

    def time(self) -> datetime:
        """The time by the bot's clock (UTC)."""
        return self.clock.now() if self.clock else datetime.now(UTC)

    def pass_time(self, **by: float) -> None:
        """Move the clock of a built bot, then let its scheduler run once.

        What can be rendered is rendered before and after. Otherwise a test could take an old
        rendering for the newest.
        """
        assert self.clock, "only a built bot's clock can be moved"
        self.settle()
        self.clock.move(**by)
        self.sweep()

    def sweep(self) -> None:
        assert self.built, "only a built bot's scheduler can be called"
        self.built.scheduler.run_once()
        self.settle()

    def settle(self) -> None:
        """Have everything rendered that can be rendered now, and wait for it.

        What Slack refuses is rescheduled, and is not waited for. Each rendering is requested once
        more, since one that found no store would wait for the scheduler.
        """
        for name in self._unrendered() if self.built else ():
            self.built.services.messenger.render(name)
        self.slack.wait_until(lambda: not self._unrendered(), why="everything is rendered")

    def _unrendered(self) -> Sequence[str]:
        try:
            return self.store.unrendered(self.time())
        except StoreUnavailable:
            return ()


def has_detail(request: KeyRequest) -> bool:
    """Say whether a request keeps what made Keydesk end it."""
    return bool(getattr(request, "detail", None) or getattr(request, "note", ""))


def iam_name(person: LocalPerson) -> str:
    return f"{handle(person)}@example.com"


def handle(person: LocalPerson) -> str:
    return person.id.removeprefix("U0").lower()


def shown_keys(person: LocalPerson) -> list[ShownKey]:
    """Return every key in an ephemeral message to this user."""
    seen = [
        one for one in person.messages("dm") if one.ephemeral and one.has_button(action_ids.SAVED)
    ]
    found = [(_SHOWN_KEY.search(one.words), one) for one in seen]
    return [ShownKey(match["id"], match["secret"], one) for match, one in found if match]


def form_opens(person: LocalPerson, form: str) -> View:
    """Wait until this user has the form with this callback ID open. Return it."""

    def there() -> View | None:
        view = person.modal
        return view if view and view.get("callback_id") == form else None

    return person.wait_until(there, why=f"{person.id} sees {form}")


def ephemerals(person: LocalPerson, channel: str = "dm") -> list[SeenMessage]:
    return [one for one in person.messages(channel) if one.ephemeral]


def at_once(*steps: Callable[[], T]) -> list[T]:
    """Take all steps at the same time, each in its own thread. Return their results."""
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
