"""What does the evidence of a rotation say: may the old key go, and what becomes of it by itself?"""

from __future__ import annotations

from datetime import datetime

from bot.core.access_key import AccessKey, ManagedKey
from bot.slack.blocks import moment


def grace(key: ManagedKey, ends: datetime) -> str:
    """What becomes of the old key by itself, and when."""
    if not key.days_used:
        return f"If the old key has been quiet since the hand-over, I turn it off {moment(ends)}."
    return (f"I look again {moment(ends)}. Once it has been quiet for a rotation's grace, two days at least, I "
            "turn it off.")


def advised(key: ManagedKey, new: AccessKey | None, old: AccessKey | None) -> tuple[bool, str]:
    """Whether turning the old key off is advised: only with the new one in use and the old one quiet since."""
    if new is None or old is None or new.last_used is None or old.last_used is None:
        return False, ":grey_question: AWS did not say when the keys were last used. *Check again* asks."
    busy = old.last_used.at is not None and (key.handed_over_at is None or old.last_used.at > key.handed_over_at)
    if busy:
        return False, ":no_entry: Do not turn the old key off yet: something still uses it."
    if new.last_used.at is None:
        return False, ":hourglass_flowing_sand: The new key has not been used yet. AWS notices a use some minutes late."
    return True, ":white_check_mark: The new key is in use and the old one is quiet: it can go."
