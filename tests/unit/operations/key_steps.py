"""Steps and checks that the tests of a key's life share."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from bot.domain.codes import Code
from bot.domain.identity import Member
from bot.domain.outside_errors import OutcomeUnknown
from bot.domain.requests import KeyRequest
from bot.operations import confirm_receipt, create_request, decide_request, disable_key, reveal_key
from bot.operations.create_request import RequestOptions
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, World, reveal
from tests.unit.operations.key_times import DAY

UNKNOWN_KEY = "AKIAIOSFODNN7EXAMPLE"
APPROVAL_FREE = frozenset({"disable", "delete", "enable"})
NO_EXPIRY: dict[str, Any] = {"key_ttl": None, "key_ttl_max": None}


def approve(world: World, request: KeyRequest) -> KeyRequest:
    return decide_request.approve(world.services, CAROL, request.id)


def confirm(world: World, key_id: str) -> KeyRequest:
    return confirm_receipt.confirm(world.services, ALICE, key_id)


def confirmed(world: World) -> KeyRequest:
    """Return a request whose key is received and has the default lifetime."""
    return confirm(world, world.delivered().access_key_id)


def request_key(world: World, options: RequestOptions) -> KeyRequest:
    """Return Alice's approved request with these options."""
    return approve(world, create_request.create(world.services, ALICE, "deploy", options))


def living(world: World, lifetime: timedelta = 30 * DAY) -> KeyRequest:
    """Return a request whose key is received and lives for `lifetime` from now on."""
    request = reveal(world, request_key(world, RequestOptions(lifetime=lifetime)))
    return confirm(world, request.access_key_id)


def until_expiry(world: World, key_id: str, before: timedelta = 0 * DAY) -> None:
    """Let time pass until so long before the key's expiry."""
    ends = world.record(key_id).expires_at
    assert ends is not None
    world.pass_time(ends - before - world.clock.now())


def request_enable(world: World, key_id: str) -> KeyRequest:
    """Return Alice's request to enable an inactive key, which waits for approval."""
    request = create_request.enable(world.services, ALICE, key_id, "still used")
    assert request is not None
    return request


def rotation(
    world: World, target: str, delete_first: str = "", member: Member = ALICE, **options: Any
) -> KeyRequest:
    """Return an approved rotation of `target`."""
    request = create_request.rotate(
        world.services, member, target, delete_first=delete_first, options=RequestOptions(**options)
    )
    return approve(world, request)


def receive(world: World, request: KeyRequest, member: Member = ALICE) -> str:
    """Reveal the key and confirm its receipt. Return its ID."""
    key_id = reveal_key.reveal(world.services, member, request.id).access_key_id
    confirm_receipt.confirm(world.services, member, key_id)
    return key_id


def service_key(world: World, owners: str, owner: Member = BOB) -> str:
    """Return a received key of the service user ci-deploy, requested by `owner`."""
    world.iam.add_user("ci-deploy", owner=owners)
    options = RequestOptions(service_user="ci-deploy")
    request = create_request.create(world.services, owner, "nightly", options)
    return receive(world, approve(world, request), owner)


def start_deletion(world: World, key_id: str) -> None:
    """Let Alice delete a key that is disabled first. The answer of AWS is lost."""
    disable_key.disable(world.services, ALICE, key_id)
    world.taps.on("issuer.delete_key", before=OutcomeUnknown("DeleteAccessKey"))
    with refuses(Code.CHANGE_NOT_CONFIRMED):
        disable_key.delete(world.services, ALICE, key_id)
