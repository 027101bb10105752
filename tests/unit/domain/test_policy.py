"""Who may do what. First of all, no user decides about their own request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain import policy
from bot.domain.codes import Code
from bot.domain.errors import TooManyKeys
from bot.domain.identity import IamUser, Member
from bot.domain.keys import AccessKey, DesiredState, InactiveReason, KeyStatus, ManagedKey, Origin
from bot.domain.requests import Approval
from tests.support.errors import refusal, refuses
from tests.support.world import ALICE, BOB, CAROL, ERIN, TEAM
from tests.unit.domain.test_requests import a_request

APPROVERS = frozenset({ALICE.id, CAROL.id})
NOW = datetime(2026, 11, 24, 10, 2, tzinfo=UTC)
DAY = timedelta(days=1)
REQUEST = a_request()
"""A request of Alice's, for the IAM user Alice@example.com."""
SHARED = "alice@EXAMPLE.com"


def an_iam_user(name: str = "alice", user_id: str = "AIDA", **tags: str) -> IamUser:
    return IamUser(name, user_id, "arn:aws:iam::111122223333:user/x", NOW, tags)


@pytest.mark.parametrize(
    ("member", "iam_users", "code"),
    [
        pytest.param(ALICE, {"alice@example.com"}, Code.OWN_REQUEST, id="own, as an approver"),
        pytest.param(ALICE, set(), Code.OWN_REQUEST, id="own, without an IAM user"),
        pytest.param(BOB, {"bob@example.com"}, Code.NOT_AN_APPROVER, id="no approver"),
        pytest.param(BOB, {SHARED}, Code.NOT_AN_APPROVER, id="no approver, same IAM user"),
        pytest.param(CAROL, {SHARED}, Code.SAME_IAM_USER, id="same IAM user in capitals"),
        pytest.param(CAROL, {"carol@example.com", SHARED}, Code.SAME_IAM_USER, id="one of two"),
        pytest.param(CAROL, {"carol@example.com"}, None, id="approver"),
        pytest.param(CAROL, set(), None, id="approver without an IAM user"),
    ],
)
def test_an_approver_decides_about_other_iam_users_only(
    member: Member, iam_users: set[str], code: Code | None
) -> None:
    decision = (member, frozenset(iam_users), APPROVERS, REQUEST)
    assert refusal(policy.check_may_decide, *decision) == code


@pytest.mark.parametrize(
    ("approved", "missing"), [((), None), ((ERIN,), None), ((CAROL,), 2), ((ERIN, CAROL), 1)]
)
def test_no_users_approval_counts_twice(approved: tuple[Member, ...], missing: int | None) -> None:
    approvals = tuple(Approval(member.id, NOW) for member in approved)
    request = replace(REQUEST, approvals_needed=3, approvals=approvals)
    if missing is None:
        policy.check_not_approved_yet(CAROL, request)
    else:
        with refuses(Code.ALREADY_APPROVED, missing=missing, repeat_helps=False):
            policy.check_not_approved_yet(CAROL, request)


@pytest.mark.parametrize(
    ("required", "extra", "needed"), [(1, False, 1), (1, True, 2), (5, True, 6)]
)
def test_a_risky_request_may_need_one_more_approval(
    required: int, extra: bool, needed: int
) -> None:
    count = policy.count_approvals_needed(required, extra_approval=extra, urgent=False)
    assert count == needed


@pytest.mark.parametrize(
    "change",
    [
        {"deleted": True},
        {"is_bot": True},
        {"is_guest": True},
        {"is_external": True},
        {"team_id": "T0OTHER"},
        {"team_id": ""},
    ],
    ids=["deactivated", "bot", "guest", "external", "other workspace", "no workspace"],
)
def test_only_full_members_of_the_workspace_use_keydesk(change: dict[str, Any]) -> None:
    assert refusal(policy.check_member, replace(ALICE, **change), TEAM) == Code.NOT_A_MEMBER
    policy.check_member(ALICE, TEAM)


