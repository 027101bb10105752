"""Whoever is at the desk must be who they were: every verb on what exists, and every way in which a person or an IAM
user can become another meanwhile, is refused with nothing done.

The rules: the mapping gives one IAM user or none; with an owner tag, that user's tag names the person; an address
counts only while Slack says it is confirmed; an IAM user is the same only with the same UserId in the same account;
guests and people who have left may do nothing. A new display name is nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.codes import Code
from bot.domain.errors import ChangePending, NotAllowed, Refused
from bot.domain.identity import IamMapping, Member
from bot.domain.keys import DesiredState
from bot.domain.outside_errors import StoreUnavailable
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
from tests.support.errors import refuses
from tests.support.world import ACCOUNT, ALICE, BOB, CAROL, World, make_desk

TAG = {"iam_owner_tag": "owner"}
FREE = {"approval_free": frozenset({"disable", "delete", "enable"})}
DAY = timedelta(days=1)
OTHER_ADDRESS = "alice.adams@example.com"
Verb = Callable[[Member], object]
Changed = Callable[[World], Member]


# -- what people have under way when somebody becomes another


def a_reveal(world: World) -> Verb:
    request = world.approved()
    return lambda member: reveal_key.reveal(world.services, member, request.id)


def a_reveal_of_a_rotation(world: World) -> Verb:
    request = world.rotating(full=True)
    return lambda member: reveal_key.reveal(world.services, member, request.id)


def an_unclaimed_key(world: World) -> Verb:
    key_id = world.unclaimed().access_key_id
    return lambda member: confirm_receipt.confirm(world.services, member, key_id)


def an_undo(world: World) -> Verb:
    request = world.rotated()
    finish_rotation.disable_old(world.services, ALICE, request.access_key_id)
    return lambda member: finish_rotation.undo(world.services, member, request.target)


def an_active_key(verb: Callable[[World, Member, str], object]) -> Callable[[World], Verb]:
    def arrange(world: World) -> Verb:
        key_id = confirm_receipt.confirm(
            world.services, ALICE, world.delivered().access_key_id
        ).access_key_id
        world.clock.advance(DAY)
        return lambda member: verb(world, member, key_id)

    return arrange


def an_inactive_key(verb: Callable[[World, Member, str], object]) -> Callable[[World], Verb]:
    def arrange(world: World) -> Verb:
        key_id = world.console_key()
        disable_key.disable(world.services, ALICE, key_id)
        return lambda member: verb(world, member, key_id)

    return arrange


VERBS: dict[str, Callable[[World], Verb]] = {
    "Reveal my key": a_reveal,
    "Reveal my key, of a rotation": a_reveal_of_a_rotation,
    "I have it, enable it": an_unclaimed_key,
    "Undo": an_undo,
    "rotate": an_active_key(
        lambda world, member, key: create_request.rotate(world.services, member, key)
    ),
    "extend": an_active_key(
        lambda world, member, key: create_request.extend(world.services, member, key)
    ),
    "used": an_active_key(
        lambda world, member, key: disable_key.last_use(world.services, member, key)
    ),
    "disable": an_active_key(
        lambda world, member, key: disable_key.disable(world.services, member, key)
    ),
    "enable": an_inactive_key(
        lambda world, member, key: create_request.enable(world.services, member, key, "x")
    ),
    "delete": an_inactive_key(
        lambda world, member, key: disable_key.delete(world.services, member, key)
    ),
}


# -- how somebody becomes another


def changed(world: World, **permissions: Any) -> Member:
    """Alice, as Slack shows her from now on."""
    alice = replace(ALICE, **permissions)
    world.people.people[ALICE.id] = alice
    return alice


def has_another_address(world: World) -> Member:
    world.iam.add_user(OTHER_ADDRESS, owner=ALICE.id)
    return changed(world, email=OTHER_ADDRESS)


def has_an_address_without_iam_user(world: World) -> Member:
    return changed(world, email="nobody@example.com")


def takes_the_address_of_somebody_else(world: World) -> Member:
    """With Bob's address, were that possible, Alice would get at Bob's IAM user."""
    return changed(world, email=BOB.email)


def address_is_not_confirmed(world: World) -> Member:
    return changed(world, email="")


def iam_user_is_deleted(world: World) -> Member:
    for key_id in [key.id for key in world.iam.listed(ALICE.email)]:
        world.iam.delete_key(ALICE.email, key_id)
    del world.iam.users[ALICE.email]
    return ALICE


def iam_user_is_made_anew(world: World) -> Member:
    iam_user_is_deleted(world)
    world.iam.add_user(ALICE.email, "AIDAANOTHER", owner=ALICE.id)
    return ALICE


def account_is_another(world: World) -> Member:
    """The bot was given credentials of another account, where there is a user of the same name."""
    iam_user_is_deleted(world)
    world.iam.add_user(ALICE.email, owner=ALICE.id)
    user = world.iam.users[ALICE.email]
    world.iam.users[ALICE.email] = replace(user, arn=user.arn.replace(ACCOUNT, "999988887777"))
    return ALICE


def tag_names_somebody_else(world: World) -> Member:
    world.iam.add_user(ALICE.email, owner=BOB.id)
    return ALICE


CHANGES: list[Changed] = [
    has_another_address,
    has_an_address_without_iam_user,
    takes_the_address_of_somebody_else,
    address_is_not_confirmed,
    iam_user_is_deleted,
    iam_user_is_made_anew,
    account_is_another,
    tag_names_somebody_else,
]
KEYS_ARE_GONE = {iam_user_is_deleted, iam_user_is_made_anew, account_is_another}


def desk_of(change: Changed | None = None, **rules: Any) -> World:
    """A desk that asks for the owner tag where the change is one of that: without it the mapping alone must notice."""
    world = make_desk(**(TAG if change is tag_names_somebody_else else {}), **rules)
    for member in (ALICE, BOB):
        world.iam.add_user(member.email, owner=member.id)
    return world


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("verb", VERBS)
def test_a_changed_identity_is_refused(verb: str, change: Changed) -> None:
    world = desk_of(change, **(FREE if verb == "enable" else {}))
    does = VERBS[verb](world)
    member = change(world)
    if verb == "Undo" and change is iam_user_is_made_anew:
        with pytest.raises(ChangePending):
            does(
                member
            )  # the old key went with the old user: there is nothing that could be turned on
    else:
        with world.nothing_happens(), pytest.raises((Refused, reveal_key.DeliveryFailed)):
            does(member)
    assert [
        key_id for key_id in world.iam.active if world.iam.observed(key_id).iam_user != ALICE.email
    ] == []
    assert change not in KEYS_ARE_GONE or world.iam.active == []


@pytest.mark.parametrize("verb", VERBS)
def test_who_is_the_same_is_served(verb: str) -> None:
    """Each of them works without a change, so that the refusals above are for the change."""
    world = desk_of(**(FREE if verb == "enable" else {}))
    VERBS[verb](world)(ALICE)


# -- what others carry out for somebody: turning on a key again, and more time, at the approval


def enabling(world: World) -> str:
    key_id = world.console_key()
    disable_key.disable(world.services, ALICE, key_id)
    request = create_request.enable(world.services, ALICE, key_id, "still needed")
    assert request is not None
    return request.id


def extending(world: World) -> str:
    key_id = confirm_receipt.confirm(
        world.services, ALICE, world.delivered().access_key_id
    ).access_key_id
    return create_request.extend(world.services, ALICE, key_id).id


def has_left(world: World) -> Member:
    return changed(world, deleted=True)


def is_a_guest_now(world: World) -> Member:
    return changed(world, is_guest=True)


@pytest.mark.parametrize("change", [*CHANGES, has_left, is_a_guest_now])
@pytest.mark.parametrize("asks", [enabling, extending])
@pytest.mark.parametrize("who", ["the approver's click", "the sweeper, after a crash"])
def test_a_change_is_not_applied_for_another_identity(
    who: str, asks: Callable[[World], str], change: Changed
) -> None:
    world = desk_of(change)
    request_id = asks(world)
    key_id = world.services.get_request(request_id).target
    before, ends = world.iam.active, (record := world.store.key(key_id)) and record.expires_at
    if who == "the approver's click":
        change(world)
        ended = decide_request.approve(world.services, CAROL, request_id)
    else:
        world.taps.on("directory.member", before=StoreUnavailable())
        with pytest.raises(ChangePending):
            decide_request.approve(world.services, CAROL, request_id)
        change(world)
        world.pass_time(timedelta(minutes=1))
        ended = world.services.get_request(request_id)
    assert ended.status is Status.EXPIRED and ended.detail
    assert set(world.iam.active) <= set(before)
    record = world.store.key(key_id)
    assert (record and record.expires_at) == ends
    assert asks is extending or world.record(key_id).desired is DesiredState.INACTIVE


# -- what is harmless stays possible, and what is no change is none


def test_an_undelivered_key_is_deleted_after_an_email_change() -> None:
    world = desk_of()
    request = world.delivered()
    member = has_another_address(world)
    confirm_receipt.did_not_get(world.services, member, request.access_key_id)
    assert world.iam.active == []
    with world.nothing_happens(), pytest.raises(Refused):
        reveal_key.reveal(world.services, member, request.id)


def test_a_new_email_gives_access_to_the_new_user_alone() -> None:
    world = desk_of()
    old = world.console_key()
    member = has_another_address(world)
    assert key_owner.keys_of(world.services, member) == ()
    assert create_request.create(world.services, member, "x").iam_user == OTHER_ADDRESS
    assert report_leak.report(
        world.services, member, old
    ) == report_leak.LeakResult() and world.iam.active == [old]


def test_tagged_owners_disable_keys_whatever_their_email() -> None:
    """The tag says whose they are, and turning off is the safe side; for a new key the mapping must say so, too."""
    world = make_desk(**TAG)
    world.iam.add_user(ALICE.email, owner=ALICE.id)
    key_id = world.console_key()
    member = has_an_address_without_iam_user(world)
    with world.nothing_happens(), pytest.raises(Refused):
        create_request.create(world.services, member, "x")
    assert report_leak.report(world.services, member, key_id).disabled and world.iam.active == []


def test_letter_case_and_a_new_name_are_no_change() -> None:
    world = desk_of()
    request = world.approved()
    world.iam.users[ALICE.email.upper()] = world.iam.users[
        ALICE.email
    ]  # IAM finds names without regard to case
    member = changed(world, email=ALICE.email.upper())
    assert reveal_key.reveal(world.services, member, request.id).status is Status.DELIVERED


# -- two people, one IAM user: a list of pairs, or {email_local} in several domains


def sharing() -> World:
    world = make_desk(
        iam_mapping=IamMapping(
            "", {ALICE.id: "shared", BOB.id: "shared", "carol@example.com": "shared"}
        )
    )
    world.iam.add_user("shared")
    world.people.may_approve |= {BOB.id}
    return world


def test_sharers_of_an_iam_user_do_not_decide_for_it() -> None:
    world = sharing()
    request = create_request.create(world.services, ALICE, "x")
    for member in (ALICE, BOB, CAROL):
        for decides in (
            lambda m: decide_request.approve(world.services, m, request.id),
            lambda m: decide_request.deny(world.services, m, request.id, "no"),
        ):
            with world.nothing_happens(), pytest.raises(NotAllowed):
                decides(member)


def test_sharers_of_an_iam_user_do_not_use_others_requests() -> None:
    world = sharing()
    request = decide_request.approve(
        world.services,
        world.people.people["U0ERIN"],
        create_request.create(world.services, ALICE, "x").id,
    )
    with world.nothing_happens():
        for does in (reveal_key.reveal, create_request.cancel):
            with refuses(Code.NOT_THE_REQUESTER):
                does(world.services, BOB, request.id)
        with refuses(Code.OTHER_REQUEST_OPEN, by="U0ALICE"):
            create_request.create(world.services, BOB, "y")
    key_id = reveal_key.reveal(world.services, ALICE, request.id).access_key_id
    with world.nothing_happens():
        for does in (confirm_receipt.confirm, confirm_receipt.did_not_get, create_request.extend):
            with pytest.raises(Refused):
                does(world.services, BOB, key_id)
    assert [channel for channel, _, _ in world.slack.observed] == ["D0ALICE"]


def test_sharers_of_an_iam_user_see_and_disable_its_keys() -> None:
    """They are keys of their own IAM user; each could do so at AWS."""
    world = sharing()
    key_id = world.iam.create_key("shared")[0].id
    world.clock.advance(DAY)
    assert [
        key.id for member in (ALICE, BOB) for key in key_owner.keys_of(world.services, member)
    ] == [
        key_id,
        key_id,
    ]
    assert not disable_key.disable(world.services, BOB, key_id).already and world.iam.active == []
