"""Create a request for a key, and cancel it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.commands import Command, parse
from bot.domain.errors import AlreadyOpen, KeydeskError, TooManyKeys
from bot.domain.identity import Member
from bot.domain.outside_errors import IamUnavailable, SlackUnavailable, StoreUnavailable
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.operations import confirm_receipt, create_request, decide_request, reveal_key
from bot.operations.create_request import RequestOptions
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, World, make_desk, reveal

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.fixture
def world() -> World:
    return make_desk()


def create(
    world: World, member: Member = ALICE, reason: str = "deploy", **more: object
) -> KeyRequest:
    return create_request.create(world.services, member, reason, RequestOptions(**more))


def cancel(world: World, request: KeyRequest, member: Member = ALICE) -> KeyRequest:
    return create_request.cancel(world.services, member, request.id)


def test_a_request_is_stored_with_what_approvers_see(world: World) -> None:
    key, _ = world.iam.create_key(ALICE.email)
    request = create(world, reason="  deploy “billing” ")
    assert request == world.now(request)
    assert (request.status, request.requester, request.dm) == (Status.PENDING, ALICE.id, "D0ALICE")
    assert (request.iam_user, request.reason) == (ALICE.email, "deploy “billing”")
    assert [shown.id for shown in request.keys] == [key.id]
    assert request.deadline == world.clock.now() + timedelta(hours=72)
    assert world.slack.rendered == [request.name]
    (entry,) = world.store.entries
    facts = (ALICE.id, "create", "pending", "deploy “billing”")
    assert (entry.by, entry.action, entry.to_status, entry.reason) == facts


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("", Code.REASON_MISSING),
        ("x" * 501, Code.REASON_TOO_LONG),
        (f"it is {SECRET}", Code.LOOKS_LIKE_SECRET),
        (f"AKIAIOSFODNN7EXAMPLE/{SECRET} is out", Code.LOOKS_LIKE_SECRET),
    ],
    ids=["empty", "too long", "secret", "secret with its key ID"],
)
def test_a_reason_is_short_and_without_a_secret(world: World, reason: str, code: Code) -> None:
    with world.nothing_happens(), refuses(code):
        create(world, reason=reason)


@pytest.mark.parametrize(
    ("member", "code"),
    [(replace(ALICE, email=""), Code.EMAIL_NOT_CONFIRMED), (CAROL, Code.IAM_USER_NOT_FOUND)],
    ids=["no address", "no IAM user"],
)
def test_a_member_without_an_iam_user_is_refused(world: World, member: Member, code: Code) -> None:
    with world.nothing_happens(), refuses(code):
        create(world, member)


def test_the_owner_tag_must_name_the_requester() -> None:
    world = make_desk(iam_owner_tag="Owner")
    with world.nothing_happens(), refuses(Code.NOT_IN_OWNER_TAG, tag="Owner", slack_user=ALICE.id):
        create(world)
    world.iam.add_user(ALICE.email, Owner=ALICE.id)
    assert create(world).status is Status.PENDING


def test_a_lifetime_beyond_the_longest_is_refused(world: World) -> None:
    with world.nothing_happens(), refuses(Code.LIFETIME_TOO_LONG, lifetime=timedelta(days=366)):
        create(world, lifetime=timedelta(days=366))


def test_two_keys_are_refused_before_approvers_are_asked(world: World) -> None:
    unused, used = (world.iam.create_key(ALICE.email)[0].id for _ in range(2))
    world.iam.use(used)
    with world.nothing_happens(), pytest.raises(TooManyKeys) as refused:
        create(world)
    shown = [(key.id, key.last_used and key.last_used.at) for key in refused.value.keys]
    assert shown == [(unused, None), (used, world.clock.now())]


@pytest.mark.parametrize(
    ("call", "outage"),
    [
        ("issuer.user", IamUnavailable("GetUser")),
        ("issuer.keys", IamUnavailable("ListAccessKeys")),
        ("messenger.dm", SlackUnavailable("conversations.open", "fatal_error")),
        ("store.commit", StoreUnavailable()),
    ],
)
def test_during_an_outage_nothing_is_requested(
    world: World, call: str, outage: KeydeskError
) -> None:
    world.taps.on(call, before=outage)
    with world.nothing_happens(), refuses(outage.code):
        create(world)


@pytest.mark.parametrize("state", ["pending", "approved", "delivered", "unclaimed"])
def test_a_second_request_is_refused_with_the_first(world: World, state: str) -> None:
    first = getattr(world, state)()
    with world.nothing_happens(), pytest.raises(AlreadyOpen) as refused:
        create(world, reason="another")
    error = refused.value
    assert (error.code, error.request_id) == (Code.REQUEST_ALREADY_OPEN, first.id)
    assert error.facts == {
        "status": state,
        "verb": "create",
        "reason": first.reason,
        "key_id": first.access_key_id,
        "at": first.requested_at,
    }


def test_of_two_requests_at_the_same_moment_one_is_stored(world: World) -> None:
    world.taps.on("store.commit", before=lambda: create(world, reason="the faster one"))
    with refuses(Code.REQUEST_ALREADY_OPEN, reason="the faster one"):
        create(world, reason="the slower one")
    assert [request.reason for request in world.store.requests_of(ALICE.id)] == ["the faster one"]


def test_other_members_may_request_at_the_same_time(world: World) -> None:
    world.pending()
    assert create(world, BOB).status is Status.PENDING


def test_after_a_finished_request_another_may_be_created(world: World) -> None:
    confirm_receipt.confirm(world.services, ALICE, world.delivered().access_key_id)
    second = decide_request.approve(world.services, CAROL, create(world).id)
    reveal(world, second)
    assert len(world.iam.active) == 2


# -- cancel


@pytest.mark.parametrize("state", ["pending", "approved"])
def test_a_requester_cancels_and_may_request_again(world: World, state: str) -> None:
    request = cancel(world, getattr(world, state)())
    end = (request.status, request.last_event_by, request.deadline)
    assert end == (Status.CANCELLED, ALICE.id, None)
    assert world.pending().status is Status.PENDING


def test_only_the_requester_cancels(world: World) -> None:
    request = world.pending()
    unknown = replace(request, id="id9")
    with world.nothing_happens():
        for member, one in ((BOB, request), (CAROL, request), (ALICE, unknown)):
            with refuses(Code.NOT_THE_REQUESTER):
                cancel(world, one, member)


@pytest.mark.parametrize("state", ["delivered", "unclaimed"])
def test_a_request_with_a_key_is_not_cancelled(world: World, state: str) -> None:
    request = getattr(world, state)()
    with world.nothing_happens(), refuses(Code.REQUEST_MOVED_ON, status=state):
        cancel(world, request)


def test_a_click_expires_an_overdue_request(world: World) -> None:
    request = world.pending()
    world.clock.advance(timedelta(hours=72))
    with refuses(Code.REQUEST_MOVED_ON, status="expired"):
        cancel(world, request)
    assert world.now(request).status is Status.EXPIRED


# -- An expired request names the command that requests again.


VERBS_AGAIN = ["create", "rotate", "create --user ci-deploy"]
again_with = pytest.mark.parametrize("again", VERBS_AGAIN)


def approved_for(again: str) -> tuple[World, Member, KeyRequest]:
    """Return a world, and an approved request that is made again by `again`."""
    world = make_desk(iam_owner_tag="owner")
    for user, owner in ((ALICE.email, ALICE), (BOB.email, BOB), ("ci-deploy", BOB)):
        world.iam.add_user(user, owner=owner.id)
    if again == "create":
        return world, ALICE, world.approved()
    if again == "rotate":
        return world, ALICE, world.rotating()
    request = create(world, BOB, service_user="ci-deploy")
    return world, BOB, decide_request.approve(world.services, CAROL, request.id)


@again_with
def test_after_the_last_reveal_the_same_verb_asks_again(again: str) -> None:
    world, member, request = approved_for(again)
    for _ in range(3):
        shown = reveal_key.reveal(world.services, member, request.id)
        confirm_receipt.did_not_get(world.services, member, shown.access_key_id)
    now = world.now(request)
    assert (now.status, now.verb_again) == (Status.EXPIRED, again)


@again_with
def test_a_recreated_iam_user_names_the_same_verb(again: str) -> None:
    world, member, request = approved_for(again)
    world.iam.add_user(request.iam_user, "AIDARECREATED", owner=member.id)
    verb, _, user = again.partition(" --user ")
    with (
        world.nothing_happens(),
        refuses(Code.IAM_USER_RECREATED, verb=verb, service_user=user),
    ):
        reveal_key.reveal(world.services, member, request.id)
    assert request.verb_again == again
    assert parse(again) == Command(verb, user=user), "what they type opens a form"
