"""Whose is a key, and which keys are a person's own?"""

from __future__ import annotations

from bot.core import policy
from bot.core.access_key import AccessKey, KeyStatus, LastUsed, ManagedKey, Shown, Wanted
from bot.core.errors import (
    IamRefused,
    IamUnavailable,
    NoIamUser,
    NoSuchIamUser,
    NotAllowed,
    NotInAccount,
    NotYourKey,
    Refused,
    SlackUnavailable,
)
from bot.core.people import IamUser, Member
from bot.core.workflow import intent
from bot.core.workflow.desk import Desk

_NOT_SEEN = (
    "You have no access key with that ID, nor do I see a service user of yours that has it. `/key list` shows "
    "yours; if it is of a service user that you own, try again in a minute."
)
"""Said of somebody else's key, of one that does not exist, and while Slack or AWS does not say who owns its user."""


def keys_of(desk: Desk, member: Member, service_user: str = "") -> tuple[AccessKey, ...]:
    """A person's own keys, or a service user's, oldest first, with their last use."""
    return desk.issuer.keys(desk.identify(member, service_user).name)


def own_key(desk: Desk, member: Member, key_id: str, service_user: str = "") -> AccessKey:
    """One of a person's own keys with its last use. Raises NotYourKey, whether or not the key exists."""
    return owned(desk, member, key_id, service_user)[1]


def service_user_of(desk: Desk, member: Member, key_id: str) -> str:
    """The service user that a person owns and whose key this is; "" for a key of their own. Raises NotYourKey."""
    return user_of(desk, member, key_id)[1] if desk.rules.owner_tag else ""


def user_of(desk: Desk, member: Member, key_id: str, service_user: str = "") -> tuple[IamUser, str]:
    """The IAM user of a key to ask about, and its name where it is a service user: the one named, or whose key it is.

    Where nobody can own a service user, it is the person's own, whoever's key it is. Raises as `own_key`.
    """
    if service_user or not desk.rules.owner_tag:
        return desk.identify(member, service_user), service_user
    user, _ = owned(desk, member, key_id)
    own = {name.lower() for name in desk.iam_names(member)}
    return user, "" if user.name.lower() in own else user.name


def owned(
    desk: Desk, member: Member, key_id: str, service_user: str = ""
) -> tuple[IamUser, AccessKey]:
    """A person's own key, or one of a service user that they own, with its IAM user, as IAM lists it.

    A key of anybody else and one that does not exist are answered alike: NotYourKey, or, for who has no IAM user of
    their own, in the words that say so. Such a person may own a service user all the same.
    """
    refusal: Refused = NotYourKey(_NOT_SEEN if desk.rules.owner_tag and not service_user else "")
    key = None
    try:
        user = desk.identify(member, service_user)
        key = _one_of(desk, user, key_id)
    except (NoIamUser, NoSuchIamUser, NotAllowed) as none:
        if not desk.rules.owner_tag or service_user:
            raise
        refusal = none
    if key is not None:
        return user, key
    found = owner_of(desk, key_id) if desk.rules.owner_tag and not service_user else None
    if found is None:
        raise refusal
    try:
        user = desk.identify(member, found[0])
    except NotAllowed:
        raise refusal from None
    except (
        IamRefused,
        IamUnavailable,
        SlackUnavailable,
    ) as silent:  # asked only about a user that is there
        raise refusal from silent
    key = _one_of(desk, user, key_id)
    if key is None:
        raise refusal
    return user, key


def is_own(desk: Desk, member: Member, key: ManagedKey) -> None:
    """A key on record must be the person's own still, as `owned` tells it, though it need not be in AWS any more.

    Raises NotAllowed, NoIamUser, IamRefused or Unavailable.
    """
    try:
        policy.is_still_theirs(desk.identify(member, key.iam_user if key.service else ""), key)
    except (NoIamUser, NoSuchIamUser, NotAllowed) as refusal:
        if not desk.rules.owner_tag or key.service:
            raise
        try:
            policy.is_still_theirs(desk.identify(member, key.iam_user), key)
        except NotAllowed:
            raise refusal from None


def owner_of(desk: Desk, key_id: str) -> tuple[str, LastUsed | None] | None:
    """The IAM user of any key of the account, and its last use where AWS tells it; None for a key of no user here.

    AWS may not know a key that is seconds old. The desk's own record then says whose it is, unless it is gone.
    """
    found = desk.issuer.owner(key_id)
    if found is not None:
        return found
    record = desk.store.key(key_id)
    if (
        record is None
        or record.wanted is Wanted.DELETED
        or record.shown is Shown.DELETED
        or _is_gone(desk, record)
    ):
        return None
    return record.iam_user, None


def _is_gone(desk: Desk, record: ManagedKey) -> bool:
    """Does IAM show for certain that a key is not there any more?"""
    try:
        return intent.read(desk, record) is Shown.DELETED
    except (IamRefused, IamUnavailable):
        return False


def anybodys(desk: Desk, key_id: str) -> tuple[IamUser, AccessKey]:
    """Any key of the account with its IAM user, for an approver; one too young to be listed counts as active.

    Raises NotInAccount, or NotAllowed for one whose user is not under `IAM_PATH`.
    """
    found = owner_of(desk, key_id)
    if found is None:
        raise NotInAccount(key_id)
    user = desk.issuer.user(found[0])
    policy.is_served(user, desk.rules.iam_path)
    key, record = _one_of(desk, user, key_id), desk.store.key(key_id)
    if key is None and record and not record.absence_proves(desk.clock.now()):
        key = AccessKey(key_id, user.name, KeyStatus.ACTIVE, record.made_at)
    if key is None:
        raise NotInAccount(key_id)
    return user, key


def _one_of(desk: Desk, user: IamUser, key_id: str) -> AccessKey | None:
    return next((key for key in desk.issuer.keys(user.name) if key.id == key_id), None)
