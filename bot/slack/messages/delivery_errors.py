"""Word what went wrong at a reveal or a receipt, by code."""

from __future__ import annotations

from collections.abc import Callable

from bot.domain.codes import Code
from bot.domain.keys import AccessKey
from bot.slack.messages.blocks import escape
from bot.slack.messages.facts import Facts, Text, fill
from bot.slack.messages.key_status import last_used_text


def _after_cause(template: str) -> Callable[[Facts], str]:
    """Return a text that starts with why a key was not shown, if `cause` is such."""

    def worded(facts: Facts) -> str:
        cause = _NOT_SHOWN.get(facts.get("cause", ""), "")
        return f"{cause} {fill(template, facts)}".lstrip()

    return worded


_OUTSIDE_CAUSES: dict[str, str] = {
    "aws_denied": "AWS doesn't allow Keydesk to do this: tell a Keydesk admin.",
    "aws_forbidden": "AWS doesn't allow Keydesk to do this: tell a Keydesk admin.",
    "aws_throttled": "AWS is getting too many calls at the moment.",
    "aws_unavailable": "AWS isn't responding.",
    "store_unavailable": "Keydesk's database isn't responding.",
}
"""Why AWS or the database did not do something, by the code of its error."""


def _outside_cause(facts: Facts) -> str:
    """Return why AWS or the database failed, with a leading space, or ""."""
    aws_code = facts.get("aws_code", "")
    if aws_code == "LimitExceeded":
        return " Both of your slots at AWS are taken, so delete a key first."
    if cause := _OUTSIDE_CAUSES.get(facts.get("cause", "")):
        return f" {cause}"
    return f" AWS refused it ({escape(aws_code)})." if aws_code else ""


def _after_refusal(before: str, after: str) -> Callable[[Facts], str]:
    """Return `before`, why AWS or the database failed, and `after`."""
    return lambda facts: f"{fill(before, facts)}{_outside_cause(facts)} {fill(after, facts)}"


def _ask_again(facts: Facts) -> str:
    """Return how to ask for another key: `verb`, and `service_user` ("": none)."""
    user = f" --user {escape(facts['service_user'])}" if facts["service_user"] else ""
    return f"Ask again with `/key {facts['verb']}{user}`."


def _identity_changed(template: str) -> Callable[[Facts], str]:
    """Return a text about a request whose IAM user is another one now."""
    return lambda facts: (
        f"{fill(template, facts)}, so Keydesk won't deliver this key. Cancel the request. "
        f"{_ask_again(facts)}"
    )


def _clock_skewed(facts: Facts) -> str:
    return (
        f"Keydesk's server clock is {abs(float(facts['seconds'])):.0f} seconds off. Until that is "
        "fixed, Keydesk issues no keys and closes no requests. What was approved is still "
        "approved. Tell a Keydesk admin."
    )


def _key_to_delete_changed(facts: Facts) -> str:
    key: AccessKey = facts["key"]
    return (
        f"{key.id} has changed since you were asked: it is {key.status.lower()}, "
        f"{last_used_text(key)}. Nothing was done. It will be deleted when you reveal the "
        "new key. If you still want that, click *Reveal my key* again."
    )


def _orphan_found(before: str) -> Callable[[Facts], str]:
    """Return a text about orphaned keys: `before`, then what the requester can do."""

    def worded(facts: Facts) -> str:
        reveal = "You can reveal a new key."
        if facts["free_slots"] == "0":
            reveal = "Both of your slots at AWS are taken, so wait until it is deleted."
        return f"{fill(before, facts)} An approver will decide what happens to it. {reveal}"

    return worded


def _orphan_check_impossible(facts: Facts) -> str:
    path = facts["iam_path"]
    under = "" if path == "/" else f" under the path {escape(path)}"
    moved = " or moved" if under else ""
    started = fill(", which started {started_at:date},", facts) if "started_at" in facts else ""
    return (
        f"AWS didn't answer your last reveal{started} and no longer shows the IAM user "
        f"{escape(facts['iam_user'])}{under}. So Keydesk couldn't check whether a key was created. "
        f"If the user was renamed{moved}, it may have an active key that was never shown. Ask an "
        "AWS admin to look for a key that was created at that time and to delete it."
    )


_NOT_SHOWN: dict[str, str] = {
    Code.SLACK_DID_NOT_CONFIRM: "Slack didn't confirm that it showed the key.",
    Code.DATABASE_DID_NOT_ANSWER: "Keydesk's database didn't respond, so the key wasn't shown.",
    Code.KEY_STOPPED_BEFORE_SHOWN: "The key was disabled before it was shown.",
    Code.LEASE_EXPIRED: "The reveal took too long, so the key wasn't shown.",
    Code.KEY_NOT_RECORDED: "Keydesk couldn't record the new key, so it wasn't shown.",
}
"""Why a key was not shown: a cause of other texts, and a text of its own in the audit trail."""

_KEY_DELETED = "{key_id} was deleted: don't use it, even if you can still see it."
_TO_BE_DELETED = "{key_id} will be deleted: don't use it."
_NOT_DELETED = "{key_id} couldn't be deleted yet: don't use it."

