"""Find the keys of a member, and the owner of a key."""

from __future__ import annotations

from bot.domain import policy
from bot.domain.codes import Code
from bot.domain.errors import KeyNotInAccount, NoIamUser, NotAllowed, NotYourKey, Refused
from bot.domain.identity import IamUser, Member
from bot.domain.keys import AccessKey, DesiredState, KeyStatus, LastUsed, ManagedKey, ObservedState
from bot.domain.outside_errors import IamRefused, IamUnavailable, IamUserNotFound, SlackUnavailable
from bot.operations import identify, reconcile
from bot.operations.services import Services


def keys_of(services: Services, member: Member, service_user: str = "") -> tuple[AccessKey, ...]:
    """Return the member's keys, or a service user's, oldest first, with last use."""
    return services.issuer.keys(identify.identify(services, member, service_user).name)


def owned_key(services: Services, member: Member, key_id: str, service_user: str = "") -> AccessKey:
    """Return one of the member's own keys with its last use.

    Raises as `owned_user_and_key`.
    """
    return owned_user_and_key(services, member, key_id, service_user)[1]


def service_user_of(services: Services, member: Member, key_id: str) -> str:
    """Return the member's service user that has this key, or "" for their own key.

    Raises as `owned_user_and_key`.
    """
    return key_user(services, member, key_id)[1] if services.settings.iam_owner_tag else ""


def key_user(
    services: Services, member: Member, key_id: str, service_user: str = ""
) -> tuple[IamUser, str]:
    """Return the IAM user of a key, and its name if it is a service user, else "".

    That is the service user named, or the one that has the key. Without owner tags it is always the
    member's own user, even if someone else has the key. Raises as `owned_user_and_key`.
    """
    if service_user or not services.settings.iam_owner_tag:
        return identify.identify(services, member, service_user), service_user
    user, _ = owned_user_and_key(services, member, key_id)
    own = {name.lower() for name in identify.iam_user_names(services, member)}
    return user, "" if user.name.lower() in own else user.name


def owned_user_and_key(
    services: Services, member: Member, key_id: str, service_user: str = ""
) -> tuple[IamUser, AccessKey]:
    """Return a key of the member's, or of a service user of theirs, with its IAM user.

    The answer is the same for a key of someone else and for one that does not exist. A member
    without an IAM user may still own a service user.

    Raises:
        NotYourKey: The member has no such key.
        NoIamUser: The member has no such key, and no IAM user. The same for IamUserNotFound and
            NotAllowed.
        IamRefused: AWS refused a call.
        Unavailable: AWS or Slack did not respond.
    """
    any_service_user = bool(services.settings.iam_owner_tag) and not service_user
    refusal: Refused = NotYourKey(Code.KEY_NOT_FOUND) if any_service_user else NotYourKey()
    key = None
    try:
        user = identify.identify(services, member, service_user)
        key = _find_key(services, user, key_id)
    except (NoIamUser, IamUserNotFound, NotAllowed) as no_user:
        if not any_service_user:
            raise
        refusal = no_user
    if key is not None:
        return user, key
    found = owner_of(services, key_id) if any_service_user else None
    if found is None:
        raise refusal
    try:
        user = identify.identify(services, member, found[0])
    except NotAllowed:
        raise refusal from None
    except (IamRefused, IamUnavailable, SlackUnavailable) as no_answer:
        raise refusal from no_answer  # the error itself would tell that the key exists
    key = _find_key(services, user, key_id)
    if key is None:
        raise refusal
    return user, key


def check_own_key(services: Services, member: Member, key: ManagedKey) -> None:
    """Check that a recorded key is still the member's, even if it is gone from AWS.

    Raises:
        NotAllowed: The key's IAM user is not the member's any more. The same for NoIamUser.
        IamRefused: AWS refused a call.
        Unavailable: AWS or Slack did not respond.
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
    """Return the IAM user of any key of the account, and the key's last use if known.

    None for no such key.

    AWS may not know a key that is seconds old. Then the record counts, unless the key is deleted.
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
    """Return True if IAM proves that the key is deleted."""
    try:
        return reconcile.observe(services, record) is ObservedState.DELETED
    except (IamRefused, IamUnavailable):
        return False


def any_user_and_key(services: Services, key_id: str) -> tuple[IamUser, AccessKey]:
    """Return any key of the account with its IAM user, for an approver.

    A key too new to be listed counts as active.

    Raises:
        KeyNotInAccount: The account has no such key.
        NotAllowed: Its IAM user is outside the path.
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
