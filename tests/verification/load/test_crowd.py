"""Many approvers, several processes and a failing Slack: one decision each."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from bot.domain.codes import Code
from bot.domain.requests import KeyRequest
from bot.slack import action_ids
from sandbox.local_person import LocalPerson
from sandbox.seen import SeenMessage
from tests.integration.steps import named, refused
from tests.support.concurrent_steps import at_once
from tests.support.running_world import World
from tests.support.seen_by_user import ephemerals, form_opens
from tests.support.watched_person import handle

Start = Callable[..., World]
PROCESSES, REQUESTS, APPROVERS, TABS = 3, 20, 40, 3
WITHIN = 60.0
"""Seconds. No test waits that long unless it fails."""
METHODS = ("chat.postMessage", "chat.update", "views.publish")


def lasting(person: LocalPerson) -> list[SeenMessage]:
    """Return what Keydesk has posted to this user."""
    return [one for one in person.messages("dm") if not one.ephemeral]


@dataclass(frozen=True)
class Crowd:
    """Waiting requests, each with its card, and the approvers.

    Some Home tabs are open.
    """

    world: World
    people: list[LocalPerson]
    cards: list[SeenMessage]
    approvers: list[LocalPerson]

    @classmethod
    def of(cls, start: Start) -> Crowd:
        """Start the processes, make the requests, and open the forms of denials."""
        world = start(TRIAL_PACE="1", program="bot")  # what it does is measured against time
        for _ in range(PROCESSES - 1):
            start(beside=world, TRIAL_PACE="1", program="bot")
        world.slack.wait_until(
            lambda: world.slack.connections == PROCESSES, WITHIN, "every process is connected"
        )
        people, approvers = [world.engineer() for _ in range(REQUESTS)], world.approvers(APPROVERS)
        with ThreadPoolExecutor(REQUESTS) as threads:
            assert all(
                ack.acked
                for ack in threads.map(lambda one: one.command("/key create crowd"), people)
            )
        channel, approve = "key-approvals", action_ids.APPROVE
        cards = [world.carol.wait_for(channel, named(one), approve) for one in people]
        world.slack.wait_until(
            lambda: not any(world.request(one).awaits_permissions for one in people),
            WITHIN,
            "all permissions are read",
        )
        for one in approvers[:TABS]:
            one.open_home()
            one.wait_for_home("crowd", WITHIN)
        for one in people[:TABS]:
            one.open_home()
            own = world.request(one).id
            world.slack.wait_until(lambda one=one, own=own: own in str(one.home), WITHIN, "its tab")
        crowd = cls(world, people, cards, approvers)
        for number, one in enumerate(approvers):
            if crowd.denies(number):
                one.click(cards[number % REQUESTS], action_ids.DENY)
                form_opens(one, action_ids.DENY_FORM)
                world.answered(one)
        return crowd

    def denies(self, number: int) -> bool:
        """Return whether this approver denies."""
        return number // REQUESTS % 2 == 1

    def decide(self) -> list[KeyRequest]:
        """Let every approver decide in the same instant. Return the decided requests."""

        def step(number: int, one: LocalPerson) -> bool:
            if self.denies(number):
                return one.submit({"reason": "too many"}).acked
            return one.click(self.cards[number % REQUESTS], action_ids.APPROVE).acked

        steps = [
            lambda number=number, one=one: step(number, one)
            for number, one in enumerate(self.approvers)
        ]
        assert all(at_once(*steps))

        def decided() -> list[KeyRequest] | None:
            now = [self.world.request(one) for one in self.people]
            return now if all(one.decided_by for one in now) else None

        return self.world.slack.wait_until(decided, WITHIN, "all requests are decided")

    def agree(self) -> None:
        """Wait until every message about every request shows the decision."""
        try:
            self.world.slack.wait_until(lambda: not self._wrong(), WITHIN, "all show it")
        except AssertionError as late:
            raise AssertionError(f"wrong: {self._wrong()}") from late

    def _wrong(self) -> list[str]:
        cards = {one.ts: one for one in self.world.carol.messages("key-approvals")}
        wrong = []
        for person, card in zip(self.people, self.cards, strict=True):
            request = self.world.request(person)
            decider = f"@{handle(self.world.slack.person(request.decided_by))}"
            asked, *others = lasting(person)
            now = cards[card.ts]
            if decider not in now.words or now.has_button(action_ids.APPROVE):
                wrong.append(f"card of {person.id}")
            if asked.buttons or not others:
                wrong.append(f"messages of {person.id}")
            approved = request.status == "approved"
            if any(one.has_button(action_ids.REVEAL) != approved for one in others):
                wrong.append(f"outcome of {person.id}")
            if approved and person in self.people[:TABS] and "approved" not in person.home_words:
                wrong.append(f"tab of {person.id}")
        tabs = self.approvers[:TABS]
        return wrong + [f"tab of {one.id}" for one in tabs if "crowd" in one.home_words]

    def posted(self) -> int:
        """Count the cards and the lasting messages to requesters."""
        seen = self.world.carol.messages("key-approvals")
        cards = [one for one in seen if not one.ephemeral and "crowd" in one.words]
        return len(cards) + sum(len(lasting(one)) for one in self.people)

    def decisions(self) -> list[str]:
        """Return the request ID of each decision in the audit trail."""
        entries = [entry for _, entry in self.world.redis.xrange("{keydesk}:audit")]
        return [
            entry["request_id"]
            for entry in entries
            if entry["action"] in ("approve", "deny") and entry["to_status"] != "refused"
        ]


@pytest.mark.slow
def test_forty_approvers_decide_twenty_requests_once_each(start: Start) -> None:
    """Every approver is told once what became of their click."""
    crowd = Crowd.of(start)

    requests = crowd.decide()

    crowd.agree()
    assert [request.version for request in requests] == [3] * REQUESTS, "made, read, decided"
    assert sorted(crowd.decisions()) == sorted(request.id for request in requests)
    assert crowd.posted() == 3 * REQUESTS
    for number, approver in enumerate(crowd.approvers):
        if requests[number % REQUESTS].decided_by == approver.id:
            crowd.world.answered(approver)
        else:
            refused(crowd.world, approver, Code.REQUEST_MOVED_ON)
        told = 0 if crowd.denies(number) else 1
        crowd.world.slack.wait_until(
            lambda one=approver, told=told: len(ephemerals(one, "key-approvals")) == told,
            WITHIN,
            "the approver is told",
        )


@pytest.mark.slow
def test_an_outage_of_slack_loses_and_doubles_no_message(start: Start) -> None:
    crowd = Crowd.of(start)
    slack, lost = crowd.world.slack, 3
    for method in METHODS:
        slack.faults.status(method, 500, times=6)
        slack.faults.status(method, 429, times=10**6, retry_after=1)
    before = len(slack.calls())

    requests = crowd.decide()

    slack.wait_until(
        lambda: {
            call.method
            for call in slack.calls()[before:]
            if call.answer.get("error") == "ratelimited"
        }.issuperset(METHODS),
        WITHIN,
        "every method has failed, and is rate-limited",
    )
    assert crowd.posted() == 2 * REQUESTS, "no outcome could be posted"
    slack.faults.clear()
    slack.faults.drop("chat.postMessage", "after", times=lost)
    crowd.agree()
    assert [request.version for request in requests] == [3] * REQUESTS, "made, read, decided"
    extra = crowd.posted() - 3 * REQUESTS
    assert 0 < extra <= lost, "one extra message for each lost answer at most, and none missing"
