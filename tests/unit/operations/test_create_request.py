"""Create a request, also an urgent one, and cancel it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain import policy
from bot.domain.codes import Code, Detail
from bot.domain.commands import Command, parse
from bot.domain.errors import (
    AlreadyOpen,
    BadCommand,
    IdentityChanged,
    KeydeskError,
    LooksLikeSecret,
    NoIamUser,
    TooManyKeys,
)
from bot.domain.identity import IamMapping, Member
from bot.domain.outside_errors import (
    IamUnavailable,
    IamUserNotFound,
    SlackUnavailable,
    StoreUnavailable,
)
from bot.domain.records import AuditEntry, Change
from bot.domain.requests import KeyRequest
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


def test_two_keys_are_refused_before_approvers_are_asked() -> None:
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
def test_a_second_request_is_refused_with_the_first(
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


def test_members_of_one_iam_user_share_one_request() -> None:
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


def test_a_click_expires_an_overdue_request() -> None:
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


# -- Whoever has to ask anew is told the command with which that works: the verb, and the service user, of the request.


def created(world: World) -> tuple[Member, KeyRequest]:
    return ALICE, world.approved()


def rotating(world: World) -> tuple[Member, KeyRequest]:
    return ALICE, world.rotating()


def for_a_service_user(world: World) -> tuple[Member, KeyRequest]:
    return BOB, decide_request.approve(
        world.services,
        CAROL,
        create_request.create(
            world.services,
            BOB,
            "nightly deploys",
            create_request.RequestOptions(service_user="ci-deploy"),
        ).id,
    )


AGAIN: list[tuple[Callable[[World], tuple[Member, KeyRequest]], str]] = [
    (created, "create"),
    (rotating, "rotate"),
    (for_a_service_user, "create --user ci-deploy"),
]


def tagged_desk() -> World:
    world = make_desk(iam_owner_tag="owner")
    for user, owner in ((ALICE.email, ALICE), (BOB.email, BOB), ("ci-deploy", BOB)):
        world.iam.add_user(user, owner=owner.id)
    return world


@pytest.mark.parametrize(("asks", "again"), AGAIN)
def test_after_the_last_reveal_the_same_verb_asks_again(
    asks: Callable[[World], tuple[Member, KeyRequest]], again: str
) -> None:
    world = tagged_desk()
    member, request = asks(world)
    for _ in range(3):
        shown = reveal_key.reveal(world.services, member, request.id)
        confirm_receipt.did_not_get(world.services, member, shown.access_key_id)
    assert world.now(request).status is Status.EXPIRED
    assert world.now(request).verb_again == again


@pytest.mark.parametrize(("asks", "again"), AGAIN)
def test_after_a_change_of_identity_the_same_verb_asks_again(
    asks: Callable[[World], tuple[Member, KeyRequest]], again: str
) -> None:
    world = tagged_desk()
    member, request = asks(world)
    world.iam.add_user(request.iam_user, "AIDAMADEANEW", owner=member.id)
    with world.nothing_happens(), pytest.raises(IdentityChanged):
        reveal_key.reveal(world.services, member, request.id)
    assert request.verb_again == again


@pytest.mark.parametrize("again", [again for _, again in AGAIN])
def test_what_they_are_told_to_type_opens_a_form(again: str) -> None:
    verb, _, user = again.partition(" --user ")
    assert parse(again) == Command(verb, user=user)


# -- Break glass: who may ask urgently, and what an urgent key is worth.


HOUR, DAY = timedelta(hours=1), timedelta(days=1)
URGENT = RequestOptions(urgent=True)


def urgent_desk(named: str = ALICE.id, **rules: object) -> World:
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
def test_members_in_break_glass_ask_urgently(named: str) -> None:
    world = urgent_desk(named)
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
def test_others_cannot_ask_urgently(named: str, code: Code) -> None:
    world = urgent_desk(named)
    with world.nothing_happens(), refuses(code):
        create_request.create(world.services, ALICE, "the shop is down", URGENT)
    assert not create_request.create(world.services, ALICE, "the shop is down").urgent


def test_who_has_left_the_group_by_now_does_not() -> None:
    world = urgent_desk("S0ONCALL")
    world.people.groups["S0ONCALL"] = frozenset()
    with world.nothing_happens(), refuses(Code.URGENT_NOT_ALLOWED):
        create_request.create(world.services, ALICE, "the shop is down", URGENT)


def test_no_urgent_request_while_slack_is_unavailable() -> None:
    world = urgent_desk("S0ONCALL")
    world.taps.on(
        "directory.group", before=SlackUnavailable("usergroups.users.list", "fatal_error")
    )
    with world.nothing_happens(), pytest.raises(SlackUnavailable):
        create_request.create(world.services, ALICE, "the shop is down", URGENT)


def test_who_is_named_in_person_needs_no_answer_about_groups() -> None:
    world = urgent_desk(f"{ALICE.id} S0ONCALL")
    world.taps.on(
        "directory.group", before=SlackUnavailable("usergroups.users.list", "fatal_error")
    )
    assert create_request.create(world.services, ALICE, "the shop is down", URGENT).urgent


def test_the_rules_of_reasons_places_and_service_users_stay() -> None:
    world = urgent_desk(iam_owner_tag="owner")
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
def test_an_urgent_key_lives_as_long_as_break_glass_allows(
    options: RequestOptions, lives: timedelta
) -> None:
    world = urgent_desk(key_ttl=None, key_ttl_max=None)
    urgent = RequestOptions(options.lifetime, options.forever, urgent=True)
    key_id = handed_over(world, urgent)
    made = world.record(key_id)
    assert made.urgent and made.expires_at == made.created_at + lives
    world.pass_time(lives - timedelta(seconds=1))
    world.pass_time(timedelta(seconds=1))
    assert world.iam.active == []


def test_an_urgent_key_is_not_extended() -> None:
    world = urgent_desk()
    key_id = handed_over(world)
    with world.nothing_happens(), refuses(Code.URGENT_KEY_NOT_EXTENDED, key_id=key_id):
        create_request.extend(world.services, ALICE, key_id)


def test_more_time_is_not_applied_to_an_urgent_key_either() -> None:
    """Whatever asked for it: a request that another version of the desk has stored, say."""
    world = urgent_desk()
    key_id = handed_over(world)
    before = world.record(key_id)
    asked = replace(world.pending(), id="older", verb="extend", target=key_id)
    world.store.commit(Change(None, asked), entry=AuditEntry(world.clock.now(), ALICE.id, "extend"))
    done = decide_request.approve(world.services, CAROL, asked.id)
    assert done.status is Status.EXPIRED
    assert done.detail == Detail(Code.URGENT_KEY_NOT_EXTENDED, {"key_id": key_id})
    assert world.record(key_id) == before


def test_an_expired_urgent_key_needs_approval_to_enable() -> None:
    world = urgent_desk(approval_free=frozenset({"disable", "delete", "enable"}))
    key_id = handed_over(world)
    world.pass_time(4 * HOUR)
    request = create_request.enable(world.services, ALICE, key_id, "not finished")
    assert request and request.status is Status.PENDING and world.iam.active == []


def test_a_key_without_an_end_is_said_to_need_no_more_time() -> None:
    world = urgent_desk(key_ttl=None, key_ttl_max=None)
    key_id = handed_over(world, RequestOptions())
    with world.nothing_happens(), refuses(Code.KEY_NEVER_EXPIRES, key_id=key_id):
        create_request.extend(world.services, ALICE, key_id)


def test_a_rotation_cannot_be_made_urgent() -> None:
    world = urgent_desk()
    key_id = world.console_key()
    request = create_request.rotate(world.services, ALICE, key_id, options=URGENT)
    assert not request.urgent
    assert world.services.settings.break_glass_ttl < policy.EXTENSION


@pytest.mark.parametrize("quorum", [1, 2, 5])
def test_one_approval_is_enough_whatever_the_quorum(quorum: int) -> None:
    assert policy.count_approvals_needed(quorum, extra_approval=True, urgent=True) == 1
    assert policy.count_approvals_needed(quorum, extra_approval=False, urgent=False) == quorum


def test_an_enabled_urgent_key_lives_no_longer_than_urgent() -> None:
    world = urgent_desk()
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
