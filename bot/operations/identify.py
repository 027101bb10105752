"""Look up a member's IAM user, and an IAM user's member."""

from __future__ import annotations

from collections.abc import Iterable

from bot.domain import policy
from bot.domain.codes import Code
from bot.domain.errors import NoIamUser, NotAllowed
from bot.domain.identity import IamUser, Member, is_slack_id
from bot.domain.keys import ManagedKey
from bot.domain.outside_errors import IamDenied, IamUserNotFound, SlackUnavailable
from bot.operations.services import Services


def identify(services: Services, member: Member, service_user: str = "") -> IamUser:
    """Return the member's own IAM user, or the service user of that name.

    Raises:
        NoIamUser: The mapping gives the member no IAM user, or several.
        NotAllowed: The member may not use this IAM user.
        IamRefused: AWS refused the call.
        Unavailable: AWS or Slack did not respond.
    """
    if service_user:
        return _service_user(services, member, service_user)
    user = _own_user(services, services.settings.iam_mapping.iam_user(member))
    policy.check_iam_path(user, services.settings.iam_path)
    policy.check_owner_tag(member, user, services.settings.iam_owner_tag)
    return user


def is_outside_path(services: Services, denied: IamDenied) -> bool:
    """Return True if the user may be missing or outside IAM_PATH.

    A policy as narrow as the path makes AWS deny calls about such users.
    """
    return (
        services.settings.iam_path != "/"
        and denied.aws_code.startswith("AccessDenied")
        and not denied.forbidden
    )


def slack_user_of(services: Services, user: IamUser) -> str:
    """Return the Slack user ID that an IAM user belongs to, or "" if it is unknown.

    Raises SlackUnavailable.
    """
    known = services.settings.iam_mapping.person(user.name)
    if is_slack_id(known):
        return known
    owners = policy.tagged_owners(user, services.settings.iam_owner_tag)
    named = sorted(filter(is_slack_id, owners))
    if named:
        return named[0]
    return services.directory.member_by_email(known) if "@" in known else ""


def owner_and_dm(services: Services, user: IamUser, record: ManagedKey | None) -> tuple[str, str]:
    """Return a key's owner and the direct message with them, "" for what is unknown.

    Never raises SlackUnavailable: a key must be disabled even if its owner can't be notified.
    """
    owner, dm = (record.owner, record.dm) if record else ("", "")
    try:
        owner = owner or slack_user_of(services, user)
        return owner, dm or (services.messenger.dm(owner) if owner else "")
    except SlackUnavailable:
        return owner, dm


def check_not_own_key(services: Services, key_id: str) -> None:
    """Raise NotAllowed for a key that Keydesk itself uses."""
    if key_id in services.issuer.own_key_ids():
        raise NotAllowed(Code.KEYDESK_OWN_KEY, key_id=key_id)


def iam_user_names(services: Services, member: Member) -> frozenset[str]:
    """Return every IAM user name that could be the member's.

    Approvers are compared by all of them, so that no approver decides about their own IAM user.
    """
    try:
        return frozenset({services.settings.iam_mapping.iam_user(member)})
    except NoIamUser:
        return services.settings.iam_mapping.listed(member)


def _own_user(services: Services, name: str) -> IamUser:
    try:
        return services.issuer.user(name)
    except IamDenied as denied:
        if not is_outside_path(services, denied):
            raise
        raise NotAllowed(
            Code.USER_NOT_SHOWN,
            iam_user=name,
            path=services.settings.iam_path,
            action=denied.action,
            aws_code=denied.aws_code,
        ) from denied


def _service_user(services: Services, member: Member, name: str) -> IamUser:
    """Return the service user of that name, if its owner tag names the member.

    A missing user is refused exactly as one of others, so a refusal does not reveal that it exists.
    """
    tag = services.settings.iam_owner_tag
    if not tag:
        raise NotAllowed(Code.SERVICE_USERS_OFF)
    refused = NotAllowed(Code.NOT_SERVICE_OWNER, iam_user=name, tag=tag)
    try:
        user = services.issuer.user(name)
    except IamUserNotFound:
        raise refused from None
    except IamDenied as denied:
        # Denied for this user alone: refused like a user that does not exist.
        if not denied.forbidden and not is_outside_path(services, denied):
            raise
        raise refused from denied
    owners = policy.tagged_owners(user, tag)
    if member.id not in owners and not _in_group(services, member, owners, refused):
        raise refused
    policy.check_iam_path(user, services.settings.iam_path)
    return user


def _in_group(
    services: Services, member: Member, owners: Iterable[str], refused: NotAllowed
) -> bool:
    """Return True if one of the user groups in `owners` has the member.

    Raises SlackUnavailable with the code and facts of `refused` if no group that responds has them
    and one does not respond: that must not reveal that the service user exists.
    """
    silent: SlackUnavailable | None = None
    for group in sorted(owner for owner in owners if owner.startswith("S")):
        try:
            if member.id in services.directory.group(group):
                return True
        except SlackUnavailable as failure:
            silent = failure
    if silent:
        raise SlackUnavailable(
            silent.method,
            silent.error,
            refused.code,
            refused=silent.refused,
            retry_after=silent.retry_after,
            **refused.facts,
        ) from silent
    return False
