"""Define every error that Keydesk raises. Each has a code and facts.

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
│   ├── KeyNotInAccount      a key of another AWS account, shown only to approvers
│   ├── KeyIsLeaked          a leaked key is never enabled again
│   ├── KeyIsActive          only an inactive key may be deleted
│   ├── StaleKey             a receipt button of an earlier key
│   ├── ClockSkewed          this process's clock differs from the store's
│   └── IamRefused           AWS refused for certain and changed nothing
│       ├── IamDenied        Keydesk lacks a permission
│       ├── IamThrottled     AWS asked to slow down
│       ├── AccessKeyLimit   the quota AccessKeysPerUser is reached
│       ├── IamUserNotFound  IAM has no such user
│       ├── AccessKeyNotFound  IAM has no such key under that user
│       └── IamUserRenamed   the key belongs to another user name now
├── DeliveryFailed           a reveal ended without a delivered key
├── ChangePending            recorded but not confirmed, and repeated by the scheduler
├── Unavailable              an outside service cannot be reached
│   ├── StoreUnavailable
│   ├── StoredValueUnreadable  and StoredFormatTooNew
│   ├── IamUnavailable
│   └── SlackUnavailable
├── OutcomeUnknown           a call may have run, but its answer was lost
├── Conflict                 a compare-and-set failed
└── Locked                   another request has the lock
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


class KeyIsActive(Refused):
    """Only an inactive key may be deleted."""

    code = Code.KEY_IS_ACTIVE

    def __init__(self, key_id: str) -> None:
        self.key_id = key_id
        super().__init__(self.code, key_id=key_id)


class MustChooseKey(Refused):
    """Both IAM slots are taken, so a rotation must delete a key first.

    `key_id` is the key to rotate, `keys` those to choose from.
    """

    code = Code.MUST_CHOOSE_KEY

    def __init__(self, key_id: str, keys: Sequence[AccessKey]) -> None:
        self.key_id, self.keys = key_id, tuple(keys)
        super().__init__(key_id=key_id, keys=self.keys)


class KeyNotInAccount(Refused):
    """The key belongs to no user of this AWS account.

    Only approvers see this error.
    """

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
    """AWS refused a call for certain, so nothing changed.

    `aws_code` is AWS's error code, `action` the API action.
    """

    code = Code.AWS_REFUSED

    def __init__(self, aws_code: str, action: str, what: Code | None = None, **facts: Any) -> None:
        self.aws_code, self.action = aws_code, action
        super().__init__(what or self.code, aws_code=aws_code, action=action, **facts)


class IamDenied(IamRefused):
    """Keydesk's credentials lack a permission or are not accepted.

    `forbidden`: A policy denies the call explicitly.
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
    """The key belongs to another user name (`renamed_to`) now."""

    code = Code.IAM_USER_RENAMED

    def __init__(self, key_id: str, iam_user: str, renamed_to: str) -> None:
        self.aws_code, self.action = "NoSuchEntity", "ListAccessKeys"
        KeydeskError.__init__(
            self, self.code, key_id=key_id, iam_user=iam_user, renamed_to=renamed_to
        )


class DeliveryFailed(KeydeskError):
    """A reveal or receipt failed. The code says what happened to the key."""


class ChangePending(KeydeskError):
    """The change is recorded but not confirmed. The scheduler repeats it."""


class Unavailable(KeydeskError):
    """An outside service cannot be reached. No approved request is lost."""

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
    """A stored request or key cannot be read.

    `key` is its name in the store, such as `request:…`.
    """

    code = Code.STORED_VALUE_UNREADABLE

    def __init__(self, key: str, **facts: Any) -> None:
        self.key = key
        super().__init__(self.code, key=key, **facts)


class StoredFormatTooNew(StoredValueUnreadable):
    """A newer version of Keydesk wrote the value in a higher `format`."""

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
    """Slack did not answer a call, or refused it.

    `method` is the Web API method and `error` Slack's error. `refused`: Slack refused this very
    call. `retry_after` is how many seconds Slack rate-limits it (None: it does not).
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
