"""Rotating with both of IAM's slots taken: the key to let go is chosen first, and dies at the reveal click alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.errors import (
    AlreadyOpen,
    DeliveryFailed,
    IamDenied,
    IamThrottled,
    IamUnavailable,
    KeydeskError,
    MustChooseKey,
    NotAllowed,
    NotYourKey,
    OutcomeUnknown,
    Refused,
    StoreUnavailable,
    WrongState,
)
from bot.domain.keys import (
    DesiredState,
    KeyStatus,
    LastUsed,
    ObservedState,
)
from bot.domain.ports import Change
from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status
from bot.operations import (
    confirm_receipt,
    create_request,
    decide_request,
    disable_key,
    report_leak,
    reveal_key,
)
from tests.support.world import ALICE, BOB, CAROL, World, fails, make_desk, reveal

SOON = timedelta(seconds=15)


def full() -> tuple[World, KeyRequest]:
    """A desk, and Alice's approved rotation that lets her other key go."""
    world = make_desk()
    return world, world.rotating(full=True)


def test_with_both_slots_taken_the_person_is_shown_the_plan_before_any_approver_is_bothered() -> (
    None
):
    world = make_desk()
    first, second = world.console_key(), world.console_key()
    world.iam.use(second)
    with world.nothing_happens(), pytest.raises(MustChooseKey) as plan:
        create_request.rotate(world.services, ALICE, first)
    assert (plan.value.key_id, [key.id for key in plan.value.keys]) == (first, [first, second])
    assert (
        f"{first} (to be replaced): active, made 24 Nov 2026, 10:02 UTC, never used"
        in plan.value.sentence
    )
    assert "last used 24 Nov 2026, 12:02 UTC for s3 in eu-central-1" in plan.value.sentence
    for key_id in (first, second):
        assert f"`/key rotate {first} --delete {key_id}`" in plan.value.sentence


@pytest.mark.parametrize("whose", ["bob's", "nobody's"])
def test_only_ones_own_keys_are_rotated_or_let_go_and_others_are_refused_in_the_same_words(
    whose: str,
) -> None:
    world = make_desk()
    mine = world.console_key(), world.console_key()
    other = world.console_key(BOB) if whose == "bob's" else "AKIAIOSFODNN7EXAMPLE"
    with world.nothing_happens():
        for key_id, delete_first in ((mine[0], other), (other, mine[0]), (other, "")):
            with pytest.raises(NotYourKey) as refused:
                create_request.rotate(world.services, ALICE, key_id, delete_first=delete_first)
            assert other not in refused.value.sentence


def test_the_plan_is_part_of_the_request() -> None:
    world = make_desk()
    first, second = world.console_key(), world.console_key()
    request = create_request.rotate(world.services, ALICE, first, delete_first=second)
    assert (request.target, request.delete_first, request.reason) == (first, second, "")
    assert [key.id for key in request.keys] == [first, second]


def test_with_a_free_slot_no_key_has_to_go_and_whoever_names_one_is_told() -> None:
    """A key that was named for deletion is never quietly kept."""
    world = make_desk()
    key_id = world.console_key()
    with (
        world.nothing_happens(),
        pytest.raises(NotAllowed, match=f"Ask without `--delete`: `/key rotate {key_id}`"),
    ):
        create_request.rotate(world.services, ALICE, key_id, delete_first=key_id)
    with world.nothing_happens(), pytest.raises(NotYourKey):
        create_request.rotate(world.services, ALICE, key_id, delete_first="AKIAIOSFODNN7EXAMPLE")
    assert create_request.rotate(world.services, ALICE, key_id).delete_first == ""


@pytest.mark.parametrize("state", ["pending", "approved", "delivered"])
def test_there_are_never_two_rotations_open(state: str) -> None:
    world = make_desk()
    key_id = world.console_key()
    request = create_request.rotate(world.services, ALICE, key_id)
    if state != "pending":
        decide_request.approve(world.services, CAROL, request.id)
    if state == "delivered":
        reveal(world, request)
    with world.nothing_happens(), pytest.raises(AlreadyOpen) as refused:
        create_request.rotate(world.services, ALICE, key_id)
    assert refused.value.request_id == request.id


