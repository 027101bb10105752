"""Report a leaked key: who may disable it, who is asked, and what others learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.identity import IamMapping, Member
from bot.domain.outside_errors import IamUnavailable
from bot.operations import disable_key, report_leak
from bot.operations.report_leak import LeakResult
from bot.operations.services import Services
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, ERIN, TEAM, World, make_desk
from tests.unit.operations.key_checks import assert_fields, assert_leaked
from tests.unit.operations.key_steps import UNKNOWN_KEY, start_deletion
from tests.unit.operations.key_times import SOON

USUAL_ANSWER = LeakResult(disabled=False, ask=None)
"""What others than owners and approvers get, whether or not the key exists."""

FRANK = Member("U0FRANK", TEAM, "frank@example.com")
Verb = Callable[[Services, Member, str], object]


@pytest.fixture
def world() -> World:
    return make_desk()


@pytest.fixture
def key_id(world: World) -> str:
    """Return an active key of Alice's that was created in the console."""
    return world.console_key()


def report(world: World, member: Member, key_id: str) -> LeakResult:
    return report_leak.report(world.services, member, key_id)


def new_key(world: World) -> str:
    """Return a key just delivered to Alice that AWS does not know everywhere yet."""
    key_id = world.delivered().access_key_id
    world.iam.hidden.add(key_id)
    return key_id


