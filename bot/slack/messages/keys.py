"""The lasting messages about a key: its end, the key it replaces, a leak, a key found after a lost answer."""

from __future__ import annotations

from datetime import datetime

from slack_sdk.models.blocks import ButtonElement

from bot.domain.codes import Code
from bot.domain.keys import (
    DELETION_NOTICE,
    ESCALATE_AFTER_DAYS,
    EXPIRY_NOTICES,
    AccessKey,
    DesiredState,
    InactiveReason,
    ManagedKey,
    Origin,
)
from bot.slack import action_ids
from bot.slack.messages.blocks import (
    Message,
    actions,
    button,
    confirm,
    context,
    date_token,
    escape,
    key_line,
    last_used_text,
    message,
    quote,
    section,
)
from bot.slack.messages.errors import text
from bot.slack.messages.key_status import (
    is_confirmed,
    owner_text,
    snapshot_of,
    snapshot_text,
    state_text,
    status_text,
)
from bot.slack.messages.rotation import grace_period_text, rotation_advice

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
BEFORE_TEXT = {
    name.partition(":")[2]: words
    for name, words in zip(EXPIRY_NOTICES, ("7 days", "a day", "an hour"), strict=True)
}


def expected_kinds(key: ManagedKey) -> tuple[str, ...]:
    """The copies that ought to exist now, oldest first; those for its owner only where the owner can be told.

    What may come twice in a key's life (its end, a report of it) names its moment: a new message notifies.
    """
    kinds = [ORPHANED] if key.origin is Origin.ORPHANED else []
    if key.reported_at:
        kinds += [_newest_report(key, LEAK), _newest_report(key, LEAK_DETAILS)]
    if key.replaces and key.days_still_used >= ESCALATE_AFTER_DAYS:
        kinds.append(STILL_USED)
    return (*kinds, *(_owner_kinds(key) if key.dm else ()))


def _owner_kinds(key: ManagedKey) -> list[str]:
    kinds = (
        [f"{name}:{_mark(key.expires_at)}" for name in key.notices if name in EXPIRY_NOTICES]
        if (key.desired is DesiredState.ACTIVE)
        else []
    )
    if key.grace_ends_at and key.replaces:
        kinds.append(ROTATION)
        kinds += [f"used:{key.days_still_used}"] if key.days_still_used else []
    if key.reported_at:
        kinds.append(_newest_report(key, LEAK_OWNER))
    if key.desired is DesiredState.INACTIVE:
        own = {InactiveReason.EXPIRED: EXPIRED, InactiveReason.ROTATED: ROTATED_OUT}.get(
            key.inactive_reason
        )
        off = [own] if own else []
        off += (
            [DISABLED]
            if key.inactive_reason is InactiveReason.DISABLED
            and key.disable_note
            and key.changed_by != key.owner
            else []
        )
        off += [DELETED] if DELETION_NOTICE in key.notices else []
        kinds += [f"{one}:{_mark(key.changed_at)}" for one in off]
    return kinds


def _mark(at: datetime | None) -> str:
    return str(int(at.timestamp())) if at else ""


def _newest_report(key: ManagedKey, word: str) -> str:
    """The kind of copy about a leak that is of the newest report; the first one has no mark."""
    return f"{word}:{_mark(key.reported_again_at)}" if key.reported_again_at else word


def render(key: ManagedKey, kind: str) -> Message:
    """A copy about `key` as its state wants it now; `kind` without the mark of a second copy."""
    word, _, which = kind.partition(":")
    if word in WHILE_OFF and which != _mark(key.changed_at):
        return message(status_text(key), [section(status_text(key))])
    match word:
        case "found":
            return _orphaned(key)
        case "expiry":
            return _expiry(key, which)
        case "expired":
            return _expired(key)
        case "rotation" | "used" | "still_used" if (
            key.replaces and key.desired is not DesiredState.ACTIVE
        ):
            text = f"{status_text(key)} The old key {key.replaces} stays as it is."
            return message(text, [section(f":warning: {text}")])
        case "used" if which != str(key.days_still_used):
            text = f"The old key was found in use on day {which} after its grace. Use the newest message below."
            return message(text, [section(f":warning: {text}")])
        case "rotation" | "used":
            return _rotation(key, still_used=word == "used")
        case "still_used":
            return _still_used(key)
        case "retired":
            return _rotated_out(key)
        case "deletion":
            return _deletion(key)
        case "leak":
            return _leak(key, which)
        case "leak_facts":
            when = f"when it was {'last ' if key.reported_again_at else ''}reported"
            return message(
                "The facts",
                [section(f"*The facts, {when}*\n{snapshot_text(key)}\n{owner_text(key)}")],
            )
        case "leak_owner":
            return _leak_owner(key)
        case _:
            return _disabled(key)


