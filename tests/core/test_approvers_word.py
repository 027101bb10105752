"""A key that an approver turned off is on again by an approver alone, whichever way its owner tries."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.core.access_key import KeyStatus, Wanted, Why
from bot.core.errors import (
    HandOverFailed,
    IamUnavailable,
    NotAllowed,
    OutcomeUnknown,
    StillTrying,
    WrongState,
)
from bot.core.moves import Action, Status
from bot.core.workflow import ageing, ask, change, decide, hand_over, leak, receipt, retire
from tests.core.fakes import (
    ALICE,
    BOB,
    CAROL,
    ERIN,
    World,
    fails,
    make_desk,
    no_key_is_left,
    reveal,
)
from tests.core.taps import ProcessDied

DAY = timedelta(days=1)
WHY = "it is in a public file"
FREE = frozenset({"disable", "delete", "enable"})


def stays_off(world: World, key_id: str) -> None:
    """The key is off, it is on record who turned it off and why, and its owner must ask for it."""
    record = world.record(key_id)
    assert (record.wanted, record.why, record.note, record.changed_by) == (
        Wanted.INACTIVE,
        Why.OWNER,
        WHY,
        CAROL.id,
    )
    assert key_id not in world.iam.active
    assert ask.enable(world.desk, ALICE, key_id, "I need it") is not None


@pytest.mark.parametrize("when", ["delivered", "reminded", "unclaimed"])
def test_a_receipt_is_noted_and_does_not_turn_on_what_an_approver_turned_off(when: str) -> None:
    world = make_desk(approval_free=FREE)
    request = world.delivered()
    for _ in range({"delivered": 0, "reminded": 1, "unclaimed": 2}[when]):
        world.pass_time(DAY / 2)
    assert retire.disable_for(world.desk, CAROL, request.access_key_id, WHY).already is (
        when == "unclaimed"
    )
    while world.now(request).status is not Status.UNCLAIMED:
        world.pass_time(DAY / 2)
    assert receipt.confirm(world.desk, ALICE, request.access_key_id).status is Status.CONFIRMED
    stays_off(world, request.access_key_id)
    world.rest()
    stays_off(world, request.access_key_id)


def test_a_key_that_an_approver_turned_off_and_nobody_claims_is_deleted_all_the_same() -> None:
    world = make_desk()
    request = world.delivered()
    retire.disable_for(world.desk, CAROL, request.access_key_id, WHY)
    world.rest()
    assert (
        world.now(request).status is Status.EXPIRED
        and world.iam.shown(request.access_key_id) is None
    )


@pytest.mark.parametrize("then", ["reported", "reported, turned off by its owner"])
def test_a_receipt_does_not_turn_on_a_key_that_is_reported_and_not_decided(then: str) -> None:
    world = make_desk()
    request = world.delivered()
    if then != "reported":
        retire.disable(world.desk, ALICE, request.access_key_id)
    for _ in range(2):
        world.pass_time(DAY / 2)
    leak.report(world.desk, BOB, request.access_key_id)
    assert receipt.confirm(world.desk, ALICE, request.access_key_id).status is Status.CONFIRMED
    no_key_is_left(world)
    world.iam.set_status(ALICE.email, request.access_key_id, KeyStatus.ACTIVE)
    world.outlive(110)
    assert world.iam.shown(request.access_key_id) is None, "its own end counts again"


@pytest.mark.parametrize("off", ["disabled", "leaked"])
@pytest.mark.parametrize("when", ["delivered", "unclaimed"])
def test_no_other_key_comes_of_the_approval_of_one_that_an_approver_turned_off(
    when: str, off: str
) -> None:
    world = make_desk()
    request = world.delivered()
    key_id = request.access_key_id
    world.pass_time(DAY / 2)
    if off == "disabled":
        retire.disable_for(world.desk, CAROL, key_id, WHY)
    else:
        leak.disable(world.desk, CAROL, key_id)
    assert (world.now(request).moved, world.now(request).stopped_by) == (Action.STOP, CAROL.id)
    if when == "unclaimed":
        world.pass_time(DAY / 2)
    click = receipt.did_not_get if when == "delivered" else receipt.replace_key
    closed = click(world.desk, ALICE, key_id)
    assert (closed.status, closed.moved, closed.withdrawn) == (
        Status.EXPIRED,
        Action.CLOSE,
        (key_id,),
    )
    assert f"{key_id} is withdrawn" in closed.note and f"<@{CAROL.id}> turned it off" in closed.note
    assert world.iam.shown(key_id) is None
    with world.nothing_happens(), pytest.raises(WrongState):
        hand_over.reveal(world.desk, ALICE, request.id)
    assert world.pending().status is Status.PENDING, "another may be asked for"


def test_a_withdrawal_that_is_finished_later_brings_no_other_key_either() -> None:
    world = make_desk()
    request = world.delivered()
    world.pass_time(DAY / 4)
    retire.disable_for(world.desk, CAROL, request.access_key_id, WHY)
    world.taps.on("issuer.delete_key", before=OutcomeUnknown("DeleteAccessKey"))
    with pytest.raises(HandOverFailed, match="is being withdrawn: .* I keep trying") as told:
        receipt.did_not_get(world.desk, ALICE, request.access_key_id)
    assert "Reveal my key" not in told.value.sentence
    assert "comes back" not in world.now(request).story()
    world.rest(days=1)
    assert world.now(request).moved is Action.CLOSE
    no_key_is_left(world)


def test_a_key_that_an_approver_turns_off_as_it_is_made_is_not_shown_and_no_other_follows() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on(
        "store.commit",
        nth=2,
        after=lambda: retire.disable_for(world.desk, CAROL, *world.iam.made, WHY),
    )
    fails(world, request, "turned off meanwhile, so I did not show it.*so this request is closed")
    assert world.slack.shown == [] and world.now(request).moved is Action.CLOSE
    no_key_is_left(world)


@pytest.mark.parametrize("off", [retire.disable, leak.report])
def test_who_turned_their_own_key_off_still_gets_another_in_its_place(off: object) -> None:
    world = make_desk()
    request = world.delivered()
    world.pass_time(DAY / 4)
    off(world.desk, ALICE, request.access_key_id)
    assert world.now(request).stopped_by == ""
    receipt.did_not_get(world.desk, ALICE, request.access_key_id)
    assert reveal(world, world.now(request)).status is Status.DELIVERED


def test_whoever_gets_such_a_key_back_from_an_approver_has_it() -> None:
    world = make_desk()
    request = world.delivered()
    retire.disable_for(world.desk, CAROL, request.access_key_id, WHY)
    asked = ask.enable(world.desk, ALICE, request.access_key_id, "the file is private now")
    assert asked is not None
    decide.approve(world.desk, CAROL, asked.id)
    assert world.now(request).status is Status.CONFIRMED
    world.rest()
    assert world.iam.active == [request.access_key_id]


@pytest.mark.parametrize("owner", ["turned it off", "turned it off in the console"])
def test_that_a_key_must_stay_off_is_on_record_though_it_is_off_already(owner: str) -> None:
    world = make_desk(approval_free=FREE)
    key_id = world.console_key()
    if owner == "turned it off":
        retire.disable(world.desk, ALICE, key_id)
    else:
        world.iam.set_status(ALICE.email, key_id, KeyStatus.INACTIVE)
    retired = retire.disable_for(world.desk, CAROL, key_id, WHY)
    assert (retired.already, retired.noted, retired.told) == (True, True, ALICE.id)
    assert [(entry.by, entry.why) for entry in world.store.entries if entry.action == "disable"][
        -1
    ] == (CAROL.id, WHY)
    stays_off(world, key_id)
    with world.nothing_happens():
        assert not retire.disable_for(world.desk, ERIN, key_id, "as she says").noted


def test_of_a_key_that_is_leaked_ended_going_or_found_nothing_is_recorded_over() -> None:
    world = make_desk()
    leaked, going = world.console_key(), world.console_key()
    leak.report(world.desk, ALICE, leaked)
    retire.disable(world.desk, ALICE, going)
    world.taps.on("issuer.delete_key", before=OutcomeUnknown("DeleteAccessKey"))
    with pytest.raises(StillTrying):
        retire.delete(world.desk, ALICE, going)
    for key_id in (leaked, going):
        with world.nothing_happens():
            retired = retire.disable_for(world.desk, CAROL, key_id, WHY)
            assert (retired.already, retired.noted) == (True, False)


def test_an_old_key_that_waits_for_its_deletion_is_deleted_though_an_approver_says_why_it_is_off() -> (
    None
):
    world = make_desk(key_ttl=None, key_ttl_max=None)
    request = world.rotated()
    ageing.disable_old(world.desk, ALICE, request.access_key_id)
    world.pass_time(DAY)
    goes = world.record(request.target).delete_at
    retire.disable_for(world.desk, CAROL, request.target, WHY)
    assert goes is not None and world.record(request.target).delete_at == goes
    with world.nothing_happens(), pytest.raises(WrongState, match="/key enable"):
        ageing.undo(world.desk, ALICE, request.target)
    world.outlive(8)
    assert world.iam.shown(request.target) is None


@pytest.mark.parametrize("by", ["its owner", "time"])
def test_a_rotations_end_covers_up_no_approvers_word(by: str) -> None:
    world = make_desk()
    request = world.rotated()
    world.taps.on("issuer.set_status", before=IamUnavailable("UpdateAccessKey"))
    with pytest.raises(StillTrying):
        retire.disable_for(world.desk, CAROL, request.target, WHY)
    if by == "its owner":
        ageing.disable_old(world.desk, ALICE, request.access_key_id)
    else:
        new = world.record(request.access_key_id)
        world.clock.advance(DAY)
        ageing.age(world.desk, new)
    assert (
        world.record(request.access_key_id).replaces == ""
        and world.record(request.target).delete_at is not None
    )
    with world.nothing_happens(), pytest.raises(WrongState, match="/key enable"):
        ageing.undo(world.desk, ALICE, request.target)
    stays_off(world, request.target)


def test_undo_does_not_bring_back_a_key_that_is_reported_and_not_decided() -> None:
    world = make_desk()
    request = world.rotated()
    leak.report(world.desk, BOB, request.target)
    ageing.disable_old(world.desk, ALICE, request.access_key_id)
    with (
        world.nothing_happens(),
        pytest.raises(WrongState, match=f"reported as leaked.*/key enable {request.target}"),
    ):
        ageing.undo(world.desk, ALICE, request.target)
    assert request.target not in world.iam.active


def test_where_enabling_is_free_an_approver_who_turns_the_key_off_in_that_moment_wins() -> None:
    world = make_desk(approval_free=FREE)
    key_id = world.console_key()
    retire.disable(world.desk, ALICE, key_id)
    key = world.iam.keys(ALICE.email)[0]
    world.taps.on("store.commit", before=lambda: retire.disable_for(world.desk, CAROL, key_id, WHY))
    with pytest.raises(NotAllowed, match="asks the approvers"):
        change.enable_now(world.desk, ALICE, world.iam.user(ALICE.email), key, "I need it")
    stays_off(world, key_id)


def test_who_turns_a_key_off_after_it_was_approved_to_be_on_has_the_last_word() -> None:
    """The process of the approval died before it was applied; whoever sweeps does not turn the key on."""
    world = make_desk()
    key_id = world.console_key()
    retire.disable(world.desk, ALICE, key_id)
    request = ask.enable(world.desk, ALICE, key_id, "still needed")
    assert request is not None
    world.taps.on("directory.member", before=ProcessDied())
    with pytest.raises(ProcessDied):
        decide.approve(world.desk, CAROL, request.id)
    world.taps.calm()
    assert world.now(request).status is Status.APPROVED
    world.clock.advance(timedelta(seconds=1))
    retire.disable_for(world.desk, ERIN, key_id, WHY)

    world.rest(days=1)
    now = world.now(request)
    assert (now.status, now.note.partition(",")[0]) == (
        Status.EXPIRED,
        f"<@{ERIN.id}> turned {key_id} off after this was approved",
    )
    assert world.iam.active == [] and world.record(key_id).note == WHY


def test_an_approval_of_a_key_that_was_turned_off_before_it_stands() -> None:
    world = make_desk()
    key_id = world.console_key()
    retire.disable_for(world.desk, ERIN, key_id, "unused")
    request = ask.enable(world.desk, ALICE, key_id, "it is needed after all")
    assert request is not None
    assert decide.approve(world.desk, CAROL, request.id).status is Status.CONFIRMED
    assert world.iam.active == [key_id]
