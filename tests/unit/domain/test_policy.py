"""Who may do what, as tables; nobody decides about their own comes first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain import policy
from bot.domain.codes import Code
from bot.domain.errors import (
    IdentityChanged,
    KeyIsLeaked,
    NotAMember,
    TooManyKeys,
)
from bot.domain.identity import IamUser, Member
from bot.domain.keys import (
    AccessKey,
    DesiredState,
    InactiveReason,
    KeyStatus,
    LastUsed,
    ManagedKey,
    Origin,
)
from bot.domain.requests import Approval
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, ERIN, TEAM
from tests.unit.domain.test_requests import a_request

APPROVERS = frozenset({ALICE.id, CAROL.id})
NOW = datetime(2026, 11, 24, 10, 2, tzinfo=UTC)
REQUEST = a_request()  # Alice's, for the IAM user Alice@example.com
SHARED = "alice@EXAMPLE.com"


@pytest.mark.parametrize(
    ("member", "iam_users", "refusal"),
    [
        (
            ALICE,
            {"alice@example.com"},
            Code.OWN_REQUEST,
        ),  # first of all, though an approver
        (ALICE, set(), Code.OWN_REQUEST),  # and though mapped to nobody any more
        (BOB, {"bob@example.com"}, Code.NOT_AN_APPROVER),
        (BOB, {SHARED}, Code.NOT_AN_APPROVER),
        (
            CAROL,
            {SHARED},
            Code.SAME_IAM_USER,
        ),  # the same IAM user under another name
        (CAROL, {"carol@example.com", SHARED}, Code.SAME_IAM_USER),  # a list that names her twice
        (CAROL, {"carol@example.com"}, None),
        (CAROL, set(), None),  # approvers need no IAM user
    ],
)
def test_an_approver_decides_about_other_iam_users_only(
    member: Member, iam_users: set[str], refusal: Code | None
) -> None:
    if refusal is None:
        policy.check_may_decide(member, frozenset(iam_users), APPROVERS, REQUEST)
    else:
        with refuses(refusal):
            policy.check_may_decide(member, frozenset(iam_users), APPROVERS, REQUEST)


@pytest.mark.parametrize(
    ("approved", "missing"),
    [
        ((), None),
        ((ERIN.id,), None),
        ((CAROL.id,), 2),
        ((ERIN.id, CAROL.id), 1),
    ],
)
def test_nobodys_approval_counts_twice(approved: tuple[str, ...], missing: int | None) -> None:
    request = replace(
        REQUEST, approvals_needed=3, approvals=tuple(Approval(one, NOW) for one in approved)
    )
    if missing is None:
        policy.check_not_approved_yet(CAROL, request)
    else:
        with refuses(Code.ALREADY_APPROVED, missing=missing, repeat_helps=False):
            policy.check_not_approved_yet(CAROL, request)


@pytest.mark.parametrize(
    ("required", "extra_approval", "approvals_needed"), [(1, False, 1), (1, True, 2), (5, True, 6)]
)
def test_a_risky_request_may_need_one_more_approval(
    required: int, extra_approval: bool, approvals_needed: int
) -> None:
    assert (
        policy.count_approvals_needed(required, extra_approval=extra_approval, urgent=False)
        == approvals_needed
    )


@pytest.mark.parametrize(
    "member",
    [
        replace(ALICE, deleted=True),
        replace(ALICE, is_bot=True),
        replace(ALICE, is_guest=True),
        replace(ALICE, is_external=True),
        replace(ALICE, team_id="T0OTHER"),
        replace(ALICE, team_id=""),
    ],
    ids=["deactivated", "bot", "guest", "stranger", "other workspace", "no workspace"],
)
def test_only_present_full_members_of_the_workspace_use_the_desk(member: Member) -> None:
    with pytest.raises(NotAMember):
        policy.check_member(member, TEAM)
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
    user = IamUser("alice", "AIDA", "arn:aws:iam::111122223333:user/alice", NOW, tags)
    if owned:
        policy.check_owner_tag(ALICE, user, "Owner")
    else:
        with refuses(Code.NOT_IN_OWNER_TAG, tag="Owner", slack_user="U0ALICE"):
            policy.check_owner_tag(ALICE, user, "Owner")
    policy.check_owner_tag(ALICE, user, "")


@pytest.mark.parametrize(
    ("name", "user_id", "account", "changed"),
    [
        ("Alice@example.com", "AIDAALICE", "111122223333", None),
        ("alice@example.com", "AIDAALICE", "111122223333", None),
        ("bob@example.com", "AIDAALICE", "111122223333", IdentityChanged),
        ("Alice@example.com", "AIDANEW", "111122223333", IdentityChanged),
        ("Alice@example.com", "AIDAALICE", "999999999999", IdentityChanged),
    ],
)
def test_the_iam_user_must_still_be_the_one_that_asked(
    name: str, user_id: str, account: str, changed: type[IdentityChanged] | None
) -> None:
    user = IamUser(name, user_id, f"arn:aws:iam::{account}:user/x", NOW)
    if changed is None:
        policy.check_same_identity(user, REQUEST)
    else:
        with pytest.raises(changed):
            policy.check_same_identity(user, REQUEST)


def test_only_the_requester_does_what_is_the_requesters() -> None:
    policy.check_requester(ALICE, REQUEST)
    for request in (REQUEST, None):
        with refuses(Code.NOT_THE_REQUESTER):
            policy.check_requester(CAROL, request)


def test_only_an_approver_does_what_is_the_approvers() -> None:
    policy.check_approver(CAROL, APPROVERS)
    with refuses(Code.NOT_AN_APPROVER):
        policy.check_approver(BOB, APPROVERS)


def key(
    id_: str, days: int, status: KeyStatus = KeyStatus.ACTIVE, used: LastUsed | None = None
) -> AccessKey:
    return AccessKey(id_, "alice", status, NOW - timedelta(days=days), used)


OLD = key("AKIAOLD", 400, used=LastUsed(NOW - timedelta(days=2), "s3", "eu-central-1"))
YOUNG = key("AKIAYOUNG", 3, used=LastUsed())


def test_with_one_key_there_is_room() -> None:
    policy.check_free_slot([])
    policy.check_free_slot([OLD])


def test_two_keys_are_refused_with_the_keys() -> None:
    with pytest.raises(TooManyKeys) as refused:
        policy.check_free_slot([YOUNG, OLD])
    assert (refused.value.code, refused.value.keys) == (Code.TOO_MANY_KEYS, (YOUNG, OLD))


def record(**permissions: object) -> ManagedKey:
    return ManagedKey(
        "AKIAOLD",
        "111122223333",
        "alice",
        ALICE.id,
        "",
        Origin.ADOPTED,
        OLD.created_at,
        DesiredState.INACTIVE,
        **permissions,
    )  # type: ignore[arg-type]  # fields by name


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
    user = IamUser("ci", "AIDA", "arn:aws:iam::111122223333:user/ci", NOW, {"owner": tag})
    assert policy.tagged_owners(user, "owner") == named
    assert policy.tagged_owners(user, "Owner") == policy.tagged_owners(user, "") == frozenset()


DAY = timedelta(days=1)


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


OFF = replace(OLD, status=KeyStatus.INACTIVE)


@pytest.mark.parametrize(
    ("observed", "kept", "refusal"),
    [
        (OFF, None, None),
        (OFF, record(), None),
        (OFF, record(inactive_reason=InactiveReason.EXPIRED), None),
        (OLD, None, Code.KEY_ALREADY_ACTIVE),
        (OFF, record(leaked=True), KeyIsLeaked),
        (OLD, record(leaked=True), KeyIsLeaked),
        (OFF, replace(record(), desired=DesiredState.DELETED), Code.KEY_IS_BEING_DELETED),
        (OFF, replace(record(), desired=DesiredState.ACTIVE), None),
    ],
)
def test_an_inactive_key_may_be_enabled_unless_leaked_or_deleted(
    observed: AccessKey, kept: ManagedKey | None, refusal: Code | type[Exception] | None
) -> None:
    if refusal is None:
        policy.check_may_enable(observed, kept)
    elif isinstance(refusal, Code):
        with refuses(refusal, key_id=OLD.id):
            policy.check_may_enable(observed, kept)
    else:
        with pytest.raises(refusal):
            policy.check_may_enable(observed, kept)


FREE = frozenset({"disable", "delete", "enable"})


@pytest.mark.parametrize(
    ("verb", "kept", "free", "needs"),
    [
        ("enable", None, FREE, False),
        ("enable", None, FREE - {"enable"}, True),
        ("disable", None, FREE, False),
        ("create", None, FREE, True),
        ("enable", record(inactive_reason=InactiveReason.DISABLED), FREE, False),
        ("enable", record(inactive_reason=InactiveReason.ROTATED), FREE, False),
        ("enable", record(inactive_reason=InactiveReason.CONSOLE), FREE, False),
        ("enable", record(inactive_reason=InactiveReason.EXPIRED), FREE, True),
        ("enable", record(inactive_reason=InactiveReason.UNCLAIMED), FREE, True),
        ("enable", record(inactive_reason=InactiveReason.ORPHANED), FREE, True),
        ("enable", record(inactive_reason=InactiveReason.LEAKED), FREE, True),
        ("enable", replace(record(), origin=Origin.ORPHANED), FREE, True),
        ("enable", record(inactive_reason=InactiveReason.DISABLED, expires_at=NOW), FREE, True),
        (
            "enable",
            record(inactive_reason=InactiveReason.DISABLED, expires_at=NOW + timedelta(seconds=1)),
            FREE,
            False,
        ),
        ("disable", record(inactive_reason=InactiveReason.EXPIRED), FREE, False),
    ],
)
def test_what_the_desk_ended_is_not_free_of_approval(
    verb: str, kept: ManagedKey | None, free: frozenset[str], needs: bool
) -> None:
    assert policy.needs_approval(verb, kept, free, NOW) is needs
