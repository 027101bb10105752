"""Announce a change of the approvers once, and not because of an outage."""

from __future__ import annotations

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.outside_errors import SlackUnavailable, StoreUnavailable
from bot.operations import approvers, decide_request
from tests.support.errors import refuses
from tests.support.world import BOB, CAROL, ERIN, World, make_desk


@pytest.fixture
def world() -> World:
    """Return a world in which the approvers, Carol and Erin, have been announced."""
    world = make_desk()
    approvers.check_for_changes(world.services)
    return world


def change(world: World, *user_ids: str) -> None:
    world.people.may_approve = frozenset(user_ids)


def announced(world: World) -> list[tuple[str, dict[str, str]]]:
    assert {detail.code for _, detail in world.slack.announced} <= {Code.APPROVERS_CHANGED}
    return [(channel, dict(detail.facts)) for channel, detail in world.slack.announced]


def test_the_first_approvers_are_no_change(world: World) -> None:
    assert world.slack.announced == [] and world.store.entries == []
    assert world.store.announced_approvers() == {CAROL.id, ERIN.id}


@pytest.mark.parametrize(
    ("user_ids", "facts"),
    [
        ((CAROL.id, BOB.id), {"added": BOB.id, "removed": ERIN.id}),
        ((CAROL.id, ERIN.id, BOB.id), {"added": BOB.id}),
        ((CAROL.id,), {"removed": ERIN.id}),
        ((), {"removed": f"{CAROL.id} {ERIN.id}"}),
    ],
    ids=["replaced", "added", "removed", "none left"],
)
def test_a_change_is_announced_and_audited_once(
    world: World, user_ids: tuple[str, ...], facts: dict[str, str]
) -> None:
    change(world, *user_ids)
    for _ in range(3):
        approvers.check_for_changes(world.services)
    assert announced(world) == [("C0KEYS", facts)]
    (entry,) = world.store.entries
    assert (entry.by, entry.action) == ("keydesk", "approvers")
    assert entry.detail == Detail(Code.APPROVERS_CHANGED, facts)


@pytest.mark.parametrize(("number", "others"), [(20, None), (21, "1"), (25, "5")])
def test_approvers_beyond_twenty_are_counted(number: int, others: str | None) -> None:
    user_ids = [f"U{n:03}" for n in range(number)]
    for name in ("added", "removed"):
        changes = {"added": (), "removed": (), name: reversed(user_ids)}
        facts = approvers.change_detail(**changes).facts
        assert facts[name].split() == user_ids[: approvers.MAX_IDS]
        assert facts.get(f"{name}_others") == others


def test_even_a_refused_decision_announces_a_change(world: World) -> None:
    request = world.pending()
    change(world, ERIN.id)
    with refuses(Code.NOT_AN_APPROVER):
        decide_request.approve(world.services, CAROL, request.id)
    assert announced(world) == [("C0KEYS", {"removed": CAROL.id})]


def test_an_outage_of_slack_is_no_change(world: World) -> None:
    outage = SlackUnavailable("usergroups.users.list", "fatal_error")
    world.taps.on("directory.approvers", before=outage)
    with world.nothing_happens(), refuses(Code.SLACK_UNAVAILABLE):
        approvers.check_for_changes(world.services)
    assert world.store.announced_approvers() == {CAROL.id, ERIN.id}


def test_an_answer_that_may_be_old_is_no_change(world: World) -> None:
    """Use a remembered answer for decisions alone, while Slack rate-limits."""
    limited = SlackUnavailable("usergroups.users.list", "ratelimited")
    world.taps.on("directory.approvers", nth=2, before=limited)
    change(world, CAROL.id)
    with world.nothing_happens():
        assert approvers.read_approvers(world.services) == {CAROL.id}
    approvers.check_for_changes(world.services)
    assert len(announced(world)) == 1


def test_a_change_that_another_process_announced_is_not_repeated(world: World) -> None:
    """Let another process see the same change before this one has the lock."""
    change(world, CAROL.id)
    world.taps.on("store.acquire_lock", before=lambda: approvers.check_for_changes(world.services))
    approvers.check_for_changes(world.services)
    assert len(announced(world)) == 1


def test_a_change_that_was_undone_is_not_announced(world: World) -> None:
    change(world, CAROL.id)
    world.taps.on("store.acquire_lock", before=lambda: change(world, CAROL.id, ERIN.id))
    with world.nothing_happens():
        approvers.check_for_changes(world.services)


def test_while_another_process_has_the_lock_nothing_is_posted(world: World) -> None:
    change(world, CAROL.id)
    world.store.acquire_lock(approvers.LOCK, "another", approvers.LOCK_SECONDS)
    with world.nothing_happens():
        approvers.check_for_changes(world.services)


def test_a_failed_announcement_is_repeated_at_the_next_check(world: World) -> None:
    change(world, CAROL.id)
    world.taps.on("messenger.announce", before=SlackUnavailable("chat.postMessage", "fatal_error"))
    with world.nothing_happens():
        approvers.check_for_changes(world.services)
    approvers.check_for_changes(world.services)
    assert len(announced(world)) == 1


def test_a_decision_does_not_wait_for_an_announcement(world: World) -> None:
    request = world.pending()
    change(world, CAROL.id)
    world.taps.on("store.announced_approvers", before=StoreUnavailable())
    assert decide_request.approve(world.services, CAROL, request.id).approvers == (CAROL.id,)
