"""A change in who may approve is posted to the approval channel: once, by whoever notices it, and not for an outage."""

from __future__ import annotations

import pytest

from bot.core.errors import NotAllowed, SlackUnavailable, StoreUnavailable
from bot.core.workflow import authority, decide
from tests.core.fakes import BOB, CAROL, ERIN, World, make_desk


@pytest.fixture
def world() -> World:
    """A desk that has told who may approve: Carol and Erin."""
    world = make_desk()
    authority.look(world.desk)
    return world


def change(world: World, *people: str) -> None:
    world.people.may_approve = frozenset(people)


def test_the_first_that_is_ever_seen_is_no_change(world: World) -> None:
    assert world.slack.said == [] and world.store.approvers_told() == {CAROL.id, ERIN.id}


def test_a_change_is_posted_once_and_recorded(world: World) -> None:
    change(world, CAROL.id, BOB.id)
    for _ in range(3):
        authority.look(world.desk)
    assert world.slack.said == [
        ("C0KEYS", "Who may approve here has changed: <@U0BOB> may, <@U0ERIN> may not any more.")
    ]
    [entry] = [entry for entry in world.store.entries if entry.action == "approvers"]
    assert (entry.by, entry.why) == ("keydesk", "<@U0BOB> may, <@U0ERIN> may not any more")


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
    authority.look(world.desk)
    assert world.slack.said == [("C0KEYS", f"Who may approve here has changed: {words}")]


def test_many_people_are_counted() -> None:
    words = authority.change_words(may=[f"U{n:03}" for n in range(25)], may_not=[])
    assert words.startswith("<@U000> and <@U001> and ") and words.endswith(
        "<@U019> and 5 others may"
    )


def test_a_decision_notices_a_change_even_one_that_is_refused_for_it(world: World) -> None:
    request = world.pending()
    change(world, ERIN.id)
    with pytest.raises(NotAllowed):
        decide.approve(world.desk, CAROL, request.id)
    assert [text for _, text in world.slack.said] == [
        "Who may approve here has changed: <@U0CAROL> may not any more."
    ]


def test_an_outage_of_slack_is_no_change(world: World) -> None:
    world.taps.on(
        "directory.approvers", before=SlackUnavailable("usergroups.users.list", "fatal_error")
    )
    with world.nothing_happens(), pytest.raises(SlackUnavailable):
        authority.look(world.desk)
    assert world.store.approvers_told() == {CAROL.id, ERIN.id}


def test_an_answer_that_may_be_old_is_no_change(world: World) -> None:
    """While Slack rate-limits, a remembered answer serves for decisions, and for nothing else."""
    world.taps.on(
        "directory.approvers",
        nth=2,
        before=SlackUnavailable("usergroups.users.list", "ratelimited"),
    )
    change(world, CAROL.id)
    with world.nothing_happens():
        assert authority.approvers(world.desk) == {CAROL.id}
    authority.look(world.desk)
    assert len(world.slack.said) == 1


def test_whoever_comes_second_posts_nothing(world: World) -> None:
    """Another process notices the same change between this one's question and its lock."""
    change(world, CAROL.id)
    world.taps.on("store.lock_drawing", before=lambda: authority.look(world.desk))
    authority.look(world.desk)
    assert len(world.slack.said) == 1


def test_an_older_answer_than_what_was_told_meanwhile_is_not_told(world: World) -> None:
    def turns_back() -> None:
        change(world, CAROL.id, ERIN.id)

    change(world, CAROL.id)
    world.taps.on("store.lock_drawing", before=turns_back)
    with world.nothing_happens():
        authority.look(world.desk)


def test_while_another_process_tells_it_nothing_is_posted(world: World) -> None:
    change(world, CAROL.id)
    world.store.lock_drawing(authority.LOCK, "another", authority.LOCK_SECONDS)
    with world.nothing_happens():
        authority.look(world.desk)


def test_a_post_that_failed_is_made_by_whoever_looks_next(world: World) -> None:
    change(world, CAROL.id)
    world.taps.on("messenger.say", before=SlackUnavailable("chat.postMessage", "fatal_error"))
    with world.nothing_happens():
        authority.look(world.desk)
    authority.look(world.desk)
    assert len(world.slack.said) == 1


def test_a_decision_does_not_wait_for_a_post_that_fails(world: World) -> None:
    request = world.pending()
    change(world, CAROL.id)
    world.taps.on("store.approvers_told", before=StoreUnavailable())
    assert decide.approve(world.desk, CAROL, request.id).approvers == (CAROL.id,)
