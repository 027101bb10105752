"""Asking for a key: the card, the form, one request at a time, and everything that is told before an approver is."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta

import pytest

from sandbox.local_person import LocalPerson
from tests.support.running_world import INSTEAD_READS, World, ephemerals, handle, iam_name

SECRET_LOOKING = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
BAD_COMMANDS = {
    "/key frobnicate": "I do not know that command; did you mean rotate? /key help lists them all.",
    "/key xyzzy": "I do not know that command; did you mean help? /key help lists them all. Usage: /key help",
    "/key creat a key": "did you mean create?",
    "/key list now": "list takes nothing after it, or one @person. Usage: /key list",
    "/key list <@U0CAROL|carol> <@U0BOB|bob>": "list takes nothing after it, or one @person",
    "/key help me": "help takes nothing after it",
    "/key requests of mine": "requests takes nothing after it. Usage: /key requests",
    "/key create --fur 30d x": "I do not know the option --fur. Usage: /key create [--for 30d]",
    "/key create --delete AKIAIOSFODNN7EXAMPLE x": "I do not know the option --delete",
    "/key leaked --user ci-deploy AKIAIOSFODNN7EXAMPLE": "I do not know the option --user. Usage: /key leaked",
    "/key create --for 30d --for 40d x": "--for takes one value, once",
    "/key create x --for": "--for takes one value, once",
    "/key create \u2014for soon x": "A key's life is a number and a unit: 12h, 30d, 2w. Usage: /key create",
    "/key create --for 0d x": "A key's life is a number and a unit",
    "/key create --for 30 x": "A key's life is a number and a unit",
    "/key create --user ../../x y": "That is not an IAM user name",
    f"/key create {'x' * 501}": "The reason is 501 characters long; 500 is the most. Usage: /key create [",
    "/key disable": "Which key? /key list shows yours. Usage: /key disable <access key ID>",
    "/key delete": "Which key? /key list shows yours. Usage: /key delete <access key ID>",
    "/key used": "Which key? /key list shows yours. Usage: /key used <access key ID>",
    "/key leaked": "Which key? /key list shows yours. Usage: /key leaked <access key ID>",
    "/key disable AKIA": "That is not an access key ID",
    "/key rotate AKIA": "That is not an access key ID",
    "/key rotate AKIAIOSFODNN7EXAMPLE --delete mine": "That is not an access key ID",
    "/key enable please": "That is not an access key ID",
    "/key delete ../../etc/passwd": "That is not an access key ID",
    "/key delete AKIAIOSFODNN7EXAMPL1": "That is not an access key ID",
    "/key disable AKIAIOSFODNN7EXAMPLE AKIAIOSFODNN7EXAMPLE": "disable takes one access key ID",
    "/key leaked AKIAIOSFODNN7EXAMPLE it is on a page": "leaked takes one access key ID",
    "/key disable ASIAIOSFODNN7EXAMPLE": "a temporary key",
    f"/key {'x' * 10_000}": "I do not know that command",
    f"/key create {'reason ' * 1_400}": "characters long; 500 is the most",
}


def test_a_request_is_stored_carded_and_answered(world: World) -> None:
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)
    used = datetime.now(UTC) - timedelta(days=3)
    world.aws.mark_used(key_id, used)

    card = world.asks(person, "deploy script for the billing job")

    for words in (
        f"IAM user  {iam_name(person)}",
        "deploy script for the billing job",
        f"{key_id} · active",
        "made today",
        f"last used {used.day}",
        "for s3 in us-east-1",
        "lapses",
        "@key-approvers",
    ):
        assert words in card.words
    assert card.words.count("@key-approvers") == 1
    assert [button.text for button in card.buttons] == ["Approve", "Deny", "I'm on it"]
    answer = person.wait_for("general", "Asked. Your request waits for an approver until")
    assert answer.ephemeral
    assert answer.words.startswith(INSTEAD_READS)
    lasting = person.wait_for("dm", "You asked for an access key", button="Cancel request")
    assert "deploy script for the billing job" in lasting.words
    assert world.request(person).status == "pending"
    assert not world.changes(person), "approval, and asking for it, make no key"


def test_a_reason_is_shown_as_it_was_typed_and_pings_nobody(world: World) -> None:
    person = world.engineer()
    reason = "<!channel> & <@U0CAROL> *bold* `code` \u2013 <https://x.test|here> it\u2019s \u201cquoted\u201d"

    card = world.asks(person, reason)

    assert reason in card.words
    assert world.request(person).reason == reason
    assert reason in person.wait_for("dm", "You asked for an access key").words


@pytest.mark.parametrize("line", BAD_COMMANDS, ids=lambda line: line[:30])
def test_a_bad_command_gets_one_private_sentence_with_the_right_usage_and_nothing_happens(
    world: World, line: str
) -> None:
    person = world.engineer()

    assert person.command(line).acked

    answer = person.wait_for("general", BAD_COMMANDS[line])
    assert "Usage: /key" in answer.words
    assert len(answer.words) < 300, "what was typed is not thrown back"
    assert ephemerals(person, "general") == [answer] == person.messages("general")
    world.nothing_happened(person)


@pytest.mark.parametrize("verb", ["create", "disable", "list", ""])
def test_what_looks_like_a_secret_is_refused_and_kept_nowhere(world: World, verb: str) -> None:
    person = world.engineer()

    person.command(f"/key {verb} {SECRET_LOOKING}")

    assert (
        "Treat that key as leaked"
        in person.wait_for("general", "looks like a secret access key").words
    )
    world.nothing_happened(person)
    assert (
        SECRET_LOOKING not in world.log + world.slack.lasting_text() + world.slack.ephemeral_text()
    )


@pytest.mark.parametrize("line", ["/key", "/key help", "/key  HELP ", "/key \u00a0help"])
def test_help_lists_every_verb_with_an_example(world: World, line: str) -> None:
    person = world.engineer()

    person.command(line)

    words = person.wait_for("general", "Keydesk hands you AWS access keys").words
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


def test_without_a_reason_a_form_asks_for_it_and_shows_the_result(world: World) -> None:
    person = world.engineer()
    person.command("/key create")
    person.wait_for_modal("What is the key for?")
    assert INSTEAD_READS in person.modal_words

    person.submit({"reason": "a reason from the form & more"})

    person.wait_for_modal("Asked. Your request waits for an approver")
    card = world.carol.wait_for("key-approvals", f"@{handle(person)} asks")
    assert "a reason from the form & more" in card.words


@pytest.mark.parametrize(
    ("typed", "told"),
    {
        "   ": "Say in a few words what the key is for.",
        "\u200b\u2060": "Say in a few words what the key is for.",
        "x" * 501: "The reason is 501 characters long; 500 is the most.",
        f"it is {SECRET_LOOKING}": "That looks like a secret access key",
    }.items(),
    ids=["spaces", "nothing to see", "too long", "a secret"],
)
def test_a_bad_reason_is_refused_at_the_field(world: World, typed: str, told: str) -> None:
    """Slack's own client would not send most of these; another might."""
    person = world.engineer()
    person.command("/key create")
    view = copy.deepcopy(person.wait_for_modal("What is the key for?"))
    [field] = [block for block in view["blocks"] if block.get("block_id") == "reason"]
    field["element"].pop("max_length")

    person.submit({"reason": typed}, view=view)

    assert list(person.field_errors) == ["reason"]
    assert told in person.field_errors["reason"]
    person.wait_for_modal("What is the key for?")
    world.nothing_happened(person)


