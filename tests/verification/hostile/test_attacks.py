"""Whatever is done to a payload that Slack has signed: no exception gets past the boundary, and nothing moves but by
who may move it; the same payload again moves nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.verification.hostile.attacks import Attack, attacks, kept
from tests.verification.hostile.inside import Answered, Inside, inside, must_be_calm
from tests.verification.hostile.recordings import recordings
from tests.verification.hostile.who_may import may_move

ORDINARY, MANY = 500, 6_000


@pytest.fixture(scope="module")
def services() -> Iterator[Inside]:
    """One desk, which is put back before each attack."""
    with inside() as found:
        yield found


def tried(services: Inside, payload: dict[str, Any]) -> Answered:
    """Delivers a payload twice, and looks at all that must hold. Returns what came of the first."""
    services.put_back()
    before = services.state()
    first = services.deliver(payload)
    after = services.state()
    must_be_calm(first)
    assert after == before or may_move(payload, services.names), "moved by who may not"
    again = services.deliver(payload)
    must_be_calm(again)
    assert services.state() == after, "moved by a repeated delivery"
    return first


def test_recordings_change_only_what_their_user_may(
    services: Inside,
) -> None:
    moved = 0
    for payload in recordings(services).values():
        before = (services.put_back(), services.state())[1]
        answered = tried(services, payload)
        assert answered.status == 200
        moved += services.state() != before
    assert moved > 20  # else nothing here could tell a move from none


@pytest.mark.parametrize("name", kept())
def test_what_once_broke_something_does_not_any_more(services: Inside, name: str) -> None:
    tried(services, kept()[name].on(recordings(services), services.names))


def everything(services: Inside, examples: int) -> Counter[str]:
    """Tries so many attacks; counts what came of them."""
    real, counts = recordings(services), Counter[str]()

    @settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(attacks(real))
    def attacked(attack: Attack) -> None:
        counts["tried"] += 1
        try:
            answered = tried(services, attack.on(real, services.names))
        except AssertionError as broke:
            broke.add_note(
                f"keep it in tests/verification/hostile/corpus/<what broke>.json: {attack.as_json()}"
            )
            raise
        counts[str(answered.status)] += 1

    attacked()
    return counts


Record = Callable[[str, object], None]


def test_no_attack_changes_what_its_user_may_not(services: Inside, record_property: Record) -> None:
    counts = everything(services, ORDINARY)
    record_property("attacks", dict(counts))
    assert counts["tried"] >= ORDINARY and counts["200"] and counts["400"]


@pytest.mark.matrix
def test_no_attack_of_very_many_does(services: Inside, record_property: Record) -> None:
    counts = everything(services, MANY)
    record_property("attacks", dict(counts))
    print(f"attacks on payloads: {dict(counts)}")


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(
    body=st.binary(max_size=200)
    | st.text(max_size=100).map(lambda text: text.encode())
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
        ),
    ).map(lambda value: repr(value).encode()),
    kind=st.sampled_from(
        [
            "application/json",
            "application/x-www-form-urlencoded",
            "",
            "text/xml",
            "application/json;x",
            "multipart/form-data; boundary=x",
            "APPLICATION/JSON",
        ]
    ),
)
def test_no_signed_bytes_of_any_content_type_do_anything(
    services: Inside, body: bytes, kind: str
) -> None:
    before = (services.put_back(), services.state())[1]
    answered = services.post(body, kind)
    must_be_calm(answered)
    assert answered.status in (400, 415) and answered.calls == [] and services.state() == before
