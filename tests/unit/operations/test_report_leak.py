"""Report a leaked key: who may disable it, who is asked, and what others learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.errors import NotAllowed
from bot.domain.identity import IamMapping, Member
from bot.domain.keys import DesiredState, InactiveReason, KeyStatus
from bot.domain.outside_errors import IamUnavailable, OutcomeUnknown
from bot.domain.rate_limits import Limit, LimitedAction, RateLimited
from bot.operations import (
    disable_key,
    report_leak,
)
from bot.slack.messages import kinds
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, ERIN, TEAM, World, make_desk

FOREIGN = "AKIAIOSFODNN7EXAMPLE"

FRANK = Member("U0FRANK", TEAM, "frank@example.com")

HOUR = timedelta(hours=1)

Ends = Callable[[World, str], object]


def off_for_good(world: World, key_id: str) -> None:
    record = world.record(key_id)
    assert (record.leaked, record.desired, record.inactive_reason) == (
        True,
        DesiredState.INACTIVE,
        InactiveReason.LEAKED,
    )
    assert key_id not in world.iam.active


def new_key(world: World) -> str:
    """A key that Alice has just been given, and that AWS does not know everywhere yet."""
    key_id = world.delivered().access_key_id
    world.iam.hidden.add(key_id)
    return key_id


def known_at_last(world: World) -> None:
    world.iam.hidden.clear()
    world.rest(days=1)


def reported_key(world: World, by: Member = BOB, ago: timedelta = HOUR) -> str:
    """A key of Alice's that was reported so long ago, and left on."""
    key_id = world.console_key()
    report_leak.report(world.services, by, key_id)
    world.clock.advance(ago)
    world.slack.rendered.clear()
    return key_id


def being_deleted(world: World, key_id: str) -> None:
    disable_key.disable(world.services, ALICE, key_id)
    world.taps.on("issuer.delete_key", before=OutcomeUnknown("DeleteAccessKey"))
    with refuses(Code.CHANGE_NOT_CONFIRMED):
        disable_key.delete(world.services, ALICE, key_id)


def test_an_owner_disables_a_key_by_reporting_it() -> None:
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


