"""Send changed, signed payloads: none raises or changes what it may not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.verification.hostile.attacks import Attack, attacks, corpus
from tests.verification.hostile.permitted import is_permitted
from tests.verification.hostile.recordings import recordings
from tests.verification.hostile.target import FORM, JSON, Answered, Target, check_calm

ORDINARY, MANY = 500, 6_000
QUIET: Any = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "database": None,
}
Record = Callable[[str, object], None]


def tried(target: Target, payload: dict[str, Any]) -> Answered:
    """Deliver a payload twice, check all that must hold, and return the first answer."""
    before = target.restore()
    first = target.deliver(payload)
    after = target.state()
    check_calm(first)
    assert after == before or is_permitted(payload, target.names), "changed without permission"
    check_calm(target.deliver(payload))
    assert target.state() == after, "changed by a repeated delivery"
    return first


def test_recordings_change_only_what_their_user_may(target: Target) -> None:
    changed = 0
    for payload in recordings(target).values():
        before = target.restore()
        assert tried(target, payload).status == 200
        changed += target.state() != before
    assert changed > 20  # else nothing here could tell a change from none


@pytest.mark.parametrize("name", corpus())
def test_a_kept_attack_breaks_nothing_any_more(target: Target, name: str) -> None:
    tried(target, corpus()[name].on(recordings(target), target.names))


def attack(target: Target, examples: int) -> Counter[str]:
    """Try so many attacks, and count the answers."""
    real, counts = recordings(target), Counter[str]()

    @settings(max_examples=examples, **QUIET)
    @given(attacks(real))
    def attacked(attack: Attack) -> None:
        counts["tried"] += 1
        try:
            answered = tried(target, attack.on(real, target.names))
        except AssertionError as broke:
            broke.add_note(f"keep it in hostile/corpus/<what broke>.json: {attack.as_json()}")
            raise
        counts[str(answered.status)] += 1

    attacked()
    return counts


def test_no_attack_changes_what_its_user_may_not(target: Target, record_property: Record) -> None:
    counts = attack(target, ORDINARY)
    record_property("attacks", dict(counts))
    assert counts["tried"] >= ORDINARY and counts["200"] and counts["400"]


@pytest.mark.matrix
def test_no_attack_of_very_many_does(target: Target, record_property: Record) -> None:
    counts = attack(target, MANY)
    record_property("attacks", dict(counts))
    print(f"attacks on payloads: {dict(counts)}")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
)
BODIES = st.text(max_size=100) | VALUES.map(repr)
KINDS = [JSON, FORM, "", "text/xml", f"{JSON};x", "multipart/form-data; boundary=x", JSON.upper()]


@settings(max_examples=300, **QUIET)
@given(
    body=st.binary(max_size=200) | BODIES.map(lambda text: text.encode()),
    kind=st.sampled_from(KINDS),
)
def test_no_signed_bytes_of_any_content_type_do_anything(
    shared: Target, body: bytes, kind: str
) -> None:
    before = shared.restore()
    answered = shared.post(body, kind)
    check_calm(answered)
    assert answered.status in (400, 415) and answered.calls == [] and shared.state() == before
