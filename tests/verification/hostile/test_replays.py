"""Click valid and stale buttons in any order, by any user, and replay deliveries.

Nothing changes but what the user may change, and each delivery counts once.
"""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from bot.domain.errors import KeydeskError
from bot.operations import run_due
from bot.slack.listeners.routes import BUTTONS
from tests.verification.hostile.permitted import (
    BY_APPROVERS,
    BY_OWNERS,
    BY_REQUESTERS,
    CAROL,
    may_click,
)
from tests.verification.hostile.recordings import TYPED, click, recordings, typed
from tests.verification.hostile.target import MEMBERS, OUTSIDERS, Answered, Target, check_calm

PEOPLE = [one[2:].lower() for one in (*MEMBERS, *OUTSIDERS)] + ["unknown"]
SPANS = [
    timedelta(seconds=20),
    timedelta(minutes=4),
    timedelta(minutes=11),
    timedelta(hours=13),
    timedelta(days=4),
]
STALE = timedelta(minutes=5)
A_MOMENT = timedelta(seconds=2)
ANSWERS = {"chat.postEphemeral", "views.open", "views.update"}
FORMS = ["form create_form", "form deny_form", "form disable_for_form"]

people, picks = st.sampled_from(PEOPLE + ["carol"] * 4), st.integers(0, 30)


