"""Define the verbs of `/key`, and parse what a member types after it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.domain.codes import Code
from bot.domain.errors import BadCommand, LooksLikeSecret
from bot.domain.keys import KEY_ID
from bot.domain.secret import looks_like_secret

REASON_MAX = 500
"""Maximum characters of a reason."""


@dataclass(frozen=True)
class Verb:
    """One verb and its grammar.

    `arguments` and `example` are what stands after the verb in its usage and in an example.
    `summary` completes "Use this verb to …". `opens_form` says that the verb alone opens a form.
    """

    name: str
    arguments: str = ""
    summary: str = ""
    example: str = ""
    options: frozenset[str] = frozenset()
    needs_key: bool = False
    takes_reason: bool = False
    opens_form: bool = False


_ID, _EXAMPLE_ID = "<access key ID>", "AKIAIOSFODNN7EXAMPLE"
_FOR_USER = frozenset({"user"})

_VERBS = (
    Verb(
        "create",
        "[--for 30d] [--urgent] [--user <service user>] <reason>",
        "request an access key",
        "--for 30d deploy script for the billing job",
        options=frozenset({"for", "user", "urgent"}),
        takes_reason=True,
        opens_form=True,
    ),
    Verb(
        "list",
        "[@person | --user <service user>]",
        "see your keys: age, status, last use",
        options=_FOR_USER,
    ),
    Verb(
        "used",
        _ID,
        "see when and for what a key was last used",
        _EXAMPLE_ID,
        options=_FOR_USER,
        needs_key=True,
    ),
    Verb(
        "rotate",
        f"{_ID} [--delete {_ID}] [--for 30d] [<reason>]",
        "replace one of your keys",
        _EXAMPLE_ID,
        options=frozenset({"for", "user", "delete"}),
        needs_key=True,
        takes_reason=True,
        opens_form=True,
    ),
    Verb(
        "disable",
        _ID,
        "turn off one of your keys",
        _EXAMPLE_ID,
        options=_FOR_USER,
        needs_key=True,
    ),
    Verb(
        "enable",
        f"{_ID} <reason>",
        "turn an inactive key back on",
        f"{_EXAMPLE_ID} still used by the nightly job",
        options=_FOR_USER,
        needs_key=True,
        takes_reason=True,
        opens_form=True,
    ),
    Verb(
        "delete",
        _ID,
        "delete one of your inactive keys",
        _EXAMPLE_ID,
        options=_FOR_USER,
        needs_key=True,
    ),
    Verb(
        "leaked",
        _ID,
        "report a leaked key, so that it is turned off",
        _EXAMPLE_ID,
        needs_key=True,
    ),
    Verb("requests", summary="see your open and past requests"),
    Verb("help", summary="see this list"),
)

VERBS: Mapping[str, Verb] = {verb.name: verb for verb in _VERBS}
"""The one table of verbs, by name, in the order of the help message."""

FLAGS = {"urgent"}
"""Options that take no value."""

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
    """A parsed command.

    `reason` is "" where the verb takes none, or where a form asks for it. `user` is a service user,
    `delete_first` the key that a rotation may delete, `person` a Slack user ID. `lifetime` is None
    where none was typed, and `forever` is set for `never`. `urgent` is set for a break-glass
    request.
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
    """Parse what Slack sends after `/key`, with `&`, `<` and `>` as entities.

    Spaces and quotes are normalised for reading only. The reason is kept as written.

    Raises:
        BadCommand: The text is not a command. Its `verb` is the one whose usage helps.
        LooksLikeSecret: A secret access key was typed.
    """
    text = _OUTER_SPACES.sub("", _unescape(text))
    if looks_like_secret(text):
        raise LooksLikeSecret
    first, rest = _split_first_word(text)
    name = first.strip(_QUOTES).lower()
    if not name:
        return Command("help")
    if name not in VERBS:
        near = difflib.get_close_matches(name, VERBS, n=1, cutoff=0.6)
        raise BadCommand(Code.UNKNOWN_COMMAND, near[0] if near else "help")
    verb = VERBS[name]
    command, rest = _parse_options(verb, rest)
    opens_form = verb.opens_form and not rest and command == Command(name, user=command.user)
    if verb.needs_key and not opens_form:
        words = _VISIBLE_SPACES.sub(" ", _OUTER_SPACES.sub("", rest), count=1)
        key_id, _, rest = words.partition(" ")
        command = replace(command, key_id=_parse_key_id(name, key_id))
        rest = _OUTER_SPACES.sub("", rest)
    if name == "list" and rest:
        command, rest = _parse_member(command, rest)
    if verb.takes_reason:
        return replace(command, reason=check_reason(rest, name) if rest else "")
    if rest:
        raise BadCommand(Code.ONLY_A_KEY_ID if command.key_id else Code.NO_ARGUMENTS, name)
    return command


