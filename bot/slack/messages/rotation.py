"""What is said of a rotation: its plan, whether the old key may go, and what becomes of that by itself?"""

from __future__ import annotations

from datetime import datetime

from bot.domain.keys import AccessKey, ManagedKey
from bot.domain.requests import KeyRequest
from bot.slack.messages.blocks import date_token, last_used_text
from bot.slack.messages.text import duration_text


def grace_period_text(key: ManagedKey, ends: datetime) -> str:
    """What becomes of the old key by itself, and when."""
    if not key.days_still_used:
        return (
            f"If the old key has been quiet since the hand-over, I turn it off {date_token(ends)}."
        )
    return (
        f"I look again {date_token(ends)}. Once it has been quiet for a rotation's grace, two days at least, I "
        "turn it off."
    )


def rotation_advice(
    key: ManagedKey, new: AccessKey | None, old: AccessKey | None
) -> tuple[bool, str]:
    """Whether turning the old key off is advised: only with the new one in use and the old one quiet since."""
    if new is None or old is None or new.last_used is None or old.last_used is None:
        return (
            False,
            ":grey_question: AWS did not say when the keys were last used. *Check again* asks.",
        )
    busy = old.last_used.at is not None and (
        key.delivered_at is None or old.last_used.at > key.delivered_at
    )
    if busy:
        return False, ":no_entry: Do not turn the old key off yet: something still uses it."
    if new.last_used.at is None:
        return (
            False,
            ":hourglass_flowing_sand: The new key has not been used yet. AWS notices a use some minutes late.",
        )
    return True, ":white_check_mark: The new key is in use and the old one is quiet: it can go."


def plan_text(request: KeyRequest) -> str:
    """What will come of it: how long the new key lives, and which keys stay, are replaced and go."""
    life = "for ever" if request.lifetime is None else f"for {duration_text(request.lifetime)}"
    lines = [f"*New key*  lives {life}"]
    if request.verb == "rotate":
        goes = request.target == request.delete_first
        after = (
            " stays until the new key is in use"
            if not goes
            else (
                f", whose deletion{_started_text(request)}"
                if request.delete_first_at
                else " is deleted when the new key is revealed"
            )
        )
        lines.append(f"*Replaced*  `{request.target}`{after}{_use_text(request, request.target)}")
        lines += [
            f"*Kept*  `{key.id}`{_use_text(request, key.id)}"
            for key in request.keys
            if key.id not in (request.target, request.delete_first)
        ]
    gone = request.key(request.delete_first)
    if gone and request.delete_first != request.target:
        when = (
            f", which{_started_text(request)}"
            if request.delete_first_at
            else " when the new key is revealed"
        )
        lines.append(f"*Deleted*  `{gone.id}`{when}{_use_text(request, gone.id)}")
    return "\n".join(lines)


def _use_text(request: KeyRequest, key_id: str) -> str:
    known = request.key(key_id)
    return f"; {last_used_text(known)}" if known else ""


def _started_text(request: KeyRequest) -> str:
    return (
        f" began with the first reveal, {date_token(request.delete_first_at)}"
        if request.delete_first_at
        else ""
    )
