"""What is said of a rotation: its plan, whether the old key may go, and what becomes of that by itself?"""

from __future__ import annotations

from datetime import datetime

from bot.core.access_key import AccessKey, ManagedKey
from bot.core.policy import span_words
from bot.core.request import KeyRequest
from bot.slack.blocks import last_used, moment


def grace(key: ManagedKey, ends: datetime) -> str:
    """What becomes of the old key by itself, and when."""
    if not key.days_used:
        return f"If the old key has been quiet since the hand-over, I turn it off {moment(ends)}."
    return (
        f"I look again {moment(ends)}. Once it has been quiet for a rotation's grace, two days at least, I "
        "turn it off."
    )


def advised(key: ManagedKey, new: AccessKey | None, old: AccessKey | None) -> tuple[bool, str]:
    """Whether turning the old key off is advised: only with the new one in use and the old one quiet since."""
    if new is None or old is None or new.last_used is None or old.last_used is None:
        return (
            False,
            ":grey_question: AWS did not say when the keys were last used. *Check again* asks.",
        )
    busy = old.last_used.at is not None and (
        key.handed_over_at is None or old.last_used.at > key.handed_over_at
    )
    if busy:
        return False, ":no_entry: Do not turn the old key off yet: something still uses it."
    if new.last_used.at is None:
        return (
            False,
            ":hourglass_flowing_sand: The new key has not been used yet. AWS notices a use some minutes late.",
        )
    return True, ":white_check_mark: The new key is in use and the old one is quiet: it can go."


def plan(request: KeyRequest) -> str:
    """What will come of it: how long the new key lives, and which keys stay, are replaced and go."""
    life = "for ever" if request.lifetime is None else f"for {span_words(request.lifetime)}"
    lines = [f"*New key*  lives {life}"]
    if request.verb == "rotate":
        goes = request.target == request.let_go
        after = (
            " stays until the new key is in use"
            if not goes
            else (
                f", whose deletion{_began(request)}"
                if request.let_go_at
                else " is deleted when the new key is revealed"
            )
        )
        lines.append(f"*Replaced*  `{request.target}`{after}{_use(request, request.target)}")
        lines += [
            f"*Kept*  `{key.id}`{_use(request, key.id)}"
            for key in request.keys
            if key.id not in (request.target, request.let_go)
        ]
    gone = request.key(request.let_go)
    if gone and request.let_go != request.target:
        when = f", which{_began(request)}" if request.let_go_at else " when the new key is revealed"
        lines.append(f"*Deleted*  `{gone.id}`{when}{_use(request, gone.id)}")
    return "\n".join(lines)


def _use(request: KeyRequest, key_id: str) -> str:
    known = request.key(key_id)
    return f"; {last_used(known)}" if known else ""


def _began(request: KeyRequest) -> str:
    return f" began with the first reveal, {moment(request.let_go_at)}" if request.let_go_at else ""
