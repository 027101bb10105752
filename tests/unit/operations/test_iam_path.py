"""Manage the IAM users under IAM_PATH alone, and say so where a user is elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.errors import NotAllowed
from bot.domain.identity import IamUser, Member
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
from bot.operations.services import Services
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, World, make_desk

PATH, ELSEWHERE = "/people/", "/admins/"
UNKNOWN_KEY = "AKIAIOSFODNN7EXAMPLE"
DENIED = IamDenied("AccessDenied", "GetUser")
FORBIDDEN = IamDenied("AccessDenied", "GetUser", forbidden=True)


def path_world(path: str = PATH, **settings: str) -> World:
    """Return a world with an IAM_PATH, and with Alice's IAM user under `path`."""
    world = make_desk(iam_path=PATH, **settings)
    world.iam.add_user(ALICE.email, path=path, owner=ALICE.id)
    for member in (BOB, CAROL):
        world.iam.add_user(member.email, path=PATH, owner=member.id)
    return world


def create(services: Services, member: Member, service_user: str = "") -> object:
    options = create_request.RequestOptions(service_user=service_user)
    return create_request.create(services, member, "x", options)


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
def test_users_under_the_path_create_and_delete_keys(path: str) -> None:
    world = path_world(path)
    key_id = world.delivered().access_key_id
    disable_key.disable(world.services, ALICE, key_id)
    disable_key.delete(world.services, ALICE, key_id)
    assert world.iam.active == []


# -- a user outside the path

VERBS: dict[str, tuple[Member, Callable[[Services, Member, str], object]]] = {
    "create": (ALICE, lambda services, member, key: create(services, member)),
    "rotate": (ALICE, create_request.rotate),
    "enable": (ALICE, lambda *args: create_request.enable(*args, "x")),
    "list": (ALICE, lambda services, member, key: key_owner.keys_of(services, member)),
    "used": (ALICE, disable_key.last_use),
    "used, by an approver": (CAROL, disable_key.last_use),
    "disable": (ALICE, disable_key.disable),
    "disable, by an approver": (CAROL, lambda *args: disable_key.disable_for(*args, "left")),
    "delete": (ALICE, disable_key.delete),
    "leaked": (ALICE, report_leak.report),
    "leaked, by an approver": (CAROL, report_leak.report),
    "disable a leaked key": (CAROL, report_leak.disable),
}


@pytest.mark.parametrize("path", ["/", ELSEWHERE, "/peoples/", "/x/people/"])
@pytest.mark.parametrize("verb", VERBS)
def test_a_user_outside_the_path_is_refused_every_verb(verb: str, path: str) -> None:
    world = path_world(path)
    key_id = world.console_key()
    member, act = VERBS[verb]
    facts = {"iam_user": ALICE.email}
    if "leaked" in verb:
        refusal = refuses(Code.KEY_NOT_MANAGED, key_id=key_id, **facts)
    else:
        refusal = refuses(Code.USER_OUTSIDE_PATH, path=PATH, **facts)
    with world.nothing_happens(), refusal:
        act(world.services, member, key_id)


def test_a_user_who_moved_outside_the_path_gets_no_key() -> None:
    world = path_world()
    request = world.approved()
    world.iam.add_user(ALICE.email, path=ELSEWHERE, owner=ALICE.id)
    with world.nothing_happens(), refuses(Code.USER_OUTSIDE_PATH, path=PATH):
        reveal_key.reveal(world.services, ALICE, request.id)
    world.iam.add_user(ALICE.email, path=PATH, owner=ALICE.id)
    assert reveal_key.reveal(world.services, ALICE, request.id).access_key_id in world.iam.active


def test_an_approved_enable_is_refused_outside_the_path() -> None:
    world = path_world()
    key_id = world.console_key()
    disable_key.disable(world.services, ALICE, key_id)
    request = create_request.enable(world.services, ALICE, key_id, "still needed")
    assert request is not None
    world.iam.add_user(ALICE.email, path=ELSEWHERE, owner=ALICE.id)
    ended = decide_request.approve(world.services, CAROL, request.id)
    facts = {"iam_user": ALICE.email, "path": PATH}
    assert ended.detail == Detail(Code.USER_OUTSIDE_PATH, facts)
    assert (world.iam.active, world.record(key_id).desired) == ([], DesiredState.INACTIVE)


# -- a user whom AWS does not show, as with a policy as narrow as the path


def test_a_user_that_aws_does_not_show_is_refused() -> None:
    world = path_world()
    world.taps.on("issuer.user", before=DENIED)
    facts = {"iam_user": ALICE.email, "path": PATH, "action": "GetUser"}
    with world.nothing_happens(), refuses(Code.USER_NOT_SHOWN, aws_code="AccessDenied", **facts):
        world.pending()


