"""Name calls: a Redis command by its script and its key, others by their method."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from urllib.parse import parse_qs

from bot.store import scripts
from tests.verification.matrix.wire import HttpHead, names

SCRIPTS = {
    hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(): name.lower()
    for name, text in vars(scripts).items()
    if name.isupper()
}
"""The scripts' names by their SHA-1, as EVALSHA has it."""

CONNECTING = frozenset({"HELLO", "CLIENT", "SELECT", "AUTH", "PING", "INFO"})
"""Commands of a client that connects. They are no step of a journey."""

_PREFIX = "{keydesk}:"
_SECOND = frozenset({"lock", "audit"})
"""Keys whose second part is part of the name."""

_CHANGES = re.compile(
    r"(SET|HSET|HDEL|ZADD|ZREM|DEL|" + "|".join(sorted(SCRIPTS.values())) + r")\b"
)
_SLACK_READS = re.compile(r"\.(info|list|test|members|open|replies|history)$")


def redis_name(words: Sequence[bytes]) -> str:
    """Return a name such as `GET request`, `SET lock:delivery` or `commit approve`."""
    text = names(words)
    command = text[0].upper()
    if command in ("EVALSHA", "EVAL"):
        return _script_name(command, text)
    key = next((word for word in text[1:] if word.startswith(_PREFIX)), "")
    return f"{command} {_about(key)}" if key else command


def slack_name(head: HttpHead) -> str:
    """Return Slack's method, `response_url` for an answer by one, "" for another path."""
    path = head.first.split(" ")[1].partition("?")[0]
    if path.startswith("/response/"):
        return "response_url"
    return path.removeprefix("/api/") if path.startswith("/api/") else ""


def iam_name(body: bytes) -> str:
    """Return IAM's action."""
    return parse_qs(body.decode("utf-8", "replace")).get("Action", [""])[0]


def changes(service: str, name: str) -> bool:
    """Say whether the call changes Redis, IAM or what is seen in Slack."""
    if service == "redis":
        return bool(_CHANGES.match(name))
    if service == "iam":
        return name in ("CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey")
    return name in ("views.open", "response_url") or not _SLACK_READS.search(name)


def _script_name(command: str, text: list[str]) -> str:
    known = SCRIPTS.get(text[1] if command == "EVALSHA" else "")
    if known is None:
        return command
    keys = int(text[2])
    if known != "commit":
        return f"{known} {_about(text[3])}" if known == "release_lock" else known
    entry = json.loads(text[3 + keys]).get("audit")
    if not entry:
        return "commit usage"  # a limited action is counted, without a transition
    fields = entry["fields"]
    return f"commit {dict(zip(fields[::2], fields[1::2], strict=True))['action']}"


def _about(key: str) -> str:
    parts = key.removeprefix(_PREFIX).split(":")
    return ":".join(parts[: 2 if parts[0] in _SECOND else 1])