def kind_of_action(key: ManagedKey, action_id: str) -> str:
    """The kind of copy about a key that carries this button."""
    off, ends = _mark(key.changed_at), _mark(key.expires_at)
    reminder = next(
        (f"{name}:{ends}" for name in reversed(key.notices) if name in EXPIRY_NOTICES),
        f"{EXPIRED}:{off}",
    )
    asks = _newest_report(key, LEAK_OWNER) if key.reported_at else f"{EXPIRED}:{off}"
    return {
        action_ids.FOUND_DELETE: ORPHANED,
        action_ids.FOUND_ENABLE: ORPHANED,
        action_ids.UNDO: f"{ROTATED_OUT}:{off}",
        action_ids.ASK: asks,
        action_ids.LEAKED_DISABLE: _newest_report(key, LEAK),
        action_ids.CHECK: ROTATION,
        action_ids.NOT_YET: ROTATION,
        action_ids.DISABLE_OLD: ROTATION,
    }.get(action_id, reminder)


def _rotate_button(key: ManagedKey) -> ButtonElement:
    return button("Rotate", action_ids.ROTATE, key.id, style="primary")


def _expiry(key: ManagedKey, which: str) -> Message:
    before, _, mark = which.partition(":")
    over = f"expiry:{before}" not in key.notices or mark != _mark(key.expires_at)
    if key.desired is not DesiredState.ACTIVE or over or key.expires_at is None:
        return message(status_text(key), [section(status_text(key))])
    text = f"Key {key.id} ends in {BEFORE_TEXT.get(before, 'a while')}"
    return message(
        text,
        [
            section(
                f":alarm_clock: *Key {key.id} ends {date_token(key.expires_at)}.* It is turned off then, in use or not."
            ),
            actions(
                _rotate_button(key),
                *([] if key.urgent else [button("Ask for 7 more days", action_ids.EXTEND, key.id)]),
            ),
            context(
                "*Rotate* gives you a new key first; the old one works until the new one does."
            ),
        ],
    )


def _expired(key: ManagedKey) -> Message:
    if (
        key.inactive_reason is not InactiveReason.EXPIRED
        or key.desired is not DesiredState.INACTIVE
    ):
        return message(status_text(key), [section(status_text(key))])
    known = snapshot_of(key, key.id)
    used = f" It was {last_used_text(known)}." if known else ""
    gone = f" It is deleted {date_token(key.delete_at)}." if key.delete_at else ""
    return message(
        f"Key {key.id} has ended",
        [
            section(f":hourglass: *Key {key.id} has ended and {state_text(key)}.*{used}{gone}"),
            actions(
                button("Request a key", action_ids.ASK, key.id, style="primary"),
                button("Ask for it back", action_ids.ENABLE, key.id),
            ),
        ],
    )


def _rotation(key: ManagedKey, *, still_used: bool) -> Message:
    """Old and new key side by side, and what the evidence says about turning the old one off."""
    if not key.replaces or key.grace_ends_at is None:
        return message(
            "The rotation is finished.",
            [section(f":white_check_mark: Rotation finished. {status_text(key)}")],
        )
    new, old, at = (
        snapshot_of(key, key.id),
        snapshot_of(key, key.replaces),
        key.snapshot_at or key.created_at,
    )
    rows = "\n".join(
        f"*{name}*  {key_line(one, at)}" for name, one in (("New", new), ("Old", old)) if one
    )
    safe, advice = rotation_advice(key, new, old)
    lead = (
        f":warning: *The old key {key.replaces} is still in use,* so I did not turn it off."
        if still_used
        else f":arrows_counterclockwise: *Your new key {key.id} is in place.* Move everything to it, then let the old "
        "one go."
    )
    last = last_used_text(old) if old else "last use unknown"
    return message(
        f"Rotation: {key.replaces} to {key.id}",
        [
            section(lead),
            section(rows) if rows else None,
            section(advice),
            actions(
                button("Check again", action_ids.CHECK, key.id),
                button(
                    "Disable the old key",
                    action_ids.DISABLE_OLD,
                    key.id,
                    style="primary" if safe else "danger",
                    confirm=confirm(
                        "Disable the old key?",
                        f"{key.replaces}, {last}. You can undo that.",
                        "Disable",
                        danger=not safe,
                    ),
                ),
                button("Not yet", action_ids.NOT_YET, key.id),
            ),
            context(grace_period_text(key, key.grace_ends_at)),
        ],
    )


