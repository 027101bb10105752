"""Render the lasting messages about a key, its end, and orphaned keys."""

from __future__ import annotations

from datetime import datetime

from slack_sdk.models.blocks import ButtonElement

from bot.domain.keys import (
    DELETION_NOTICE,
    ESCALATE_AFTER_DAYS,
    EXPIRY_NOTICES,
    DesiredState,
    InactiveReason,
    ManagedKey,
    Origin,
)
from bot.slack import action_ids
from bot.slack.messages import leaks, rotation
from bot.slack.messages.blocks import (
    Message,
    actions,
    button,
    confirm,
    context,
    date_token,
    escape,
    message,
    quote,
    section,
    sentence,
)
from bot.slack.messages.key_status import (
    is_confirmed,
    last_used_text,
    off_text,
    snapshot_of,
    status_text,
    when_text,
)

(
    ORPHANED,
    EXPIRED,
    ROTATION,
    STILL_USED,
    ROTATED_OUT,
    DELETED,
    LEAK,
    LEAK_DETAILS,
    LEAK_OWNER,
    DISABLED,
) = (
    "found",
    "expired",
    "rotation",
    "still_used",
    "retired",
    "deletion",
    "leak",
    "leak_facts",
    "leak_owner",
    "off",
)
FOR_APPROVERS = {ORPHANED, STILL_USED, LEAK, LEAK_DETAILS}
IN_THREAD_OF = {LEAK_DETAILS: LEAK}
WHILE_OFF = {EXPIRED, ROTATED_OUT, DELETED, DISABLED}
REMINDERS = {"expiry", "used", STILL_USED, DELETED}
BEFORE_TEXT = {
    name.partition(":")[2]: words
    for name, words in zip(EXPIRY_NOTICES, ("7 days", "a day", "an hour"), strict=True)
}


def expected_kinds(key: ManagedKey) -> tuple[str, ...]:
    """Return the messages that should exist now, oldest first.

    The owner's are among them only where the owner can be reached. A key may end or be reported
    twice. The kind then holds the moment, so that it is a new message and notifies.
    """
    kinds = [ORPHANED] if key.origin is Origin.ORPHANED else []
    if key.reported_at:
        kinds += [_newest_report(key, LEAK), _newest_report(key, LEAK_DETAILS)]
    if key.replaces and key.days_still_used >= ESCALATE_AFTER_DAYS:
        kinds.append(STILL_USED)
    return (*kinds, *(_owner_kinds(key) if key.dm else ()))


def _owner_kinds(key: ManagedKey) -> list[str]:
    kinds = []
    if key.desired is DesiredState.ACTIVE:
        mark = _mark(key.expires_at)
        kinds += [f"{name}:{mark}" for name in key.notices if name in EXPIRY_NOTICES]
    if key.grace_ends_at and key.replaces:
        kinds.append(ROTATION)
        kinds += [f"used:{key.days_still_used}"] if key.days_still_used else []
    if key.reported_at:
        kinds.append(_newest_report(key, LEAK_OWNER))
    if key.desired is DesiredState.INACTIVE:
        kinds += [f"{word}:{_mark(key.changed_at)}" for word in _inactive_words(key)]
    return kinds


def _inactive_words(key: ManagedKey) -> list[str]:
    """Return the words of the kinds on why a key is off and when it will be deleted."""
    words = []
    if key.inactive_reason is InactiveReason.EXPIRED:
        words.append(EXPIRED)
    if key.inactive_reason is InactiveReason.ROTATED:
        words.append(ROTATED_OUT)
    if _disabled_by_approver(key) and key.changed_by != key.owner:
        words.append(DISABLED)
    return [*words, DELETED] if DELETION_NOTICE in key.notices else words


def _disabled_by_approver(key: ManagedKey) -> bool:
    return key.inactive_reason is InactiveReason.DISABLED and bool(key.disable_note)


def _mark(at: datetime | None) -> str:
    return str(int(at.timestamp())) if at else ""


def _newest_report(key: ManagedKey, word: str) -> str:
    """Return the kind of the newest report's message. The first report has no mark."""
    return f"{word}:{_mark(key.reported_again_at)}" if key.reported_again_at else word


def kind_of_action(key: ManagedKey, action_id: str) -> str:
    """Return the kind of message about a key that carries this button."""
    off, expires = _mark(key.changed_at), _mark(key.expires_at)
    reminder = next(
        (f"{name}:{expires}" for name in reversed(key.notices) if name in EXPIRY_NOTICES),
        f"{EXPIRED}:{off}",
    )
    ask = _newest_report(key, LEAK_OWNER) if key.reported_at else f"{EXPIRED}:{off}"
    return {
        action_ids.FOUND_DELETE: ORPHANED,
        action_ids.FOUND_ENABLE: ORPHANED,
        action_ids.UNDO: f"{ROTATED_OUT}:{off}",
        action_ids.ASK: ask,
        action_ids.LEAKED_DISABLE: _newest_report(key, LEAK),
        action_ids.CHECK: ROTATION,
        action_ids.NOT_YET: ROTATION,
        action_ids.DISABLE_OLD: ROTATION,
    }.get(action_id, reminder)


