"""Identify members: refuse a member or an IAM user that has become another one.

An address counts only while Slack says that it is confirmed. An IAM user is the same only with
the same UserId in the same account. With an owner tag, the tag must name the member.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.codes import Code
from bot.domain.identity import IamMapping, Member
from bot.domain.outside_errors import StoreUnavailable
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.operations import (
    confirm_receipt,
    create_request,
    decide_request,
    disable_key,
    finish_rotation,
    key_owner,
    report_leak,
    reveal_key,
)
from bot.operations.services import Services
from tests.support.errors import refuses
from tests.support.fake_issuer import ACCOUNT
from tests.support.world import ALICE, BOB, CAROL, ERIN, World, make_desk

TAG = {"iam_owner_tag": "owner"}
FREE = {"approval_free": frozenset({"disable", "delete", "enable"})}
DAY = timedelta(days=1)
OTHER_ADDRESS = "alice.adams@example.com"
Changed = Callable[[World], Member]


# -- what a member may do: how it is prepared, and the verb


def received_key(world: World) -> str:
    key_id = world.delivered().access_key_id
    confirm_receipt.confirm(world.services, ALICE, key_id)
    world.clock.advance(DAY)
    return key_id


def inactive_key(world: World) -> str:
    key_id = world.console_key()
    disable_key.disable(world.services, ALICE, key_id)
    return key_id


def rotated_key(world: World) -> str:
    request = world.rotated()
    finish_rotation.disable_old(world.services, ALICE, request.access_key_id)
    return request.target


def enable(services: Services, member: Member, key_id: str) -> KeyRequest | None:
    return create_request.enable(services, member, key_id, "still needed")


VERBS: dict[str, tuple[Callable[[World], str], Callable[[Services, Member, str], Any]]] = {
    "reveal": (lambda world: world.approved().id, reveal_key.reveal),
    "reveal of a rotation": (lambda world: world.rotating(full=True).id, reveal_key.reveal),
    "receipt": (lambda world: world.unclaimed().access_key_id, confirm_receipt.confirm),
    "undo": (rotated_key, finish_rotation.undo),
    "rotate": (received_key, create_request.rotate),
    "extend": (received_key, create_request.extend),
    "used": (received_key, disable_key.last_use),
    "disable": (received_key, disable_key.disable),
    "enable": (inactive_key, enable),
    "delete": (inactive_key, disable_key.delete),
}


# -- how an identity changes


def changed(world: World, **changes: Any) -> Member:
    """Return Alice as Slack shows her from now on."""
    world.people.people[ALICE.id] = replace(ALICE, **changes)
    return world.people.people[ALICE.id]


def has_another_address(world: World) -> Member:
    world.iam.add_user(OTHER_ADDRESS, owner=ALICE.id)
    return changed(world, email=OTHER_ADDRESS)


def has_an_address_without_iam_user(world: World) -> Member:
    return changed(world, email="unknown@example.com")


def has_bobs_address(world: World) -> Member:
    return changed(world, email=BOB.email)


def address_is_not_confirmed(world: World) -> Member:
    return changed(world, email="")


def iam_user_is_deleted(world: World) -> Member:
    world.iam.delete_user(ALICE.email)
    return ALICE


def iam_user_is_recreated(world: World) -> Member:
    iam_user_is_deleted(world)
    world.iam.add_user(ALICE.email, "AIDAANOTHER", owner=ALICE.id)
    return ALICE


def account_is_another(world: World) -> Member:
    """Give Keydesk the credentials of another account, with a user of the same name."""
    iam_user_is_deleted(world)
    world.iam.add_user(ALICE.email, owner=ALICE.id)
    user = world.iam.users[ALICE.email]
    world.iam.users[ALICE.email] = replace(user, arn=user.arn.replace(ACCOUNT, "999988887777"))
    return ALICE


def tag_names_another(world: World) -> Member:
    world.iam.add_user(ALICE.email, owner=BOB.id)
    return ALICE


CHANGES: dict[Changed, Code] = {
    has_another_address: Code.NOT_YOUR_KEY,
    has_an_address_without_iam_user: Code.IAM_USER_NOT_FOUND,
    has_bobs_address: Code.NOT_YOUR_KEY,
    address_is_not_confirmed: Code.EMAIL_NOT_CONFIRMED,
    iam_user_is_deleted: Code.IAM_USER_NOT_FOUND,
    iam_user_is_recreated: Code.NOT_YOUR_KEY,
    account_is_another: Code.NOT_YOUR_KEY,
    tag_names_another: Code.NOT_IN_OWNER_TAG,
}
"""The code with which a change refuses a verb about a key."""

KEYS_ARE_GONE = {iam_user_is_deleted, iam_user_is_recreated, account_is_another}


def code_of(verb: str, change: Changed) -> Code:
    code = CHANGES[change]
    if verb == "receipt" and change in KEYS_ARE_GONE:
        return Code.KEY_GONE
    if verb == "undo" and change is iam_user_is_recreated:
        return Code.CHANGED_KEY_GONE
    if code is not Code.NOT_YOUR_KEY:
        return code
    if verb.startswith("reveal"):
        same_name = change in KEYS_ARE_GONE
        return Code.IAM_USER_RECREATED if same_name else Code.MATCHED_TO_OTHER_USER
    return Code.KEY_OF_FORMER_USER if verb in ("receipt", "undo") else code


def tagged_world(change: Changed | None = None, **settings: Any) -> World:
    """Return a world that needs the owner tag only for a change of the tag.

    Without the tag, the mapping alone must notice the other changes.
    """
    world = make_desk(**(TAG if change is tag_names_another else {}), **settings)
    for member in (ALICE, BOB):
        world.iam.add_user(member.email, owner=member.id)
    return world


# -- what a change of identity refuses


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("verb", VERBS)
def test_a_changed_identity_is_refused(verb: str, change: Changed) -> None:
    world = tagged_world(change, **FREE)
    prepare, act = VERBS[verb]
    subject, code = prepare(world), code_of(verb, change)
    member = change(world)
    active, before = world.iam.active, world.state()
    with refuses(code):
        act(world.services, member, subject)
    assert world.iam.active == active
    # an undo is recorded before IAM says that the old key went with the old user
    assert code is Code.CHANGED_KEY_GONE or world.state() == before


@pytest.mark.parametrize("verb", VERBS)
def test_an_unchanged_identity_is_served(verb: str) -> None:
    world = tagged_world(**FREE)
    prepare, act = VERBS[verb]
    act(world.services, ALICE, prepare(world))


def has_left(world: World) -> Member:
    return changed(world, deleted=True)


def is_a_guest_now(world: World) -> Member:
    return changed(world, is_guest=True)


LOST = CHANGES | {has_left: Code.NOT_A_MEMBER, is_a_guest_now: Code.NOT_A_MEMBER}


@pytest.mark.parametrize("change", LOST)
@pytest.mark.parametrize("verb", ["enable", "extend"])
@pytest.mark.parametrize("by", ["approver", "scheduler"])
def test_a_change_is_not_applied_for_another_identity(by: str, verb: str, change: Changed) -> None:
    world = tagged_world(change)
    prepare, act = VERBS[verb]
    key_id = prepare(world)
    request_id = act(world.services, ALICE, key_id).id
    before, record = world.iam.active, world.record(key_id)
    if by == "approver":
        change(world)
        decide_request.approve(world.services, CAROL, request_id)
    else:
        world.taps.on("directory.member", before=StoreUnavailable())
        with refuses(Code.APPROVED_NOT_APPLIED):
            decide_request.approve(world.services, CAROL, request_id)
        change(world)
        world.pass_time(timedelta(minutes=1))
    ended = world.services.get_request(request_id)
    code = Code.REQUESTER_CHANGED if LOST[change] is Code.NOT_YOUR_KEY else LOST[change]
    assert ended.status is Status.EXPIRED and ended.detail and ended.detail.code == code
    assert world.iam.active == ([] if change in KEYS_ARE_GONE else before)
    now = world.record(key_id)
    assert (now.desired, now.expires_at) == (record.desired, record.expires_at)


# -- what a change of identity leaves possible


def test_an_undelivered_key_is_deleted_after_an_email_change() -> None:
    world = tagged_world()
    request = world.delivered()
    member = has_another_address(world)
    confirm_receipt.did_not_get(world.services, member, request.access_key_id)
    assert world.iam.active == []
    with world.nothing_happens(), refuses(Code.MATCHED_TO_OTHER_USER):
        reveal_key.reveal(world.services, member, request.id)


def test_a_new_email_gives_access_to_the_new_user_alone() -> None:
    world = tagged_world()
    old = world.console_key()
    member = has_another_address(world)
    assert key_owner.keys_of(world.services, member) == ()
    assert create_request.create(world.services, member, "x").iam_user == OTHER_ADDRESS
    assert report_leak.report(world.services, member, old) == report_leak.LeakResult()
    assert world.iam.active == [old]


def test_tagged_owners_disable_keys_whatever_their_email() -> None:
    """Believe the tag for turning off. A new key needs the mapping, too."""
    world = make_desk(**TAG)
    world.iam.add_user(ALICE.email, owner=ALICE.id)
    key_id = world.console_key()
    member = has_an_address_without_iam_user(world)
    with world.nothing_happens(), refuses(Code.IAM_USER_NOT_FOUND):
        create_request.create(world.services, member, "x")
    assert report_leak.report(world.services, member, key_id).disabled and world.iam.active == []


def test_letter_case_is_no_change_of_identity() -> None:
    world = tagged_world()
    request = world.approved()
    # IAM finds a user by its name in any case
    world.iam.users[ALICE.email.upper()] = world.iam.users[ALICE.email]
    member = changed(world, email=ALICE.email.upper())
    assert reveal_key.reveal(world.services, member, request.id).status is Status.DELIVERED


# -- two members with one IAM user


@pytest.fixture
def shared() -> World:
    """Return a world in which Alice and Bob have one IAM user."""
    world = make_desk(iam_mapping=IamMapping("", {ALICE.id: "shared", BOB.id: "shared"}))
    world.iam.add_user("shared")
    return world


def test_sharers_of_an_iam_user_do_not_use_others_requests(shared: World) -> None:
    services = shared.services
    request_id = create_request.create(services, ALICE, "x").id
    decide_request.approve(services, ERIN, request_id)
    with shared.nothing_happens():
        for act in (reveal_key.reveal, create_request.cancel):
            with refuses(Code.NOT_THE_REQUESTER):
                act(services, BOB, request_id)
        with refuses(Code.OTHER_REQUEST_OPEN, by=ALICE.id, iam_user="shared"):
            create_request.create(services, BOB, "y")
    key_id = reveal_key.reveal(services, ALICE, request_id).access_key_id
    with shared.nothing_happens():
        for act in (confirm_receipt.confirm, confirm_receipt.did_not_get, create_request.extend):
            with refuses(Code.NOT_YOUR_KEY):
                act(services, BOB, key_id)
    assert [channel for channel, _, _ in shared.slack.observed] == ["D0ALICE"]


def test_sharers_of_an_iam_user_see_and_disable_its_keys(shared: World) -> None:
    """Let each do with their IAM user's keys what they may do at AWS."""
    key_id = shared.iam.create_key("shared")[0].id
    shared.clock.advance(DAY)
    for member in (ALICE, BOB):
        assert [key.id for key in key_owner.keys_of(shared.services, member)] == [key_id]
    assert not disable_key.disable(shared.services, BOB, key_id).already
    assert shared.iam.active == []
