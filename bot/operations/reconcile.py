"""The intent: how is what is wanted of a key done in IAM, read back, and put right where IAM shows something else?"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.domain.errors import (
    AccessKeyNotFound,
    ChangePending,
    Conflict,
    IamDenied,
    IamRefused,
    IamUserNotFound,
    OutcomeUnknown,
    Unavailable,
)
from bot.domain.keys import (
    CONSISTENCY_DELAY,
    DesiredState,
    KeyStatus,
    ManagedKey,
    ObservedState,
)
from bot.domain.ports import Change
from bot.operations import identify
from bot.operations.services import KEYDESK, Services

NOT_FOUND_CODE = "NoSuchEntity"

RETRY_SOON_FOR = timedelta(minutes=1)
"""In its first minute a key that IAM does not know is asked for again soon: it mostly knows it after seconds."""

LEAKED_CHECK_INTERVAL = timedelta(days=1)
"""How often a leaked key is looked at: whoever turns it on in the console does not keep it on."""

FOREVER = timedelta(days=36_500)
MAX_RECORDS, MAX_OTHER_KEYS = 1000, 5
"""Names on record that are looked through for keys to ask about, and keys asked about: those due last, which live."""


def reconcile(services: Services, key: ManagedKey) -> None:
    """Time has come to look at a key: what IAM shows is noted, and put right where it is not what is wanted.

    A key gone from IAM, whatever was wanted of it, needs no more looks once the change has been read back.
    Each change is read back once more `look_after` later, since a call whose answer was lost may run late.
    """
    shown = observe(services, key)
    if shown.value != key.desired.value and shown is not ObservedState.DELETED:
        apply(services, key)
        return
    services.store.commit(
        Change(key, key.observe(shown, check_at=_next_check(services, key, shown))),
        entry=services.key_entry(key, key, "read", KEYDESK, reason=f"IAM shows {shown}"),
    )


def apply(services: Services, key: ManagedKey) -> bool:
    """Does in IAM what is wanted of `key`, reads it back and notes what IAM shows. May run twice.

    Returns whether that is certain: for a deletion, that IAM did it, or that the key is old enough for its
    absence to prove it. Raises IamRefused (AccessKeyNotFound for a key that was to be turned on and is gone), IamUnavailable
    or OutcomeUnknown when IAM did not do it.
    """
    absent = not _change_iam(services, key)
    certain = not absent or _absence_is_proof(services, key)
    try:
        shown = observe(services, key)
    except (IamRefused, Unavailable) as problem:
        if absent and isinstance(problem, IamRefused) and problem.aws_code == NOT_FOUND_CODE:
            raise  # the key lives on under another name: nothing was done
        shown = (
            ObservedState.UNKNOWN
        )  # what was wanted is done; the look after it reads what came of it
    certain &= not (
        absent and shown in (ObservedState.ACTIVE, ObservedState.INACTIVE)
    )  # IAM lists what it said it does not know
    if not certain and shown is key.observed:
        services.store.reschedule(key.name, next_retry(services, key))
        return False
    try:
        services.commit(
            Change(
                key,
                key.observe(
                    shown, check_at=_check_after_change(services, key, shown, certain=certain)
                ),
            ),
            entry=services.key_entry(
                key, key, f"{key.desired}", KEYDESK, reason=f"IAM shows {shown}"
            ),
        )
    except Conflict:
        _apply_newer(services, key)
        return certain
    if absent and certain and key.desired is DesiredState.ACTIVE:
        raise AccessKeyNotFound("UpdateAccessKey")
    return certain


def _change_iam(services: Services, key: ManagedKey) -> bool:
    """Has IAM do what is wanted of `key`; False where there is no such key to do it to. Raises what IAM raises."""
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
    """Somebody wanted something else of the key while this was done, which may have come last: theirs is done again."""
    latest = services.store.key(done.id)
    if latest and latest.desired is not done.desired and latest.version > done.version:
        apply(services, latest)


def apply_or_raise(services: Services, key: ManagedKey) -> None:
    """Carries out what is wanted of `key`. Raises ChangePending, worded for the person, where it is not certain."""
    does = {
        DesiredState.ACTIVE: "turned on",
        DesiredState.INACTIVE: "turned off",
        DesiredState.DELETED: "deleted",
    }[key.desired]
    try:
        certain = apply(services, key)
    except AccessKeyNotFound as gone:
        raise ChangePending(f"{key.id} cannot be {does}: AWS does not know it any more.") from gone
    except (IamRefused, Unavailable, OutcomeUnknown) as problem:
        raise ChangePending(
            f"AWS has not confirmed yet that {key.id} is {does}: {problem.sentence} I keep trying; "
            "`/key list` shows how it stands."
        ) from problem
    if not certain:
        new = (
            "is so new that AWS does not know it everywhere yet"
            if not key.absence_is_proof(services.clock.now())
            else ("is not known to AWS everywhere at this moment")
        )
        raise ChangePending(
            f"{key.id} {new}. I keep trying until it is {does}; `/key list` shows how it stands."
        )


def observe(services: Services, key: ManagedKey) -> ObservedState:
    """What IAM shows of a key now; absence counts only once the key is old enough to prove something.

    An IAM user must have lost its keys before it can be deleted, but it takes them along when it is renamed (AWS
    documentation, "Rename or delete an IAM user"). Raises IamRefused where IAM knows the key as another user's, and
    IamDenied where it may only be a permission that keeps the key from being seen.
    """
    try:
        listed = {k.id: k for k in services.issuer.listed(key.iam_user)}
    except (IamUserNotFound, IamDenied) as refusal:
        denied = isinstance(refusal, IamDenied)
        if isinstance(refusal, IamDenied) and not identify.is_outside_path(services, refusal):
            raise
        owned = services.issuer.owner(key.id)
        if owned and not (denied and owned[0] == key.iam_user):
            raise _user_renamed(key, owned[0]) from None
        if denied and (owned or not reports_key_owners(services, but=key.id)):
            raise
        listed = {}
    if key.id in listed:
        return ObservedState.ACTIVE if listed[key.id].active else ObservedState.INACTIVE
    return ObservedState.DELETED if _absence_is_proof(services, key) else ObservedState.UNKNOWN


def reports_key_owners(services: Services, but: str = "") -> bool:
    """Does AWS tell the desk at this moment whose a key is? Asked about keys that exist: its own, then those on record.

    To GetAccessKeyLastUsed of a key that is gone AWS answers as to somebody who lacks that permission. So "no owner"
    means "gone" only while others have one. Raises what IAM and the store raise.
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
    """May a refusal come of a user who is not there, or elsewhere than under the path, and of nothing else?

    Then GetUser is denied alike, and a question about others is answered.
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


def _user_renamed(key: ManagedKey, name: str) -> IamRefused:
    words = (
        f"AWS has no IAM user {key.iam_user} any more, and {key.id} is {name}'s by now, so I did nothing to it. "
        "Whoever looks after AWS can give the user its name back, or turn the key off in AWS."
    )
    return IamRefused(NOT_FOUND_CODE, "ListAccessKeys", words)


def _absence_is_proof(services: Services, key: ManagedKey) -> bool:
    """Is the key old enough for its absence to prove it gone? By the store's clock: this process's may be far off."""
    before, drift = services.clock.now(), services.clock.drift()
    return key.absence_is_proof(
        min(before, services.clock.now()) - drift
    )  # it may jump between two looks at it


def next_retry(services: Services, key: ManagedKey) -> datetime:
    """When to ask again about a key too young for IAM to know it everywhere: a few times soon, then when it is not.

    Few times, since each wait counts like a failure for the sweeper, which waits longer and longer after those.
    """
    now = services.clock.now()
    return (
        services.retry_at()
        if now - key.created_at < RETRY_SOON_FOR
        else max(services.retry_at(), key.created_at + CONSISTENCY_DELAY)
    )


def _next_check(services: Services, key: ManagedKey, observed: ObservedState) -> datetime | None:
    look, now = (
        (key.changed_at or key.created_at) + services.settings.look_after,
        services.clock.now(),
    )
    if now < look:
        return look
    stays = (
        key.leaked
        and key.desired is DesiredState.INACTIVE
        and observed is not ObservedState.DELETED
    )
    return now + LEAKED_CHECK_INTERVAL if stays else None


def _check_after_change(
    services: Services, key: ManagedKey, observed: ObservedState, *, certain: bool
) -> datetime | None:
    """When to look again after a change."""
    if not certain:
        return next_retry(services, key)
    # A key is turned on again once at most: whoever turns it off in the console after that is right.
    if key.desired is DesiredState.ACTIVE:
        return _next_check(services, key, observed)
    return (
        _next_check(services, key, observed) or services.clock.now() + services.settings.look_after
    )
