"""Where can a request stand, and which moves may it make from there? One literal table."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    PENDING = "pending"  # waiting for approvers
    APPROVED = "approved"  # the requester may reveal
    ISSUING = "issuing"  # a lease is held; IAM may be asked
    WITHDRAWING = "withdrawing"  # the key on record must go
    DELIVERED = "delivered"  # the person may have the key
    UNCLAIMED = "unclaimed"  # no receipt: the key is inactive
    CONFIRMED = "confirmed"  # final: the person has the key
    DENIED = "denied"  # final
    CANCELLED = "cancelled"  # final
    EXPIRED = "expired"  # final

    @property
    def final(self) -> bool:
        return self in (Status.CONFIRMED, Status.DENIED, Status.CANCELLED, Status.EXPIRED)


class Action(StrEnum):
    LEARN = "learn"  # what the IAM user may do has been read
    ENDORSE = "endorse"  # an approval, and more are needed
    TAKE_BACK = "take_back"  # an approver takes their own approval back while more are needed
    APPROVE = "approve"  # the approval that completes the quorum
    DENY = "deny"
    CANCEL = "cancel"
    REVOKE = "revoke"  # an approver takes back what the quorum has approved
    LAPSE = "lapse"  # its time is over
    REVEAL = "reveal"  # the requester clicks; the lease begins
    BEGIN = "begin"  # what an approved `enable` wants of its key is stored; IAM may be asked
    APPLY = "apply"  # an approved `enable` or `extend` is done; no secret
    ISSUE = "issue"  # the key ID is on record
    REFUSE = "refuse"  # IAM said no, for certain
    LOOK = "look"  # the look after a lease without a key ID
    HAND_OVER = "hand_over"  # Slack accepted the ephemeral
    RECOVER = "recover"  # the lease ran out with a key ID on record
    WITHDRAW = "withdraw"  # the key must go: it was not handed over
    GONE = "gone"  # IAM does not know the key any more, and nobody said that they have it
    DID_NOT_GET = "did_not_get"  # the key must go: its person did not get it
    REPLACE = "replace"  # the key must go: its person wants another
    WITHDRAWN = "withdrawn"  # the key is gone
    REFRESH = "refresh"  # the facts on the card are read anew
    CLOSE = "close"  # the key is gone, and no reveal is left
    CONFIRM = "confirm"  # a receipt, or the key's first use
    REMIND = "remind"  # the person is reminded of the receipt, or the approvers of the request
    UNCLAIM = "unclaim"  # no receipt came
    DELETE = "delete"  # its owner deleted the key
    STOP = "stop"  # an approver turned the key off: this approval brings no other
    ON_IT = "on_it"  # an approver looks at it; that hands them no right
    OFF_IT = "off_it"  # they do not any more
    NUDGE = "nudge"  # its requester asks the approvers again


MOVES: dict[tuple[Status, Action], Status] = {
    (Status.PENDING, Action.LEARN): Status.PENDING,
    (Status.PENDING, Action.ENDORSE): Status.PENDING,
    (Status.PENDING, Action.TAKE_BACK): Status.PENDING,
    (Status.PENDING, Action.APPROVE): Status.APPROVED,
    (Status.PENDING, Action.DENY): Status.DENIED,
    (Status.PENDING, Action.CANCEL): Status.CANCELLED,
    (Status.PENDING, Action.LAPSE): Status.EXPIRED,
    (Status.PENDING, Action.ON_IT): Status.PENDING,
    (Status.PENDING, Action.OFF_IT): Status.PENDING,
    (Status.PENDING, Action.NUDGE): Status.PENDING,
    (Status.PENDING, Action.REMIND): Status.PENDING,
    (Status.APPROVED, Action.REVEAL): Status.ISSUING,
    (Status.APPROVED, Action.REFRESH): Status.APPROVED,
    (Status.APPROVED, Action.BEGIN): Status.APPROVED,
    (Status.APPROVED, Action.APPLY): Status.CONFIRMED,
    (Status.APPROVED, Action.CANCEL): Status.CANCELLED,
    (Status.APPROVED, Action.REVOKE): Status.DENIED,
    (Status.APPROVED, Action.LAPSE): Status.EXPIRED,
    (Status.ISSUING, Action.ISSUE): Status.ISSUING,
    (Status.ISSUING, Action.HAND_OVER): Status.DELIVERED,
    (Status.ISSUING, Action.RECOVER): Status.DELIVERED,
    (Status.ISSUING, Action.CONFIRM): Status.CONFIRMED,
    (Status.ISSUING, Action.REFUSE): Status.APPROVED,
    (Status.ISSUING, Action.LOOK): Status.APPROVED,
    (Status.ISSUING, Action.WITHDRAW): Status.WITHDRAWING,
    (Status.WITHDRAWING, Action.WITHDRAWN): Status.APPROVED,
    (Status.WITHDRAWING, Action.CLOSE): Status.EXPIRED,
    (Status.DELIVERED, Action.CONFIRM): Status.CONFIRMED,
    (Status.DELIVERED, Action.DID_NOT_GET): Status.WITHDRAWING,
    (Status.DELIVERED, Action.GONE): Status.WITHDRAWING,
    (Status.DELIVERED, Action.REMIND): Status.DELIVERED,
    (Status.DELIVERED, Action.UNCLAIM): Status.UNCLAIMED,
    (Status.DELIVERED, Action.DELETE): Status.EXPIRED,
    (Status.DELIVERED, Action.STOP): Status.DELIVERED,
    (Status.UNCLAIMED, Action.CONFIRM): Status.CONFIRMED,
    (Status.UNCLAIMED, Action.REPLACE): Status.WITHDRAWING,
    (Status.UNCLAIMED, Action.LAPSE): Status.EXPIRED,
    (Status.UNCLAIMED, Action.DELETE): Status.EXPIRED,
    (Status.UNCLAIMED, Action.STOP): Status.UNCLAIMED,
}

NOT_ONCE_BEGUN = frozenset({Action.BEGIN, Action.CANCEL, Action.REVOKE})
"""From `approved`, once an `enable` has begun: IAM may have done it by now, so it is finished or fails."""

NEEDS_KEY_ON_RECORD = {  # from `issuing`, and there alone
    Action.HAND_OVER: True,
    Action.RECOVER: True,
    Action.CONFIRM: True,
    Action.WITHDRAW: True,
    Action.ISSUE: False,
    Action.REFUSE: False,
    Action.LOOK: False,
}
