"""The states of a request, its events, and one literal table of transitions."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """Where a request is."""

    PENDING = "pending"  # waiting for approvers
    APPROVED = "approved"  # the requester may reveal the key
    ISSUING = "issuing"  # a lease is held, and IAM may be asked
    DELETING = "deleting"  # the recorded key is being deleted
    DELIVERED = "delivered"  # the requester may have the key
    UNCLAIMED = "unclaimed"  # no receipt came, so the key is inactive
    CONFIRMED = "confirmed"  # final: the requester has the key, or the change is applied
    DENIED = "denied"  # final
    CANCELLED = "cancelled"  # final
    EXPIRED = "expired"  # final

    @property
    def final(self) -> bool:
        """Return True if nothing happens to the request any more."""
        return self in (Status.CONFIRMED, Status.DENIED, Status.CANCELLED, Status.EXPIRED)


class Event(StrEnum):
    """What may happen to a request."""

    LOAD_PERMISSIONS = "load_permissions"  # the IAM user's permissions are loaded
    ADD_APPROVAL = "add_approval"  # an approval, while more are needed
    WITHDRAW_APPROVAL = "withdraw_approval"  # an approver withdraws theirs, while more are needed
    APPROVE = "approve"  # the approval that completes the quorum
    DENY = "deny"
    CANCEL = "cancel"
    REVOKE = "revoke"  # an approver undoes the approval
    EXPIRE = "expire"  # its deadline has passed
    REVEAL = "reveal"  # the requester clicks, and the lease begins
    START_APPLY = "start_apply"  # an approved `enable` is stored, and IAM may be asked
    APPLY = "apply"  # an approved `enable` or `extend` is done
    RECORD_KEY = "record_key"  # the key ID is recorded
    CREATE_FAILED = "create_failed"  # IAM refused for certain
    ORPHAN_CHECK = "orphan_check"  # a lease without a key ID is resolved
    DELIVER = "deliver"  # Slack accepted the ephemeral
    RECOVER = "recover"  # the lease expired with a recorded key ID
    DELETE_UNDELIVERED = "delete_undelivered"  # the key must be deleted: it was not delivered
    KEY_GONE = "key_gone"  # IAM has no such key any more, without a receipt
    DID_NOT_GET = "did_not_get"  # the key must be deleted: the requester did not get it
    REPLACE = "replace"  # the key must be deleted: the requester wants another
    KEY_DELETED = "key_deleted"  # the key is deleted
    REFRESH = "refresh"  # the keys on the card are read again
    CLOSE = "close"  # the key is deleted, and no reveal is left
    CONFIRM = "confirm"  # a receipt, or the key's first use
    REMIND = "remind"  # a reminder to the requester or the approvers
    UNCLAIM = "unclaim"  # no receipt came
    OWNER_DELETED = "owner_deleted"  # its owner deleted the key
    STOP = "stop"  # an approver turned the key off before its receipt
    START_REVIEW = "start_review"  # an approver claims it, which gives no right
    END_REVIEW = "end_review"  # the claim ends
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
"""Not possible from `approved` once an `enable` is being applied: IAM may have done it already."""

NEEDS_KEY_ON_RECORD = {  # from `issuing` alone
    Event.DELIVER: True,
    Event.RECOVER: True,
    Event.CONFIRM: True,
    Event.DELETE_UNDELIVERED: True,
    Event.RECORD_KEY: False,
    Event.CREATE_FAILED: False,
    Event.ORPHAN_CHECK: False,
}