def test_the_key_to_be_let_go_lives_until_the_reveal_click() -> None:
    world, request = full()
    world.pass_time(timedelta(hours=71))
    assert sorted(world.iam.active) == sorted((request.target, request.delete_first))
    delivered = reveal(world, request)
    assert sorted(world.iam.active) == sorted((request.target, delivered.access_key_id))
    assert (
        world.record(request.delete_first).desired,
        world.record(request.delete_first).observed,
    ) == (
        DesiredState.DELETED,
        ObservedState.DELETED,
    )
    assert world.record(delivered.access_key_id).replaces == request.target


def test_its_end_is_stored_and_on_record_then_carried_out_and_only_then_the_new_key_is_made() -> (
    None
):
    world, request = full()
    before = len(world.taps.calls)
    seen: list[DesiredState] = []
    world.taps.on(
        "issuer.delete_key", before=lambda: seen.append(world.record(request.delete_first).desired)
    )
    reveal(world, request)
    calls = [
        c
        for c in world.taps.calls[before:]
        if c in ("store.commit", "issuer.delete_key", "issuer.create_key")
    ]
    assert calls[:4] == ["store.commit", "issuer.delete_key", "store.commit", "issuer.create_key"]
    assert seen == [DesiredState.DELETED]
    (entry,) = [entry for entry in world.store.entries if entry.action == "reveal"]
    assert (entry.by, entry.reason) == (ALICE.id, f"{request.delete_first} is deleted to make room")


def test_the_key_to_be_replaced_may_itself_be_let_go_and_then_no_grace_follows() -> None:
    world = make_desk()
    first, second = world.console_key(), world.console_key()
    request = decide_request.approve(
        world.services,
        CAROL,
        create_request.rotate(world.services, ALICE, first, delete_first=first).id,
    )
    delivered = confirm_receipt.confirm(world.services, ALICE, reveal(world, request).access_key_id)
    assert sorted(world.iam.active) == sorted((second, delivered.access_key_id))
    record = world.record(delivered.access_key_id)
    assert (record.replaces, record.grace_ends_at) == ("", None)


@pytest.mark.parametrize("change", ["used", "inactive"])
def test_a_key_that_changed_since_the_dialog_is_drawn_anew_and_lives_until_the_next_click(
    change: str,
) -> None:
    world, request = full()
    if change == "used":
        world.iam.use(request.delete_first)
    else:
        world.iam.set_status(ALICE.email, request.delete_first, KeyStatus.INACTIVE)
    drawn = len(world.slack.rendered)
    with pytest.raises(Refused, match="has changed since you were asked.*I have done nothing"):
        reveal(world, request)
    now = world.now(request)
    assert (now.status, now.last_event) == (Status.APPROVED, Event.REFRESH)
    assert now.key(request.delete_first) == next(
        k for k in world.iam.keys(ALICE.email) if k.id == request.delete_first
    )
    assert (
        world.slack.rendered[drawn:] == [request.name]
        and world.iam.observed(request.delete_first) is not None
    )
    assert now.deadline == request.deadline
    reveal(world, request)
    assert world.iam.observed(request.delete_first) is None


def test_while_aws_does_not_know_its_last_use_nothing_is_done_and_the_next_click_reveals() -> None:
    """IAM, eventually consistent, lists a key of which GetAccessKeyLastUsed does not know yet."""
    world, request = full()
    world.iam.use_unknown.add(request.delete_first)
    with (
        world.nothing_happens(),
        pytest.raises(Refused, match="does not say at the moment.*I have done nothing"),
    ):
        reveal(world, request)
    world.iam.use_unknown.clear()
    reveal(world, request)
    assert world.iam.observed(request.delete_first) is None


