"""The leak switch: anybody reports any key; it is turned off by who may, and never turned on again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.errors import (
    ChangePending,
    IamUnavailable,
    KeyNotInAccount,
    NotAllowed,
    OutcomeUnknown,
)
from bot.domain.identity import IamMapping, Member
from bot.domain.keys import DesiredState, InactiveReason
from bot.operations import disable_key, report_leak
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, ERIN, World, make_desk

DAY = timedelta(days=1)
FOREIGN = "AKIAIOSFODNN7EXAMPLE"
FREE = frozenset({"disable", "delete", "enable"})


def off_for_good(world: World, key_id: str) -> None:
    record = world.record(key_id)
    assert (record.leaked, record.desired, record.inactive_reason) == (
        True,
        DesiredState.INACTIVE,
        InactiveReason.LEAKED,
    )
    assert key_id not in world.iam.active


def test_its_owner_turns_a_key_off_by_reporting_it() -> None:
    world = make_desk()
    key_id = world.console_key()
    assert report_leak.report(world.services, ALICE, key_id) == report_leak.LeakResult(
        disabled=True
    )
    off_for_good(world, key_id)
    record = world.record(key_id)
    assert (record.owner, record.reported_by, record.reported_at, record.dm) == (
        ALICE.id,
        ALICE.id,
        world.clock.now(),
        "D0ALICE",
    )
    assert [key.id for key in record.snapshot] == [key_id]
    entry = world.store.entries[0]
    assert (entry.by, entry.action, entry.key_id, entry.reason, entry.detail) == (
        ALICE.id,
        "leaked",
        key_id,
        "",
        Detail(Code.REPORTED_AS_LEAKED),
    )


def test_an_approver_is_asked_first_and_sees_the_last_use() -> None:
    world = make_desk()
    key_id = world.console_key()
    world.iam.use(key_id)
    with world.nothing_happens():
        outcome = report_leak.report(world.services, CAROL, key_id)
    assert outcome == report_leak.LeakResult(ask=world.iam.keys(ALICE.email)[0])
    report_leak.disable(world.services, CAROL, key_id)
    off_for_good(world, key_id)
    assert (world.record(key_id).owner, world.record(key_id).reported_by) == (ALICE.id, CAROL.id)


def test_an_approver_who_owns_the_key_is_its_owner() -> None:
    world = make_desk()
    world.iam.add_user(CAROL.email)
    assert report_leak.report(world.services, CAROL, world.console_key(CAROL)).disabled


def test_a_stranger_is_answered_alike_whether_or_not_the_key_exists() -> None:
    world = make_desk()
    key_id = world.console_key()
    with world.nothing_happens():
        foreign = report_leak.report(world.services, BOB, FOREIGN)
    assert report_leak.report(world.services, BOB, key_id) == foreign == report_leak.LeakResult()
    assert world.iam.active == [key_id]
    record = world.record(key_id)
    assert (record.reported_by, record.owner, record.dm, record.leaked) == (
        BOB.id,
        ALICE.id,
        "D0ALICE",
        False,
    )


@pytest.mark.parametrize(
    "guest", [ALICE, CAROL], ids=["who owns the key", "in the approvers' group"]
)
def test_a_guest_may_report_a_key_and_no_more(guest: Member) -> None:
    world = make_desk()
    key_id = world.console_key()
    with world.nothing_happens():
        foreign = report_leak.report(world.services, replace(guest, is_guest=True), FOREIGN)
    assert (
        report_leak.report(world.services, replace(guest, is_guest=True), key_id)
        == foreign
        == report_leak.LeakResult()
    )
    assert world.iam.active == [key_id] and world.record(key_id).reported_by == guest.id


@pytest.mark.parametrize("state", ["active", "inactive", "leaked", "going"])
def test_there_is_one_card_for_a_key_however_often_and_in_whatever_state_it_is_reported(
    state: str,
) -> None:
    world = make_desk()
    key_id = world.console_key()
    if state == "leaked":
        report_leak.report(world.services, ALICE, key_id)
    elif state != "active":
        disable_key.disable(world.services, ALICE, key_id)
    if state == "going":
        world.taps.on("issuer.delete_key", before=OutcomeUnknown("DeleteAccessKey"))
        with pytest.raises(ChangePending):
            disable_key.delete(world.services, ALICE, key_id)
    if state in ("active", "inactive"):
        report_leak.report(world.services, BOB, key_id)
    with world.nothing_happens():
        assert report_leak.report(world.services, BOB, key_id) == report_leak.LeakResult()


def test_two_strangers_at_the_same_moment_make_one_card() -> None:
    world = make_desk()
    key_id = world.console_key()
    world.taps.on("store.commit", before=lambda: report_leak.report(world.services, BOB, key_id))
    world.people.people["U0DAVE"] = dave = type(BOB)("U0DAVE", BOB.team_id, "dave@example.com")
    report_leak.report(world.services, dave, key_id)
    assert world.record(key_id).reported_by == BOB.id and len(world.store.entries) == 1


def test_reporting_turns_nothing_off_until_an_approver_does_and_then_twice_is_well() -> None:
    world = make_desk()
    key_id = world.console_key()
    report_leak.report(world.services, BOB, key_id)
    world.rest(days=2)
    assert world.iam.active == [key_id]
    for approver in (CAROL, ERIN):
        report_leak.disable(world.services, approver, key_id)
        off_for_good(world, key_id)
    assert world.record(key_id).reported_by == BOB.id  # who reported it first is not forgotten
    assert report_leak.report(world.services, ALICE, key_id).disabled


def test_disable_now_is_for_approvers_and_the_owner() -> None:
    world = make_desk()
    key_id = world.console_key()
    report_leak.report(world.services, BOB, key_id)
    with world.nothing_happens():
        for id_ in (key_id, FOREIGN):
            with pytest.raises(NotAllowed):
                report_leak.disable(world.services, BOB, id_)
    report_leak.disable(world.services, ALICE, key_id)
    off_for_good(world, key_id)


@pytest.mark.parametrize("member", [ALICE, BOB, CAROL])
def test_the_desks_own_credentials_are_refused_with_a_pointer_to_the_operator(
    member: object,
) -> None:
    world = make_desk()
    key_id = world.console_key()
    world.iam.own = frozenset({key_id})
    with world.nothing_happens(), refuses(Code.KEYDESK_OWN_KEY):
        report_leak.report(world.services, member, key_id)
    with world.nothing_happens(), refuses(Code.KEYDESK_OWN_KEY):
        report_leak.disable(world.services, member, key_id)


def test_a_key_of_another_account_is_answered_honestly_to_approvers_only() -> None:
    world = make_desk()
    with world.nothing_happens():
        assert report_leak.report(world.services, ALICE, FOREIGN) == report_leak.LeakResult()
        with refuses(Code.KEY_NOT_IN_ACCOUNT, key_id=FOREIGN):
            report_leak.report(world.services, CAROL, FOREIGN)
        with pytest.raises(KeyNotInAccount):
            report_leak.disable(world.services, CAROL, FOREIGN)


def test_a_key_that_is_not_listed_yet_counts_as_active() -> None:
    world = make_desk()
    key_id = world.iam.create_key(ALICE.email)[0].id
    world.taps.on("issuer.listed", before=lambda: world.iam.hidden.add(key_id))
    assert report_leak.report(world.services, CAROL, key_id).ask.active  # type: ignore[union-attr]  # approvers are asked
    world.iam.hidden.clear()
    world.taps.on("issuer.listed", before=lambda: world.iam.hidden.add(key_id))
    with pytest.raises(ChangePending):
        report_leak.report(world.services, ALICE, key_id)
    world.iam.hidden.clear()
    world.rest(days=1)
    off_for_good(world, key_id)


def test_what_iam_does_not_confirm_is_done_later() -> None:
    world = make_desk()
    key_id = world.console_key()
    world.taps.on("issuer.set_status", before=IamUnavailable("UpdateAccessKey"))
    with pytest.raises(ChangePending):
        report_leak.report(world.services, ALICE, key_id)
    world.pass_time(timedelta(seconds=15))
    off_for_good(world, key_id)


@pytest.mark.parametrize("owned", ["tag", "group"])
def test_the_owners_of_a_service_user_are_the_owners_of_its_keys(owned: str) -> None:
    world = make_desk(iam_owner_tag="owner")
    world.iam.add_user("ci-deploy", owner=BOB.id if owned == "tag" else "S0OPS")
    world.people.groups["S0OPS"] = frozenset({BOB.id})
    key_id = world.iam.create_key("ci-deploy")[0].id
    assert report_leak.report(world.services, ALICE, key_id) == report_leak.LeakResult()
    assert report_leak.report(world.services, BOB, key_id) == report_leak.LeakResult(disabled=True)
    off_for_good(world, key_id)


def test_a_key_that_is_nobodys_belongs_to_nobody_when_an_approver_turns_it_off() -> None:
    world = make_desk()
    world.iam.add_user("legacy")
    leaked, disabled = (world.iam.create_key("legacy")[0].id for _ in range(2))
    report_leak.disable(world.services, CAROL, leaked)
    disable_key.disable_for(world.services, CAROL, disabled, "nobody knows it")
    for key_id in (leaked, disabled):
        assert (world.record(key_id).owner, world.record(key_id).dm) == ("", "")
        assert key_id not in world.iam.active


def test_a_leaked_key_may_be_deleted_by_its_owner() -> None:
    world = make_desk()
    key_id = world.console_key()
    report_leak.report(world.services, ALICE, key_id)
    disable_key.delete(world.services, ALICE, key_id)
    world.rest(days=1)
    assert world.iam.observed(key_id) is None


def test_without_a_rule_that_leads_back_the_owner_is_whom_the_tag_names() -> None:
    world = make_desk(
        iam_mapping=IamMapping("{email_local}", domains=frozenset({"example.com"})),
        iam_owner_tag="owner",
    )
    world.iam.add_user("alice", owner=ALICE.id)
    key_id = world.iam.create_key("alice")[0].id
    report_leak.report(world.services, BOB, key_id)
    assert world.record(key_id).owner == ALICE.id
