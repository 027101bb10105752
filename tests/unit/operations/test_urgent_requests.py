"""Break glass: who may request urgently, and what an urgent key allows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain import policy
from bot.domain.codes import Code, Detail
from bot.domain.outside_errors import SlackUnavailable
from bot.domain.records import AuditEntry, Change
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.operations import confirm_receipt, create_request, decide_request
from bot.operations.create_request import RequestOptions
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, World, make_desk, reveal

HOUR, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
WHY = "the shop is down"
SILENT = SlackUnavailable("usergroups.users.list", "fatal_error")


def urgent_world(break_glass: str = ALICE.id, **settings: object) -> World:
    """Return a world with this BREAK_GLASS. Alice is in the group S0ONCALL."""
    world = make_desk(break_glass=frozenset(break_glass.split()), **settings)
    world.people.groups |= {"S0ONCALL": frozenset({ALICE.id}), "S0FORMER": frozenset({BOB.id})}
    return world


def create(world: World, reason: str = WHY, *, urgent: bool = True, **more: object) -> KeyRequest:
    options = RequestOptions(urgent=urgent, **more)
    return create_request.create(world.services, ALICE, reason, options)


def received(world: World, **options: object) -> str:
    """Return the ID of a key that Alice has received, urgent by default."""
    request = decide_request.approve(world.services, CAROL, create(world, **options).id)
    key_id = reveal(world, request).access_key_id
    confirm_receipt.confirm(world.services, ALICE, key_id)
    return key_id


@pytest.mark.parametrize("named", [ALICE.id, "S0ONCALL", f"{BOB.id} S0NONE S0ONCALL"])
def test_members_in_break_glass_request_urgently(named: str) -> None:
    world = urgent_world(named)
    request = create(world)
    assert (request.urgent, request.status, request.reason) == (True, Status.PENDING, WHY)
    entry = world.store.entries[-1]
    assert (entry.action, entry.reason) == ("break_glass", WHY)


@pytest.mark.parametrize(
    ("named", "code"),
    [
        ("", Code.URGENT_REQUESTS_OFF),
        (BOB.id, Code.URGENT_NOT_ALLOWED),
        ("S0FORMER", Code.URGENT_NOT_ALLOWED),
    ],
    ids=["not configured", "another member", "a group without her"],
)
def test_others_do_not_request_urgently(named: str, code: Code) -> None:
    world = urgent_world(named)
    with world.nothing_happens(), refuses(code):
        create(world)
    assert not create(world, urgent=False).urgent


def test_no_urgent_request_while_slack_hides_the_group() -> None:
    world = urgent_world("S0ONCALL")
    world.taps.on("directory.group", before=SILENT)
    with world.nothing_happens(), refuses(Code.SLACK_UNAVAILABLE):
        create(world)


def test_a_member_named_by_user_id_needs_no_group() -> None:
    world = urgent_world(f"{ALICE.id} S0ONCALL")
    world.taps.on("directory.group", before=SILENT)
    assert create(world).urgent


def test_the_rules_of_every_request_hold_for_urgent_ones() -> None:
    world = urgent_world(iam_owner_tag="owner")
    world.iam.add_user(ALICE.email, owner=ALICE.id)
    world.iam.add_user("ci-deploy", owner=BOB.id)
    with world.nothing_happens():
        with refuses(Code.REASON_MISSING):
            create(world, " ")
        with refuses(Code.NOT_SERVICE_OWNER, iam_user="ci-deploy"):
            create(world, service_user="ci-deploy")
    create(world, urgent=False)
    with world.nothing_happens(), refuses(Code.REQUEST_ALREADY_OPEN, status="pending"):
        create(world)


@pytest.mark.parametrize(
    ("options", "lives"),
    [
        ({}, 4 * HOUR),
        ({"lifetime": 30 * DAY}, 4 * HOUR),
        ({"forever": True}, 4 * HOUR),
        ({"lifetime": HOUR}, HOUR),
    ],
    ids=["as configured", "longer", "forever", "shorter"],
)
def test_an_urgent_key_lives_as_long_as_break_glass_allows(
    options: dict[str, object], lives: timedelta
) -> None:
    world = urgent_world(key_ttl=None, key_ttl_max=None)
    key_id = received(world, **options)
    record = world.record(key_id)
    assert record.urgent and record.expires_at == record.created_at + lives
    world.pass_time(lives - SECOND)
    assert world.iam.active == [key_id]
    world.pass_time(SECOND)
    assert world.iam.active == []


def test_an_urgent_key_is_not_extended() -> None:
    world = urgent_world()
    key_id = received(world)
    with world.nothing_happens(), refuses(Code.URGENT_KEY_NOT_EXTENDED, key_id=key_id):
        create_request.extend(world.services, ALICE, key_id)


def test_an_approved_extension_of_an_urgent_key_expires() -> None:
    """Apply no extension, even one that another version of Keydesk has stored."""
    world = urgent_world()
    key_id = received(world)
    before = world.record(key_id)
    older = replace(world.pending(), id="older", verb="extend", target=key_id)
    world.store.commit(Change(None, older), entry=AuditEntry(world.clock.now(), ALICE.id, "extend"))
    done = decide_request.approve(world.services, CAROL, older.id)
    detail = Detail(Code.URGENT_KEY_NOT_EXTENDED, {"key_id": key_id})
    assert (done.status, done.detail) == (Status.EXPIRED, detail)
    assert world.record(key_id) == before


def test_an_expired_urgent_key_needs_approval_to_enable() -> None:
    """Enable it again for as long as an urgent key lives, and never without approval."""
    world = urgent_world(approval_free=frozenset({"disable", "delete", "enable"}))
    key_id = received(world)
    world.pass_time(4 * HOUR)
    request = create_request.enable(world.services, ALICE, key_id, "not finished")
    assert request and request.status is Status.PENDING and world.iam.active == []
    decide_request.approve(world.services, CAROL, request.id)
    assert world.iam.active == [key_id]
    assert world.record(key_id).expires_at == world.clock.now() + 4 * HOUR


def test_a_key_that_never_expires_is_not_extended() -> None:
    world = urgent_world(key_ttl=None, key_ttl_max=None)
    key_id = received(world, urgent=False)
    with world.nothing_happens(), refuses(Code.KEY_NEVER_EXPIRES, key_id=key_id):
        create_request.extend(world.services, ALICE, key_id)


def test_a_rotation_is_never_urgent() -> None:
    world = urgent_world()
    options = RequestOptions(urgent=True)
    key_id = world.console_key()
    assert not create_request.rotate(world.services, ALICE, key_id, options=options).urgent
    assert world.services.settings.break_glass_ttl < policy.EXTENSION


@pytest.mark.parametrize("quorum", [1, 2, 5])
def test_one_approval_is_enough_for_an_urgent_request(quorum: int) -> None:
    world = urgent_world(approvals_required=quorum, risky_needs_one_more=True)
    request = create(world)
    assert (request.approvals_needed, request.extra_approval) == (1, False)
    assert decide_request.approve(world.services, CAROL, request.id).status is Status.APPROVED
