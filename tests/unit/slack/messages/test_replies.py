"""The private answers to clicks and forms: which one is given in which state."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from slack_sdk import WebClient

from bot.domain.identity import Member
from bot.domain.secret import Secret
from bot.operations import disable_key, report_leak
from bot.slack import action_ids
from bot.slack.listeners.context import Click, HandleClick, ListenerContext, Submission
from bot.slack.listeners.responder import Responder
from bot.slack.listeners.routes import BUTTONS, FORMS
from bot.slack.messages import replies
from bot.slack.messages.blocks import Message, date_token
from bot.slack.messages.form_input import FormInput
from bot.slack.messages.modals import FormDefaults
from bot.slack.messages.request_status import approvals_text
from bot.slack.payload import Payload
from tests.support.example_messages import INSTEAD, SECRET, URGENT, VERB_STATES
from tests.support.example_requests import (
    APPROVER,
    KEY,
    KEYS,
    LATER,
    PENDING,
    REQUESTER,
    REQUESTS,
    UNKNOWN_USE,
    buttons,
    everything,
    formatted,
    parts,
)
from tests.support.world import ALICE, BOB, CAROL, TEAM, World, make_desk

DAY = timedelta(days=1)
WHY = "it is in a public file"


class Shown:
    """A responder that keeps what it shows."""

    def __init__(self) -> None:
        self.message = Message("", [])

    def show(self, message: Message, *, replace: bool = False) -> None:
        self.message = message


def answered(world: World, member: Member, handle: Any, about: object) -> Message:
    """Return the answer to a click on a button with this value, or to this form."""
    shown, context = Shown(), ListenerContext(world.services, WebClient(), FormDefaults())
    responder = cast(Responder, shown)
    if isinstance(about, FormInput):
        handle(
            Submission(
                context, member, responder, Payload(user=member.id, team=TEAM, delivery=""), about
            )
        )
    else:
        click = Payload(user=member.id, team=TEAM, delivery="", value=str(about))
        cast(HandleClick, handle)(Click(Click(context, member, responder, click)))
    return shown.message


def handler(name: str) -> Any:
    """Return the handler of a button or form."""
    found = {**BUTTONS, **FORMS}[name]
    return found[0] if isinstance(found, tuple) else getattr(found, "handle", found)


def test_an_approver_reads_whether_the_key_was_off_before() -> None:
    world = make_desk()
    key_id, other = world.console_key(), world.console_key()
    disable_key.disable(world.services, ALICE, key_id)
    form = handler(action_ids.DISABLE_FOR_FORM)
    typed = FormInput(WHY, key_id=key_id)
    user = world.services.issuer.keys("alice@example.com")[0].iam_user
    expected = [
        replies.disabled_for(key_id, user, already=True, updated=True, owner_told=True),
        replies.already_off(key_id),
        replies.disabled_for(other, user, already=False, updated=True, owner_told=True),
    ]
    assert [
        answered(world, CAROL, form, typed),
        answered(world, CAROL, form, typed),
        answered(world, CAROL, form, FormInput(WHY, key_id=other)),
    ] == expected


@pytest.mark.parametrize("reported", [False, True])
def test_a_late_receipt_of_a_key_that_stays_off_says_why(reported: bool) -> None:
    world = make_desk()
    key_id = world.unclaimed().access_key_id
    if reported:
        report_leak.report(world.services, BOB, key_id)
    else:
        disable_key.disable_for(world.services, CAROL, key_id, WHY)
    assert answered(world, ALICE, handler(action_ids.ENABLE_UNCLAIMED), key_id) == replies.claimed(
        key_id, active=False, reported=reported
    )


def test_no_new_reveal_is_promised_after_an_approver_disabled() -> None:
    world = make_desk()
    key_id = world.delivered().access_key_id
    world.pass_time(DAY / 4)
    disable_key.disable_for(world.services, CAROL, key_id, WHY)
    shown = answered(world, ALICE, handler(action_ids.DID_NOT_GET), key_id)
    assert f"<@{CAROL.id}>" in shown.text and "reveal" not in shown.text


def test_undo_is_promised_only_where_it_works() -> None:
    world = make_desk()
    request = world.rotated()
    report_leak.report(world.services, BOB, request.target)
    click = handler(action_ids.DISABLE_OLD)
    assert answered(world, ALICE, click, request.access_key_id) == replies.old_key_disabled(
        request.target, can_undo=False
    )
    world = make_desk()
    request = world.rotated()
    assert answered(world, ALICE, click, request.access_key_id) == replies.old_key_disabled(
        request.target, can_undo=True
    )


def test_an_approval_says_how_many_are_missing() -> None:
    shown = replies.approved(REQUESTS["approved by one of three"]).text
    assert approvals_text(REQUESTS["approved by one of three"]) in shown and "2 more" in shown


def test_each_outcome_of_an_approval_has_its_own_words() -> None:
    states = ("applied", "approved", "not applied", "cancelled after approval")
    shown = [replies.approved(VERB_STATES[f"enable: {state}"]).text for state in states]
    shown.append(replies.approved(REQUESTS["approved"]).text)
    assert len(set(shown)) == 5
    assert f"<@{REQUESTER}>" in shown[0] and f"<@{REQUESTER}>" in shown[4]


@pytest.mark.parametrize(
    ("name", "left"), [("approved again", True), ("closed", False), ("stopped and closed", False)]
)
def test_a_new_reveal_is_offered_only_while_one_is_left(name: str, left: bool) -> None:
    request = REQUESTS[name] if name != "closed" else replace(REQUESTS[name], reveals=3)
    shown = replies.key_deleted(KEY, request).text
    assert ("reveal a new key" in shown) is left
    assert (f"<@{APPROVER}>" in shown) is (name == "stopped and closed")


def test_a_request_that_waits_says_until_when() -> None:
    assert date_token(LATER) in replies.request_sent(PENDING).text
    without = replies.request_sent(replace(PENDING, deadline=None))
    assert "<!date" not in without.text
    assert ":rotating_light:" in replies.request_sent(URGENT).text
    assert "4 hours" in replies.request_sent(URGENT).text
    assert "4 hours" not in replies.request_sent(replace(URGENT, urgent=False)).text


def test_a_request_names_no_approval_that_may_not_be_needed() -> None:
    """Whether an admin's key is asked for is not known yet."""
    sent = [
        replies.request_sent(replace(PENDING, approvals_needed=needed, extra_approval=extra))
        for needed, extra in ((1, False), (2, False), (2, True), (3, True))
    ]
    assert all(one == sent[0] for one in sent)