def test_where_the_dialog_showed_an_unknown_last_use_that_is_still_unknown_is_no_change() -> None:
    world = make_desk()
    target, delete_first = world.console_key(), world.console_key()
    world.iam.use_unknown.add(delete_first)
    request = decide_request.approve(
        world.services,
        CAROL,
        create_request.rotate(world.services, ALICE, target, delete_first=delete_first).id,
    )
    reveal(world, request)
    assert world.iam.observed(delete_first) is None


def test_of_two_clicks_after_a_change_both_are_refused_in_words() -> None:
    world, request = full()
    world.iam.use(request.delete_first)

    def another_click() -> None:
        with pytest.raises(Refused, match="has changed"):
            reveal(world, request)

    world.taps.on("store.commit", before=another_click)
    with pytest.raises(Refused, match="has changed"):
        reveal(world, request)
    assert len(world.iam.active) == 2


def test_a_record_that_moves_on_at_the_click_stops_it_and_the_words_say_what_to_do() -> None:
    world, request = full()
    disable_key.set_desired_state(
        world.services,
        ALICE,
        world.iam.user(ALICE.email),
        world.iam.keys(ALICE.email)[1],
        DesiredState.ACTIVE,
        "enable",
    )

    def touched() -> None:
        record = world.record(request.delete_first)
        world.store.commit(
            Change(record, record.updated(disable_note="x")), entry=world.store.entries[-1]
        )

    world.taps.on("store.commit", before=touched)
    with pytest.raises(WrongState, match="so I have done nothing. Click \\*Reveal my key\\* again"):
        reveal(world, request)
    assert len(world.iam.active) == 2 and world.now(request).status is Status.APPROVED
    reveal(world, request)
    assert world.iam.observed(request.delete_first) is None


@pytest.mark.parametrize(
    "problem",
    [
        IamThrottled("Throttling", "CreateAccessKey"),
        IamUnavailable("CreateAccessKey"),
        IamDenied("AccessDenied", "CreateAccessKey"),
    ],
)
def test_if_making_fails_the_person_is_told_that_the_old_key_is_gone_and_reveals_again(
    problem: KeydeskError,
) -> None:
    world, request = full()
    world.taps.on("issuer.create_key", before=problem)
    fails(world, request, f"The old key {request.delete_first} is gone, so reveal again")
    now = world.now(request)
    assert now.status is Status.APPROVED and "is gone, so reveal again" in now.note
    assert "othing was changed" not in now.note, "the old key is gone"
    assert world.iam.active == [request.target]
    delivered = reveal(world, request)
    assert sorted(world.iam.active) == sorted((request.target, delivered.access_key_id))


def test_when_its_deletion_began_is_on_record_and_stays_so_whatever_becomes_of_the_request() -> (
    None
):
    world, request = full()
    assert request.delete_first_at is None
    began = world.clock.now()
    for _ in range(2):
        world.taps.on("issuer.create_key", before=IamThrottled("Throttling", "CreateAccessKey"))
        fails(world, request)
        assert world.now(request).delete_first_at == began
        world.clock.advance(SOON)
    assert create_request.cancel(world.services, ALICE, request.id).delete_first_at == began
    assert world.iam.active == [request.target]


@pytest.mark.parametrize(
    "problem",
    [
        IamThrottled("Throttling", "DeleteAccessKey"),
        IamUnavailable("DeleteAccessKey"),
        OutcomeUnknown("DeleteAccessKey"),
        IamDenied("AccessDenied", "DeleteAccessKey"),
    ],
)
def test_where_the_deletion_is_not_certain_no_key_is_made_and_none_is_said_to_be_gone(
    problem: KeydeskError,
) -> None:
    world, request = full()
    world.taps.on("issuer.delete_key", before=problem)
    with pytest.raises(
        DeliveryFailed, match="could not be deleted yet .* no new key was made"
    ) as told:
        reveal(world, request)
    assert "is gone" not in told.value.sentence
    assert world.now(request).status is Status.APPROVED and len(world.iam.made) == 2
    world.pass_time(SOON)
    assert world.iam.observed(request.delete_first) is None
    assert reveal(world, request).status is Status.DELIVERED


