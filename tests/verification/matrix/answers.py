"""Check that the bot's answers are true: each code against the database and IAM.

`untrue` names every answer that does not agree with what is stored. An answer is a line of the
bot's log: a verb, an outcome, a code and facts. A logged reference and a form that is left at
"Checking…" are never correct. A code that is in none of the tables below fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.domain.codes import Code
from bot.slack import action_ids
from bot.slack.messages.replies import CHECKING_TEXT
from sandbox.local_person import LocalPerson
from tests.support.answers import DONE, Answer
from tests.verification.matrix import standing
from tests.verification.matrix.standing import (
    APPROVED,
    Check,
    Claim,
    Standing,
    stands_at,
    unchanged_with,
)


def _codes(listed: str) -> list[str]:
    return listed.split()


COUNTS = stands_at(*APPROVED, "pending", "cancelled")
NOT_THEIRS = unchanged_with(
    lambda claim, one: claim.answer.user != one.user or claim.key not in one.keys
)


def is_active(claim: Claim, one: Standing) -> bool:
    return one.keys.get(claim.key) == "Active"


NO_ANSWERS = _codes("""
    approvals_dropped approvers_changed database_did_not_answer deletion_due
    disabled_after_approval expiry_reminder iam_shows key_ended_before_applied key_gone_from_iam
    key_inactive_before_applied key_not_listed key_not_recorded key_stopped_before_shown key_used
    lease_expired lease_expired_with_key no_orphan_found old_key_still_used
    orphan_check_impossible orphan_found permissions_loaded reminder_sent replaced_by
    reported_again reported_as_leaked requester_changed rollback_orphan_found
    slack_did_not_confirm slot_freed unrecorded_key_discarded
""")
"""Codes of audit entries, of messages and of causes. None of them answers a gesture."""

UNCHANGED = _codes("""
    bad_key_id bad_lifetime bad_user_name clock_skewed conflict email_domain_not_served
    email_not_confirmed enable_needs_approval group_needs_paid_plan group_not_found
    group_rate_limited group_scope_missing group_unreadable iam_user_has_approved
    iam_user_recreated key_id_missing key_is_leaked key_lifetime_over key_never_expires
    key_not_extended key_not_in_account key_not_managed key_of_former_user key_to_delete_changed
    keydesk_own_key last_use_unknown lifetime_too_long locked looks_like_secret
    matched_to_other_user new_key_inactive no_arguments not_a_member not_an_approver
    not_approved_by_you not_in_owner_tag not_in_user_list not_service_owner not_the_requester
    nudged_recently only_a_key_id only_a_member option_needs_value option_takes_no_value
    other_request_open other_reveal_running own_request rate_limited reason_missing
    reason_too_long request_contended request_just_changed request_not_found rotation_finished
    same_iam_user service_users_off slack_not_configured slack_rate_limited slack_refused
    slack_refused_call slack_unavailable stored_format_too_new stored_value_unreadable
    temporary_key twice_in_user_list undo_expired undo_reported unknown_button unknown_command
    unknown_form unknown_option urgent_key_not_extended urgent_not_allowed urgent_requests_off
    user_not_shown user_outside_path workers_busy
""")
"""Refusals after which nothing may have been changed at all."""

AWS_REFUSED = _codes("""
    access_key_limit access_key_not_found aws_denied aws_forbidden aws_not_configured aws_refused
    aws_throttled aws_unavailable iam_user_not_found iam_user_renamed
