"""Check the token, the channels, the approvers and AWS at the start."""

from __future__ import annotations

from collections.abc import Callable

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.config.errors import StartError
from bot.domain.codes import Code
from bot.domain.outside_errors import AwsNotConfigured, IamUnavailable, SlackUnavailable
from bot.runtime import log_config
from bot.slack.directory import SlackDirectory
from bot.slack.errors import translate_errors

_GROUP_HINTS = {
    Code.GROUP_NEEDS_PAID_PLAN: "user groups need a paid plan of Slack; name users in APPROVERS",
    Code.GROUP_SCOPE_MISSING: "add the scope usergroups:read to the Slack app and install it again",
    Code.GROUP_NOT_FOUND: "correct APPROVERS, or enable the user group again",
}
"""What an operator can do about a user group that Slack does not show."""

_AWS_HINTS = {
    "ProfileNotFound": "AWS_PROFILE names a profile that isn't in the AWS configuration file.",
    "ConfigParseError": "Correct the AWS configuration file.",
    "ConfigNotFound": "AWS_CONFIG_FILE names a file that doesn't exist.",
    "InvalidRegionError": "Correct AWS_REGION.",
    "PartialCredentialsError": "Give both the access key ID and the secret access key.",
    "CredentialRetrievalError": "The credential helper of the profile failed. Run it by hand.",
    "FileNotFoundError": "A file or program that the profile names doesn't exist.",
    "JSONDecodeError": "The credential helper of the profile doesn't print JSON. Run it by hand.",
}
"""What an operator can do about an error of botocore."""


def team_id(web: WebClient) -> str:
    """Return the ID of the token's workspace. Raises StartError."""
    try:
        with translate_errors("auth.test"):
            return str(web.auth_test()["team_id"])
    except SlackUnavailable as failure:
        error = failure.error
    raise StartError(
        f"SLACK_BOT_TOKEN: Slack didn't say which workspace the token belongs to ({error}). "
        "Try again in a minute."
    )


def check_channel(web: WebClient, name: str, channel: str) -> None:
    """Check that Keydesk may post to a channel of this workspace alone.

    `name` is the setting that holds it. Raises StartError.
    """
    try:
        with translate_errors("conversations.info"):
            info = web.conversations_info(channel=channel)["channel"]
    except SlackUnavailable as failure:
        raise StartError(_unseen_channel(name, channel, failure.error)) from None
    if any(
        info.get(shared) for shared in ("is_ext_shared", "is_pending_ext_shared", "is_org_shared")
    ):
        raise StartError(
            f"{name}: channel {channel} is shared with another workspace, whose members could see "
            "and click. Choose a channel that isn't shared."
        )
    if info.get("is_archived"):
        raise StartError(f"{name}: channel {channel} is archived. Choose another channel.")
    if not info.get("is_member"):
        raise StartError(
            f"{name}: Keydesk is not a member of channel {channel}. Type /invite @Keydesk there."
        )


def _unseen_channel(name: str, channel: str, error: str) -> str:
    if error == "missing_scope":
        return (
            f"{name}: the Slack app lacks a scope to read channel {channel} ({error}). "
            "Add the scopes "
            'of manifest.yml under "OAuth & Permissions" and reinstall the app.'
        )
    return (
        f"{name}: Slack doesn't show channel {channel} ({error}). Give the ID of a channel of this "
        "workspace, and invite Keydesk to it."
    )


def check_aws(connect: Callable[[], None]) -> None:
    """Check that boto3 can use its configuration. `connect` is `IamClients.check`.

    Raises:
        StartError: A profile, a file, a helper or the region cannot be used.
    """
    try:
        connect()
        return
    except AwsNotConfigured as problem:
        cause = problem.aws_code
    except IamUnavailable:
        return  # the source of the credentials does not answer now, and is asked again
    hint = _AWS_HINTS.get(cause, "Check AWS_PROFILE, the AWS configuration file and AWS_REGION.")
    raise StartError(f"AWS: boto3 can't use its configuration ({cause}). {hint}")


def warn_if_too_few_approvers(directory: SlackDirectory, approvals_needed: int) -> None:
    """Log a warning if there are fewer approvers than a request needs.

    Keydesk starts all the same: groups may change at any time, and it must be able to turn keys
    off. Each decision checks the approvers again.
    """
    log = log_config.get_logger()
    try:
        approvers = directory.approvers()
    except SlackUnavailable as failure:
        log.warning(
            "approvers",
            outcome="unknown",
            method=failure.method,
            error=failure.error,
            code=failure.code,
            hint=_GROUP_HINTS.get(failure.code, "Slack did not answer; each decision asks again"),
        )
        return
    if len(approvers) < approvals_needed:
        log.warning(
            "approvers",
            outcome="too few" if approvers else "none",
            known=len(approvers),
            approvals_needed=approvals_needed,
            reason="APPROVERS has fewer members than the approvals that a request needs",
            hint="add members to the groups, name more in APPROVERS, or lower APPROVALS_REQUIRED",
        )


def slack_error(error: BaseException) -> str:
    """Return the error code of Slack behind an exception of Bolt.

    Without one, return the exception's name.
    """
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, SlackApiError):
            return str(found.response.get("error"))
        found = found.__cause__ or found.__context__
    return type(error).__name__


def token_refused(error: str, api_url: str) -> StartError:
    """Return what to raise where Bolt could not use the bot token."""
    if error in ("URLError", "TimeoutError", "RemoteDisconnected", "ConnectionRefusedError"):
        return StartError(
            f"SLACK_BOT_TOKEN: Slack cannot be reached at {api_url} ({error}). Check the network, "
            "a proxy and SLACK_API_URL."
        )
    return StartError(
        f"SLACK_BOT_TOKEN: Slack did not accept it ({error}). Copy the bot token from your Slack "
        'app\'s page "Install App", and check SLACK_API_URL.'
    )
