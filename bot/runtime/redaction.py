"""Redact Slack tokens, response URLs, AWS secrets, and passwords in URLs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set

HIDDEN = "[redacted]"

# Secrets after their name, in XML, JSON, a repr, a header, a form or a file.
_NAMED_SECRET = re.compile(
    r"""(?ix)
    ( (?<!/) (?: secret_?access_?key | session_?token | x-amz-security-token | x-amz-signature
               | response_url | signing_?secret | (?<=[?&]) ticket ) )
    ( (?: ["'\\] | &quot; )* (?: \s* [:=>] \s* | %3[AD] ) b? (?: ["'\\] | &quot; )* )
    ( [^\s"'<>&,;\\]+ )"""
)
_SLACK_TOKEN = re.compile(r"x(?:ox[a-z]|app|wfp)(?:\.xox[a-z])?-[\w-]+")
# Slack, "Handling user interaction": a response URL lets its holder post as the app. The paths of
# Slack on any host, as text, in Slack's JSON (\/), and in a form (%2F).
_RESPONSE_URL = re.compile(
    r"""(?ix) https? (?: : | %3A ) SEP SEP
    (?: hooks\.slack(?:-gov)?\.com
      | [^\s"'<>/\\%]+ SEP (?:commands|actions|workflows|services|respon\w*) ) SEP
    [^\s"'<>]*""".replace("SEP", r"(?:/|\\/|%2F)")
)
_PASSWORD = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://[^\s/:@\"']*:)[^\s/@\"']+@")
# AWS secrets are 40 characters of base64. What touches one, such as the n of a "\n" in a repr,
# makes the run longer. A line's place in a traceback is no secret.
_BASE64_RUN = re.compile(r'File "[^"\n]*", line \d+|(?:[A-Za-z0-9/+]|%2[BFbf]|\\/){40,}')


def redact(value: object) -> object:
    """Return `value` as plain data with every secret hidden.

    Plain data is text, numbers, lists and dicts. Other objects become their repr.
    """
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, Mapping):
        return {redact_text(str(key)): _redact_value(str(key), one) for key, one in value.items()}
    if isinstance(value, list | tuple | Set):
        return [redact(one) for one in value]
    return redact_text(repr(value))


def redact_text(text: str) -> str:
    """Return `text` with every secret hidden."""
    text = _SLACK_TOKEN.sub(HIDDEN, text)
    text = _RESPONSE_URL.sub(HIDDEN, text)
    text = _NAMED_SECRET.sub(rf"\1\2{HIDDEN}", text)
    text = _PASSWORD.sub(rf"\1{HIDDEN}@", text)
    return _BASE64_RUN.sub(lambda run: HIDDEN if _looks_like_secret(run[0]) else run[0], text)


def _redact_value(key: str, value: object) -> object:
    """Return a value of a dict, hidden as a whole if its key names a secret."""
    return HIDDEN if value and _NAMED_SECRET.fullmatch(f"{key}=x") else redact(value)


def _looks_like_secret(run: str) -> bool:
    return not run.startswith('File "') and all(
        any(kind(letter) for letter in run) for kind in (str.isupper, str.islower, str.isdigit)
    )
