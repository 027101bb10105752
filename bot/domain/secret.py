"""The secret of an access key, and how text that holds one is recognised."""

from __future__ import annotations

import re

from bot.domain.keys import KEY_ID

_ID = rf"(?:{KEY_ID.pattern})"
_SECRET = re.compile(  # alone, or next to the ID of its key
    rf"(?<![A-Za-z0-9/+])(?:{_ID}[/+]?)?([A-Za-z0-9/+]{{40}})(?:[/+]?{_ID})?(?![A-Za-z0-9/+])"
)
_SECRET_IN_PATH = re.compile(r"(?<![A-Za-z0-9+])(?=([A-Za-z0-9/+]{40})(?![A-Za-z0-9+]))")
_CHARACTER_RUN = re.compile(r"[A-Z]+|[a-z]+|[0-9]+|[/+]")
_ENCODINGS = (
    (re.compile(r"(?i)%2F|\\/"), "/"),
    (re.compile(r"(?i)%2B"), "+"),
    (re.compile(r"\\[nrt]"), " "),
)
"""How the characters of a secret are written in URLs and in JSON."""

MIN_RUNS, MAX_SEPARATORS = 16, 4
"""The least runs of one kind of character, and the most slashes and pluses.

40 random characters form about 26 runs, and one or two of them are a slash or a plus.

A path consists of words, so it has fewer runs and more slashes.
"""


class Secret:
    """A secret access key.

    Only `expose` reveals it: no repr, str, format, pickle or comparison.

    Python cannot wipe a string, so the secret's life is kept short. It lasts from the answer of
    CreateAccessKey to the ephemeral message, inside `bot.operations.reveal_key`. That operation
    calls `forget` at its end, so that a value that is still referenced, for example by a traceback,
    holds nothing.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def expose(self) -> str:
        """Return the secret, for the one message that contains it.

        Raises ValueError after `forget`.
        """
        if not self._value:
            raise ValueError("the secret is forgotten")
        return self._value

    def forget(self) -> None:
        """Drop the secret, for all references to this value."""
        self._value = ""

    def __repr__(self) -> str:
        return "Secret(hidden)"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a secret must not be stored")


def looks_like_secret(text: str) -> bool:
    """Return True if `text` contains what looks like a secret access key.

    A secret is 40 characters of base64 with upper case, lower case and digits, which a git commit
    ID (hex) never has. A match inside a path must also be as mixed as random characters are.
    """
    for encoded, character in _ENCODINGS:
        text = encoded.sub(character, text)
    return any(map(_is_mixed, _SECRET.findall(text))) or any(
        _is_mixed(word)
        and len(_CHARACTER_RUN.findall(word)) > MIN_RUNS
        and len(re.findall(r"[/+]", word)) <= MAX_SEPARATORS
        for word in _SECRET_IN_PATH.findall(text)
    )


def _is_mixed(word: str) -> bool:
    return all(re.search(kind, word) for kind in ("[A-Z]", "[a-z]", "[0-9]"))
