"""Everything that can go wrong: each error carries a code and its facts.

KeydeskError
├── Refused                  the desk says no, and why; nothing was done
│   ├── BadCommand           the text is no command: the right usage
│   ├── LooksLikeSecret      a secret access key was typed
│   ├── NotAMember           a guest, bot, deactivated or foreign person
│   ├── NotAllowed           this person may not do this
│   ├── RequestNotFound        nothing stored under this ID
│   ├── WrongState           the request has moved on: what happened, by whom, when
│   ├── AlreadyOpen          one request at a time
│   ├── NoIamUser            nobody in IAM answers to this person
│   ├── IdentityChanged      the requester's IAM user is not the one of the request
│   ├── TooManyKeys          both of IAM's two slots are taken
│   ├── MustChooseKey            a rotation with both slots taken: which key is to go?
│   ├── NotYourKey           not one of this member's keys (whether or not it exists)
│   ├── KeyNotInAccount      a key of another AWS account; only approvers are told
│   ├── KeyIsLeaked          a leaked key is never enabled again
│   ├── KeyIsActive          only an inactive key may be deleted
│   ├── StaleKey             a receipt button of an earlier key
│   ├── ClockSkewed          this process's clock differs from the store's
│   └── IamRefused           AWS said no, for certain: nothing was made or changed
│       ├── IamDenied        Keydesk lacks a permission
│       ├── IamThrottled     AWS asked to slow down
│       ├── AccessKeyLimit         AccessKeysPerUser is reached
│       ├── IamUserNotFound    GetUser or a change found no such user
│       ├── AccessKeyNotFound        a change found no such key
│       └── IamUserRenamed   the key belongs to a user of another name now
├── DeliveryFailed           a reveal ended without a delivered key; says what became of the key
├── ChangePending        the change is recorded and not confirmed yet; the scheduler repeats it
├── Unavailable              something outside cannot be reached; nothing is lost, try again
│   ├── StoreUnavailable
│   ├── IamUnavailable
│   └── SlackUnavailable
├── OutcomeUnknown           a call may or may not have run (a lost answer)
├── Conflict                 a compare-and-set was lost
└── Held                     a name is held already
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
    """Keydesk says no, and nothing was done."""


class BadCommand(Refused):
    """The text is not a command. `verb` is the one whose usage would have been right ("": none)."""

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
    """The request or key has moved on.

    Facts: `status` is where it is, `by` and `at` say who moved it there and when (UTC). One about a
    request carries it as `request`.
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
    """The key is not the member's. The answer is the same if it does not exist."""

    code = Code.NOT_YOUR_KEY


class KeyIsActive(Refused):
    """Only an inactive key may be deleted."""

    code = Code.KEY_IS_ACTIVE

    def __init__(self, key_id: str) -> None:
        self.key_id = key_id
        super().__init__(self.code, key_id=key_id)


class MustChooseKey(Refused):
    """Both of IAM's slots are taken, so a rotation of `key_id` must delete one of `keys` first."""

    code = Code.MUST_CHOOSE_KEY

    def __init__(self, key_id: str, keys: Sequence[AccessKey]) -> None:
        self.key_id, self.keys = key_id, tuple(keys)
        super().__init__(key_id=key_id, keys=self.keys)


class KeyNotInAccount(Refused):
    """The key belongs to no user of this AWS account. Only approvers are told."""

    code = Code.KEY_NOT_IN_ACCOUNT

    def __init__(self, key_id: str) -> None:
        self.key_id = key_id
        super().__init__(self.code, key_id=key_id)


class KeyIsLeaked(Refused):
    """The key was reported as leaked, so it is never enabled again."""

    code = Code.KEY_IS_LEAKED

    def __init__(self, key_id: str) -> None:
        self.key_id = key_id
        super().__init__(self.code, key_id=key_id)


class StaleKey(Refused):
    """A receipt button is about another key than the one of its request."""

    code = Code.STALE_KEY


class ClockSkewed(Refused):
    """This process's clock differs from the store's by `seconds`."""

    code = Code.CLOCK_SKEWED

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(seconds=seconds)


class IamRefused(Refused):
    """AWS refused a call for certain, so nothing was made or changed.

    `aws_code` is AWS's error code, `action` the API action.
    """

    code = Code.AWS_REFUSED

    def __init__(self, aws_code: str, action: str, what: Code | None = None, **facts: Any) -> None:
        self.aws_code, self.action = aws_code, action
        super().__init__(what or self.code, aws_code=aws_code, action=action, **facts)