""")
"""What AWS refused for certain. A reveal may have taken its lease before that."""

CHECKS: Mapping[str, Check] = {
    "unexpected": standing.never,
    **dict.fromkeys(NO_ANSWERS, standing.never),
    **dict.fromkeys(UNCHANGED, standing.unchanged),
    **dict.fromkeys(AWS_REFUSED, standing.not_done),
    "stale_key": standing.same_keys,
    # refusals that say how the user's keys are
    "extend_inactive_key": unchanged_with(lambda claim, one: not is_active(claim, one)),
    "key_already_active": unchanged_with(is_active),
    "key_is_active": unchanged_with(is_active),
    "key_is_being_deleted": unchanged_with(
        lambda claim, one: claim.key not in one.keys or one.desired.get(claim.key) == "deleted"
    ),
    "key_not_found": NOT_THEIRS,
    "member_without_user": unchanged_with(
        lambda claim, one: claim.fact("member") != one.user or not one.has_iam_user
    ),
    "must_choose_key": unchanged_with(lambda claim, one: len(one.keys) == 2),
    "no_inactive_key": unchanged_with(lambda claim, one: "Inactive" not in one.keys.values()),
    "no_key_to_delete": unchanged_with(lambda claim, one: len(one.keys) < 2),
    "no_key_to_rotate": unchanged_with(lambda claim, one: not one.keys),
    "not_your_key": NOT_THEIRS,
    "too_many_keys": unchanged_with(lambda claim, one: len(one.keys) == 2),
    # answers that say how the request is
    "already_approved": standing.was_approved,
    "approved_key_busy": COUNTS,
    "approved_not_applied": COUNTS,
    "enable_pending": COUNTS,
    "request_already_open": standing.says_status,
    "request_moved_on": standing.says_status,
    "reveal_running": stands_at(*APPROVED),
    "revoke_after_deletion": standing.says_status,
    "revoke_too_late": standing.says_status,
    "store_unavailable": standing.request_kept,
    "unavailable": standing.request_kept,
    "unknown_request_open": stands_at(*APPROVED, "pending"),
    "withdraw_too_late": standing.says_status,
    # answers about one key
    "change_not_confirmed": standing.as_desired,
    "changed_key_gone": standing.deleted,
    "key_already_deleted": standing.will_be_deleted,
    "key_being_deleted": standing.will_be_deleted,
    "key_creation_unconfirmed": standing.creation_open,
    "key_deleted_last_reveal": standing.deleted,
    "key_deleted_reveal_again": standing.deleted,
    "key_deleted_stopped": standing.deleted,
    "key_deletion_pending": standing.will_be_deleted,
    "key_deletion_slow": standing.will_be_deleted,
    "key_gone": standing.deleted,
    "key_not_created": standing.none_made,
    "key_not_known_everywhere": standing.as_desired,
    "key_too_new": standing.as_desired,
    "nothing_to_undo": standing.as_recorded,
    "old_key_deleted_no_new_key": standing.slot_freed_in_vain,
    "old_key_deletion_unconfirmed": standing.slot_freed_later,
    "old_key_inactive": standing.will_be_off,
    "old_key_not_deleted": standing.slot_not_freed,
    "orphan_decided": standing.as_recorded,
    "reveal_took_too_long": standing.none_made,
    "shown_key_inactive": standing.off,
    "unrecorded_key_deleted": standing.deleted,
    "unrecorded_key_not_deleted": standing.not_delivered,
}
"""What must be true when an answer has this code."""

NO_CLAIM = frozenset(
    _codes("""
    concurrent_key_change key_busy outcome_unknown receipt_not_confirmed request_has_moved_on
    shown_key_uncertain too_many_concurrent
    """)
)
"""Codes that leave open what is stored: others are at work, or the database does not answer."""

DONE_CHECKS: Mapping[str, Check] = {
    action_ids.APPROVE: standing.approved_more,
    action_ids.DENY_FORM: stands_at("denied"),
    action_ids.REVOKE: stands_at("denied"),
    action_ids.CANCEL: stands_at("cancelled"),
    action_ids.REVEAL: stands_at(*APPROVED),
    action_ids.SAVED: stands_at("confirmed"),
    action_ids.HAVE_IT: stands_at("confirmed"),
    action_ids.ENABLE_UNCLAIMED: stands_at("confirmed"),
    action_ids.DID_NOT_GET: standing.will_be_deleted,
    action_ids.REPLACE: standing.will_be_deleted,
    action_ids.DISABLE: standing.off,
    action_ids.LEAKED_DISABLE: standing.off,
    action_ids.FOUND_DELETE: standing.deleted,
}
"""What must be true after a success, by its verb. The key is the one that the line names."""

ABOUT_A_KEY = (standing.off, standing.deleted, standing.will_be_deleted)
"""Checks of a success that need the key in the line."""

ALL_CODES = frozenset(one.value for one in Code)


def unknown_codes(codes: Iterable[str]) -> set[str]:
    """Return the codes that are in no table, and so must be added to one."""
    return set(codes) - set(CHECKS) - NO_CLAIM


def untrue(answers: Iterable[Answer], before: Standing, now: Standing) -> list[str]:
    """Return the answers that are not true, with the reason."""
    claims = [Claim(answer, before, now) for answer in answers]
    return [
        f"{claim.answer} is not true: {before} -> {now}" for claim in claims if not _is_true(claim)
    ]


def _is_true(claim: Claim) -> bool:
    answer = claim.answer
    if answer.outcome == "failed":
        return False
    if answer.outcome == DONE:
        check = DONE_CHECKS.get(answer.verb)
        return check is None or (check in ABOUT_A_KEY and not claim.key) or check(claim)
    if not answer.code or answer.code in NO_CLAIM:
        return True
    return CHECKS.get(answer.code, standing.never)(claim)


@dataclass(frozen=True)
class Visible:
    """What only one user can read: ephemerals by channel and `ts`, and the form."""

    ephemerals: Mapping[tuple[str, str], str]
    modal: str

    @classmethod
    def to(cls, person: LocalPerson) -> Visible:
        """Return what the user can read now."""
        seen = [
            one
            for channel in ("dm", "general", "key-approvals")
            for one in person.messages(channel)
            if one.ephemeral
        ]
        return cls({(one.channel, one.ts): one.words for one in seen}, person.modal_words)

    @property
    def checking(self) -> bool:
        """Say whether a form was left at "Checking…"."""
        return CHECKING_TEXT in self.modal

    def since(self, older: Visible) -> list[str]:
        """Return what was not there before, oldest first. "Checking…" is no answer."""
        new = [words for at, words in self.ephemerals.items() if older.ephemerals.get(at) != words]
        answer = "" if self.checking else self.modal
        return new + ([answer] if answer and answer != older.modal else [])

    def removed(self, older: Visible) -> bool:
        """Say whether something is not there any more, which answers a click on it."""
        return bool(older.ephemerals.keys() - self.ephemerals.keys()) or bool(
            older.modal and not self.modal
        )
