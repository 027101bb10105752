"""Show that no key exists without its quorum, in any order of clicks.

Users create, approve, deny, withdraw, revoke, cancel, reveal and confirm. Rights come and go, time
passes, processes die, answers get lost, two users click in the same instant. Every promise is
checked after each step.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
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

from bot.domain.errors import KeydeskError
from bot.domain.identity import Member
from bot.domain.keys import KeyStatus
from bot.domain.outside_errors import StoreUnavailable
from bot.operations import create_request
from bot.store.embedded import EmbeddedServer
from tests.support.taps import ProcessDied
from tests.support.world import ALICE, BOB
from tests.verification.quorum_world import BOARD, ENGINEERS, MEMBERS, QuorumWorld

SECONDS = (10, 10, 10, 61, 16 * 60, 12 * 3600, 72 * 3600)
CHANGES: tuple[dict[str, Any], ...] = (
    {"deleted": True},
    {"is_guest": True},
    {"email": ALICE.email},
    {"email": BOB.email},
    {},
)

engineers, approvers, members = map(st.sampled_from, (ENGINEERS, BOARD, MEMBERS))
orders = st.permutations(MEMBERS)
picks = st.integers(0, 3)
clicks_of_requester = ("reveal", "reveal", "cancel", "confirm", "did not get")
clicks_on_delivered = ("confirm", "did not get", "revoke", "approve", "deny", "nothing")
rival_clicks = ("approve", "deny", "cancel", "withdraw", "revoke", "reveal", "expire")
some_requested = precondition(lambda self: self.world.requested)


class QuorumMachine(RuleBasedStateMachine):
    """Random clicks and events in a world."""

    def __init__(self, server: EmbeddedServer) -> None:
        super().__init__()
        self.world = QuorumWorld(server)

    @initialize(approvals_needed=st.sampled_from([2, 2, 3, 1]))
    def starts(self, approvals_needed: int) -> None:
        self.world.restarts(approvals_needed)
        for engineer in ENGINEERS:
            self.world.creates(engineer)

    @rule(approvals_needed=st.integers(1, 3))
    def restarts(self, approvals_needed: int) -> None:
        self.world.restarts(approvals_needed)

    @rule(member=engineers)
    def creates(self, member: Member) -> None:
        self.world.creates(member)

    @rule(member=engineers)
    def asks_to_enable(self, member: Member) -> None:
        """Request a change that the click which completes the quorum applies."""
        with suppress(KeydeskError):
            key, _ = self.world.iam.create_key(member.email)
            self.world.iam.set_status(member.email, key.id, KeyStatus.INACTIVE)
        off = [key for key in self.world.iam.listed(member.email) if not key.active]
        enable = create_request.enable
        if off and (
            request := self.world.does(
                lambda: enable(self.world.services, self.world.now(member), off[0].id, "again")
            )
        ):
            self.world.requested.append(request.id)

    @some_requested
    @rule(member=members, pick=picks)
    def approves(self, member: Member, pick: int) -> None:
        self.world.approve(member, self.world.one(pick))

    @some_requested
    @rule(order=orders, pick=picks)
    def all_approve(self, order: list[Member], pick: int) -> None:
        """Let all approve one after the other, the requester among them."""
        request = self.world.one(pick)
        for member in order:
            self.world.approve(member, request)

    @some_requested
    @rule(member=approvers, change=st.sampled_from(CHANGES), order=orders, pick=picks)
    def approves_and_changes_before_the_others(
        self, member: Member, change: dict[str, Any], order: list[Member], pick: int
    ) -> None:
        request = self.world.one(pick)
        self.world.approve(member, request)
        if change:
            self.changes_in_slack(member, change)
        else:
            self.world.directory.may_approve -= {member.id}
        for other in order[:2]:
            self.world.approve(other, request)

    @some_requested
    @rule(order=orders, pick=picks, late=approvers, name=st.sampled_from(clicks_on_delivered))
    def is_revealed_before_the_next_click(
        self, order: list[Member], pick: int, late: Member, name: str
    ) -> None:
        request = self.world.one(pick)
        for member in order:
            self.world.approve(member, request)
        for click in ("reveal", name):
            self.world.does(lambda click=click: self.world.click(click, request, late))

    @some_requested
    @rule(member=approvers, other=approvers, pick=picks, rival=st.sampled_from(rival_clicks))
    def two_click_at_once(self, member: Member, other: Member, pick: int, rival: str) -> None:
        """Let the second click happen just before the commit of the first."""
        request = self.world.one(pick)

        def acts() -> None:
            with suppress(KeydeskError):
                self.world.click(rival, request, other)

        self.world.taps.on("store.commit", before=acts)
        self.world.approve(member, request)

    @some_requested
    @rule(
        member=approvers,
        pick=picks,
        fault=st.sampled_from([StoreUnavailable, ProcessDied]),
        side=st.sampled_from(["before", "after"]),
        name=st.sampled_from(["approve", "reveal", "revoke"]),
    )
    def is_cut_off(
        self, member: Member, pick: int, fault: Callable[[], Any], side: str, name: str
    ) -> None:
        """Let a commit get no answer, or its process die with it, written or not."""
        request = self.world.one(pick)
        self.world.taps.on("store.commit", **{side: fault()})
        self.world.does(lambda: self.world.click(name, request, member))

    @some_requested
    @rule(member=members, pick=picks, name=st.sampled_from(["deny", "revoke"]))
    def denies_or_revokes(self, member: Member, pick: int, name: str) -> None:
        request = self.world.one(pick)
        self.world.does(lambda: self.world.click(name, request, member))

    @some_requested
    @rule(member=approvers, pick=picks)
    def withdraws(self, member: Member, pick: int) -> None:
        request = self.world.one(pick)
        self.world.does(lambda: self.world.click("withdraw", request, member))

    @some_requested
    @rule(pick=picks, name=st.sampled_from(clicks_of_requester))
    def the_requester_clicks(self, pick: int, name: str) -> None:
        request = self.world.one(pick)
        self.world.does(lambda: self.world.click(name, request, ALICE))

    @rule(member=members)
    def gains_or_loses_the_right_to_approve(self, member: Member) -> None:
        self.world.directory.may_approve ^= {member.id}

    @rule()
    def all_may_approve_again(self) -> None:
        self.world.directory.may_approve |= {one.id for one in MEMBERS}
        self.world.directory.people |= {one.id: one for one in BOARD}

    @rule(member=approvers, change=st.sampled_from(CHANGES))
    def changes_in_slack(self, member: Member, change: dict[str, Any]) -> None:
        self.world.directory.people[member.id] = replace(member, **change)

    @rule(member=engineers)
    def deletes_keys(self, member: Member) -> None:
        self.world.deletes_keys(member)

    @rule(seconds=st.sampled_from(SECONDS))
    def passes(self, seconds: int) -> None:
        self.world.passes(seconds)

    @invariant()
    def every_promise_holds(self) -> None:
        self.world.every_promise_holds()

    def teardown(self) -> None:
        """After enough time every request is final, and every lock is free again."""
        for seconds, times in ((61, 4), (16 * 60, 4), (24 * 3600, 16)):
            for _ in range(times):
                self.world.passes(seconds)
        for request in self.world.requests():
            assert request.status.final
            assert not any(self.world.store.lock_holder(lock) for lock in request.locks)
        self.world.store.close()


@pytest.mark.slow
def test_no_schedule_breaks_the_quorum(valkey: EmbeddedServer) -> None:
    run_state_machine_as_test(
        lambda: QuorumMachine(valkey),
        settings=settings(
            max_examples=80,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
