"""Asking for a key: the card, the form, one request at a time, and everything that is told before an approver is."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.errors import (
    AlreadyOpen,
    BadCommand,
    LooksLikeSecret,
    NoIamUser,
    TooManyKeys,
    WrongState,
)
from bot.domain.outside_errors import IamUserNotFound
from bot.slack import action_ids
from bot.slack.messages.kinds import REQUESTED
from sandbox.local_person import LocalPerson
from tests.support.running_world import (
    INSTEAD_READS,
    World,
    ephemerals,
    form_opens,
    handle,
    iam_name,
)

SECRET_LOOKING = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
UNKNOWN, LIFETIME, KEY_ID = "unknown_command", "bad_lifetime", "bad_key_id"
BAD_COMMANDS = {
    "/key frobnicate": UNKNOWN,
    "/key xyzzy": UNKNOWN,
    "/key creat a key": UNKNOWN,
    "/key list now": "only_a_member",
    "/key list <@U0CAROL|carol> <@U0BOB|bob>": "only_a_member",
    "/key help me": "no_arguments",
    "/key requests of mine": "no_arguments",
    "/key create --fur 30d x": "unknown_option",
    "/key create --delete AKIAIOSFODNN7EXAMPLE x": "unknown_option",
    "/key leaked --user ci-deploy AKIAIOSFODNN7EXAMPLE": "unknown_option",
    "/key create --for 30d --for 40d x": "option_needs_value",
    "/key create x --for": "option_needs_value",
    "/key create \u2014for soon x": LIFETIME,
    "/key create --for 0d x": LIFETIME,
    "/key create --for 30 x": LIFETIME,
    "/key create --user ../../x y": "bad_user_name",
    f"/key create {'x' * 501}": "reason_too_long",
    "/key disable": "key_id_missing",
    "/key delete": "key_id_missing",
    "/key used": "key_id_missing",
    "/key leaked": "key_id_missing",
    "/key disable AKIA": KEY_ID,
    "/key rotate AKIA": KEY_ID,
    "/key rotate AKIAIOSFODNN7EXAMPLE --delete mine": KEY_ID,
    "/key enable please": KEY_ID,
    "/key delete ../../etc/passwd": KEY_ID,
    "/key delete AKIAIOSFODNN7EXAMPL1": KEY_ID,
    "/key disable AKIAIOSFODNN7EXAMPLE AKIAIOSFODNN7EXAMPLE": "only_a_key_id",
    "/key leaked AKIAIOSFODNN7EXAMPLE it is on a page": "only_a_key_id",
    "/key disable ASIAIOSFODNN7EXAMPLE": "temporary_key",
    f"/key {'x' * 10_000}": UNKNOWN,
    f"/key create {'reason ' * 1_400}": "reason_too_long",
}
"""What is typed, and the code of the refusal."""


def test_a_request_is_stored_carded_and_answered(world: World) -> None:
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)
    used = datetime.now(UTC) - timedelta(days=3)
    world.aws.mark_used(key_id, used)

    card = world.asks(person, "deploy script for the billing job")

    for words in (
        iam_name(person),
        "deploy script for the billing job",
        key_id,
        "us-east-1",
        "@key-approvers",
    ):
        assert words in card.words
    assert card.words.count("@key-approvers") == 1
    assert [button.action_id for button in card.buttons] == [
        action_ids.APPROVE,
        action_ids.DENY,
        action_ids.ON_IT,
    ]
    world.answered(person)
    [answer] = ephemerals(person, "general")
    assert answer.words.startswith(INSTEAD_READS)
    lasting = person.wait_for("dm", button=action_ids.CANCEL)
    assert "deploy script for the billing job" in lasting.words
    assert world.request(person).status == "pending"
    assert not world.changes(person), "approval, and asking for it, make no key"


def test_a_reason_is_shown_as_it_was_typed_and_pings_nobody(world: World) -> None:
    person = world.engineer()
    reason = "<!channel> & <@U0CAROL> *bold* `code` \u2013 <https://x.test|here> it\u2019s \u201cquoted\u201d"

    card = world.asks(person, reason)

    assert reason in card.words
    assert world.request(person).reason == reason
    assert reason in world.message(person, world.request(person).name, REQUESTED).words


@pytest.mark.parametrize("line", BAD_COMMANDS, ids=lambda line: line[:30])
def test_a_bad_command_is_answered_and_does_nothing(world: World, line: str) -> None:
    person = world.engineer()

    assert person.command(line).acked

    world.answered(person, BadCommand, BAD_COMMANDS[line])
    [answer] = ephemerals(person, "general")
    assert "/key" in answer.words
    assert len(answer.words) < 300, "what was typed is not thrown back"
    assert [answer] == person.messages("general")
    world.nothing_happened(person)


@pytest.mark.parametrize("verb", ["create", "disable", "list", ""])
def test_what_looks_like_a_secret_is_refused_and_kept_nowhere(world: World, verb: str) -> None:
    person = world.engineer()

    person.command(f"/key {verb} {SECRET_LOOKING}")

    world.answered(person, LooksLikeSecret, "looks_like_secret")
    world.nothing_happened(person)
    assert (
        SECRET_LOOKING not in world.log + world.slack.lasting_text() + world.slack.ephemeral_text()
    )


@pytest.mark.parametrize("line", ["/key", "/key help", "/key  HELP ", "/key \u00a0help"])
def test_help_lists_every_verb_with_an_example(world: World, line: str) -> None:
    person = world.engineer()

    person.command(line)

    world.answered(person)
    words = ephemerals(person, "general")[-1].words
    assert INSTEAD_READS in words
    for example in (
        "/key create --for 30d deploy script",
        "/key list",
        "/key used AKIA",
        "/key rotate AKIA",
        "/key disable AKIA",
        "/key enable AKIA",
        "/key delete AKIA",
        "/key leaked AKIA",
        "/key requests",
        "/key help",
    ):
        assert example in words


# -- the form


def test_a_missing_reason_opens_a_form(world: World) -> None:
    person = world.engineer()
    person.command("/key create")
    form_opens(person, action_ids.CREATE_FORM)
    assert INSTEAD_READS in person.modal_words

    person.submit({"reason": "a reason from the form & more"})

    world.answered(person)
    card = world.slack.wait_until(lambda: world.card(person), why="the card")
    assert "a reason from the form & more" in card.words


@pytest.mark.parametrize(
    "typed",
    ["   ", "\u200b\u2060", "x" * 501, f"it is {SECRET_LOOKING}"],
    ids=["spaces", "nothing to see", "too long", "a secret"],
)
def test_a_bad_reason_is_refused_at_the_field(world: World, typed: str) -> None:
    """Slack's own client would not send most of these; another might."""
    person = world.engineer()
    person.command("/key create")
    view = copy.deepcopy(form_opens(person, action_ids.CREATE_FORM))
    [field] = [block for block in view["blocks"] if block.get("block_id") == "reason"]
    field["element"].pop("max_length")

    person.submit({"reason": typed}, view=view)

    assert list(person.field_errors) == ["reason"]
    form_opens(person, action_ids.CREATE_FORM)
    world.nothing_happened(person)


