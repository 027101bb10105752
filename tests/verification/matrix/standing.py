"""Check what an answer claims against the database and IAM."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.support.answers import Answer
from tests.support.watched_person import iam_name
from tests.verification.matrix import promises
from tests.verification.matrix.cell import Cell
from tests.verification.matrix.steps import Cast, newest_request

APPROVED = ("approved", "issuing", "deleting", "delivered", "unclaimed", "confirmed")
REVEALABLE = ("approved", "issuing")


@dataclass(frozen=True)
class Standing:
    """What is stored about a user, and what IAM has.

    Attributes:
        request: The user's newest request ("" for none), with its `status`, `version` and the
            number of its `approvals`.
        keys: The user's keys in IAM: ID -> status.
        desired: The desired states on record: key ID -> state.
        user: The user's Slack ID.
        has_iam_user: IAM has a user for them.
    """

    request: str = ""
    status: str = ""
    version: int = 0
    approvals: int = 0
    keys: Mapping[str, str] = field(default_factory=dict)
    desired: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    has_iam_user: bool = True


def standing_of(cell: Cell, cast: Cast) -> Standing:
    """Return what is stored and what IAM has now, whatever the bot can reach."""
    user, aws = cast.person, cell.world.aws
    try:
        keys = {key["AccessKeyId"]: str(key["Status"]) for key in aws.keys(iam_name(user))}
        has_iam_user = True
    except aws.client("iam").exceptions.NoSuchEntityException:
        keys, has_iam_user = {}, False
    desired = {key.id: str(key.desired) for key in promises.stored_keys(cell)}
    newest = newest_request(cell, cast)
    if newest is None:
        return Standing(keys=keys, desired=desired, user=user.id, has_iam_user=has_iam_user)
    return Standing(
        newest.id,
        str(newest.status),
        newest.version,
        len(newest.approvals),
        keys,
        desired,
        user.id,
        has_iam_user,
    )


@dataclass(frozen=True)
class Claim:
    """An answer, with what stood before its gesture and what stands now."""

    answer: Answer
    before: Standing
    now: Standing

    @property
    def key(self) -> str:
        """The access key ID that the answer names ("" for none)."""
        return self.fact("key_id") or self.answer.key

    def fact(self, name: str) -> str:
        return str(self.answer.facts.get(name, ""))


Check = Callable[[Claim], bool]
"""Say whether a claim is true."""


# -- checks of the request


def stands_at(*statuses: str) -> Check:
    """Return the check that the newest request has one of these statuses."""
    return lambda claim: claim.now.status in statuses


def says_status(claim: Claim) -> bool:
    """The status in the answer is that of before or now, or passes by itself."""
    return claim.fact("status") in (claim.before.status, claim.now.status, "issuing", "deleting")


def request_kept(claim: Claim) -> bool:
    """No request was lost, and none went back."""
    before, now = claim.before, claim.now
    return before.request in ("", now.request) and now.version >= before.version


def approved_more(claim: Claim) -> bool:
    """The approval counts: the request is decided, or has one approval more."""
    return claim.now.status in APPROVED or claim.now.approvals > claim.before.approvals


def was_approved(claim: Claim) -> bool:
    """The request has an approval, and nothing was changed."""
    return claim.now.approvals > 0 and unchanged(claim)


# -- checks of keys


def off(claim: Claim) -> bool:
    """The key does not work."""
    return claim.now.keys.get(claim.key) != "Active"


def deleted(claim: Claim) -> bool:
    """IAM does not have the key any more."""
    return claim.key not in claim.now.keys


def will_be_deleted(claim: Claim) -> bool:
    """IAM does not have the key any more, or its deletion is on record."""
    return deleted(claim) or claim.now.desired.get(claim.key) == "deleted"


def will_be_off(claim: Claim) -> bool:
    """The key does not work, or it is on record that it must not."""
    return off(claim) or claim.now.desired.get(claim.key) in ("inactive", "deleted")


def none_made(claim: Claim) -> bool:
    """No key was made."""
    return set(claim.now.keys) <= set(claim.before.keys)


def as_desired(claim: Claim) -> bool:
    """What the answer says that Keydesk will do is on record."""
    return claim.now.desired.get(claim.key) == claim.fact("desired")


def as_recorded(claim: Claim) -> bool:
    """The key's state in the answer is the one on record."""
    return claim.now.desired.get(claim.key) == claim.fact("status")


def not_delivered(claim: Claim) -> bool:
    """IAM does not have the key any more, or no request says that it was delivered."""
    return deleted(claim) or claim.now.status in ("issuing", "approved", "deleting", "expired")


def creation_open(claim: Claim) -> bool:
    """One key at most was made, and the approval is still valid."""
    made = set(claim.now.keys) - set(claim.before.keys)
    return len(made) <= 1 and claim.now.status in REVEALABLE


def slot_freed_in_vain(claim: Claim) -> bool:
    """The old key is deleted, no key was made, and the approval is still valid."""
    return deleted(claim) and none_made(claim) and claim.now.status in REVEALABLE


def slot_not_freed(claim: Claim) -> bool:
    """The old key is there still, no key was made, and Keydesk will try again.

    Where the database did not answer, the old key may be deleted all the same.
    """
    known = claim.fact("cause") not in ("store_unavailable", "")
    return not (known and deleted(claim)) and slot_freed_later(claim)


def slot_freed_later(claim: Claim) -> bool:
    """No key was made, the old key will be deleted, and the approval is valid."""
    return none_made(claim) and will_be_deleted(claim) and claim.now.status in REVEALABLE


# -- checks that nothing was changed


def same_keys(claim: Claim) -> bool:
    """Nothing was changed in IAM."""
    return claim.before.keys == claim.now.keys


def unchanged(claim: Claim) -> bool:
    """Neither the request nor the keys were changed."""
    return _unchanged(claim.before, claim.now, claim.before.status == claim.now.status)


def not_done(claim: Claim) -> bool:
    """Nothing was changed, except that a lease may have begun or ended without a key."""
    before, now = claim.before.status, claim.now.status
    return _unchanged(claim.before, claim.now, before == now or {before, now} <= set(REVEALABLE))


def _unchanged(before: Standing, now: Standing, same_status: bool) -> bool:
    same = (before.request, before.approvals, before.keys) == (now.request, now.approvals, now.keys)
    return same and same_status


def unchanged_with(condition: Callable[[Claim, Standing], bool]) -> Check:
    """Return the check that nothing changed, and a condition held before or now."""
    return lambda claim: (
        unchanged(claim) and any(condition(claim, one) for one in (claim.before, claim.now))
    )


def never(claim: Claim) -> bool:
    """The answer is never correct."""
    return False
