"""Is what the desk answers so? Each promise in its words is held against the store and IAM.

`untrue` names every sentence that is not so. It knows what the desk promises by the words that it uses for it; a
logged reference ("Something went wrong that should not have") and a form that is left at "Checking…" are never right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bot.slack.messages.replies import CHECKING_TEXT
from sandbox.local_person import LocalPerson
from tests.support.running_world import iam_name
from tests.verification.matrix.harness import Cell
from tests.verification.matrix.journeys import Cast


@dataclass(frozen=True)
class Facts:
    """How things stand: the person's newest request (its status "" for none), and their keys in IAM by status."""

    request: str
    status: str
    version: int
    approvals: int
    keys: Mapping[str, str]


def facts_of(cell: Cell, cast: Cast) -> Facts:
    """As it is stored and as IAM has it at this moment, whatever the bot can reach."""
    newest = next(iter(cell.world.requests(cast.person)), None)
    keys = {
        key["AccessKeyId"]: str(key["Status"]) for key in cell.world.aws.keys(iam_name(cast.person))
    }
    if newest is None:
        return Facts("", "", 0, 0, keys)
    return Facts(newest.id, str(newest.status), newest.version, len(newest.approvals), keys)


Check = Callable[[Facts, Facts, str], bool]
"""Given how it stood before and how it stands now, and the access key ID that the words name ("" for none)."""


def off(before: Facts, now: Facts, key: str) -> bool:
    return now.keys.get(key) != "Active"


def gone(before: Facts, now: Facts, key: str) -> bool:
    return key not in now.keys


def works(before: Facts, now: Facts, key: str) -> bool:
    return now.keys.get(key) == "Active"


def same_keys(before: Facts, now: Facts, key: str) -> bool:
    return before.keys == now.keys


def none_made(before: Facts, now: Facts, key: str) -> bool:
    return set(now.keys) <= set(before.keys)


def untouched(before: Facts, now: Facts, key: str) -> bool:
    """The request may have been read and drawn, but nothing of it or of the keys is another than before."""
    return (before.request, before.status, before.approvals, before.keys) == (
        now.request,
        now.status,
        now.approvals,
        now.keys,
    )


def stands_at(*statuses: str) -> Check:
    return lambda before, now, key: now.status in statuses


DECIDED = ("approved", "issuing", "deleting", "delivered", "unclaimed", "confirmed")
KEY = r"(?<!that )(?P<key>AKIA\w+)"
"""An access key ID, but not in "has not confirmed yet that AKIA… is turned off"."""
PROMISES: tuple[tuple[str, Check], ...] = (
    (rf"{KEY}(?: above)? is withdrawn(?: and does not work|\.)", off),
    (rf"{KEY} is deleted again", gone),
    (rf"{KEY} is deleted\.", gone),
    (rf"{KEY} is turned off", off),
    (rf"{KEY} is inactive", off),
    (rf"{KEY} is active again", works),
    (rf"{KEY} is gone, so reveal again", gone),
    (rf"Good\. {KEY} is yours", stands_at("confirmed")),
    (r"^Approved\. I have told", stands_at(*DECIDED)),
    (r"^Approved and done\.", stands_at("confirmed")),
    (r"^Your approval is noted", lambda before, now, key: now.approvals > before.approvals),
    (r"^(?:Denied|Revoked)\. I have told", stands_at("denied")),
    (r"^Cancelled\.", stands_at("cancelled")),
    (r"Asked\. Your request waits", stands_at("pending")),
    (r"no (?:new )?key was made", none_made),
    (r"[Nn]othing was changed", same_keys),
    (r"I have done nothing", untouched),
    (r"What was approved still stands", stands_at(*DECIDED, "pending", "cancelled")),
)

NEVER = (
    "Something went wrong that should not have",
    "Traceback",
    "Error(",
    "Something went wrong at the desk",
)


def untrue(sentences: Iterable[str], before: Facts, now: Facts) -> list[str]:
    """What is said and is not so, with the reason; nothing where all of it is true."""
    found = []
    for sentence in sentences:
        if sentence.strip() == CHECKING_TEXT:
            found.append(f"a form was left at {CHECKING_TEXT!r}")
        found += [f"{sentence!r} is never right" for words in NEVER if words in sentence]
        for words, so in PROMISES:
            for match in re.finditer(words, sentence):
                if not so(before, now, match.groupdict().get("key") or ""):
                    found.append(f"{sentence!r} is not so ({words}): {before} -> {now}")
    return found


@dataclass(frozen=True)
class Told:
    """What one person can read that is meant for them alone: ephemeral messages by `ts`, and the form that is open."""

    ephemerals: Mapping[tuple[str, str], str]
    modal: str

    @classmethod
    def so_far(cls, person: LocalPerson) -> Told:
        seen = [
            one
            for place in ("dm", "general", "key-approvals")
            for one in person.messages(place)
            if one.ephemeral
        ]
        return cls({(one.channel, one.ts): one.words for one in seen}, person.modal_words)

    def since(self, older: Told) -> list[str]:
        """The sentences that were not there before, oldest first."""
        news = [words for at, words in self.ephemerals.items() if older.ephemerals.get(at) != words]
        return news + ([self.modal] if self.modal and self.modal != older.modal else [])

    def removed(self, older: Told) -> bool:
        """Whether something that was there is not any more, which answers a click on it."""
        return bool(older.ephemerals.keys() - self.ephemerals.keys()) or bool(
            older.modal and not self.modal
        )
