"""Define the types of settings, and the function that declares a setting."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr
from pydantic.config import JsonDict

from bot.config import validators as checks

BotToken = Annotated[SecretStr, checks.token("xoxb-", 'your Slack app\'s page "Install App"')]
AppToken = Annotated[SecretStr, checks.token("xapp-", '"Basic Information", "App-Level Tokens"')]
SigningSecret = Annotated[SecretStr, BeforeValidator(checks.signing_secret)]
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["json", "console"]
Duration = Annotated[timedelta, BeforeValidator(checks.duration)]
Lifetime = Annotated[timedelta | None, BeforeValidator(checks.lifetime)]
Channel = Annotated[str, BeforeValidator(checks.channel)]
Members = Annotated[frozenset[str], BeforeValidator(checks.approvers)]
YesOrNo = Annotated[bool, BeforeValidator(checks.yes_or_no)]
RedisUrl = Annotated[SecretStr, BeforeValidator(checks.redis_url)]
HourlyLimit = Annotated[tuple[int, int], BeforeValidator(checks.hourly_limit)]
AuditKey = Annotated[SecretStr, BeforeValidator(checks.audit_key)]

REQUIRED = object()
"""The default of a setting that must be set."""


def setting(
    section: str, description: str, *, default: object = None, example: str = "", unset: str = ""
) -> Any:
    """Declare one setting.

    Args:
        section: The heading under which it is documented.
        description: What it does, in Markdown. The first sentence stands alone.
        default: The default as an operator would write it, REQUIRED, or an empty value.
        example: What `.env.example` shows where there is no default.
        unset: What happens where it is not set, for the column of defaults.
    """
    shown: JsonDict = {"section": section, "example": example, "unset": unset}
    declare = partial(Field, description=description, json_schema_extra=shown)
    if default is REQUIRED:
        return declare()
    return declare(default=default, validate_default=bool(default))
