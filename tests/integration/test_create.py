"""Journeys of `/key create`: card, form, refusals, cancelling, `/key help`."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.codes import Code
from bot.slack import action_ids
from bot.slack.messages.kinds import REQUESTED
from sandbox.aws_policies import aws_managed
from sandbox.local_person import LocalPerson
from tests.integration.steps import SECRET_LOOKING, clicks, is_cancelled, named, refused, refuses
from tests.support.key_life import card_of, types, until
from tests.support.running_world import INSTEAD_READS, World
from tests.support.seen_by_user import ephemerals, form_opens
from tests.support.watched_person import handle, iam_name

TRANSPORT = "http"
HOSTILE = "<!channel> & <@U0CAROL> *bold* `code` \u2013 <https://x.test|x> it\u2019s"
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
BUTTONS = [action_ids.APPROVE, action_ids.DENY, action_ids.ON_IT]


def opened(person: LocalPerson, line: str) -> None:
    """Type a command that opens the form of create."""
    assert person.command(line).acked
    form_opens(person, action_ids.CREATE_FORM)


def test_a_request_is_stored_and_shown_to_both_sides(world: World) -> None:
    """What was typed is shown as typed, and notifies only the approvers."""
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)
    world.aws.mark_used(key_id, datetime.now(UTC) - timedelta(days=3))

    card = world.asks(person, HOSTILE)

    request = world.request(person)
    assert (request.status, request.reason) == ("pending", HOSTILE)
    for words in (iam_name(person), HOSTILE, key_id, "us-east-1"):
        assert words in card.words
    assert card.words.count("@key-approvers") == 1
    assert [button.action_id for button in card.buttons] == BUTTONS
    world.answered(person)
    [answer] = ephemerals(person, "general")
    assert answer.words.startswith(INSTEAD_READS)
    lasting = world.message(person, request.name, REQUESTED)
    assert HOSTILE in lasting.words
    assert [one.action_id for one in lasting.buttons] == [action_ids.NUDGE, action_ids.CANCEL]
    assert not world.changes(person), "a request makes no key"


def test_the_card_comes_before_the_permissions(world: World) -> None:
    """A request can be decided before IAM has said what the key may do."""
    person = world.engineer()
    hold = world.aws.faults.hold("ListMFADevices")
    person.command("/key create nightly backup")
    card = card_of(world, person)
    assert hold.reached.wait(10) and world.request(person).awaits_permissions

    world.carol.click(card, action_ids.APPROVE)

    world.revealable(person)
    hold.release()
    key = world.reveals(person)
    assert world.keys(person) == {key.key_id: "Active"}
    assert world.request(person).permissions is None


def test_admin_access_is_shown_on_card_and_home_tab(world: World) -> None:
    """Though one of the questions about permissions is denied."""
    person = world.engineer()
    user, group = iam_name(person), f"group-{handle(person)}"
    world.iam.attach_user_policy(UserName=user, PolicyArn=aws_managed("ReadOnlyAccess"))
    world.iam.create_group(GroupName=group)
    document = json.dumps({"Version": "2012-10-17", "Statement": [EVERYTHING]})
    world.iam.put_group_policy(GroupName=group, PolicyName="nightly", PolicyDocument=document)
    world.iam.add_user_to_group(GroupName=group, UserName=user)
    world.aws.faults.fail("ListMFADevices", "AccessDenied", times=None)
    assert world.carol.open_home().acked

    world.asks(person)

    warning = f"nightly (inline, group {group})"
    until(world, lambda: (now := world.card(person)) and warning in now.words, "the card warns")
    assert "ReadOnlyAccess" in card_of(world, person).words
    permissions = world.request(person).permissions
    assert permissions and permissions.admin_like
    until(world, lambda: warning in world.carol.home_words, "the Home tab warns, too")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("/key frobnicate", Code.UNKNOWN_COMMAND),
        ("/key list <@U0CAROL|carol> <@U0BOB|bob>", Code.ONLY_A_MEMBER),
        ("/key create \u2014for soon x", Code.BAD_LIFETIME),
        ("/key delete ../../etc/passwd", Code.BAD_KEY_ID),
        (f"/key create {'reason ' * 1_400}", Code.REASON_TOO_LONG),
    ],
    ids=["verb", "members", "lifetime", "key-id", "very-long"],
)
def test_a_bad_command_is_answered_and_does_nothing(world: World, line: str, code: Code) -> None:
    person = world.engineer()

    answer = refuses(world, person, line, code)

    assert "/key" in answer.words and len(answer.words) < 300, "what was typed is not repeated"
    assert [answer] == person.messages("general")
    world.nothing_happened(person)


@pytest.mark.parametrize("verb", ["create", "leaked", ""])
def test_a_typed_secret_is_refused_and_stored_nowhere(world: World, verb: str) -> None:
    person = world.engineer()

    refuses(world, person, f"/key {verb} it is {SECRET_LOOKING}", Code.LOOKS_LIKE_SECRET)

    world.nothing_happened(person)
    everywhere = world.log + world.slack.lasting_text() + world.slack.ephemeral_text()
    assert SECRET_LOOKING not in everywhere


def test_help_lists_every_verb(world: World) -> None:
    words = types(world, world.engineer(), "/key \u00a0HELP").words
    assert INSTEAD_READS in words
    for verb in ("create --for 30d", "list", "used AKIA", "rotate AKIA", "disable AKIA"):
        assert f"/key {verb}" in words
    for verb in ("enable AKIA", "delete AKIA", "leaked AKIA", "requests", "help"):
        assert f"/key {verb}" in words


def test_the_form_shows_errors_at_their_fields(world: World) -> None:
    """Other clients may send what Slack's own does not."""
    person = world.engineer()
    opened(person, "/key create --for 12h")
    assert INSTEAD_READS in person.modal_words and "12h" in person.modal_words
    view = copy.deepcopy(form_opens(person, action_ids.CREATE_FORM))
    [field] = [block for block in view["blocks"] if block.get("block_id") == "reason"]
    field["element"].pop("max_length")

    for reason in ("   ", "\u200b\u2060", "x" * 501, f"it is {SECRET_LOOKING}"):
        person.submit({"reason": reason}, view=view)
        assert list(person.field_errors) == ["reason"], reason[:20]
    for lifetime in ("soon", "0d", "never"):
        person.submit({"reason": "a reason", "lifetime": lifetime})
        assert list(person.field_errors) == ["lifetime"], lifetime
    person.submit({"reason": SECRET_LOOKING, "lifetime": "soon"})
    assert set(person.field_errors) == {"reason", "lifetime"}
    world.nothing_happened(person)

    person.submit({"reason": "a reason from the form & more", "lifetime": "2w"})

    world.answered(person)
    assert "a reason from the form & more" in card_of(world, person).words
    assert world.request(person).lifetime == timedelta(weeks=2)


