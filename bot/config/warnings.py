"""Warn about settings that are allowed but unsafe.

Each warning begins with a setting's name.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

from bot.config.settings import Settings
from bot.config.validators import LOOPBACK

_AWS_URLS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_IAM", "AWS_ENDPOINT_URL_STS")
"""boto3 reads them itself (AWS SDKs and Tools Reference Guide, "Service-specific endpoints")."""

_NAME = re.compile(r"[A-Za-z_]{1,40}")


def settings_warnings(settings: Settings) -> Iterable[str]:
    """Yield a sentence for each unsafe or unlikely setting, and what `load` noticed."""
    for name, least, why in (
        (
            "lease_ttl",
            timedelta(seconds=30),
            "AWS and Slack get only a sixth of it for each answer",
        ),
        ("look_after", timedelta(minutes=5), "IAM may not show a new key that soon"),
        ("sweep_every", timedelta(seconds=5), "the database is asked that often"),
    ):
        if getattr(settings, name) < least:
            yield (
                f"{name.upper()} is under {least.total_seconds():.0f} seconds: {why}. "
                "Only for trying out."
            )
    if _is_unencrypted(settings.slack_api_url):
        yield "SLACK_API_URL is not https: tokens and keys travel unencrypted."
    if settings.redis_url is not None:
        yield from _redis_warnings(settings.redis_url.get_secret_value())
    if settings.audit_key is None:
        yield (
            "AUDIT_KEY is not set: the audit trail is not sealed, so tampering stays unnoticed. "
            "Set it to at least 32 random characters."
        )
    people = len(settings.approver_users)
    if not settings.approver_groups and people < settings.max_approvals:
        yield (
            f"RISKY_NEEDS_ONE_MORE asks for {settings.max_approvals} approvals of a risky request, "
            f"but APPROVERS names {people} users: none could be approved. Name more users or a "
            "user group."
        )
    users = list(settings.iam_pairs.values())
    if shared := sorted({user for user in users if users.count(user) > 1}):
        yield (
            f"IAM_USERNAME: several lines of the file name {', '.join(shared)}: their "
            "users share keys."
        )
    yield from settings.noticed


def aws_warnings(given: Mapping[str, str]) -> Iterable[str]:
    """Yield a sentence for each AWS URL without TLS.

    CreateAccessKey's answer holds the secret.
    """
    for name in _AWS_URLS:
        if _is_unencrypted(given.get(name, "")):
            yield f"{name} is not https: secret access keys travel unencrypted."


def unknown_name_warnings(in_file: Iterable[str], names: Sequence[str]) -> Iterable[str]:
    """Yield a sentence for each unknown name in `.env`.

    It has the nearest one of `names`. Names that begin with AWS_ are for boto3.
    """
    for name in in_file:
        if name in names or name.startswith("AWS_") or not _NAME.fullmatch(name):
            continue  # anything else may be part of a secret
        near = difflib.get_close_matches(name.upper(), names, n=1, cutoff=0.7)
        yield f"{name} in .env is not a setting of Keydesk, so it does nothing." + (
            f" Did you mean {near[0]}?"
            if near
            else " Remove it, or look up its name in .env.example."
        )


def _redis_warnings(url: str) -> Iterable[str]:
    parts = urlsplit(url)
    if parts.scheme == "redis" and parts.hostname not in LOOPBACK:
        yield "REDIS_URL is not rediss: the password and Keydesk's data travel unencrypted."
    unchecked = {"ssl_cert_reqs": ("none",), "ssl_check_hostname": ("false", "0", "no")}
    for option, values in unchecked.items():
        if (
            parts.scheme == "rediss"
            and parse_qs(parts.query).get(option, [""])[0].lower() in values
        ):
            yield (
                f"REDIS_URL disables certificate checks ({option}), so the connection can be "
                "intercepted. Remove it. To use a CA of your own, set ssl_ca_certs."
            )


def _is_unencrypted(url: str) -> bool:
    """Return True if `url` leads to another machine without TLS."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False  # its own check refuses it
    return parts.scheme == "http" and parts.hostname not in LOOPBACK
