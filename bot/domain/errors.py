"""What can go wrong, as values: each error carries its facts and a sentence for the person who reads it.

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
│       ├── IamDenied        the desk lacks a permission
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
        """Return the code and those facts that can be stored, as text.

        Times become ISO 8601, durations seconds.
        """
        facts = {
            name: _stored(value)
            for name, value in self.facts.items()
            if isinstance(value, str | int | datetime | timedelta)
        }
        return Detail(self.code.value, facts)


def _stored(value: str | int | datetime | timedelta) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value.total_seconds() if isinstance(value, timedelta) else value)


class Refused(KeydeskError):
    """The desk says no and nothing was done."""


class BadCommand(Refused):
    """The text is not a command. `verb` is the one whose usage would have been right ("": none)."""

    def __init__(self, what: Code, verb: str = "", **facts: Any) -> None:
        self.verb = verb
        super().__init__(what, verb=verb, **facts)


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

    def __init__(
        self,
        what: Code | str,
        words: Code | str = "",
        by: str = "",
        at: datetime | None = None,
        /,
        **facts: Any,
    ) -> None:
        if isinstance(what, Code):
            super().__init__(what, **facts)
        else:  # the old form: a status and a sentence
            super().__init__(words, status=what, by=by, at=at, **facts)


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
    """AWS said no, for certain. `aws_code` is its error code, `action` the API action."""

    code = Code.AWS_REFUSED

    def __init__(self, aws_code: str, action: str, words: str = "") -> None:
        self.aws_code, self.action = aws_code, action
        super().__init__(
            words
            or f"AWS refused {action} ({aws_code}). Nothing was changed. Try again in a minute; "
            "if that does not help, tell whoever runs Keydesk."
        )


class IamDenied(IamRefused):
    """The desk's credentials lack a permission, or are not accepted; `forbidden`: a policy denies it explicitly."""

    def __init__(self, aws_code: str, action: str, *, forbidden: bool = False) -> None:
        self.forbidden = forbidden
        self.code = Code.AWS_FORBIDDEN if forbidden else Code.AWS_DENIED
        service = "sts" if action.startswith("AssumeRole") else "iam"
        words = (
            f"AWS keeps the desk away from this IAM user: a policy denies {service}:{action} on it ({aws_code}), as "
            "it does for users that are marked so and for the desk's own. If that is a mistake"
            if forbidden
            else f"AWS does not let the desk do {service}:{action} ({aws_code}). Nothing was changed"
        )
        super().__init__(
            aws_code, action, f"{words}{', ' if forbidden else '; '}tell whoever runs Keydesk."
        )


class IamThrottled(IamRefused):
    """AWS asked to slow down; the call did not run."""

    code = Code.AWS_THROTTLED

    def __init__(self, aws_code: str, action: str) -> None:
        super().__init__(
            aws_code,
            action,
            "AWS is asked too much at the moment. Nothing was changed; try again in a minute.",
        )


class AccessKeyLimit(IamRefused):
    """IAM lets a user have two access keys; both slots are taken."""

    def __init__(self, action: str = "CreateAccessKey") -> None:
        super().__init__(
            "LimitExceeded",
            action,
            "Your IAM user has two access keys already, which is all AWS "
            "allows. `/key delete <access key ID>` makes room.",
        )


class IamUserNotFound(IamRefused):
    """IAM has no such user."""

    def __init__(self, action: str = "GetUser") -> None:
        super().__init__(
            "NoSuchEntity",
            action,
            "AWS has no IAM user by your name. Ask whoever looks after AWS "
            "at your place to make one, then try again.",
        )


class AccessKeyNotFound(IamRefused):
    """IAM has no such key under that user."""

    def __init__(self, action: str) -> None:
        super().__init__(
            "NoSuchEntity",
            action,
            "AWS does not know that access key; it may be deleted already. "
            "`/key list` shows yours.",
        )


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
    """Something outside cannot be reached; nothing that was approved is lost."""

    sentence = "I cannot do that right now. Nothing is lost; try again in a minute."


class StoreUnavailable(Unavailable):
    """The store (Redis or Valkey) cannot be reached or will not write; `why` is for the log."""

    sentence = "The desk's memory does not answer at the moment. Nothing that it noted is lost; try again in a minute."

    def __init__(self, why: str = "") -> None:
        self.why = why
        super().__init__()


class IamUnavailable(Unavailable):
    """AWS cannot be reached. `action` is the API action that was asked."""

    code = Code.AWS_UNAVAILABLE

    def __init__(self, action: str) -> None:
        self.action = action
        super().__init__(
            "AWS does not answer at the moment. Nothing is lost; try again in a minute."
        )


class SlackUnavailable(Unavailable):
    """Slack did not answer a question: `method`, `error`, whether it said no to it, and for how long (seconds) it is
    limited."""

    def __init__(
        self,
        method: str,
        error: str,
        words: Code | str = "",
        *,
        refused: bool = False,
        retry_after: float | None = None,
        **facts: Any,
    ) -> None:
        self.method, self.error, self.refused, self.retry_after = (
            method,
            error,
            refused,
            retry_after,
        )
        super().__init__(
            words
            or "Slack did not answer a question I had to ask, so I have done nothing. "
            "Try again in a minute.",
            **facts,
        )


class OutcomeUnknown(KeydeskError):
    """A call was sent and its answer was lost: it may or may not have run."""

    code = Code.OUTCOME_UNKNOWN

    def __init__(self, call: str) -> None:
        self.call = call
        super().__init__(f"No answer to {call}: it may or may not have run.")


class Conflict(KeydeskError):
    """A compare-and-set was lost: `name` has another version than the one read."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            "Somebody else changed that at the same moment, so I have done nothing. Try again."
        )


class Locked(KeydeskError):
    """`name` is held by `holder` already."""

    def __init__(self, name: str, holder: str) -> None:
        self.name, self.holder = name, holder
        super().__init__(
            "Something else of yours is under way, so I have done nothing. Try again in a minute."
        )
