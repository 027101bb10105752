"""Define the sandbox's refusal, in the words that Slack would use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Refused(Exception):
    """Slack answers `ok: false`.

    Raised with Slack's error word, details and further fields.
    """

    def __init__(self, error: str, messages: Sequence[str] = (), **fields: Any) -> None:
        super().__init__(f"{error}: {'; '.join(messages)}" if messages else error)
        self.error = error
        self.messages = list(messages)
        self.fields = fields

    def answer(self) -> dict[str, Any]:
        """Return the body Slack would answer with."""
        body: dict[str, Any] = {"ok": False, "error": self.error, **self.fields}
        if self.messages:
            body["errors"] = self.messages
            body["response_metadata"] = {"messages": [f"[ERROR] {line}" for line in self.messages]}
        return body
