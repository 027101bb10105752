"""Reconcile a key's desired state with IAM: apply, read back, repair."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from bot.domain.codes import Code, Detail
from bot.domain.errors import ChangePending, KeydeskError
from bot.domain.keys import CONSISTENCY_DELAY, DesiredState, KeyStatus, ManagedKey, ObservedState
from bot.domain.outside_errors import (
    AccessKeyNotFound,
    Conflict,
    IamDenied,
    IamRefused,
    IamUserNotFound,
    IamUserRenamed,
    OutcomeUnknown,
    Unavailable,
)
from bot.domain.records import Change
from bot.operations import identify
from bot.operations.services import KEYDESK, Services

NOT_FOUND_CODE = "NoSuchEntity"

RETRY_SOON_FOR = timedelta(minutes=1)
"""For so long after its creation, a key that IAM does not know is retried soon.

Mostly it takes seconds.
"""

LEAKED_CHECK_INTERVAL = timedelta(days=1)
"""How often a leaked key is checked, in case it was turned on in the console."""

FOREVER = timedelta(days=36_500)
"""Far enough ahead to find all that is due for something at any time."""
MAX_RECORDS, MAX_OTHER_KEYS = 1000, 5
"""How many names are read to find other keys, and how many AWS is asked about."""


def reconcile(services: Services, key: ManagedKey) -> None:
    """Read a key in IAM and record what it shows.

    If that is not the desired state, apply the desired state.

    A key that is gone from IAM needs no more checks. Each change is read back once more
    `look_after` later, since a call whose answer was lost may run late.
    """
    shown = observe(services, key)
    if shown.value != key.desired.value and shown is not ObservedState.DELETED:
        apply(services, key)
        return
    services.store.commit(
        Change(key, key.observe(shown, check_at=_next_check(services, key, shown))),
        entry=services.key_entry(key, key, "read", KEYDESK, detail=_iam_shows(shown)),
    )


def apply(services: Services, key: ManagedKey) -> bool:
    """Apply the desired state of `key` in IAM, read it back and record what IAM shows.

    Idempotent.

    Returns:
        True if the change is certain. A deletion is certain if IAM did it, or if the key is old
        enough for its absence to prove it.

    Raises:
        AccessKeyNotFound: The key would be enabled and is gone.
        IamRefused: AWS refused the change.
        IamUnavailable: AWS did not respond.
        OutcomeUnknown: The answer of AWS was lost.
    """
    absent = not _change_iam(services, key)
    certain = not absent or _absence_is_proof(services, key)
    try:
        shown = observe(services, key)
    except (IamRefused, Unavailable) as problem:
        if absent and isinstance(problem, IamRefused) and problem.aws_code == NOT_FOUND_CODE:
            raise  # the key belongs to a user of another name now, so nothing was done
        shown = ObservedState.UNKNOWN  # the change is done, and the next check reads the result
    if absent and shown in (ObservedState.ACTIVE, ObservedState.INACTIVE):
        certain = False  # IAM lists a key that it has just called unknown
    if not certain and shown is key.observed:
        services.store.reschedule(key.name, next_retry(services, key))
        return False
    check_at = _check_after_change(services, key, shown, certain=certain)
    try:
        services.commit(
            Change(key, key.observe(shown, check_at=check_at)),
            entry=services.key_entry(key, key, f"{key.desired}", KEYDESK, detail=_iam_shows(shown)),
        )
    except Conflict:
        _apply_newer(services, key)
        return certain
    if absent and certain and key.desired is DesiredState.ACTIVE:
        raise AccessKeyNotFound("UpdateAccessKey")
    return certain


def _iam_shows(observed: ObservedState) -> Detail:
    return Detail(Code.IAM_SHOWS, {"state": observed})


def _change_iam(services: Services, key: ManagedKey) -> bool:
    """Make the change in IAM. Return False if IAM has no such key.

    Raises what IAM raises.
    """
    try:
        if key.desired is DesiredState.DELETED:
            services.issuer.delete_key(key.iam_user, key.id)
        else:
            status = KeyStatus.ACTIVE if key.desired is DesiredState.ACTIVE else KeyStatus.INACTIVE
            services.issuer.set_status(key.iam_user, key.id, status)
    except (AccessKeyNotFound, IamUserNotFound):
        return False
    except IamDenied as denied:
        if (
            not identify.is_outside_path(services, denied)
            or observe(services, key) is not ObservedState.DELETED
        ):
            raise
        return False
    return True


def _apply_newer(services: Services, done: ManagedKey) -> None:
    """Apply a newer desired state, since IAM may have seen it before this one."""
    latest = services.store.key(done.id)
    if latest and latest.desired is not done.desired and latest.version > done.version:
        apply(services, latest)


def apply_or_raise(services: Services, key: ManagedKey) -> None:
    """Apply the desired state of `key`.

    Raises ChangePending if AWS has not confirmed it.
    """
    facts = {"key_id": key.id, "desired": key.desired}
    try:
        certain = apply(services, key)
    except AccessKeyNotFound as gone:
        raise ChangePending(Code.CHANGED_KEY_GONE, **facts) from gone
    except (IamRefused, Unavailable, OutcomeUnknown) as problem:
        facts = {**_cause_facts(problem), **facts}
        raise ChangePending(Code.CHANGE_NOT_CONFIRMED, cause=problem.code, **facts) from problem
    if not certain:
        known = key.absence_is_proof(services.clock.now())
        raise ChangePending(Code.KEY_NOT_KNOWN_EVERYWHERE if known else Code.KEY_TOO_NEW, **facts)


def _cause_facts(problem: KeydeskError) -> dict[str, Any]:
    """Return the facts of an error that caused another one."""
    if isinstance(problem, IamRefused):
        return {"aws_code": problem.aws_code, "action": problem.action, **problem.facts}
    return dict(problem.facts)


def observe(services: Services, key: ManagedKey) -> ObservedState:
    """Return what IAM shows of a key now.

    Absence counts only if the key is old enough to prove it deleted.

    An IAM user can be deleted only without keys. If it is renamed, it keeps them ("Rename or delete
    an IAM user", AWS IAM User Guide).

    Raises:
        IamUserRenamed: The key belongs to a user of another name now.
        IamDenied: A missing permission may hide the key.
    """
    try:
        listed = {k.id: k for k in services.issuer.listed(key.iam_user)}
    except (IamUserNotFound, IamDenied) as refusal:
        denied = isinstance(refusal, IamDenied)
        if isinstance(refusal, IamDenied) and not identify.is_outside_path(services, refusal):
            raise
        owned = services.issuer.owner(key.id)
        if owned and not (denied and owned[0] == key.iam_user):
            raise IamUserRenamed(key.id, key.iam_user, renamed_to=owned[0]) from None
        if denied and (owned or not reports_key_owners(services, but=key.id)):
            raise
        listed = {}
    if key.id in listed:
        return ObservedState.ACTIVE if listed[key.id].active else ObservedState.INACTIVE
    return ObservedState.DELETED if _absence_is_proof(services, key) else ObservedState.UNKNOWN


def reports_key_owners(services: Services, but: str = "") -> bool:
    """Return True if AWS answers the question which user has a key.

    For a deleted key, GetAccessKeyLastUsed answers as if the permission were missing. So "no owner"
    means "deleted" only while other keys have one. AWS is asked about Keydesk's own keys, then
    about those on record that are due last. Raises what IAM and the database raise.
    """
    due = services.store.due(services.clock.now() + FOREVER, MAX_RECORDS)
    others = [
        id_
        for kind, _, id_ in (name.partition(":") for name in reversed(due))
        if kind == "key" and id_ != but
    ]
    return any(
        services.issuer.owner(one)
        for one in [*services.issuer.own_key_ids(), *others[:MAX_OTHER_KEYS]]
    )


def is_user_hidden(services: Services, denied: IamDenied, iam_user: str) -> bool:
    """Return True if AccessDenied means that the user is missing or outside IAM_PATH.

    Then GetUser is denied in the same way, and AWS still answers questions about other keys.
    """
    if not identify.is_outside_path(services, denied):
        return False
    try:
        services.issuer.user(iam_user)
    except IamUserNotFound:
        return True
    except IamDenied as alike:
        return identify.is_outside_path(services, alike) and reports_key_owners(services)
    return False


def _absence_is_proof(services: Services, key: ManagedKey) -> bool:
    """Return True if the key is old enough for its absence to prove it deleted.

    The database's clock counts. That of this process may be wrong or change between two reads.
    """
    before, drift = services.clock.now(), services.clock.drift()
    return key.absence_is_proof(min(before, services.clock.now()) - drift)


def next_retry(services: Services, key: ManagedKey) -> datetime:
    """Return when to retry a key that IAM does not know everywhere yet (UTC).

    It is a few times soon, then once after CONSISTENCY_DELAY. Each retry counts as a failure for
    the scheduler, which waits longer after each of them.
    """
    if services.clock.now() - key.created_at < RETRY_SOON_FOR:
        return services.retry_at()
    return max(services.retry_at(), key.created_at + CONSISTENCY_DELAY)


def _next_check(services: Services, key: ManagedKey, observed: ObservedState) -> datetime | None:
    """Return when to check a key again that IAM shows as desired (UTC), or None."""
    read_back_at = (key.changed_at or key.created_at) + services.settings.look_after
    now = services.clock.now()
    if now < read_back_at:
        return read_back_at
    checked_daily = (
        key.leaked
        and key.desired is DesiredState.INACTIVE
        and observed is not ObservedState.DELETED
    )
    return now + LEAKED_CHECK_INTERVAL if checked_daily else None


def _check_after_change(
    services: Services, key: ManagedKey, observed: ObservedState, *, certain: bool
) -> datetime | None:
    """Return when to check a key again after a change (UTC), or None for never."""
    if not certain:
        return next_retry(services, key)
    next_check = _next_check(services, key, observed)
    # An enabled key is repaired at most once. After that, a change in the console counts.
    if key.desired is DesiredState.ACTIVE:
        return next_check
    return next_check or services.clock.now() + services.settings.look_after