@pytest.mark.parametrize(
    ("denied", "settings"),
    [
        (IamDenied("ExpiredToken", "GetUser"), {}),
        (FORBIDDEN, {}),
        (DENIED, {"iam_path": "/"}),
    ],
    ids=["expired credentials", "forbidden", "no path is set"],
)
def test_a_denial_that_is_not_about_the_path_is_passed_on(
    denied: IamDenied, settings: dict[str, str]
) -> None:
    world = make_desk(**{"iam_path": PATH} | settings)
    world.taps.on("issuer.user", before=denied)
    with world.nothing_happens(), pytest.raises(IamDenied) as refused:
        world.pending()
    assert refused.value is denied


# -- service users


def refusal_of(world: World, service_user: str) -> NotAllowed:
    """Return the refusal that Alice gets for this service user."""
    with world.nothing_happens(), pytest.raises(NotAllowed) as refused:
        create(world.services, ALICE, service_user)
    facts = {"iam_user": service_user, "tag": "owner"}
    assert (refused.value.code, refused.value.facts) == (Code.NOT_SERVICE_OWNER, facts)
    return refused.value


def test_only_owners_learn_of_a_service_user_outside_the_path() -> None:
    world = path_world(iam_owner_tag="owner")
    world.iam.add_user("ci-deploy", path=ELSEWHERE, owner=BOB.id)
    with world.nothing_happens(), refuses(Code.USER_OUTSIDE_PATH, path=PATH):
        create(world.services, BOB, "ci-deploy")
    for name in ("ci-deploy", "ci-unknown"):
        refusal_of(world, name)


@pytest.mark.parametrize("denied", [DENIED, FORBIDDEN], ids=["denied", "forbidden"])
def test_a_denied_service_user_is_refused_like_a_missing_one(denied: IamDenied) -> None:
    world = path_world(iam_owner_tag="owner")
    missing = refusal_of(world, "ci-deploy")
    world.taps.on("issuer.user", before=denied)
    assert type(refusal_of(world, "ci-deploy")) is type(missing)


# -- a leaked key that Keydesk does not manage


def unmanaged(denied: IamDenied | None) -> tuple[World, str]:
    """Return a key that AWS denies Keydesk, or one of a user outside the path."""
    world = path_world(PATH if denied else "/")
    key_id = world.console_key()
    if denied:
        world.taps.on("issuer.user", before=denied)
    return world, key_id


@pytest.mark.parametrize(
    "denied", [None, DENIED, FORBIDDEN], ids=["outside the path", "denied", "forbidden"]
)
def test_a_report_of_an_unmanaged_key_reaches_the_approvers(denied: IamDenied | None) -> None:
    world, key_id = unmanaged(denied)
    for reported in (key_id, UNKNOWN_KEY):
        assert report_leak.report(world.services, BOB, reported) == report_leak.LeakResult()
    record = world.record(key_id)
    assert (record.out_of_reach, record.leaked) == (True, False)
    assert (record.reported_by, record.owner) == (BOB.id, ALICE.id)
    assert record.name in world.slack.rendered and world.iam.active == [key_id]
    world.iam.add_user(ALICE.email, path="/")
    with world.nothing_happens():
        report_leak.report(world.services, BOB, key_id)
    with refuses(Code.KEY_NOT_MANAGED, key_id=key_id, iam_user=ALICE.email):
        report_leak.disable(world.services, CAROL, key_id)
    world.pass_time(timedelta(days=2))
    assert world.iam.active == [key_id] and world.record(key_id).desired is DesiredState.ACTIVE


@pytest.mark.parametrize("member", [ALICE, CAROL], ids=["owner", "approver"])
@pytest.mark.parametrize("denied", [DENIED, FORBIDDEN], ids=["denied", "forbidden"])
def test_owner_and_approvers_learn_that_a_key_is_unmanaged(
    denied: IamDenied, member: Member
) -> None:
    world, key_id = unmanaged(denied)
    refusal = refuses(Code.KEY_NOT_MANAGED, key_id=key_id, iam_user=ALICE.email)
    with world.nothing_happens(), refusal:
        report_leak.report(world.services, member, key_id)


def test_only_approvers_learn_that_an_unmanaged_key_exists() -> None:
    world, key_id = unmanaged(None)
    with world.nothing_happens():
        for known in (key_id, UNKNOWN_KEY):
            with refuses(Code.NOT_AN_APPROVER):
                report_leak.disable(world.services, BOB, known)
        with refuses(Code.KEY_NOT_IN_ACCOUNT, key_id=UNKNOWN_KEY):
            report_leak.disable(world.services, CAROL, UNKNOWN_KEY)
