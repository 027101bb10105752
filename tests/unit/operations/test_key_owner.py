"""Whose key it is: a member's, their service user's, or any for an approver."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.domain.codes import Code
from bot.domain.errors import KeydeskError
from bot.domain.identity import IamMapping, Member
from bot.domain.keys import DesiredState
from bot.domain.outside_errors import IamDenied, IamThrottled, IamUnavailable, SlackUnavailable
from bot.operations import disable_key, key_owner, report_leak
from bot.operations.services import Services
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, ERIN, World, make_desk
from tests.unit.operations.key_steps import UNKNOWN_KEY, service_key
from tests.unit.operations.key_times import MINUTE

Verb = Callable[[Services, Member, str], object]
OWNER_VERBS: list[Verb] = [key_owner.owned_key, disable_key.disable, disable_key.delete]
SERVICE_USER_VERBS: list[Verb] = [
    disable_key.last_use,
    disable_key.disable,
    disable_key.delete,
    key_owner.service_user_of,
]
APPROVER_VERBS: dict[str, Verb] = {
    "report": report_leak.report,
    "disable as leaked": report_leak.disable,
    "last use": disable_key.last_use,
    "disable for": lambda services, member, key_id: disable_key.disable_for(
        services, member, key_id, "x"
    ),
}


def refusal(verb: Verb, world: World, member: Member, key_id: str) -> tuple[Code, object]:
    """Return the code and facts with which `verb` is refused. Nothing happens."""
    with world.nothing_happens(), pytest.raises(KeydeskError) as refused:
        verb(world.services, member, key_id)
    return refused.value.code, refused.value.facts


def test_a_member_sees_their_keys_oldest_first_with_last_use() -> None:
    world = make_desk()
    first, second = world.console_key(), world.console_key()
    world.iam.create_key(BOB.email)
    world.iam.use(second)
    with world.nothing_happens():
        keys = key_owner.keys_of(world.services, ALICE)
        assert key_owner.owned_key(world.services, ALICE, second) == keys[1]
    assert [key.id for key in keys] == [first, second]
    assert keys[0].last_used is not None and keys[0].last_used.at is None
    assert keys[1].last_used is not None and keys[1].last_used.service == "s3"


def test_an_approver_sees_the_last_use_of_any_key() -> None:
    world = make_desk()
    key_id = world.console_key()
    world.iam.use(key_id)
    (key,) = world.iam.keys(ALICE.email)
    with world.nothing_happens():
        for member in (ALICE, CAROL):
            assert disable_key.last_use(world.services, member, key_id) == key
    assert refusal(disable_key.last_use, world, CAROL, UNKNOWN_KEY)[0] is Code.KEY_NOT_IN_ACCOUNT
    for foreign in (key_id, UNKNOWN_KEY):
        assert refusal(disable_key.last_use, world, BOB, foreign) == (Code.NOT_YOUR_KEY, {})


@pytest.mark.parametrize("verb", OWNER_VERBS)
def test_a_foreign_and_a_missing_key_are_refused_alike(verb: Verb) -> None:
    world = make_desk()
    for key_id in (world.iam.create_key(BOB.email)[0].id, UNKNOWN_KEY):
        assert refusal(verb, world, ALICE, key_id) == (Code.NOT_YOUR_KEY, {})


@pytest.mark.parametrize("verb", OWNER_VERBS)
def test_without_an_iam_user_or_its_tag_members_are_refused(verb: Verb) -> None:
    world = make_desk(iam_owner_tag="Owner")
    key_id = world.console_key()
    assert refusal(verb, world, CAROL, key_id)[0] is Code.IAM_USER_NOT_FOUND
    assert refusal(verb, world, ALICE, key_id)[0] is Code.NOT_IN_OWNER_TAG


def test_a_service_users_owner_needs_no_iam_user_of_their_own() -> None:
    world = make_desk(iam_owner_tag="owner")
    key_id = service_key(world, ERIN.id, ERIN)
    assert key_owner.service_user_of(world.services, ERIN, key_id) == "ci-deploy"
    assert disable_key.disable(world.services, ERIN, key_id).key.iam_user == "ci-deploy"
    world.iam.add_user(ALICE.email, owner=ALICE.id)
    foreign = world.iam.create_key(ALICE.email)[0].id
    first = refusal(disable_key.disable, world, ERIN, foreign)
    assert first == refusal(disable_key.disable, world, ERIN, UNKNOWN_KEY)
    assert first[0] is Code.IAM_USER_NOT_FOUND


@pytest.mark.parametrize("verb", SERVICE_USER_VERBS)
@pytest.mark.parametrize(
    ("call", "nth", "failure"),
    [
        ("directory.group", 1, SlackUnavailable("usergroups.users.list", "fatal_error")),
        ("issuer.user", 2, IamUnavailable("GetUser")),
        ("issuer.user", 2, IamThrottled("Throttling", "GetUser")),
        ("issuer.user", 2, IamDenied("AccessDenied", "GetUser")),
    ],
)
def test_an_unknown_owner_is_refused_as_if_the_key_were_missing(
    call: str, nth: int, failure: KeydeskError, verb: Verb
) -> None:
    world = make_desk(iam_owner_tag="owner")
    world.iam.add_user(BOB.email, owner=BOB.id)
    world.iam.add_user("ci-group", owner="S0OPS")
    world.people.groups["S0OPS"] = frozenset({ALICE.id})
    for key_id in (world.iam.create_key("ci-group")[0].id, UNKNOWN_KEY):
        world.taps.on(call, nth=nth, before=failure)
        assert refusal(verb, world, BOB, key_id) == (Code.KEY_NOT_FOUND, {})
        world.taps.calm()


@pytest.mark.parametrize("disabled", [False, True])
def test_the_record_names_the_owner_of_a_key_too_new_for_aws(disabled: bool) -> None:
    world = make_desk()
    key_id = world.delivered().access_key_id
    if disabled:
        disable_key.disable(world.services, ALICE, key_id)
    world.iam.hidden.add(key_id)
    with world.nothing_happens():
        assert key_owner.owner_of(world.services, key_id) == (ALICE.email, None)


def delete_in_aws(world: World, key_id: str) -> None:
    world.iam.delete_key(ALICE.email, key_id)
    world.clock.advance(6 * MINUTE)


def delete_with_user(world: World, key_id: str) -> None:
    world.iam.delete_user(ALICE.email)
    world.clock.advance(6 * MINUTE)


def delete_here(world: World, key_id: str) -> None:
    disable_key.disable(world.services, ALICE, key_id)
    disable_key.delete(world.services, ALICE, key_id)


def start_deletion_here(world: World, key_id: str) -> None:
    """Delete a key that IAM does not know everywhere yet."""
    disable_key.disable(world.services, ALICE, key_id)
    world.iam.hidden.add(key_id)
    user, key = world.iam.user(ALICE.email), world.iam.observed(key_id)
    assert key is not None
    with refuses(Code.KEY_TOO_NEW):
        disable_key.set_desired_state(
            world.services, ALICE, user, key, DesiredState.DELETED, "delete"
        )


@pytest.mark.parametrize("verb", APPROVER_VERBS.values(), ids=APPROVER_VERBS)
@pytest.mark.parametrize(
    "delete", [delete_here, start_deletion_here, delete_in_aws, delete_with_user]
)
def test_a_recorded_key_that_is_gone_is_not_in_the_account(
    delete: Callable[[World, str], None], verb: Verb
) -> None:
    """The record is no proof once AWS must know the key."""
    world = make_desk()
    key_id = world.delivered().access_key_id
    delete(world, key_id)
    assert refusal(verb, world, CAROL, key_id) == (Code.KEY_NOT_IN_ACCOUNT, {"key_id": key_id})
    with world.nothing_happens():
        assert report_leak.report(world.services, BOB, key_id) == report_leak.LeakResult()


@pytest.mark.parametrize(
    ("rule", "name", "member"),
    [
        ("{email}", "UploadBot", ""),
        ("{email}", "UPLOAD", ""),
        ("{email}", "alice@example.com", "alice@example.com"),
        ("{slack_id}", "U0ALICE", "U0ALICE"),
        ("{slack_id}", "UploadBot", ""),
    ],
)
def test_only_a_fitting_iam_user_name_maps_to_a_member(rule: str, name: str, member: str) -> None:
    assert IamMapping(rule=rule).person(name) == member
