"""Whose is a key, and which keys are a person's own?"""

from __future__ import annotations

from bot.domain import policy
from bot.domain.errors import (
    IamRefused,
    IamUnavailable,
    IamUserNotFound,
    KeyNotInAccount,
    NoIamUser,
    NotAllowed,
    NotYourKey,
    Refused,
    SlackUnavailable,
)
from bot.domain.identity import IamUser, Member
from bot.domain.keys import (
    AccessKey,
    DesiredState,
    KeyStatus,
    LastUsed,
    ManagedKey,
    ObservedState,
)
from bot.operations import identify, reconcile
from bot.operations.services import Services

_NOT_SEEN = (
    "You have no access key with that ID, nor do I see a service user of yours that has it. `/key list` shows "
    "yours; if it is of a service user that you own, try again in a minute."
)
"""Said of somebody else's key, of one that does not exist, and while Slack or AWS does not say who owns its user."""


def keys_of(services: Services, member: Member, service_user: str = "") -> tuple[AccessKey, ...]:
    """A person's own keys, or a service user's, oldest first, with their last use."""
    return services.issuer.keys(identify.identify(services, member, service_user).name)


def owned_key(services: Services, member: Member, key_id: str, service_user: str = "") -> AccessKey:
    """One of a person's own keys with its last use. Raises NotYourKey, whether or not the key exists."""
    return owned_user_and_key(services, member, key_id, service_user)[1]


def service_user_of(services: Services, member: Member, key_id: str) -> str:
    """The service user that a person owns and whose key this is; "" for a key of their own. Raises NotYourKey."""
    return key_user(services, member, key_id)[1] if services.settings.iam_owner_tag else ""


def key_user(
    services: Services, member: Member, key_id: str, service_user: str = ""
) -> tuple[IamUser, str]:
    """The IAM user of a key to ask about, and its name where it is a service user: the one named, or whose key it is.

    Where nobody can own a service user, it is the person's own, whoever's key it is. Raises as `own_key`.
    """
    if service_user or not services.settings.iam_owner_tag:
        return identify.identify(services, member, service_user), service_user
    user, _ = owned_user_and_key(services, member, key_id)
    own = {name.lower() for name in identify.iam_user_names(services, member)}
    return user, "" if user.name.lower() in own else user.name


def owned_user_and_key(
    services: Services, member: Member, key_id: str, service_user: str = ""
) -> tuple[IamUser, AccessKey]:
    """A person's own key, or one of a service user that they own, with its IAM user, as IAM lists it.

    A key of anybody else and one that does not exist are answered alike: NotYourKey, or, for who has no IAM user of
    their own, in the words that say so. Such a person may own a service user all the same.
    """
    refusal: Refused = NotYourKey(
        _NOT_SEEN if services.settings.iam_owner_tag and not service_user else ""
    )
    key = None
    try:
        user = identify.identify(services, member, service_user)
        key = _find_key(services, user, key_id)
    except (NoIamUser, IamUserNotFound, NotAllowed) as none:
        if not services.settings.iam_owner_tag or service_user:
            raise
        refusal = none
    if key is not None:
        return user, key
    found = (
        owner_of(services, key_id) if services.settings.iam_owner_tag and not service_user else None
    )
    if found is None:
        raise refusal
    try:
        user = identify.identify(services, member, found[0])
    except NotAllowed:
        raise refusal from None
    except (
        IamRefused,
        IamUnavailable,
        SlackUnavailable,
    ) as silent:  # asked only about a user that is there
        raise refusal from silent
    key = _find_key(services, user, key_id)
    if key is None:
        raise refusal
    return user, key


def check_own_key(services: Services, member: Member, key: ManagedKey) -> None:
    """A key on record must be the person's own still, as `owned` tells it, though it need not be in AWS any more.

    Raises NotAllowed, NoIamUser, IamRefused or Unavailable.
    """
    try:
        policy.check_still_owner(
            identify.identify(services, member, key.iam_user if key.is_service_user else ""), key
        )
    except (NoIamUser, IamUserNotFound, NotAllowed) as refusal:
        if not services.settings.iam_owner_tag or key.is_service_user:
            raise
        try:
            policy.check_still_owner(identify.identify(services, member, key.iam_user), key)
        except NotAllowed:
            raise refusal from None


def owner_of(services: Services, key_id: str) -> tuple[str, LastUsed | None] | None:
    """The IAM user of any key of the account, and its last use where AWS tells it; None for a key of no user here.

    AWS may not know a key that is seconds old. The desk's own record then says whose it is, unless it is gone.
    """
    found = services.issuer.owner(key_id)
    if found is not None:
        return found
    record = services.store.key(key_id)
    if (
        record is None
        or record.desired is DesiredState.DELETED
        or record.observed is ObservedState.DELETED
        or _is_deleted(services, record)
    ):
        return None
    return record.iam_user, None


def _is_deleted(services: Services, record: ManagedKey) -> bool:
    """Does IAM show for certain that a key is not there any more?"""
    try:
        return reconcile.observe(services, record) is ObservedState.DELETED
    except (IamRefused, IamUnavailable):
        return False


def any_user_and_key(services: Services, key_id: str) -> tuple[IamUser, AccessKey]:
    """Any key of the account with its IAM user, for an approver; one too young to be listed counts as active.

    Raises KeyNotInAccount, or NotAllowed for one whose user is not under `IAM_PATH`.
    """
    found = owner_of(services, key_id)
    if found is None:
        raise KeyNotInAccount(key_id)
    user = services.issuer.user(found[0])
    policy.check_iam_path(user, services.settings.iam_path)
    key, record = _find_key(services, user, key_id), services.store.key(key_id)
    if key is None and record and not record.absence_is_proof(services.clock.now()):
        key = AccessKey(key_id, user.name, KeyStatus.ACTIVE, record.created_at)
    if key is None:
        raise KeyNotInAccount(key_id)
    return user, key


def _find_key(services: Services, user: IamUser, key_id: str) -> AccessKey | None:
    return next((key for key in services.issuer.keys(user.name) if key.id == key_id), None)
