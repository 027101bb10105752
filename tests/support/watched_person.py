"""A user of a running bot: noted gestures, handle and IAM user name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.domain import commands
from bot.slack import action_ids
from sandbox.delivery import Delivery
from sandbox.local import LocalSlack
from sandbox.local_person import LocalPerson
from sandbox.seen import SeenMessage
from sandbox.views import View
from tests.support.answers import AnswerLog

VERBS = frozenset(commands.VERBS)
BUTTONS = frozenset(value for value in vars(action_ids).values() if isinstance(value, str))


class WatchedPerson(LocalPerson):
    """A user whose gestures are noted, so that no old answer is taken for a new one."""

    def __init__(self, slack: LocalSlack, user_id: str, answers: AnswerLog) -> None:
        super().__init__(slack, user_id)
        self._answers = answers

    def command(self, line: str, channel: str = "general") -> Delivery:
        """Type a slash command."""
        words = line.lower().split()
        self._answers.acts(self.id, words[1] if len(words) > 1 and words[1] in VERBS else "")
        return super().command(line, channel)

    def click(self, message: SeenMessage, button: str) -> Delivery:
        """Click a button of a message, by its text or action ID."""
        self._answers.acts(self.id, button if button in BUTTONS else "")
        return super().click(message, button)

    def post_action(
        self, message: SeenMessage, action_id: str, value: str, **overrides: Any
    ) -> Delivery:
        """Send any button action, as a hostile client would."""
        self._answers.acts(self.id, action_id if action_id in BUTTONS else "")
        return super().post_action(message, action_id, value, **overrides)

    def submit(self, typed: Mapping[str, Any], view: View | None = None) -> Delivery:
        """Fill in and submit the form that is open."""
        form = str(((view or self.modal) or {}).get("callback_id", ""))
        self._answers.acts(self.id, form if form in BUTTONS else "")
        return super().submit(typed, view)

    def click_in_home(self, button: str) -> Delivery:
        """Click a button in the Home tab."""
        self._answers.acts(self.id, button if button in BUTTONS else "")
        return super().click_in_home(button)


def iam_name(person: LocalPerson) -> str:
    """Return the name of the IAM user that belongs to this user."""
    return f"{handle(person)}@example.com"


def handle(person: LocalPerson) -> str:
    """Return the name by which Slack mentions this user, without the @."""
    return person.id.removeprefix("U0").lower()
