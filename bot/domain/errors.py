"""What can go wrong, as values: each error carries its facts and a sentence for the person who reads it.

KeydeskError
├── Refused                  the desk says no, and why; nothing was done
│   ├── BadCommand           the text is no command: the right usage
│   ├── UnknownControl       a button or form of another version
│   ├── LooksLikeSecret      a secret access key was typed
│   ├── NotAMember           a guest, bot, deactivated or foreign person
│   ├── NotAllowed           this person may not do this
│   ├── RequestNotFound        nothing stored under this ID
│   ├── WrongState           the request has moved on: what happened, by whom, when
│   ├── AlreadyOpen          one request at a time
│   ├── NoIamUser            nobody in IAM answers to this person
│   ├── IdentityChanged      the person or IAM user is not the one who asked
│   ├── TooManyKeys          both of IAM's two slots are taken
│   ├── MustChooseKey            a rotation with both slots taken: which key is to go?
│   ├── NotYourKey           not one of this person's keys (whether or not it exists)
│   ├── KeyNotInAccount         a key of another AWS account, said to approvers alone
│   ├── KeyIsLeaked          a leaked key is never enabled again
│   ├── KeyIsActive          only an inactive key may be deleted
│   ├── StaleKey             a receipt for a key other than that on record
│   ├── ClockSkewed           this process's clock differs from the store's
│   └── IamRefused           AWS refused, so nothing was made or changed
│       ├── IamDenied        Keydesk lacks a permission
│       ├── IamThrottled     AWS asked to slow down
│       ├── AccessKeyLimit   both of the two keys exist
│       ├── IamUserNotFound  no such IAM user
│       └── AccessKeyNotFound  no such key under that user
├── DeliveryFailed           a reveal ended without a delivered key; says what became of the key
├── ChangePending              what was asked is on record and not done yet; the sweeper goes on
├── Unavailable              something outside cannot be reached
│   ├── StoreUnavailable
│   ├── StoredValueUnreadable
│   │   └── StoredFormatTooNew
│   ├── IamUnavailable
│   └── SlackUnavailable
├── OutcomeUnknown           a call may or may not have run (a lost answer)
├── Conflict                 another commit came first
└── Locked                   a lock is taken
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bot.domain.codes import Code, Detail

if TYPE_CHECKING:
    from bot.domain.keys import AccessKey


def utc_text(at: datetime) -> str:
    """A moment in words people read at a glance: "24 Nov 2026, 10:02 UTC"."""
    return f"{at.day} {at:%b %Y, %H:%M} UTC"


class KeydeskError(Exception):
    """Base of everything that Keydesk raises on purpose: a code and its facts.

    `sentence` is "" where the error carries a code; `bot.slack.messages.errors` words it then.
    """

    code = Code.UNEXPECTED
    sentence = ""

    def __init__(self, what: Code | str = "", /, **facts: Any) -> None:
        self.facts: Mapping[str, Any] = facts
        if isinstance(what, Code):
            self.code = what
            super().__init__(what.value)
        else:
            self.sentence = what or self.sentence
            super().__init__(self.sentence or self.code.value)

    def detail(self) -> Detail:
        """Return the code and those facts that can be stored: text, numbers and times."""
        facts = {
            name: value.isoformat() if isinstance(value, datetime) else str(value)
            for name, value in self.facts.items()
            if isinstance(value, str | int | datetime)
        }
        return Detail(self.code.value, facts)


class Refused(KeydeskError):
    """The desk says no and nothing was done."""


class BadCommand(Refused):
    """The text is not a command. `problem` says why, `usage` is the line that would have been right ("": none)."""

    def __init__(self, problem: str, usage: str) -> None:
        self.problem, self.usage = problem, usage
        super().__init__(f"{problem} Usage: `{usage}`" if usage else problem)


class UnknownControl(Refused):
    """The button or form belongs to another version of Keydesk."""

    code = Code.UNKNOWN_BUTTON


class LooksLikeSecret(Refused):
    """Text shaped like a secret access key was typed; it is neither stored nor logged."""

    sentence = (
        "That looks like a secret access key, so nothing was stored. Treat that key as leaked: "
        "report it with `/key leaked <access key ID>`, which turns yours off, then ask for a new one."
    )


class NotAMember(Refused):
    """The person is a guest, a bot, deactivated, or of another workspace."""

    sentence = "Only full members of this workspace can use the key desk; guests and bots cannot. Ask a full member."


class NotAllowed(Refused):
    """This person may not do this; the sentence says who may."""


class RequestNotFound(Refused):
    """Nothing is stored under the ID that was clicked."""

    sentence = "I do not know that request any more. `/key create <reason>` starts a new one."


class WrongState(Refused):
    """The request has moved on. `status` is where it is, `by` and `at` who moved it there and when (UTC)."""

    def __init__(self, status: str, words: str, by: str = "", at: datetime | None = None) -> None:
        self.status, self.by, self.at = status, by, at
        super().__init__(words)


class AlreadyOpen(Refused):
    """A request of this kind is open for this IAM user. `request_id` names it."""

    def __init__(self, request_id: str, words: str) -> None:
        self.request_id = request_id
        super().__init__(words)


class NoIamUser(Refused):
    """No single IAM user answers to this person; `why` is what is missing."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(
            f"I cannot tell which IAM user is yours: {why}. "
            "Ask whoever looks after AWS at your place to set that right, then try again."
        )