def test_an_answer_to_the_deletion_that_was_lost_after_it_was_done_costs_a_second_click_and_no_more() -> (
    None
):
    world, request = full()
    world.taps.on("issuer.delete_key", after=OutcomeUnknown("DeleteAccessKey"))
    fails(world, request, "could not be deleted yet")
    assert len(world.iam.made) == 2
    assert reveal(world, request).status is Status.DELIVERED


def test_a_store_that_does_not_answer_between_the_lease_and_the_deletion_lets_the_next_click_go_on() -> (
    None
):
    world, request = full()
    world.taps.on(
        "store.commit", after=lambda: world.taps.on("store.key", before=StoreUnavailable())
    )
    fails(world, request, "could not be deleted yet")
    assert len(world.iam.made) == 2 and world.now(request).status is Status.APPROVED
    assert reveal(world, request).status is Status.DELIVERED


def test_a_key_to_be_let_go_that_iam_is_not_sure_about_stops_the_making() -> None:
    world = make_desk()
    target, young = world.console_key(), world.iam.create_key(ALICE.email)[0].id
    request = decide_request.approve(
        world.services,
        CAROL,
        create_request.rotate(world.services, ALICE, target, delete_first=young).id,
    )
    world.taps.on("issuer.delete_key", before=lambda: world.iam.hidden.add(young))
    fails(world, request, "is not gone for certain yet, so no new key was made")
    assert len(world.iam.made) == 2
    world.iam.hidden.clear()
    world.rest(days=1)
    assert world.iam.observed(young) is None and reveal(world, request).status is Status.DELIVERED


def test_a_key_that_is_gone_already_is_no_obstacle() -> None:
    world, request = full()
    world.iam.delete_key(ALICE.email, request.delete_first)
    assert reveal(world, request).status is Status.DELIVERED


def test_a_deletion_at_the_reveal_closes_the_request_that_waits_for_that_keys_receipt() -> None:
    world = make_desk()
    first = world.delivered()
    world.clock.advance(timedelta(hours=1))
    target = world.console_key()
    request = decide_request.approve(
        world.services,
        CAROL,
        create_request.rotate(world.services, ALICE, target, delete_first=first.access_key_id).id,
    )
    reveal(world, request)
    assert (world.now(first).status, world.now(first).last_event) == (
        Status.EXPIRED,
        Event.OWNER_DELETED,
    )
    with pytest.raises(WrongState):
        confirm_receipt.confirm(world.services, ALICE, first.access_key_id)


def test_a_leaked_key_can_be_let_go_and_stays_leaked() -> None:
    world = make_desk()
    target, leaked = world.console_key(), world.console_key()
    report_leak.report(world.services, ALICE, leaked)
    request = decide_request.approve(
        world.services,
        CAROL,
        create_request.rotate(world.services, ALICE, target, delete_first=leaked).id,
    )
    reveal(world, request)
    assert world.iam.observed(leaked) is None and world.record(leaked).leaked


def test_a_request_that_is_cancelled_or_lapses_before_the_click_lets_nothing_go() -> None:
    world, request = full()
    create_request.cancel(world.services, ALICE, request.id)
    world.rest(days=8)
    assert len(world.iam.active) == 2 and world.store.key(request.delete_first) is None


def test_a_dialog_that_showed_an_unknown_last_use_is_drawn_anew_too() -> None:
    world, request = full()
    now = world.now(request)
    blind = tuple(replace(key, last_used=None) for key in now.keys)
    world.store.commit(
        Change(now, replace(now, keys=blind, version=now.version + 1)),
        entry=world.store.entries[-1],
    )
    with pytest.raises(Refused, match="has changed since you were asked"):
        reveal_key.reveal(world.services, ALICE, request.id)
    assert world.now(request).key(request.delete_first).last_used == LastUsed()  # type: ignore[union-attr]  # it is there
