"""What is outside of the bot in the simulation? The fakes of `tests.support`, with a past, and one simulated time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain.errors import KeydeskError
from bot.domain.keys import AccessKey, KeyStatus, LastUsed
from bot.domain.outside_errors import AccessKeyNotFound, IamUserNotFound
from bot.domain.rate_limits import Usage
from bot.domain.records import AuditEntry, Change
from bot.domain.requests import KeyRequest
from bot.domain.secret import Secret
from tests.support.memory_store import MemoryStore
from tests.support.world import FakeDirectory, FakeIssuer, FakeMessenger
from tests.verification.simulation.scheduler import Process

BEGAN = datetime(2026, 11, 24, 10, 2, tzinfo=UTC)
YOUNG = timedelta(seconds=20)
"""How long IAM may not know everywhere what was changed."""


class Time:
    """The one true time, in seconds since the beginning."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=self.seconds)


class ProcessClock:
    """A process's clock: the true time, and how far it is ahead of that."""

    def __init__(self, process: Process, time: Time) -> None:
        self._process, self._time = process, time

    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=self._time.seconds + self._process.skew)

    def monotonic(self) -> float:
        return self._time.seconds

    def drift(self) -> timedelta:
        return self._process.call("store.time", lambda: timedelta(seconds=self._process.skew))


class SimulatedStore(MemoryStore):
    """The store in memory, which tells `watch` of each commit, and can be put back to what it was."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self.watch: Callable[[tuple[Change, ...], AuditEntry], None] = lambda changes, entry: None

    def commit(self, *changes: Change, entry: AuditEntry, usage: Usage | None = None) -> None:
        super().commit(*changes, entry=entry, usage=usage)
        self.watch(changes, entry)

    def everything(self) -> dict[str, Any]:
        """All that it keeps, as it is now, to be put back by `lose_to`."""
        return {
            name: (value.copy() if hasattr(value, "copy") else value)
            for name, value in vars(self).items()
            if name not in ("_now", "_lock", "watch")
        }

    def lose_to(self, kept: dict[str, Any]) -> None:
        """Is again what `everything` told then: what was written since is lost."""
        vars(self).update(kept)

    def values(self) -> list[Any]:
        """Everything that is kept by version."""
        return list(self._values.values())

    def holders(self) -> dict[str, str]:
        """Which request holds which name."""
        return self._holders

    def due_at(self, name: str) -> datetime | None:
        """When time must act on this, as put off; None for never."""
        return self._due.get(name)

    def nearest(self) -> datetime | None:
        """When time must act next; None for never."""
        return min(self._due.values(), default=None)


class SimulatedIssuer(FakeIssuer):
    """An IAM that remembers what was true when, so that a list can be old. `lag` is how old the next list is."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self.lag = timedelta(0)
        self.unknown_yet = False
        self.changes = 0
        self.was_active: dict[str, datetime] = {}
        self.remade: dict[str, datetime] = {}
        self._past: list[tuple[datetime, dict[str, AccessKey]]] = []

    def listed(self, user: str) -> tuple[AccessKey, ...]:
        if not self.lag or not self._past:
            return super().listed(user)
        if user not in self.users:
            raise IamUserNotFound("ListAccessKeys")
        then = self._now() - self.lag
        old = next((keys for at, keys in reversed(self._past) if at <= then), self._past[0][1])
        return tuple(key for key in old.values() if key.iam_user == user)

    def last_used(self, key_id: str) -> LastUsed:
        self._young(key_id, "GetAccessKeyLastUsed")
        return super().last_used(key_id)

    def owner(self, key_id: str) -> tuple[str, LastUsed] | None:
        try:
            self._young(key_id, "GetAccessKeyLastUsed")
        except AccessKeyNotFound:
            return None
        return super().owner(key_id)

    def create_key(self, user: str, *, give_up_at: float = 0) -> tuple[AccessKey, Secret]:
        made = super().create_key(user, give_up_at=give_up_at)
        self._remember()
        return made

    def set_status(self, user: str, key_id: str, status: KeyStatus) -> None:
        self._young(key_id, "UpdateAccessKey")
        super().set_status(user, key_id, status)
        self._remember()

    def delete_key(self, user: str, key_id: str) -> None:
        self._young(key_id, "DeleteAccessKey")
        super().delete_key(user, key_id)
        self._remember()

    def remake_user(self, name: str) -> None:
        """Somebody deletes an IAM user, with its keys, and makes another of that name: it has another UserId."""
        self.delete_user(name)
        self.add_user(name, f"AIDA{self.changes:04}{name.upper()}")
        self.remade[name] = self._now()
        self._remember()

    def _young(self, key_id: str, action: str) -> None:
        key = self.observed(key_id)
        if self.unknown_yet and key is not None and self._now() - key.created_at < YOUNG:
            raise AccessKeyNotFound(action)

    def _remember(self) -> None:
        self.changes += 1
        now = self._now()
        if len(self._past) > 40:
            del self._past[:20]
        for key_id, key in self._past[-1][1].items() if self._past else ():
            if key.active:
                self.was_active[key_id] = now
        self._past.append((now, dict(self._keys)))


class SimulatedMessenger(FakeMessenger):
    """A Slack of which people see something or not. `seen` are the key IDs whose secret somebody has read."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.seen: set[str] = set()

    def sends_deliver(
        self, request: KeyRequest, key: AccessKey, secret: Secret
    ) -> Callable[[], None]:
        """The message as it leaves its process, which forgets the secret then; it may arrive later."""
        sent = Secret(secret.expose())
        return lambda: self.deliver(request, key, sent)

    def deliver(self, request: KeyRequest, key: AccessKey, secret: Secret) -> None:
        super().deliver(request, key, secret)
        if not self.away:
            self.seen.add(key.id)


class SimulatedDirectory(FakeDirectory):
    """A Slack that is asked about people.

    `lost` says since when (seconds) somebody may not approve any more, `renamed` since when somebody has another e-mail
    address.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lost: dict[str, float] = {}
        self.renamed: dict[str, float] = {}


def quietly(does: Callable[[], Any]) -> None:
    """A call whose caller is gone: what it would be told reaches nobody."""
    try:
        does()
    except KeydeskError:
        return