def test_a_refusal_after_the_form_is_shown_in_the_form(world: World) -> None:
    person = world.engineer(keys=2)
    opened(person, "/key create")

    person.submit({"reason": "a third one"})

    refused(world, person, Code.TOO_MANY_KEYS)
    person.wait_for_modal("/key rotate")
    world.nothing_happened(person)


def test_while_a_request_is_open_another_is_refused(world: World) -> None:
    person = world.engineer()
    card = world.asks(person, "the first")
    first = world.request(person)

    refuses(world, person, "/key create the second", Code.REQUEST_ALREADY_OPEN)
    world.carol.click(card, action_ids.APPROVE)
    key = world.reveals(person)
    world.receipt(person, key)
    refuses(world, person, "/key create the third", Code.REQUEST_ALREADY_OPEN)

    assert [one.id for one in world.requests(person)] == [first.id]


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"iam": False}, Code.IAM_USER_NOT_FOUND),
        ({"email_confirmed": False}, Code.EMAIL_NOT_CONFIRMED),
    ],
    ids=["no-iam-user", "email-not-confirmed"],
)
def test_who_has_no_iam_user_is_refused(world: World, how: dict[str, bool], code: Code) -> None:
    person = world.engineer(**how)
    refuses(world, person, "/key create x", code)
    world.nothing_happened(person)


def test_a_third_key_is_refused_with_the_oldest_first(world: World) -> None:
    person = world.engineer(keys=2)
    old, new = sorted(world.keys(person))
    world.aws.backdate(old, datetime.now(UTC) - timedelta(days=400))
    world.aws.mark_used(new, datetime.now(UTC) - timedelta(days=2), "ec2", "eu-central-1")

    words = refuses(world, person, "/key create a third one", Code.TOO_MANY_KEYS).words

    assert words.index(old) < words.index(new) < words.index("eu-central-1")
    assert f"/key rotate {old}" in words
    world.nothing_happened(person)


def test_a_cancelled_request_is_over_for_approvers_too(world: World) -> None:
    person = world.engineer()
    card = world.asks(person)

    person.click(person.wait_for("dm", button=action_ids.CANCEL), action_ids.CANCEL)

    is_cancelled(world, person)
    clicks(world, world.carol, card, action_ids.APPROVE, Code.REQUEST_MOVED_ON)
    types(world, person, "/key create another")
    assert named(person) in card_of(world, person).words


def test_an_approved_request_can_be_cancelled(world: World) -> None:
    person = world.engineer()
    approved = world.approved(person)

    person.click(approved, action_ids.CANCEL)

    is_cancelled(world, person)
    until(world, lambda: not any(m.buttons for m in person.messages("dm")), "no button is left")
    clicks(world, person, approved, action_ids.REVEAL, Code.REQUEST_MOVED_ON)
    assert not world.changes(person)