class IdentityChanged(Refused):
    """Since the request was made, the person or the IAM user has become another. `again` is how to ask anew."""

    def __init__(self, what: str, again: str = "create") -> None:
        self.what = what
        super().__init__(
            f"{what} since you asked, so I will not hand over this key. "
            f"Cancel the request and ask again with `/key {again}`."
        )


class TooManyKeys(Refused):
    """Both of IAM's two slots are taken. `keys` are the two, with ages and last use."""

    def __init__(self, keys: Sequence[AccessKey], words: str) -> None:
        self.keys = tuple(keys)
        super().__init__(words)


class NotYourKey(Refused):
    """Not one of this person's keys; the same words whether or not it exists."""

    sentence = "You have no access key with that ID. `/key list` shows yours."


class KeyIsActive(Refused):
    """Only an inactive key may be deleted."""

    def __init__(self, key_id: str) -> None:
        self.key_id = key_id
        super().__init__(
            f"{key_id} is still active. Turn it off first with `/key disable {key_id}`, see that "
            "nothing breaks, then delete it."
        )


class MustChooseKey(Refused):
    """Both of IAM's slots are taken, so a rotation must let one of `keys` go: which? `key_id` is to be replaced."""

    def __init__(self, key_id: str, keys: Sequence[AccessKey], words: str) -> None:
        self.key_id, self.keys = key_id, tuple(keys)
        super().__init__(words)


class KeyNotInAccount(Refused):
    """The key is of no user of this AWS account; said to approvers alone."""

    def __init__(self, key_id: str) -> None:
        self.key_id = key_id
        super().__init__(
            f"{key_id} is not a key of this AWS account (or is deleted, or the desk lacks iam:GetAccessKey"
            "LastUsed), so the desk can do nothing. Tell those whose account it is of, or AWS."
        )


class KeyIsLeaked(Refused):
    """The key was reported as leaked, so it is never enabled again."""

    def __init__(self, key_id: str) -> None:
        self.key_id = key_id
        super().__init__(
            f"{key_id} was reported as leaked, so it is never turned on again. `/key create <reason>` "
            "asks for another."
        )


class StaleKey(Refused):
    """A receipt button for a key other than the one on record."""

    def __init__(self, key_id: str) -> None:
        self.key_id = key_id
        super().__init__(
            f"{key_id} is not the key this request stands at any more; nothing was changed. "
            "The newest message here has the buttons that count."
        )


class ClockSkewed(Refused):
    """This process's clock differs from the store's by `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(
            f"The desk's clock is off by {abs(seconds):.0f} seconds, so no key is handed over until "
            "that is mended, and no request ends by it. What was approved still stands; tell whoever "
            "runs Keydesk."
        )


class IamRefused(Refused):
    """AWS refused a call for certain, so nothing was made or changed.

    `aws_code` is AWS's error code, `action` the API action.
    """

    code = Code.AWS_REFUSED

    def __init__(self, aws_code: str, action: str, what: Code | str = "", **facts: Any) -> None:
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


class DeliveryFailed(KeydeskError):
    """A reveal ended without a delivered key. The sentence says what became of the key and what to do."""


class ChangePending(KeydeskError):
    """What was asked is on record, and not done yet: the sweeper goes on until it is."""


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
        what: Code | str = "",
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
