"""The policies in deploy/, filled in, and the journeys of Keydesk under one."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bot.aws.clients import iam_clients
from bot.aws.iam import IamKeyIssuer
from bot.domain.errors import KeydeskError
from bot.operations import (
    confirm_receipt,
    create_request,
    decide_request,
    disable_key,
    key_owner,
    load_permissions,
    report_leak,
    reveal_key,
)
from bot.operations.services import Services
from bot.slack.messages import permissions
from bot.slack.messages.errors import error_text
from sandbox.aws import LocalAws
from tests.support.aws_common import LEASE
from tests.support.memory_store import MemoryStore
from tests.support.running_bot import MovedClock
from tests.support.settings import settings
from tests.support.world import ALICE, BOB, CAROL, TEAM, FakeDirectory, FakeMessenger

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
ACCOUNT = "123456789012"
OWNER_TAG = "owner"
PLAIN, BY_OWNER_TAG = "iam-policy.json", "iam-policy-owner-tag.json"
Policy = dict[str, Any]


def filled(name: str = PLAIN, *, path: str = "/", **others: str) -> Policy:
    """Return a file of deploy/ with an account and a path for ACCOUNT and PATH."""
    text = (
        (DEPLOY / name)
        .read_text()
        .replace("ACCOUNT", ACCOUNT)
        .replace("PATH/", path.removeprefix("/"))
    )
    for word, value in {"OWNER-TAG": OWNER_TAG, **others}.items():
        text = text.replace(word, value)
    policy: Policy = json.loads(text)
    return policy


def listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def allowed(policy: Policy) -> list[str]:
    """Return every action that a policy allows, as it is written."""
    return [
        action
        for one in policy["Statement"]
        if one["Effect"] == "Allow"
        for action in listed(one["Action"])
    ]


def without(policy: Policy, action: str) -> Policy:
    """Return the policy without this action."""
    less = copy.deepcopy(policy)
    for one in less["Statement"]:
        if one["Effect"] == "Allow":
            one["Action"] = [kept for kept in listed(one["Action"]) if kept != action]
    less["Statement"] = [one for one in less["Statement"] if one.get("Action") != []]
    return less


@contextmanager
def desk_on(aws: LocalAws, **rules: Any) -> Iterator[Services]:
    """Return a world on that AWS, which boto3 finds in the environment, and on fakes."""
    clock, ids = MovedClock(), itertools.count(1)
    clients = iam_clients(region=None, endpoint=None, lease_ttl=LEASE)
    with ThreadPoolExecutor(4) as pool:
        yield Services(
            MemoryStore(clock.now),
            IamKeyIssuer(clients, pool),
            FakeMessenger(),
            FakeDirectory(),
            clock,
            settings(**rules),
            TEAM,
            lambda: f"id{next(ids)}",
        )
    clients.close()


class Journeys:
    """What users do with Keydesk. `told` is every text that was no success."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.told: list[str] = []

    def all(self) -> None:
        """Request, load permissions, reveal, list, rotate, change, delete and report keys."""
        self._step(self._new_key)
        self._step(self._rotation)
        self._step(
            lambda: create_request.enable(
                self.services, ALICE, self._key(active=False), "still needed"
            )
        )
        self._step(lambda: decide_request.approve(self.services, CAROL, self._newest()))
        self._step(lambda: disable_key.disable(self.services, ALICE, self._key()))
        self._step(lambda: disable_key.delete(self.services, ALICE, self._key(active=False)))
        self._step(lambda: report_leak.report(self.services, ALICE, self._key()))
        self._step(
            lambda: disable_key.disable_for(self.services, CAROL, self._key(BOB.email), "left")
        )

    def _step(self, step: Callable[[], object]) -> None:
        try:
            step()
        except KeydeskError as failure:
            self.told.append(error_text(failure))

    def _new_key(self) -> None:
        request = create_request.create(self.services, ALICE, "nightly backup")
        load_permissions.load(self.services, request.id)
        card = self.services.get_request(request.id)
        if card.permissions and card.permissions.unread:
            self.told.append(str([block.to_dict() for block in permissions.card_blocks(card)]))
        self._reveal(request.id)

    def _rotation(self) -> None:
        keys = key_owner.keys_of(self.services, ALICE)
        disable_key.disable(self.services, ALICE, keys[0].id)
        request = create_request.rotate(self.services, ALICE, keys[-1].id, delete_first=keys[0].id)
        self._reveal(request.id)
        disable_key.disable(self.services, ALICE, key_owner.keys_of(self.services, ALICE)[0].id)

    def _reveal(self, request_id: str) -> None:
        decide_request.approve(self.services, CAROL, request_id)
        confirm_receipt.confirm(
            self.services, ALICE, reveal_key.reveal(self.services, ALICE, request_id).access_key_id
        )

    def _newest(self) -> str:
        requests = self.services.store.requests_of(ALICE.id)
        return requests[0].id if requests else "none"

    def _key(self, user: str = ALICE.email, *, active: bool = True) -> str:
        found = [key.id for key in self.services.issuer.listed(user) if key.active is active]
        return found[0] if found else "AKIAIOSFODNN7EXAMPLE"
