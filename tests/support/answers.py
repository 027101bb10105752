"""The answers of a running bot, read from its log: outcome, code and facts."""

from __future__ import annotations

import ast
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from bot.domain.codes import Code
from bot.domain.errors import KeydeskError

BOT = Path(__file__).resolve().parents[2] / "bot"
DONE = "done"


@dataclass(frozen=True)
class Answer:
    """The log line of one command, click or form that was worked on.

    `code` is "" for a success. `error` is the name of the error class, "" where the line has none.
    `key` is the access key ID that the command or button names, "" for none.
    """

    verb: str
    user: str
    outcome: str
    code: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    key: str = ""

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> Answer:
        """Return the answer of a log line."""
        return cls(
            str(line["event"]),
            str(line.get("user")),
            str(line["outcome"]),
            str(line.get("code", "")),
            line.get("facts") or {},
            str(line.get("key", "")),
        )

    def is_of(self, error: type[KeydeskError] | None, code: str = "") -> bool:
        """Return True for a success (`error` is None), or for this kind of refusal."""
        if error is None:
            return self.outcome == DONE
        if self.outcome == DONE:
            return False
        return self.code == code if code else self.code in codes_of(error)


@cache
def _constructions() -> Mapping[str, frozenset[str]]:
    """Return the codes with which the bot's source makes each error, by class name."""
    found: dict[str, set[str]] = {}
    for path in BOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                for part in (each for given in node.args[:2] for each in ast.walk(given)):
                    if isinstance(part, ast.Attribute) and ast.unparse(part.value) == "Code":
                        found.setdefault(node.func.id, set()).add(Code[part.attr].value)
    return {name: frozenset(codes) for name, codes in found.items()}


@cache
def codes_of(error: type[KeydeskError]) -> frozenset[str]:
    """Return the codes of an error class: its own, and those that it is raised with."""
    own = set() if error.code is Code.UNEXPECTED else {error.code.value}
    return frozenset(own | _constructions().get(error.__name__, frozenset()))


class AnswerLog:
    """Read the answers in the log files of bots that share a store, each line once.

    Threads may use it at the same time.
    """

    def __init__(self, folder: Path) -> None:
        self._folders = [folder]
        self._read: dict[Path, int] = {}
        self._answers: list[Answer] = []
        self._taken: dict[str, int] = {}
        self._acted: dict[str, tuple[int, str]] = {}
        self._lock = threading.RLock()

    def add(self, folder: Path) -> None:
        """Read the log files in this folder, too."""
        self._folders.append(folder)

    def all(self) -> list[Answer]:
        """Return every answer so far, oldest first for each process."""
        with self._lock:
            return self._read_on()

    def _read_on(self) -> list[Answer]:
        paths = [path for folder in self._folders for path in sorted(folder.glob("bot*.log"))]
        for path in paths:
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                whole = file.read().rpartition(b"\n")[0]
            if whole:
                self._read[path] = self._read.get(path, 0) + len(whole) + 1
                self._answers += self._answers_in(whole)
        return list(self._answers)

    def of(self, user: str) -> list[Answer]:
        """Return the answers to this user."""
        return [one for one in self.all() if one.user == user]

    def take(self, user: str, error: type[KeydeskError] | None, code: str = "") -> Answer | None:
        """Return the next such answer to this user, or None. Pass over those before it.

        Only the success of the user's last gesture counts.
        """
        answers, first, verb = self.of(user), self._taken.get(user, 0), ""
        if error is None:
            acted, verb = self._acted.get(user, (0, ""))
            first = max(first, acted)
        for number, answer in enumerate(answers[first:], first + 1):
            if answer.is_of(error, code) and verb in ("", answer.verb):
                self._taken[user] = number
                return answer
        return None

    def left(self, user: str) -> list[Answer]:
        """Return the answers to this user that nothing has waited for."""
        return self.of(user)[self._taken.get(user, 0) :]

    def acts(self, user: str, verb: str = "") -> None:
        """Note that this user does something, which the log calls `verb` ("": unknown)."""
        self._acted[user] = (len(self.of(user)), verb)

    def skip(self, user: str) -> None:
        """Pass over all answers to this user so far."""
        self._taken[user] = len(self.of(user))

    @staticmethod
    def _answers_in(lines: bytes) -> list[Answer]:
        found = (json.loads(line) for line in lines.splitlines() if b'"ms":' in line[:1000000])
        return [
            Answer.of(one)
            for one in found
            if "outcome" in one and ("user" in one or "person" in one)
        ]