def test_what_to_use_instead_comes_first() -> None:
    shown = replies.request_sent(PENDING, INSTEAD)
    assert shown.blocks[0]["text"]["text"] == INSTEAD and len(shown.blocks) == 2
    assert shown.text.startswith(INSTEAD)


def test_the_thanks_for_a_report_tell_nothing_about_the_key() -> None:
    assert KEY not in everything(replies.leak_reported())


def test_disabled_says_what_stops_and_how_to_turn_it_on() -> None:
    shown = everything(replies.disabled(KEYS[0]))
    used = KEYS[0].last_used
    assert used and used.at and date_token(used.at) in shown
    assert f"`/key enable {KEY} &lt;reason&gt;`" in shown and f"`/key delete {KEY}`" in shown
    assert "never" not in replies.disabled(UNKNOWN_USE).text


def test_the_secret_is_in_the_usual_forms_and_never_formatted() -> None:
    message = replies.secret_message(KEYS[0], Secret(SECRET))
    verbatim = [one["elements"][0]["text"] for one in parts(message, "rich_text_preformatted")]
    assert verbatim == [
        f"Access key ID      {KEY}\nSecret access key  {SECRET}",
        f"[keydesk]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}",
        f"export AWS_ACCESS_KEY_ID={KEY}\nexport AWS_SECRET_ACCESS_KEY={SECRET}",
        f"aws configure --profile keydesk set aws_access_key_id {KEY}\n"
        f"aws configure --profile keydesk set aws_secret_access_key {SECRET}",
    ]
    assert everything(message).count(SECRET) == 4
    assert not any(SECRET in text for text in formatted(message))
    assert "default" not in everything(message)
    assert buttons(message) == {action_ids.SAVED: KEY}


def test_only_one_function_is_given_a_secret() -> None:
    builders = [
        one
        for one in vars(replies).values()
        if getattr(one, "__module__", "") == replies.__name__ and one is not replies.secret_message
    ]
    assert len(builders) > 20
    for builder in builders:
        assert "Secret" not in str(getattr(builder, "__annotations__", ""))
