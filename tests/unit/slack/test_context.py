"""Forms and answers of the new verbs: a form that asks AWS opens at once, and is filled or says why it cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from slack_sdk import WebClient

from bot.domain.codes import Code
from bot.domain.identity import IamUser
from bot.domain.keys import KeyStatus, ManagedKey
from bot.domain.outside_errors import IamUnavailable
from bot.domain.records import AuditEntry, Change
from bot.domain.states import Status
from bot.operations import create_request
from bot.operations.disable_key import adopted_key
from bot.slack import action_ids
from bot.slack.messages import modals
from bot.slack.messages.modals import FormDefaults
from bot.slack.messages.replies import CHECKING_TEXT
from sandbox.local import LocalSlack
from tests.support.logged import Log
from tests.support.slack_services import PATIENCE, SlackDesk, serving, words_of

ALICE = "alice@example.com"
INSTEAD = "People: use <https://sso.example.com|SSO> & co."


@pytest.fixture
def services(slack: LocalSlack, web: WebClient, log: Log) -> Iterator[SlackDesk]:
    """A desk that is served."""
    with serving(slack, web) as served:
        yield served


def key(services: SlackDesk, *, active: bool = True) -> str:
    """Alice has a key that was made elsewhere; returns its ID."""
    made, _ = services.iam.create_key(ALICE)
    if not active:
        services.iam.set_status(ALICE, made.id, KeyStatus.INACTIVE)
    return made.id


# -- open_with


@pytest.mark.parametrize(
    ("line", "title", "words"),
    [
        ("/key rotate", "rotate", "Which key do you want to replace?"),
        ("/key enable", "enable", "Why do you need it again?"),
    ],
)
def test_a_form_that_asks_aws_opens_at_once_and_is_then_filled(
    services: SlackDesk, line: str, title: str, words: str
) -> None:
    key(services, active=title == "rotate")
    held = services.slack.faults.hold("views.update")
    services.alice.command(line)
    first = services.alice.wait_for_modal(CHECKING_TEXT)
    assert first["title"]["text"] == modals.TITLES[title]
    held.release()
    view = services.alice.wait_for_modal(words)
    assert view["id"] == first["id"] and view["callback_id"] == f"{title}_form"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/key rotate", "have an access key to rotate"),
        ("/key enable", "have an inactive access key"),
    ],
)
def test_a_refusal_stands_in_the_form(services: SlackDesk, line: str, words: str) -> None:
    services.alice.command(line)
    view = services.alice.wait_for_modal(words)
    assert view["submit"] is None and not view["callback_id"]


def test_what_aws_does_not_answer_is_said_in_the_form(services: SlackDesk) -> None:
    del services.iam.users[ALICE]
    services.alice.command("/key rotate")
    services.alice.wait_for_modal(words_of(Code.IAM_USER_NOT_FOUND))


def test_form_is_filled_after_a_failed_update(services: SlackDesk) -> None:
    key(services)
    services.slack.faults.status("views.update", 500)
    services.alice.command("/key rotate")
    services.alice.wait_for_modal("Which key do you want to replace?")


def test_form_is_filled_when_the_answer_to_its_opening_is_lost(services: SlackDesk) -> None:
    key(services)
    services.slack.faults.drop("views.open", "after")
    services.alice.command("/key rotate")
    services.alice.wait_for_modal("Which key do you want to replace?")


def test_a_trigger_that_is_too_old_is_answered_all_the_same(services: SlackDesk) -> None:
    key(services)
    services.slack.faults.fail("views.open", "expired_trigger_id")
    services.alice.command("/key rotate")
    assert services.alice.wait_for("general", containing=words_of(Code.SLACK_UNAVAILABLE)).ephemeral
    assert services.alice.modal is None


# -- the forms' answers


def test_a_rotation_can_be_asked_for_in_the_form(services: SlackDesk) -> None:
    old = key(services)
    services.alice.command("/key rotate")
    services.alice.wait_for_modal("Which key do you want to replace?")
    services.alice.submit(
        {
            action_ids.KEY_BLOCK: old,
            action_ids.REASON_BLOCK: "it is old",
            action_ids.LIFETIME_BLOCK: "12h",
        }
    )
    services.alice.wait_for_modal("Sent to the approvers.")
    card = services.carol.wait_for("key-approvals", containing="wants to rotate")
    assert f"Replaces  {old}" in card.words and "12 hours" in card.words
    assert (services.request().target, services.request().delete_first) == (old, "")


def test_with_both_slots_taken_the_form_chooses_and_the_typed_line_says_how_to(
    services: SlackDesk,
) -> None:
    old, other = key(services), key(services)
    services.alice.command(f"/key rotate {old}")
    assert (
        f"/key rotate {old} --delete {other}"
        in services.alice.wait_for("general", containing="Which one should be deleted").words
    )
    services.alice.command("/key rotate")
    services.alice.wait_for_modal("You have two keys, the AWS limit")
    services.alice.submit({action_ids.KEY_BLOCK: old, action_ids.LET_GO_BLOCK: other})
    card = services.carol.wait_for("key-approvals", containing="wants to rotate")
    assert f"Deletes  {other}" in card.words
    assert services.request().delete_first == other


def test_an_inactive_key_can_be_asked_back_in_the_form(services: SlackDesk) -> None:
    key(services)
    off = key(services, active=False)
    services.alice.command(f"/key enable {off}")
    view = services.alice.wait_for_modal("Why do you need it again?")
    [choice] = [one["element"] for one in view["blocks"] if one["block_id"] == action_ids.KEY_BLOCK]
    assert (
        [one["value"] for one in choice["options"]] == [off] == [choice["initial_option"]["value"]]
    )
    services.alice.submit({action_ids.REASON_BLOCK: "nightly job", action_ids.KEY_BLOCK: off})
    services.alice.wait_for_modal("Sent to the approvers.")
    services.carol.click(services.carol.wait_for("key-approvals", button="Approve"), "Approve")
    assert services.carol.wait_for(
        "key-approvals", containing="Approved and done. @alice has been told."
    ).ephemeral
    services.alice.wait_for(containing=f"Key {off} is on again. It may take a minute to work.")
    shown = services.iam.observed(off)
    assert shown is not None and shown.active


@pytest.mark.parametrize("how", ["cancelled", "changed"])
def test_what_is_approved_is_not_said_to_be_done_where_it_is_not(
    services: SlackDesk, how: str
) -> None:
    """Its requester cancels it between the approval and the doing; where its key changes, it is done anew."""
    off = key(services, active=False)
    services.alice.command(f"/key enable {off} nightly job")
    card = services.carol.wait_for("key-approvals", button="Approve")
    read = services.store.key

    def meanwhile(key_id: str) -> ManagedKey | None:
        record, alice = read(key_id), services.services.directory.member("U0ALICE")
        if services.request().status is Status.PENDING:
            return record
        del services.store.key
        if how == "cancelled":
            create_request.cancel(services.services, alice, services.request().id)
        else:
            adoption = adopted_key("111122223333", services.iam.keys(ALICE)[0], alice.id).updated()
            services.store.commit(
                Change(record, adoption), entry=AuditEntry(services.clock.now(), alice.id, "report")
            )
        return record

    services.store.key = meanwhile
    services.carol.click(card, "Approve")
    words = {
        "cancelled": "the change was not made. :x: Cancelled by @alice",
        "changed": "Approved and done",
    }
    assert services.carol.wait_for("key-approvals", containing=words[how]).ephemeral
    kept = services.iam.observed(off)
    assert kept is not None and kept.active is (how == "changed")


def test_what_aws_keeps_from_being_done_can_be_revoked_on_its_card(services: SlackDesk) -> None:
    def away(name: str) -> IamUser:
        raise IamUnavailable("GetUser")

    off = key(services, active=False)
    services.alice.command(f"/key enable {off} nightly job")
    card = services.carol.wait_for("key-approvals", button="Approve")
    services.iam.user = away
    services.carol.click(card, "Approve")
    services.carol.wait_for("key-approvals", containing="The change isn't made yet")
    services.carol.click(services.carol.wait_for("key-approvals", button="Revoke"), "Revoke")
    services.carol.wait_for(
        "key-approvals", containing="Revoked. Nothing was changed. @alice has been told."
    )
    assert (
        "Nothing was changed." in services.alice.wait_for(containing="was revoked by @carol").words
    )


def test_whoever_has_become_a_guest_while_the_form_was_open_denies_nothing(
    services: SlackDesk,
) -> None:
    services.carol.click(services.asked(), "Deny")
    services.carol.wait_for_modal("Why do you deny it?")
    services.slack.change_person("U0CAROL", is_restricted=True)
    services.carol.submit({action_ids.REASON_BLOCK: "no"})
    services.carol.wait_for_modal("Keydesk is for full members")
    assert services.request().status == "pending"


def test_the_row_of_a_list_opens_the_form_with_its_key(services: SlackDesk) -> None:
    key(services)
    old = key(services)
    services.alice.command("/key list")
    listed = services.alice.wait_for("general", containing=old)
    rotate = [button for button in listed.buttons if button.action_id == action_ids.ROTATE][1]
    services.alice.post_action(listed, rotate.action_id, rotate.value)
    view = services.alice.wait_for_modal("Which key do you want to replace?")
    assert view["blocks"][0]["element"]["initial_option"]["value"] == old


def test_a_value_that_is_no_key_is_refused(services: SlackDesk) -> None:
    card = services.asked()
    for action_id in (
        action_ids.ROTATE,
        action_ids.ENABLE,
        action_ids.EXTEND,
        action_ids.DISABLE_FOR,
        action_ids.LEAKED_DISABLE,
    ):
        services.carol.post_action(card, action_id, "AKIA' or '1'='1")
    refused = "You have no access key with that ID"
    services.slack.wait_until(
        lambda: (
            [
                refused in services.carol.modal_words,
                *(refused in one.words for one in services.carol.messages("key-approvals")),
            ].count(True)
            >= 4
        ),
        PATIENCE,
        refused,
    )
    assert services.iam.made == {}


# -- /key create without a reason


def test_what_was_typed_before_the_reason_stands_in_the_form(services: SlackDesk) -> None:
    services.alice.command("/key create --for 12h --user ci-deploy")
    view = services.alice.wait_for_modal("What is the key for?")
    typed = {one["block_id"]: one["element"].get("initial_value") for one in view["blocks"]}
    assert (typed[action_ids.LIFETIME_BLOCK], typed[action_ids.USER_BLOCK]) == ("12h", "ci-deploy")


def test_where_there_are_no_service_users_none_is_turned_into_a_key_of_ones_own(
    services: SlackDesk,
) -> None:
    services.alice.command("/key create --user ci-deploy")
    services.alice.wait_for_modal("What is the key for?")
    services.alice.submit({action_ids.REASON_BLOCK: "deploys"})
    services.alice.wait_for_modal("Service users aren't set up here")
    assert [entry.to_status for entry in services.store.entries] == [
        "refused"
    ] and services.store.requests_of("U0ALICE") == []


def test_what_to_use_instead_of_keys_is_shown_with_the_answer_as_the_operator_wrote_it(
    slack: LocalSlack, web: WebClient, log: Log
) -> None:
    with serving(slack, web, usual=FormDefaults(timedelta(days=90), instead=INSTEAD)) as services:
        services.alice.command("/key create deploy <script>")
        told = services.alice.wait_for("general", containing="Sent to the approvers.")
        assert [one["text"]["text"] for one in told.blocks][0] == INSTEAD and len(told.blocks) == 2
        services.alice.click(services.alice.wait_for(button="Cancel request"), "Cancel request")
        assert "No key was created." in services.alice.wait_for(containing="Cancelled.").words
        services.alice.command("/key create")
        assert (
            services.alice.wait_for_modal("What is the key for?")["blocks"][0]["text"]["text"]
            == INSTEAD
        )
        services.alice.submit({action_ids.REASON_BLOCK: "deploy script"})
        assert "use SSO & co." in services.alice.modal_words or services.alice.wait_for_modal(
            "use SSO & co."
        )


def test_a_cancelled_wish_for_more_time_names_no_command_that_is_none(services: SlackDesk) -> None:
    services.delivered()
    services.alice.click(services.alice.wait_for(button="I have it"), "I have it")
    services.slack.wait_until(lambda: services.request().status == "confirmed", PATIENCE)
    services.clock.advance(timedelta(days=1))
    card = services.alice.wait_for(containing="You have key")
    services.alice.post_action(card, action_ids.EXTEND, services.request().access_key_id)
    services.carol.wait_for("key-approvals", containing="by 7 days")
    services.alice.click(services.alice.wait_for(button="Cancel request"), "Cancel request")
    words = services.alice.wait_for(containing="Nothing was changed.", button=None).words
    assert "/key extend" not in words
