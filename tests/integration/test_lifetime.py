"""Journeys to the end of a key's life: reminders, extension, expiry, deletion."""

from __future__ import annotations

from datetime import timedelta

from bot.domain.codes import Code
from bot.slack import action_ids
from bot.slack.messages.keys import DELETED, EXPIRED
from bot.slack.messages.text import duration_text, utc_text
from sandbox.local_person import LocalPerson
from sandbox.seen import SeenMessage
from tests.integration.steps import clicks, set_key
from tests.support.key_life import (
    approves,
    arrives,
    card_of,
    days_pass,
    given,
    old_key,
    record,
    rotated,
    told,
    types,
    until,
)
from tests.support.running_world import World
from tests.support.seen_by_user import form_opens
from tests.support.watched_person import iam_name


def reminders(person: LocalPerson) -> list[SeenMessage]:
    """Return the reminders that a key expires, as the owner sees them now."""
    return [one for one in told(person, "") if one.has_button(action_ids.EXTEND)]


def test_reminders_come_and_an_extension_moves_the_expiry(timed: World) -> None:
    """Seven days, a day and an hour before.

    A click asks approvers for seven days more.
    """
    person = timed.engineer()
    types(timed, person, "/key create \u2014for 30d nightly backup")
    card = card_of(timed, person)
    assert duration_text(timedelta(days=30)) in card.words
    timed.carol.click(card, action_ids.APPROVE)
    key = arrives(timed, person)
    made = record(timed, key.key_id)
    expires = made.created_at + timedelta(days=30)
    assert made.expires_at == expires
    listed = types(timed, person, "/key list", names=key.key_id)
    assert utc_text(expires) in listed.words
    timed.pass_time(days=22.9)
    assert not reminders(person)

    for number, hours in enumerate((24 * 0.2, 24 * 5.9 + 1, 23.2 - 1 + 0.5), 1):
        timed.pass_time(hours=hours)
        timed.sweep()
        until(timed, lambda number=number: len(reminders(person)) == number, f"reminder {number}")
        newest = reminders(person)[-1]
        buttons = [button.action_id for button in newest.buttons]
        assert buttons == [action_ids.ROTATE, action_ids.EXTEND] and key.key_id in newest.words

    clicks(timed, person, newest, action_ids.EXTEND)
    assert record(timed, key.key_id).expires_at == expires, "a request gives nothing"
    approves(timed, person)
    timed.reaches(person, "confirmed")
    later = expires + timedelta(days=7)
    until(timed, lambda: record(timed, key.key_id).expires_at == later, "seven days more")
    days_pass(timed, 6.5)
    assert timed.keys(person) == {key.key_id: "Active"} and reminders(person)
    days_pass(timed, 1)
    assert timed.keys(person) == {key.key_id: "Inactive"}


def test_a_key_in_use_expires_and_is_enabled_or_deleted(timed: World) -> None:
    """Its owner gets a week by an approval. Then it is deleted, after a notice."""
    person = timed.engineer()
    key = given(timed, person, "--for 10d")
    timed.pass_time(days=9.99)
    assert timed.aws.call_as(key.key_id, key.secret)

    days_pass(timed, 0.1)

    assert timed.keys(person) == {key.key_id: "Inactive"}, "disabled, never deleted at once"
    ended = timed.message(person, f"key:{key.key_id}", EXPIRED)
    assert "us-east-1" in ended.words
    until(timed, lambda: not reminders(person), "reminders are over")
    person.click(ended, action_ids.ENABLE)
    form_opens(person, action_ids.ENABLE_FORM)
    person.submit({"reason": "the nightly job still uses it"})
    timed.answered(person)
    approves(timed, person)
    until(timed, lambda: timed.keys(person) == {key.key_id: "Active"}, "active again")
    assert timed.aws.call_as(key.key_id, key.secret).endswith(iam_name(person))
    timed.pass_time(days=6)
    assert timed.keys(person) == {key.key_id: "Active"}
    days_pass(timed, 2)
    assert timed.keys(person) == {key.key_id: "Inactive"}
    timed.pass_time(days=4)
    assert timed.last_message(person, f"key:{key.key_id}", DELETED) is None
    days_pass(timed, 1)
    timed.message(person, f"key:{key.key_id}", DELETED)
    days_pass(timed, 2)
    assert timed.keys(person) == {}


def test_an_expiry_is_kept_after_a_restart_of_the_database(timed: World) -> None:
    person = timed.engineer()
    key = given(timed, person, "--for 10d")
    assert timed.server
    timed.pass_time(days=3.1)
    until(timed, lambda: len(reminders(person)) == 1, "reminded a week before")

    timed.settle()
    timed.server.stop()
    timed.pass_time(days=7)
    assert timed.keys(person) == {key.key_id: "Active"}, "without a database nothing is done"
    timed.server.start()
    for _ in range(3):
        timed.sweep()

    until(timed, lambda: timed.keys(person) == {key.key_id: "Inactive"}, "it has expired")
    timed.message(person, f"key:{key.key_id}", EXPIRED)
    assert len(reminders(person)) <= 2


# -- changes in the AWS console


def test_a_key_disabled_in_the_console_still_expires(timed: World) -> None:
    person = timed.engineer()
    key = given(timed, person, "--for 30d")
    set_key(timed, person, key.key_id)
    timed.pass_time(days=23)
    days_pass(timed, 1)
    seen = record(timed, key.key_id)
    assert (seen.desired, seen.inactive_reason) == ("inactive", "console")
    assert timed.last_message(person, f"key:{key.key_id}", EXPIRED) is None

    days_pass(timed, 7)

    kept = record(timed, key.key_id)
    assert (kept.desired, kept.inactive_reason) == ("inactive", "expired")
    set_key(timed, person, key.key_id, "Active")
    days_pass(timed, 8)
    assert timed.keys(person) == {}, "deleted a week after its expiry, on or off"


def test_an_old_key_deleted_in_the_console_ends_the_rotation(timed: World) -> None:
    person = timed.engineer()
    old = old_key(timed, person)
    new, message = rotated(timed, person, old)

    timed.iam.delete_access_key(UserName=iam_name(person), AccessKeyId=old)
    clicks(timed, person, message, action_ids.DISABLE_OLD, Code.OLD_KEY_INACTIVE)
    days_pass(timed, 2)

    until(timed, lambda: not record(timed, new.key_id).replaces, "the rotation is over")
    assert timed.keys(person) == {new.key_id: "Active"}


def test_an_approval_for_a_key_that_is_gone_says_so(timed: World) -> None:
    person = timed.engineer()
    key = given(timed, person, "--for 30d")
    set_key(timed, person, key.key_id)
    types(timed, person, f"/key enable {key.key_id} still needed")

    timed.iam.delete_access_key(UserName=iam_name(person), AccessKeyId=key.key_id)
    approves(timed, person)

    request = timed.reaches(person, "expired")
    assert request.verb == "enable" and request.detail
    assert timed.keys(person) == {}