@pytest.mark.parametrize(
    ("tags", "owned"),
    [
        ({"Owner": "U0ALICE"}, True),
        ({"Owner": "U0BOB U0ALICE"}, True),
        ({"Owner": "U0BOB,U0ALICE"}, True),
        ({"Owner": "U0BOB/U0ALICE"}, True),
        ({"Owner": "U0BOB"}, False),
        ({"Owner": "U0ALICES"}, False),
        ({}, False),
        ({"owner": "U0ALICE"}, False),
        ({"Owner": ""}, False),
    ],
)
def test_a_configured_owner_tag_must_name_the_member(tags: Mapping[str, str], owned: bool) -> None:
    user = an_iam_user(**tags)
    policy.check_owner_tag(ALICE, user, "")
    if owned:
        policy.check_owner_tag(ALICE, user, "Owner")
    else:
        with refuses(Code.NOT_IN_OWNER_TAG, tag="Owner", slack_user="U0ALICE"):
            policy.check_owner_tag(ALICE, user, "Owner")


@pytest.mark.parametrize(
    ("tag", "named"),
    [
        ("U0ALICE", {"U0ALICE"}),
        ("U0ALICE U0BOB", {"U0ALICE", "U0BOB"}),
        ("U0ALICE,S0OPS", {"U0ALICE", "S0OPS"}),
        ("U0ALICE;U0BOB+U0CAROL/S0OPS", {"U0ALICE", "U0BOB", "U0CAROL", "S0OPS"}),
        (" , ", set()),
        ("", set()),
    ],
)
def test_an_owner_tag_allows_several_separators(tag: str, named: set[str]) -> None:
    user = an_iam_user(owner=tag)
    assert policy.tagged_owners(user, "owner") == named
    assert policy.tagged_owners(user, "Owner") == policy.tagged_owners(user, "") == frozenset()


@pytest.mark.parametrize(
    ("name", "user_id", "account", "code"),
    [
        ("Alice@example.com", "AIDAALICE", "111122223333", None),
        ("alice@example.com", "AIDAALICE", "111122223333", None),
        ("bob@example.com", "AIDAALICE", "111122223333", Code.MATCHED_TO_OTHER_USER),
        ("Alice@example.com", "AIDANEW", "111122223333", Code.IAM_USER_RECREATED),
        ("Alice@example.com", "AIDAALICE", "999999999999", Code.IAM_USER_RECREATED),
    ],
)
def test_the_iam_user_must_be_that_of_the_request(
    name: str, user_id: str, account: str, code: Code | None
) -> None:
    user = replace(an_iam_user(name, user_id), arn=f"arn:aws:iam::{account}:user/x")
    assert refusal(policy.check_same_identity, user, REQUEST) == code


def test_only_the_requester_does_what_is_the_requesters() -> None:
    policy.check_requester(ALICE, REQUEST)
    assert refusal(policy.check_requester, CAROL, REQUEST) == Code.NOT_THE_REQUESTER
    assert refusal(policy.check_requester, ALICE, None) == Code.NOT_THE_REQUESTER


def test_only_an_approver_does_what_is_the_approvers() -> None:
    policy.check_approver(CAROL, APPROVERS)
    assert refusal(policy.check_approver, BOB, APPROVERS) == Code.NOT_AN_APPROVER


ON = AccessKey("AKIAOLD", "alice", KeyStatus.ACTIVE, NOW - 400 * DAY)
OFF = replace(ON, status=KeyStatus.INACTIVE)
YOUNG = AccessKey("AKIAYOUNG", "alice", KeyStatus.ACTIVE, NOW - 3 * DAY)


