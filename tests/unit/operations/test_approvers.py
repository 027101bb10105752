"""A change in who may approve is posted to the approval channel: once, by whoever notices it, and not for an outage."""

from __future__ import annotations

import pytest

from bot.domain.errors import NotAllowed, SlackUnavailable, StoreUnavailable
from bot.operations import approvers, decide_request
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
    assert world.slack.announced == [
        ("C0KEYS", "Who may approve here has changed: <@U0BOB> may, <@U0ERIN> may not any more.")
    ]
    [entry] = [entry for entry in world.store.entries if entry.action == "approvers"]
    assert (entry.by, entry.reason) == ("keydesk", "<@U0BOB> may, <@U0ERIN> may not any more")


@pytest.mark.parametrize(
    ("people", "words"),
    [
        ((CAROL.id, ERIN.id, BOB.id), "<@U0BOB> may."),
        ((CAROL.id,), "<@U0ERIN> may not any more."),
        ((), "<@U0CAROL> and <@U0ERIN> may not any more."),
    ],
)
def test_the_words_name_only_what_has_changed(
    world: World, people: tuple[str, ...], words: str
) -> None:
    change(world, *people)
    approvers.check_for_changes(world.services)
    assert world.slack.announced == [("C0KEYS", f"Who may approve here has changed: {words}")]


def test_many_people_are_counted() -> None:
    words = approvers.change_text(may=[f"U{n:03}" for n in range(25)], may_not=[])
    assert words.startswith("<@U000> and <@U001> and ") and words.endswith(
        "<@U019> and 5 others may"
    )


def test_a_decision_notices_a_change_even_one_that_is_refused_for_it(world: World) -> None:
    request = world.pending()
    change(world, ERIN.id)
    with pytest.raises(NotAllowed):
        decide_request.approve(world.services, CAROL, request.id)
    assert [text for _, text in world.slack.announced] == [
        "Who may approve here has changed: <@U0CAROL> may not any more."
    ]


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


def test_whoever_comes_second_posts_nothing(world: World) -> None:
    """Another process notices the same change between this one's question and its lock."""
    change(world, CAROL.id)
    world.taps.on("store.acquire_lock", before=lambda: approvers.check_for_changes(world.services))
    approvers.check_for_changes(world.services)
    assert len(world.slack.announced) == 1


def test_an_older_answer_than_what_was_told_meanwhile_is_not_told(world: World) -> None:
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
    world.taps.on("messenger.say", before=SlackUnavailable("chat.postMessage", "fatal_error"))
    with world.nothing_happens():
        approvers.check_for_changes(world.services)
    approvers.check_for_changes(world.services)
    assert len(world.slack.announced) == 1


def test_a_decision_does_not_wait_for_a_post_that_fails(world: World) -> None:
    request = world.pending()
    change(world, CAROL.id)
    world.taps.on("store.announced_approvers", before=StoreUnavailable())
    assert decide_request.approve(world.services, CAROL, request.id).approvers == (CAROL.id,)