DELIVERY: dict[Code, Text] = {
    Code.CLOCK_SKEWED: _clock_skewed,
    Code.MATCHED_TO_OTHER_USER: _identity_changed(
        "You're matched to another IAM user ({iam_user}) now"
    ),
    Code.IAM_USER_RECREATED: _identity_changed(
        "The IAM user {iam_user} was deleted and created again after you asked"
    ),
    Code.REVEAL_RUNNING: "Your key is being created already. Keydesk will tell you here.",
    Code.OTHER_REVEAL_RUNNING: (
        "Another key for your IAM user is being created right now. Try again in a minute."
    ),
    Code.REQUEST_JUST_CHANGED: (
        "Your request changed at the same moment, so nothing was done. Click *Reveal my key* again."
    ),
    Code.REVEAL_TOOK_TOO_LONG: (
        "The reveal took too long, so no key was created. Click *Reveal my key* again."
    ),
    Code.KEY_CREATION_UNCONFIRMED: (
        "AWS didn't confirm whether a key was created. Keydesk will check in about {wait:duration} "
        "and tell you here. Your approval is still valid."
    ),
    Code.KEY_NOT_CREATED: _after_refusal(
        "No key was created.", "To try again, click *Reveal my key*."
    ),
    Code.OLD_KEY_DELETED_NO_NEW_KEY: _after_refusal(
        "{key_id} was deleted, but the new key wasn't created.",
        "To try again, click *Reveal my key*.",
    ),
    Code.KEY_TO_DELETE_CHANGED: _key_to_delete_changed,
    Code.LAST_USE_UNKNOWN: (
        "AWS can't say when {key_id} was last used, so nothing was done. That key will be deleted "
        "when you reveal the new one. Click *Reveal my key* again in a minute."
    ),
    Code.OLD_KEY_NOT_DELETED: _after_refusal(
        "{key_id} couldn't be deleted yet, so no new key was created.",
        "Keydesk will keep trying to delete it. Click *Reveal my key* again in a few minutes.",
    ),
    Code.OLD_KEY_DELETION_UNCONFIRMED: (
        "AWS hasn't confirmed yet that {key_id} is deleted, so no new key was created. Click "
        "*Reveal my key* again in a few minutes."
    ),
    Code.SLOT_FREED: "{key_id} is deleted to free a slot.",
    **{Code(code): words for code, words in _NOT_SHOWN.items()},
    Code.KEY_DELETED_REVEAL_AGAIN: _after_cause(
        f"{_KEY_DELETED} To get a new key, click *Reveal my key*."
    ),
    Code.KEY_DELETED_LAST_REVEAL: lambda facts: (
        f"{_after_cause(_KEY_DELETED)(facts)} That was your last reveal, so this request is "
        f"closed. {_ask_again(facts)}"
    ),
    Code.KEY_DELETED_STOPPED: lambda facts: (
        f"{_after_cause(_KEY_DELETED)(facts)} {fill('{by:user}', facts)} had disabled it, so this "
        f"request is closed. {_ask_again(facts)}"
    ),
    Code.KEY_DELETION_PENDING: lambda facts: (
        f"{_after_cause(_TO_BE_DELETED)(facts)}{_outside_cause(facts)} "
        "Keydesk will tell you here when it is deleted."
    ),
    Code.KEY_DELETION_SLOW: _after_cause(
        "Keydesk is deleting {key_id}, which can take a few minutes. Don't use it."
    ),
    Code.UNRECORDED_KEY_DELETED: _after_cause(
        "{key_id} was deleted again: don't use it. Your newest message here will say what comes "
        "next."
    ),
    Code.UNRECORDED_KEY_NOT_DELETED: lambda facts: (
        f"{_after_cause(_NOT_DELETED)(facts)}{_outside_cause(facts)} Keydesk will keep trying and "
        "tell you here."
    ),
    Code.UNRECORDED_KEY_DISCARDED: (
        "{key_id} couldn't be recorded and will be deleted: don't use it. To get a new key, click "
        "*Reveal my key*."
    ),
    Code.REQUEST_HAS_MOVED_ON: _after_cause(
        "The request has changed in the meantime. Your newest message here says whether {key_id} "
        "works."
    ),
    Code.SHOWN_KEY_INACTIVE: (
        "{key_id} above was deleted or disabled: don't use it. Your newest message here says what "
        "comes next."
    ),
    Code.SHOWN_KEY_UNCERTAIN: (
        "Keydesk's database isn't responding, so {key_id} above may not work any more. Don't use "
        "it before your newest message here says so."
    ),
    Code.STALE_KEY: (
        "This message is about an earlier key ({key_id}). Nothing was changed. Use the buttons in "
        "your newest message."
    ),
    Code.KEY_BUSY: (
        "{key_id} is being changed right now. Look at your newest message here and try again."
    ),
    Code.KEY_BEING_DELETED: "{key_id} is being deleted. To get a new key, click *Replace it*.",
    Code.KEY_GONE: "{key_id} no longer exists in AWS. To get a new key, click *Replace it*.",
    Code.RECEIPT_NOT_CONFIRMED: (
        "Keydesk's database didn't respond, so your answer may not be recorded. Look at your "
        "newest message here in a minute. If it still asks about {key_id}, click again."
    ),
    Code.KEY_USED: "The key has been used.",
    Code.KEY_GONE_FROM_IAM: "{key_id} no longer exists in AWS.",
    Code.LEASE_EXPIRED_WITH_KEY: "The reveal was interrupted after the key was recorded.",
    Code.NO_ORPHAN_FOUND: (
        "AWS didn't answer your last reveal, and no key was created. You can reveal one now."
    ),
    Code.ORPHAN_FOUND: _orphan_found(
        "AWS didn't answer your last reveal. Keydesk found {key_ids}, which was never shown, and "
        "is disabling it."
    ),
    Code.ORPHAN_CHECK_IMPOSSIBLE: _orphan_check_impossible,
    Code.ROLLBACK_ORPHAN_FOUND: _orphan_found(
        "Keydesk's database lost its latest changes. {key_ids} was created in that time and isn't "
        "on record, so Keydesk is disabling it."
    ),
}