class Clicks(RuleBasedStateMachine):
    """Clicks on a target. `sent` is everything that was ever delivered."""

    def __init__(self, target: Target, counts: Counter[str]) -> None:
        super().__init__()
        self.target, self.counts, self.numbers = target, counts, itertools.count(1)
        self.store, self.iam, self.clock = target.bot.store, target.bot.iam, target.bot.clock
        target.restore()
        self.sent: list[tuple[dict[str, Any], datetime]] = []

    # -- gestures

    @rule(who=people, action=st.sampled_from(sorted(BUTTONS)), pick=picks)
    def clicks(self, who: str, action: str, pick: int) -> None:
        values = [*self.requests(), *self.iam.made, "f" * 30, "AKIA" + "Z" * 16, ""]
        self.click(who, action, values[pick % len(values)])

    @rule(kind=picks, pick=picks)
    def clicks_as_permitted(self, kind: int, pick: int) -> None:
        """Click as a user who may, since else hardly anything would change."""
        values = [*self.requests(), *self.iam.made]
        value = values[pick % len(values)]
        request = self.store.request(value)
        actions = sorted(BY_REQUESTERS | BY_APPROVERS if request else BY_OWNERS)
        action = actions[kind % len(actions)]
        who = CAROL if action in BY_APPROVERS else self.owner(value)
        self.click(who[2:].lower(), action, value)

    @rule(who=people, verb=st.sampled_from(sorted(TYPED)), pick=picks)
    def types(self, who: str, verb: str, pick: int) -> None:
        keys, user = list(self.iam.made), f"U0{who.upper()}"
        key = keys[pick % len(keys)]
        text = TYPED[verb][1].format(key=key, off=key)
        own = user in MEMBERS and (verb in ("create", "leaked") or self.owner(key) == user)
        reports = who == "dave" and verb == "leaked"
        assert not self.sends(typed(who, text, self.trigger())) or own or reports

    @rule(form=st.sampled_from(FORMS), pick=picks, who=people)
    def submits(self, form: str, pick: int, who: str) -> None:
        payload: dict[str, Any] = recordings(self.target)[form]
        subjects, create = [*self.requests(), *self.iam.made], "create" in form
        payload["view"]["private_metadata"] = "" if create else subjects[pick % len(subjects)]
        payload["user"]["id"], payload["trigger_id"] = f"U0{who.upper()}", self.trigger()
        may = who == "carol" or (create and f"U0{who.upper()}" in MEMBERS)
        assert not self.sends(payload) or may

    @precondition(lambda self: self.sent)
    @rule(pick=picks, times=st.integers(1, 3))
    def replays(self, pick: int, times: int) -> None:
        """Send the same bytes with the same signature, which is good for five minutes."""
        payload, at = self.sent[-1 - pick % len(self.sent)]
        before, age = self.target.state(), self.clock.now() - at
        if abs(age - STALE) <= A_MOMENT:
            age = STALE + 2 * A_MOMENT  # signatures count whole seconds of the real clock
        for _ in range(times):
            answered = self.target.deliver(payload, age=age.total_seconds())
            check_calm(answered)
            assert answered.status == (401 if age > STALE else 200) and answered.calls == []
        assert self.target.state() == before
        self.counts["replays"] += times

    @rule(span=st.sampled_from(SPANS))
    def passes(self, span: timedelta) -> None:
        """Let time pass, and sweep once."""
        services = self.target.bot.services
        self.clock.advance(span)
        for name in self.store.due(self.clock.now()):
            try:
                run_due.run(services, name)
            except KeydeskError:
                self.store.reschedule(name, self.clock.now() + services.settings.sweep_every)
        self.target.render()

    # -- checks

    def click(self, who: str, action: str, value: str) -> None:
        person, request = f"U0{who.upper()}", self.store.request(value)
        may = may_click(person, self.owner(value), action, request=request is not None)
        changed = self.sends(click(who, action, value, self.trigger()))
        assert not changed or may, (person, action, value)
        assert changed <= self.subjects(value), "changed something else, too"
        self.counts["changed"] += bool(changed)

    def sends(self, payload: dict[str, Any]) -> set[str]:
        """Deliver a payload, check the answer, and return the names of what it changed."""
        self.sent.append((payload, self.clock.now()))
        before = self.target.state()
        answered = self.target.deliver(payload)
        after = self.target.state()
        self.check(answered)
        return {one for one in before.keys() | after.keys() if before.get(one) != after.get(one)}

    def check(self, answered: Answered) -> None:
        """Check that it is answered, that secrets reach their owners, and one key lives."""
        check_calm(answered)
        assert answered.status == 200
        methods = {method for method, _ in answered.calls}
        assert methods & ANSWERS or "response_action" in answered.body
        records = {key_id: self.store.key(key_id) for key_id in self.iam.made}
        for key_id, secret in self.iam.made.items():
            record = records[key_id]
            for method, args in answered.calls:
                if secret in str(args):
                    assert record and (method, args["user"]) == ("chat.postEphemeral", record.owner)
        living = [
            record.request_id
            for key_id, record in records.items()
            if record and record.request_id and key_id in self.iam.active
        ]
        assert len(living) == len(set(living))
        for request in filter(None, map(self.store.request, living)):
            assert request.decided_by == CAROL != request.requester

    def owner(self, value: str) -> str:
        """Return the requester of a request, or the owner of a key."""
        if request := self.store.request(value):
            return request.requester
        key, record = self.iam.observed(value), self.store.key(value)
        named = key.iam_user.partition("@")[0].upper() if key else ""
        return f"U0{named}" if named else record.owner if record else "U0UNKNOWN"

    def subjects(self, value: str) -> set[str]:
        """Return the names of what a button may change: its request and keys."""
        found = {value}
        for _ in range(3):
            for key in filter(None, map(self.store.key, list(self.iam.made))):
                if {key.id, key.request_id, key.replaces} & (found - {""}):
                    found |= {key.id, key.request_id, key.replaces}
            for one in filter(None, map(self.store.request, self.requests())):
                if {one.id, one.target, one.access_key_id} & (found - {""}):
                    found |= {one.id, one.target, one.delete_first, one.access_key_id}
        names = {f"{kind}:{one}" for one in found for kind in ("request", "key", "iam")}
        return names | {"transitions"}

    def requests(self) -> list[str]:
        names = (name.partition(":") for name in self.target.state())
        return [id_ for kind, _, id_ in names if kind == "request"]

    def trigger(self) -> str:
        return f"trigger-{next(self.numbers)}"


def run(target: Target, examples: int, steps: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    run_state_machine_as_test(
        lambda: Clicks(target, counts),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return counts


def test_clicks_in_any_order_count_once(target: Target) -> None:
    counts = run(target, 25, 25)
    assert counts["changed"] > 5 and counts["replays"] > 5


@pytest.mark.matrix
def test_clicks_in_very_many_orders_count_once(target: Target) -> None:
    counts = run(target, 400, 60)
    print(f"clicks in any order: {dict(counts)}")
    assert counts["changed"] > 300 and counts["replays"] > 300
