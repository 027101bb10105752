"""Is one value of a setting well formed? Each check takes the text and returns the value.

What is wrong is raised as ValueError, worded to follow the setting's name and to end with the mend; no check
repeats a value that may be a secret.
"""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_MAX_SECONDS = timedelta(days=3650)
LOOPBACK = ("localhost", "127.0.0.1", "::1")
RECOVERY_REASON = "until then a hand-over that broke off is not put right"
EXPIRY_REASON = "so long nothing ends, nobody is reminded and nothing is put right"
LIFETIME_REASON = "an urgent key is one approver's word, and is to live a few hours"
_REDIS_OPTIONS = re.compile(r"db|username|password|client_name|ssl_\w+")
_TAG_KEY = re.compile(r"[\w .:/=+@-]{1,128}")  # AWS: "Tags for IAM resources"
_IAM_PATH = re.compile(r"/([A-Za-z0-9+=,.@_-]+/)*")
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")


class NotStored:
    """What holds secrets is not pickled: neither stored nor handed to another process."""

    def __reduce__(self) -> str:
        raise TypeError(f"{type(self).__name__} holds secrets and is not to be stored")


def token(prefix: str, where: str) -> BeforeValidator:
    """Checks a Slack token by its beginning; the token itself is never shown."""

    def check(text: str) -> SecretStr:
        if not re.fullmatch(rf"{prefix}[A-Za-z0-9-]+", text):
            instead = " For HTTP instead, leave it empty." if prefix == "xapp-" else ""
            raise ValueError(
                f'is not a token that begins with "{prefix}". Copy it from {where}.{instead}'
            )
        return SecretStr(text)

    return BeforeValidator(check)


def signing_secret(text: str) -> SecretStr:
    if not re.fullmatch(r"[A-Za-z0-9]{8,}", text):
        raise ValueError(
            'is not a signing secret. Copy it from your Slack app\'s page "Basic Information".'
        )
    return SecretStr(text)


def duration(text: str) -> timedelta:
    found = re.fullmatch(r"([0-9]{1,8})([smhdw])", text)
    length = timedelta(seconds=int(found[1]) * _SECONDS[found[2]]) if found else timedelta()
    if not timedelta() < length <= _MAX_SECONDS:
        raise ValueError(
            "is not a length of time. Write a whole number and a unit: 90s, 15m, 72h, 7d or 2w."
        )
    return length


def at_most(longest: str, why: str) -> AfterValidator:
    """Checks a length of time against the longest that makes sense, which is written as in a setting."""

    def check(length: timedelta) -> timedelta:
        if length > duration(longest):
            raise ValueError(f"is longer than {longest}: {why}. Write {longest} at most.")
        return length

    return AfterValidator(check)


def lifetime(text: str) -> timedelta | None:
    """A key's life; `never` (it ends never) is None."""
    return None if text.lower() == "never" else duration(text)


def quorum(text: str) -> int:
    if text not in ("1", "2", "3", "4", "5"):
        raise ValueError("is not a number of approvers. Write a whole number from 1 to 5.")
    return int(text)


def hourly_limit(text: str) -> tuple[int, int]:
    """How often in an hour: by one person, and by all together."""
    found = re.fullmatch(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})", text)
    if not found or int(found[1]) > int(found[2]):
        raise ValueError(
            "is not two whole numbers, one person's and that of all together, which is no smaller. Write "
            "10/200."
        )
    return int(found[1]), int(found[2])


