"""What did the person type after `/key`, and if it is no command, which line would have been right?"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.domain.errors import BadCommand, LooksLikeSecret
from bot.domain.keys import KEY_ID
from bot.domain.secret import looks_like_secret

REASON_MAX = 500

USAGE = {
    "create": "/key create [--for 30d] [--urgent] [--user <service user>] <reason>",
    "list": "/key list [@person | --user <service user>]",
    "used": "/key used <access key ID>",
    "rotate": "/key rotate <access key ID> [--delete <access key ID>] [--for 30d] [<reason>]",
    "disable": "/key disable <access key ID>",
    "enable": "/key enable <access key ID> <reason>",
    "delete": "/key delete <access key ID>",
    "leaked": "/key leaked <access key ID>",
    "requests": "/key requests",
    "help": "/key help",
}

HELP = {
    "create": ("ask for an access key", "/key create --for 30d deploy script for the billing job"),
    "list": ("see your keys: age, status, last used", "/key list"),
    "used": ("see when and for what a key was last used", "/key used AKIAIOSFODNN7EXAMPLE"),
    "rotate": ("replace one of your keys", "/key rotate AKIAIOSFODNN7EXAMPLE"),
    "disable": ("turn one of your keys off", "/key disable AKIAIOSFODNN7EXAMPLE"),
    "enable": (
        "turn an inactive key on again",
        "/key enable AKIAIOSFODNN7EXAMPLE still used by the nightly job",
    ),
    "delete": ("delete one of your inactive keys", "/key delete AKIAIOSFODNN7EXAMPLE"),
    "leaked": ("report any key that got out; it is turned off", "/key leaked AKIAIOSFODNN7EXAMPLE"),
    "requests": ("see your requests, open and past", "/key requests"),
    "help": ("this list", "/key help"),
}

OPTIONS = {
    "create": {"for", "user", "urgent"},
    "list": {"user"},
    "used": {"user"},
    "rotate": {"for", "user", "delete"},
    "disable": {"user"},
    "enable": {"user"},
    "delete": {"user"},
}
FLAGS = {"urgent"}
"""Options that take no value."""

NEEDS_KEY = {"used", "rotate", "disable", "enable", "delete", "leaked"}
TAKES_REASON = {"create", "rotate", "enable"}
OPENS_FORM = {"create", "rotate", "enable"}
"""Verbs that open a form when nothing is typed after them."""

_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))
_ZERO_WIDTH = re.compile(r"[\u200b-\u200d\u2060\ufeff]")
_SPACE = r"[\s\u00a0\u2007\u202f\u200b-\u200d\u2060\ufeff]"  # zero-width ones, too
_SPACES = re.compile(rf"{_SPACE}+")
_OUTER_SPACES = re.compile(rf"^{_SPACE}+|{_SPACE}+$")
_VISIBLE_SPACES = re.compile(r"[\s\u00a0\u2007\u202f]+")
_QUOTES = "`'\"\u2018\u2019\u201c\u201d"
_OPTION = re.compile(
    rf"(?:(?<={_SPACE})|^)(--|[\u2012-\u2015])([A-Za-z][\w-]*)"
    rf"(?:(?:=|{_SPACE}+)(?!--|[\u2012-\u2015])(\S+))?"
)
_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")
IAM_NAME = re.compile(r"[A-Za-z0-9+=,.@_-]{1,64}")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_DURATION = re.compile(r"([1-9][0-9]{0,4})([hdw])")


@dataclass(frozen=True)
class Command:
    """A command that may be carried out.

    `reason` is "" where the verb has none, or where it is still to be asked; `user` is a service user; `delete_first`
    the key that a rotation may delete; `person` a Slack user ID. `lifetime` is None where none was asked for,
    and `forever` says that `never` was. `urgent` says that glass is to be broken.
    """

    verb: str
    key_id: str = ""
    reason: str = ""
    user: str = ""
    delete_first: str = ""
    person: str = ""
    lifetime: timedelta | None = None
    forever: bool = False
    urgent: bool = False


def parse(text: str) -> Command:
    """The command in `text`, which is what Slack sends after `/key` (with `&`, `<`, `>` as entities).

    Typed text is normalised for reading only; the reason is kept as written. Raises BadCommand with the right
    usage, or LooksLikeSecret.
    """
    text = _OUTER_SPACES.sub("", _unescape(text))
    if looks_like_secret(text):
        raise LooksLikeSecret
    first, rest = _split_first_word(text)
    verb = first.strip(_QUOTES).lower()
    if not verb:
        return Command("help")
    if verb not in USAGE:
        near = difflib.get_close_matches(verb, USAGE, n=1, cutoff=0.6)
        guess = near[0] if near else "help"
        raise BadCommand(
            f"I do not know that command; did you mean *{guess}*? `/key help` lists them all.",
            USAGE[guess],
        )
    command, rest = _parse_options(Command(verb), rest)
    asks = (
        verb in OPENS_FORM and not rest and command == Command(verb, user=command.user)
    )  # in a form
    if verb in NEEDS_KEY and not asks:
        key_id, _, rest = _VISIBLE_SPACES.sub(" ", _OUTER_SPACES.sub("", rest), count=1).partition(
            " "
        )
        command = replace(command, key_id=_parse_key_id(verb, key_id))
        rest = _OUTER_SPACES.sub("", rest)
    if verb == "list" and rest:
        command, rest = _parse_member(command, rest)
    if verb in TAKES_REASON:
        return replace(command, reason=check_reason(rest, verb) if rest else "")
    if rest:
        after = "one access key ID" if command.key_id else "nothing after it"
        raise BadCommand(f"*{verb}* takes {after}.", USAGE[verb])
    return command


def check_reason(reason: str, verb: str = "create") -> str:
    """The reason as written, without space around it. Raises BadCommand with `verb`'s usage, or LooksLikeSecret.

    `verb` may be one that is not typed, such as `deny`: then there is no usage to tell.
    """
    usage = USAGE.get(verb, "")
    reason = reason.strip()
    if looks_like_secret(reason):
        raise LooksLikeSecret
    if not _SPACES.sub("", reason):
        raise BadCommand(
            f"Say in a few words {'what the key is for' if verb == 'create' else 'why'}.", usage
        )
    if len(reason) > REASON_MAX:
        raise BadCommand(
            f"The reason is {len(reason):,} characters long; {REASON_MAX} is the most.", usage
        )
    return reason


def parse_lifetime(text: str, verb: str = "create") -> timedelta | None:
    """A key's life from `12h`, `30d`, `2w` or `never` (None). Raises BadCommand."""
    form_input = text.strip().lower()
    if form_input == "never":
        return None
    found = _DURATION.fullmatch(form_input)
    if not found:
        raise BadCommand("A key's life is a number and a unit: 12h, 30d, 2w.", USAGE[verb])
    return int(found[1]) * _UNITS[found[2]]