def test_a_refusal_after_the_form_is_shown_in_the_form(world: World) -> None:
    person = world.engineer(keys=2)
    person.command("/key create")
    form_opens(person, action_ids.CREATE_FORM)

    person.submit({"reason": "a third one"})

    world.answered(person, TooManyKeys)
    world.nothing_happened(person)


# -- refused before any approver is bothered


def test_a_second_request_is_refused_with_a_pointer_to_the_first(world: World) -> None:
    person = world.engineer()
    card = world.asks(person, "the first")
    first = world.request(person)

    person.command("/key create the second")
    world.answered(person, AlreadyOpen)

    world.carol.click(card, action_ids.APPROVE)
    world.revealable(person)
    person.command("/key create the third")
    world.answered(person, AlreadyOpen)

    key = world.reveals(person)
    world.receipt(person, key)
    person.command("/key create the fourth")
    world.answered(person, AlreadyOpen)
    assert [one.id for one in world.requests(person)] == [first.id]


def test_a_person_without_an_iam_user_is_told(world: World) -> None:
    person = world.engineer(iam=False)

    person.command("/key create x")

    world.answered(person, IamUserNotFound)
    world.nothing_happened(person)


def test_an_address_that_slack_has_not_confirmed_proves_nothing(world: World) -> None:
    person = world.engineer(email_confirmed=False)

    person.command("/key create x")

    world.answered(person, NoIamUser)
    world.nothing_happened(person)


def test_a_third_key_is_refused_with_the_older_one_first(
    world: World,
) -> None:
    person = world.engineer(keys=2)
    old, new = sorted(world.keys(person))
    world.aws.backdate(old, datetime.now(UTC) - timedelta(days=400))
    used = datetime.now(UTC) - timedelta(days=2)
    world.aws.mark_used(new, used, "ec2", "eu-central-1")

    person.command("/key create a third one")

    world.answered(person, TooManyKeys)
    words = ephemerals(person, "general")[-1].words
    assert words.index(old) < words.index(new) < words.index("eu-central-1")
    assert f"/key rotate {old}" in words
    world.nothing_happened(person)


# -- taking it back


def test_a_pending_request_can_be_cancelled(world: World) -> None:
    person = world.engineer()
    card = world.asks(person)

    person.click(person.wait_for("dm", button=action_ids.CANCEL), action_ids.CANCEL)

    _is_cancelled(world, person)
    world.carol.click(card, action_ids.APPROVE)
    world.answered(world.carol, WrongState)
    _may_ask_again(world, person)


def test_an_approved_request_can_be_cancelled(world: World) -> None:
    person = world.engineer()
    approved = world.approved(person)

    person.click(approved, action_ids.CANCEL)

    _is_cancelled(world, person)
    person.click(approved, action_ids.REVEAL)
    world.answered(person, WrongState)
    assert not world.changes(person)
    _may_ask_again(world, person)


def _is_cancelled(world: World, person: LocalPerson) -> None:
    world.answered(person)
    world.slack.wait_until(
        lambda: (card := world.card(person)) and not card.buttons, why="the card has no button"
    )
    world.slack.wait_until(
        lambda: not any(one.buttons for one in person.messages("dm")), why="no button is left"
    )
    assert world.request(person).status == "cancelled"


def _may_ask_again(world: World, person: LocalPerson) -> None:
    person.command("/key create another")
    world.carol.wait_for("key-approvals", f"@{handle(person)}", action_ids.APPROVE)