def test_a_refusal_after_the_form_is_shown_in_the_form(world: World) -> None:
    person = world.engineer(keys=2)
    person.command("/key create")
    person.wait_for_modal("What is the key for?")

    person.submit({"reason": "a third one"})

    person.wait_for_modal("You have two access keys already")
    world.nothing_happened(person)


# -- refused before any approver is bothered


def test_a_second_request_is_refused_with_a_pointer_to_the_first(world: World) -> None:
    person = world.engineer()
    card = world.asks(person, "the first")
    first = world.request(person)

    person.command("/key create the second")
    person.wait_for(
        "general",
        "it waits for an approver. In your direct message with me, Nudge asks them again and "
        "Cancel request takes it back.",
    )

    world.carol.click(card, "Approve")
    world.revealable(person)
    person.command("/key create the third")
    person.wait_for("general", "it is approved: click Reveal my key in your direct message with me")

    key = world.reveals(person)
    world.receipt(person, key)
    person.command("/key create the fourth")
    person.wait_for("general", f"its key {key.key_id} was handed over. Say I have it")
    assert [one.id for one in world.requests(person)] == [first.id]


def test_a_person_without_an_iam_user_is_told(world: World) -> None:
    person = world.engineer(iam=False)

    person.command("/key create x")

    person.wait_for("general", "AWS has no IAM user by your name")
    world.nothing_happened(person)


