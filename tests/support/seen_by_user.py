"""What a user sees in Slack: keys, private messages and open forms."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from bot.slack import action_ids
from sandbox.local_person import LocalPerson
from sandbox.seen import SeenMessage
from sandbox.views import View

_SHOWN_KEY = re.compile(
    r"aws_access_key_id = (?P<id>\S+)\s+aws_secret_access_key = (?P<secret>\S+)"
)
"""The lines of an AWS credentials file, which stand in the message with a secret."""


@dataclass(frozen=True)
class ShownKey:
    """A key as its owner sees it in the ephemeral message."""

    key_id: str
    secret: str = field(repr=False)
    message: SeenMessage = field(repr=False)


def shown_keys(person: LocalPerson) -> list[ShownKey]:
    """Return every key in an ephemeral message to this user."""
    seen = [
        one for one in person.messages("dm") if one.ephemeral and one.has_button(action_ids.SAVED)
    ]
    found = [(_SHOWN_KEY.search(one.words), one) for one in seen]
    return [ShownKey(match["id"], match["secret"], one) for match, one in found if match]


def form_opens(person: LocalPerson, form: str) -> View:
    """Wait until this user has the form with this callback ID open. Return it."""

    def there() -> View | None:
        view = person.modal
        return view if view and view.get("callback_id") == form else None

    return person.wait_until(there, why=f"{person.id} sees {form}")


def ephemerals(person: LocalPerson, channel: str = "dm") -> list[SeenMessage]:
    """Return the messages of a channel that only this user sees."""
    return [one for one in person.messages(channel) if one.ephemeral]
