"""Render the messages about a rotation and its old key."""

from __future__ import annotations

from datetime import datetime

from slack_sdk.models.blocks import ActionsBlock, ButtonElement

from bot.domain.keys import AccessKey, DesiredState, InactiveReason, ManagedKey
from bot.slack import action_ids
from bot.slack.messages.blocks import (
    Message,
    actions,
    button,
    confirm,
    context,
    date_token,
    message,
    section,
    sentence,
)
from bot.slack.messages.key_status import (
    key_line,
    last_used_text,
    off_text,
    owner_text,
    snapshot_of,
    status_text,
    when_text,
)
from bot.slack.messages.text import plural


def rotation(key: ManagedKey) -> Message:
    """Return the message that a new key is ready.

    It shows both keys, and what to do about the old one.
    """
    lead = (
        f":arrows_counterclockwise: *Your new key {key.id} is ready.* Switch your programs to it."
    )
    return _not_active(key) or _side_by_side(key, lead)


def used(key: ManagedKey, day: str) -> Message:
    """Return the daily message that the old key is still used after its grace period."""
    if over := _not_active(key):
        return over
    if day != str(key.days_still_used):
        text = f"The old key was still used on day {day} after its grace period."
        return sentence(f":warning: {text} The latest message below has the buttons.")
    lead = f":warning: *The old key {key.replaces} is still in use,* so Keydesk left it on."
    return _side_by_side(key, lead)


def still_used(key: ManagedKey) -> Message:
    """Return the approvers' message that a rotation's old key is still used."""
    if over := _not_active(key):
        return over
    if not key.replaces:
        return _finished(key)
    old = snapshot_of(key, key.replaces)
    line = f"\n{key_line(old, key.snapshot_at or key.created_at)}" if old else ""
    days = plural(key.days_still_used, "day")
    lead = f"*The old key of a rotation is still in use*, {days} after its grace period."
    return message(
        f"Old key {key.replaces} is still in use.",
        [
            section(f":warning: {lead} {owner_text(key)}{line}"),
            context(
                f"`{key.id}` should replace it. Keydesk doesn't turn off a key that is in use, and "
                "reminds the owner daily."
            ),
        ],
    )


def rotated_out(key: ManagedKey) -> Message:
    """Return the message that the old key is off, with **Undo**."""
    rotated = key.inactive_reason is InactiveReason.ROTATED
    if key.desired is not DesiredState.INACTIVE or not rotated:
        return sentence(status_text(key))
    undo = undo_button(key)
    label = undo.text.text if undo.text else ""
    lead = f"The old key {key.id} {off_text(key)}."
    back = f"If something breaks, click *{label}*."
    return message(
        lead,
        [section(f":white_check_mark: *{lead}* {back}{_until_text(key)}"), actions(undo)],
    )


def _until_text(key: ManagedKey) -> str:
    """Return the end of **Undo**, and when the old key will be deleted."""
    if key.delete_at and key.expires_at and key.is_over(key.delete_at):
        expires = f" That is possible until it expires, {date_token(key.expires_at)}."
        return expires + when_text(key.delete_at, "It will be deleted")
    return when_text(key.delete_at, "That is possible until it is deleted,")


def undo_button(key: ManagedKey) -> ButtonElement:
    """Return **Undo**. A key that was reported needs an approval instead."""
    if key.reported_at:
        return button("Ask to turn it on again", action_ids.ENABLE, key.id)
    return button("Undo", action_ids.UNDO, key.id)


def _not_active(key: ManagedKey) -> Message | None:
    """Return that the old key stays as it is.

    The new key is not to be active any more.
    """
    if not key.replaces or key.desired is DesiredState.ACTIVE:
        return None
    text = f"{status_text(key)} The old key {key.replaces} stays as it is."
    return message(text, [section(f":warning: {text}")])


def _finished(key: ManagedKey) -> Message:
    text = f"Rotation finished. {status_text(key)}"
    return message(text, [section(f":white_check_mark: {text}")])


def _side_by_side(key: ManagedKey, lead: str) -> Message:
    """Return both keys, and whether the old one can be turned off."""
    if not key.replaces or key.grace_ends_at is None:
        return _finished(key)
    new, old = snapshot_of(key, key.id), snapshot_of(key, key.replaces)
    at = key.snapshot_at or key.created_at
    rows = [f"*{name}*  {key_line(one, at)}" for name, one in (("New", new), ("Old", old)) if one]
    safe, advice = rotation_advice(key, new, old)
    return message(
        f"Rotation from {key.replaces} to {key.id}: {advice}",
        [
            section(lead),
            section("\n".join(rows)) if rows else None,
            section(advice),
            _buttons(key, old, safe=safe),
            context(_plan_text(key, key.grace_ends_at)),
        ],
    )


def _buttons(key: ManagedKey, old: AccessKey | None, *, safe: bool) -> ActionsBlock:
    last = last_used_text(old) if old else "last use unknown"
    return actions(
        button("Check again", action_ids.CHECK, key.id),
        button(
            "Disable the old key",
            action_ids.DISABLE_OLD,
            key.id,
            style="primary" if safe else "danger",
            confirm=confirm(
                "Disable the old key?",
                f"{key.replaces}, {last}. You can undo this.",
                "Disable",
                danger=not safe,
            ),
        ),
        button("Not yet", action_ids.NOT_YET, key.id),
    )


def _plan_text(key: ManagedKey, ends: datetime) -> str:
    """Return what Keydesk will do with the old key, and when."""
    if key.days_still_used:
        return (
            f"Keydesk will check again {date_token(ends)}. It will turn the old key off once "
            "nothing has used it for the grace period, two days at least."
        )
    return (
        f"Keydesk will turn the old key off {date_token(ends)} if nothing has used it since you "
        "got the new one."
    )


def rotation_advice(
    key: ManagedKey, new: AccessKey | None, old: AccessKey | None
) -> tuple[bool, str]:
    """Return whether the old key can be turned off, and why.

    It can if the new key is in use, and the old one was not used since the new one was delivered.
    """
    if new is None or old is None or new.last_used is None or old.last_used is None:
        text = ":grey_question: AWS didn't report when the keys were last used. *Check again* asks."
        return False, text
    delivered, last_used = key.delivered_at, old.last_used.at
    if last_used is not None and (delivered is None or last_used > delivered):
        return False, ":no_entry: Don't turn the old key off yet: something still uses it."
    if new.last_used.at is None:
        waiting = "AWS reports use with a delay of a few minutes."
        return False, f":hourglass_flowing_sand: The new key hasn't been used yet. {waiting}"
    return True, ":white_check_mark: The new key is in use and the old one is not: turn it off."
