"""Break glass: who may ask urgently, and what an urgent key is worth."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain import policy
from bot.domain.codes import Code, Detail
from bot.domain.errors import (
    BadCommand,
    SlackUnavailable,
)
from bot.domain.ports import AuditEntry, Change
from bot.domain.states import Status
from bot.operations import (
    confirm_receipt,
    create_request,
    decide_request,
    reveal_key,
)
from bot.operations.create_request import RequestOptions
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, World, make_desk

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
URGENT = RequestOptions(urgent=True)


def services(named: str = ALICE.id, **rules: object) -> World:
    world = make_desk(break_glass=frozenset(named.split()), **rules)
    world.people.groups["S0ONCALL"] = frozenset({ALICE.id})
    return world


def handed_over(world: World, options: RequestOptions = URGENT) -> str:
    """An urgent key that Alice has; its ID."""
    request = decide_request.approve(
        world.services,
        CAROL,
        create_request.create(world.services, ALICE, "the shop is down", options).id,
    )
    key_id = reveal_key.reveal(world.services, ALICE, request.id).access_key_id
    confirm_receipt.confirm(world.services, ALICE, key_id)
    return key_id


@pytest.mark.parametrize("named", [ALICE.id, "S0ONCALL", f"{BOB.id} S0NONE S0ONCALL"])
def test_those_whom_break_glass_names_ask_urgently_and_the_record_says_so_first(named: str) -> None:
    world = services(named)
    request = create_request.create(world.services, ALICE, "the shop is down", URGENT)
    assert (request.urgent, request.status, request.reason) == (
        True,
        Status.PENDING,
        "the shop is down",
    )
    entry = world.store.entries[-1]
    assert (entry.action, entry.reason) == ("break_glass", "the shop is down")


@pytest.mark.parametrize(
    ("named", "code"),
    [
        ("", Code.URGENT_REQUESTS_OFF),
        (BOB.id, Code.URGENT_NOT_ALLOWED),
        ("S0NONE", Code.URGENT_NOT_ALLOWED),
    ],
)
def test_nobody_else_does_and_is_told_what_works_instead(named: str, code: Code) -> None:
    world = services(named)
    with world.nothing_happens(), refuses(code):
        create_request.create(world.services, ALICE, "the shop is down", URGENT)
    assert not create_request.create(world.services, ALICE, "the shop is down").urgent


def test_who_has_left_the_group_by_now_does_not() -> None:
    world = services("S0ONCALL")
    world.people.groups["S0ONCALL"] = frozenset()
    with world.nothing_happens(), refuses(Code.URGENT_NOT_ALLOWED):
        create_request.create(world.services, ALICE, "the shop is down", URGENT)


def test_while_slack_does_not_say_who_is_in_the_group_nothing_is_asked() -> None:
    world = services("S0ONCALL")
    world.taps.on(
        "directory.group", before=SlackUnavailable("usergroups.users.list", "fatal_error")
    )
    with world.nothing_happens(), pytest.raises(SlackUnavailable):
        create_request.create(world.services, ALICE, "the shop is down", URGENT)


def test_who_is_named_in_person_needs_no_answer_about_groups() -> None:
    world = services(f"{ALICE.id} S0ONCALL")
    world.taps.on(
        "directory.group", before=SlackUnavailable("usergroups.users.list", "fatal_error")
    )
    assert create_request.create(world.services, ALICE, "the shop is down", URGENT).urgent


def test_the_rules_of_reasons_places_and_service_users_stay() -> None:
    world = services(iam_owner_tag="owner")
    world.iam.add_user(ALICE.email, owner=ALICE.id)
    world.iam.add_user("ci-deploy", owner=BOB.id)
    with world.nothing_happens():
        with pytest.raises(BadCommand):
            create_request.create(world.services, ALICE, " ", URGENT)
        with refuses(Code.NOT_SERVICE_OWNER, iam_user="ci-deploy"):
            create_request.create(
                world.services,
                ALICE,
                "the shop is down",
                RequestOptions(service_user="ci-deploy", urgent=True),
            )
    create_request.create(world.services, ALICE, "the shop is down")
    with world.nothing_happens(), refuses(Code.REQUEST_ALREADY_OPEN, status="pending"):
        create_request.create(world.services, ALICE, "the shop is down", URGENT)


@pytest.mark.parametrize(
    ("options", "lives"),
    [
        (RequestOptions(), 4 * HOUR),
        (RequestOptions(lifetime=30 * DAY), 4 * HOUR),
        (RequestOptions(forever=True), 4 * HOUR),
        (RequestOptions(lifetime=HOUR), HOUR),
    ],
)
def test_an_urgent_key_lives_as_long_as_break_glass_allows_and_less_where_less_was_asked(
    options: RequestOptions, lives: timedelta
) -> None:
    world = services(key_ttl=None, key_ttl_max=None)
    urgent = RequestOptions(options.lifetime, options.forever, urgent=True)
    key_id = handed_over(world, urgent)
    made = world.record(key_id)
    assert made.urgent and made.expires_at == made.created_at + lives
    world.pass_time(lives - timedelta(seconds=1))
    world.pass_time(timedelta(seconds=1))
    assert world.iam.active == []


def test_an_urgent_key_gets_no_more_time_and_its_owner_is_told_what_works() -> None:
    world = services()
    key_id = handed_over(world)
    with world.nothing_happens(), refuses(Code.URGENT_KEY_NOT_EXTENDED, key_id=key_id):
        create_request.extend(world.services, ALICE, key_id)


def test_more_time_is_not_applied_to_an_urgent_key_either() -> None:
    """Whatever asked for it: a request that another version of the desk has stored, say."""
    world = services()
    key_id = handed_over(world)
    before = world.record(key_id)
    asked = replace(world.pending(), id="older", verb="extend", target=key_id)
    world.store.commit(Change(None, asked), entry=AuditEntry(world.clock.now(), ALICE.id, "extend"))
    done = decide_request.approve(world.services, CAROL, asked.id)
    assert done.status is Status.EXPIRED
    assert done.detail == Detail(Code.URGENT_KEY_NOT_EXTENDED, {"key_id": key_id})
    assert world.record(key_id) == before


def test_once_it_has_ended_it_comes_back_by_a_new_request_alone_even_where_enabling_is_free() -> (
    None
):
    world = services(approval_free=frozenset({"disable", "delete", "enable"}))
    key_id = handed_over(world)
    world.pass_time(4 * HOUR)
    request = create_request.enable(world.services, ALICE, key_id, "not finished")
    assert request and request.status is Status.PENDING and world.iam.active == []


def test_a_key_without_an_end_is_said_to_need_no_more_time() -> None:
    world = services(key_ttl=None, key_ttl_max=None)
    key_id = handed_over(world, RequestOptions())
    with world.nothing_happens(), refuses(Code.KEY_NEVER_EXPIRES, key_id=key_id):
        create_request.extend(world.services, ALICE, key_id)


def test_a_rotation_cannot_be_made_urgent() -> None:
    world = services()
    key_id = world.console_key()
    request = create_request.rotate(world.services, ALICE, key_id, options=URGENT)
    assert not request.urgent
    assert world.services.settings.break_glass_ttl < policy.EXTENSION


@pytest.mark.parametrize("quorum", [1, 2, 5])
def test_one_approval_is_enough_whatever_the_quorum(quorum: int) -> None:
    assert policy.count_approvals_needed(quorum, extra_approval=True, urgent=True) == 1
    assert policy.count_approvals_needed(quorum, extra_approval=False, urgent=False) == quorum


def test_an_urgent_key_that_is_asked_back_after_its_end_lives_no_longer_than_an_urgent_one() -> (
    None
):
    world = services()
    key_id = handed_over(world)
    world.pass_time(4 * HOUR)
    assert world.iam.active == []
    request = create_request.enable(world.services, ALICE, key_id, "not finished")
    assert request is not None
    decide_request.approve(world.services, CAROL, request.id)
    assert (world.iam.active, world.record(key_id).expires_at) == (
        [key_id],
        world.clock.now() + 4 * HOUR,
    )