def test_an_owner_disables_a_key_by_reporting_it(world: World, key_id: str) -> None:
    assert report(world, ALICE, key_id) == LeakResult(disabled=True)
    assert_leaked(world, key_id)
    record = world.record(key_id)
    assert_fields(
        record, owner=ALICE.id, reported_by=ALICE.id, reported_at=world.clock.now(), dm="D0ALICE"
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


def test_an_approver_is_asked_first_and_sees_the_last_use(world: World, key_id: str) -> None:
    world.iam.use(key_id)
    with world.nothing_happens():
        outcome = report(world, CAROL, key_id)
    assert outcome == LeakResult(ask=world.iam.keys(ALICE.email)[0])
    report_leak.disable(world.services, CAROL, key_id)
    assert_leaked(world, key_id)
    assert (world.record(key_id).owner, world.record(key_id).reported_by) == (ALICE.id, CAROL.id)


def test_an_approver_who_owns_the_key_is_its_owner(world: World) -> None:
    world.iam.add_user(CAROL.email)
    assert report(world, CAROL, world.console_key(CAROL)).disabled


@pytest.mark.parametrize(
    "member",
    [BOB, replace(ALICE, is_guest=True), replace(CAROL, is_guest=True)],
    ids=["other member", "guest who owns it", "guest in the approvers' group"],
)
def test_others_get_the_same_answer_if_the_key_is_missing(
    world: World, key_id: str, member: Member
) -> None:
    with world.nothing_happens():
        assert report(world, member, UNKNOWN_KEY) == USUAL_ANSWER
    assert report(world, member, key_id) == USUAL_ANSWER
    assert world.iam.active == [key_id]
    record = world.record(key_id)
    assert_fields(record, reported_by=member.id, owner=ALICE.id, dm="D0ALICE", leaked=False)


@pytest.mark.parametrize("state", ["active", "inactive", "leaked", "being deleted"])
def test_a_key_has_one_card_however_often_it_is_reported(
    world: World, key_id: str, state: str
) -> None:
    if state == "leaked":
        report(world, ALICE, key_id)
    elif state == "inactive":
        disable_key.disable(world.services, ALICE, key_id)
    elif state == "being deleted":
        start_deletion(world, key_id)
    if state in ("active", "inactive"):
        report(world, BOB, key_id)
    with world.nothing_happens():
        assert report(world, BOB, key_id) == USUAL_ANSWER


def test_two_reports_at_once_make_one_card(world: World, key_id: str) -> None:
    world.people.people[FRANK.id] = FRANK
    world.taps.on("store.commit", before=lambda: report(world, BOB, key_id))
    report(world, FRANK, key_id)
    assert world.record(key_id).reported_by == BOB.id and len(world.store.entries) == 1


def test_a_reported_key_stays_active_until_an_approver_acts(world: World, key_id: str) -> None:
    report(world, BOB, key_id)
    world.rest(days=2)
    assert world.iam.active == [key_id]
    for approver in (CAROL, ERIN):
        report_leak.disable(world.services, approver, key_id)
        assert_leaked(world, key_id)
    assert world.record(key_id).reported_by == BOB.id
    assert report(world, ALICE, key_id).disabled


def test_disable_now_is_for_approvers_and_the_owner(world: World, key_id: str) -> None:
    report(world, BOB, key_id)
    for id_ in (key_id, UNKNOWN_KEY):
        with world.nothing_happens(), refuses(Code.NOT_AN_APPROVER):
            report_leak.disable(world.services, BOB, id_)
    report_leak.disable(world.services, ALICE, key_id)
    assert_leaked(world, key_id)


@pytest.mark.parametrize("verb", [report_leak.report, report_leak.disable])
@pytest.mark.parametrize("member", [ALICE, BOB, CAROL])
def test_keydesks_own_key_is_refused(world: World, key_id: str, member: Member, verb: Verb) -> None:
    world.iam.own = frozenset({key_id})
    with world.nothing_happens(), refuses(Code.KEYDESK_OWN_KEY):
        verb(world.services, member, key_id)


def test_only_approvers_learn_of_a_key_of_another_account(world: World) -> None:
    with world.nothing_happens():
        assert report(world, ALICE, UNKNOWN_KEY) == USUAL_ANSWER
        for verb in (report_leak.report, report_leak.disable):
            with refuses(Code.KEY_NOT_IN_ACCOUNT, key_id=UNKNOWN_KEY):
                verb(world.services, CAROL, UNKNOWN_KEY)


def test_an_unconfirmed_leak_is_done_later(world: World, key_id: str) -> None:
    world.taps.on("issuer.set_status", before=IamUnavailable("UpdateAccessKey"))
    with refuses(Code.CHANGE_NOT_CONFIRMED):
        report(world, ALICE, key_id)
    world.pass_time(SOON)
    assert_leaked(world, key_id)


# The owner is found by the tag.


@pytest.mark.parametrize("owner", [BOB.id, "S0OPS"])
def test_owners_of_a_service_user_own_its_keys(owner: str) -> None:
    world = make_desk(iam_owner_tag="owner")
    world.iam.add_user("ci-deploy", owner=owner)
    world.people.groups["S0OPS"] = frozenset({BOB.id})
    key_id = world.iam.create_key("ci-deploy")[0].id
    assert report(world, ALICE, key_id) == USUAL_ANSWER
    assert report(world, BOB, key_id) == LeakResult(disabled=True)
    assert_leaked(world, key_id)


def test_a_key_without_owner_has_none_after_an_approver_acts(world: World) -> None:
    world.iam.add_user("legacy")
    leaked, disabled = (world.iam.create_key("legacy")[0].id for _ in range(2))
    report_leak.disable(world.services, CAROL, leaked)
    disable_key.disable_for(world.services, CAROL, disabled, "unknown to all")
    for key_id in (leaked, disabled):
        assert (world.record(key_id).owner, world.record(key_id).dm) == ("", "")
    assert world.iam.active == []


def test_the_owner_tag_names_the_owner_of_a_reported_key() -> None:
    mapping = IamMapping("{email_local}", domains=frozenset({"example.com"}))
    world = make_desk(iam_mapping=mapping, iam_owner_tag="owner")
    world.iam.add_user("alice", owner=ALICE.id)
    key_id = world.iam.create_key("alice")[0].id
    report(world, BOB, key_id)
    assert world.record(key_id).owner == ALICE.id


# AWS does not know the key everywhere yet.


@pytest.mark.parametrize(
    ("member", "verb"),
    [(ALICE, report_leak.report), (ALICE, report_leak.disable), (CAROL, report_leak.disable)],
    ids=["its owner reports it", "its owner disables it", "an approver disables it"],
)
def test_a_new_key_is_disabled_once_aws_knows_it(world: World, member: Member, verb: Verb) -> None:
    key_id = new_key(world)
    with refuses(Code.KEY_TOO_NEW, key_id=key_id):
        verb(world.services, member, key_id)
    assert world.record(key_id).leaked
    world.iam.hidden.clear()
    world.rest(days=1)
    assert_leaked(world, key_id)


@pytest.mark.parametrize("hidden_at", ["", "issuer.listed"])
def test_a_new_key_counts_as_active(world: World, hidden_at: str) -> None:
    """The last use is unknown if AWS does not know the key's owner either."""
    key_id = new_key(world)
    if hidden_at:
        world.iam.hidden.clear()
        world.taps.on(hidden_at, before=lambda: world.iam.hidden.add(key_id))
    with world.nothing_happens():
        asked = report(world, CAROL, key_id).ask
    assert asked is not None and (asked.id, asked.active) == (key_id, True)
    assert (asked.last_used is None) is (hidden_at == "")


def test_a_key_that_is_not_listed_yet_is_disabled_later(world: World) -> None:
    key_id = world.iam.create_key(ALICE.email)[0].id
    world.taps.on("issuer.listed", before=lambda: world.iam.hidden.add(key_id))
    with refuses(Code.KEY_TOO_NEW, key_id=key_id):
        report(world, ALICE, key_id)
    world.iam.hidden.clear()
    world.rest(days=1)
    assert_leaked(world, key_id)


def test_a_report_of_a_new_key_makes_the_card(world: World) -> None:
    key_id = new_key(world)
    assert report(world, BOB, key_id) == USUAL_ANSWER
    assert (world.record(key_id).reported_by, world.record(key_id).owner) == (BOB.id, ALICE.id)
