"""Invariants of requests and keys after every step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from bot.domain.keys import DesiredState
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.store.redis_store import RedisStore
from tests.support.fake_issuer import FakeIssuer
from tests.support.world import FakeDirectory

WITH_A_KEY = {
    Status.ISSUING,
    Status.DELETING,
    Status.DELIVERED,
    Status.UNCLAIMED,
    Status.CONFIRMED,
}


class Promises:
    """Check everything after each step.

    `clicked` and `noted` say who approved a request, and who was told so.
    """

    def __init__(self, iam: FakeIssuer, directory: FakeDirectory) -> None:
        self._iam, self._directory = iam, directory
        self._was: dict[str, KeyRequest] = {}
        self.clicked: dict[str, set[str]] = defaultdict(set)
        self.updated: dict[str, set[str]] = defaultdict(set)

    def hold(self, requests: Sequence[KeyRequest], store: RedisStore) -> None:
        """Raise AssertionError where a promise is broken. Remember the state."""
        for request in requests:
            if before := self._was.get(request.id):
                self._only_a_quorum_of_distinct_people_entitled_at_that_time_approves(
                    before, request
                )
                assert not before.status.final or request == before, "what is final stays as it is"
            self._no_approval_is_lost_and_none_is_made_up(request)
            self._one_living_key_at_most_and_none_without_its_quorum(request, store)
        self._was = {request.id: request for request in requests}

    def _only_a_quorum_of_distinct_people_entitled_at_that_time_approves(
        self, before: KeyRequest, request: KeyRequest
    ) -> None:
        if (
            before.status is Status.PENDING
            and request.decided_at
            and request.status is not Status.DENIED
        ):
            assert len(set(request.approvers)) == len(request.approvers) >= request.approvals_needed
            assert all(self._entitled(one, request) for one in request.approvers)
        elif before.decided_at:
            assert request.approvals == before.approvals, "a quorum stands as it was reached"
        assert (
            request.requester not in request.approvers
            and request.approvals_needed == before.approvals_needed
        )

    def _entitled(self, person: str, request: KeyRequest) -> bool:
        """Return True for a present full member who may approve and has another IAM user."""
        member = self._directory.people[person]
        return (
            person in self._directory.may_approve
            and not member.deleted
            and not member.is_guest
            and person != request.requester
            and member.email.lower() != request.iam_user.lower()
        )

    def _no_approval_is_lost_and_none_is_made_up(self, request: KeyRequest) -> None:
        counted, dropped = set(request.approvers), set(request.dropped_approvers)
        assert self.updated[request.id] <= counted | dropped <= self.clicked[request.id]
        assert not counted & dropped
        assert len(counted) < request.approvals_needed or request.status is not Status.PENDING

    def _one_living_key_at_most_and_none_without_its_quorum(
        self, request: KeyRequest, store: RedisStore
    ) -> None:
        keys = [
            key
            for key_id in self._iam.made
            if (key := store.key(key_id)) and key.request_id == request.id
        ]
        living = [
            key.id
            for key in keys
            if key.desired is DesiredState.ACTIVE and key.id in self._iam.active
        ]
        assert len(living) <= 1
        assert not keys or len(set(request.approvers)) >= request.approvals_needed
        assert not living or request.status in WITH_A_KEY
