"""What did the person type after `/key`, and if it is no command, which line would have been right?"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from bot.core.access_key import KEY_ID, looks_like_secret
from bot.core.errors import BadCommand, LooksLikeSecret

REASON_MAX = 500

USAGE = {
    "create": "/key create <reason>",
    "list": "/key list",
    "disable": "/key disable <access key ID>",
    "delete": "/key delete <access key ID>",
    "help": "/key help",
}

HELP = {
    "create": ("ask for an access key", "/key create deploy script for the billing job"),
    "list": ("see your keys: age, status, last used", "/key list"),
    "disable": ("turn one of your keys off", "/key disable AKIAIOSFODNN7EXAMPLE"),
    "delete": ("delete one of your inactive keys", "/key delete AKIAIOSFODNN7EXAMPLE"),
    "help": ("this list", "/key help"),
}

_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))
_SPACES = re.compile(r"[\s\u00a0\u2007\u202f\u200b-\u200d\u2060\ufeff]+")  # zero-width ones, too
_OUTER_SPACES = re.compile(rf"^{_SPACES.pattern}|{_SPACES.pattern}$")
_ZERO_WIDTH = re.compile(r"[\u200b-\u200d\u2060\ufeff]")
_QUOTES = "`'\"\u2018\u2019\u201c\u201d"
_LONG_DASH_FLAG = re.compile(r"(?<!\S)[\u2012-\u2015](?=[A-Za-z])")
_FLAG = re.compile(r"(?:^|\s)(--[A-Za-z][\w-]*)")


@dataclass(frozen=True)
class Command:
    """A command that may be carried out. `reason` is "" where the verb has none, or where it is still to be asked."""

    verb: str
    key_id: str = ""
    reason: str = ""


def parse(text: str) -> Command:
    """The command in `text`, which is what Slack sends after `/key` (with `&`, `<`, `>` as entities).

    Typed text is normalised for reading only; the reason is kept as written. Raises BadCommand with the right
    usage, or LooksLikeSecret.
    """
    text = _OUTER_SPACES.sub("", _unescape(text))
    if looks_like_secret(text):
        raise LooksLikeSecret
    first, rest = _split(text)
    verb = first.strip(_QUOTES).lower()
    if not verb:
        return Command("help")
    if verb not in USAGE:
        near = difflib.get_close_matches(verb, USAGE, n=1, cutoff=0.6)
        guess = near[0] if near else "help"
        raise BadCommand(f"I do not know that command; did you mean *{guess}*? `/key help` lists them all.",
                         USAGE[guess])
    _refuse_flags(verb, rest)
    if verb == "create":
        return Command(verb, reason=check_reason(rest) if rest else "")
    if verb in ("disable", "delete"):
        return Command(verb, key_id=_key_id(verb, rest))
    if rest:
        raise BadCommand(f"*{verb}* takes nothing after it.", USAGE[verb])
    return Command(verb)


def check_reason(reason: str) -> str:
    """The reason as written, without the space around it. Raises BadCommand or LooksLikeSecret."""
    reason = reason.strip()
    if looks_like_secret(reason):
        raise LooksLikeSecret
    if not _SPACES.sub("", reason):
        raise BadCommand("Say in a few words what the key is for.", USAGE["create"])
    if len(reason) > REASON_MAX:
        raise BadCommand(f"The reason is {len(reason):,} characters long; {REASON_MAX} is the most.", USAGE["create"])
    return reason


def _unescape(text: str) -> str:
    for entity, character in _ENTITIES:
        text = text.replace(entity, character)
    return text


def _split(text: str) -> tuple[str, str]:
    """The first word and the rest, whatever kind of space stands between them."""
    parts = _SPACES.split(text, maxsplit=1)
    return parts[0], parts[1] if len(parts) > 1 else ""


def _refuse_flags(verb: str, rest: str) -> None:
    """No verb takes a flag yet; one that is typed all the same must not vanish into the reason."""
    found = _FLAG.search(_LONG_DASH_FLAG.sub("--", rest))
    if found:
        raise BadCommand("I do not know that option.", USAGE[verb])


def _key_id(verb: str, rest: str) -> str:
    words = [word.strip(_QUOTES) for word in _SPACES.split(_ZERO_WIDTH.sub("", rest)) if word.strip(_QUOTES)]
    if not words:
        raise BadCommand("Which key? `/key list` shows yours.", USAGE[verb])
    if len(words) > 1:
        raise BadCommand(f"*{verb}* takes one access key ID.", USAGE[verb])
    key_id = words[0].upper()
    if not KEY_ID.fullmatch(key_id):
        raise BadCommand("That is not an access key ID; one is AKIA and 16 more characters. `/key list` shows yours.",
                         USAGE[verb])
    if key_id.startswith("ASIA"):
        raise BadCommand("ASIA… is a temporary key; it ends by itself and the desk does not keep it.", USAGE[verb])
    return key_id
