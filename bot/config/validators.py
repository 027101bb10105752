"""Validate single settings. Each validator takes a text and returns the value.

A ValueError says what is wrong. Its text follows the setting's name and ends with what to do. No
validator repeats a value that may be a secret.
"""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_MAX_SECONDS = timedelta(days=3650)
LOOPBACK = ("localhost", "127.0.0.1", "::1")
RECOVERY_REASON = "an interrupted delivery is not repaired until then"
EXPIRY_REASON = "nothing expires, is reminded or is repaired until then"
LIFETIME_REASON = "an urgent key has one approval, so it should live a few hours"
_REDIS_OPTIONS = re.compile(r"db|username|password|client_name|ssl_\w+")
_TAG_KEY = re.compile(r"[\w .:/=+@-]{1,128}")  # AWS: "Tags for IAM resources"
_IAM_PATH = re.compile(r"/([A-Za-z0-9+=,.@_-]+/)*")
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")


class NotStored:
    """Prevent pickling, since the object holds secrets."""

    def __reduce__(self) -> str:
        raise TypeError(f"{type(self).__name__} holds secrets and cannot be pickled")


def token(prefix: str, where: str) -> BeforeValidator:
    """Return a validator of a Slack token by its prefix. The token is never shown."""

    def check(text: str) -> SecretStr:
        if not re.fullmatch(rf"{prefix}[A-Za-z0-9-]+", text):
            instead = " For HTTP, leave it empty." if prefix == "xapp-" else ""
            raise ValueError(
                f'is not a token that begins with "{prefix}". Copy it from {where}.{instead}'
            )
        return SecretStr(text)

    return BeforeValidator(check)


def signing_secret(text: str) -> SecretStr:
    """Check a signing secret of Slack. It is never shown."""
    if not re.fullmatch(r"[A-Za-z0-9]{8,}", text):
        raise ValueError(
            'is not a signing secret. Copy it from your Slack app\'s page "Basic Information".'
        )
    return SecretStr(text)


def duration(text: str) -> timedelta:
    """Parse a duration, such as `90s` or `2w`, of at most ten years."""
    found = re.fullmatch(r"([0-9]{1,8})([smhdw])", text)
    length = timedelta(seconds=int(found[1]) * _SECONDS[found[2]]) if found else timedelta()
    if not timedelta() < length <= _MAX_SECONDS:
        raise ValueError(
            "is not a duration. Write a whole number and a unit: 90s, 15m, 72h, 7d or 2w."
        )
    return length


def at_most(longest: str, why: str) -> AfterValidator:
    """Return a validator of the longest duration, which is written as in a setting."""

    def check(length: timedelta) -> timedelta:
        if length > duration(longest):
            raise ValueError(f"is longer than {longest}: {why}. Write {longest} at most.")
        return length

    return AfterValidator(check)


def lifetime(text: str) -> timedelta | None:
    """Parse the lifetime of a key. `never` is None."""
    return None if text.lower() == "never" else duration(text)


def quorum(text: str) -> int:
    """Parse the number of approvers that must approve, from 1 to 5."""
    if text not in ("1", "2", "3", "4", "5"):
        raise ValueError("is not a number of approvers. Write a whole number from 1 to 5.")
    return int(text)


def hourly_limit(text: str) -> tuple[int, int]:
    """Parse an hourly limit: for one user, and for all users together."""
    found = re.fullmatch(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})", text)
    if not found or int(found[1]) > int(found[2]):
        raise ValueError(
            "is not two whole numbers: for one user, and for all users together, which is not "
            "smaller. Write 10/200."
        )
    return int(found[1]), int(found[2])


def yes_or_no(text: str) -> bool:
    """Parse `true` or `false`, in any case."""
    if text.lower() not in ("true", "false"):
        raise ValueError("is neither true nor false. Write true or false.")
    return text.lower() == "true"


def approval_free_verbs(text: str) -> frozenset[str]:
    """Parse the verbs that need no approval. `disable` and `delete` must be there."""
    verbs = frozenset(one.lower() for one in _split_list(text))
    wrong = sorted(verbs - {"disable", "delete", "enable"})
    if wrong:
        raise ValueError(f"holds {_join(wrong)}. Write disable,delete, and enable if you like.")
    if not {"disable", "delete"} <= verbs:
        raise ValueError(
            "must hold disable and delete, since turning off a key never waits. Write "
            "disable,delete."
        )
    return verbs


