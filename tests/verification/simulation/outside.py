"""Simulate what is outside the bot: the fakes, with a past and one time."""

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
from tests.support.fake_issuer import FakeIssuer
from tests.support.memory_store import MemoryStore
from tests.support.world import FakeDirectory, FakeMessenger
from tests.verification.simulation.turns import Process

BEGAN = datetime(2026, 11, 24, 10, 2, tzinfo=UTC)
YOUNG = timedelta(seconds=20)
"""How long IAM may not know a change everywhere."""


class Time:
    """The one true time, in seconds since the beginning."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=self.seconds)


class ProcessClock:
    """A process's clock: the true time and its skew."""

    def __init__(self, process: Process, time: Time) -> None:
        self._process, self._time = process, time

    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=self._time.seconds + self._process.skew)

    def monotonic(self) -> float:
        return self._time.seconds

    def drift(self) -> timedelta:
        return self._process.call("store.time", lambda: timedelta(seconds=self._process.skew))


class SimulatedStore(MemoryStore):
    """The store in memory, which reports commits to `watch` and can be rolled back."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self.watch: Callable[[tuple[Change, ...], AuditEntry], None] = lambda changes, entry: None

    def commit(self, *changes: Change, entry: AuditEntry, usage: Usage | None = None) -> None:
        super().commit(*changes, entry=entry, usage=usage)
        self.watch(changes, entry)

    def everything(self) -> dict[str, Any]:
        """Return its whole state, for `lose_to`."""
        return {
            name: (value.copy() if hasattr(value, "copy") else value)
            for name, value in vars(self).items()
            if name not in ("_now", "_lock", "watch")
        }

    def lose_to(self, kept: dict[str, Any]) -> None:
        """Restore a state of `everything`: what was written since is lost."""
        vars(self).update(kept)

    def values(self) -> list[Any]:
        """Return everything that has a version."""
        return list(self._values.values())

    def holders(self) -> dict[str, str]:
        """Return the locks: name -> request."""
        return self._holders

    def due_at(self, name: str) -> datetime | None:
        """Return when a name is due, or None."""
        return self._due.get(name)

    def nearest(self) -> datetime | None:
        """Return when the next name is due, or None."""
        return min(self._due.values(), default=None)


class SimulatedIssuer(FakeIssuer):
    """An IAM that remembers its past, so that the next list can be `lag` old."""

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
        """Delete an IAM user with its keys, and make another of that name."""
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
    """A Slack whose users may be away. `seen` are the keys whose secret was read."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.seen: set[str] = set()

    def sends_deliver(
        self, request: KeyRequest, key: AccessKey, secret: Secret
    ) -> Callable[[], None]:
        """Return the message as it leaves its process, which then forgets the secret."""
        sent = Secret(secret.expose())
        return lambda: self.deliver(request, key, sent)

    def deliver(self, request: KeyRequest, key: AccessKey, secret: Secret) -> None:
        super().deliver(request, key, secret)
        if not self.away:
            self.seen.add(key.id)


class SimulatedDirectory(FakeDirectory):
    """A directory that remembers when (seconds) users lost a right or an address.

    `lost` is about the right to approve, `renamed` about the email address.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lost: dict[str, float] = {}
        self.renamed: dict[str, float] = {}


def quietly(does: Callable[[], Any]) -> None:
    """Run a call whose caller is gone, and drop its error."""
    try:
        does()
    except KeydeskError:
        return
