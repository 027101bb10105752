"""What may be set, where is it read from, and what is wrong with it?

Every problem is reported at once, by name. `load` reads only what it is given,
never the process's environment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bot.config import validators as checks
from bot.config import warnings as warnings

IAM_RULES = ("{email}", "{slack_id}", "{email_local}")

_PAIR_FORMAT = "U0ABC,iam-user or e-mail,iam-user"

_IAM_NAME = re.compile(
    r"[A-Za-z0-9+=,.@_-]{1,64}"
)  # AWS: "IAM and AWS STS quotas", name requirements
_SLACK_PERSON = re.compile(r"[UW][A-Z0-9]{2,}")
_MISSING = {
    "slack_bot_token": 'is not set. Copy the bot token (xoxb-…) from your Slack app\'s page "Install App".',
    "approval_channel": "is not set. Give the ID (C…) of the channel in which approvers get their cards.",
    "approvers": "is not set. Give the IDs (U…, S…) of the people and user groups who may approve.",
}


class StartError(Exception):
    """Keydesk cannot start. The text is one sentence for the operator: what is wrong and what to do."""


class SettingsError(StartError):
    """Settings are missing or wrong. `problems` has a sentence for each, with the setting's name first."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


BotToken = Annotated[SecretStr, checks.token("xoxb-", 'your Slack app\'s page "Install App"')]
AppToken = Annotated[SecretStr, checks.token("xapp-", '"Basic Information", "App-Level Tokens"')]
SigningSecret = Annotated[SecretStr, BeforeValidator(checks.signing_secret)]
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["json", "console"]
Duration = Annotated[timedelta, BeforeValidator(checks.duration)]
Lifetime = Annotated[timedelta | None, BeforeValidator(checks.lifetime)]
Channel = Annotated[str, BeforeValidator(checks.channel)]
RedisUrl = Annotated[SecretStr, BeforeValidator(checks.redis_url)]
HourlyLimit = Annotated[tuple[int, int], BeforeValidator(checks.hourly_limit)]
AuditKey = Annotated[SecretStr, BeforeValidator(checks.audit_key)]