def channel(text: str) -> str:
    """Check the ID of a channel."""
    if not re.fullmatch(r"[CG][A-Z0-9]{2,}", text):
        raise ValueError(
            "is not a channel ID (C… or G…). In Slack, click the channel's name and copy the ID "
            "from the end of its About page."
        )
    return text


def audit_key(text: str) -> SecretStr:
    """Check that the key of the audit trail has at least 32 characters."""
    if len(text) < 32:
        raise ValueError(
            "is shorter than 32 characters. Write at least 32 random ones: `openssl rand "
            "-base64 32`."
        )
    return SecretStr(text)


def approvers(text: str) -> frozenset[str]:
    """Parse IDs of users and user groups, separated by commas."""
    ids = frozenset(_split_list(text))
    wrong = sorted(one for one in ids if not re.fullmatch(r"[UWS][A-Z0-9]{2,}", one))
    if wrong:
        raise ValueError(
            f"holds {_join(wrong)}, not the ID of a user (U…, W…) or a user group (S…). "
            "Copy IDs from the ⋮ menu of a profile or group, and separate them with commas."
        )
    return ids


def domains(text: str) -> frozenset[str]:
    """Parse email domains, separated by commas, into lower case."""
    domains = frozenset(one.lower().removeprefix("@") for one in _split_list(text))
    wrong = sorted(one for one in domains if not _DOMAIN.fullmatch(one))
    if wrong:
        raise ValueError(
            f"holds {_join(wrong)}, not an email domain. Write example.com,example.org."
        )
    return domains


def url(*schemes: str) -> BeforeValidator:
    """Return a validator of a URL by its scheme.

    The URL may hold a password and is never shown.
    """
    return BeforeValidator(lambda text: _address(text, schemes))


def _address(text: str, schemes: tuple[str, ...]) -> str:
    try:
        parts = urlsplit(text)
        is_url = parts.scheme in schemes and bool(
            parts.hostname or (parts.scheme == "unix" and parts.path)
        )
        _ = parts.port  # raises if the port is not a number
    except ValueError:
        is_url = False
    if not is_url:
        raise ValueError(
            f"is not an address that begins with {' or '.join(s + '://' for s in schemes)}."
        )
    return text


def redis_url(text: str) -> str:
    """Check the database URL.

    Its options override the client's own, so none may change a timeout.
    """
    _address(text, ("redis", "rediss", "unix"))
    wrong = sorted(
        one
        for one in parse_qs(urlsplit(text).query, keep_blank_values=True)
        if not _REDIS_OPTIONS.fullmatch(one)
    )
    if wrong:
        raise ValueError(
            f"has the option {_join(wrong)}, which would change how Keydesk uses the database. "
            "After the question mark, only db, username, password, client_name and ssl_… are "
            "allowed."
        )
    return text


def trial_pace(text: str) -> int:
    """Parse how many times faster Slack is called, from 1 to 1000."""
    if not text.isascii() or not text.isdecimal() or not 0 < int(text) <= 1000:
        raise ValueError("is not a whole number from 1 to 1000.")
    return int(text)


def port(text: str) -> int:
    """Parse a port number, from 1 to 65535."""
    if not text.isascii() or not text.isdecimal() or not 0 < int(text) < 65_536:
        raise ValueError("is not a port number. Write a number from 1 to 65535.")
    return int(text)


def tag(text: str) -> str:
    """Check the key of an IAM tag."""
    if not _TAG_KEY.fullmatch(text):
        raise ValueError(
            "is not the key of an IAM tag. Write the tag's key alone, such as slack-user-id."
        )
    return text


def iam_path(text: str) -> str:
    """Check a path of IAM users.

    It goes into ARNs of policies, so it holds no wildcard or variable.
    """
    if len(text) > 512 or not _IAM_PATH.fullmatch(text):
        raise ValueError(
            "is not a path of IAM users. Write /, or one that begins and ends with a "
            "slash: /people/."
        )
    return text


def short_text(text: str) -> str:
    """Check that a text has at most 1000 characters."""
    if len(text) > 1000:
        raise ValueError(
            "is longer than 1000 characters. Shorten it, or link to a page that says more."
        )
    return text


def one_of(*words: str) -> BeforeValidator:
    """Return a validator that accepts these words, in any case."""

    def check(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(f"is not one of {', '.join(words)}.")
        return text.lower()

    return BeforeValidator(check)


def _split_list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _join(values: list[str]) -> str:
    """Return values for an error message. One that may be a secret is not repeated."""
    return ", ".join(
        v if len(v) < 20 and not v.startswith("x") else "something else" for v in values
    )
