"""Several bots on one database: each thing happens once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from bot.slack.messages.kinds import EXPIRED
from tests.integration.steps import named
from tests.integration.test_audit import SETTINGS, all_sealed, audit
from tests.support.concurrent_steps import at_once
from tests.support.key_life import card_of, types, until
from tests.support.running_world import World
from tests.support.watched_person import iam_name

Start = Callable[..., World]


@pytest.mark.slow
def test_two_schedulers_do_each_thing_once(start: Start) -> None:
    """Though both find it due at once, a request expires once and is told once."""
    one = start(REQUEST_TTL="1s", CLAIM_TTL="1s")
    start(beside=one, REQUEST_TTL="1s", CLAIM_TTL="1s")
    people = [one.engineer() for _ in range(10)]

    at_once(*[partial(person.command, "/key create x") for person in people])

    for person in people:
        until(one, partial(one.requests, person), "it is stored")
        one.message(person, one.request(person).name, EXPIRED)
        until(
            one,
            lambda person=person: (card := one.card(person)) and not card.buttons,
            "the card shows it",
        )
        request = one.request(person)
        assert request.last_event == "expire"
        assert request.version == 2 + len(request.reminders) + bool(request.permissions)
        assert len([message for message in person.messages("dm") if not message.ephemeral]) == 2


@pytest.mark.slow
def test_two_bots_number_and_seal_as_one(start: Start) -> None:
    one = start(**SETTINGS)
    other = start(beside=one, **SETTINGS)
    people = [one.engineer() for _ in range(6)]
    at_once(*[partial(person.command, "/key create nightly backup") for person in people])
    until(
        one,
        lambda: all(one.requests(each) and one.request(each).permissions for each in people),
        "all have asked, and their permissions are read",
    )
    all_sealed(one)
    logs = [str(path) for world in (one, other) for path in world.folder.glob("bot-*.log")]
    done = audit(one, "--verify", *[word for log in logs for word in ("--log", log)])
    assert done.returncode == 0, done.stdout
    assert "Entries: 12, " in done.stdout and "Compared with 12 entries" in done.stdout


@pytest.mark.slow
def test_a_stopped_bots_reading_is_done_by_the_next(start: Start, tmp_path: Path) -> None:
    """Its unfinished question to AWS keeps no one waiting for the end of the process."""
    clock = tmp_path / "clock"
    clock.write_text("0")
    world = start(TRIAL_CLOCK=str(clock))
    person = world.engineer()
    hold = world.aws.faults.hold("ListMFADevices")
    types(world, person, "/key create nightly backup")
    assert hold.reached.wait(10) and world.running
    far = datetime.now(UTC) + timedelta(days=1)
    until(world, lambda: not world.store.unrendered(far), "everything is rendered")

    assert world.running.terminate() == 0

    calls = world.aws.calls("ListMFADevices")
    assert [call.status for call in calls if call.parameters["UserName"] == iam_name(person)] == [
        None
    ]
    world.aws.faults.clear()
    clock.write_text("31")
    world.running.start()
    until(world, lambda: not world.request(person).awaits_permissions, "the permissions are read")
    card_of(world, person)
    seen = world.carol.messages("key-approvals")
    assert len([one for one in seen if named(person) in one.words]) == 1


@pytest.mark.slow
def test_a_start_with_other_approvers_announces_the_change(start: Start) -> None:
    one = start(APPROVERS="U0CAROL,U0BOB")
    until(one, lambda: one.store.announced_approvers(), "the first start has noted them")
    assert not one.carol.messages("key-approvals")

    start(beside=one, APPROVERS="U0CAROL,U0ALICE")

    assert "@bob" in one.carol.wait_for("key-approvals", "@alice").words
