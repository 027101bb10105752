"""Remember which access keys moto held at a moment, and list them as IAM does."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.sax.saxutils import escape

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import AccessKey, AccessKeyLastUsed, iam_backends

_NAMESPACE = "https://iam.amazonaws.com/doc/2010-05-08/"


@dataclass(frozen=True)
class ListedKey:
    """One access key as ListAccessKeys shows it."""

    id: str
    status: str
    created: datetime


_State = dict[str, tuple[ListedKey, ...]]


def moto_iam(account: str = DEFAULT_ACCOUNT_ID) -> Any:
    """Return moto's IAM of an account, by default of the sandbox's."""
    return iam_backends[account]["aws"]


def moto_key(key_id: str) -> AccessKey | None:
    """Return moto's own record of a key of any account, or None."""
    kept = [moto_iam(account).access_keys for account in (DEFAULT_ACCOUNT_ID, *list(iam_backends))]
    return next((keys[key_id] for keys in kept if key_id in keys), None)


def made_ahead(key_id: str, ahead: timedelta, answer: str) -> str:
    """Let a key that moto has just made be made `ahead` of moto's clock.

    Return CreateAccessKey's answer so. In whole seconds, as IAM's dates are: moto would list the
    key with a fraction that this answer does not have.
    """
    key = moto_key(key_id)
    if key is None:
        raise LookupError(f"there is no access key {key_id}")
    key.create_date = (key.create_date + ahead).replace(microsecond=0)
    return re.sub(r"(?<=<CreateDate>).+?(?=<)", f"{key.create_date:%Y-%m-%dT%H:%M:%SZ}", answer)


def used_ahead(key_id: str, ahead: timedelta) -> None:
    """Let a key that moto has just seen in use be used `ahead` of moto's clock."""
    key = moto_key(key_id)
    if key is not None and key.last_used is not None:
        used = key.last_used
        key.last_used = AccessKeyLastUsed(used.timestamp + ahead, used.service, used.region)


class KeyHistory:
    """What each user's list of keys looked like, and when.

    And how old (monotonic) each key is.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: list[tuple[float, _State]] = []
        self._made: dict[str, float] = {}

    def note(self) -> None:
        """Remember how things are at this moment. Called after each change."""
        with self._lock:
            now = time.monotonic()
            users = list(moto_iam().users.values())
            state = {
                user.name: tuple(_listed(key) for key in list(user.access_keys)) for user in users
            }
            self._states.append((now, state))
            for keys in state.values():
                for key in keys:
                    self._made.setdefault(key.id, now)

    def listed(self, user: str, seconds_ago: float) -> tuple[ListedKey, ...] | None:
        """Return the user's keys as they were then. None if there was no such user."""
        with self._lock:
            then = time.monotonic() - seconds_ago
            past = [state for at, state in self._states if at <= then] or [self._states[0][1]]
            return past[-1].get(user)

    def age(self, key_id: str) -> float:
        """Return for how many seconds a key has been there, whatever its CreateDate says."""
        with self._lock:
            return time.monotonic() - self._made.get(key_id, 0.0)


def list_answer(
    user: str, keys: tuple[ListedKey, ...], marker: str | None, page: int | None
) -> str:
    """Return the XML body of ListAccessKeys: `page` keys from `marker` on.

    Source: "ListAccessKeys", IAM API Reference.
    """
    begin = int(marker or 0)
    end = len(keys) if page is None else begin + page
    members = "".join(
        f"<member><UserName>{escape(user)}</UserName><AccessKeyId>{key.id}</AccessKeyId>"
        f"<Status>{key.status}</Status><CreateDate>{key.created:%Y-%m-%dT%H:%M:%SZ}</CreateDate></member>"
        for key in keys[begin:end]
    )
    more = end < len(keys)
    return (
        f'<ListAccessKeysResponse xmlns="{_NAMESPACE}"><ListAccessKeysResult>'
        f"<UserName>{escape(user)}</UserName><AccessKeyMetadata>{members}</AccessKeyMetadata>"
        f"<IsTruncated>{str(more).lower()}</IsTruncated>{f'<Marker>{end}</Marker>' if more else ''}"
        "</ListAccessKeysResult><ResponseMetadata><RequestId>sandbox</RequestId></ResponseMetadata>"
        "</ListAccessKeysResponse>"
    )


def error_answer(code: str, message: str, status: int) -> str:
    """Return the XML body of an error, as IAM and STS write it."""
    blame = "Sender" if status < 500 else "Receiver"
    return (
        f"<ErrorResponse "
        f'xmlns="{_NAMESPACE}"><Error><Type>{blame}</Type><Code>{escape(code)}</Code>'
        f"<Message>{escape(message)}</Message></Error><RequestId>sandbox</RequestId></ErrorResponse>"
    )


def _listed(key: AccessKey) -> ListedKey:
    created = key.create_date
    return ListedKey(
        key.access_key_id, key.status, created if created.tzinfo else created.replace(tzinfo=UTC)
    )