def _still_used(key: ManagedKey) -> Message:
    if not key.replaces:
        return message(
            "The rotation is finished.",
            [section(f":white_check_mark: Rotation finished. {status_text(key)}")],
        )
    old = snapshot_of(key, key.replaces)
    facts = f"\n{key_line(old, key.snapshot_at or key.created_at)}" if old else ""
    return message(
        f"Old key {key.replaces} is still in use",
        [
            section(
                f":warning: *The old key of a rotation is still in use* after {key.days_still_used} days. "
                f"{owner_text(key)}{facts}"
            ),
            context(
                f"`{key.id}` is to take its place. I do not break what works; its owner is told daily."
            ),
        ],
    )


def _rotated_out(key: ManagedKey) -> Message:
    if (
        key.desired is not DesiredState.INACTIVE
        or key.inactive_reason is not InactiveReason.ROTATED
    ):
        return message(status_text(key), [section(status_text(key))])
    until = f" until {date_token(key.delete_at)}, when it is deleted" if key.delete_at else ""
    if key.delete_at and key.expires_at and key.is_over(key.delete_at):
        until = f" until {date_token(key.expires_at)}, its end; it is deleted {date_token(key.delete_at)}"
    return message(
        f"Old key {key.id} {state_text(key)}",
        [
            section(
                f":white_check_mark: *The old key {key.id} {state_text(key)}.* "
                f"If something breaks, bring it back{until}."
            ),
            actions(_undo_button(key)),
        ],
    )


def _undo_button(key: ManagedKey) -> ButtonElement:
    """**Undo**, or, of a key that is reported, the way by the approvers."""
    return (
        button("Ask for it back", action_ids.ENABLE, key.id)
        if key.reported_at
        else button("Undo", action_ids.UNDO, key.id)
    )


def _deletion(key: ManagedKey) -> Message:
    if (
        key.desired is not DesiredState.INACTIVE
        or key.delete_at is None
        or DELETION_NOTICE not in key.notices
    ):
        return message(status_text(key), [section(status_text(key))])
    undo = key.inactive_reason is InactiveReason.ROTATED and not key.is_over(key.delete_at)
    back = _undo_button(key) if undo else button("Ask for it back", action_ids.ENABLE, key.id)
    return message(
        f"Key {key.id} is deleted soon",
        [
            section(
                f":wastebasket: *The inactive key {key.id} is deleted {date_token(key.delete_at)}.*"
            ),
            actions(back) if not key.leaked else None,
        ],
    )


def _disabled(key: ManagedKey) -> Message:
    if (
        key.desired is not DesiredState.INACTIVE
        or key.inactive_reason is not InactiveReason.DISABLED
        or not key.disable_note
    ):
        return message(status_text(key), [section(status_text(key))])
    done = "was" if is_confirmed(key) else "is being"
    return message(
        f"Key {key.id} {state_text(key)}",
        [
            section(f":no_entry: *Your key {key.id} {done} turned off by <@{key.changed_by}>:*"),
            quote(key.disable_note),
            actions(button("Ask for it back", action_ids.ENABLE, key.id)),
        ],
    )


