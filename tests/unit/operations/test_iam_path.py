"""The desk looks after the IAM users under `IAM_PATH` alone: everybody else is refused in words that say so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.errors import (
    IamDenied,
    IamRefused,
    KeyNotInAccount,
    NotAllowed,
)
from bot.domain.identity import IamUser
from bot.domain.keys import DesiredState
from bot.operations import (
    create_request,
    decide_request,
    disable_key,
    key_owner,
    report_leak,
    reveal_key,
)
from tests.support.errors import refuses
from tests.support.taps import Act
from tests.support.world import ALICE, BOB, CAROL, World, make_desk

PATH = "/people/"
NOT_UNDER = "is not under the path /people/"
CI = create_request.RequestOptions(service_user="ci-deploy")
DENIED = IamDenied("AccessDenied", "GetUser")
FORBIDDEN = IamDenied("AccessDenied", "GetUser", forbidden=True)


def people_under(path: str = PATH, **rules: str) -> World:
    """A desk that looks after /people/; Alice's IAM user is there, or under `path`."""
    world = make_desk(iam_path=PATH, **rules)
    world.iam.add_user(ALICE.email, path=path, owner=ALICE.id)
    world.iam.add_user(BOB.email, path=PATH, owner=BOB.id)
    return world


@pytest.mark.parametrize(
    ("arn", "path"),
    [
        ("user/ann", "/"),
        ("user/people/ann", "/people/"),
        ("user/people/ops/ann", "/people/ops/"),
        ("user/ann@example.com", "/"),
    ],
)
def test_a_users_path_is_read_from_their_arn(arn: str, path: str) -> None:
    assert IamUser("ann", "AIDA", f"arn:aws:iam::111122223333:{arn}", None).path == path


@pytest.mark.parametrize("path", [PATH, "/people/ops/"])
def test_users_under_the_path_are_served_from_asking_to_retiring(path: str) -> None:
    world = people_under(path)
    key_id = world.delivered().access_key_id
    disable_key.disable(world.services, ALICE, key_id)
    disable_key.delete(world.services, ALICE, key_id)
    assert world.iam.active == []


VERBS: dict[str, Callable[[World, str], object]] = {
    "create": lambda world, key: create_request.create(world.services, ALICE, "x"),
    "rotate": lambda world, key: create_request.rotate(world.services, ALICE, key),
    "enable": lambda world, key: create_request.enable(world.services, ALICE, key, "x"),
    "list": lambda world, key: key_owner.keys_of(world.services, ALICE),
    "used": lambda world, key: disable_key.last_use(world.services, ALICE, key),
    "used, by an approver": lambda world, key: disable_key.last_use(world.services, CAROL, key),
    "disable": lambda world, key: disable_key.disable(world.services, ALICE, key),
    "disable, by an approver": lambda world, key: disable_key.disable_for(
        world.services, CAROL, key, "gone"
    ),
    "delete": lambda world, key: disable_key.delete(world.services, ALICE, key),
    "leaked": lambda world, key: report_leak.report(world.services, ALICE, key),
    "leaked, by an approver": lambda world, key: report_leak.report(world.services, CAROL, key),
    "Disable now": lambda world, key: report_leak.disable(world.services, CAROL, key),
}


@pytest.mark.parametrize("path", ["/", "/admins/", "/peoples/", "/x/people/"])
@pytest.mark.parametrize("verb", VERBS)
def test_a_user_elsewhere_is_refused_at_every_verb_and_told_why(verb: str, path: str) -> None:
    world = people_under(path)
    world.iam.add_user(CAROL.email, path=PATH)
    key_id = world.console_key()
    with world.nothing_happens(), pytest.raises(NotAllowed, match="under the path|key_not_managed"):
        VERBS[verb](world, key_id)


def test_a_user_moved_elsewhere_since_they_asked_gets_no_key() -> None:
    world = people_under()
    request = world.approved()
    world.iam.add_user(ALICE.email, path="/admins/", owner=ALICE.id)
    with world.nothing_happens(), pytest.raises(NotAllowed, match=NOT_UNDER):
        reveal_key.reveal(world.services, ALICE, request.id)
    world.iam.add_user(ALICE.email, path=PATH, owner=ALICE.id)
    assert reveal_key.reveal(world.services, ALICE, request.id).access_key_id in world.iam.active


def test_a_key_of_a_user_moved_elsewhere_is_not_turned_on_though_it_is_approved() -> None:
    world = people_under()
    key_id = world.console_key()
    disable_key.disable(world.services, ALICE, key_id)
    request = create_request.enable(world.services, ALICE, key_id, "still needed")
    assert request is not None
    world.iam.add_user(ALICE.email, path="/admins/", owner=ALICE.id)
    ended = decide_request.approve(world.services, CAROL, request.id)
    assert (
        NOT_UNDER in ended.note
        and world.iam.active == []
        and world.record(key_id).desired is DesiredState.INACTIVE
    )


