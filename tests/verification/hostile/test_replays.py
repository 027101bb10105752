"""Whatever buttons, valid and stale, are clicked by whoever in whatever order, and however often they are delivered:
nothing moves but what that person may move, and a delivery counts once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from bot.domain.errors import KeydeskError
from bot.operations import run_due
from bot.slack import action_ids
from bot.slack.listeners.routes import BUTTONS
from tests.verification.hostile.inside import (
    MEMBERS,
    OUTSIDERS,
    Answered,
    Inside,
    inside,
    must_be_calm,
)
from tests.verification.hostile.recordings import TYPED, click, recordings, typed
from tests.verification.hostile.who_may import BY_APPROVERS, BY_OWNERS, BY_REQUESTERS

PEOPLE = [one[2:].lower() for one in (*MEMBERS, *OUTSIDERS)] + ["nobody"]
SPANS = [
    timedelta(seconds=20),
    timedelta(minutes=4),
    timedelta(minutes=11),
    timedelta(hours=13),
    timedelta(days=4),
]
STALE = timedelta(minutes=5)
A_MOMENT = timedelta(seconds=2)
TELLING = {"chat.postEphemeral", "views.open", "views.update"}
APPROVER = "U0CAROL"

people, picks = st.sampled_from(PEOPLE + ["carol"] * 4), st.integers(0, 30)


class Clicks(RuleBasedStateMachine):
    """A desk with its story; `sent` is everything that was ever delivered."""

    def __init__(self, services: Inside, counts: dict[str, int]) -> None:
        super().__init__()
        self.services, self.counts, self.numbers = services, counts, itertools.count(1)
        services.put_back()
        self.sent: list[tuple[dict[str, Any], datetime]] = []

    # -- what happens

    @rule(who=people, action=st.sampled_from(sorted(BUTTONS)), pick=picks)
    def clicks(self, who: str, action: str, pick: int) -> None:
        pool = [*self.requests(), *self.services.services.iam.made, "f" * 30, "AKIA" + "Z" * 16, ""]
        value = pool[pick % len(pool)]
        self.acts(f"U0{who.upper()}", action, value, click(who, action, value, self.trigger()))

    @rule(kind=picks, pick=picks)
    def clicks_who_may(self, kind: int, pick: int) -> None:
        """Else hardly anything would ever move."""
        pool = [*self.requests(), *self.services.services.iam.made]
        value = pool[pick % len(pool)]
        request = self.services.services.store.request(value)
        actions = sorted(BY_REQUESTERS | BY_APPROVERS) if request else sorted(BY_OWNERS)
        action = actions[kind % len(actions)]
        who = (
            APPROVER
            if action in BY_APPROVERS
            else request.requester
            if request
            else self.owner(value)
        )
        self.acts(who, action, value, click(who[2:].lower(), action, value, self.trigger()))

    @rule(who=people, verb=st.sampled_from(sorted(TYPED)), pick=picks)
    def types(self, who: str, verb: str, pick: int) -> None:
        keys = list(self.services.services.iam.made)
        key = keys[pick % len(keys)]
        text = TYPED[verb][1].format(key=key, off=key)
        before = self.services.state()
        answered = self.sends(typed(who, text, self.trigger()))
        moved = self.changed(before)
        assert (
            not moved
            or (who == "dave" and verb == "leaked")
            or (
                f"U0{who.upper()}" in MEMBERS
                and (verb in ("create", "leaked") or self.owner(key) == f"U0{who.upper()}")
            )
        )
        self.looks_at(answered)

    @rule(
        form=st.sampled_from(["form create_form", "form deny_form", "form disable_for_form"]),
        pick=picks,
        who=people,
    )
    def submits(self, form: str, pick: int, who: str) -> None:
        payload: dict[str, Any] = recordings(self.services)[form]
        about = [*self.requests(), *self.services.services.iam.made]
        payload["view"]["private_metadata"] = "" if "create" in form else about[pick % len(about)]
        payload["user"]["id"], payload["trigger_id"] = f"U0{who.upper()}", self.trigger()
        before = self.services.state()
        answered = self.sends(payload)
        moved = self.changed(before)
        assert not moved or who == "carol" or ("create" in form and f"U0{who.upper()}" in MEMBERS)
        self.looks_at(answered)

    @precondition(lambda self: self.sent)
    @rule(pick=picks, times=st.integers(1, 3))
    def is_replayed(self, pick: int, times: int) -> None:
        """The same bytes, with the signature they had: within five minutes it is good, after that it is not."""
        payload, at = self.sent[-1 - pick % len(self.sent)]
        before, age = self.services.state(), self.services.services.clock.now() - at
        if (
            abs(age - STALE) <= A_MOMENT
        ):  # signatures count whole seconds, and the door's clock goes on meanwhile
            age = STALE + 2 * A_MOMENT
        for _ in range(times):
            answered = self.services.deliver(payload, age=age.total_seconds())
            must_be_calm(answered)
            assert answered.status == (401 if age > STALE else 200) and answered.calls == []
        assert self.services.state() == before
        self.counts["replays"] = self.counts.get("replays", 0) + times

    @rule(span=st.sampled_from(SPANS))
    def passes(self, span: timedelta) -> None:
        """Time, and the sweeper comes by once."""
        services = self.services.services
        services.clock.advance(span)
        for name in services.store.due(services.clock.now()):
            try:
                run_due.run(services.services, name)
            except KeydeskError:
                services.store.reschedule(
                    name, services.clock.now() + services.services.settings.sweep_every
                )
        self.services.settle()

    # -- what must hold

    def acts(self, person: str, action: str, value: str, payload: dict[str, Any]) -> None:
        may, before = self.may(person, action, value), self.services.state()
        answered = self.sends(payload)
        moved = self.changed(before)
        assert not moved or may, (person, action, value)
        assert moved <= self.about(value), "moved something else, too"
        self.counts["moved"] = self.counts.get("moved", 0) + bool(moved)
        self.looks_at(answered)

    def sends(self, payload: dict[str, Any]) -> Answered:
        self.sent.append((payload, self.services.services.clock.now()))
        self.counts["sent"] = self.counts.get("sent", 0) + 1
        return self.services.deliver(payload)

    def looks_at(self, answered: Answered) -> None:
        """Answered, calmly; no secret but to whom it is for; one living key a request, approved by who may."""
        must_be_calm(answered)
        assert answered.status == 200
        assert (
            any(method in TELLING for method, _ in answered.calls)
            or "response_action" in answered.body
        )
        store, iam = self.services.services.store, self.services.services.iam
        records = {key_id: store.key(key_id) for key_id in iam.made}
        for key_id, secret in iam.made.items():
            record = records[key_id]
            for method, args in answered.calls:
                if secret in str(args):
                    assert record and (method, args["user"]) == ("chat.postEphemeral", record.owner)
        living = [
            record.request_id
            for key_id, record in records.items()
            if record and record.request_id and key_id in iam.active
        ]
        assert len(living) == len(set(living))
        for request in filter(None, map(store.request, living)):
            assert request.decided_by == APPROVER != request.requester

    def may(self, person: str, action: str, value: str) -> bool:
        request = self.services.services.store.request(value)
        if request is not None:
            own = request.requester == person
            return action in BY_REQUESTERS if own else person == APPROVER and action in BY_APPROVERS
        return (self.owner(value) == person and action in BY_OWNERS) or (
            person == APPROVER and action == action_ids.LEAKED_DISABLE
        )

    def owner(self, key_id: str) -> str:
        key = self.services.services.iam.observed(key_id)
        record = self.services.services.store.key(key_id)
        named = key.iam_user.partition("@")[0].upper() if key else ""
        return f"U0{named}" if named else record.owner if record else "U0NOBODY"

    def about(self, value: str) -> set[str]:
        """The names of what a button with this value may move: its request, its keys, what they replace."""
        store, found = self.services.services.store, {value}
        for _ in range(3):
            for key_id in list(self.services.services.iam.made):
                key = store.key(key_id)
                if key and {key_id, key.request_id, key.replaces} & (found - {""}):
                    found |= {key_id, key.request_id, key.replaces}
            for id_ in self.requests():
                request = store.request(id_)
                if request and {id_, request.target, request.access_key_id} & (found - {""}):
                    found |= {id_, request.target, request.delete_first, request.access_key_id}
        return {f"{kind}:{one}" for one in found for kind in ("request", "key", "iam")} | {"moves"}

    def changed(self, before: dict[str, Any]) -> set[str]:
        after = self.services.state()
        return {
            name for name in before.keys() | after.keys() if before.get(name) != after.get(name)
        }

    def requests(self) -> list[str]:
        return [
            name.partition(":")[2] for name in self.services.state() if name.startswith("request:")
        ]

    def trigger(self) -> str:
        return f"trigger-{next(self.numbers)}"


@pytest.fixture(scope="module")
def services() -> Iterator[Inside]:
    with inside() as found:
        yield found


def run(services: Inside, examples: int, steps: int) -> dict[str, int]:
    counts: dict[str, int] = {}
    run_state_machine_as_test(
        lambda: Clicks(services, counts),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return counts


def test_clicks_in_any_order_count_once(
    services: Inside,
) -> None:
    counts = run(services, 25, 25)
    assert counts["moved"] > 5 and counts["replays"] > 5


@pytest.mark.matrix
def test_in_very_many_orders_they_do(services: Inside) -> None:
    counts = run(services, 400, 60)
    print(f"clicks in any order: {counts}")
    assert counts["moved"] > 300 and counts["replays"] > 300