def _unescape(text: str) -> str:
    for entity, character in _ENTITIES:
        text = text.replace(entity, character)
    return text


def _split_first_word(text: str) -> tuple[str, str]:
    """The first word and the rest, whatever kind of space stands between them."""
    parts = _SPACES.split(text, maxsplit=1)
    return parts[0], parts[1].strip() if len(parts) > 1 else ""


def _parse_options(command: Command, rest: str) -> tuple[Command, str]:
    """The options, wherever they stand, and what is left. One that the verb does not know is refused, not read over."""
    known = OPTIONS.get(command.verb, set())
    seen: set[str] = set()
    kept, end = [], 0
    for found in _OPTION.finditer(rest):
        dash, name, value = found[1], found[2].lower(), found[3] or ""
        if name not in known and dash != "--":
            continue  # a long dash in a sentence
        if name not in known:
            raise BadCommand(f"I do not know the option `--{name}`.", USAGE[command.verb])
        if name in FLAGS and (name in seen or rest[found.end(2) : found.end(2) + 1] == "="):
            raise BadCommand(f"`--{name}` stands alone, once.", USAGE[command.verb])
        if name not in FLAGS and (name in seen or not value):
            raise BadCommand(f"`--{name}` takes one value, once.", USAGE[command.verb])
        seen.add(name)
        command = _set_option(command, name, _ZERO_WIDTH.sub("", value).strip(_QUOTES))
        kept.append(rest[end : found.start()])
        end = found.end(2) if name in FLAGS else found.end()
    parts = [_OUTER_SPACES.sub("", part) for part in (*kept, rest[end:])] if seen else [rest]
    return command, " ".join(part for part in parts if part)


def _set_option(command: Command, name: str, value: str) -> Command:
    if name == "for":
        lifetime = parse_lifetime(value, command.verb)
        return replace(command, lifetime=lifetime, forever=lifetime is None)
    if name == "urgent":
        return replace(command, urgent=True)
    if name == "delete":
        return replace(command, delete_first=_parse_key_id(command.verb, value))
    if not IAM_NAME.fullmatch(value):
        raise BadCommand("That is not an IAM user name.", USAGE[command.verb])
    return replace(command, user=value)


def _parse_member(command: Command, rest: str) -> tuple[Command, str]:
    found = _MENTION.fullmatch(_OUTER_SPACES.sub("", rest))
    if not found or command.user:
        raise BadCommand("*list* takes nothing after it, or one @person.", USAGE["list"])
    return replace(command, person=found[1]), ""


def _parse_key_id(verb: str, word: str) -> str:
    key_id = _ZERO_WIDTH.sub("", word).strip(_QUOTES).upper()
    if not key_id:
        raise BadCommand("Which key? `/key list` shows yours.", USAGE[verb])
    if not KEY_ID.fullmatch(key_id):
        raise BadCommand(
            "That is not an access key ID; one is AKIA and 16 more characters. `/key list` shows yours.",
            USAGE[verb],
        )
    if key_id.startswith("ASIA"):
        raise BadCommand(
            "ASIA… is a temporary key; it ends by itself and the desk does not keep it.",
            USAGE[verb],
        )
    return key_id