def test_a_service_user_elsewhere_is_refused_and_its_existence_told_to_its_owners_alone() -> None:
    world = people_under(iam_owner_tag="owner")
    world.iam.add_user("ci-deploy", path="/admins/", owner=BOB.id)
    with world.nothing_happens():
        with pytest.raises(NotAllowed, match=NOT_UNDER):
            create_request.create(world.services, BOB, "x", CI)
        told = []
        for name in ("ci-deploy", "ci-nobody"):
            with pytest.raises(NotAllowed) as refused:
                create_request.create(
                    world.services, ALICE, "x", create_request.RequestOptions(service_user=name)
                )
            told.append(refused.value.sentence.replace(name, "…"))
    assert told[0] == told[1]


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (DENIED, "shows the desk no IAM user alice@example.com under the path"),
        (FORBIDDEN, "AWS keeps the desk away from this IAM user"),
    ],
)
def test_where_aws_itself_denies_it_the_sentence_says_what_that_means(act: Act, words: str) -> None:
    """With a policy as narrow as the path, AWS denies GetUser for who is elsewhere and for who is not there."""
    world = people_under()
    world.taps.on("issuer.user", before=act)
    with world.nothing_happens(), pytest.raises((NotAllowed, IamRefused), match=words) as refused:
        world.pending()
    assert "iam:GetUser" in refused.value.sentence


@pytest.mark.parametrize("denied", [IamDenied("ExpiredToken", "GetUser"), FORBIDDEN])
def test_what_is_not_about_the_path_is_not_said_to_be(denied: IamDenied) -> None:
    world = people_under()
    world.taps.on("issuer.user", before=denied)
    with pytest.raises(IamDenied):
        world.pending()


@pytest.mark.parametrize("act", [DENIED, FORBIDDEN])
def test_a_service_user_that_aws_denies_is_refused_like_one_that_is_not_there(
    act: IamDenied,
) -> None:
    world = people_under(iam_owner_tag="owner")
    told = []
    for before in (act, lambda: None):
        world.taps.on("issuer.user", before=before)
        with world.nothing_happens(), pytest.raises(NotAllowed) as refused:
            create_request.create(world.services, ALICE, "x", CI)
        told.append(refused.value.sentence)
    assert told[0] == told[1]


# -- a leaked key that the desk cannot turn off


@pytest.mark.parametrize(
    "act", [None, DENIED, FORBIDDEN], ids=["seen", "not shown by AWS", "marked"]
)
def test_a_stranger_who_reports_a_key_out_of_reach_is_answered_as_ever_and_the_approvers_get_a_card(
    act: IamDenied | None,
) -> None:
    world = people_under(PATH if act else "/")
    key_id = world.console_key()
    if act:
        world.taps.on("issuer.user", before=act)
    assert (
        report_leak.report(world.services, BOB, key_id)
        == report_leak.report(world.services, BOB, "AKIAIOSFODNN7EXAMPLE")
        == report_leak.LeakResult()
    )
    record = world.record(key_id)
    assert (record.out_of_reach, record.reported_by, record.owner, record.leaked) == (
        True,
        BOB.id,
        ALICE.id,
        False,
    )
    assert f"key:{key_id}" in world.slack.rendered and world.iam.active == [key_id]
    with world.nothing_happens():
        world.iam.add_user(ALICE.email, path="/")
        report_leak.report(world.services, BOB, key_id)
    with refuses(Code.KEY_NOT_MANAGED, key_id=key_id, iam_user=ALICE.email):
        report_leak.disable(world.services, CAROL, key_id)
    world.pass_time(timedelta(days=2))
    assert world.iam.active == [key_id] and world.record(key_id).desired is DesiredState.ACTIVE


@pytest.mark.parametrize("member", [ALICE, CAROL], ids=["owner", "approver"])
@pytest.mark.parametrize("act", [DENIED, FORBIDDEN])
def test_its_owner_and_approvers_are_told_at_once_that_the_desk_cannot(
    act: IamDenied, member: object
) -> None:
    world = people_under()
    key_id = world.console_key()
    world.taps.on("issuer.user", before=act)
    with (
        world.nothing_happens(),
        refuses(Code.KEY_NOT_MANAGED, key_id=key_id, iam_user=ALICE.email),
    ):
        report_leak.report(world.services, member, key_id)


def test_nobody_but_approvers_learns_whether_a_key_out_of_reach_exists() -> None:
    world = people_under("/")
    key_id = world.console_key()
    for known in (key_id, "AKIAIOSFODNN7EXAMPLE"):
        with world.nothing_happens(), pytest.raises(NotAllowed, match="Only the desk's approvers"):
            report_leak.disable(world.services, BOB, known)
    with pytest.raises(KeyNotInAccount):
        report_leak.disable(world.services, CAROL, "AKIAIOSFODNN7EXAMPLE")
