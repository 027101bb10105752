"""Many approvers at once, several processes, and a Slack that fails meanwhile: one decision each, and one truth."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from bot.domain.requests import KeyRequest
from bot.slack import action_ids
from sandbox.local_person import LocalPerson
from sandbox.seen import SeenMessage
from tests.support.running_world import World, at_once, ephemerals, form_opens, handle

Start = Callable[..., World]
PROCESSES, REQUESTS, APPROVERS = 3, 20, 40
WITHIN = 60.0  # seconds; no test waits that long unless it fails
DRAWING = ("chat.postMessage", "chat.update", "views.publish")


@dataclass(frozen=True)
class Crowd:
    """Requests that wait, each with its card, and the approvers; some have their Home tabs open."""

    world: World
    people: list[LocalPerson]
    cards: list[SeenMessage]
    approvers: list[LocalPerson]

    @classmethod
    def comes(cls, start: Start, requests: int, approvers: int) -> Crowd:
        world = start(TRIAL_PACE="1", program="bot")  # what it does is measured against time
        for _ in range(PROCESSES - 1):
            start(beside=world, TRIAL_PACE="1", program="bot")
        world.slack.wait_until(
            lambda: world.slack.connections == PROCESSES, WITHIN, "every process is connected"
        )
        people, deciders = [world.engineer() for _ in range(requests)], world.approvers(approvers)
        with ThreadPoolExecutor(requests) as threads:
            assert all(
                ack.acked
                for ack in threads.map(lambda one: one.command("/key create crowd"), people)
            )
        cards = [
            world.carol.wait_for("key-approvals", f"@{handle(one)}", action_ids.APPROVE)
            for one in people
        ]
        world.slack.wait_until(
            lambda: not any(world.request(one).awaits_permissions for one in people),
            WITHIN,
            "all is read",
        )
        for one, words in (
            *((one, "crowd") for one in deciders[:5]),
            *((one, "Waiting for approval") for one in people[:3]),
        ):
            one.open_home()
            one.wait_for_home(words, WITHIN)
        crowd = cls(world, people, cards, deciders)
        for number, one in enumerate(deciders):
            if crowd.denies(number):
                one.click(cards[number % requests], action_ids.DENY)
                form_opens(one, action_ids.DENY_FORM)
        return crowd

    def denies(self, number: int) -> bool:
        """Does this approver deny? They have the form open that asks why."""
        return number // len(self.cards) % 2 == 1

    def click(self) -> None:
        """Every approver decides on one of the requests in the same instant: half of them approve, half deny."""
        clicks = [
            lambda number=number, one=one: (
                one.submit({"reason": "too many"})
                if self.denies(number)
                else (one.click(self.cards[number % len(self.cards)], action_ids.APPROVE))
            )
            for number, one in enumerate(self.approvers)
        ]
        assert all(delivery.acked for delivery in at_once(*clicks))

    def decided(self) -> list[KeyRequest]:
        """Waits until each request is decided; returns them."""

        def all_decided() -> list[KeyRequest] | None:
            now = [self.world.request(one) for one in self.people]
            return now if all(one.decided_by for one in now) else None

        return self.world.slack.wait_until(all_decided, WITHIN, "all requests are decided")

    def agree(self) -> None:
        """Waits until every copy of every request shows how it stands."""
        try:
            self.world.slack.wait_until(
                lambda: not self._wrong(), WITHIN, "all copies show the decision"
            )
        except AssertionError as late:
            raise AssertionError(f"wrong: {self._wrong()}") from late

    def _wrong(self) -> list[str]:
        cards = {one.ts: one for one in self.world.carol.messages("key-approvals")}
        wrong = []
        for person, card in zip(self.people, self.cards, strict=True):
            request = self.world.request(person)
            fate = f"{request.status.capitalize()} by @{handle(self.world.slack.person(request.decided_by))}"
            asked, *others = self.lasting(person)
            if fate not in cards[card.ts].words or cards[card.ts].has_button(action_ids.APPROVE):
                wrong.append(f"card of {person.id}")
            if asked.buttons or not others:
                wrong.append(f"messages of {person.id}")
            for one in others:
                if one.has_button(action_ids.REVEAL) != (request.status == "approved"):
                    wrong.append(f"outcome of {person.id}")
        wrong += [
            f"tab of {one.id}" for one in self.approvers[:5] if "No requests." not in one.home_words
        ]
        wrong += [
            f"tab of {one.id}"
            for one in self.people[:3]
            if self.world.request(one).status == "approved" and "approved" not in one.home_words
        ]
        return wrong

    def lasting(self, person: LocalPerson) -> list[SeenMessage]:
        return [one for one in person.messages("dm") if not one.ephemeral]

    def is_answered(self, number: int, request: KeyRequest) -> None:
        """Waits until an approver is told what became of their click, or in their form; they are told once."""
        approver = self.approvers[number]
        winner = handle(self.world.slack.person(request.decided_by))
        words = (
            f"{request.status.capitalize()}. @"
            if request.decided_by == approver.id
            else f"This request was already {request.status} by @{winner}"
        )
        if self.denies(number):
            approver.wait_for_modal(words, WITHIN)
        else:
            approver.wait_for("key-approvals", words, timeout=WITHIN)
        assert len(ephemerals(approver, "key-approvals")) == (0 if self.denies(number) else 1)

    def posted(self) -> int:
        """How many lasting messages stand in the approval channel and with the people who asked."""
        cards = [
            one
            for one in self.world.carol.messages("key-approvals")
            if not one.ephemeral and "wants an access key" in one.words
        ]
        return len(cards) + sum(len(self.lasting(one)) for one in self.people)

    def decisions(self) -> list[str]:
        """For each decision in the audit trail, the request it is about."""
        entries = self.world.redis.xrange("{keydesk}:audit")
        return [
            entry["request_id"]
            for _, entry in entries
            if (entry["action"] in ("approve", "deny") and entry["to_status"] != "refused")
        ]


@pytest.mark.slow
def test_forty_approvers_decide_twenty_requests_once_each(
    start: Start,
) -> None:
    crowd = Crowd.comes(start, REQUESTS, APPROVERS)

    crowd.click()

    requests = crowd.decided()
    crowd.agree()
    assert [request.version for request in requests] == [3] * REQUESTS, "asked, read, decided"
    assert sorted(crowd.decisions()) == sorted(request.id for request in requests)
    assert crowd.posted() == 3 * REQUESTS
    for number in range(APPROVERS):
        crowd.is_answered(number, requests[number % REQUESTS])


@pytest.mark.slow
def test_an_outage_of_slack_loses_and_doubles_no_message(start: Start) -> None:
    crowd = Crowd.comes(start, REQUESTS, APPROVERS)
    slack = crowd.world.slack
    lost = 3
    for method in DRAWING:
        slack.faults.status(method, 500, times=6)
        slack.faults.status(method, 429, times=10**6, retry_after=1)
    before = len(slack.calls())

    crowd.click()

    requests = crowd.decided()
    slack.wait_until(
        lambda: all(
            any(
                call.method == method and call.answer.get("error") == "ratelimited"
                for call in slack.calls()[before:]
            )
            for method in DRAWING
        ),
        WITHIN,
        "every method has failed, and is rate-limited",
    )
    assert crowd.posted() == 2 * REQUESTS, "no outcome could be posted"
    slack.faults.clear()
    slack.faults.drop("chat.postMessage", "after", times=lost)
    crowd.agree()
    assert [request.version for request in requests] == [3] * REQUESTS, "asked, read, decided"
    dropped = crowd.posted() - 3 * REQUESTS
    assert 0 < dropped <= lost, "one extra copy for each lost answer at most, and none is missing"