def check_reason(reason: str, verb: str = "create") -> str:
    """Return a reason as written, without the spaces around it.

    `verb` may be one that is not typed, such as `deny`. Raises BadCommand or LooksLikeSecret.
    """
    reason = reason.strip()
    if looks_like_secret(reason):
        raise LooksLikeSecret
    if not _SPACES.sub("", reason):
        raise BadCommand(Code.REASON_MISSING, verb)
    if len(reason) > REASON_MAX:
        raise BadCommand(Code.REASON_TOO_LONG, verb, length=len(reason), limit=REASON_MAX)
    return reason


def parse_lifetime(text: str, verb: str = "create") -> timedelta | None:
    """Parse a key's lifetime: `12h`, `30d`, `2w` or `never` (None). Raises BadCommand."""
    typed = text.strip().lower()
    if typed == "never":
        return None
    found = _DURATION.fullmatch(typed)
    if not found:
        raise BadCommand(Code.BAD_LIFETIME, verb)
    return int(found[1]) * _UNITS[found[2]]


def _unescape(text: str) -> str:
    for entity, character in _ENTITIES:
        text = text.replace(entity, character)
    return text


def _split_first_word(text: str) -> tuple[str, str]:
    """Return the first word and the rest, without any kind of space between them."""
    parts = _SPACES.split(text, maxsplit=1)
    return parts[0], parts[1].strip() if len(parts) > 1 else ""


def _parse_options(verb: Verb, rest: str) -> tuple[Command, str]:
    """Return a command with the options found in `rest`, and the other words.

    An option that the verb does not have is refused. A long dash before other words is part of
    a sentence.
    """
    command = Command(verb.name)
    seen: set[str] = set()
    words, end = [], 0
    for found in _OPTION.finditer(rest):
        dash, name, value = found[1], found[2].lower(), found[3] or ""
        if name not in verb.options and dash != "--":
            continue
        if name not in verb.options:
            raise BadCommand(Code.UNKNOWN_OPTION, verb.name, option=name)
        if name in FLAGS and (name in seen or rest[found.end(2) : found.end(2) + 1] == "="):
            raise BadCommand(Code.OPTION_TAKES_NO_VALUE, verb.name, option=name)
        if name not in FLAGS and (name in seen or not value):
            raise BadCommand(Code.OPTION_NEEDS_VALUE, verb.name, option=name)
        seen.add(name)
        command = _set_option(command, name, _ZERO_WIDTH.sub("", value).strip(_QUOTES))
        words.append(rest[end : found.start()])
        end = found.end(2) if name in FLAGS else found.end()
    parts = [_OUTER_SPACES.sub("", part) for part in (*words, rest[end:])] if seen else [rest]
    return command, " ".join(part for part in parts if part)


def _set_option(command: Command, name: str, value: str) -> Command:
    if name == "for":
        lifetime = parse_lifetime(value, command.verb)
        return replace(command, lifetime=lifetime, forever=lifetime is None)
    if name == "urgent":
        return replace(command, urgent=True)
    if name == "delete":
        return replace(command, delete_first=_parse_key_id(command.verb, value))
    if name != "user":
        raise ValueError(f"The option {name} has no field in Command.")
    if not IAM_NAME.fullmatch(value):
        raise BadCommand(Code.BAD_USER_NAME, command.verb)
    return replace(command, user=value)


def _parse_member(command: Command, rest: str) -> tuple[Command, str]:
    found = _MENTION.fullmatch(_OUTER_SPACES.sub("", rest))
    if not found or command.user:
        raise BadCommand(Code.ONLY_A_MEMBER, command.verb)
    return replace(command, person=found[1]), ""


def _parse_key_id(verb: str, word: str) -> str:
    key_id = _ZERO_WIDTH.sub("", word).strip(_QUOTES).upper()
    if not key_id:
        raise BadCommand(Code.KEY_ID_MISSING, verb)
    if not KEY_ID.fullmatch(key_id):
        raise BadCommand(Code.BAD_KEY_ID, verb)
    if key_id.startswith("ASIA"):
        raise BadCommand(Code.TEMPORARY_KEY, verb)
    return key_id