class Settings(checks.NotStored, BaseSettings):
    """Everything an operator may set, checked. Made by `load`; fields are the names in lower case."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", validate_default=False, hide_input_in_errors=True
    )

    slack_bot_token: BotToken
    slack_app_token: AppToken | None = None
    slack_signing_secret: SigningSecret | None = None
    port: Annotated[int, BeforeValidator(checks.port)] = 3000
    slack_api_url: Annotated[str, checks.url("https", "http")] = "https://slack.com/api/"
    approval_channel: Channel
    approvers: Annotated[frozenset[str], BeforeValidator(checks.approvers)]
    approvals_required: Annotated[int, BeforeValidator(checks.quorum)] = 1
    risky_needs_one_more: Annotated[bool, BeforeValidator(checks.yes_or_no)] = False
    break_glass: Annotated[frozenset[str], BeforeValidator(checks.approvers)] = frozenset()
    break_glass_ttl: Annotated[Duration, checks.at_most("7d", checks.LIFETIME_REASON)] = timedelta(
        hours=4
    )
    audit_channel: Channel | None = None
    audit_key: AuditKey | None = None
    redis_url: RedisUrl | None = None
    data_dir: Path = Path("data")
    aws_endpoint_url: Annotated[str, checks.url("https", "http")] | None = None
    aws_region: str | None = None
    iam_username: str = "{email}"
    iam_pairs: Mapping[str, str] = Field(default={}, repr=False)
    email_domains: Annotated[frozenset[str], BeforeValidator(checks.domains)] = frozenset()
    iam_path: Annotated[str, BeforeValidator(checks.iam_path)] = "/"
    iam_owner_tag: Annotated[str, BeforeValidator(checks.tag)] | None = None
    instead_of_keys: Annotated[str, BeforeValidator(checks.short_text)] | None = None
    request_ttl: Duration = timedelta(hours=72)
    claim_ttl: Duration = timedelta(hours=72)
    receipt_ttl: Duration = timedelta(hours=24)
    lease_ttl: Annotated[Duration, checks.at_most("10m", checks.RECOVERY_REASON)] = timedelta(
        seconds=60
    )
    look_after: Annotated[Duration, checks.at_most("1d", checks.RECOVERY_REASON)] = timedelta(
        minutes=15
    )
    sweep_every: Annotated[Duration, checks.at_most("10m", checks.EXPIRY_REASON)] = timedelta(
        seconds=15
    )
    delete_after: Duration = timedelta(days=7)
    key_ttl: Lifetime = timedelta(days=90)
    key_ttl_max: Lifetime = timedelta(days=365)
    rotation_grace: Duration = timedelta(hours=24)
    approval_free: Annotated[frozenset[str], BeforeValidator(checks.approval_free_verbs)] = (
        frozenset({"disable", "delete"})
    )
    requests_an_hour: HourlyLimit = (10, 200)
    reveals_an_hour: HourlyLimit = (10, 200)
    nudges_an_hour: HourlyLimit = (10, 200)
    leak_reports_an_hour: HourlyLimit = (10, 200)
    log_level: Annotated[LogLevel, checks.one_of(*get_args(LogLevel))] = "info"
    log_format: Annotated[LogFormat, checks.one_of(*get_args(LogFormat))] = "json"
    trial_clock: Path | None = None
    trial_pace: Annotated[int, BeforeValidator(checks.trial_pace)] = 1
    dyno: str | None = None
    noticed: tuple[str, ...] = ()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Values come from `load` alone, never from pydantic-settings' own look into the environment."""
        return (init_settings,)

    @property
    def socket_mode(self) -> bool:
        """Whether Slack is reached by Socket Mode; otherwise Slack sends HTTP to `port`."""
        return self.slack_app_token is not None

    @property
    def approver_users(self) -> frozenset[str]:
        """The people (U…, W…) named as approvers."""
        return frozenset(one for one in self.approvers if not one.startswith("S"))

    @property
    def approver_groups(self) -> frozenset[str]:
        """The user groups (S…) whose members are approvers."""
        return self.approvers - self.approver_users

    @property
    def most_approvals(self) -> int:
        """How many approvals a request may need at most: a risky one's."""
        return self.approvals_required + (1 if self.risky_needs_one_more else 0)

    @property
    def iam_rule(self) -> str:
        """One of IAM_RULES, or "" where `iam_pairs` (Slack ID or lower-case e-mail -> IAM user) decides."""
        return "" if self.iam_pairs else self.iam_username

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is allowed but should not be so in production: a sentence for each."""
        return (*warnings.settings_warnings(self), *self.noticed)

    def with_redis(self, url: str) -> Settings:
        """These settings, with the address of the store."""
        return self.model_copy(update={"redis_url": SecretStr(url)})


def load(environ: Mapping[str, str], env_file: Path | None) -> Settings:
    """Settings from `environ` and, where it does not have a name, from `env_file` (which need not exist).

    Empty values count as not set. Raises SettingsError with every problem at once.
    """
    problems: list[str] = []
    in_file: dict[str, str] = {}
    try:
        in_file = read_env_file(env_file)
    except StartError as error:
        problems.append(str(error))
    given = {**in_file, **environ}
    given = {name: value.strip() for name, value in given.items() if value.strip()}
    if region := given.get("AWS_REGION") or given.get("AWS_DEFAULT_REGION"):
        given["AWS_REGION"] = region
    values: dict[str, Any] = {
        name: given[name.upper()] for name in Settings.model_fields if name.upper() in given
    }
    values["iam_pairs"], wrong = _load_iam_pairs(values.get("iam_username", "{email}"))
    problems += wrong
    names = [name.upper() for name in Settings.model_fields if name not in ("iam_pairs", "noticed")]
    values["noticed"] = (
        *warnings.aws_warnings(given),
        *warnings.unknown_name_warnings(in_file, names),
    )
    try:
        settings = Settings(**values)
        problems += _lifetime_problems(settings) + _quorum_problems(settings)
    except ValidationError as error:
        problems += [
            _problem_text(one) for one in error.errors(include_url=False, include_input=False)
        ]
    problems += _conflicts(given, environ)
    if problems:
        raise SettingsError(problems) from None
    return settings


def read_env_file(env_file: Path | None) -> dict[str, str]:
    """The names and values of a `.env` file; none where there is no file. Raises StartError if unreadable."""
    if env_file is None or not env_file.exists():
        return {}
    try:
        text = env_file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(
            f"{env_file} cannot be read ({type(error).__name__}). Make it a readable UTF-8 file."
        ) from None
    # Without interpolation a "$" in a secret stays one, and the environment is not looked at.
    found = dotenv_values(stream=StringIO(text), interpolate=False)
    return {name: value for name, value in found.items() if value is not None}


def _conflicts(given: Mapping[str, str], environ: Mapping[str, str]) -> list[str]:
    """Problems that lie between settings."""
    problems = []
    if not {"SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"} & given.keys():
        problems.append(
            "SLACK_APP_TOKEN or SLACK_SIGNING_SECRET must be set: the app-level token (xapp-…) for Socket "
            'Mode or the signing secret for HTTP. Both are on your Slack app\'s page "Basic Information".'
        )
    if environ.get("SLACK_CLIENT_ID") and environ.get("SLACK_CLIENT_SECRET"):
        problems.append(  # Bolt for Python's App reads them itself and then ignores the bot token
            "SLACK_CLIENT_ID and SLACK_CLIENT_SECRET are both in the environment, which turns Slack's "
            "library to OAuth and away from SLACK_BOT_TOKEN. Unset them."
        )
    if given.get("IAM_USERNAME") == "{email_local}" and "EMAIL_DOMAINS" not in given:
        problems.append(
            "EMAIL_DOMAINS must be set where IAM_USERNAME is {email_local}: else ann@elsewhere gets the key "
            "of ann@example.com. Write example.com,example.org."
        )
    if urlsplit(given.get("SLACK_API_URL", "")).hostname not in checks.LOOPBACK:
        alone = "which is for trying out alone: it needs a SLACK_API_URL on this machine. Unset it."
        if "TRIAL_CLOCK" in given:
            problems.append(f"TRIAL_CLOCK moves the desk's time, {alone}")
        if given.get("TRIAL_PACE", "1") != "1":
            problems.append(f"TRIAL_PACE has the desk pass over Slack's limits, {alone}")
    several = len([one for one in given.get("EMAIL_DOMAINS", "").split(",") if one.strip()]) > 1
    if given.get("IAM_USERNAME") == "{email_local}" and several and "IAM_OWNER_TAG" not in given:
        problems.append(
            "EMAIL_DOMAINS names several domains: with {email_local}, ann@one and ann@other get the keys of one IAM "
            "user. Name one domain, or set IAM_OWNER_TAG, which tells them apart."
        )
    if "DYNO" in given and "REDIS_URL" not in given:
        problems.append(
            "REDIS_URL must be set on a dyno (DYNO is set): what is kept on its disk is lost."
        )
    return problems


def _lifetime_problems(settings: Settings) -> list[str]:
    longest, defaults = settings.key_ttl_max, settings.key_ttl
    if longest is not None and (defaults is None or defaults > longest):
        return [
            "KEY_TTL is longer than KEY_TTL_MAX. Shorten it, or raise KEY_TTL_MAX (never: no limit)."
        ]
    if longest is not None and settings.break_glass and settings.break_glass_ttl > longest:
        return [
            "BREAK_GLASS_TTL is longer than KEY_TTL_MAX. Shorten it: an urgent key is to live a few hours."
        ]
    return []


def _quorum_problems(settings: Settings) -> list[str]:
    people, needed = len(settings.approver_users), settings.approvals_required
    if settings.approver_groups or people >= needed:
        return []
    return [
        f"APPROVALS_REQUIRED is {needed}, but APPROVERS names fewer people ({people}): nothing could ever be "
        "approved. Name more people or a user group, or lower it."
    ]


def _load_iam_pairs(rule: str) -> tuple[dict[str, str], list[str]]:
    """The pairs of the file that `rule` names (none for a rule in braces), and what is wrong with it."""
    if rule in IAM_RULES:
        return {}, []
    if "{" in rule:
        return {}, [
            f"IAM_USERNAME is none of {', '.join(IAM_RULES)}. Write one, or the path of a file of pairs."
        ]
    try:
        lines = Path(rule).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        return {}, [
            f"IAM_USERNAME names a file that cannot be read ({type(error).__name__}). "
            f"Write the path of a UTF-8 file of pairs, or one of {', '.join(IAM_RULES)}."
        ]
    return _parse_pairs(lines)


def _parse_pairs(lines: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    pairs: dict[str, str] = {}
    problems = []
    for number, line in enumerate(lines, 1):
        person, comma, user = (
            part.strip() for part in re.sub(r"(^|\s)#.*", "", line).partition(",")
        )
        person = person.lower() if "@" in person else person
        if not (person or comma):
            continue
        if not (_SLACK_PERSON.fullmatch(person) or "@" in person) or not _IAM_NAME.fullmatch(user):
            problems.append(
                f"IAM_USERNAME: line {number} of the file is not a pair. Write {_PAIR_FORMAT}."
            )
        elif person in pairs:
            problems.append(
                f"IAM_USERNAME: line {number} of the file names somebody again. Keep one line."
            )
        pairs[person] = user
    if not pairs:
        problems.append(
            f"IAM_USERNAME names a file without any pair. Write {_PAIR_FORMAT} on each line."
        )
    return pairs, problems


def _problem_text(error: Any) -> str:
    """One problem of pydantic's as a sentence that begins with the setting's name and holds no value."""
    name = str(error["loc"][0])
    said = error.get("ctx", {}).get("error")
    return f"{name.upper()} {said or _MISSING.get(name, 'is not understood.')}"
