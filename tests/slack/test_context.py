"""Forms and answers of the new verbs: a form that asks AWS opens at once, and is filled or says why it cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from slack_sdk import WebClient

from bot.core.access_key import KeyStatus, ManagedKey
from bot.core.errors import IamUnavailable
from bot.core.moves import Status
from bot.core.people import IamUser
from bot.core.ports import Change, Entry
from bot.core.workflow import ask
from bot.core.workflow.retire import adopted
from bot.slack import forms, ids
from bot.slack.boundary import CHECKING
from bot.slack.forms import Usual
from sandbox.local import LocalSlack
from tests.logged import Log
from tests.slack.desk import PATIENCE, SlackDesk, serving

ALICE = "alice@example.com"
INSTEAD = "People: use <https://sso.example.com|SSO> & co."


@pytest.fixture
def desk(slack: LocalSlack, web: WebClient, log: Log) -> Iterator[SlackDesk]:
    """A desk that is served."""
    with serving(slack, web) as served:
        yield served


def key(desk: SlackDesk, *, active: bool = True) -> str:
    """Alice has a key that was made elsewhere; returns its ID."""
    made, _ = desk.iam.create_key(ALICE)
    if not active:
        desk.iam.set_status(ALICE, made.id, KeyStatus.INACTIVE)
    return made.id


# -- open_with


@pytest.mark.parametrize(
    ("line", "title", "words"),
    [
        ("/key rotate", "rotate", "Which key is to be replaced?"),
        ("/key enable", "enable", "Why is it needed again?"),
    ],
)
def test_a_form_that_asks_aws_opens_at_once_and_is_then_filled(
    desk: SlackDesk, line: str, title: str, words: str
) -> None:
    key(desk, active=title == "rotate")
    held = desk.slack.faults.hold("views.update")
    desk.alice.command(line)
    first = desk.alice.wait_for_modal(CHECKING)
    assert first["title"]["text"] == forms.TITLES[title]
    held.release()
    view = desk.alice.wait_for_modal(words)
    assert view["id"] == first["id"] and view["callback_id"] == f"{title}_form"


@pytest.mark.parametrize(
    ("line", "words"),
    [("/key rotate", "no access key to rotate"), ("/key enable", "no inactive access key")],
)
def test_a_refusal_stands_in_the_form(desk: SlackDesk, line: str, words: str) -> None:
    desk.alice.command(line)
    view = desk.alice.wait_for_modal(words)
    assert view["submit"] is None and not view["callback_id"]


def test_what_aws_does_not_answer_is_said_in_the_form(desk: SlackDesk) -> None:
    del desk.iam.users[ALICE]
    desk.alice.command("/key rotate")
    desk.alice.wait_for_modal("AWS has no IAM user by your name")


def test_a_trigger_that_is_too_old_is_answered_all_the_same(desk: SlackDesk) -> None:
    key(desk)
    desk.slack.faults.fail("views.open", "expired_trigger_id")
    desk.alice.command("/key rotate")
    assert desk.alice.wait_for("general", containing="Slack did not answer").ephemeral
    assert desk.alice.modal is None


# -- the forms' answers


def test_a_rotation_can_be_asked_for_in_the_form(desk: SlackDesk) -> None:
    old = key(desk)
    desk.alice.command("/key rotate")
    desk.alice.wait_for_modal("Which key is to be replaced?")
    desk.alice.submit(
        {ids.KEY_BLOCK: old, ids.REASON_BLOCK: "it is old", ids.LIFETIME_BLOCK: "12h"}
    )
    desk.alice.wait_for_modal("Asked. Your request waits for an approver")
    card = desk.carol.wait_for("key-approvals", containing="asks to rotate")
    assert f"Replaced  {old} stays" in card.words and "lives for 12 hours" in card.words
    assert (desk.request().target, desk.request().let_go) == (old, "")


def test_with_both_slots_taken_the_form_chooses_and_the_typed_line_says_how_to(
    desk: SlackDesk,
) -> None:
    old, other = key(desk), key(desk)
    desk.alice.command(f"/key rotate {old}")
    assert (
        f"/key rotate {old} --delete {other}"
        in desk.alice.wait_for("general", containing="Choose which").words
    )
    desk.alice.command("/key rotate")
    desk.alice.wait_for_modal("Both slots at AWS are taken")
    desk.alice.submit({ids.KEY_BLOCK: old, ids.LET_GO_BLOCK: other})
    card = desk.carol.wait_for("key-approvals", containing="asks to rotate")
    assert f"Deleted  {other} when the new key is revealed" in card.words
    assert desk.request().let_go == other


def test_an_inactive_key_can_be_asked_back_in_the_form(desk: SlackDesk) -> None:
    key(desk)
    off = key(desk, active=False)
    desk.alice.command(f"/key enable {off}")
    view = desk.alice.wait_for_modal("Why is it needed again?")
    [choice] = [one["element"] for one in view["blocks"] if one["block_id"] == ids.KEY_BLOCK]
    assert (
        [one["value"] for one in choice["options"]] == [off] == [choice["initial_option"]["value"]]
    )
    desk.alice.submit({ids.REASON_BLOCK: "nightly job", ids.KEY_BLOCK: off})
    desk.alice.wait_for_modal("Asked.")
    desk.carol.click(desk.carol.wait_for("key-approvals", button="Approve"), "Approve")
    assert desk.carol.wait_for(
        "key-approvals", containing="Approved and done. I have told @alice."
    ).ephemeral
    desk.alice.wait_for(containing=f"Key {off} is active again; it may take a minute to work.")
    shown = desk.iam.shown(off)
    assert shown is not None and shown.active


@pytest.mark.parametrize("how", ["cancelled", "changed"])
def test_what_is_approved_is_not_said_to_be_done_where_it_is_not(desk: SlackDesk, how: str) -> None:
    """Its requester cancels it between the approval and the doing; where its key changes, it is done anew."""
    off = key(desk, active=False)
    desk.alice.command(f"/key enable {off} nightly job")
    card = desk.carol.wait_for("key-approvals", button="Approve")
    read = desk.store.key

    def meanwhile(key_id: str) -> ManagedKey | None:
        record, alice = read(key_id), desk.desk.directory.member("U0ALICE")
        if desk.request().status is Status.PENDING:
            return record
        del desk.store.key
        if how == "cancelled":
            ask.cancel(desk.desk, alice, desk.request().id)
        else:
            adoption = adopted("111122223333", desk.iam.keys(ALICE)[0], alice.id).noted()
            desk.store.commit(
                Change(record, adoption), entry=Entry(desk.clock.now(), alice.id, "report")
            )
        return record

    desk.store.key = meanwhile
    desk.carol.click(card, "Approve")
    words = {
        "cancelled": "it was not done. This request was already cancelled by @alice",
        "changed": "Approved and done",
    }
    assert desk.carol.wait_for("key-approvals", containing=words[how]).ephemeral
    kept = desk.iam.shown(off)
    assert kept is not None and kept.active is (how == "changed")


def test_what_aws_keeps_from_being_done_can_be_revoked_on_its_card(desk: SlackDesk) -> None:
    def away(name: str) -> IamUser:
        raise IamUnavailable("GetUser")

    off = key(desk, active=False)
    desk.alice.command(f"/key enable {off} nightly job")
    card = desk.carol.wait_for("key-approvals", button="Approve")
    desk.iam.user = away
    desk.carol.click(card, "Approve")
    desk.carol.wait_for("key-approvals", containing="that stands; it is not done yet")
    desk.carol.click(desk.carol.wait_for("key-approvals", button="Revoke"), "Revoke")
    desk.carol.wait_for(
        "key-approvals", containing="Revoked. I have told @alice: nothing was done."
    )
    assert "Nothing was done." in desk.alice.wait_for(containing="was revoked by @carol").words


def test_whoever_has_become_a_guest_while_the_form_was_open_denies_nothing(desk: SlackDesk) -> None:
    desk.carol.click(desk.asked(), "Deny")
    desk.carol.wait_for_modal("Why not?")
    desk.slack.change_person("U0CAROL", is_restricted=True)
    desk.carol.submit({ids.REASON_BLOCK: "no"})
    desk.carol.wait_for_modal("Only full members")
    assert desk.request().status == "pending"


def test_the_row_of_a_list_opens_the_form_with_its_key(desk: SlackDesk) -> None:
    key(desk)
    old = key(desk)
    desk.alice.command("/key list")
    listed = desk.alice.wait_for("general", containing=old)
    rotate = [button for button in listed.buttons if button.action_id == ids.ROTATE][1]
    desk.alice.post_action(listed, rotate.action_id, rotate.value)
    view = desk.alice.wait_for_modal("Which key is to be replaced?")
    assert view["blocks"][0]["element"]["initial_option"]["value"] == old


def test_a_value_that_is_no_key_is_refused(desk: SlackDesk) -> None:
    card = desk.asked()
    for action_id in (ids.ROTATE, ids.ENABLE, ids.EXTEND, ids.DISABLE_FOR, ids.LEAKED_DISABLE):
        desk.carol.post_action(card, action_id, "AKIA' or '1'='1")
    refused = "You have no access key with that ID"
    desk.slack.wait_until(
        lambda: (
            [
                refused in desk.carol.modal_words,
                *(refused in one.words for one in desk.carol.messages("key-approvals")),
            ].count(True)
            >= 4
        ),
        PATIENCE,
        refused,
    )
    assert desk.iam.made == {}


# -- /key create without a reason


def test_what_was_typed_before_the_reason_stands_in_the_form(desk: SlackDesk) -> None:
    desk.alice.command("/key create --for 12h --user ci-deploy")
    view = desk.alice.wait_for_modal("What is the key for?")
    typed = {one["block_id"]: one["element"].get("initial_value") for one in view["blocks"]}
    assert (typed[ids.LIFETIME_BLOCK], typed[ids.USER_BLOCK]) == ("12h", "ci-deploy")


def test_where_there_are_no_service_users_none_is_turned_into_a_key_of_ones_own(
    desk: SlackDesk,
) -> None:
    desk.alice.command("/key create --user ci-deploy")
    desk.alice.wait_for_modal("What is the key for?")
    desk.alice.submit({ids.REASON_BLOCK: "deploys"})
    desk.alice.wait_for_modal("Service users are not set up here")
    assert [entry.becomes for entry in desk.store.entries] == [
        "refused"
    ] and desk.store.requests_of("U0ALICE") == []


def test_what_to_use_instead_of_keys_is_shown_with_the_answer_as_the_operator_wrote_it(
    slack: LocalSlack, web: WebClient, log: Log
) -> None:
    with serving(slack, web, usual=Usual(timedelta(days=90), instead=INSTEAD)) as desk:
        desk.alice.command("/key create deploy <script>")
        told = desk.alice.wait_for("general", containing="Asked.")
        assert [one["text"]["text"] for one in told.blocks][0] == INSTEAD and len(told.blocks) == 2
        desk.alice.click(desk.alice.wait_for(button="Cancel request"), "Cancel request")
        assert (
            "No key was made. /key create asks again."
            in desk.alice.wait_for(containing="Cancelled.").words
        )
        desk.alice.command("/key create")
        assert (
            desk.alice.wait_for_modal("What is the key for?")["blocks"][0]["text"]["text"]
            == INSTEAD
        )
        desk.alice.submit({ids.REASON_BLOCK: "deploy script"})
        assert "use SSO & co." in desk.alice.modal_words or desk.alice.wait_for_modal(
            "use SSO & co."
        )


def test_a_cancelled_wish_for_more_time_names_no_command_that_is_none(desk: SlackDesk) -> None:
    desk.delivered()
    desk.alice.click(desk.alice.wait_for(button="I have it"), "I have it")
    desk.slack.wait_until(lambda: desk.request().status == "confirmed", PATIENCE)
    desk.clock.advance(timedelta(days=1))
    card = desk.alice.wait_for(containing="arrived and was confirmed")
    desk.alice.post_action(card, ids.EXTEND, desk.request().access_key_id)
    desk.carol.wait_for("key-approvals", containing="for 7 more days")
    desk.alice.click(desk.alice.wait_for(button="Cancel request"), "Cancel request")
    words = desk.alice.wait_for(containing="Nothing was done.", button=None).words
    assert "/key extend" not in words
