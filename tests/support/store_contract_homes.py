"""The contract of RequestStore about Home tabs, waiting requests and deliveries."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from bot.domain.states import Event
from bot.domain.store_ports import RequestStore
from tests.support.store_values import MINUTE, START, a_request, put


class Homes:
    """Who has the Home tab open, and what waits for approvers, which theirs shows."""

    def test_who_has_opened_the_tab_since_a_time_is_known(self, store: RequestStore) -> None:
        assert dict(store.open_homes(START)) == {}
        store.record_home_opened("U1", START, approver=False)
        store.record_home_opened("U2", START + MINUTE, approver=True)
        assert dict(store.open_homes(START)) == {"U1": False, "U2": True}
        assert dict(store.open_homes(START + MINUTE)) == {"U2": True}
        assert dict(store.open_homes(START + 2 * MINUTE)) == {}

    def test_opening_it_again_counts_again(self, store: RequestStore) -> None:
        store.record_home_opened("U1", START, approver=True)
        store.record_home_opened("U1", START + MINUTE, approver=False)
        assert dict(store.open_homes(START + MINUTE)) == {"U1": False}

    def test_tab_is_marked_for_rendering_until_it_is_settled(self, store: RequestStore) -> None:
        store.schedule_render("home:U1", START + MINUTE)
        store.schedule_render("home:U1", START)
        assert not store.clear_render_mark("home:U1", START + MINUTE) and list(
            store.unrendered(START)
        ) == ["home:U1"]
        assert store.clear_render_mark("home:U1", START) and list(store.unrendered(START)) == []
        assert store.clear_render_mark("home:U1", START)

    def test_waiting_requests_are_counted_the_longest_first(self, store: RequestStore) -> None:
        assert store.pending_count() == 0 and list(store.pending()) == []
        late = put(store, None, a_request("late", requested_at=START + MINUTE))
        soon = put(store, None, a_request("soon", verb="enable"))
        assert list(store.pending()) == [soon, late] and list(store.pending(limit=1)) == [soon]
        assert store.pending_count() == 2
        put(store, soon, soon.transition(Event.APPROVE, "U9", START))
        assert list(store.pending()) == [late] and store.pending_count() == 1
        put(store, late, late.transition(Event.CANCEL, "U1", START))
        assert list(store.pending()) == [] and store.pending_count() == 0


class Approvers:
    """The approvers of whom the approval channel was told last."""

    def test_no_approver_is_noted_at_first_and_then_the_last_ones(
        self, store: RequestStore
    ) -> None:
        assert store.announced_approvers() is None
        for people in (frozenset({"U1", "U2"}), frozenset({"U2"}), frozenset[str]()):
            store.set_announced_approvers(people)
            assert store.announced_approvers() == people


class Deliveries:
    """Slack may deliver a payload twice, and it counts once."""

    def test_a_delivery_is_the_first_one_once(self, store: RequestStore) -> None:
        assert [store.is_first_delivery(name) for name in ("t1", "t1", "t2", "t1")] == [
            True,
            False,
            True,
            False,
        ]

    def test_of_many_workers_one_gets_a_delivery(self, store: RequestStore) -> None:
        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(store.is_first_delivery, ["t1"] * 32)) == 1
