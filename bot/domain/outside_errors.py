"""Define the errors of AWS, Slack and the database. Each has a code and facts.

KeydeskError
├── Refused
│   └── IamRefused           AWS refused for certain and changed nothing
│       ├── IamDenied        Keydesk lacks a permission
│       ├── IamThrottled     AWS asked to slow down
│       ├── AccessKeyLimit   the quota AccessKeysPerUser is reached
│       ├── IamUserNotFound  IAM has no such user
│       ├── AccessKeyNotFound  IAM has no such key under that user
│       └── IamUserRenamed   the key belongs to another user name now
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

from typing import Any

from bot.domain.codes import Code
from bot.domain.errors import KeydeskError, Refused


class IamRefused(Refused):
    """AWS refused a call for certain, so nothing changed.

    `aws_code` is AWS's error code, `action` the API action.
    """

    code = Code.AWS_REFUSED

    def __init__(self, aws_code: str, action: str, what: Code | None = None, **facts: Any) -> None:
        self.aws_code, self.action = aws_code, action
        super().__init__(what or self.code, aws_code=aws_code, action=action, **facts)


class IamDenied(IamRefused):
    """Keydesk's credentials lack a permission.

    `forbidden`: A policy denies the call explicitly.
    """

    code = Code.AWS_DENIED

    def __init__(self, aws_code: str, action: str, *, forbidden: bool = False) -> None:
        self.forbidden = forbidden
        service = "sts" if action.startswith("AssumeRole") else "iam"
        what = Code.AWS_FORBIDDEN if forbidden else Code.AWS_DENIED
        super().__init__(aws_code, action, what, permission=f"{service}:{action}")


class AwsNotConfigured(IamRefused):
    """Keydesk has no working credentials for AWS, or could not prepare the call.

    `aws_code` is AWS's error code, or the name of the error where nothing was sent.
    """

    code = Code.AWS_NOT_CONFIGURED


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
    setup_errors = frozenset(
        {
            "access_denied",
            "account_inactive",
            "app_uninstalled",
            "invalid_auth",
            "missing_scope",
            "no_permission",
            "not_authed",
            "org_login_required",
            "team_access_not_granted",
            "token_expired",
            "token_revoked",
        }
    )
    """Errors that only a Keydesk admin can end (Slack documentation, "Web API errors")."""

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
        super().__init__(what or self._default_code(), method=method, error=error, **facts)

    @property
    def needs_admin(self) -> bool:
        """Return True if only a Keydesk admin can end it."""
        return self.error in self.setup_errors

    def _default_code(self) -> Code:
        if self.needs_admin:
            return Code.SLACK_NOT_CONFIGURED
        if self.retry_after is not None:
            return Code.SLACK_RATE_LIMITED
        return Code.SLACK_REFUSED_CALL if self.refused else self.code


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
