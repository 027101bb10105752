"""Who may do what, as tables; nobody decides about their own comes first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.config.validators import duration
from bot.domain import policy
from bot.domain.commands import parse_lifetime
from bot.domain.errors import (
    IdentityChanged,
    KeyIsLeaked,
    NotAllowed,
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
            "Nobody decides their own request",
        ),  # first of all, though an approver
        (ALICE, set(), "Nobody decides their own request"),  # and though mapped to nobody any more
        (BOB, {"bob@example.com"}, "Only the desk's approvers"),
        (BOB, {SHARED}, "Only the desk's approvers"),
        (
            CAROL,
            {SHARED},
            "share the IAM user Alice@example.com",
        ),  # the same IAM user under another name
        (CAROL, {"carol@example.com", SHARED}, "share the IAM user"),  # a list that names her twice
        (CAROL, {"carol@example.com"}, None),
        (CAROL, set(), None),  # approvers need no IAM user
    ],
)
def test_an_approver_decides_who_neither_asked_nor_shares_the_iam_user(
    member: Member, iam_users: set[str], refusal: str | None
) -> None:
    if refusal is None:
        policy.check_may_decide(member, frozenset(iam_users), APPROVERS, REQUEST)
    else:
        with pytest.raises(NotAllowed, match=refusal):
            policy.check_may_decide(member, frozenset(iam_users), APPROVERS, REQUEST)


@pytest.mark.parametrize(
    ("approved", "refusal"),
    [
        ((), None),
        ((ERIN.id,), None),
        ((CAROL.id,), "You have approved this already; two more are needed"),
        ((ERIN.id, CAROL.id), "You have approved this already; one more is needed"),
    ],
)
def test_nobodys_approval_counts_twice(approved: tuple[str, ...], refusal: str | None) -> None:
    request = replace(
        REQUEST, approvals_needed=3, approvals=tuple(Approval(one, NOW) for one in approved)
    )
    if refusal is None:
        policy.check_not_approved_yet(CAROL, request)
    else:
        with pytest.raises(NotAllowed, match=refusal):
            policy.check_not_approved_yet(CAROL, request)


@pytest.mark.parametrize(
    ("required", "extra_approval", "approvals_needed"), [(1, False, 1), (1, True, 2), (5, True, 6)]
)
def test_a_request_that_may_be_risky_needs_one_more_approval_where_the_desk_says_so(
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
def test_where_an_owner_tag_is_configured_it_must_name_the_person(
    tags: Mapping[str, str], owned: bool
) -> None:
    user = IamUser("alice", "AIDA", "arn:aws:iam::111122223333:user/alice", NOW, tags)
    if owned:
        policy.check_owner_tag(ALICE, user, "Owner")
    else:
        with pytest.raises(NotAllowed, match="U0ALICE"):
            policy.check_owner_tag(ALICE, user, "Owner")
    policy.check_owner_tag(ALICE, user, "")


@pytest.mark.parametrize(
    ("name", "user_id", "account", "changed"),
    [
        ("Alice@example.com", "AIDAALICE", "111122223333", None),
        ("alice@example.com", "AIDAALICE", "111122223333", None),
        ("bob@example.com", "AIDAALICE", "111122223333", "another IAM user"),
        ("Alice@example.com", "AIDANEW", "111122223333", "made anew"),
        ("Alice@example.com", "AIDAALICE", "999999999999", "made anew"),
    ],
)
def test_the_iam_user_must_still_be_the_one_that_asked(
    name: str, user_id: str, account: str, changed: str | None
) -> None:
    user = IamUser(name, user_id, f"arn:aws:iam::{account}:user/x", NOW)
    if changed is None:
        policy.check_same_identity(user, REQUEST)
    else:
        with pytest.raises(IdentityChanged, match=changed):
            policy.check_same_identity(user, REQUEST)


def test_only_the_requester_does_what_is_the_requesters() -> None:
    policy.check_requester(ALICE, REQUEST)
    with pytest.raises(NotAllowed):
        policy.check_requester(CAROL, REQUEST)


def test_only_an_approver_does_what_is_the_approvers() -> None:
    policy.check_approver(CAROL, APPROVERS)
    with pytest.raises(NotAllowed):
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


def test_with_two_keys_the_refusal_says_which_is_older_when_each_was_used_and_how_to_make_room() -> (
    None
):
    with pytest.raises(TooManyKeys) as refused:
        policy.check_free_slot([YOUNG, OLD])
    assert refused.value.keys == (YOUNG, OLD)
    assert refused.value.sentence == (
        "You have two access keys already, which is all AWS allows: "
        "AKIAYOUNG (active, made 21 Nov 2026, 10:02 UTC, never used); "
        "AKIAOLD (active, made 20 Oct 2025, 10:02 UTC, last used 22 Nov 2026, 10:02 UTC for s3 in eu-central-1, the "
        "older one). Deleting one makes room: `/key disable AKIAOLD`, then `/key delete AKIAOLD`; "
        "`/key rotate AKIAOLD` gives you another in its place."
    )


def test_an_inactive_key_is_the_one_to_delete() -> None:
    with pytest.raises(
        TooManyKeys, match=r"`/key delete AKIAYOUNG` makes room; `/key rotate AKIA[A-Z]+` gives"
    ):
        policy.check_free_slot([OLD, replace(YOUNG, status=KeyStatus.INACTIVE)])


def test_a_last_use_that_was_not_asked_for_is_not_taken_for_never() -> None:
    assert policy.last_used_text(replace(OLD, last_used=None)) == "last use unknown"


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
def test_an_owner_tag_names_people_and_groups_however_they_are_separated(
    tag: str, named: set[str]
) -> None:
    user = IamUser("ci", "AIDA", "arn:aws:iam::111122223333:user/ci", NOW, {"owner": tag})
    assert policy.tagged_owners(user, "owner") == named
    assert policy.tagged_owners(user, "Owner") == policy.tagged_owners(user, "") == frozenset()


DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("lifetime", "longest", "hint"),
    [
        (30 * DAY, 365 * DAY, None),
        (365 * DAY, 365 * DAY, None),
        (None, None, None),
        (9999 * DAY, None, None),
        (
            366 * DAY,
            365 * DAY,
            "365 days here at most, and you asked for 366 days. Ask for less: `--for 365d`",
        ),
        (None, 365 * DAY, "you asked for one without an end"),
        (DAY, DAY / 2, "12 hours here .* 1 day.*`--for 12h`"),
        (2 * DAY, 1.5 * DAY, "36 hours here at most.*`--for 1d`"),
    ],
)
def test_a_key_lives_no_longer_than_the_longest(
    lifetime: timedelta | None, longest: timedelta | None, hint: str | None
) -> None:
    if hint is None:
        policy.check_lifetime(lifetime, longest)
    else:
        with pytest.raises(NotAllowed, match=hint):
            policy.check_lifetime(lifetime, longest)


@pytest.mark.parametrize(
    ("span", "words"),
    [
        ("20m", "20 minutes"),
        ("90m", "90 minutes"),
        ("1m", "1 minute"),
        ("90s", "90 seconds"),
        ("60m", "1 hour"),
        ("36h", "36 hours"),
        ("24h", "1 day"),
        ("2w", "14 days"),
        ("25h", "25 hours"),
    ],
)
def test_a_span_is_said_in_the_longest_unit_of_which_it_is_a_whole_number(
    span: str, words: str
) -> None:
    assert policy.duration_text(duration(span)) == words


@pytest.mark.parametrize(
    ("longest", "mend"),
    [
        ("30m", "Ask without `--for`."),
        ("90m", "Ask for less: `--for 1h`."),
        ("36h", "Ask for less: `--for 1d`."),
    ],
)
def test_who_asks_for_too_long_a_life_is_told_what_would_be_taken(longest: str, mend: str) -> None:
    with pytest.raises(NotAllowed) as refused:
        policy.check_lifetime(timedelta(days=30), duration(longest))
    assert refused.value.sentence.endswith(mend)
    if "--for " in mend:
        typed = parse_lifetime(mend.split("`")[1].removeprefix("--for "))
        policy.check_lifetime(typed, duration(longest))


OFF = replace(OLD, status=KeyStatus.INACTIVE)


@pytest.mark.parametrize(
    ("observed", "kept", "refusal"),
    [
        (OFF, None, None),
        (OFF, record(), None),
        (OFF, record(inactive_reason=InactiveReason.EXPIRED), None),
        (OLD, None, NotAllowed),
        (OFF, record(leaked=True), KeyIsLeaked),
        (OLD, record(leaked=True), KeyIsLeaked),
        (OFF, replace(record(), desired=DesiredState.DELETED), NotAllowed),
        (OFF, replace(record(), desired=DesiredState.ACTIVE), None),
    ],
)
def test_an_inactive_key_may_be_turned_on_again_unless_it_leaked_or_is_going(
    observed: AccessKey, kept: ManagedKey | None, refusal: type[Exception] | None
) -> None:
    if refusal is None:
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
