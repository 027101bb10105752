"""Service users: IAM users that are nobody's, asked for by those whom their owner tag names."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.errors import MustChooseKey, NotAllowed, NotYourKey, TooManyKeys
from bot.domain.outside_errors import SlackUnavailable
from bot.operations import (
    create_request,
    decide_request,
    disable_key,
    key_owner,
    reveal_key,
)
from bot.slack.messages.errors import error_text
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, World, make_desk

DAY = timedelta(days=1)


def service(world: World, owners: str = BOB.id) -> None:
    world.iam.add_user("ci-deploy", owner=owners)
    world.iam.add_user(ALICE.email, owner=ALICE.id)
    world.iam.add_user(BOB.email, owner=BOB.id)


CI = create_request.RequestOptions(service_user="ci-deploy")


@pytest.mark.parametrize("owners", [BOB.id, "U0X/U0BOB", "S0OPS", "S0NONE S0OPS"])
def test_owners_of_a_service_user_get_its_keys(
    owners: str,
) -> None:
    world = make_desk(iam_owner_tag="owner")
    world.people.groups["S0OPS"] = frozenset({BOB.id})
    service(world, owners)
    request = create_request.create(world.services, BOB, "nightly deploys", CI)
    assert (request.iam_user, request.is_service_user, request.requester) == (
        "ci-deploy",
        True,
        BOB.id,
    )
    delivered = reveal_key.reveal(
        world.services, BOB, decide_request.approve(world.services, CAROL, request.id).id
    )
    assert world.slack.observed[-1][0] == "D0BOB"
    record = world.record(delivered.access_key_id)
    assert (record.iam_user, record.is_service_user, record.owner) == ("ci-deploy", True, BOB.id)
    assert [k.id for k in key_owner.keys_of(world.services, BOB, "ci-deploy")] == [
        delivered.access_key_id
    ]
    disable_key.disable(world.services, BOB, delivered.access_key_id, "ci-deploy")
    disable_key.delete(world.services, BOB, delivered.access_key_id, "ci-deploy")


VERBS = [
    lambda w, m, user: create_request.create(
        w.services, m, "x", create_request.RequestOptions(service_user=user)
    ),
    lambda w, m, user: create_request.rotate(
        w.services,
        m,
        "AKIAIOSFODNN7EXAMPLE",
        options=create_request.RequestOptions(service_user=user),
    ),
    lambda w, m, user: create_request.enable(
        w.services, m, "AKIAIOSFODNN7EXAMPLE", "x", create_request.RequestOptions(service_user=user)
    ),
    lambda w, m, user: key_owner.keys_of(w.services, m, user),
    lambda w, m, user: key_owner.owned_key(w.services, m, "AKIAX", user),
    lambda w, m, user: disable_key.disable(w.services, m, "AKIAX", user),
    lambda w, m, user: disable_key.delete(w.services, m, "AKIAX", user),
]
SILENT = SlackUnavailable(
    "usergroups.users.list",
    "ratelimited",
    retry_after=30,
)


@pytest.mark.parametrize("does", VERBS)
@pytest.mark.parametrize("silent", [False, True], ids=["group told", "group not told"])
def test_a_refusal_does_not_reveal_a_service_user(does: object, silent: bool) -> None:
    """Also where Slack does not say who is in the group of its owner tag, which only the user that exists has."""
    world = make_desk(iam_owner_tag="owner")
    service(world, "U0BOB S0OPS")
    if silent:
        world.taps.on("directory.group", before=SILENT)
    told = []
    with world.nothing_happens():
        for user, refusal in (
            ("ci-deploy", SlackUnavailable if silent else NotAllowed),
            ("ci-nobody", NotAllowed),
        ):
            with pytest.raises(refusal) as refused:
                does(world, ALICE, user)
            assert refused.value.code is Code.NOT_SERVICE_OWNER
            told.append(error_text(refused.value).replace(user, "USER"))
    assert told[0] == told[1]


def test_a_silent_group_keeps_nobody_out_whom_another_has() -> None:
    world = make_desk(iam_owner_tag="owner")
    world.people.groups["S0OPS"] = frozenset({BOB.id})
    service(world, "S0ELSE S0OPS")
    world.taps.on("directory.group", before=SILENT)
    assert create_request.create(world.services, BOB, "nightly deploys", CI).is_service_user


def test_without_an_owner_tag_there_are_no_service_users() -> None:
    world = make_desk()
    with world.nothing_happens(), refuses(Code.SERVICE_USERS_OFF):
        create_request.create(world.services, BOB, "x", CI)


def test_a_person_who_is_no_owner_any_more_does_not_reveal() -> None:
    world = make_desk(iam_owner_tag="owner")
    service(world)
    request = decide_request.approve(
        world.services, CAROL, create_request.create(world.services, BOB, "x", CI).id
    )
    world.iam.users["ci-deploy"].tags["owner"] = ALICE.id  # type: ignore[index]  # a dict here
    with world.nothing_happens(), pytest.raises(NotAllowed):
        reveal_key.reveal(world.services, BOB, request.id)


def test_a_service_user_has_the_usual_limits() -> None:
    world = make_desk(iam_owner_tag="owner")
    service(world, "U0ALICE U0BOB")
    create_request.create(world.services, BOB, "x", CI)
    with (
        world.nothing_happens(),
        refuses(Code.OTHER_REQUEST_OPEN, by="U0BOB"),
    ):
        create_request.create(world.services, ALICE, "x", CI)
    world.iam.create_key("ci-deploy")
    world.iam.create_key("ci-deploy")
    create_request.cancel(world.services, BOB, "id1")
    with world.nothing_happens(), pytest.raises(TooManyKeys):
        create_request.create(world.services, ALICE, "x", CI)


def test_another_owner_who_asks_a_key_back_does_not_take_it_over() -> None:
    world = make_desk(iam_owner_tag="owner")
    service(world, "U0ALICE U0BOB")
    key_id = world.iam.create_key("ci-deploy")[0].id
    world.clock.advance(DAY)
    disable_key.disable(world.services, BOB, key_id, "ci-deploy")
    request = create_request.enable(world.services, ALICE, key_id, "x", CI)
    assert request is not None
    decide_request.approve(world.services, CAROL, request.id)
    assert world.record(key_id).owner == BOB.id and world.record(key_id).dm != "D0ALICE"


def two_keys_of_ci(world: World) -> tuple[str, str]:
    service(world)
    keys = world.iam.create_key("ci-deploy")[0].id, world.iam.create_key("ci-deploy")[0].id
    world.clock.advance(DAY)
    return keys


@pytest.mark.parametrize("options", [CI, create_request.RequestOptions()], ids=["named", "by key"])
def test_a_rotation_may_delete_each_key_it_offers(options: create_request.RequestOptions) -> None:
    """Also where the requester types the key alone, without `--user`."""
    world = make_desk(iam_owner_tag="owner")
    key_id, other = two_keys_of_ci(world)
    with world.nothing_happens(), pytest.raises(MustChooseKey) as choose:
        create_request.rotate(world.services, BOB, key_id, options=options)
    error = choose.value
    assert (error.code, error.key_id) == (Code.MUST_CHOOSE_KEY, key_id)
    assert [key.id for key in error.keys] == [key_id, other]
    request = create_request.rotate(
        world.services, BOB, error.key_id, delete_first=error.keys[0].id
    )
    assert (request.iam_user, request.is_service_user, request.target) == (
        "ci-deploy",
        True,
        key_id,
    )
    assert reveal_key.reveal(
        world.services, BOB, decide_request.approve(world.services, CAROL, request.id).id
    ).access_key_id


def test_keys_of_a_service_user_are_managed_by_id_alone() -> None:
    """What a refusal with both slots taken offers works without `--user`."""
    world = make_desk(iam_owner_tag="owner")
    two_keys_of_ci(world)
    with world.nothing_happens(), pytest.raises(TooManyKeys) as full:
        create_request.create(world.services, BOB, "x", CI)
    off = full.value.keys[0].id
    disable_key.disable(world.services, BOB, off)
    back = create_request.enable(world.services, BOB, off, "still needed")
    assert back is not None and (back.iam_user, back.is_service_user) == ("ci-deploy", True)
    decide_request.approve(world.services, CAROL, back.id)
    assert off in world.iam.active
    disable_key.disable(world.services, BOB, off)
    disable_key.delete(world.services, BOB, off)
    assert off not in [key.id for key in world.iam.listed("ci-deploy")]


@pytest.mark.parametrize("owners", [BOB.id, "S0OPS"])
def test_a_refusal_does_not_reveal_a_service_users_key(owners: str) -> None:
    world = make_desk(iam_owner_tag="owner")
    service(world, owners)
    key_id = world.iam.create_key("ci-deploy")[0].id
    told = set()
    with world.nothing_happens():
        for known in (key_id, "AKIAIOSFODNN7EXAMPLE"):
            for does in (
                lambda key: create_request.rotate(world.services, ALICE, key),
                lambda key: create_request.enable(world.services, ALICE, key, "x"),
            ):
                with pytest.raises(NotYourKey) as refused:
                    does(known)
                told.add((refused.value.code, str(refused.value.facts)))
    assert len(told) == 1


def test_an_owner_without_iam_user_rotates_a_service_key() -> None:
    world = make_desk(iam_owner_tag="owner")
    service(world)
    del world.iam.users[BOB.email]
    key_id = world.iam.create_key("ci-deploy")[0].id
    assert create_request.rotate(world.services, BOB, key_id).iam_user == "ci-deploy"
