"""Declare each setting, once, with its type, default and description.

`bot.config.reference` generates `docs/settings.md` and `.env.example` from the declarations.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, get_args

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.config import validators as checks
from bot.config.types import (
    REQUIRED,
    AppToken,
    AuditKey,
    BotToken,
    Channel,
    Duration,
    HourlyLimit,
    Lifetime,
    LogFormat,
    LogLevel,
    Members,
    RedisUrl,
    SigningSecret,
    YesOrNo,
    setting,
)

_SLACK, _APPROVALS, _KEYS = "Slack", "Approvals", "Keys"
_DATABASE, _AWS, _USERS = "Database", "AWS", "IAM users"
_TIMES, _LIMITS, _OTHER, _TRIAL = "Deadlines and intervals", "Rate limits", "Other", "Trying out"
_ONLY_HERE = "It is refused unless `SLACK_API_URL` is on this machine."
_LIMIT_FORM = "Two numbers: for one user, and for all users together."


class DeclaredSettings(checks.NotStored, BaseSettings):
    """Everything that an operator may set, checked.

    A field is the setting's name in lower case. Fields without a section are not for operators.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", validate_default=False, hide_input_in_errors=True
    )

    slack_bot_token: BotToken = setting(
        _SLACK,
        'The bot token (`xoxb-…`), from your Slack app\'s page "Install App".',
        default=REQUIRED,
        example="xoxb-",
    )
    slack_app_token: AppToken | None = setting(
        _SLACK,
        "The app-level token (`xapp-…`) for Socket Mode, with the scope `connections:write`. It is "
        'on your Slack app\'s page "Basic Information". Leave it empty for HTTP.',
        example="xapp-",
        unset="HTTP",
    )
    slack_signing_secret: SigningSecret | None = setting(
        _SLACK,
        'The signing secret, from "Basic Information". HTTP needs it. Slack then sends everything '
        "to `https://YOUR-HOST/slack/events`.",
    )
    port: Annotated[int, BeforeValidator(checks.port)] = setting(
        _SLACK, "The port to listen on, for HTTP.", default="3000"
    )
    slack_api_url: Annotated[str, checks.url("https", "http")] = setting(
        _SLACK,
        "The base URL of Slack's Web API. Change it for GovSlack or for the sandbox.",
        default="https://slack.com/api/",
    )

    approval_channel: Channel = setting(
        _APPROVALS,
        "The ID of the channel for approval cards. Invite Keydesk to it. The channel must not be "
        "shared with another workspace.",
        default=REQUIRED,
        example="C",
    )
    approvers: Members = setting(
        _APPROVALS,
        "Who may approve: IDs of users (`U…`, `W…`) and user groups (`S…`), separated by commas.",
        default=REQUIRED,
        example="U,S",
    )
    approvals_required: Annotated[int, BeforeValidator(checks.quorum)] = setting(
        _APPROVALS,
        "How many approvers must approve a request, from 1 to 5. It is fixed when a "
        "request is made.",
        default="1",
    )
    risky_needs_one_more: YesOrNo = setting(
        _APPROVALS,
        "Whether a request needs one more approval if its key would have admin access.",
        default="false",
    )
    break_glass: Members = setting(
        _APPROVALS,
        "Who may make urgent requests: IDs of users and user groups, separated by commas. One "
        "approval is enough for an urgent request.",
        default=frozenset(),
        example="U,S",
        unset="no user",
    )
    break_glass_ttl: Annotated[Duration, checks.at_most("7d", checks.LIFETIME_REASON)] = setting(
        _APPROVALS, "The longest lifetime of an urgent key. At most 7d.", default="4h"
    )
    approval_free: Annotated[frozenset[str], BeforeValidator(checks.approval_free_verbs)] = setting(
        _APPROVALS,
        "The verbs on a user's own key that need no approval. `disable` and `delete` are always "
        "among them. `enable` may be added. A key that Keydesk turned off itself still "
        "needs approval.",
        default="disable,delete",
    )

    key_ttl: Lifetime = setting(
        _KEYS,
        "How long a key lives if its request says nothing else. `never` means without an end.",
        default="90d",
    )
    key_ttl_max: Lifetime = setting(
        _KEYS,
        "The longest lifetime that may be requested. `never` means no limit.",
        default="365d",
    )
    rotation_grace: Duration = setting(
        _KEYS,
        "How long an old key stays on after its replacement has arrived. Keydesk then turns it off "
        "if it is unused.",
        default="24h",
    )
    delete_after: Duration = setting(
        _KEYS,
        "How long an unclaimed, expired or replaced key stays inactive before it is deleted.",
        default="7d",
    )
    instead_of_keys: Annotated[str, BeforeValidator(checks.short_text)] = setting(
        _KEYS,
        "A text that is shown first to a user who requests a key, such as a better way to log in. "
        "Links become clickable. At most 1,000 characters.",
        default="",
        example="People: use single sign-on, https://example.com/sso. Keys are for programs.",
    )

    redis_url: RedisUrl | None = setting(
        _DATABASE,
        "A Redis or Valkey server, 7.0 or newer: `redis://`, `rediss://` or `unix://`. After `?` "
        "only `db`, `username`, `password`, `client_name` and `ssl_…` are allowed. Required on "
        "platforms without a lasting disk.",
        example="rediss://:password@host:6379/0",
        unset="a server in `DATA_DIR`",
    )
    data_dir: Path = setting(
        _DATABASE, "Where the embedded Valkey server keeps its files.", default="./data"
    )
    audit_channel: Channel | None = setting(
        _DATABASE,
        "The ID of a channel that gets a line for each audit entry, from now on. It follows the "
        "same rules as the approval channel.",
        example="C",
        unset="none",
    )
    audit_key: AuditKey | None = setting(
        _DATABASE,
        "The key that seals and signs the audit trail: at least 32 random characters "
        "(`openssl rand -base64 32`). Keep it from everybody who can write to the database. "
        "`python -m bot audit --verify` needs it. Seals made with another key are not recognised.",
        unset="no seals",
    )

    aws_region: str | None = setting(
        _AWS,
        "The region of the IAM endpoint. Needed only outside the standard partition (GovCloud, "
        "China). `AWS_DEFAULT_REGION` works too.",
        example="us-east-1",
    )
    aws_endpoint_url: Annotated[str, checks.url("https", "http")] | None = setting(
        _AWS, "Another address for AWS, for trying out.", example="http://localhost:5000"
    )

    iam_username: str = setting(
        _USERS,
        "How a Slack user maps to an IAM user: `{email}` (the confirmed email address), "
        "`{slack_id}`, or `{email_local}` (the part before the @, together with `EMAIL_DOMAINS`). "
        "Or the path of a file with lines `U0ABC,iam-user` or `email,iam-user`.",
        default="{email}",
    )
    email_domains: Annotated[frozenset[str], BeforeValidator(checks.domains)] = setting(
        _USERS,
        "The email domains whose addresses count, separated by commas.",
        default=frozenset(),
        example="example.com",
        unset="all",
    )
    iam_path: Annotated[str, BeforeValidator(checks.iam_path)] = setting(
        _USERS,
        "The path of the IAM users that Keydesk manages, such as `/people/`. Other users are "
        "refused. Narrow Keydesk's IAM policy to it, too.",
        default="/",
    )
    iam_owner_tag: Annotated[str, BeforeValidator(checks.tag)] = setting(
        _USERS,
        "The key of the IAM user tag that must hold the owner's Slack user ID. It protects against "
        "changed email addresses. On a service user, the tag holds the IDs of the users and groups "
        "that own it.",
        default="",
        example="slack-user-id",
        unset="no check",
    )

    request_ttl: Duration = setting(
        _TIMES, "How long approvers may take to decide about a request.", default="72h"
    )
    claim_ttl: Duration = setting(
        _TIMES, "How long the requester may take to reveal an approved key.", default="72h"
    )
    receipt_ttl: Duration = setting(
        _TIMES,
        "How long the requester may take to confirm a key. Keydesk then turns it off if it was "
        "never used.",
        default="24h",
    )
    lease_ttl: Annotated[Duration, checks.at_most("10m", checks.RECOVERY_REASON)] = setting(
        _TIMES,
        "How long one delivery may take. A call to AWS or Slack gets a sixth of it. At most 10m. "
        "Under 30s there is a warning.",
        default="60s",
    )
    look_after: Annotated[Duration, checks.at_most("1d", checks.RECOVERY_REASON)] = setting(
        _TIMES,
        "How long after an interrupted delivery Keydesk checks IAM for orphaned keys. Changed keys "
        "are read back for as long. At most 1d. Under 5m there is a warning.",
        default="15m",
    )
    sweep_every: Annotated[Duration, checks.at_most("10m", checks.EXPIRY_REASON)] = setting(
        _TIMES,
        "How often Keydesk runs what is due. At most 10m. Under 5s there is a warning.",
        default="15s",
    )

    requests_an_hour: HourlyLimit = setting(
        _LIMITS, f"Requests in an hour. {_LIMIT_FORM}", default="10/200"
    )
    reveals_an_hour: HourlyLimit = setting(
        _LIMITS, f"Reveals in an hour. {_LIMIT_FORM}", default="10/200"
    )
    nudges_an_hour: HourlyLimit = setting(
        _LIMITS, f"Nudges in an hour. {_LIMIT_FORM}", default="10/200"
    )
    leak_reports_an_hour: HourlyLimit = setting(
        _LIMITS,
        f"Reports of leaked keys in an hour. {_LIMIT_FORM} An owner's report turns the key off "
        "beyond any limit.",
        default="10/200",
    )

    log_level: Annotated[LogLevel, checks.one_of(*get_args(LogLevel))] = setting(
        _OTHER,
        "`debug`, `info`, `warning` or `error`. The audit trail is logged at every level.",
        default="info",
    )
    log_format: Annotated[LogFormat, checks.one_of(*get_args(LogFormat))] = setting(
        _OTHER, "`json` (a line for each event) or `console` (for people).", default="json"
    )

    trial_clock: Path | None = setting(
        _TRIAL, f"A file with the seconds by which Keydesk's time runs ahead. {_ONLY_HERE}"
    )
    trial_pace: Annotated[int, BeforeValidator(checks.trial_pace)] = setting(
        _TRIAL,
        "How many times faster than Slack's limits Keydesk calls Slack, from 1 to 1000. "
        f"{_ONLY_HERE}",
        default="1",
    )

    iam_pairs: Mapping[str, str] = Field(default={}, repr=False)
    """The pairs in the file that `iam_username` names."""
    dyno: str | None = None
    """Set by Heroku: there is no lasting disk."""
    noticed: tuple[str, ...] = ()
    """Warnings that `load` found in what it read."""
