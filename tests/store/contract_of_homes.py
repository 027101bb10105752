"""What must every RequestStore do about Home tabs, what waits, and deliveries?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from bot.core.moves import Action
from bot.core.ports import RequestStore
from tests.store.contract import MINUTE, START, a_request, put


class Homes:
    """Who has the Home tab open, and what waits for approvers, which theirs shows."""

    def test_who_has_opened_the_tab_since_a_moment_is_known_and_whether_as_an_approver(
        self, store: RequestStore
    ) -> None:
        assert dict(store.homes(START)) == {}
        store.note_home("U1", START, approver=False)
        store.note_home("U2", START + MINUTE, approver=True)
        assert dict(store.homes(START)) == {"U1": False, "U2": True}
        assert dict(store.homes(START + MINUTE)) == {"U2": True}
        assert dict(store.homes(START + 2 * MINUTE)) == {}

    def test_opening_it_again_counts_anew(self, store: RequestStore) -> None:
        store.note_home("U1", START, approver=True)
        store.note_home("U1", START + MINUTE, approver=False)
        assert dict(store.homes(START + MINUTE)) == {"U1": False}

    def test_a_tab_is_marked_for_drawing_until_it_is_settled_and_not_marked_anew(
        self, store: RequestStore
    ) -> None:
        store.put_off_drawing("home:U1", START + MINUTE)
        store.put_off_drawing("home:U1", START)
        assert not store.settle_drawing("home:U1", START + MINUTE) and list(
            store.undrawn(START)
        ) == ["home:U1"]
        assert store.settle_drawing("home:U1", START) and list(store.undrawn(START)) == []
        assert store.settle_drawing("home:U1", START)

    def test_what_waits_comes_the_longest_waiting_first_and_is_counted(
        self, store: RequestStore
    ) -> None:
        assert store.waiting() == 0 and list(store.pending()) == []
        late = put(store, None, a_request("late", asked_at=START + MINUTE))
        soon = put(store, None, a_request("soon", verb="enable"))
        assert list(store.pending()) == [soon, late] and list(store.pending(limit=1)) == [soon]
        assert store.waiting() == 2
        put(store, soon, soon.move(Action.APPROVE, "U9", START))
        assert list(store.pending()) == [late] and store.waiting() == 1
        put(store, late, late.move(Action.CANCEL, "U1", START))
        assert list(store.pending()) == [] and store.waiting() == 0


class Approvers:
    """Who may approve, as the approval channel was told last."""

    def test_nobody_is_noted_at_first_and_then_whoever_was_told_last(
        self, store: RequestStore
    ) -> None:
        assert store.approvers_told() is None
        for people in (frozenset({"U1", "U2"}), frozenset({"U2"}), frozenset[str]()):
            store.tell_approvers(people)
            assert store.approvers_told() == people


class Deliveries:
    """Slack may deliver a thing twice; it counts once."""

    def test_a_delivery_is_the_first_one_once(self, store: RequestStore) -> None:
        assert [store.first_delivery(name) for name in ("t1", "t1", "t2", "t1")] == [
            True,
            False,
            True,
            False,
        ]

    def test_of_many_workers_one_gets_a_delivery(self, store: RequestStore) -> None:
        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(store.first_delivery, ["t1"] * 32)) == 1
