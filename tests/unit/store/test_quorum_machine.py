"""Whatever is clicked in whatever order, by whoever may at that time, on the real store: no key without its quorum.

People ask, approve, deny, take back, revoke, cancel, reveal and say that they have it; rights come and go; time
passes; processes die, answers get lost, two click in the same instant. After each step every promise is looked at.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bot.domain.codes import Code
from bot.domain.errors import KeydeskError, NotAllowed
from bot.domain.identity import Member
from bot.domain.keys import KeyStatus
from bot.domain.outside_errors import StoreUnavailable
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
from tests.support.memory_store import FakeClock
from tests.support.quorum_invariants import Promises
from tests.support.taps import ProcessDied, Tapped, Taps
from tests.support.world import (
    ALICE,
    BOB,
    CAROL,
    ERIN,
    TEAM,
    FakeDirectory,
    FakeIssuer,
    FakeMessenger,
)

DAN = Member("U0DAN", TEAM, "dan@example.com")
ENGINEERS, BOARD = (ALICE, BOB), (CAROL, ERIN, DAN)
EVERYBODY = (*ENGINEERS, *BOARD)
SPANS = [timedelta(seconds=10)] * 3 + [
    timedelta(seconds=61),
    timedelta(minutes=16),
    timedelta(hours=12),
    timedelta(hours=72),
]
CHANGES: list[dict[str, Any]] = [
    {"deleted": True},
    {"is_guest": True},
    {"email": ALICE.email},
    {"email": BOB.email},
    {},
]

engineers, approvers, anybody = (
    st.sampled_from(ENGINEERS),
    st.sampled_from(BOARD),
    st.sampled_from(EVERYBODY),
)
picks = st.integers(0, 3)


class QuorumMachine(RuleBasedStateMachine):
    """A desk on a real store; `may` and `people` are what Slack says of everybody at this moment."""

    def __init__(self, server: EmbeddedServer) -> None:
        super().__init__()
        self.url = server.url
        with connect(server.url) as raw:
            raw.flushall()
        self.clock, self.taps, self.slack = FakeClock(), Taps(), FakeMessenger()
        self.iam, self.directory = FakeIssuer(self.clock.now), FakeDirectory()
        self.directory.people = {one.id: one for one in EVERYBODY}
        self.directory.may_approve = frozenset(
            one.id for one in EVERYBODY
        )  # requesters, too: of each other's
        for engineer in ENGINEERS:
            self.iam.add_user(engineer.email)
        self.ids, self.store = itertools.count(1), RedisStore(connect(server.url))
        self.asked: list[str] = []
        self.refused = 0
        self.promises = Promises(self.iam, self.directory)

    @initialize(approvals_needed=st.sampled_from([2, 2, 3, 1]))
    def opens(self, approvals_needed: int) -> None:
        self.restarts(approvals_needed)
        for engineer in ENGINEERS:
            self.asks(engineer)

    # -- what happens

    @rule(approvals_needed=st.integers(1, 3))
    def restarts(self, approvals_needed: int) -> None:
        """A new process with a store of its own, and perhaps another setting."""
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

    def does(self, act: Callable[[], KeyRequest | None]) -> KeyRequest | None:
        """One click: it may be refused, its answer lost, or its process die; then another process goes on."""
        done = None
        try:
            done = act()
        except ProcessDied:
            self.restarts(self.services.settings.approvals_required)
        except KeydeskError:
            self.refused += 1
        self.taps.calm()
        return done

    def one(self, pick: int) -> KeyRequest:
        """One of the open requests, or at times the newest, whatever became of it; where none is open, people ask."""
        if all(request.status.final for request in self.requests()):
            for person in ENGINEERS:
                self.makes_room(person)
                self.asks(person)
        open_ = [request for request in self.requests() if not request.status.final]
        return (
            open_[pick % len(open_)]
            if open_ and pick < 3
            else self.services.get_request(self.asked[-1])
        )

    @rule(person=engineers)
    def asks(self, person: Member) -> None:
        if request := self.does(
            lambda: create_request.create(self.services, self.now(person), "deploy")
        ):
            self.asked.append(request.id)

    @rule(person=engineers)
    def asks_for_an_old_key_back(self, person: Member) -> None:
        """A request without a secret, which is carried out by the click that completes the quorum."""
        with suppress(KeydeskError):
            key, _ = self.iam.create_key(person.email)
            self.iam.set_status(person.email, key.id, KeyStatus.INACTIVE)
        off = [key for key in self.iam.listed(person.email) if not key.active]
        if off and (
            request := self.does(
                lambda: create_request.enable(self.services, self.now(person), off[0].id, "again")
            )
        ):
            self.asked.append(request.id)

    @precondition(lambda self: self.asked)
    @rule(person=anybody, pick=picks)
    def approves(self, person: Member, pick: int) -> None:
        self.says_yes(person, self.one(pick))

    def says_yes(self, person: Member, request: KeyRequest) -> None:
        self.promises.clicked[request.id].add(person.id)
        if self.does(lambda: decide_request.approve(self.services, self.now(person), request.id)):
            self.promises.updated[request.id].add(person.id)
        self.every_promise_holds()  # before anybody's rights change

    @precondition(lambda self: self.asked)
    @rule(people=st.permutations(EVERYBODY), pick=picks)
    def all_approve(self, people: list[Member], pick: int) -> None:
        """One after the other, the requester among them."""
        request = self.one(pick)
        for person in people:
            self.says_yes(person, request)

    @precondition(lambda self: self.asked)
    @rule(
        person=approvers,
        change=st.sampled_from(CHANGES),
        people=st.permutations(EVERYBODY),
        pick=picks,
    )
    def one_approves_and_is_another_by_the_time_the_others_do(
        self, person: Member, change: dict[str, Any], people: list[Member], pick: int
    ) -> None:
        request = self.one(pick)
        self.says_yes(person, request)
        if change:
            self.directory.people[person.id] = replace(person, **change)
        else:
            self.directory.may_approve -= {person.id}
        for other in people[:2]:
            self.says_yes(other, request)

    @precondition(lambda self: self.asked)
    @rule(
        people=st.permutations(EVERYBODY),
        pick=picks,
        late=approvers,
        click=st.sampled_from(
            ["have it", "did not get it", "revoke", "approve", "deny", "nothing"]
        ),
    )
    def is_approved_and_revealed_before_the_next_click(
        self, people: list[Member], pick: int, late: Member, click: str
    ) -> None:
        request = self.one(pick)
        for person in people:
            self.says_yes(person, request)
        self.does(
            lambda: reveal_key.reveal(self.services, self.now(self.requester(request)), request.id)
        )
        key_id = self.services.get_request(request.id).access_key_id
        clicks: dict[str, Callable[[], Any]] = {
            "have it": lambda: confirm_receipt.confirm(
                self.services, self.now(self.requester(request)), key_id
            ),
            "did not get it": lambda: confirm_receipt.did_not_get(
                self.services, self.now(self.requester(request)), key_id
            ),
            "revoke": lambda: decide_request.revoke(self.services, self.now(late), request.id),
            "approve": lambda: decide_request.approve(self.services, self.now(late), request.id),
            "deny": lambda: decide_request.deny(
                self.services, self.now(late), request.id, "not needed"
            ),
            "nothing": lambda: None,
        }
        self.does(clicks[click])

    @precondition(lambda self: self.asked)
    @rule(
        person=approvers,
        other=approvers,
        pick=picks,
        rival=st.sampled_from(
            ["approve", "deny", "cancel", "take back", "revoke", "reveal", "lapse"]
        ),
    )
    def two_click_at_once(self, person: Member, other: Member, pick: int, rival: str) -> None:
        """Just before the first click's commit the second one's happens."""
        request = self.one(pick)

        def acts() -> None:
            with suppress(KeydeskError):
                match rival:
                    case "approve":
                        self.promises.clicked[request.id].add(other.id)
                        decide_request.approve(self.services, self.now(other), request.id)
                        self.promises.updated[request.id].add(other.id)
                    case "deny":
                        decide_request.deny(
                            self.services, self.now(other), request.id, "not needed"
                        )
                    case "cancel":
                        create_request.cancel(
                            self.services, self.now(self.requester(request)), request.id
                        )
                    case "take back":
                        decide_request.withdraw_approval(self.services, self.now(other), request.id)
                        self.promises.updated[request.id].discard(other.id)
                    case "revoke":
                        decide_request.revoke(self.services, self.now(other), request.id)
                    case "reveal":
                        reveal_key.reveal(
                            self.services, self.now(self.requester(request)), request.id
                        )
                    case _:
                        self.passes(timedelta(hours=72))

        self.taps.on("store.commit", before=acts)
        self.says_yes(person, request)

    @precondition(lambda self: self.asked)
    @rule(
        person=approvers,
        pick=picks,
        fault=st.sampled_from([StoreUnavailable, ProcessDied]),
        side=st.sampled_from(["before", "after"]),
        click=st.sampled_from(["approve", "reveal", "revoke"]),
    )
    def is_cut_off(
        self, person: Member, pick: int, fault: Callable[[], BaseException], side: str, click: str
    ) -> None:
        """A click whose commit gets no answer, or whose process dies with it, written or not."""
        request = self.one(pick)
        self.taps.on("store.commit", **{side: fault()})  # type: ignore[arg-type]  # "before" or "after"
        if click == "reveal":
            self.does(
                lambda: reveal_key.reveal(
                    self.services, self.now(self.requester(request)), request.id
                )
            )
        else:
            does = decide_request.approve if click == "approve" else decide_request.revoke
            self.promises.clicked[request.id].add(person.id)
            self.does(lambda: does(self.services, self.now(person), request.id))

    @precondition(lambda self: self.asked)
    @rule(person=anybody, pick=picks)
    def denies(self, person: Member, pick: int) -> None:
        request = self.one(pick)
        self.does(
            lambda: decide_request.deny(self.services, self.now(person), request.id, "not needed")
        )

    @precondition(lambda self: self.asked)
    @rule(person=anybody, pick=picks)
    def revokes(self, person: Member, pick: int) -> None:
        request = self.one(pick)
        self.does(lambda: decide_request.revoke(self.services, self.now(person), request.id))

    @precondition(lambda self: self.asked)
    @rule(person=approvers, pick=picks)
    def takes_back(self, person: Member, pick: int) -> None:
        request = self.one(pick)
        if self.does(
            lambda: decide_request.withdraw_approval(self.services, self.now(person), request.id)
        ):
            self.promises.updated[request.id].discard(person.id)

    @precondition(lambda self: self.asked)
    @rule(
        pick=picks,
        click=st.sampled_from(["reveal", "reveal", "cancel", "have it", "did not get it"]),
    )
    def the_requester_clicks(self, pick: int, click: str) -> None:
        request = self.one(pick)
        person = self.now(self.requester(request))
        match click:
            case "reveal":
                self.does(lambda: reveal_key.reveal(self.services, person, request.id))
            case "cancel":
                self.does(lambda: create_request.cancel(self.services, person, request.id))
            case "have it":
                self.does(
                    lambda: confirm_receipt.confirm(self.services, person, request.access_key_id)
                )
            case _:
                self.does(
                    lambda: confirm_receipt.did_not_get(
                        self.services, person, request.access_key_id
                    )
                )

    @rule(person=engineers)
    def makes_room(self, person: Member) -> None:
        """The owner turns their keys off and deletes them."""
        for key in self.iam.listed(person.email):
            for verb in (disable_key.disable, disable_key.delete):
                with suppress(KeydeskError):
                    verb(self.services, person, key.id)

    @rule(person=anybody)
    def may_or_may_not_approve_from_now_on(self, person: Member) -> None:
        self.directory.may_approve ^= {person.id}

    @rule()
    def all_may_again(self) -> None:
        self.directory.may_approve |= {one.id for one in EVERYBODY}
        self.directory.people |= {one.id: one for one in BOARD}

    @rule(person=approvers, change=st.sampled_from(CHANGES))
    def is_another_in_slack_from_now_on(self, person: Member, change: dict[str, Any]) -> None:
        self.directory.people[person.id] = replace(person, **change)

    @rule(span=st.sampled_from(SPANS))
    def passes(self, span: timedelta) -> None:
        """Time goes on, and the sweeper comes by."""
        self.clock.advance(span)
        for name in self.services.store.due(self.clock.now()):
            try:
                run_due.run(self.services, name)
            except KeydeskError:
                self.services.store.reschedule(
                    name, self.clock.now() + self.services.settings.sweep_every
                )

    # -- what is always true

    def now(self, person: Member) -> Member:
        """The person as Slack shows them; whoever may not use the desk gets no further than its door."""
        member = self.directory.people[person.id]
        if member.deleted or member.is_guest:
            raise NotAllowed(Code.NOT_A_MEMBER)
        return member

    def requester(self, request: KeyRequest) -> Member:
        return next(one for one in EVERYBODY if one.id == request.requester)

    @invariant()
    def every_promise_holds(self) -> None:
        self.promises.hold(self.requests(), self.store)

    def requests(self) -> list[KeyRequest]:
        """All that were asked, as stored."""
        return [request for id_ in self.asked if (request := self.store.request(id_))]

    def teardown(self) -> None:
        """After enough time everything has ended, and every name is free again."""
        for span, times in (
            (timedelta(seconds=61), 4),
            (timedelta(minutes=16), 4),
            (timedelta(hours=24), 16),
        ):
            for _ in range(times):
                self.passes(span)
        for request in self.requests():
            assert request.status.final
            assert not any(self.store.lock_holder(hold) for hold in request.locks)
        self.store.close()


def test_whatever_happens_no_request_is_approved_without_its_quorum_nor_makes_a_second_key(
    valkey: EmbeddedServer,
) -> None:
    run_state_machine_as_test(
        lambda: QuorumMachine(valkey),
        settings=settings(
            max_examples=80,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
