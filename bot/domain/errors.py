"""Define the errors of Keydesk's own rules. Each has a code and facts.

`outside_errors.py` has those of AWS, Slack and the database.

KeydeskError
├── Refused                  Keydesk refuses and did nothing
│   ├── BadCommand           the text is not a command
│   ├── UnknownControl       a button or form of another version
│   ├── LooksLikeSecret      a secret access key was typed
│   ├── NotAMember           a guest, bot, deactivated or external user
│   ├── NotAllowed           this user may not do this
│   ├── RequestNotFound      nothing is stored under this ID
│   ├── WrongState           the request or key is in another state by now
│   ├── AlreadyOpen          only one request at a time
│   ├── NoIamUser            no single IAM user belongs to this member
│   ├── IdentityChanged      the requester has another IAM user than the request
│   ├── TooManyKeys          both IAM slots are taken
│   ├── MustChooseKey        a rotation with both slots taken must name a key to delete
│   ├── NotYourKey           not a key of this member, or no key at all
│   ├── KeyRefused           not with this key
│   │   ├── KeyNotInAccount  a key of another AWS account, shown only to approvers
│   │   ├── KeyIsLeaked      a leaked key is never enabled again
│   │   └── KeyIsActive      only an inactive key may be deleted
│   ├── StaleKey             a receipt button of an earlier key
│   └── ClockSkewed          this process's clock differs from the store's
├── DeliveryFailed           a reveal ended without a delivered key
└── ChangePending            recorded but not confirmed, and repeated by the scheduler
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from bot.domain.codes import Code, Detail

if TYPE_CHECKING:
    from bot.domain.keys import AccessKey


class KeydeskError(Exception):
    """Base of everything that Keydesk raises on purpose: a code and its facts.

    A subclass has the code that its instances have unless they are given another.
    `bot.slack.messages.errors` words both for people.
    """

    code = Code.UNEXPECTED

    def __init__(self, code: Code | None = None, /, **facts: Any) -> None:
        self.code = code or self.code
        self.facts: Mapping[str, Any] = facts
        super().__init__(self.code.value)

    def detail(self) -> Detail:
        """Return the code and those facts that can be stored, as text.

        Times become ISO 8601, durations seconds.
        """
        facts = {
            name: _stored(value)
            for name, value in self.facts.items()
            if isinstance(value, str | int | float | datetime | timedelta)
        }
        return Detail(self.code.value, facts)


def _stored(value: str | float | datetime | timedelta) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value.total_seconds() if isinstance(value, timedelta) else value)


class Refused(KeydeskError):
    """Keydesk refused, and did nothing."""


class BadCommand(Refused):
    """The text is not a command.

    `verb` is the command whose usage to show ("": none).
    """

    def __init__(self, what: Code, verb: str = "", **facts: Any) -> None:
        self.verb = verb
        super().__init__(what, verb=verb, **facts)


class UnknownControl(Refused):
    """The button or form belongs to another version of Keydesk."""

    code = Code.UNKNOWN_BUTTON


class LooksLikeSecret(Refused):
    """Text shaped like a secret access key was typed. It is neither stored nor logged."""

    code = Code.LOOKS_LIKE_SECRET


class NotAMember(Refused):
    """The Slack user is a guest, a bot, deactivated, or of another workspace."""

    code = Code.NOT_A_MEMBER


class NotAllowed(Refused):
    """This user may not do this."""


class RequestNotFound(Refused):
    """Nothing is stored under the ID that was clicked."""

    code = Code.REQUEST_NOT_FOUND


class WrongState(Refused):
    """The request or key is in another state by now.

    Facts: `status` is the state. `by` and `at` say who changed it and when (UTC). `request` is the
    request, if the error is about one.
    """

    code = Code.REQUEST_MOVED_ON


class AlreadyOpen(Refused):
    """A request of this kind is open for this IAM user. `request_id` names it."""

    def __init__(self, request_id: str, what: Code, /, **facts: Any) -> None:
        self.request_id = request_id
        super().__init__(what, **facts)


class NoIamUser(Refused):
    """No single IAM user belongs to this member. The code says what is missing."""


class IdentityChanged(Refused):
    """The requester's IAM user is not the one of the request any more."""


class TooManyKeys(Refused):
    """Both of IAM's slots are taken, by `keys`."""

    code = Code.TOO_MANY_KEYS

    def __init__(self, keys: Sequence[AccessKey]) -> None:
        self.keys = tuple(keys)
        super().__init__(keys=self.keys)


class NotYourKey(Refused):
    """The key does not belong to the member, or does not exist."""

    code = Code.NOT_YOUR_KEY


class KeyRefused(Refused):
    """Keydesk refused because of a key. `key_id` names it."""

    def __init__(self, key_id: str) -> None:
        self.key_id = key_id
        super().__init__(self.code, key_id=key_id)


class KeyIsActive(KeyRefused):
    """Only an inactive key may be deleted."""

    code = Code.KEY_IS_ACTIVE


class MustChooseKey(Refused):
    """Both IAM slots are taken, so a rotation must delete a key first.

    `key_id` is the key to rotate, `keys` those to choose from.
    """

    code = Code.MUST_CHOOSE_KEY

    def __init__(self, key_id: str, keys: Sequence[AccessKey]) -> None:
        self.key_id, self.keys = key_id, tuple(keys)
        super().__init__(key_id=key_id, keys=self.keys)


class KeyNotInAccount(KeyRefused):
    """The key belongs to no user of this AWS account.

    Only approvers see this error.
    """

    code = Code.KEY_NOT_IN_ACCOUNT


class KeyIsLeaked(KeyRefused):
    """The key was reported as leaked, so it is never enabled again."""

    code = Code.KEY_IS_LEAKED


class StaleKey(Refused):
    """A receipt button is about another key than the one of its request."""

    code = Code.STALE_KEY


class ClockSkewed(Refused):
    """This process's clock differs from the store's by `seconds`."""

    code = Code.CLOCK_SKEWED

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(seconds=seconds)


class DeliveryFailed(KeydeskError):
    """A reveal or receipt failed. The code says what happened to the key."""


class ChangePending(KeydeskError):
    """The change is recorded but not confirmed. The scheduler repeats it."""
