"""How much one person may do in an hour: beyond it nothing happens, they are told once, and what is safe goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.counting import Deed, Limit, OverLimit
from bot.core.moves import Status
from bot.core.workflow import ask, decide, hand_over, leak, retire, waiting
from tests.core.fakes import ALICE, BOB, CAROL, ERIN, World, make_desk

HOUR = timedelta(hours=1)
FREE = frozenset({"disable", "delete", "enable"})
FOREIGN = [f"AKIAIOSFODNN7EXAMPL{letter}" for letter in "ABCDEFGHJKLM"]
Ask = Callable[[World], object]


def limited(deed: Deed, person: int = 1, in_all: int = 9, **rules: object) -> World:
    """A desk with this limit of one deed, and none that is met of the others."""
    an_hour = dict.fromkeys(Deed, Limit(99, 999)) | {deed: Limit(person, in_all)}
    world = make_desk(an_hour=an_hour, **rules)
    world.iam.add_user(CAROL.email)
    return world


def refused(world: World, step: Callable[[], object]) -> OverLimit:
    """The step is one too many: nothing happens at all."""
    with world.nothing_happens(), pytest.raises(OverLimit) as over:
        step()
    return over.value


def used_up(world: World) -> None:
    """Alice asks, and takes it back: her one request of this hour."""
    ask.cancel(world.desk, ALICE, world.pending().id)


def enables(world: World) -> object:
    [key] = world.iam.keys(ALICE.email)
    return ask.enable(world.desk, ALICE, key.id, "needed again")


@pytest.mark.parametrize(
    "asks",
    [
        lambda world: ask.create(world.desk, ALICE, "deploy"),
        lambda world: ask.create(world.desk, ALICE, "incident", ask.Terms(urgent=True)),
        lambda world: ask.rotate(world.desk, ALICE, world.iam.active[0]),
    ],
    ids=["create", "create --urgent", "rotate"],
)
def test_every_verb_that_asks_is_counted_as_a_request(asks: Ask) -> None:
    world = limited(Deed.REQUEST, break_glass=frozenset({ALICE.id}))
    world.console_key()
    used_up(world)
    over = refused(world, lambda: asks(world))
    assert (over.deed, over.limit, over.whose, over.first) == ("request", 1, "person", True)
    world.clock.advance(HOUR)
    asks(world)


@pytest.mark.parametrize(
    "free", [frozenset({"disable", "delete"}), FREE], ids=["asked for", "without approval"]
)
def test_turning_a_key_on_again_is_a_request_whether_or_not_it_needs_approval(
    free: frozenset[str],
) -> None:
    world = limited(Deed.REQUEST, approval_free=free)
    retire.disable(world.desk, ALICE, world.console_key())
    used_up(world)
    refused(world, lambda: enables(world))
    world.clock.advance(HOUR)
    enables(world)


def test_more_time_is_a_request_too() -> None:
    world = limited(Deed.REQUEST)
    key_id = world.delivered().access_key_id
    record = world.record(key_id)
    assert record.expires_at
    refused(world, lambda: ask.extend(world.desk, ALICE, key_id))
    world.clock.advance(HOUR)
    assert ask.extend(world.desk, ALICE, key_id).status is Status.PENDING


def test_a_reveal_beyond_the_limit_makes_no_key_and_the_approval_stands() -> None:
    world = limited(Deed.REVEAL, person=0)
    request = world.approved()
    over = refused(world, lambda: hand_over.reveal(world.desk, ALICE, request.id))
    assert over.deed == "reveal" and not world.iam.made
    assert world.now(request).status is Status.APPROVED and "approval still stands" in over.sentence


def test_reveals_are_counted_over_all_of_a_persons_requests() -> None:
    world = limited(Deed.REVEAL, person=1)
    world.delivered()
    target = world.iam.active[0]
    rotation = decide.approve(world.desk, CAROL, ask.rotate(world.desk, ALICE, target).id)
    refused(world, lambda: hand_over.reveal(world.desk, ALICE, rotation.id))
    world.clock.advance(HOUR)
    assert hand_over.reveal(world.desk, ALICE, rotation.id).status is Status.DELIVERED


def test_a_nudge_beyond_the_limit_asks_nobody() -> None:
    world = limited(Deed.NUDGE, person=0)
    request = world.waiting()
    assert refused(world, lambda: waiting.nudge(world.desk, ALICE, request.id)).deed == "nudge"
    assert world.now(request).nudged_at is None


def test_approving_denying_and_taking_back_are_never_limited() -> None:
    world = make_desk(an_hour=dict.fromkeys(Deed, Limit(1, 1)))
    request = world.pending()
    waiting.on_it(world.desk, CAROL, request.id)
    for _ in range(30):
        waiting.on_it(world.desk, CAROL, request.id)
    assert decide.approve(world.desk, CAROL, request.id).status is Status.APPROVED
    assert decide.revoke(world.desk, ERIN, request.id).status is Status.DENIED


# -- leak reports


def test_an_owners_report_turns_the_key_off_though_every_limit_is_used_up() -> None:
    world = limited(Deed.LEAK_REPORT, person=1, in_all=1)
    key_id = world.console_key()
    leak.report(world.desk, BOB, FOREIGN[0])
    leak.report(world.desk, ALICE, world.iam.create_key(ALICE.email)[0].id)
    assert leak.report(world.desk, ALICE, key_id).disabled
    assert world.iam.active == []


def test_an_approver_turns_a_leaked_key_off_though_every_limit_is_used_up() -> None:
    world = limited(Deed.LEAK_REPORT, person=1, in_all=1)
    key_id = world.console_key()
    leak.report(world.desk, BOB, FOREIGN[0])
    assert leak.report(world.desk, CAROL, key_id).ask
    leak.disable(world.desk, CAROL, key_id)
    assert world.iam.active == []


def test_what_a_stranger_is_told_and_how_it_is_counted_does_not_depend_on_whether_the_key_exists() -> (
    None
):
    def outcomes(exists: bool) -> list[str]:
        world = limited(Deed.LEAK_REPORT, person=2)
        real = [world.iam.create_key(member.email)[0].id for member in (ALICE, CAROL, ALICE)]
        said = []
        for key_id in real if exists else FOREIGN[:3]:
            try:
                said.append(repr(leak.report(world.desk, BOB, key_id)))
            except OverLimit as over:
                said.append(f"{over.sentence} {over.first}")
        return [*said, str(world.store.counted)]

    assert outcomes(exists=True) == outcomes(exists=False)


def test_reporting_the_same_key_again_and_again_is_counted() -> None:
    world = limited(Deed.LEAK_REPORT, person=3)
    key_id = world.console_key()
    for _ in range(3):
        leak.report(world.desk, BOB, key_id)
    refused(world, lambda: leak.report(world.desk, BOB, key_id))


def test_one_who_reports_without_end_keeps_nobody_else_from_reporting() -> None:
    world = limited(Deed.LEAK_REPORT, person=3, in_all=6)
    for key_id in FOREIGN:
        try:
            leak.report(world.desk, BOB, key_id)
        except OverLimit as over:
            assert over.whose == "person"
    key_id = world.console_key()
    leak.report(world.desk, replace(ERIN, is_guest=True), key_id)
    assert world.record(key_id).reported_by == ERIN.id


def test_beyond_what_all_may_report_a_stranger_is_told_where_to_go_instead() -> None:
    world = limited(Deed.LEAK_REPORT, person=9, in_all=0)
    key_id = world.console_key()
    over = refused(world, lambda: leak.report(world.desk, BOB, key_id))
    assert (
        over.whose == "all"
        and "tell an approver in person" in over.sentence
        and "AWS console" in over.sentence
    )
    assert f"{over.until:%H:%M} UTC" in over.sentence
    assert world.store.key(key_id) is None