def yes_or_no(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("is neither true nor false. Write true or false.")
    return text.lower() == "true"


def approval_free_verbs(text: str) -> frozenset[str]:
    verbs = frozenset(one.lower() for one in _split_list(text))
    wrong = sorted(verbs - {"disable", "delete", "enable"})
    if wrong:
        raise ValueError(f"holds {_join(wrong)}. Write disable,delete, and enable if you like.")
    if not {"disable", "delete"} <= verbs:
        raise ValueError(
            "must hold disable and delete: turning a key off never waits. Write disable,delete."
        )
    return verbs


def channel(text: str) -> str:
    if not re.fullmatch(r"[CG][A-Z0-9]{2,}", text):
        raise ValueError(
            "is not a channel ID (C… or G…). "
            "In Slack, click the channel's name and copy the ID from the end of its About page."
        )
    return text


def audit_key(text: str) -> SecretStr:
    if len(text) < 32:
        raise ValueError(
            "is shorter than 32 characters. Write 32 random ones or more: `openssl rand -base64 32`."
        )
    return SecretStr(text)


def approvers(text: str) -> frozenset[str]:
    ids = frozenset(_split_list(text))
    wrong = sorted(one for one in ids if not re.fullmatch(r"[UWS][A-Z0-9]{2,}", one))
    if wrong:
        raise ValueError(
            f"holds {_join(wrong)}, not the ID of a person (U…, W…) or a user group (S…). "
            "Copy IDs from the ⋮ menu of a profile or group, and part them by commas."
        )
    return ids


def domains(text: str) -> frozenset[str]:
    domains = frozenset(one.lower().removeprefix("@") for one in _split_list(text))
    wrong = sorted(one for one in domains if not _DOMAIN.fullmatch(one))
    if wrong:
        raise ValueError(
            f"holds {_join(wrong)}, not an e-mail domain. Write example.com,example.org."
        )
    return domains


def url(*schemes: str) -> BeforeValidator:
    """Checks an address by its scheme; it may hold a password and is never shown."""

    return BeforeValidator(lambda text: _address(text, schemes))


def _address(text: str, schemes: tuple[str, ...]) -> str:
    try:
        parts = urlsplit(text)
        good = parts.scheme in schemes and bool(
            parts.hostname or (parts.scheme == "unix" and parts.path)
        )
        _ = parts.port  # raises for a port that is no number
    except ValueError:
        good = False
    if not good:
        raise ValueError(
            f"is not an address that begins with {' or '.join(s + '://' for s in schemes)}."
        )
    return text


def redis_url(text: str) -> str:
    """The store's address. Options in it come before the client's own: none may change how long the desk waits."""
    _address(text, ("redis", "rediss", "unix"))
    wrong = sorted(
        one
        for one in parse_qs(urlsplit(text).query, keep_blank_values=True)
        if not _REDIS_OPTIONS.fullmatch(one)
    )
    if wrong:
        raise ValueError(
            f"has the option {_join(wrong)}, and how the desk talks to its store is not for the address "
            "to say. Leave db, client_name and ssl_… alone behind the question mark."
        )
    return text


def trial_pace(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 0 < int(text) <= 1000:
        raise ValueError("is not a whole number from 1 to 1000.")
    return int(text)


def port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 0 < int(text) < 65_536:
        raise ValueError("is not a port number. Write a number from 1 to 65535.")
    return int(text)


def tag(text: str) -> str:
    if not _TAG_KEY.fullmatch(text):
        raise ValueError(
            "is not the key of an IAM tag. Write the tag's key alone, such as slack-user-id."
        )
    return text


def iam_path(text: str) -> str:
    """A path of IAM users. It goes into a policy's ARNs, too, so it holds no wildcard and no variable."""
    if len(text) > 512 or not _IAM_PATH.fullmatch(text):
        raise ValueError(
            "is not a path of IAM users. Write /, or one that begins and ends with a slash: /people/."
        )
    return text


def short_text(text: str) -> str:
    if len(text) > 1000:
        raise ValueError(
            "is longer than 1000 characters. Shorten it, or link to a page that says more."
        )
    return text


def one_of(*words: str) -> BeforeValidator:
    def check(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(f"is not one of {', '.join(words)}.")
        return text.lower()

    return BeforeValidator(check)


def _split_list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _join(values: list[str]) -> str:
    """Values for an error message; what is long enough to be a secret is not repeated."""
    return ", ".join(
        v if len(v) < 20 and not v.startswith("x") else "something else" for v in values
    )
