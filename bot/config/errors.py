"""Define the errors that keep Keydesk from starting."""

from __future__ import annotations

from collections.abc import Iterable


class StartError(Exception):
    """Keydesk cannot start. The text says what is wrong and what to do."""


class SettingsError(StartError):
    """Settings are missing or wrong.

    `problems` has a sentence for each, with its name first.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))
