"""The contract of RequestStore about messages and what is not rendered yet."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.records import SlackMessage
from bot.domain.store_ports import RequestStore
from tests.support.store_values import MINUTE, START, a_key, a_request, put


class Drawing:
    """What is not rendered yet is known, and one worker at a time renders it."""

    def test_each_commit_marks_what_it_wrote(self, store: RequestStore) -> None:
        put(store, None, a_request(), at=START + MINUTE)
        put(store, None, a_key("AKIA"), at=START)
        assert list(store.unrendered(START)) == ["key:AKIA"]
        assert list(store.unrendered(START + MINUTE)) == ["key:AKIA", "request:r1"]
        assert list(store.unrendered(START + MINUTE, limit=1)) == ["key:AKIA"]

    def test_rendered_value_is_unmarked_unless_it_has_changed(self, store: RequestStore) -> None:
        asked = put(store, None, a_request())
        put(store, asked, replace(asked, version=2))
        assert not store.rendered("request:r1", 1) and list(store.unrendered(START)) == [
            "request:r1"
        ]
        assert store.rendered("request:r1", 2) and list(store.unrendered(START)) == []

    def test_value_that_changes_unrendered_keeps_its_turn(self, store: RequestStore) -> None:
        first = put(store, None, a_request())
        put(store, None, a_key("AKIA"), at=START + MINUTE)
        put(store, first, replace(first, version=2), at=START + 2 * MINUTE)
        assert list(store.unrendered(START + MINUTE)) == ["request:r1", "key:AKIA"]

    def test_rendering_waits_until_a_time_or_the_next_commit(self, store: RequestStore) -> None:
        asked = put(store, None, a_request())
        store.schedule_render("request:r1", START + 5 * MINUTE)
        assert list(store.unrendered(START + 4 * MINUTE)) == []
        assert list(store.unrendered(START + 5 * MINUTE)) == ["request:r1"]
        put(store, asked, replace(asked, version=2), at=START + MINUTE)
        assert list(store.unrendered(START + MINUTE)) == ["request:r1"]
        assert store.rendered("request:r1", 2)
        store.schedule_render("request:r1", START)  # where there is no mark, this makes one
        assert list(store.unrendered(START)) == ["request:r1"]

    def test_one_worker_at_a_time_renders_a_name(self, store: RequestStore) -> None:
        assert store.acquire_lock("request:r1", "a", 30)
        assert not store.acquire_lock("request:r1", "b", 30)
        assert store.acquire_lock("request:r2", "b", 30)
        store.release_lock("request:r1", "b")
        assert not store.acquire_lock("request:r1", "b", 30)
        store.release_lock("request:r1", "a")
        assert store.acquire_lock("request:r1", "b", 30)

    def test_the_newest_copy_of_a_kind_counts_until_it_is_forgotten(
        self, store: RequestStore
    ) -> None:
        card, newer = SlackMessage("card", "C1", "1.1", 1), SlackMessage("card", "C1", "1.2", 2)
        dm = SlackMessage("dm", "D1", "1.3", 1)
        for copy in (card, newer, dm):
            store.record_message("request:r1", copy)
        store.record_message("request:r2", card)
        assert list(store.messages("request:r1")) == [newer, dm]
        store.forget_message("request:r1", "card")
        store.forget_message("request:r1", "no such kind")
        assert list(store.messages("request:r1")) == [dm] and list(
            store.messages("request:r2")
        ) == [card]
