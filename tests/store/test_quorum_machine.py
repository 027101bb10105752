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

from bot.core.access_key import KeyStatus
from bot.core.errors import KeydeskError, NotAllowed, StoreUnavailable
from bot.core.people import IamMapping, Member
from bot.core.request import KeyRequest
from bot.core.workflow import ask, decide, hand_over, lapse, receipt, retire
from bot.core.workflow.desk import Desk, Rules
from bot.store.embedded import EmbeddedServer
from bot.store.redis_store import RedisStore, connect
from tests.core.fakes import ALICE, BOB, CAROL, ERIN, TEAM, FakeDirectory, FakeIssuer, FakeMessenger
from tests.core.taps import ProcessDied, Tapped, Taps
from tests.fakes import FakeClock
from tests.store.quorum_promises import Promises

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

    @initialize(needed=st.sampled_from([2, 2, 3, 1]))
    def opens(self, needed: int) -> None:
        self.restarts(needed)
        for engineer in ENGINEERS:
            self.asks(engineer)

    # -- what happens

    @rule(needed=st.integers(1, 3))
    def restarts(self, needed: int) -> None:
        """A new process with a store of its own, and perhaps another setting."""
        self.store.close()
        self.store = RedisStore(connect(self.url))
        rules = Rules(TEAM, "C0KEYS", IamMapping(), approvals_required=needed)
        self.desk = Desk(
            Tapped("store", self.store, self.taps),
            Tapped("issuer", self.iam, self.taps),
            Tapped("messenger", self.slack, self.taps),
            Tapped("directory", self.directory, self.taps),
            self.clock,
            rules,
            lambda: f"id{next(self.ids)}",
        )

    def does(self, act: Callable[[], KeyRequest | None]) -> KeyRequest | None:
        """One click: it may be refused, its answer lost, or its process die; then another process goes on."""
        done = None
        try:
            done = act()
        except ProcessDied:
            self.restarts(self.desk.rules.approvals_required)
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
        return open_[pick % len(open_)] if open_ and pick < 3 else self.desk.found(self.asked[-1])

    @rule(person=engineers)
    def asks(self, person: Member) -> None:
        if request := self.does(lambda: ask.create(self.desk, self.now(person), "deploy")):
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
                lambda: ask.enable(self.desk, self.now(person), off[0].id, "again")
            )
        ):
            self.asked.append(request.id)

    @precondition(lambda self: self.asked)
    @rule(person=anybody, pick=picks)
    def approves(self, person: Member, pick: int) -> None:
        self.says_yes(person, self.one(pick))

    def says_yes(self, person: Member, request: KeyRequest) -> None:
        self.promises.clicked[request.id].add(person.id)
        if self.does(lambda: decide.approve(self.desk, self.now(person), request.id)):
            self.promises.noted[request.id].add(person.id)
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
            lambda: hand_over.reveal(self.desk, self.now(self.requester(request)), request.id)
        )
        key_id = self.desk.found(request.id).access_key_id
        clicks: dict[str, Callable[[], Any]] = {
            "have it": lambda: receipt.confirm(
                self.desk, self.now(self.requester(request)), key_id
            ),
            "did not get it": lambda: receipt.did_not_get(
                self.desk, self.now(self.requester(request)), key_id
            ),
            "revoke": lambda: decide.revoke(self.desk, self.now(late), request.id),
            "approve": lambda: decide.approve(self.desk, self.now(late), request.id),
            "deny": lambda: decide.deny(self.desk, self.now(late), request.id, "not needed"),
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
                        decide.approve(self.desk, self.now(other), request.id)
                        self.promises.noted[request.id].add(other.id)
                    case "deny":
                        decide.deny(self.desk, self.now(other), request.id, "not needed")
                    case "cancel":
                        ask.cancel(self.desk, self.now(self.requester(request)), request.id)
                    case "take back":
                        decide.take_back(self.desk, self.now(other), request.id)
                        self.promises.noted[request.id].discard(other.id)
                    case "revoke":
                        decide.revoke(self.desk, self.now(other), request.id)
                    case "reveal":
                        hand_over.reveal(self.desk, self.now(self.requester(request)), request.id)
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
                lambda: hand_over.reveal(self.desk, self.now(self.requester(request)), request.id)
            )
        else:
            does = decide.approve if click == "approve" else decide.revoke
            self.promises.clicked[request.id].add(person.id)
            self.does(lambda: does(self.desk, self.now(person), request.id))

    @precondition(lambda self: self.asked)
    @rule(person=anybody, pick=picks)
    def denies(self, person: Member, pick: int) -> None:
        request = self.one(pick)
        self.does(lambda: decide.deny(self.desk, self.now(person), request.id, "not needed"))

    @precondition(lambda self: self.asked)
    @rule(person=anybody, pick=picks)
    def revokes(self, person: Member, pick: int) -> None:
        request = self.one(pick)
        self.does(lambda: decide.revoke(self.desk, self.now(person), request.id))

    @precondition(lambda self: self.asked)
    @rule(person=approvers, pick=picks)
    def takes_back(self, person: Member, pick: int) -> None:
        request = self.one(pick)
        if self.does(lambda: decide.take_back(self.desk, self.now(person), request.id)):
            self.promises.noted[request.id].discard(person.id)

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
                self.does(lambda: hand_over.reveal(self.desk, person, request.id))
            case "cancel":
                self.does(lambda: ask.cancel(self.desk, person, request.id))
            case "have it":
                self.does(lambda: receipt.confirm(self.desk, person, request.access_key_id))
            case _:
                self.does(lambda: receipt.did_not_get(self.desk, person, request.access_key_id))

    @rule(person=engineers)
    def makes_room(self, person: Member) -> None:
        """The owner turns their keys off and deletes them."""
        for key in self.iam.listed(person.email):
            for verb in (retire.disable, retire.delete):
                with suppress(KeydeskError):
                    verb(self.desk, person, key.id)

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
        for name in self.desk.store.due(self.clock.now()):
            try:
                lapse.tick(self.desk, name)
            except KeydeskError:
                self.desk.store.postpone(name, self.clock.now() + self.desk.rules.retry_after)

    # -- what is always true

    def now(self, person: Member) -> Member:
        """The person as Slack shows them; whoever may not use the desk gets no further than its door."""
        member = self.directory.people[person.id]
        if member.deleted or member.is_guest:
            raise NotAllowed("Stopped at the door.")
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
            assert not any(self.store.holder(hold) for hold in request.holds)
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
