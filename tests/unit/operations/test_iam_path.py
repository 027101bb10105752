"""The desk looks after the IAM users under `IAM_PATH` alone: everybody else is refused in words that say so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.errors import KeyNotInAccount, NotAllowed
from bot.domain.identity import IamUser
from bot.domain.keys import DesiredState
from bot.domain.outside_errors import IamDenied
from bot.operations import (
    create_request,
    decide_request,
    disable_key,
    key_owner,
    report_leak,
    reveal_key,
)
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, World, make_desk

PATH = "/people/"
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


LEAKS = {"leaked", "leaked, by an approver", "Disable now"}
"""These say who can turn off a key that Keydesk does not manage."""


@pytest.mark.parametrize("path", ["/", "/admins/", "/peoples/", "/x/people/"])
@pytest.mark.parametrize("verb", VERBS)
def test_a_user_outside_the_path_is_refused_every_verb(verb: str, path: str) -> None:
    world = people_under(path)
    world.iam.add_user(CAROL.email, path=PATH)
    key_id = world.console_key()
    with world.nothing_happens(), pytest.raises(NotAllowed) as refused:
        VERBS[verb](world, key_id)
    if verb not in LEAKS:
        assert refused.value.code is Code.USER_OUTSIDE_PATH
        assert refused.value.facts == {"iam_user": ALICE.email, "path": PATH}


def test_a_user_moved_elsewhere_since_they_asked_gets_no_key() -> None:
    world = people_under()
    request = world.approved()
    world.iam.add_user(ALICE.email, path="/admins/", owner=ALICE.id)
    with world.nothing_happens(), refuses(Code.USER_OUTSIDE_PATH, path=PATH):
        reveal_key.reveal(world.services, ALICE, request.id)
    world.iam.add_user(ALICE.email, path=PATH, owner=ALICE.id)
    assert reveal_key.reveal(world.services, ALICE, request.id).access_key_id in world.iam.active


def test_an_approved_enable_is_refused_outside_the_path() -> None:
    world = people_under()
    key_id = world.console_key()
    disable_key.disable(world.services, ALICE, key_id)
    request = create_request.enable(world.services, ALICE, key_id, "still needed")
    assert request is not None
    world.iam.add_user(ALICE.email, path="/admins/", owner=ALICE.id)
    ended = decide_request.approve(world.services, CAROL, request.id)
    assert (
        ended.detail == Detail(Code.USER_OUTSIDE_PATH, {"iam_user": ALICE.email, "path": PATH})
        and world.iam.active == []
        and world.record(key_id).desired is DesiredState.INACTIVE
    )


def test_only_owners_learn_of_a_service_user_outside_the_path() -> None:
    world = people_under(iam_owner_tag="owner")
    world.iam.add_user("ci-deploy", path="/admins/", owner=BOB.id)
    with world.nothing_happens():
        with refuses(Code.USER_OUTSIDE_PATH, path=PATH):
            create_request.create(world.services, BOB, "x", CI)
        told = []
        for name in ("ci-deploy", "ci-nobody"):
            with pytest.raises(NotAllowed) as refused:
                create_request.create(
                    world.services, ALICE, "x", create_request.RequestOptions(service_user=name)
                )
            told.append((refused.value.code, {**refused.value.facts, "iam_user": ""}))
    assert told[0] == told[1] == (Code.NOT_SERVICE_OWNER, {"iam_user": "", "tag": "owner"})


def test_a_user_that_aws_does_not_show_is_refused() -> None:
    """With a policy as narrow as the path, AWS denies GetUser for users elsewhere and for none."""
    world = people_under()
    world.taps.on("issuer.user", before=DENIED)
    with (
        world.nothing_happens(),
        refuses(Code.USER_NOT_SHOWN, iam_user=ALICE.email, path=PATH, action="GetUser"),
    ):
        world.pending()


@pytest.mark.parametrize("denied", [IamDenied("ExpiredToken", "GetUser"), FORBIDDEN])
def test_what_is_not_about_the_path_is_not_said_to_be(denied: IamDenied) -> None:
    world = people_under()
    world.taps.on("issuer.user", before=denied)
    with world.nothing_happens(), pytest.raises(IamDenied) as refused:
        world.pending()
    assert refused.value is denied


@pytest.mark.parametrize("act", [DENIED, FORBIDDEN])
def test_a_denied_service_user_is_refused_like_a_missing_one(
    act: IamDenied,
) -> None:
    world = people_under(iam_owner_tag="owner")
    told = []
    for before in (act, lambda: None):
        world.taps.on("issuer.user", before=before)
        with world.nothing_happens(), pytest.raises(NotAllowed) as refused:
            create_request.create(world.services, ALICE, "x", CI)
        told.append((refused.value.code, refused.value.facts))
    assert told[0] == told[1] == (Code.NOT_SERVICE_OWNER, {"iam_user": "ci-deploy", "tag": "owner"})


# -- a leaked key that the desk cannot turn off


@pytest.mark.parametrize(
    "act", [None, DENIED, FORBIDDEN], ids=["seen", "not shown by AWS", "marked"]
)
def test_a_report_of_an_unmanaged_key_reaches_the_approvers(
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
def test_owner_and_approvers_learn_that_a_key_is_unmanaged(act: IamDenied, member: object) -> None:
    world = people_under()
    key_id = world.console_key()
    world.taps.on("issuer.user", before=act)
    with (
        world.nothing_happens(),
        refuses(Code.KEY_NOT_MANAGED, key_id=key_id, iam_user=ALICE.email),
    ):
        report_leak.report(world.services, member, key_id)


def test_only_approvers_learn_that_an_unmanaged_key_exists() -> None:
    world = people_under("/")
    key_id = world.console_key()
    for known in (key_id, "AKIAIOSFODNN7EXAMPLE"):
        with world.nothing_happens(), refuses(Code.NOT_AN_APPROVER):
            report_leak.disable(world.services, BOB, known)
    with pytest.raises(KeyNotInAccount):
        report_leak.disable(world.services, CAROL, "AKIAIOSFODNN7EXAMPLE")