def test_two_keys_are_refused_with_the_keys() -> None:
    policy.check_free_slot([])
    policy.check_free_slot([ON])
    with pytest.raises(TooManyKeys) as caught:
        policy.check_free_slot([YOUNG, ON])
    assert (caught.value.code, caught.value.keys) == (Code.TOO_MANY_KEYS, (YOUNG, ON))


@pytest.mark.parametrize(
    ("lifetime", "longest", "allowed"),
    [
        (30 * DAY, 365 * DAY, True),
        (365 * DAY, 365 * DAY, True),
        (None, None, True),
        (9999 * DAY, None, True),
        (366 * DAY, 365 * DAY, False),
        (None, 365 * DAY, False),
        (DAY, DAY / 2, False),
        (2 * DAY, 1.5 * DAY, False),
    ],
)
def test_a_key_lives_no_longer_than_the_longest(
    lifetime: timedelta | None, longest: timedelta | None, allowed: bool
) -> None:
    if allowed:
        policy.check_lifetime(lifetime, longest)
    else:
        with refuses(Code.LIFETIME_TOO_LONG, lifetime=lifetime, longest=longest):
            policy.check_lifetime(lifetime, longest)


def a_record(reason: InactiveReason = InactiveReason.NONE, **fields: Any) -> ManagedKey:
    """Return the record of an inactive key of Alice's."""
    record = ManagedKey(
        ON.id,
        "111122223333",
        "alice",
        ALICE.id,
        "",
        Origin.ADOPTED,
        ON.created_at,
        DesiredState.INACTIVE,
    )
    return replace(record, inactive_reason=reason, **fields)


@pytest.mark.parametrize(
    ("observed", "record", "code"),
    [
        (OFF, None, None),
        (OFF, a_record(), None),
        (OFF, a_record(InactiveReason.EXPIRED), None),
        (ON, None, Code.KEY_ALREADY_ACTIVE),
        (OFF, a_record(leaked=True), Code.KEY_IS_LEAKED),
        (ON, a_record(leaked=True), Code.KEY_IS_LEAKED),
        (OFF, a_record(desired=DesiredState.DELETED), Code.KEY_IS_BEING_DELETED),
        (OFF, a_record(desired=DesiredState.ACTIVE), None),
    ],
)
def test_a_key_may_be_enabled_unless_leaked_or_deleted(
    observed: AccessKey, record: ManagedKey | None, code: Code | None
) -> None:
    if code is None:
        policy.check_may_enable(observed, record)
    else:
        with refuses(code, key_id=ON.id):
            policy.check_may_enable(observed, record)


FREE = frozenset({"disable", "delete", "enable"})
IN_A_SECOND = NOW + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("verb", "record", "free", "needs"),
    [
        ("enable", None, FREE, False),
        ("enable", None, FREE - {"enable"}, True),
        ("disable", None, FREE, False),
        ("create", None, FREE, True),
        ("enable", a_record(InactiveReason.DISABLED), FREE, False),
        ("enable", a_record(InactiveReason.ROTATED), FREE, False),
        ("enable", a_record(InactiveReason.CONSOLE), FREE, False),
        ("enable", a_record(InactiveReason.EXPIRED), FREE, True),
        ("enable", a_record(InactiveReason.UNCLAIMED), FREE, True),
        ("enable", a_record(InactiveReason.ORPHANED), FREE, True),
        ("enable", a_record(InactiveReason.LEAKED), FREE, True),
        ("enable", a_record(origin=Origin.ORPHANED), FREE, True),
        ("enable", a_record(InactiveReason.DISABLED, expires_at=NOW), FREE, True),
        ("enable", a_record(InactiveReason.DISABLED, expires_at=IN_A_SECOND), FREE, False),
        ("disable", a_record(InactiveReason.EXPIRED), FREE, False),
    ],
)
def test_what_keydesk_ended_is_not_free_of_approval(
    verb: str, record: ManagedKey | None, free: frozenset[str], needs: bool
) -> None:
    assert policy.needs_approval(verb, record, free, NOW) is needs