def test_an_address_that_slack_has_not_confirmed_proves_nothing(world: World) -> None:
    person = world.engineer(email_confirmed=False)

    person.command("/key create x")

    person.wait_for("general", "Slack has no confirmed e-mail address for you")
    world.nothing_happened(person)


def test_with_two_keys_one_is_told_which_is_older_when_each_was_used_and_what_makes_room(
    world: World,
) -> None:
    person = world.engineer(keys=2)
    old, new = sorted(world.keys(person))
    world.aws.backdate(old, datetime.now(UTC) - timedelta(days=400))
    used = datetime.now(UTC) - timedelta(days=2)
    world.aws.mark_used(new, used, "ec2", "eu-central-1")

    person.command("/key create a third one")

    words = person.wait_for(
        "general", "You have two access keys already, which is all AWS allows"
    ).words
    [about_old, about_new] = words.split(": ", 1)[1].split("; ")[:2]
    assert old in about_old and "never used, the older one" in about_old
    assert (
        new in about_new
        and f"last used {used.day}" in about_new
        and "for ec2 in eu-central-1" in about_new
    )
    assert "older one" not in about_new
    assert f"Deleting one makes room: /key disable {old}, then /key delete {old}" in words
    world.nothing_happened(person)


# -- taking it back


def test_a_pending_request_can_be_cancelled(world: World) -> None:
    person = world.engineer()
    card = world.asks(person)

    person.click(person.wait_for("dm", "You asked", button="Cancel request"), "Cancel request")

    _is_cancelled(world, person, "No key was made.")
    world.carol.click(card, "Approve")
    world.carol.wait_for(
        "key-approvals", f"This request was already cancelled by @{handle(person)} on"
    )
    _may_ask_again(world, person)


def test_an_approved_request_can_be_cancelled(world: World) -> None:
    person = world.engineer()
    approved = world.approved(person)

    person.click(approved, "Cancel request")

    _is_cancelled(world, person, "No key is kept.")
    person.click(approved, "Reveal my key")
    person.wait_for("dm", f"This request was already cancelled by @{handle(person)} on")
    assert not world.changes(person)
    _may_ask_again(world, person)


def _is_cancelled(world: World, person: LocalPerson, kept: str) -> None:
    person.wait_for("dm", f"Cancelled. {kept}")
    card = world.carol.wait_for("key-approvals", f"Cancelled by @{handle(person)}, ")
    assert not card.buttons
    world.slack.wait_until(
        lambda: not any(one.buttons for one in person.messages("dm")), why="no button is left"
    )
    assert world.request(person).status == "cancelled"


def _may_ask_again(world: World, person: LocalPerson) -> None:
    person.command("/key create another")
    world.carol.wait_for("key-approvals", f"@{handle(person)} asks", button="Approve")
