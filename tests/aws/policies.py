"""The policies in deploy/, filled in as an installer fills them in, and the journeys that a desk makes under one."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bot.aws.iam import IamKeyIssuer, iam_clients
from bot.core.errors import KeydeskError
from bot.core.workflow import ask, decide, hand_over, leak, learn, ownership, receipt, retire
from bot.core.workflow.desk import Desk, Rules
from bot.slack import facts_copies
from sandbox.aws import LocalAws
from tests.aws.common import LEASE
from tests.core.fakes import ALICE, BOB, CAROL, TEAM, FakeDirectory, FakeMessenger
from tests.fakes import MemoryStore
from tests.running import MovedClock

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
ACCOUNT = "123456789012"
OWNER_TAG = "owner"
PLAIN, BY_OWNER_TAG = "iam-policy.json", "iam-policy-owner-tag.json"
Policy = dict[str, Any]


def filled(name: str = PLAIN, *, path: str = "/", **others: str) -> Policy:
    """A file of deploy/ with the account and the path in the place of ACCOUNT and PATH, as the README says."""
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
    """Every action that a policy allows, as it is written."""
    return [
        action
        for one in policy["Statement"]
        if one["Effect"] == "Allow"
        for action in listed(one["Action"])
    ]


def without(policy: Policy, action: str) -> Policy:
    """The policy, but for this one action."""
    less = copy.deepcopy(policy)
    for one in less["Statement"]:
        if one["Effect"] == "Allow":
            one["Action"] = [kept for kept in listed(one["Action"]) if kept != action]
    less["Statement"] = [one for one in less["Statement"] if one.get("Action") != []]
    return less


@contextmanager
def desk_on(aws: LocalAws, **rules: Any) -> Iterator[Desk]:
    """A desk on that AWS, which boto3 finds in the environment; what is around it besides is faked."""
    clock, ids = MovedClock(), itertools.count(1)
    clients = iam_clients(region=None, endpoint=None, lease_ttl=LEASE)
    with ThreadPoolExecutor(4) as pool:
        yield Desk(
            MemoryStore(clock.now),
            IamKeyIssuer(clients, pool),
            FakeMessenger(),
            FakeDirectory(),
            clock,
            Rules(**{"team_id": TEAM, "approval_channel": "C0KEYS"} | rules),
            lambda: f"id{next(ids)}",
        )
    clients.close()


class Journeys:
    """What people do with a desk, one journey after the other; `told` is every sentence that was no success."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.told: list[str] = []

    def all(self) -> None:
        """Asking, reading what a key will do, revealing, seeing, rotating, turning on and off, deleting, a leak."""
        self._step(self._new_key)
        self._step(self._rotation)
        self._step(lambda: ask.enable(self.desk, ALICE, self._key(active=False), "still needed"))
        self._step(lambda: decide.approve(self.desk, CAROL, self._newest()))
        self._step(lambda: retire.disable(self.desk, ALICE, self._key()))
        self._step(lambda: retire.delete(self.desk, ALICE, self._key(active=False)))
        self._step(lambda: leak.report(self.desk, ALICE, self._key()))
        self._step(lambda: retire.disable_for(self.desk, CAROL, self._key(BOB.email), "left"))

    def _step(self, step: Callable[[], object]) -> None:
        try:
            step()
        except KeydeskError as failure:
            self.told.append(failure.sentence)

    def _new_key(self) -> None:
        request = ask.create(self.desk, ALICE, "nightly backup")
        learn.learn(self.desk, request.id)
        card = self.desk.found(request.id)
        if card.facts and card.facts.missing:
            self.told.append(str([block.to_dict() for block in facts_copies.on_card(card)]))
        self._reveal(request.id)

    def _rotation(self) -> None:
        keys = ownership.keys_of(self.desk, ALICE)
        retire.disable(self.desk, ALICE, keys[0].id)
        request = ask.rotate(self.desk, ALICE, keys[-1].id, let_go=keys[0].id)
        self._reveal(request.id)
        retire.disable(self.desk, ALICE, ownership.keys_of(self.desk, ALICE)[0].id)

    def _reveal(self, request_id: str) -> None:
        decide.approve(self.desk, CAROL, request_id)
        receipt.confirm(
            self.desk, ALICE, hand_over.reveal(self.desk, ALICE, request_id).access_key_id
        )

    def _newest(self) -> str:
        requests = self.desk.store.requests_of(ALICE.id)
        return requests[0].id if requests else "none"

    def _key(self, user: str = ALICE.email, *, active: bool = True) -> str:
        found = [key.id for key in self.desk.issuer.listed(user) if key.active is active]
        return found[0] if found else "AKIAIOSFODNN7EXAMPLE"
