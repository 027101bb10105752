"""List, create, enable, disable and delete access keys in IAM with boto3."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from bot.aws.clients import IamClients
from bot.aws.permissions import Submit, read_permissions
from bot.domain.identity import IamUser
from bot.domain.keys import AccessKey, KeyStatus, LastUsed
from bot.domain.outside_errors import AccessKeyNotFound, IamDenied, IamThrottled, IamUnavailable
from bot.domain.permissions import Permissions
from bot.domain.secret import Secret

_T = TypeVar("_T")

_THROTTLE_SECONDS = 4.0  # how long a throttled change other than CreateAccessKey is repeated
_FIRST_WAIT, _MAX_WAIT = 0.2, 2.0  # seconds


class IamKeyIssuer:
    """KeyIssuer (`domain/ports.py`) on AWS IAM.

    Args:
        clients: The boto3 clients.
        pool: Runs the reads of last uses in parallel. Its other work must not wait for this issuer.
        aside: Takes only the reads of permissions (None: `pool` takes them).
        monotonic: Returns seconds that never jump.
        wait: Sleeps for some seconds.
    """

    def __init__(
        self,
        clients: IamClients,
        pool: Executor,
        *,
        aside: Submit | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clients = clients
        self._pool = pool
        self._aside = aside or (lambda work: bool(pool.submit(work)))
        self._monotonic = monotonic
        self._wait = wait

    def user(self, name: str) -> IamUser:
        """Return the user with its UserId, tags and the answer's Date (GetUser)."""
        with self._clients.reading("GetUser") as iam:
            response = iam.get_user(UserName=name)
            user = response["User"]
            return IamUser(
                name=user["UserName"],
                user_id=user["UserId"],
                arn=user["Arn"],
                read_at=_answer_date(response),
                tags={tag["Key"]: tag["Value"] for tag in user.get("Tags", ())},
            )

    def keys(self, user: str) -> tuple[AccessKey, ...]:
        """Return all keys of a user with their last use, oldest first.

        IAM is eventually consistent and may list a key before it knows it elsewhere. `last_used` is
        then None.
        """
        listed = self.listed(user)
        uses = self._pool.map(self._last_used_if_known, (key.id for key in listed))
        return tuple(replace(key, last_used=use) for key, use in zip(listed, uses, strict=True))

    def listed(self, user: str) -> tuple[AccessKey, ...]:
        """Return all keys of a user without their last use, oldest first."""
        with self._clients.reading("ListAccessKeys") as iam:
            pages = iam.get_paginator("list_access_keys").paginate(UserName=user)
            keys = [_access_key(key) for page in pages for key in page["AccessKeyMetadata"]]
        return tuple(sorted(keys, key=lambda key: (key.created_at, key.id)))

    def last_used(self, key_id: str) -> LastUsed:
        """Return when and for what a key was last used.

        IAM reports a use some minutes late.
        """
        with self._clients.reading("GetAccessKeyLastUsed") as iam:
            return _parse_last_use(
                iam.get_access_key_last_used(AccessKeyId=key_id)["AccessKeyLastUsed"]
            )

    def owner(self, key_id: str) -> tuple[str, LastUsed] | None:
        """Return the IAM user of any key of the account, and its last use.

        This is one call. Returns None for a key of no user of this account. AWS also answers
        AccessDenied for a key of another account.
        """
        try:
            with self._clients.reading("GetAccessKeyLastUsed") as iam:
                response = iam.get_access_key_last_used(AccessKeyId=key_id)
                return response["UserName"], _parse_last_use(response["AccessKeyLastUsed"])
        except AccessKeyNotFound:
            return None
        except IamDenied as denied:
            if denied.aws_code == "AccessDenied":
                return None
            raise

    def own_key_ids(self) -> frozenset[str]:
        """Return the access key ID of Keydesk's own credentials."""
        return self._clients.key_ids()

    def permissions(self, user: str) -> Permissions:
        """Return what the user may do: policies, groups, MFA.

        What AWS does not answer within ten seconds is listed as missing.
        """
        return read_permissions(self._clients, self._aside, user, monotonic=self._monotonic)

    def create_key(self, user: str, *, give_up_at: float) -> tuple[AccessKey, Secret]:
        """Create one key.

        CreateAccessKey is not idempotent, so it is sent again only after throttling.
        """

        def create() -> tuple[AccessKey, Secret]:
            with self._clients.changing("CreateAccessKey") as iam:
                # Keep the answer out of variables: a traceback may show those of this frame.
                return _created_key(iam.create_access_key(UserName=user))

        return self._unless_throttled(create, give_up_at)

    def set_status(self, user: str, key_id: str, status: KeyStatus) -> None:
        """Make a key active or inactive."""

        def update() -> None:
            with self._clients.changing("UpdateAccessKey") as iam:
                iam.update_access_key(UserName=user, AccessKeyId=key_id, Status=status.value)

        self._unless_throttled(update, self._monotonic() + _THROTTLE_SECONDS)

    def delete_key(self, user: str, key_id: str) -> None:
        """Delete a key."""

        def delete() -> None:
            with self._clients.changing("DeleteAccessKey") as iam:
                iam.delete_access_key(UserName=user, AccessKeyId=key_id)

        self._unless_throttled(delete, self._monotonic() + _THROTTLE_SECONDS)

    def _last_used_if_known(self, key_id: str) -> LastUsed | None:
        try:
            return self.last_used(key_id)
        except AccessKeyNotFound:
            return None

    def _unless_throttled(self, call: Callable[[], _T], give_up_at: float) -> _T:
        """Run `call`, and repeat it while AWS throttles it.

        Each repetition begins before `give_up_at` (monotonic seconds).
        """
        longest = _FIRST_WAIT
        while True:
            try:
                return call()
            except IamThrottled:
                pause = random.uniform(longest / 2, longest)  # noqa: S311  # spreads retries, guards nothing
                if self._monotonic() + pause >= give_up_at:
                    raise
            self._wait(pause)
            longest = min(longest * 2, _MAX_WAIT)


def _created_key(response: dict[str, Any]) -> tuple[AccessKey, Secret]:
    shown = response["AccessKey"]
    return _access_key(shown), Secret(shown["SecretAccessKey"])


def _access_key(observed: dict[str, Any]) -> AccessKey:
    # IAM's API model also has the status "Expired". Such a key does not work, so it is inactive.
    active = observed["Status"] == KeyStatus.ACTIVE.value
    return AccessKey(
        id=observed["AccessKeyId"],
        iam_user=observed["UserName"],
        status=KeyStatus.ACTIVE if active else KeyStatus.INACTIVE,
        created_at=_utc(observed["CreateDate"]),
    )


def _parse_last_use(used: dict[str, Any]) -> LastUsed:
    if used.get("LastUsedDate") is None:  # its service and region are then "N/A"
        return LastUsed()
    return LastUsed(_utc(used["LastUsedDate"]), used["ServiceName"], used["Region"])


def _answer_date(response: dict[str, Any]) -> datetime:
    """Return IAM's time: the Date header of its answer.

    Raises IamUnavailable if a proxy removed the header.
    """
    try:
        return _utc(parsedate_to_datetime(response["ResponseMetadata"]["HTTPHeaders"]["date"]))
    except (KeyError, ValueError):
        raise IamUnavailable("GetUser") from None


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
