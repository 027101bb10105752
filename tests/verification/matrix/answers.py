"""Check that the bot's answers are true: each code against the store and IAM.

`untrue` names every answer that does not agree with what is stored. An answer is a line of the
bot's log: a verb, an outcome, a code and facts. A logged reference and a form that is left at
"Checking…" are never correct. A code that is in none of the tables below fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bot.domain.codes import Code
from bot.slack import action_ids
from bot.slack.messages.replies import CHECKING_TEXT
from sandbox.local_person import LocalPerson
from tests.support.answers import DONE, Answer
from tests.support.running_world import iam_name
from tests.verification.matrix.harness import Cell
from tests.verification.matrix.journeys import Cast


@dataclass(frozen=True)
class Standing:
    """The newest request (its status "" for none), and the user's keys in IAM: ID -> status."""

    request: str
    status: str
    version: int
    approvals: int
    keys: Mapping[str, str]


def standing_of(cell: Cell, cast: Cast) -> Standing:
    """Return what is stored and what IAM has now, whatever the bot can reach."""
    newest = next(iter(cell.world.requests(cast.person)), None)
    keys = {
        key["AccessKeyId"]: str(key["Status"]) for key in cell.world.aws.keys(iam_name(cast.person))
    }
    if newest is None:
        return Standing("", "", 0, 0, keys)
    return Standing(newest.id, str(newest.status), newest.version, len(newest.approvals), keys)


Check = Callable[[Standing, Standing, str], bool]
"""Given what stood before, what stands now, and the access key ID of the answer ("": none)."""


def off(before: Standing, now: Standing, key: str) -> bool:
    """The key does not work."""
    return now.keys.get(key) != "Active"


def gone(before: Standing, now: Standing, key: str) -> bool:
    """IAM does not have the key any more."""
    return key not in now.keys


def same_keys(before: Standing, now: Standing, key: str) -> bool:
    """Nothing was changed in IAM."""
    return before.keys == now.keys


def none_made(before: Standing, now: Standing, key: str) -> bool:
    """No key was made."""
    return set(now.keys) <= set(before.keys)


def untouched(before: Standing, now: Standing, key: str) -> bool:
    """Neither the request nor the keys were changed. Reading and rendering do not count."""
    return (before.request, before.status, before.approvals, before.keys) == (
        now.request,
        now.status,
        now.approvals,
        now.keys,
    )


def stands_at(*statuses: str) -> Check:
    """The newest request has one of these statuses."""
    return lambda before, now, key: now.status in statuses


def approved_more(before: Standing, now: Standing, key: str) -> bool:
    """The approval counts: the request is decided, or has one approval more."""
    return now.status in APPROVED or now.approvals > before.approvals


def never(before: Standing, now: Standing, key: str) -> bool:
    """The answer is never correct."""
    return False


APPROVED = ("approved", "issuing", "deleting", "delivered", "unclaimed", "confirmed")

CHECKS: Mapping[str, Check] = {
    "unexpected": never,
    # the key must be gone
    "key_deleted_reveal_again": gone,
    "key_deleted_last_reveal": gone,
    "key_deleted_stopped": gone,
    "unrecorded_key_deleted": gone,
    # the key must not work
    "shown_key_inactive": off,
    # no key was made
    "key_not_created": none_made,
    "reveal_took_too_long": none_made,
    # nothing was changed in IAM
    "access_key_limit": same_keys,
    "aws_denied": same_keys,
    "aws_forbidden": same_keys,
    "aws_refused": same_keys,
    "aws_throttled": same_keys,
    "stale_key": same_keys,
    # nothing was changed at all
    "not_an_approver": untouched,
    "own_request": untouched,
    "same_iam_user": untouched,
    "not_the_requester": untouched,
    "not_a_member": untouched,
    "not_in_owner_tag": untouched,
    "too_many_keys": untouched,
    "group_needs_paid_plan": untouched,
    "group_not_found": untouched,
    "group_rate_limited": untouched,
    "group_scope_missing": untouched,
    "group_unreadable": untouched,
    "slack_refused": untouched,
    "slack_unavailable": untouched,
    # the approval stands
    "approved_not_applied": stands_at(*APPROVED, "pending", "cancelled"),
    "approved_key_busy": stands_at(*APPROVED, "pending", "cancelled"),
}
"""What must be true when an answer has this code."""