def _leak(key: ManagedKey, which: str) -> Message:
    """An urgent card for a reported key: the first one, or, `which` names its moment, one that was reported again."""
    newest = which == _mark(key.reported_again_at)
    who = key.reported_by if not which else key.reported_again_by if newest else ""
    reports = (
        f"<@{who}> reports key {key.id} as leaked{' again' if which else ''}"
        if who
        else (f"Key {key.id} was reported as leaked again")
    )
    head = f":rotating_light: *{reports}.* {owner_text(key)}"
    if key.leaked or key.desired is DesiredState.DELETED:
        became = "deleted" if key.desired is DesiredState.DELETED else "turned off"
        mark, done = (
            (":white_check_mark:", "was")
            if is_confirmed(key)
            else (":hourglass_flowing_sand:", "is being")
        )
        when = f", {date_token(key.changed_at)}" if key.changed_at else ""
        by = f" by <@{key.changed_by}>" if key.changed_by.startswith(("U", "W")) else ""
        return message(
            f"Leaked key {key.id}: {became}",
            [
                section(head),
                context(f"{mark} It {done} {became}{by}{when} and can never be turned on again."),
            ],
        )
    if not newest:
        return message(
            f"Leaked key {key.id}: reported again",
            [section(head), context("It was reported once more since: see the newest card below.")],
        )
    if key.out_of_reach:
        words = _not_managed_text(key)
        return message(
            f"Leaked key {key.id}: turn it off in AWS",
            [section(head), section(f":warning: {words}")],
        )
    known = snapshot_of(key, key.id)
    return message(
        f"Leaked key {key.id}: disable it now?",
        [
            section(head),
            actions(leaked_button(key.id, known)),
            context(
                "Turning it off breaks what uses it; leaving it on lets whoever found it use it."
            ),
        ],
    )


def _not_managed_text(key: ManagedKey) -> str:
    return text(Code.KEY_NOT_MANAGED, {"key_id": key.id, "iam_user": key.iam_user})


def leaked_button(key_id: str, known: AccessKey | None) -> ButtonElement:
    """**Disable now**, after a dialog that names the key's last use."""
    used = last_used_text(known) if known else "last use unknown"
    return button(
        "Disable now",
        action_ids.LEAKED_DISABLE,
        key_id,
        style="danger",
        confirm=confirm(
            "Disable this leaked key?",
            f"{key_id}, {used}. It can never be turned on again.",
            "Disable now",
            danger=True,
        ),
    )


def _leak_owner(key: ManagedKey) -> Message:
    off = key.leaked or key.desired is DesiredState.DELETED
    state = (
        f"It {state_text(key)} for good."
        if off
        else _not_managed_text(key)
        if key.out_of_reach
        else "The approvers are asked to turn it off."
    )
    return message(
        f"Your key {key.id} was reported as leaked",
        [
            section(
                f":rotating_light: *Your key {key.id} was reported as leaked.* {state} Look at what it may have been "
                "used for."
            ),
            None
            if key.out_of_reach
            else actions(
                button("Request a key", action_ids.ASK, key.id, style="primary"),
                *(
                    []
                    if off
                    else [button("Disable", action_ids.LEAKED_DISABLE, key.id, style="danger")]
                ),
            ),
        ],
    )


def _orphaned(key: ManagedKey) -> Message:
    """A key that nobody recorded, found after a lost answer: approvers decide."""
    head = (
        f":warning: *AWS made a key and its answer was lost:* `{key.id}` for `{escape(key.iam_user)}`. Or somebody "
        f"made it in the console at that minute. Nobody was shown its secret here. It would be <@{key.owner}>'s."
    )
    done = is_confirmed(key)
    if key.desired is DesiredState.INACTIVE and not key.leaked:
        return message(
            f"Found key {key.id}",
            [
                section(f"{head} It is {'inactive' if done else 'being made inactive'}."),
                actions(
                    button(
                        "Delete it",
                        action_ids.FOUND_DELETE,
                        key.id,
                        style="danger",
                        confirm=confirm(
                            "Delete this key?",
                            f"{key.id} cannot be brought back.",
                            "Delete it",
                            danger=True,
                        ),
                    ),
                    button(
                        "It is ours, enable it",
                        action_ids.FOUND_ENABLE,
                        key.id,
                        confirm=confirm(
                            "Enable this key?", f"{key.id} works again at once.", "Enable it"
                        ),
                    ),
                ),
            ],
        )
    word = {DesiredState.DELETED: "deleted", DesiredState.ACTIVE: "enabled"}.get(
        key.desired, "turned off for good, as leaked"
    )
    became, when = (
        f"{'' if done else 'being '}{word}",
        f", {date_token(key.changed_at)}" if key.changed_at else "",
    )
    return message(
        f"Found key {key.id}: {became}",
        [section(head), context(f"{became.capitalize()}: <@{key.changed_by}> decided{when}.")],
    )
