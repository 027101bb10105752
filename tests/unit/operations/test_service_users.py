"""Manage service users: IAM users that an owner tag gives to members."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.errors import KeydeskError, MustChooseKey, NotYourKey, TooManyKeys
from bot.domain.identity import Member
from bot.domain.outside_errors import SlackUnavailable
from bot.domain.requests import KeyRequest
from bot.operations import create_request, decide_request, disable_key, key_owner, reveal_key
from bot.operations.create_request import RequestOptions
from bot.operations.services import Services
from bot.slack.messages.errors import error_text
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, World, make_desk

DAY = timedelta(days=1)
CI, KEY = "ci-deploy", "AKIAIOSFODNN7EXAMPLE"
OPTIONS = RequestOptions(service_user=CI)
SILENT = SlackUnavailable("usergroups.users.list", "ratelimited", retry_after=30)


def owned_by(owners: str = BOB.id, keys: int = 0) -> World:
    """Return a world with a service user of these owners, which has so many keys."""
    world = make_desk(iam_owner_tag="owner")
    world.people.groups["S0OPS"] = frozenset({BOB.id})
    for user, owner in ((CI, owners), (ALICE.email, ALICE.id), (BOB.email, BOB.id)):
        world.iam.add_user(user, owner=owner)
    for _ in range(keys):
        world.iam.create_key(CI)
    world.clock.advance(DAY)
    return world


def key_ids(world: World) -> list[str]:
    return [key.id for key in world.iam.listed(CI)]


def create(world: World, member: Member = BOB) -> KeyRequest:
    return create_request.create(world.services, member, "nightly deploys", OPTIONS)


def approve(world: World, request: KeyRequest | None) -> KeyRequest:
    assert request is not None
    return decide_request.approve(world.services, CAROL, request.id)


def reveal(world: World, request: KeyRequest) -> str:
    return reveal_key.reveal(world.services, BOB, request.id).access_key_id


# -- what owners do


@pytest.mark.parametrize("owners", [BOB.id, "U0X/U0BOB", "S0OPS", "S0NONE S0OPS"])
def test_owners_of_a_service_user_manage_its_keys(owners: str) -> None:
    world = owned_by(owners)
    request = create(world)
    facts = (request.iam_user, request.is_service_user, request.requester)
    assert facts == (CI, True, BOB.id)
    key_id = reveal(world, approve(world, request))
    assert world.slack.observed[-1][0] == "D0BOB"
    record = world.record(key_id)
    assert (record.iam_user, record.is_service_user, record.owner) == (CI, True, BOB.id)
    assert [key.id for key in key_owner.keys_of(world.services, BOB, CI)] == [key_id]
    disable_key.disable(world.services, BOB, key_id, CI)
    disable_key.delete(world.services, BOB, key_id, CI)
    assert key_ids(world) == []


def test_a_service_user_has_the_usual_limits() -> None:
    world = owned_by("U0ALICE U0BOB")
    request = create(world)
    with world.nothing_happens(), refuses(Code.OTHER_REQUEST_OPEN, by=BOB.id):
        create(world, ALICE)
    create_request.cancel(world.services, BOB, request.id)
    for _ in range(2):
        world.iam.create_key(CI)
    with world.nothing_happens(), refuses(Code.TOO_MANY_KEYS):
        create(world, ALICE)


def test_enabling_a_key_does_not_change_its_owner() -> None:
    world = owned_by("U0ALICE U0BOB", keys=1)
    (key_id,) = key_ids(world)
    disable_key.disable(world.services, BOB, key_id, CI)
    approve(world, create_request.enable(world.services, ALICE, key_id, "x", OPTIONS))
    record = world.record(key_id)
    assert record.owner == BOB.id and record.dm != "D0ALICE" and world.iam.active == [key_id]


@pytest.mark.parametrize("options", [OPTIONS, RequestOptions()], ids=["named", "by key"])
def test_a_rotation_may_delete_each_key_it_offers(options: RequestOptions) -> None:
    """Offer them also where the requester types the key alone, without `--user`."""
    world = owned_by(keys=2)
    key_id, other = key_ids(world)
    with world.nothing_happens(), pytest.raises(MustChooseKey) as refused:
        create_request.rotate(world.services, BOB, key_id, options=options)
    error = refused.value
    assert (error.code, error.key_id) == (Code.MUST_CHOOSE_KEY, key_id)
    assert [key.id for key in error.keys] == [key_id, other]
    request = create_request.rotate(world.services, BOB, key_id, delete_first=key_id)
    facts = (request.iam_user, request.is_service_user, request.target)
    assert facts == (CI, True, key_id)
    assert reveal(world, approve(world, request))


def test_keys_of_a_service_user_are_managed_by_id_alone() -> None:
    """Accept what a refusal with both slots taken offers, without `--user`."""
    world = owned_by(keys=2)
    with world.nothing_happens(), pytest.raises(TooManyKeys) as full:
        create(world)
    key_id = full.value.keys[0].id
    disable_key.disable(world.services, BOB, key_id)
    request = create_request.enable(world.services, BOB, key_id, "still needed")
    assert request and (request.iam_user, request.is_service_user) == (CI, True)
    approve(world, request)
    assert key_id in world.iam.active
    disable_key.disable(world.services, BOB, key_id)
    disable_key.delete(world.services, BOB, key_id)
    assert key_id not in key_ids(world)


def test_an_owner_without_iam_user_rotates_a_service_key() -> None:
    world = owned_by(keys=1)
    del world.iam.users[BOB.email]
    assert create_request.rotate(world.services, BOB, *key_ids(world)).iam_user == CI


# -- what others learn


VERBS: dict[str, Callable[[Services, Member, RequestOptions], object]] = {
    "create": lambda s, member, options: create_request.create(s, member, "x", options),
    "rotate": lambda s, member, options: create_request.rotate(s, member, KEY, options=options),
    "enable": lambda s, member, options: create_request.enable(s, member, KEY, "x", options),
    "list": lambda s, member, options: key_owner.keys_of(s, member, options.service_user),
    "show": lambda s, member, options: key_owner.owned_key(s, member, KEY, options.service_user),
    "disable": lambda s, member, options: disable_key.disable(s, member, KEY, options.service_user),
    "delete": lambda s, member, options: disable_key.delete(s, member, KEY, options.service_user),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("silent", [False, True], ids=["group known", "group hidden"])
def test_a_refusal_does_not_reveal_a_service_user(verb: str, silent: bool) -> None:
    """Word it alike also where Slack hides a group, which only an existing user has."""
    world = owned_by("U0BOB S0OPS")
    if silent:
        world.taps.on("directory.group", before=SILENT)
    texts = set()
    for user in (CI, "ci-unknown"):
        with world.nothing_happens(), pytest.raises(KeydeskError) as refused:
            VERBS[verb](world.services, ALICE, RequestOptions(service_user=user))
        assert refused.value.code is Code.NOT_SERVICE_OWNER
        assert isinstance(refused.value, SlackUnavailable) is (silent and user == CI)
        texts.add(error_text(refused.value).replace(user, "USER"))
    assert len(texts) == 1


@pytest.mark.parametrize("owners", [BOB.id, "S0OPS"])
def test_a_refusal_does_not_reveal_a_service_users_key(owners: str) -> None:
    world = owned_by(owners, keys=1)
    refusals = []
    for key_id in (*key_ids(world), KEY):
        for verb in (create_request.rotate, create_request.enable):
            with world.nothing_happens(), pytest.raises(NotYourKey) as refused:
                verb(world.services, ALICE, key_id, "x")
            refusals.append((refused.value.code, refused.value.facts))
    assert refusals == [(Code.KEY_NOT_FOUND, {})] * 4


def test_a_hidden_group_keeps_no_member_of_another_out() -> None:
    world = owned_by("S0ELSE S0OPS")
    world.taps.on("directory.group", before=SILENT)
    assert create(world).is_service_user


def test_without_an_owner_tag_there_are_no_service_users() -> None:
    world = make_desk()
    with world.nothing_happens(), refuses(Code.SERVICE_USERS_OFF):
        create(world)


def test_a_former_owner_does_not_reveal() -> None:
    world = owned_by()
    request = approve(world, create(world))
    world.iam.add_user(CI, owner=ALICE.id)
    with world.nothing_happens(), refuses(Code.NOT_SERVICE_OWNER, iam_user=CI):
        reveal(world, request)
