"""Asking for a key: what would fail later is found out before any approver is bothered; one request at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.errors import (
    AlreadyOpen,
    BadCommand,
    IamUnavailable,
    IamUserNotFound,
    KeydeskError,
    LooksLikeSecret,
    NoIamUser,
    SlackUnavailable,
    StoreUnavailable,
    TooManyKeys,
)
from bot.domain.identity import IamMapping
from bot.domain.states import Status
from bot.operations import (
    confirm_receipt,
    create_request,
    decide_request,
    reveal_key,
)
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, make_desk


def test_a_request_is_stored_with_the_facts_that_approvers_see() -> None:
    world = make_desk()
    first, _ = world.iam.create_key(ALICE.email)
    request = create_request.create(world.services, ALICE, "  deploy “billing” ")
    assert request == world.now(request)
    assert (request.status, request.requester, request.dm, request.iam_user, request.reason) == (
        Status.PENDING,
        ALICE.id,
        "D0ALICE",
        ALICE.email,
        "deploy “billing”",
    )
    assert [key.id for key in request.keys] == [first.id]
    assert request.deadline == world.clock.now() + timedelta(hours=72)
    assert world.slack.rendered == [request.name]
    (entry,) = world.store.entries
    assert (entry.by, entry.action, entry.to_status, entry.reason) == (
        ALICE.id,
        "create",
        "pending",
        "deploy “billing”",
    )


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        ("", BadCommand),
        ("x" * 501, BadCommand),
        ("it is wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", LooksLikeSecret),
        ("AKIAIOSFODNN7EXAMPLE/wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY is out", LooksLikeSecret),
    ],
)
def test_a_reason_that_is_none_is_refused(reason: str, error: type[KeydeskError]) -> None:
    world = make_desk()
    with world.nothing_happens(), pytest.raises(error):
        create_request.create(world.services, ALICE, reason)


def test_a_person_without_an_iam_user_is_refused() -> None:
    world = make_desk()
    with world.nothing_happens():
        with pytest.raises(NoIamUser):
            create_request.create(world.services, replace(ALICE, email=""), "deploy")
        with pytest.raises(IamUserNotFound):
            create_request.create(world.services, CAROL, "deploy")


def test_a_person_whom_the_owner_tag_does_not_name_is_refused() -> None:
    world = make_desk(iam_owner_tag="Owner")
    with world.nothing_happens(), refuses(Code.NOT_IN_OWNER_TAG, tag="Owner", slack_user=ALICE.id):
        create_request.create(world.services, ALICE, "deploy")
    world.iam.add_user(ALICE.email, Owner=ALICE.id)
    assert create_request.create(world.services, ALICE, "deploy").status is Status.PENDING


def test_a_person_with_two_keys_is_told_about_them_before_any_approver_is_bothered() -> None:
    world = make_desk()
    ids = [world.iam.create_key(ALICE.email)[0].id for _ in range(2)]
    world.iam.use(ids[1])
    with (
        world.nothing_happens(),
        pytest.raises(TooManyKeys) as refused,
    ):
        create_request.create(world.services, ALICE, "deploy")
    assert [key.id for key in refused.value.keys] == ids
    assert [key.last_used and key.last_used.at for key in refused.value.keys] == [
        None,
        world.clock.now(),
    ]


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        ("issuer.user", IamUnavailable("GetUser")),
        ("issuer.keys", IamUnavailable("ListAccessKeys")),
        ("messenger.dm", SlackUnavailable("conversations.open", "fatal_error")),
        ("store.commit", StoreUnavailable()),
    ],
)
def test_while_something_outside_is_away_nothing_is_asked(call: str, problem: KeydeskError) -> None:
    world = make_desk()
    world.taps.on(call, before=problem)
    with world.nothing_happens(), pytest.raises(type(problem)):
        create_request.create(world.services, ALICE, "deploy")


@pytest.mark.parametrize("state", ["pending", "approved", "delivered", "unclaimed"])
def test_while_a_request_is_open_a_second_is_refused_with_a_pointer_to_the_first(
    state: str,
) -> None:
    world = make_desk()
    first = getattr(world, state)()
    with world.nothing_happens(), pytest.raises(AlreadyOpen) as refused:
        create_request.create(world.services, ALICE, "another")
    error = refused.value
    assert (error.code, error.request_id) == (Code.REQUEST_ALREADY_OPEN, first.id)
    assert error.facts == {
        "status": state,
        "verb": "create",
        "reason": first.reason,
        "key_id": first.access_key_id,
        "at": first.requested_at,
    }


def test_of_two_requests_at_the_same_moment_one_is_stored() -> None:
    world = make_desk()
    world.taps.on(
        "store.commit",
        before=lambda: create_request.create(world.services, ALICE, "the faster one"),
    )
    with pytest.raises(AlreadyOpen):
        create_request.create(world.services, ALICE, "the slower one")
    assert [request.reason for request in world.store.requests_of(ALICE.id)] == ["the faster one"]


def test_two_people_of_one_iam_user_have_one_request_and_each_is_told_whose_it_is() -> None:
    world = make_desk(
        iam_mapping=IamMapping("", pairs={ALICE.id: ALICE.email, BOB.id: ALICE.email})
    )
    create_request.create(world.services, ALICE, "deploy")
    with (
        world.nothing_happens(),
        refuses(Code.OTHER_REQUEST_OPEN, by="U0ALICE"),
    ):
        create_request.create(world.services, BOB, "deploy")


def test_other_people_ask_at_the_same_time() -> None:
    world = make_desk()
    world.pending()
    assert create_request.create(world.services, BOB, "deploy").status is Status.PENDING


@pytest.mark.parametrize("state", ["pending", "approved"])
def test_its_requester_takes_a_request_back_and_may_ask_again(state: str) -> None:
    world = make_desk()
    request = create_request.cancel(world.services, ALICE, getattr(world, state)().id)
    assert (request.status, request.last_event_by, request.deadline) == (
        Status.CANCELLED,
        ALICE.id,
        None,
    )
    assert world.pending().status is Status.PENDING


@pytest.mark.parametrize("member", [BOB, CAROL])
def test_nobody_else_takes_it_back(member: object) -> None:
    world = make_desk()
    request = world.pending()
    with world.nothing_happens(), refuses(Code.NOT_THE_REQUESTER):
        create_request.cancel(world.services, member, request.id)


@pytest.mark.parametrize("state", ["delivered", "unclaimed"])
def test_a_request_with_a_key_is_not_taken_back(state: str) -> None:
    world = make_desk()
    request = getattr(world, state)()
    with world.nothing_happens(), refuses(Code.REQUEST_MOVED_ON, status=state):
        create_request.cancel(world.services, ALICE, request.id)


def test_a_request_that_nobody_knows_is_not_taken_back() -> None:
    with refuses(Code.NOT_THE_REQUESTER):
        create_request.cancel(make_desk().services, ALICE, "id9")


def test_a_request_whose_time_is_over_lapses_at_the_click_and_says_so() -> None:
    world = make_desk()
    request = world.pending()
    world.clock.advance(timedelta(hours=72))
    with refuses(Code.REQUEST_MOVED_ON, status="expired"):
        create_request.cancel(world.services, ALICE, request.id)
    assert world.now(request).status is Status.EXPIRED


def test_after_a_finished_request_the_next_may_be_made() -> None:
    world = make_desk()
    request = world.delivered()
    confirm_receipt.confirm(world.services, ALICE, request.access_key_id)
    second = decide_request.approve(
        world.services, CAROL, create_request.create(world.services, ALICE, "a second one").id
    )
    reveal_key.reveal(world.services, ALICE, second.id)
    assert len(world.iam.active) == 2
