"""Service users: IAM users that are nobody's, asked for by those whom their owner tag names."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from bot.core.command import Command, parse
from bot.core.errors import (
    AlreadyOpen,
    ChooseKey,
    NotAllowed,
    NotYourKey,
    SlackUnavailable,
    TooManyKeys,
)
from bot.core.workflow import ask, decide, hand_over, ownership, retire
from tests.core.fakes import ALICE, BOB, CAROL, World, make_desk

DAY = timedelta(days=1)


def service(world: World, owners: str = BOB.id) -> None:
    world.iam.add_user("ci-deploy", owner=owners)
    world.iam.add_user(ALICE.email, owner=ALICE.id)
    world.iam.add_user(BOB.email, owner=BOB.id)


CI = ask.Terms(service_user="ci-deploy")


@pytest.mark.parametrize("owners", [BOB.id, "U0X/U0BOB", "S0OPS", "S0NONE S0OPS"])
def test_those_whom_its_owner_tag_names_ask_for_a_service_user_and_get_the_secret(
    owners: str,
) -> None:
    world = make_desk(owner_tag="owner")
    world.people.groups["S0OPS"] = frozenset({BOB.id})
    service(world, owners)
    request = ask.create(world.desk, BOB, "nightly deploys", CI)
    assert (request.iam_user, request.service, request.requester) == ("ci-deploy", True, BOB.id)
    delivered = hand_over.reveal(world.desk, BOB, decide.approve(world.desk, CAROL, request.id).id)
    assert world.slack.shown[-1][0] == "D0BOB"
    record = world.record(delivered.access_key_id)
    assert (record.iam_user, record.service, record.owner) == ("ci-deploy", True, BOB.id)
    assert [k.id for k in ownership.keys_of(world.desk, BOB, "ci-deploy")] == [
        delivered.access_key_id
    ]
    retire.disable(world.desk, BOB, delivered.access_key_id, "ci-deploy")
    retire.delete(world.desk, BOB, delivered.access_key_id, "ci-deploy")


VERBS = [
    lambda w, m, user: ask.create(w.desk, m, "x", ask.Terms(service_user=user)),
    lambda w, m, user: ask.rotate(
        w.desk, m, "AKIAIOSFODNN7EXAMPLE", terms=ask.Terms(service_user=user)
    ),
    lambda w, m, user: ask.enable(
        w.desk, m, "AKIAIOSFODNN7EXAMPLE", "x", ask.Terms(service_user=user)
    ),
    lambda w, m, user: ownership.keys_of(w.desk, m, user),
    lambda w, m, user: ownership.own_key(w.desk, m, "AKIAX", user),
    lambda w, m, user: retire.disable(w.desk, m, "AKIAX", user),
    lambda w, m, user: retire.delete(w.desk, m, "AKIAX", user),
]
SILENT = SlackUnavailable(
    "usergroups.users.list",
    "ratelimited",
    "I cannot tell who is in the user group S0OPS.",
    retry_after=30,
)


@pytest.mark.parametrize("does", VERBS)
@pytest.mark.parametrize("silent", [False, True], ids=["group told", "group not told"])
def test_nobody_else_does_and_is_refused_alike_whether_or_not_the_user_exists(
    does: object, silent: bool
) -> None:
    """Also where Slack does not say who is in the group of its owner tag, which only the user that exists has."""
    world = make_desk(owner_tag="owner")
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
            told.append(refused.value.sentence.replace(user, "…"))
    assert told[0] == told[1] and "try again in a minute" in told[0]


def test_a_silent_group_keeps_nobody_out_whom_another_has() -> None:
    world = make_desk(owner_tag="owner")
    world.people.groups["S0OPS"] = frozenset({BOB.id})
    service(world, "S0ELSE S0OPS")
    world.taps.on("directory.group", before=SILENT)
    assert ask.create(world.desk, BOB, "nightly deploys", CI).service


def test_without_an_owner_tag_there_are_no_service_users() -> None:
    world = make_desk()
    with world.nothing_happens(), pytest.raises(NotAllowed, match="IAM_OWNER_TAG"):
        ask.create(world.desk, BOB, "x", CI)


def test_a_person_who_is_no_owner_any_more_does_not_reveal() -> None:
    world = make_desk(owner_tag="owner")
    service(world)
    request = decide.approve(world.desk, CAROL, ask.create(world.desk, BOB, "x", CI).id)
    world.iam.users["ci-deploy"].tags["owner"] = ALICE.id  # type: ignore[index]  # a dict here
    with world.nothing_happens(), pytest.raises(NotAllowed):
        hand_over.reveal(world.desk, BOB, request.id)


def test_a_service_user_has_one_request_of_a_verb_and_two_keys_like_anybody() -> None:
    world = make_desk(owner_tag="owner")
    service(world, "U0ALICE U0BOB")
    ask.create(world.desk, BOB, "x", CI)
    with (
        world.nothing_happens(),
        pytest.raises(AlreadyOpen, match="<@U0BOB> has had a request open"),
    ):
        ask.create(world.desk, ALICE, "x", CI)
    world.iam.create_key("ci-deploy")
    world.iam.create_key("ci-deploy")
    ask.cancel(world.desk, BOB, "id1")
    with world.nothing_happens(), pytest.raises(TooManyKeys):
        ask.create(world.desk, ALICE, "x", CI)


def test_another_owner_who_asks_a_key_back_does_not_take_it_over() -> None:
    world = make_desk(owner_tag="owner")
    service(world, "U0ALICE U0BOB")
    key_id = world.iam.create_key("ci-deploy")[0].id
    world.clock.advance(DAY)
    retire.disable(world.desk, BOB, key_id, "ci-deploy")
    request = ask.enable(world.desk, ALICE, key_id, "x", CI)
    assert request is not None
    decide.approve(world.desk, CAROL, request.id)
    assert world.record(key_id).owner == BOB.id and world.record(key_id).dm != "D0ALICE"


def two_keys_of_ci(world: World) -> tuple[str, str]:
    service(world)
    keys = world.iam.create_key("ci-deploy")[0].id, world.iam.create_key("ci-deploy")[0].id
    world.clock.advance(DAY)
    return keys


def typed(sentence: str, verb: str) -> Command:
    """The first command of that verb that a sentence tells people to type, as they type it."""
    line = re.search(rf"`/key ({verb} [^`]*)`", sentence)
    assert line is not None, sentence
    return parse(line[1].replace("<reason>", "still needed"))


@pytest.mark.parametrize("how", ["named", "by its key alone"])
def test_the_line_that_chooses_a_key_to_let_go_can_be_typed_as_it_stands(how: str) -> None:
    world = make_desk(owner_tag="owner")
    key_id, _ = two_keys_of_ci(world)
    with world.nothing_happens(), pytest.raises(ChooseKey) as choose:
        ask.rotate(world.desk, BOB, key_id, terms=CI if how == "named" else ask.Terms())
    line = typed(choose.value.sentence, "rotate")
    request = ask.rotate(
        world.desk, BOB, line.key_id, line.reason, line.let_go, ask.Terms(service_user=line.user)
    )
    assert (request.iam_user, request.service, request.target) == ("ci-deploy", True, key_id)
    assert hand_over.reveal(
        world.desk, BOB, decide.approve(world.desk, CAROL, request.id).id
    ).access_key_id


def test_what_is_told_of_two_keys_and_of_one_turned_off_can_be_typed_as_it_stands() -> None:
    world = make_desk(owner_tag="owner")
    two_keys_of_ci(world)
    with world.nothing_happens(), pytest.raises(TooManyKeys) as full:
        ask.create(world.desk, BOB, "x", CI)
    off = typed(full.value.sentence, "disable").key_id
    retire.disable(world.desk, BOB, off)
    back = ask.enable(world.desk, BOB, off, "still needed")
    assert back is not None and (back.iam_user, back.service) == ("ci-deploy", True)
    decide.approve(world.desk, CAROL, back.id)
    assert off in world.iam.active
    gone = typed(full.value.sentence, "delete").key_id
    retire.disable(world.desk, BOB, gone)
    retire.delete(world.desk, BOB, gone)
    assert gone not in [key.id for key in world.iam.listed("ci-deploy")]


@pytest.mark.parametrize("owners", [BOB.id, "S0OPS"])
def test_to_anybody_else_a_key_of_a_service_user_is_one_that_does_not_exist(owners: str) -> None:
    world = make_desk(owner_tag="owner")
    service(world, owners)
    key_id = world.iam.create_key("ci-deploy")[0].id
    told = set()
    with world.nothing_happens():
        for known in (key_id, "AKIAIOSFODNN7EXAMPLE"):
            for does in (
                lambda key: ask.rotate(world.desk, ALICE, key),
                lambda key: ask.enable(world.desk, ALICE, key, "x"),
            ):
                with pytest.raises(NotYourKey) as refused:
                    does(known)
                told.add(refused.value.sentence)
    assert len(told) == 1


def test_one_who_has_no_iam_user_rotates_a_key_of_a_service_user_that_they_own() -> None:
    world = make_desk(owner_tag="owner")
    service(world)
    del world.iam.users[BOB.email]
    key_id = world.iam.create_key("ci-deploy")[0].id
    assert ask.rotate(world.desk, BOB, key_id).iam_user == "ci-deploy"
