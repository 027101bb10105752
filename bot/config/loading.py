"""Load settings from the environment and a `.env` file.

Every problem is reported at once.

`load` reads only what it is given, never the environment of the process.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import ValidationError

from bot.config import validators as checks
from bot.config.errors import SettingsError, StartError
from bot.config.settings import Settings
from bot.config.warnings import aws_warnings, unknown_name_warnings

IAM_RULES = ("{email}", "{slack_id}", "{email_local}")

_PAIR_FORMAT = "U0ABC,iam-user or email,iam-user"

# AWS: "IAM and AWS STS quotas", name requirements.
_IAM_NAME = re.compile(r"[A-Za-z0-9+=,.@_-]{1,64}")
_SLACK_PERSON = re.compile(r"[UW][A-Z0-9]{2,}")
_MISSING = {
    "slack_bot_token": "is not set. Copy the bot token (xoxb-…) from your Slack app's page "
    '"Install App".',
    "approval_channel": "is not set. Give the ID (C…) of the channel for approval cards.",
    "approvers": "is not set. Give the IDs (U…, S…) of the users and user groups that may approve.",
}


def load(environ: Mapping[str, str], env_file: Path | None) -> Settings:
    """Load settings from `environ`, then from `env_file`.

    The file need not exist. An empty value counts as not set.

    Raises:
        SettingsError: Settings are missing or wrong. It has every problem at once.
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
    values["noticed"] = (*aws_warnings(given), *unknown_name_warnings(in_file, names))
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
    """Return the names and values of a `.env` file, none if it does not exist.

    Raises StartError if it cannot be read.
    """
    if env_file is None or not env_file.exists():
        return {}
    try:
        text = env_file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(
            f"{env_file} cannot be read ({type(error).__name__}). Make it a readable UTF-8 file."
        ) from None
    # Without interpolation a "$" in a secret stays one, and the environment is not read.
    found = dotenv_values(stream=StringIO(text), interpolate=False)
    return {name: value for name, value in found.items() if value is not None}


def _conflicts(given: Mapping[str, str], environ: Mapping[str, str]) -> list[str]:
    """Return problems between settings."""
    problems = []
    if not {"SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"} & given.keys():
        problems.append(
            "SLACK_APP_TOKEN or SLACK_SIGNING_SECRET must be set: the app-level token "
            "(xapp-…) for Socket "
            "Mode or the signing secret for HTTP. Both are on your Slack app's page "
            '"Basic Information".'
        )
    if environ.get("SLACK_CLIENT_ID") and environ.get("SLACK_CLIENT_SECRET"):
        problems.append(  # Bolt for Python's App reads them itself and then ignores the bot token
            "SLACK_CLIENT_ID and SLACK_CLIENT_SECRET are both in the environment. With them, "
            "Slack's library uses OAuth and ignores SLACK_BOT_TOKEN. Unset them."
        )
    if given.get("IAM_USERNAME") == "{email_local}" and "EMAIL_DOMAINS" not in given:
        problems.append(
            "EMAIL_DOMAINS must be set where IAM_USERNAME is {email_local}. Otherwise "
            "ann@elsewhere gets the key of ann@example.com. Write example.com,example.org."
        )
    if urlsplit(given.get("SLACK_API_URL", "")).hostname not in checks.LOOPBACK:
        alone = "It is only for trying out, with a SLACK_API_URL on this machine. Unset it."
        if "TRIAL_CLOCK" in given:
            problems.append(f"TRIAL_CLOCK moves Keydesk's time. {alone}")
        if given.get("TRIAL_PACE", "1") != "1":
            problems.append(f"TRIAL_PACE ignores Slack's rate limits. {alone}")
    several = len([one for one in given.get("EMAIL_DOMAINS", "").split(",") if one.strip()]) > 1
    if given.get("IAM_USERNAME") == "{email_local}" and several and "IAM_OWNER_TAG" not in given:
        problems.append(
            "EMAIL_DOMAINS names several domains: with {email_local}, ann@one and ann@other share "
            "an IAM user. Name one domain, or set IAM_OWNER_TAG to tell them apart."
        )
    if "DYNO" in given and "REDIS_URL" not in given:
        problems.append(
            "REDIS_URL must be set on a dyno (DYNO is set), because its disk does not last."
        )
    return problems


def _lifetime_problems(settings: Settings) -> list[str]:
    longest, defaults = settings.key_ttl_max, settings.key_ttl
    if longest is not None and (defaults is None or defaults > longest):
        return [
            "KEY_TTL is longer than KEY_TTL_MAX. Shorten it, or raise KEY_TTL_MAX "
            "(never: no limit)."
        ]
    if longest is not None and settings.break_glass and settings.break_glass_ttl > longest:
        return ["BREAK_GLASS_TTL is longer than KEY_TTL_MAX. Shorten it to a few hours."]
    return []


def _quorum_problems(settings: Settings) -> list[str]:
    people, needed = len(settings.approver_users), settings.approvals_required
    if settings.approver_groups or people >= needed:
        return []
    return [
        f"APPROVALS_REQUIRED is {needed}, but APPROVERS names fewer users ({people}), so nothing "
        "could be approved. Name more users or a user group, or lower it."
    ]


def _load_iam_pairs(rule: str) -> tuple[dict[str, str], list[str]]:
    """Return the pairs in the file that `rule` names, and its problems.

    A rule in braces has none.
    """
    if rule in IAM_RULES:
        return {}, []
    if "{" in rule:
        return {}, [
            f"IAM_USERNAME is not one of {', '.join(IAM_RULES)}. Write one, or the path "
            "of a file of pairs."
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
                f"IAM_USERNAME: line {number} of the file names a user twice. Keep one line."
            )
        pairs[person] = user
    if not pairs:
        problems.append(
            f"IAM_USERNAME names a file without any pair. Write {_PAIR_FORMAT} on each line."
        )
    return pairs, problems


def _problem_text(error: Any) -> str:
    """Return a problem of pydantic as a sentence.

    It begins with the setting's name, and holds no value.
    """
    name = str(error["loc"][0])
    words = error.get("ctx", {}).get("error")
    return f"{name.upper()} {words or _MISSING.get(name, 'is not understood.')}"
