"""The lasting messages about a key: its end, the key it replaces, a leak, a key found after a lost answer."""

from __future__ import annotations

from datetime import datetime

from slack_sdk.models.blocks import ButtonElement

from bot.core.access_key import (
    APPROVERS_TOLD_AFTER,
    DELETION,
    EXPIRY_NOTICES,
    AccessKey,
    ManagedKey,
    Origin,
    Wanted,
    Why,
    out_of_reach,
)
from bot.slack import ids
from bot.slack.blocks import (
    Drawn,
    actions,
    button,
    confirm,
    context,
    draw,
    escape,
    key_facts,
    last_used,
    moment,
    quote,
    section,
)
from bot.slack.key_words import certain, fact, facts, owner, stands, turned
from bot.slack.rotation_words import advised, grace

FOUND, EXPIRED, ROTATION, STILL_USED, RETIRED, DELETED, LEAK, LEAK_FACTS, LEAK_OWNER, OFF = (
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
FOR_APPROVERS = {FOUND, STILL_USED, LEAK, LEAK_FACTS}
IN_THREAD_OF = {LEAK_FACTS: LEAK}
WHILE_OFF = {EXPIRED, RETIRED, DELETED, OFF}
BEFORE = {
    name.partition(":")[2]: words
    for name, words in zip(EXPIRY_NOTICES, ("7 days", "a day", "an hour"), strict=True)
}


def wanted(key: ManagedKey) -> tuple[str, ...]:
    """The copies that ought to exist now, oldest first; those for its owner only where the owner can be told.

    What may come twice in a key's life (its end, a report of it) names its moment: a new message notifies.
    """
    kinds = [FOUND] if key.origin is Origin.FOUND else []
    if key.reported_at:
        kinds += [_newest(key, LEAK), _newest(key, LEAK_FACTS)]
    if key.replaces and key.days_used >= APPROVERS_TOLD_AFTER:
        kinds.append(STILL_USED)
    return (*kinds, *(_for_owner(key) if key.dm else ()))


def _for_owner(key: ManagedKey) -> list[str]:
    kinds = (
        [f"{name}:{_mark(key.expires_at)}" for name in key.notices if name in EXPIRY_NOTICES]
        if (key.wanted is Wanted.ACTIVE)
        else []
    )
    if key.grace_ends and key.replaces:
        kinds.append(ROTATION)
        kinds += [f"used:{key.days_used}"] if key.days_used else []
    if key.reported_at:
        kinds.append(_newest(key, LEAK_OWNER))
    if key.wanted is Wanted.INACTIVE:
        own = {Why.EXPIRED: EXPIRED, Why.ROTATED: RETIRED}.get(key.why)
        off = [own] if own else []
        off += [OFF] if key.why is Why.OWNER and key.note and key.changed_by != key.owner else []
        off += [DELETED] if DELETION in key.notices else []
        kinds += [f"{one}:{_mark(key.changed_at)}" for one in off]
    return kinds


def _mark(at: datetime | None) -> str:
    return str(int(at.timestamp())) if at else ""


def _newest(key: ManagedKey, word: str) -> str:
    """The kind of copy about a leak that is of the newest report; the first one has no mark."""
    return f"{word}:{_mark(key.reported_again_at)}" if key.reported_again_at else word


def drawn(key: ManagedKey, kind: str) -> Drawn:
    """A copy about `key` as its state wants it now; `kind` without the mark of a second copy."""
    word, _, which = kind.partition(":")
    if word in WHILE_OFF and which != _mark(key.changed_at):
        return draw(stands(key), [section(stands(key))])
    match word:
        case "found":
            return _found(key)
        case "expiry":
            return _expiry(key, which)
        case "expired":
            return _expired(key)
        case "rotation" | "used" | "still_used" if key.replaces and key.wanted is not Wanted.ACTIVE:
            text = f"{stands(key)} The old key {key.replaces} stays as it is."
            return draw(text, [section(f":warning: {text}")])
        case "used" if which != str(key.days_used):
            text = f"The old key was found in use on day {which} after its grace. Use the newest message below."
            return draw(text, [section(f":warning: {text}")])
        case "rotation" | "used":
            return _rotation(key, still_used=word == "used")
        case "still_used":
            return _still_used(key)
        case "retired":
            return _retired(key)
        case "deletion":
            return _deletion(key)
        case "leak":
            return _leak(key, which)
        case "leak_facts":
            when = f"when it was {'last ' if key.reported_again_at else ''}reported"
            return draw("The facts", [section(f"*The facts, {when}*\n{facts(key)}\n{owner(key)}")])
        case "leak_owner":
            return _leak_owner(key)
        case _:
            return _off(key)


def clicked(key: ManagedKey, action_id: str) -> str:
    """The kind of copy about a key that carries this button."""
    off, ends = _mark(key.changed_at), _mark(key.expires_at)
    reminder = next(
        (f"{name}:{ends}" for name in reversed(key.notices) if name in EXPIRY_NOTICES),
        f"{EXPIRED}:{off}",
    )
    asks = _newest(key, LEAK_OWNER) if key.reported_at else f"{EXPIRED}:{off}"
    return {
        ids.FOUND_DELETE: FOUND,
        ids.FOUND_ENABLE: FOUND,
        ids.UNDO: f"{RETIRED}:{off}",
        ids.ASK: asks,
        ids.LEAKED_DISABLE: _newest(key, LEAK),
        ids.CHECK: ROTATION,
        ids.NOT_YET: ROTATION,
        ids.DISABLE_OLD: ROTATION,
    }.get(action_id, reminder)


def _rotate(key: ManagedKey) -> ButtonElement:
    return button("Rotate", ids.ROTATE, key.id, style="primary")


def _expiry(key: ManagedKey, which: str) -> Drawn:
    before, _, mark = which.partition(":")
    over = f"expiry:{before}" not in key.notices or mark != _mark(key.expires_at)
    if key.wanted is not Wanted.ACTIVE or over or key.expires_at is None:
        return draw(stands(key), [section(stands(key))])
    text = f"Key {key.id} ends in {BEFORE.get(before, 'a while')}"
    return draw(
        text,
        [
            section(
                f":alarm_clock: *Key {key.id} ends {moment(key.expires_at)}.* It is turned off then, in use or not."
            ),
            actions(
                _rotate(key),
                *([] if key.urgent else [button("Ask for 7 more days", ids.EXTEND, key.id)]),
            ),
            context(
                "*Rotate* gives you a new key first; the old one works until the new one does."
            ),
        ],
    )


def _expired(key: ManagedKey) -> Drawn:
    if key.why is not Why.EXPIRED or key.wanted is not Wanted.INACTIVE:
        return draw(stands(key), [section(stands(key))])
    known = fact(key, key.id)
    used = f" It was {last_used(known)}." if known else ""
    gone = f" It is deleted {moment(key.delete_at)}." if key.delete_at else ""
    return draw(
        f"Key {key.id} has ended",
        [
            section(f":hourglass: *Key {key.id} has ended and {turned(key)}.*{used}{gone}"),
            actions(
                button("Request a key", ids.ASK, key.id, style="primary"),
                button("Ask for it back", ids.ENABLE, key.id),
            ),
        ],
    )


def _rotation(key: ManagedKey, *, still_used: bool) -> Drawn:
    """Old and new key side by side, and what the evidence says about turning the old one off."""
    if not key.replaces or key.grace_ends is None:
        return draw(
            "The rotation is finished.",
            [section(f":white_check_mark: Rotation finished. {stands(key)}")],
        )
    new, old, at = fact(key, key.id), fact(key, key.replaces), key.facts_at or key.made_at
    rows = "\n".join(
        f"*{name}*  {key_facts(one, at)}" for name, one in (("New", new), ("Old", old)) if one
    )
    safe, advice = advised(key, new, old)
    lead = (
        f":warning: *The old key {key.replaces} is still in use,* so I did not turn it off."
        if still_used
        else f":arrows_counterclockwise: *Your new key {key.id} is in place.* Move everything to it, then let the old "
        "one go."
    )
    last = last_used(old) if old else "last use unknown"
    return draw(
        f"Rotation: {key.replaces} to {key.id}",
        [
            section(lead),
            section(rows) if rows else None,
            section(advice),
            actions(
                button("Check again", ids.CHECK, key.id),
                button(
                    "Disable the old key",
                    ids.DISABLE_OLD,
                    key.id,
                    style="primary" if safe else "danger",
                    confirm=confirm(
                        "Disable the old key?",
                        f"{key.replaces}, {last}. You can undo that.",
                        "Disable",
                        danger=not safe,
                    ),
                ),
                button("Not yet", ids.NOT_YET, key.id),
            ),
            context(grace(key, key.grace_ends)),
        ],
    )


def _still_used(key: ManagedKey) -> Drawn:
    if not key.replaces:
        return draw(
            "The rotation is finished.",
            [section(f":white_check_mark: Rotation finished. {stands(key)}")],
        )
    old = fact(key, key.replaces)
    facts = f"\n{key_facts(old, key.facts_at or key.made_at)}" if old else ""
    return draw(
        f"Old key {key.replaces} is still in use",
        [
            section(
                f":warning: *The old key of a rotation is still in use* after {key.days_used} days. "
                f"{owner(key)}{facts}"
            ),
            context(
                f"`{key.id}` is to take its place. I do not break what works; its owner is told daily."
            ),
        ],
    )


def _retired(key: ManagedKey) -> Drawn:
    if key.wanted is not Wanted.INACTIVE or key.why is not Why.ROTATED:
        return draw(stands(key), [section(stands(key))])
    until = f" until {moment(key.delete_at)}, when it is deleted" if key.delete_at else ""
    if key.delete_at and key.expires_at and key.is_over(key.delete_at):
        until = f" until {moment(key.expires_at)}, its end; it is deleted {moment(key.delete_at)}"
    return draw(
        f"Old key {key.id} {turned(key)}",
        [
            section(
                f":white_check_mark: *The old key {key.id} {turned(key)}.* "
                f"If something breaks, bring it back{until}."
            ),
            actions(_back(key)),
        ],
    )


def _back(key: ManagedKey) -> ButtonElement:
    """**Undo**, or, of a key that is reported, the way by the approvers."""
    return (
        button("Ask for it back", ids.ENABLE, key.id)
        if key.reported_at
        else button("Undo", ids.UNDO, key.id)
    )


def _deletion(key: ManagedKey) -> Drawn:
    if key.wanted is not Wanted.INACTIVE or key.delete_at is None or DELETION not in key.notices:
        return draw(stands(key), [section(stands(key))])
    undo = key.why is Why.ROTATED and not key.is_over(key.delete_at)
    back = _back(key) if undo else button("Ask for it back", ids.ENABLE, key.id)
    return draw(
        f"Key {key.id} is deleted soon",
        [
            section(
                f":wastebasket: *The inactive key {key.id} is deleted {moment(key.delete_at)}.*"
            ),
            actions(back) if not key.leaked else None,
        ],
    )


def _off(key: ManagedKey) -> Drawn:
    if key.wanted is not Wanted.INACTIVE or key.why is not Why.OWNER or not key.note:
        return draw(stands(key), [section(stands(key))])
    done = "was" if certain(key) else "is being"
    return draw(
        f"Key {key.id} {turned(key)}",
        [
            section(f":no_entry: *Your key {key.id} {done} turned off by <@{key.changed_by}>:*"),
            quote(key.note),
            actions(button("Ask for it back", ids.ENABLE, key.id)),
        ],
    )


def _leak(key: ManagedKey, which: str) -> Drawn:
    """An urgent card for a reported key: the first one, or, `which` names its moment, one that was reported again."""
    newest = which == _mark(key.reported_again_at)
    who = key.reported_by if not which else key.reported_again_by if newest else ""
    reports = (
        f"<@{who}> reports key {key.id} as leaked{' again' if which else ''}"
        if who
        else (f"Key {key.id} was reported as leaked again")
    )
    head = f":rotating_light: *{reports}.* {owner(key)}"
    if key.leaked or key.wanted is Wanted.DELETED:
        became = "deleted" if key.wanted is Wanted.DELETED else "turned off"
        mark, done = (
            (":white_check_mark:", "was")
            if certain(key)
            else (":hourglass_flowing_sand:", "is being")
        )
        when = f", {moment(key.changed_at)}" if key.changed_at else ""
        by = f" by <@{key.changed_by}>" if key.changed_by.startswith(("U", "W")) else ""
        return draw(
            f"Leaked key {key.id}: {became}",
            [
                section(head),
                context(f"{mark} It {done} {became}{by}{when} and can never be turned on again."),
            ],
        )
    if not newest:
        return draw(
            f"Leaked key {key.id}: reported again",
            [section(head), context("It was reported once more since: see the newest card below.")],
        )
    if key.out_of_reach:
        words = escape(out_of_reach(key.id, key.iam_user))
        return draw(
            f"Leaked key {key.id}: turn it off in AWS",
            [section(head), section(f":warning: {words}")],
        )
    known = fact(key, key.id)
    return draw(
        f"Leaked key {key.id}: disable it now?",
        [
            section(head),
            actions(leaked_button(key.id, known)),
            context(
                "Turning it off breaks what uses it; leaving it on lets whoever found it use it."
            ),
        ],
    )


def leaked_button(key_id: str, known: AccessKey | None) -> ButtonElement:
    """**Disable now**, after a dialog that names the key's last use."""
    used = last_used(known) if known else "last use unknown"
    return button(
        "Disable now",
        ids.LEAKED_DISABLE,
        key_id,
        style="danger",
        confirm=confirm(
            "Disable this leaked key?",
            f"{key_id}, {used}. It can never be turned on again.",
            "Disable now",
            danger=True,
        ),
    )


def _leak_owner(key: ManagedKey) -> Drawn:
    off = key.leaked or key.wanted is Wanted.DELETED
    state = (
        f"It {turned(key)} for good."
        if off
        else escape(out_of_reach(key.id, key.iam_user))
        if key.out_of_reach
        else "The approvers are asked to turn it off."
    )
    return draw(
        f"Your key {key.id} was reported as leaked",
        [
            section(
                f":rotating_light: *Your key {key.id} was reported as leaked.* {state} Look at what it may have been "
                "used for."
            ),
            None
            if key.out_of_reach
            else actions(
                button("Request a key", ids.ASK, key.id, style="primary"),
                *([] if off else [button("Disable", ids.LEAKED_DISABLE, key.id, style="danger")]),
            ),
        ],
    )


def _found(key: ManagedKey) -> Drawn:
    """A key that nobody recorded, found after a lost answer: approvers decide."""
    head = (
        f":warning: *AWS made a key and its answer was lost:* `{key.id}` for `{escape(key.iam_user)}`. Or somebody "
        f"made it in the console at that minute. Nobody was shown its secret here. It would be <@{key.owner}>'s."
    )
    done = certain(key)
    if key.wanted is Wanted.INACTIVE and not key.leaked:
        return draw(
            f"Found key {key.id}",
            [
                section(f"{head} It is {'inactive' if done else 'being made inactive'}."),
                actions(
                    button(
                        "Delete it",
                        ids.FOUND_DELETE,
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
                        ids.FOUND_ENABLE,
                        key.id,
                        confirm=confirm(
                            "Enable this key?", f"{key.id} works again at once.", "Enable it"
                        ),
                    ),
                ),
            ],
        )
    word = {Wanted.DELETED: "deleted", Wanted.ACTIVE: "enabled"}.get(
        key.wanted, "turned off for good, as leaked"
    )
    became, when = (
        f"{'' if done else 'being '}{word}",
        f", {moment(key.changed_at)}" if key.changed_at else "",
    )
    return draw(
        f"Found key {key.id}: {became}",
        [section(head), context(f"{became.capitalize()}: <@{key.changed_by}> decided{when}.")],
    )
