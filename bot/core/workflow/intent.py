"""The intent: how is what is wanted of a key done in IAM, read back, and put right where IAM shows something else?"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.core.access_key import PROVES_NOTHING_FOR, KeyStatus, ManagedKey, Shown, Wanted
from bot.core.errors import (
    Conflict,
    IamDenied,
    IamRefused,
    NoSuchIamUser,
    NoSuchKey,
    OutcomeUnknown,
    StillTrying,
    Unavailable,
)
from bot.core.ports import Change
from bot.core.workflow.desk import KEYDESK, Desk

NO_SUCH = "NoSuchEntity"

YOUNGEST = timedelta(minutes=1)
"""In its first minute a key that IAM does not know is asked for again soon: it mostly knows it after seconds."""

LOOK_EVERY = timedelta(days=1)
"""How often a leaked key is looked at: whoever turns it on in the console does not keep it on."""

EVER = timedelta(days=36_500)
MOST_DUE, OTHERS = 1000, 5
"""Names on record that are looked through for keys to ask about, and keys asked about: those due last, which live."""


def settle(desk: Desk, key: ManagedKey) -> None:
    """Time has come to look at a key: what IAM shows is noted, and put right where it is not what is wanted.

    A key gone from IAM, whatever was wanted of it, needs no more looks once the change has been read back.
    Each change is read back once more `look_after` later, since a call whose answer was lost may run late.
    """
    shown = read(desk, key)
    if shown.value != key.wanted.value and shown is not Shown.DELETED:
        carry_out(desk, key)
        return
    desk.store.commit(
        Change(key, key.show(shown, due=_next_look(desk, key, shown))),
        entry=desk.key_entry(key, key, "read", KEYDESK, why=f"IAM shows {shown}"),
    )


def carry_out(desk: Desk, key: ManagedKey) -> bool:
    """Does in IAM what is wanted of `key`, reads it back and notes what IAM shows. May run twice.

    Returns whether that is certain: for a deletion, that IAM did it, or that the key is old enough for its
    absence to prove it. Raises IamRefused (NoSuchKey for a key that was to be turned on and is gone), IamUnavailable
    or OutcomeUnknown when IAM did not do it.
    """
    absent = not _done(desk, key)
    certain = not absent or _absence_proves(desk, key)
    try:
        shown = read(desk, key)
    except (IamRefused, Unavailable) as problem:
        if absent and isinstance(problem, IamRefused) and problem.code == NO_SUCH:
            raise  # the key lives on under another name: nothing was done
        shown = Shown.UNKNOWN  # what was wanted is done; the look after it reads what came of it
    certain &= not (
        absent and shown in (Shown.ACTIVE, Shown.INACTIVE)
    )  # IAM lists what it said it does not know
    if not certain and shown is key.shown:
        desk.store.postpone(key.name, next_try(desk, key))
        return False
    try:
        desk.commit(
            Change(key, key.show(shown, due=_after_change(desk, key, shown, certain=certain))),
            entry=desk.key_entry(key, key, f"{key.wanted}", KEYDESK, why=f"IAM shows {shown}"),
        )
    except Conflict:
        _follow(desk, key)
        return certain
    if absent and certain and key.wanted is Wanted.ACTIVE:
        raise NoSuchKey("UpdateAccessKey")
    return certain


def _done(desk: Desk, key: ManagedKey) -> bool:
    """Has IAM do what is wanted of `key`; False where there is no such key to do it to. Raises what IAM raises."""
    try:
        if key.wanted is Wanted.DELETED:
            desk.issuer.delete_key(key.iam_user, key.id)
        else:
            status = KeyStatus.ACTIVE if key.wanted is Wanted.ACTIVE else KeyStatus.INACTIVE
            desk.issuer.set_status(key.iam_user, key.id, status)
    except (NoSuchKey, NoSuchIamUser):
        return False
    except IamDenied as denied:
        if not desk.is_elsewhere(denied) or read(desk, key) is not Shown.DELETED:
            raise
        return False
    return True


def _follow(desk: Desk, done: ManagedKey) -> None:
    """Somebody wanted something else of the key while this was done, which may have come last: theirs is done again."""
    latest = desk.store.key(done.id)
    if latest and latest.wanted is not done.wanted and latest.version > done.version:
        carry_out(desk, latest)


def carry_out_or_say(desk: Desk, key: ManagedKey) -> None:
    """Carries out what is wanted of `key`. Raises StillTrying, worded for the person, where it is not certain."""
    does = {Wanted.ACTIVE: "turned on", Wanted.INACTIVE: "turned off", Wanted.DELETED: "deleted"}[
        key.wanted
    ]
    try:
        certain = carry_out(desk, key)
    except NoSuchKey as gone:
        raise StillTrying(f"{key.id} cannot be {does}: AWS does not know it any more.") from gone
    except (IamRefused, Unavailable, OutcomeUnknown) as problem:
        raise StillTrying(
            f"AWS has not confirmed yet that {key.id} is {does}: {problem.sentence} I keep trying; "
            "`/key list` shows how it stands."
        ) from problem
    if not certain:
        new = (
            "is so new that AWS does not know it everywhere yet"
            if not key.absence_proves(desk.clock.now())
            else ("is not known to AWS everywhere at this moment")
        )
        raise StillTrying(
            f"{key.id} {new}. I keep trying until it is {does}; `/key list` shows how it stands."
        )


def read(desk: Desk, key: ManagedKey) -> Shown:
    """What IAM shows of a key now; absence counts only once the key is old enough to prove something.

    An IAM user must have lost its keys before it can be deleted, but it takes them along when it is renamed (AWS
    documentation, "Rename or delete an IAM user"). Raises IamRefused where IAM knows the key as another user's, and
    IamDenied where it may only be a permission that keeps the key from being seen.
    """
    try:
        listed = {k.id: k for k in desk.issuer.listed(key.iam_user)}
    except (NoSuchIamUser, IamDenied) as refusal:
        denied = isinstance(refusal, IamDenied)
        if isinstance(refusal, IamDenied) and not desk.is_elsewhere(refusal):
            raise
        owned = desk.issuer.owner(key.id)
        if owned and not (denied and owned[0] == key.iam_user):
            raise _renamed(key, owned[0]) from None
        if denied and (owned or not tells_owners(desk, but=key.id)):
            raise
        listed = {}
    if key.id in listed:
        return Shown.ACTIVE if listed[key.id].active else Shown.INACTIVE
    return Shown.DELETED if _absence_proves(desk, key) else Shown.UNKNOWN


def tells_owners(desk: Desk, but: str = "") -> bool:
    """Does AWS tell the desk at this moment whose a key is? Asked about keys that exist: its own, then those on record.

    To GetAccessKeyLastUsed of a key that is gone AWS answers as to somebody who lacks that permission. So "no owner"
    means "gone" only while others have one. Raises what IAM and the store raise.
    """
    due = desk.store.due(desk.clock.now() + EVER, MOST_DUE)
    others = [
        id_
        for kind, _, id_ in (name.partition(":") for name in reversed(due))
        if kind == "key" and id_ != but
    ]
    return any(desk.issuer.owner(one) for one in [*desk.issuer.own_key_ids(), *others[:OTHERS]])


def user_is_out_of_sight(desk: Desk, denied: IamDenied, iam_user: str) -> bool:
    """May a refusal come of a user who is not there, or elsewhere than under the path, and of nothing else?

    Then GetUser is denied alike, and a question about others is answered.
    """
    if not desk.is_elsewhere(denied):
        return False
    try:
        desk.issuer.user(iam_user)
    except NoSuchIamUser:
        return True
    except IamDenied as alike:
        return desk.is_elsewhere(alike) and tells_owners(desk)
    return False


def _renamed(key: ManagedKey, name: str) -> IamRefused:
    words = (
        f"AWS has no IAM user {key.iam_user} any more, and {key.id} is {name}'s by now, so I did nothing to it. "
        "Whoever looks after AWS can give the user its name back, or turn the key off in AWS."
    )
    return IamRefused(NO_SUCH, "ListAccessKeys", words)


def _absence_proves(desk: Desk, key: ManagedKey) -> bool:
    """Is the key old enough for its absence to prove it gone? By the store's clock: this process's may be far off."""
    before, drift = desk.clock.now(), desk.clock.drift()
    return key.absence_proves(
        min(before, desk.clock.now()) - drift
    )  # it may jump between two looks at it


def next_try(desk: Desk, key: ManagedKey) -> datetime:
    """When to ask again about a key too young for IAM to know it everywhere: a few times soon, then when it is not.

    Few times, since each wait counts like a failure for the sweeper, which waits longer and longer after those.
    """
    now = desk.clock.now()
    return (
        desk.soon()
        if now - key.made_at < YOUNGEST
        else max(desk.soon(), key.made_at + PROVES_NOTHING_FOR)
    )


def _next_look(desk: Desk, key: ManagedKey, shown: Shown) -> datetime | None:
    look, now = (key.changed_at or key.made_at) + desk.rules.look_after, desk.clock.now()
    if now < look:
        return look
    stays = key.leaked and key.wanted is Wanted.INACTIVE and shown is not Shown.DELETED
    return now + LOOK_EVERY if stays else None


def _after_change(desk: Desk, key: ManagedKey, shown: Shown, *, certain: bool) -> datetime | None:
    """When to look again after a change."""
    if not certain:
        return next_try(desk, key)
    # A key is turned on again once at most: whoever turns it off in the console after that is right.
    if key.wanted is Wanted.ACTIVE:
        return _next_look(desk, key, shown)
    return _next_look(desk, key, shown) or desk.clock.now() + desk.rules.look_after
