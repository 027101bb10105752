"""Codes of everything that Keydesk tells: refusals, failures, stored details and audit reasons.

A code comes with facts, never with a sentence. `bot.slack.messages.errors` words all of them for people,
`bot.cli` words some for operators. Each section belongs to the operations named above it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Code(StrEnum):
    """What happened, in one word that never changes its meaning."""

    UNEXPECTED = "unexpected"

    # commands and forms
    UNKNOWN_COMMAND = "unknown_command"
    UNKNOWN_OPTION = "unknown_option"
    OPTION_TAKES_NO_VALUE = "option_takes_no_value"
    OPTION_NEEDS_VALUE = "option_needs_value"
    NO_ARGUMENTS = "no_arguments"
    ONLY_A_KEY_ID = "only_a_key_id"
    ONLY_A_MEMBER = "only_a_member"
    KEY_ID_MISSING = "key_id_missing"
    BAD_KEY_ID = "bad_key_id"
    TEMPORARY_KEY = "temporary_key"
    BAD_LIFETIME = "bad_lifetime"
    BAD_USER_NAME = "bad_user_name"
    REASON_MISSING = "reason_missing"
    REASON_TOO_LONG = "reason_too_long"
    LOOKS_LIKE_SECRET = "looks_like_secret"  # noqa: S105  # the name of a code
    UNKNOWN_BUTTON = "unknown_button"
    UNKNOWN_FORM = "unknown_form"

    # members, policy, rate limits
    KEYDESK_OWN_KEY = "keydesk_own_key"
    NOT_SERVICE_OWNER = "not_service_owner"
    SERVICE_USERS_OFF = "service_users_off"
    USER_NOT_SHOWN = "user_not_shown"
    NOT_A_MEMBER = "not_a_member"
    NOT_IN_USER_LIST = "not_in_user_list"
    TWICE_IN_USER_LIST = "twice_in_user_list"
    EMAIL_NOT_CONFIRMED = "email_not_confirmed"
    EMAIL_DOMAIN_NOT_SERVED = "email_domain_not_served"
    RATE_LIMITED = "rate_limited"
    NOT_AN_APPROVER = "not_an_approver"
    NOT_IN_OWNER_TAG = "not_in_owner_tag"
    USER_OUTSIDE_PATH = "user_outside_path"
    KEY_OF_FORMER_USER = "key_of_former_user"
    TOO_MANY_KEYS = "too_many_keys"
    LIFETIME_TOO_LONG = "lifetime_too_long"
    KEY_NEVER_EXPIRES = "key_never_expires"
    KEY_NOT_EXTENDED = "key_not_extended"
    URGENT_KEY_NOT_EXTENDED = "urgent_key_not_extended"
    KEY_LIFETIME_OVER = "key_lifetime_over"
    KEY_IS_BEING_DELETED = "key_is_being_deleted"
    KEY_ALREADY_ACTIVE = "key_already_active"
    URGENT_REQUESTS_OFF = "urgent_requests_off"
    URGENT_NOT_ALLOWED = "urgent_not_allowed"

    # requests: create, decide, remind, apply
    REQUEST_NOT_FOUND = "request_not_found"
    REQUEST_MOVED_ON = "request_moved_on"
    REQUEST_CONTENDED = "request_contended"
    REQUEST_ALREADY_OPEN = "request_already_open"
    OTHER_REQUEST_OPEN = "other_request_open"
    UNKNOWN_REQUEST_OPEN = "unknown_request_open"
    MUST_CHOOSE_KEY = "must_choose_key"
    NO_KEY_TO_DELETE = "no_key_to_delete"
    EXTEND_INACTIVE_KEY = "extend_inactive_key"
    NOT_THE_REQUESTER = "not_the_requester"
    OWN_REQUEST = "own_request"
    SAME_IAM_USER = "same_iam_user"
    ALREADY_APPROVED = "already_approved"
    IAM_USER_HAS_APPROVED = "iam_user_has_approved"
    NOT_APPROVED_BY_YOU = "not_approved_by_you"
    WITHDRAW_TOO_LATE = "withdraw_too_late"
    REVOKE_TOO_LATE = "revoke_too_late"
    REVOKE_AFTER_DELETION = "revoke_after_deletion"
    NUDGED_RECENTLY = "nudged_recently"
    APPROVED_NOT_APPLIED = "approved_not_applied"
    APPROVED_KEY_BUSY = "approved_key_busy"
    ENABLE_NEEDS_APPROVAL = "enable_needs_approval"
    ENABLE_PENDING = "enable_pending"
    REQUESTER_CHANGED = "requester_changed"
    KEY_NOT_LISTED = "key_not_listed"
    KEY_ENDED_BEFORE_APPLIED = "key_ended_before_applied"
    KEY_INACTIVE_BEFORE_APPLIED = "key_inactive_before_applied"
    DISABLED_AFTER_APPROVAL = "disabled_after_approval"
    REMINDER_SENT = "reminder_sent"
    PERMISSIONS_LOADED = "permissions_loaded"
    APPROVALS_DROPPED = "approvals_dropped"
    APPROVERS_CHANGED = "approvers_changed"

    # delivery: reveal, free a slot, confirm, recover, detect a rollback
    CLOCK_SKEWED = "clock_skewed"
    IAM_USER_RECREATED = "iam_user_recreated"
    MATCHED_TO_OTHER_USER = "matched_to_other_user"
    REVEAL_RUNNING = "reveal_running"
    OTHER_REVEAL_RUNNING = "other_reveal_running"
    REQUEST_JUST_CHANGED = "request_just_changed"
    REVEAL_TOOK_TOO_LONG = "reveal_took_too_long"
    KEY_CREATION_UNCONFIRMED = "key_creation_unconfirmed"
    KEY_NOT_CREATED = "key_not_created"
    OLD_KEY_DELETED_NO_NEW_KEY = "old_key_deleted_no_new_key"
    KEY_TO_DELETE_CHANGED = "key_to_delete_changed"
    LAST_USE_UNKNOWN = "last_use_unknown"
    OLD_KEY_NOT_DELETED = "old_key_not_deleted"
    OLD_KEY_DELETION_UNCONFIRMED = "old_key_deletion_unconfirmed"
    SLOT_FREED = "slot_freed"
    SLACK_DID_NOT_CONFIRM = "slack_did_not_confirm"
    DATABASE_DID_NOT_ANSWER = "database_did_not_answer"
    KEY_STOPPED_BEFORE_SHOWN = "key_stopped_before_shown"
    LEASE_EXPIRED = "lease_expired"
    KEY_NOT_RECORDED = "key_not_recorded"
    KEY_DELETED_REVEAL_AGAIN = "key_deleted_reveal_again"
    KEY_DELETED_LAST_REVEAL = "key_deleted_last_reveal"
    KEY_DELETED_STOPPED = "key_deleted_stopped"
    KEY_DELETION_PENDING = "key_deletion_pending"
    KEY_DELETION_SLOW = "key_deletion_slow"
    UNRECORDED_KEY_DELETED = "unrecorded_key_deleted"
    UNRECORDED_KEY_NOT_DELETED = "unrecorded_key_not_deleted"
    UNRECORDED_KEY_DISCARDED = "unrecorded_key_discarded"
    REQUEST_HAS_MOVED_ON = "request_has_moved_on"
    SHOWN_KEY_INACTIVE = "shown_key_inactive"
    SHOWN_KEY_UNCERTAIN = "shown_key_uncertain"
    STALE_KEY = "stale_key"
    KEY_BUSY = "key_busy"
    KEY_BEING_DELETED = "key_being_deleted"
    KEY_GONE = "key_gone"
    RECEIPT_NOT_CONFIRMED = "receipt_not_confirmed"
    KEY_USED = "key_used"
    KEY_GONE_FROM_IAM = "key_gone_from_iam"
    LEASE_EXPIRED_WITH_KEY = "lease_expired_with_key"
    NO_ORPHAN_FOUND = "no_orphan_found"
    ORPHAN_FOUND = "orphan_found"
    ORPHAN_CHECK_IMPOSSIBLE = "orphan_check_impossible"
    ROLLBACK_ORPHAN_FOUND = "rollback_orphan_found"

    # keys: disable, report a leak, own, reconcile, expire, finish a rotation
    NOT_YOUR_KEY = "not_your_key"
    KEY_NOT_FOUND = "key_not_found"  # neither the member's nor a service user's of theirs
    KEY_NOT_IN_ACCOUNT = "key_not_in_account"
    KEY_IS_ACTIVE = "key_is_active"
    KEY_IS_LEAKED = "key_is_leaked"
    KEY_NOT_MANAGED = "key_not_managed"  # of an IAM user that Keydesk may not touch
    IAM_USER_RENAMED = "iam_user_renamed"
    ORPHAN_DECIDED = "orphan_decided"
    CHANGE_NOT_CONFIRMED = "change_not_confirmed"  # its cause is the fact `cause`
    CHANGED_KEY_GONE = "changed_key_gone"
    KEY_TOO_NEW = "key_too_new"
    KEY_NOT_KNOWN_EVERYWHERE = "key_not_known_everywhere"
    KEY_ALREADY_DELETED = "key_already_deleted"  # or its deletion is recorded
    CONCURRENT_KEY_CHANGE = "concurrent_key_change"
    ROTATION_FINISHED = "rotation_finished"
    NEW_KEY_INACTIVE = "new_key_inactive"
    OLD_KEY_INACTIVE = "old_key_inactive"
    NOTHING_TO_UNDO = "nothing_to_undo"
    UNDO_EXPIRED = "undo_expired"
    UNDO_REPORTED = "undo_reported"
    REPORTED_AS_LEAKED = "reported_as_leaked"
    REPORTED_AGAIN = "reported_again"
    IAM_SHOWS = "iam_shows"
    EXPIRY_REMINDER = "expiry_reminder"
    DELETION_DUE = "deletion_due"
    OLD_KEY_STILL_USED = "old_key_still_used"
    REPLACED_BY = "replaced_by"

    # AWS, Slack and the store
    AWS_DENIED = "aws_denied"
    AWS_FORBIDDEN = "aws_forbidden"
    AWS_REFUSED = "aws_refused"
    AWS_THROTTLED = "aws_throttled"
    AWS_UNAVAILABLE = "aws_unavailable"
    OUTCOME_UNKNOWN = "outcome_unknown"
    ACCESS_KEY_LIMIT = "access_key_limit"
    ACCESS_KEY_NOT_FOUND = "access_key_not_found"
    CONFLICT = "conflict"
    GROUP_NEEDS_PAID_PLAN = "group_needs_paid_plan"
    GROUP_NOT_FOUND = "group_not_found"
    GROUP_RATE_LIMITED = "group_rate_limited"
    GROUP_SCOPE_MISSING = "group_scope_missing"
    GROUP_UNREADABLE = "group_unreadable"
    IAM_USER_NOT_FOUND = "iam_user_not_found"
    LOCKED = "locked"
    SLACK_REFUSED = "slack_refused"
    SLACK_UNAVAILABLE = "slack_unavailable"
    STORED_FORMAT_TOO_NEW = "stored_format_too_new"
    STORED_VALUE_UNREADABLE = "stored_value_unreadable"
    STORE_UNAVAILABLE = "store_unavailable"
    TOO_MANY_CONCURRENT = "too_many_concurrent"
    UNAVAILABLE = "unavailable"
    WORKERS_BUSY = "workers_busy"


@dataclass(frozen=True)
class Detail:
    """A code with its facts as text, as it is stored in a request or an audit entry.

    Facts are IDs, numbers and ISO 8601 times (UTC), so that they can be read back anywhere.
    """

    code: str
    facts: Mapping[str, str] = field(default_factory=dict)
