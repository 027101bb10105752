"""A change in who may approve is posted to the approval channel: once, by whoever notices it, and not for an outage."""

from __future__ import annotations

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.outside_errors import SlackUnavailable, StoreUnavailable
from bot.operations import approvers, decide_request
from tests.support.errors import refuses
from tests.support.world import BOB, CAROL, ERIN, World, make_desk


@pytest.fixture
def world() -> World:
    """A desk that has told who may approve: Carol and Erin."""
    world = make_desk()
    approvers.check_for_changes(world.services)
    return world


def change(world: World, *people: str) -> None:
    world.people.may_approve = frozenset(people)


def test_the_first_that_is_ever_seen_is_no_change(world: World) -> None:
    assert world.slack.announced == [] and world.store.announced_approvers() == {CAROL.id, ERIN.id}


def test_a_change_is_posted_once_and_recorded(world: World) -> None:
    change(world, CAROL.id, BOB.id)
    for _ in range(3):
        approvers.check_for_changes(world.services)
    detail = Detail(Code.APPROVERS_CHANGED, {"added": BOB.id, "removed": ERIN.id})
    assert world.slack.announced == [("C0KEYS", detail)]
    [entry] = [entry for entry in world.store.entries if entry.action == "approvers"]
    assert (entry.by, entry.detail) == ("keydesk", detail)


@pytest.mark.parametrize(
    ("people", "facts"),
    [
        ((CAROL.id, ERIN.id, BOB.id), {"added": BOB.id}),
        ((CAROL.id,), {"removed": ERIN.id}),
        ((), {"removed": f"{CAROL.id} {ERIN.id}"}),
    ],
)
def test_an_announcement_names_only_what_has_changed(
    world: World, people: tuple[str, ...], facts: dict[str, str]
) -> None:
    change(world, *people)
    approvers.check_for_changes(world.services)
    assert world.slack.announced == [("C0KEYS", Detail(Code.APPROVERS_CHANGED, facts))]


@pytest.mark.parametrize(("number", "others"), [(20, None), (21, "1"), (25, "5")])
def test_approvers_beyond_twenty_are_counted(number: int, others: str | None) -> None:
    user_ids = [f"U{n:03}" for n in range(number)]
    for name in ("added", "removed"):
        people = {"added": (), "removed": (), name: reversed(user_ids)}
        facts = approvers.change_detail(**people).facts
        assert facts[name].split() == user_ids[: approvers.MAX_IDS]
        assert facts.get(f"{name}_others") == others


def test_even_a_refused_decision_announces_a_change(world: World) -> None:
    request = world.pending()
    change(world, ERIN.id)
    with refuses(Code.NOT_AN_APPROVER):
        decide_request.approve(world.services, CAROL, request.id)
    assert [detail.facts for _, detail in world.slack.announced] == [{"removed": CAROL.id}]


def test_an_outage_of_slack_is_no_change(world: World) -> None:
    world.taps.on(
        "directory.approvers", before=SlackUnavailable("usergroups.users.list", "fatal_error")
    )
    with world.nothing_happens(), pytest.raises(SlackUnavailable):
        approvers.check_for_changes(world.services)
    assert world.store.announced_approvers() == {CAROL.id, ERIN.id}


def test_an_answer_that_may_be_old_is_no_change(world: World) -> None:
    """While Slack rate-limits, a remembered answer serves for decisions, and for nothing else."""
    world.taps.on(
        "directory.approvers",
        nth=2,
        before=SlackUnavailable("usergroups.users.list", "ratelimited"),
    )
    change(world, CAROL.id)
    with world.nothing_happens():
        assert approvers.read_approvers(world.services) == {CAROL.id}
    approvers.check_for_changes(world.services)
    assert len(world.slack.announced) == 1


def test_the_second_process_announces_nothing(world: World) -> None:
    """Another process notices the same change between this one's question and its lock."""
    change(world, CAROL.id)
    world.taps.on("store.acquire_lock", before=lambda: approvers.check_for_changes(world.services))
    approvers.check_for_changes(world.services)
    assert len(world.slack.announced) == 1


def test_an_outdated_answer_is_not_announced(world: World) -> None:
    def turns_back() -> None:
        change(world, CAROL.id, ERIN.id)

    change(world, CAROL.id)
    world.taps.on("store.acquire_lock", before=turns_back)
    with world.nothing_happens():
        approvers.check_for_changes(world.services)


def test_while_another_process_tells_it_nothing_is_posted(world: World) -> None:
    change(world, CAROL.id)
    world.store.acquire_lock(approvers.LOCK, "another", approvers.LOCK_SECONDS)
    with world.nothing_happens():
        approvers.check_for_changes(world.services)


def test_a_post_that_failed_is_made_by_whoever_looks_next(world: World) -> None:
    change(world, CAROL.id)
    world.taps.on("messenger.announce", before=SlackUnavailable("chat.postMessage", "fatal_error"))
    with world.nothing_happens():
        approvers.check_for_changes(world.services)
    approvers.check_for_changes(world.services)
    assert len(world.slack.announced) == 1


def test_a_decision_does_not_wait_for_a_post_that_fails(world: World) -> None:
    request = world.pending()
    change(world, CAROL.id)
    world.taps.on("store.announced_approvers", before=StoreUnavailable())
    assert decide_request.approve(world.services, CAROL, request.id).approvers == (CAROL.id,)
