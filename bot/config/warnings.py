"""What is allowed but should not be so in production? A sentence for each, with the setting's name first."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from bot.config.validators import LOOPBACK

if TYPE_CHECKING:
    from bot.config.settings import Settings

_AWS_URLS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_IAM", "AWS_ENDPOINT_URL_STS")
"""boto3 reads all of them by itself ("Service-specific endpoints", AWS SDKs and Tools Reference Guide)."""

_NAME = re.compile(r"[A-Za-z_]{1,40}")


def settings_warnings(settings: Settings) -> Iterable[str]:
    """What these settings make less safe, or unlikely to work."""
    for name, least, why in (
        (
            "lease_ttl",
            timedelta(seconds=30),
            "AWS and Slack get only a sixth of it for each answer",
        ),
        ("look_after", timedelta(minutes=5), "IAM may not show a new key that soon"),
        ("sweep_every", timedelta(seconds=5), "the store is asked that often"),
    ):
        if getattr(settings, name) < least:
            yield f"{name.upper()} is under {least.total_seconds():.0f} seconds: {why}. Only for trying out."
    if _is_unencrypted(settings.slack_api_url):
        yield "SLACK_API_URL is not https: tokens and keys travel unencrypted."
    if settings.redis_url is not None:
        yield from _redis_warnings(settings.redis_url.get_secret_value())
    if settings.audit_key is None:
        yield (
            "AUDIT_KEY is not set: the audit trail is not sealed, so nobody can tell whether it was changed. Set it "
            "to 32 random characters or more."
        )
    people = len(settings.approver_users)
    if not settings.approver_groups and people < settings.most_approvals:
        yield (
            f"RISKY_NEEDS_ONE_MORE asks for {settings.most_approvals} approvals of a risky request, but APPROVERS "
            f"names {people} people: none could be approved. Name more people or a user group."
        )
    users = list(settings.iam_pairs.values())
    if shared := sorted({user for user in users if users.count(user) > 1}):
        yield f"IAM_USERNAME: the file gives {', '.join(shared)} to more than one line: they share keys."


def aws_warnings(given: Mapping[str, str]) -> Iterable[str]:
    """Where AWS is reached in clear text: CreateAccessKey's answer holds the secret."""
    for name in _AWS_URLS:
        if _is_unencrypted(given.get(name, "")):
            yield f"{name} is not https: secret access keys travel unencrypted."


def unknown_name_warnings(in_file: Iterable[str], names: Sequence[str]) -> Iterable[str]:
    """Names in `.env` that no setting has, each with the nearest one of `names`: what was meant stays at its default.

    AWS_* is for boto3.
    """
    for name in in_file:
        if name in names or name.startswith("AWS_") or not _NAME.fullmatch(name):
            continue  # what is shaped like no name may be half a secret
        near = difflib.get_close_matches(name.upper(), names, n=1, cutoff=0.7)
        yield f"{name} in .env is no setting of Keydesk's, so it does nothing." + (
            f" Did you mean {near[0]}?"
            if near
            else " Take it out, or look its name up in .env.example."
        )


def _redis_warnings(url: str) -> Iterable[str]:
    parts = urlsplit(url)
    if parts.scheme == "redis" and parts.hostname not in LOOPBACK:
        yield "REDIS_URL is not rediss: its password and what the desk remembers travel unencrypted."
    unchecked = {"ssl_cert_reqs": ("none",), "ssl_check_hostname": ("false", "0", "no")}
    for option, values in unchecked.items():
        if (
            parts.scheme == "rediss"
            and parse_qs(parts.query).get(option, [""])[0].lower() in values
        ):
            yield (
                f"REDIS_URL has {option} switched off, so anybody on the way may stand in for the store. Take it "
                "out; ssl_ca_certs names a CA of your own."
            )


def _is_unencrypted(url: str) -> bool:
    """Does `url` lead to another machine without TLS?"""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False  # whoever uses it refuses it
    return parts.scheme == "http" and parts.hostname not in LOOPBACK