def render(key: ManagedKey, kind: str) -> Message:
    """Return a message about `key` in its present state.

    `kind` comes without the `ts` of a second message.
    """
    word, _, which = kind.partition(":")
    if word in WHILE_OFF and which != _mark(key.changed_at):
        return sentence(status_text(key))
    match word:
        case "found":
            return _orphaned(key)
        case "expiry":
            return _expires_soon(key, which)
        case "expired":
            return _expired(key)
        case "rotation":
            return rotation.rotation(key)
        case "used":
            return rotation.used(key, which)
        case "still_used":
            return rotation.still_used(key)
        case "retired":
            return rotation.rotated_out(key)
        case "deletion":
            return _deleted_soon(key)
        case "leak":
            return leaks.report(
                key, newest=which == _mark(key.reported_again_at), again=bool(which)
            )
        case "leak_facts":
            return leaks.details(key)
        case "leak_owner":
            return leaks.for_owner(key)
        case _:
            return _disabled(key)


def _ask_back_button(key: ManagedKey, style: str | None = None) -> ButtonElement:
    return button("Ask to turn it on again", action_ids.ENABLE, key.id, style=style)


def _expires_soon(key: ManagedKey, which: str) -> Message:
    """Return the reminder that a key will expire."""
    before, _, mark = which.partition(":")
    over = f"expiry:{before}" not in key.notices or mark != _mark(key.expires_at)
    if key.desired is not DesiredState.ACTIVE or over or key.expires_at is None:
        return sentence(status_text(key))
    extend = [] if key.urgent else [button("Ask for 7 more days", action_ids.EXTEND, key.id)]
    expires = f"*Key {key.id} expires {date_token(key.expires_at)}.*"
    return message(
        f"Key {key.id} expires in {BEFORE_TEXT.get(before, 'a while')}.",
        [
            section(f":alarm_clock: {expires} It will be turned off then, even if it is in use."),
            actions(button("Rotate", action_ids.ROTATE, key.id, style="primary"), *extend),
            context("*Rotate* gives you a new key first. The old one keeps working meanwhile."),
        ],
    )


def _expired(key: ManagedKey) -> Message:
    """Return the message that a key has expired."""
    expired = key.inactive_reason is InactiveReason.EXPIRED
    if not expired or key.desired is not DesiredState.INACTIVE:
        return sentence(status_text(key))
    known = snapshot_of(key, key.id)
    used = f" It was {last_used_text(known)}." if known and known.last_used else ""
    lead = f"Key {key.id} expired and {off_text(key)}."
    deleted = when_text(key.delete_at, "It will be deleted")
    return message(
        lead,
        [
            section(f":hourglass: *{lead}*{used}{deleted}"),
            actions(
                button("Request a key", action_ids.ASK, key.id, style="primary"),
                _ask_back_button(key),
            ),
        ],
    )


def _deleted_soon(key: ManagedKey) -> Message:
    """Return the notice that an inactive key will be deleted."""
    noticed = DELETION_NOTICE in key.notices
    if key.desired is not DesiredState.INACTIVE or key.delete_at is None or not noticed:
        return sentence(status_text(key))
    undo = key.inactive_reason is InactiveReason.ROTATED and not key.is_over(key.delete_at)
    back = rotation.undo_button(key) if undo else _ask_back_button(key)
    return message(
        f"Key {key.id} is off and will be deleted soon.",
        [
            section(f":wastebasket: *Key {key.id} will be deleted {date_token(key.delete_at)}.*"),
            actions(back) if not key.leaked else None,
        ],
    )


def _disabled(key: ManagedKey) -> Message:
    """Return the message that an approver turned a key off, with the reason."""
    if key.desired is not DesiredState.INACTIVE or not _disabled_by_approver(key):
        return sentence(status_text(key))
    done = "was" if is_confirmed(key) else "is being"
    lead = f"Your key {key.id} {done} turned off by <@{key.changed_by}>."
    return message(
        lead,
        [
            section(f":no_entry: *{lead}*"),
            quote(key.disable_note),
            actions(_ask_back_button(key)),
        ],
    )


def _orphaned(key: ManagedKey) -> Message:
    """Return the approvers' message about an orphaned key."""
    head = (
        f":warning: *Unrecorded key* `{key.id}` of `{escape(key.iam_user)}`. Keydesk asked AWS for "
        "a key and got no answer, or someone created this key in the AWS console at that minute. "
        f"Keydesk never showed its secret. It would belong to <@{key.owner}>."
    )
    if key.desired is DesiredState.INACTIVE and not key.leaked:
        lead = f"Unrecorded key {key.id} {off_text(key)}. Keep it or delete it?"
        return message(
            lead,
            [section(f"{head} It {off_text(key)}."), actions(*_orphan_buttons(key))],
        )
    became = {DesiredState.DELETED: "deleted", DesiredState.ACTIVE: "turned on"}.get(
        key.desired, "turned off for good, as leaked"
    )
    being = "was" if is_confirmed(key) else "is being"
    at = f", {date_token(key.changed_at)}" if key.changed_at else ""
    return message(
        f"Unrecorded key {key.id} {being} {became}.",
        [section(head), context(f"It {being} {became} by <@{key.changed_by}>{at}.")],
    )


def _orphan_buttons(key: ManagedKey) -> tuple[ButtonElement, ButtonElement]:
    return (
        button(
            "Delete it",
            action_ids.FOUND_DELETE,
            key.id,
            style="danger",
            confirm=confirm(
                "Delete this key?", f"{key.id} can't be restored.", "Delete it", danger=True
            ),
        ),
        button(
            "It is ours, enable it",
            action_ids.FOUND_ENABLE,
            key.id,
            confirm=confirm("Enable this key?", f"{key.id} will work again at once.", "Enable it"),
        ),
    )