class IamDenied(IamRefused):
    """Keydesk's credentials lack a permission or are not accepted.

    `forbidden`: a policy denies the call explicitly.
    """

    code = Code.AWS_DENIED

    def __init__(self, aws_code: str, action: str, *, forbidden: bool = False) -> None:
        self.forbidden = forbidden
        service = "sts" if action.startswith("AssumeRole") else "iam"
        what = Code.AWS_FORBIDDEN if forbidden else Code.AWS_DENIED
        super().__init__(aws_code, action, what, permission=f"{service}:{action}")


class IamThrottled(IamRefused):
    """AWS asked to slow down. The call did not run."""

    code = Code.AWS_THROTTLED


class AccessKeyLimit(IamRefused):
    """Both of the two access keys that IAM allows a user exist."""

    code = Code.ACCESS_KEY_LIMIT

    def __init__(self, action: str = "CreateAccessKey") -> None:
        super().__init__("LimitExceeded", action)


class IamUserNotFound(IamRefused):
    """IAM has no such user."""

    code = Code.IAM_USER_NOT_FOUND

    def __init__(self, action: str = "GetUser") -> None:
        super().__init__("NoSuchEntity", action)


class AccessKeyNotFound(IamRefused):
    """IAM has no such key under that user."""

    code = Code.ACCESS_KEY_NOT_FOUND

    def __init__(self, action: str) -> None:
        super().__init__("NoSuchEntity", action)


class IamUserRenamed(IamRefused):
    """The key's IAM user is gone, and the key belongs to another user name (`renamed_to`) now."""

    code = Code.IAM_USER_RENAMED

    def __init__(self, key_id: str, iam_user: str, renamed_to: str) -> None:
        self.aws_code, self.action = "NoSuchEntity", "ListAccessKeys"
        KeydeskError.__init__(
            self, self.code, key_id=key_id, iam_user=iam_user, renamed_to=renamed_to
        )


class DeliveryFailed(KeydeskError):
    """A reveal or receipt did not end as it should. The code says what became of the key."""


class ChangePending(KeydeskError):
    """The change is recorded but not confirmed yet. The scheduler repeats it until it is."""


class Unavailable(KeydeskError):
    """Something outside cannot be reached. Nothing that was approved is lost."""

    code = Code.UNAVAILABLE


class StoreUnavailable(Unavailable):
    """The store (Redis or Valkey) cannot be reached or refuses to write.

    `error` is what redis-py said. It is for the log alone.
    """

    code = Code.STORE_UNAVAILABLE

    def __init__(self, error: str = "") -> None:
        self.error = error
        super().__init__(self.code)


class StoredValueUnreadable(Unavailable):
    """A stored request or key cannot be read. `key` is its name in the store, such as `request:…`."""

    code = Code.STORED_VALUE_UNREADABLE

    def __init__(self, key: str, **facts: Any) -> None:
        self.key = key
        super().__init__(self.code, key=key, **facts)


class StoredFormatTooNew(StoredValueUnreadable):
    """A newer version of Keydesk wrote the value: its `format` is higher than this one knows."""

    code = Code.STORED_FORMAT_TOO_NEW

    def __init__(self, key: str, format: int) -> None:
        self.format = format
        super().__init__(key, format=format)


class IamUnavailable(Unavailable):
    """AWS cannot be reached. `action` is the API action of the call."""

    code = Code.AWS_UNAVAILABLE

    def __init__(self, action: str) -> None:
        self.action = action
        super().__init__(self.code, action=action)


class SlackUnavailable(Unavailable):
    """Slack did not answer a question, or refused it.

    `method` is the Web API method and `error` Slack's error. `refused`: Slack said no to this very
    call. `retry_after` is for how long Slack rate-limits it, in seconds (None: it does not).
    """

    code = Code.SLACK_UNAVAILABLE

    def __init__(
        self,
        method: str,
        error: str,
        what: Code | None = None,
        *,
        refused: bool = False,
        retry_after: float | None = None,
        **facts: Any,
    ) -> None:
        self.method, self.error = method, error
        self.refused, self.retry_after = refused, retry_after
        super().__init__(what or self.code, method=method, error=error, **facts)


class OutcomeUnknown(KeydeskError):
    """A call was sent and its answer was lost: it may or may not have run."""

    code = Code.OUTCOME_UNKNOWN

    def __init__(self, call: str) -> None:
        self.call = call
        super().__init__(self.code, call=call)


class Conflict(KeydeskError):
    """Another commit came first: `name` has another version than the one read."""

    code = Code.CONFLICT

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(self.code, name=name)


class Locked(KeydeskError):
    """The lock `name` belongs to `holder` already."""

    code = Code.LOCKED

    def __init__(self, name: str, holder: str) -> None:
        self.name, self.holder = name, holder
        super().__init__(self.code, name=name, holder=holder)
