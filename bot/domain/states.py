"""Where can a request stand, and which moves may it make from there? One literal table."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    PENDING = "pending"  # waiting for approvers
    APPROVED = "approved"  # the requester may reveal
    ISSUING = "issuing"  # a lease is held; IAM may be asked
    DELETING = "deleting"  # the key on record must go
    DELIVERED = "delivered"  # the person may have the key
    UNCLAIMED = "unclaimed"  # no receipt: the key is inactive
    CONFIRMED = "confirmed"  # final: the person has the key
    DENIED = "denied"  # final
    CANCELLED = "cancelled"  # final
    EXPIRED = "expired"  # final

    @property
    def final(self) -> bool:
        return self in (Status.CONFIRMED, Status.DENIED, Status.CANCELLED, Status.EXPIRED)


class Event(StrEnum):
    LOAD_PERMISSIONS = "load_permissions"  # what the IAM user may do has been read
    ADD_APPROVAL = "add_approval"  # an approval, and more are needed
    WITHDRAW_APPROVAL = (
        "withdraw_approval"  # an approver takes their own approval back while more are needed
    )
    APPROVE = "approve"  # the approval that completes the quorum
    DENY = "deny"
    CANCEL = "cancel"
    REVOKE = "revoke"  # an approver takes back what the quorum has approved
    EXPIRE = "expire"  # its time is over
    REVEAL = "reveal"  # the requester clicks; the lease begins
    START_APPLY = (
        "start_apply"  # what an approved `enable` wants of its key is stored; IAM may be asked
    )
    APPLY = "apply"  # an approved `enable` or `extend` is done; no secret
    RECORD_KEY = "record_key"  # the key ID is on record
    CREATE_FAILED = "create_failed"  # IAM said no, for certain
    ORPHAN_CHECK = "orphan_check"  # the look after a lease without a key ID
    DELIVER = "deliver"  # Slack accepted the ephemeral
    RECOVER = "recover"  # the lease ran out with a key ID on record
    DELETE_UNDELIVERED = "delete_undelivered"  # the key must go: it was not handed over
    KEY_GONE = "key_gone"  # IAM does not know the key any more, and nobody said that they have it
    DID_NOT_GET = "did_not_get"  # the key must go: its person did not get it
    REPLACE = "replace"  # the key must go: its person wants another
    KEY_DELETED = "key_deleted"  # the key is gone
    REFRESH = "refresh"  # the facts on the card are read anew
    CLOSE = "close"  # the key is gone, and no reveal is left
    CONFIRM = "confirm"  # a receipt, or the key's first use
    REMIND = "remind"  # the person is reminded of the receipt, or the approvers of the request
    UNCLAIM = "unclaim"  # no receipt came
    OWNER_DELETED = "owner_deleted"  # its owner deleted the key
    STOP = "stop"  # an approver turned the key off: this approval brings no other
    START_REVIEW = "start_review"  # an approver looks at it; that hands them no right
    END_REVIEW = "end_review"  # they do not any more
    NUDGE = "nudge"  # its requester asks the approvers again


TRANSITIONS: dict[tuple[Status, Event], Status] = {
    (Status.PENDING, Event.LOAD_PERMISSIONS): Status.PENDING,
    (Status.PENDING, Event.ADD_APPROVAL): Status.PENDING,
    (Status.PENDING, Event.WITHDRAW_APPROVAL): Status.PENDING,
    (Status.PENDING, Event.APPROVE): Status.APPROVED,
    (Status.PENDING, Event.DENY): Status.DENIED,
    (Status.PENDING, Event.CANCEL): Status.CANCELLED,
    (Status.PENDING, Event.EXPIRE): Status.EXPIRED,
    (Status.PENDING, Event.START_REVIEW): Status.PENDING,
    (Status.PENDING, Event.END_REVIEW): Status.PENDING,
    (Status.PENDING, Event.NUDGE): Status.PENDING,
    (Status.PENDING, Event.REMIND): Status.PENDING,
    (Status.APPROVED, Event.REVEAL): Status.ISSUING,
    (Status.APPROVED, Event.REFRESH): Status.APPROVED,
    (Status.APPROVED, Event.START_APPLY): Status.APPROVED,
    (Status.APPROVED, Event.APPLY): Status.CONFIRMED,
    (Status.APPROVED, Event.CANCEL): Status.CANCELLED,
    (Status.APPROVED, Event.REVOKE): Status.DENIED,
    (Status.APPROVED, Event.EXPIRE): Status.EXPIRED,
    (Status.ISSUING, Event.RECORD_KEY): Status.ISSUING,
    (Status.ISSUING, Event.DELIVER): Status.DELIVERED,
    (Status.ISSUING, Event.RECOVER): Status.DELIVERED,
    (Status.ISSUING, Event.CONFIRM): Status.CONFIRMED,
    (Status.ISSUING, Event.CREATE_FAILED): Status.APPROVED,
    (Status.ISSUING, Event.ORPHAN_CHECK): Status.APPROVED,
    (Status.ISSUING, Event.DELETE_UNDELIVERED): Status.DELETING,
    (Status.DELETING, Event.KEY_DELETED): Status.APPROVED,
    (Status.DELETING, Event.CLOSE): Status.EXPIRED,
    (Status.DELIVERED, Event.CONFIRM): Status.CONFIRMED,
    (Status.DELIVERED, Event.DID_NOT_GET): Status.DELETING,
    (Status.DELIVERED, Event.KEY_GONE): Status.DELETING,
    (Status.DELIVERED, Event.REMIND): Status.DELIVERED,
    (Status.DELIVERED, Event.UNCLAIM): Status.UNCLAIMED,
    (Status.DELIVERED, Event.OWNER_DELETED): Status.EXPIRED,
    (Status.DELIVERED, Event.STOP): Status.DELIVERED,
    (Status.UNCLAIMED, Event.CONFIRM): Status.CONFIRMED,
    (Status.UNCLAIMED, Event.REPLACE): Status.DELETING,
    (Status.UNCLAIMED, Event.EXPIRE): Status.EXPIRED,
    (Status.UNCLAIMED, Event.OWNER_DELETED): Status.EXPIRED,
    (Status.UNCLAIMED, Event.STOP): Status.UNCLAIMED,
}

NOT_AFTER_START_APPLY = frozenset({Event.START_APPLY, Event.CANCEL, Event.REVOKE})
"""From `approved`, once an `enable` has begun: IAM may have done it by now, so it is finished or fails."""

NEEDS_KEY_ON_RECORD = {  # from `issuing`, and there alone
    Event.DELIVER: True,
    Event.RECOVER: True,
    Event.CONFIRM: True,
    Event.DELETE_UNDELIVERED: True,
    Event.RECORD_KEY: False,
    Event.CREATE_FAILED: False,
    Event.ORPHAN_CHECK: False,
}
