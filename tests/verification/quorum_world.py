"""Give the quorum machine a Keydesk on a real store, with every click."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from bot.domain.codes import Code
from bot.domain.errors import KeydeskError, NotAllowed
from bot.domain.identity import Member
from bot.domain.requests import KeyRequest
from bot.operations import (
    confirm_receipt,
    create_request,
    decide_request,
    disable_key,
    reveal_key,
    run_due,
)
from bot.operations.services import Services
from bot.store.connection import connect
from bot.store.embedded import EmbeddedServer
from bot.store.redis_store import RedisStore
from tests.support import settings as test_settings
from tests.support.fake_issuer import FakeIssuer
from tests.support.memory_store import FakeClock
from tests.support.quorum_invariants import Promises
from tests.support.taps import ProcessDied, Tapped, Taps
from tests.support.world import ALICE, BOB, CAROL, ERIN, TEAM, FakeDirectory, FakeMessenger

DAN = Member("U0DAN", TEAM, "dan@example.com")
ENGINEERS, BOARD = (ALICE, BOB), (CAROL, ERIN, DAN)
MEMBERS = (*ENGINEERS, *BOARD)


class QuorumWorld:
    """Keydesk on a real store. `directory` is what Slack says at this moment."""

    def __init__(self, server: EmbeddedServer) -> None:
        self.url = server.url
        with connect(server.url) as raw:
            raw.flushall()
        self.clock, self.taps, self.slack = FakeClock(), Taps(), FakeMessenger()
        self.iam, self.directory = FakeIssuer(self.clock.now), FakeDirectory()
        self.directory.people = {one.id: one for one in MEMBERS}
        self.directory.may_approve = frozenset(self.directory.people)
        for engineer in ENGINEERS:
            self.iam.add_user(engineer.email)
        self.ids, self.store = itertools.count(1), RedisStore(connect(server.url))
        self.requested: list[str] = []
        self.promises = Promises(self.iam, self.directory)

    def restarts(self, approvals_needed: int) -> None:
        """Start another process with a store of its own, and perhaps another setting."""
        self.store.close()
        self.store = RedisStore(connect(self.url))
        self.services = Services(
            Tapped("store", self.store, self.taps),
            Tapped("issuer", self.iam, self.taps),
            Tapped("messenger", self.slack, self.taps),
            Tapped("directory", self.directory, self.taps),
            self.clock,
            test_settings.settings(approvals_required=approvals_needed),
            TEAM,
            lambda: f"id{next(self.ids)}",
        )

    def does(self, act: Callable[[], Any]) -> Any:
        """Click once. It may be refused, its answer lost, or its process die."""
        done = None
        try:
            done = act()
        except ProcessDied:
            self.restarts(self.services.settings.approvals_required)
        except KeydeskError:
            pass
        self.taps.calm()
        return done

    def click(self, name: str, request: KeyRequest, member: Member) -> Any:
        """Do what a button does. `member` clicks the buttons for approvers."""
        services, key_id = self.services, self.services.get_request(request.id).access_key_id
        match name:
            case "approve":
                self.promises.clicked[request.id].add(member.id)
                done = decide_request.approve(services, self.now(member), request.id)
                self.promises.updated[request.id].add(member.id)
                return done
            case "withdraw":
                decide_request.withdraw_approval(services, self.now(member), request.id)
                self.promises.updated[request.id].discard(member.id)
            case "deny":
                decide_request.deny(services, self.now(member), request.id, "not needed")
            case "revoke":
                decide_request.revoke(services, self.now(member), request.id)
            case "cancel":
                create_request.cancel(services, self.requester(request), request.id)
            case "reveal":
                reveal_key.reveal(services, self.requester(request), request.id)
            case "confirm":
                confirm_receipt.confirm(services, self.requester(request), key_id)
            case "did not get":
                confirm_receipt.did_not_get(services, self.requester(request), key_id)
            case "expire":
                self.passes(72 * 3600)
        return None

    def approve(self, member: Member, request: KeyRequest) -> None:
        self.does(lambda: self.click("approve", request, member))
        self.every_promise_holds()  # before anybody's rights change

    def one(self, pick: int) -> KeyRequest:
        """Return an open request, or at times the newest. Create some where none is open."""
        if all(request.status.final for request in self.requests()):
            for member in ENGINEERS:
                self.deletes_keys(member)
                self.creates(member)
        open_ = [request for request in self.requests() if not request.status.final]
        if open_ and pick < 3:
            return open_[pick % len(open_)]
        return self.services.get_request(self.requested[-1])

    def now(self, member: Member) -> Member:
        """Return the member as Slack shows them, or refuse them as the ingress does."""
        shown = self.directory.people[member.id]
        if shown.deleted or shown.is_guest:
            raise NotAllowed(Code.NOT_A_MEMBER)
        return shown

    def requester(self, request: KeyRequest) -> Member:
        return self.now(next(one for one in MEMBERS if one.id == request.requester))

    def requests(self) -> list[KeyRequest]:
        return [request for id_ in self.requested if (request := self.store.request(id_))]

    def every_promise_holds(self) -> None:
        self.promises.hold(self.requests(), self.store)

    def creates(self, member: Member) -> None:
        create = create_request.create
        if request := self.does(lambda: create(self.services, self.now(member), "deploy")):
            self.requested.append(request.id)

    def deletes_keys(self, member: Member) -> None:
        """Let the owner disable and delete their keys."""
        for key in self.iam.listed(member.email):
            for verb in (disable_key.disable, disable_key.delete):
                with suppress(KeydeskError):
                    verb(self.services, member, key.id)

    def passes(self, seconds: int) -> None:
        """Let time pass, and the scheduler run once."""
        self.clock.advance(timedelta(seconds=seconds))
        store, now = self.services.store, self.clock.now()
        for name in store.due(now):
            try:
                run_due.run(self.services, name)
            except KeydeskError:
                store.reschedule(name, now + self.services.settings.sweep_every)