NO_CLAIM = frozenset(
    {
        "access_key_not_found",
        "already_approved",
        "approvals_dropped",
        "approvers_changed",
        "aws_unavailable",
        "bad_key_id",
        "bad_lifetime",
        "bad_user_name",
        "change_not_confirmed",
        "changed_key_gone",
        "clock_skewed",
        "concurrent_key_change",
        "conflict",
        "database_did_not_answer",
        "deletion_due",
        "disabled_after_approval",
        "email_domain_not_served",
        "email_not_confirmed",
        "enable_needs_approval",
        "enable_pending",
        "expiry_reminder",
        "extend_inactive_key",
        "iam_shows",
        "iam_user_has_approved",
        "iam_user_not_found",
        "iam_user_recreated",
        "iam_user_renamed",
        "key_already_active",
        "key_already_deleted",
        "key_being_deleted",
        "key_busy",
        "key_creation_unconfirmed",
        "key_deletion_pending",
        "key_deletion_slow",
        "key_ended_before_applied",
        "key_gone",
        "key_gone_from_iam",
        "key_id_missing",
        "key_inactive_before_applied",
        "key_is_active",
        "key_is_being_deleted",
        "key_is_leaked",
        "key_lifetime_over",
        "key_never_expires",
        "key_not_extended",
        "key_not_found",
        "key_not_in_account",
        "key_not_known_everywhere",
        "key_not_listed",
        "key_not_managed",
        "key_not_recorded",
        "key_of_former_user",
        "key_stopped_before_shown",
        "key_to_delete_changed",
        "key_too_new",
        "key_used",
        "keydesk_own_key",
        "last_use_unknown",
        "lease_expired",
        "lease_expired_with_key",
        "lifetime_too_long",
        "locked",
        "looks_like_secret",
        "matched_to_other_user",
        "member_without_user",
        "must_choose_key",
        "new_key_inactive",
        "no_arguments",
        "no_inactive_key",
        "no_key_to_delete",
        "no_key_to_rotate",
        "no_orphan_found",
        "not_approved_by_you",
        "not_in_user_list",
        "not_service_owner",
        "not_your_key",
        "nothing_to_undo",
        "nudged_recently",
        "old_key_deleted_no_new_key",
        "old_key_deletion_unconfirmed",
        "old_key_inactive",
        "old_key_not_deleted",
        "old_key_still_used",
        "only_a_key_id",
        "only_a_member",
        "option_needs_value",
        "option_takes_no_value",
        "orphan_check_impossible",
        "orphan_decided",
        "orphan_found",
        "other_request_open",
        "other_reveal_running",
        "outcome_unknown",
        "permissions_loaded",
        "rate_limited",
        "reason_missing",
        "reason_too_long",
        "receipt_not_confirmed",
        "reminder_sent",
        "replaced_by",
        "reported_again",
        "reported_as_leaked",
        "request_already_open",
        "request_contended",
        "request_has_moved_on",
        "request_just_changed",
        "request_moved_on",
        "request_not_found",
        "requester_changed",
        "reveal_running",
        "revoke_after_deletion",
        "revoke_too_late",
        "rollback_orphan_found",
        "rotation_finished",
        "service_users_off",
        "shown_key_uncertain",
        "slack_did_not_confirm",
        "slot_freed",
        "store_unavailable",
        "stored_format_too_new",
        "stored_value_unreadable",
        "temporary_key",
        "too_many_concurrent",
        "twice_in_user_list",
        "unavailable",
        "undo_expired",
        "undo_reported",
        "unknown_button",
        "unknown_command",
        "unknown_form",
        "unknown_option",
        "unknown_request_open",
        "unrecorded_key_discarded",
        "unrecorded_key_not_deleted",
        "urgent_key_not_extended",
        "urgent_not_allowed",
        "urgent_requests_off",
        "user_not_shown",
        "user_outside_path",
        "withdraw_too_late",
        "workers_busy",
    }
)
"""Codes that say nothing about keys and requests which could be checked, or are no answers."""

DONE_CHECKS: Mapping[str, Check] = {
    action_ids.APPROVE: approved_more,
    action_ids.DENY_FORM: stands_at("denied"),
    action_ids.REVOKE: stands_at("denied"),
    action_ids.CANCEL: stands_at("cancelled"),
    action_ids.REVEAL: stands_at(*APPROVED),
    action_ids.HAVE_IT: stands_at("confirmed"),
    action_ids.ENABLE_UNCLAIMED: stands_at("confirmed"),
    action_ids.DISABLE: off,
    action_ids.LEAKED_DISABLE: off,
    action_ids.FOUND_DELETE: gone,
}
"""What must be true after a success, by its verb. The key is the one that the line names."""


def unknown_codes(codes: Iterable[str]) -> set[str]:
    """Return the codes that are in no table, and so must be added to one."""
    return set(codes) - set(CHECKS) - NO_CLAIM


def untrue(answers: Iterable[Answer], before: Standing, now: Standing) -> list[str]:
    """Return what was answered and is not true, with the reason. Nothing where all of it is true."""
    return [
        f"{answer} is not true: {before} -> {now}"
        for answer in answers
        if not _is_true(answer, before, now)
    ]


def _is_true(answer: Answer, before: Standing, now: Standing) -> bool:
    if answer.outcome == "failed":
        return False
    if answer.outcome == DONE:
        check = DONE_CHECKS.get(answer.verb)
        needs_key = check in (off, gone)
        return check is None or (needs_key and not answer.key) or check(before, now, answer.key)
    if not answer.code or answer.code in NO_CLAIM:
        return True
    check = CHECKS.get(answer.code, never)
    return check(before, now, str(answer.facts.get("key_id", answer.key)))


@dataclass(frozen=True)
class Told:
    """What one user can read alone: ephemeral messages by channel and `ts`, and the open form."""

    ephemerals: Mapping[tuple[str, str], str]
    modal: str

    @classmethod
    def so_far(cls, person: LocalPerson) -> Told:
        """Return what the user can read now."""
        seen = [
            one
            for place in ("dm", "general", "key-approvals")
            for one in person.messages(place)
            if one.ephemeral
        ]
        return cls({(one.channel, one.ts): one.words for one in seen}, person.modal_words)

    @property
    def checking(self) -> bool:
        """Say whether a form was left at "Checking…"."""
        return CHECKING_TEXT in self.modal

    def since(self, older: Told) -> list[str]:
        """Return what was not there before, oldest first. "Checking…" is no answer."""
        news = [words for at, words in self.ephemerals.items() if older.ephemerals.get(at) != words]
        answer = "" if self.checking else self.modal
        return news + ([answer] if answer and answer != older.modal else [])

    def removed(self, older: Told) -> bool:
        """Say whether something is not there any more, which answers a click on it."""
        return bool(older.ephemerals.keys() - self.ephemerals.keys()) or bool(
            older.modal and not self.modal
        )


ALL_CODES = frozenset(one.value for one in Code)
