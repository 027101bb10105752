"""How many must approve, as a setting: what is allowed, what can never be met, and what is only warned of."""

from __future__ import annotations

from tests.unit.config.test_settings import AUDIT_KEY, problem, with_


def test_a_quorum_is_one_to_five_approvers() -> None:
    assert [with_(APPROVALS_REQUIRED=n, APPROVERS="S0A").approvals_required for n in "12345"] == [
        1,
        2,
        3,
        4,
        5,
    ]
    for text in ("0", "6", "-1", "1.5", "two", "01"):
        assert problem(APPROVALS_REQUIRED=text).startswith(
            "APPROVALS_REQUIRED is not a number of approvers."
        )


def test_a_quorum_that_the_people_named_can_never_reach_is_refused_and_one_of_a_group_is_not() -> (
    None
):
    people = {"APPROVERS": "U0A,U0B", "AUDIT_KEY": AUDIT_KEY}
    assert with_(**people, APPROVALS_REQUIRED="2").warnings == ()
    assert problem(**people, APPROVALS_REQUIRED="3").startswith(
        "APPROVALS_REQUIRED is 3, but APPROVERS names fewer people (2)"
    )
    assert with_(APPROVERS="U0A,S0B", APPROVALS_REQUIRED="5", AUDIT_KEY=AUDIT_KEY).warnings == ()


def test_that_no_risky_request_could_be_approved_is_a_warning() -> None:
    people = {"APPROVERS": "U0A,U0B", "APPROVALS_REQUIRED": "2", "AUDIT_KEY": AUDIT_KEY}
    [warning] = with_(**people, RISKY_NEEDS_ONE_MORE="true").warnings
    assert warning.startswith("RISKY_NEEDS_ONE_MORE asks for 3 approvals")
    assert with_(**people, RISKY_NEEDS_ONE_MORE="False").warnings == ()
    assert problem(RISKY_NEEDS_ONE_MORE="maybe").startswith(
        "RISKY_NEEDS_ONE_MORE is neither true nor false."
    )