def test_others_get_the_same_answer_if_the_key_is_missing() -> None:
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
def test_a_guest_may_only_report_a_key(guest: Member) -> None:
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
def test_a_key_has_one_card_however_often_it_is_reported(
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
        with refuses(Code.CHANGE_NOT_CONFIRMED):
            disable_key.delete(world.services, ALICE, key_id)
    if state in ("active", "inactive"):
        report_leak.report(world.services, BOB, key_id)
    with world.nothing_happens():
        assert report_leak.report(world.services, BOB, key_id) == report_leak.LeakResult()


def test_two_reports_at_once_make_one_card() -> None:
    world = make_desk()
    key_id = world.console_key()
    world.taps.on("store.commit", before=lambda: report_leak.report(world.services, BOB, key_id))
    world.people.people["U0DAVE"] = dave = type(BOB)("U0DAVE", BOB.team_id, "dave@example.com")
    report_leak.report(world.services, dave, key_id)
    assert world.record(key_id).reported_by == BOB.id and len(world.store.entries) == 1


def test_a_reported_key_stays_active_until_an_approver_acts() -> None:
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
def test_keydesks_own_key_is_refused(
    member: object,
) -> None:
    world = make_desk()
    key_id = world.console_key()
    world.iam.own = frozenset({key_id})
    with world.nothing_happens(), refuses(Code.KEYDESK_OWN_KEY):
        report_leak.report(world.services, member, key_id)
    with world.nothing_happens(), refuses(Code.KEYDESK_OWN_KEY):
        report_leak.disable(world.services, member, key_id)


def test_only_approvers_learn_of_a_key_of_another_account() -> None:
    world = make_desk()
    with world.nothing_happens():
        assert report_leak.report(world.services, ALICE, FOREIGN) == report_leak.LeakResult()
        with refuses(Code.KEY_NOT_IN_ACCOUNT, key_id=FOREIGN):
            report_leak.report(world.services, CAROL, FOREIGN)
        with refuses(Code.KEY_NOT_IN_ACCOUNT):
            report_leak.disable(world.services, CAROL, FOREIGN)


def test_a_key_that_is_not_listed_yet_counts_as_active() -> None:
    world = make_desk()
    key_id = world.iam.create_key(ALICE.email)[0].id
    world.taps.on("issuer.listed", before=lambda: world.iam.hidden.add(key_id))
    assert report_leak.report(world.services, CAROL, key_id).ask.active  # type: ignore[union-attr]  # approvers are asked
    world.iam.hidden.clear()
    world.taps.on("issuer.listed", before=lambda: world.iam.hidden.add(key_id))
    with refuses(Code.KEY_TOO_NEW, key_id=key_id):
        report_leak.report(world.services, ALICE, key_id)
    world.iam.hidden.clear()
    world.rest(days=1)
    off_for_good(world, key_id)


def test_an_unconfirmed_leak_is_done_later() -> None:
    world = make_desk()
    key_id = world.console_key()
    world.taps.on("issuer.set_status", before=IamUnavailable("UpdateAccessKey"))
    with refuses(Code.CHANGE_NOT_CONFIRMED):
        report_leak.report(world.services, ALICE, key_id)
    world.pass_time(timedelta(seconds=15))
    off_for_good(world, key_id)


@pytest.mark.parametrize("owned", ["tag", "group"])
def test_owners_of_a_service_user_own_its_keys(owned: str) -> None:
    world = make_desk(iam_owner_tag="owner")
    world.iam.add_user("ci-deploy", owner=BOB.id if owned == "tag" else "S0OPS")
    world.people.groups["S0OPS"] = frozenset({BOB.id})
    key_id = world.iam.create_key("ci-deploy")[0].id
    assert report_leak.report(world.services, ALICE, key_id) == report_leak.LeakResult()
    assert report_leak.report(world.services, BOB, key_id) == report_leak.LeakResult(disabled=True)
    off_for_good(world, key_id)


def test_a_key_without_owner_has_none_after_an_approver_acts() -> None:
    world = make_desk()
    world.iam.add_user("legacy")
    leaked, disabled = (world.iam.create_key("legacy")[0].id for _ in range(2))
    report_leak.disable(world.services, CAROL, leaked)
    disable_key.disable_for(world.services, CAROL, disabled, "nobody knows it")
    for key_id in (leaked, disabled):
        assert (world.record(key_id).owner, world.record(key_id).dm) == ("", "")
        assert key_id not in world.iam.active


def test_an_owner_may_delete_a_leaked_key() -> None:
    world = make_desk()
    key_id = world.console_key()
    report_leak.report(world.services, ALICE, key_id)
    disable_key.delete(world.services, ALICE, key_id)
    world.rest(days=1)
    assert world.iam.observed(key_id) is None


def test_the_owner_tag_names_the_owner_of_a_reported_key() -> None:
    world = make_desk(
        iam_mapping=IamMapping("{email_local}", domains=frozenset({"example.com"})),
        iam_owner_tag="owner",
    )
    world.iam.add_user("alice", owner=ALICE.id)
    key_id = world.iam.create_key("alice")[0].id
    report_leak.report(world.services, BOB, key_id)
    assert world.record(key_id).owner == ALICE.id


@pytest.mark.parametrize(
    ("member", "does"),
    [(ALICE, report_leak.report), (ALICE, report_leak.disable), (CAROL, report_leak.disable)],
    ids=["its owner reports it", "its owner disables it", "an approver disables it"],
)
def test_a_new_key_is_disabled_once_aws_knows_it(
    member: Member, does: Callable[[object, Member, str], object]
) -> None:
    world = make_desk()
    key_id = new_key(world)
    with refuses(Code.KEY_TOO_NEW, key_id=key_id):
        does(world.services, member, key_id)
    assert world.record(key_id).leaked
    known_at_last(world)
    off_for_good(world, key_id)


def test_a_new_keys_last_use_is_unknown_to_the_approver() -> None:
    world = make_desk()
    key_id = new_key(world)
    with world.nothing_happens():
        asked = report_leak.report(world.services, CAROL, key_id).ask
    assert asked and (asked.id, asked.active, asked.last_used) == (key_id, True, None)


def test_a_report_of_a_new_key_makes_the_card() -> None:
    world = make_desk()
    key_id = new_key(world)
    assert report_leak.report(world.services, BOB, key_id) == report_leak.LeakResult()
    assert (world.record(key_id).reported_by, world.record(key_id).owner) == (BOB.id, ALICE.id)


@pytest.mark.parametrize("first", [BOB, ALICE], ids=["a stranger", "its owner, as a guest"])
@pytest.mark.parametrize(
    "second", [FRANK, BOB, replace(FRANK, is_guest=True)], ids=["another", "the same", "a guest"]
)
def test_an_hour_after_a_report_another_makes_a_new_card(first: Member, second: Member) -> None:
    world = make_desk()
    key_id = reported_key(world, replace(first, is_guest=first is ALICE))
    before = world.record(key_id)
    assert report_leak.report(world.services, second, key_id) == report_leak.LeakResult()
    record, entry = world.record(key_id), world.store.entries[-1]
    assert (record.reported_again_by, record.reported_again_at) == (second.id, world.clock.now())
    assert (record.reported_by, record.reported_at) == (
        first.id,
        before.reported_at,
    )  # the first is not forgotten
    assert (entry.by, entry.action, entry.key_id, entry.detail) == (
        second.id,
        "report",
        key_id,
        Detail(Code.REPORTED_AGAIN),
    )
    assert set(kinds.expected_kinds(record)).isdisjoint(
        kinds.expected_kinds(before)
    ) and world.slack.rendered == [record.name]
    assert [key.id for key in record.snapshot] == [
        key_id
    ] and record.snapshot_at == world.clock.now()
    assert world.iam.active == [key_id]


def test_within_the_hour_a_further_report_is_not_stored() -> None:
    world = make_desk()
    key_id, news = reported_key(world, ago=timedelta()), []
    for _ in range(6):
        world.clock.advance(HOUR / 2)
        before = world.record(key_id)
        report_leak.report(world.services, FRANK, key_id)
        news.append(world.record(key_id) != before)
    assert news == [False, True, False, True, False, True]


def test_two_later_reports_at_once_make_one_new_card() -> None:
    world = make_desk()
    key_id = reported_key(world)
    world.taps.on("store.commit", before=lambda: report_leak.report(world.services, FRANK, key_id))
    report_leak.report(world.services, BOB, key_id)
    assert world.record(key_id).reported_again_by == FRANK.id and len(world.store.entries) == 2


@pytest.mark.parametrize(
    "ends",
    [
        lambda world, key_id: report_leak.disable(world.services, CAROL, key_id),
        lambda world, key_id: disable_key.disable(world.services, ALICE, key_id),
        lambda world, key_id: world.iam.set_status(ALICE.email, key_id, KeyStatus.INACTIVE),
        being_deleted,
    ],
    ids=["as leaked", "by its owner", "in the console", "for deletion"],
)
def test_an_inactive_key_gets_no_new_card(ends: Ends) -> None:
    world = make_desk()
    key_id = reported_key(world)
    ends(world, key_id)
    with world.nothing_happens():
        assert report_leak.report(world.services, FRANK, key_id) == report_leak.LeakResult()


def test_a_key_that_is_active_again_gets_a_new_card() -> None:
    world = make_desk()
    key_id = reported_key(world)
    disable_key.disable(world.services, ALICE, key_id)
    world.iam.set_status(ALICE.email, key_id, KeyStatus.ACTIVE)
    report_leak.report(world.services, FRANK, key_id)
    assert world.record(key_id).reported_again_by == FRANK.id


def test_the_new_card_disables_the_key_too() -> None:
    world = make_desk()
    key_id = reported_key(world)
    report_leak.report(world.services, FRANK, key_id)
    report_leak.disable(world.services, CAROL, key_id)
    off_for_good(world, key_id)
    record = world.record(key_id)
    assert (record.reported_by, record.reported_again_by, record.changed_by) == (
        BOB.id,
        FRANK.id,
        CAROL.id,
    )


def test_an_unmanaged_key_is_reported_again_as_unmanaged() -> None:
    world = make_desk(iam_path="/people/")
    key_id = reported_key(world)
    report_leak.report(world.services, FRANK, key_id)
    record = world.record(key_id)
    assert (record.out_of_reach, record.reported_again_by) == (True, FRANK.id)


def test_later_reports_count_against_the_limit() -> None:
    world = make_desk(hourly_limits=dict.fromkeys(LimitedAction, Limit(1, 9)))
    key_id = reported_key(world)
    report_leak.report(world.services, FRANK, key_id)
    with pytest.raises(RateLimited):
        report_leak.report(world.services, FRANK, key_id)
    assert sum(entry.action == "report" for entry in world.store.entries) == 2
