"""A form that asks AWS opens at once, then is filled or says why it cannot be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from slack_sdk import WebClient

from bot.domain.codes import Code
from bot.domain.identity import IamUser
from bot.domain.keys import KeyStatus, ManagedKey
from bot.domain.outside_errors import IamUnavailable
from bot.domain.records import AuditEntry, Change
from bot.domain.states import Event, Status
from bot.operations import create_request
from bot.operations.disable_key import adopted_key
from bot.slack import action_ids
from bot.slack.messages import modals, replies
from bot.slack.messages.kinds import REVOKED
from bot.slack.messages.modals import FormDefaults
from bot.slack.messages.replies import CHECKING_TEXT
from sandbox.local import LocalSlack
from sandbox.seen import SeenMessage
from tests.support.logged import Log
from tests.support.slack_services import PATIENCE, SlackDesk, serving
from tests.unit.slack.steps import (
    open_create_form,
    outcome,
    wait_for_answer,
    wait_for_form,
    wait_for_kind,
)

ALICE = "alice@example.com"
INSTEAD = "People: use <https://sso.example.com|SSO> & co."


def key(world: SlackDesk, *, active: bool = True) -> str:
    """Create a key of Alice's outside Keydesk. Return its ID."""
    made, _ = world.iam.create_key(ALICE)
    if not active:
        world.iam.set_status(ALICE, made.id, KeyStatus.INACTIVE)
    return made.id


def values(view: dict[str, Any], part: str) -> dict[str, Any]:
    """Return this part of each field of a form, by block ID."""
    blocks = [one for one in view["blocks"] if one["type"] == "input"]
    return {one["block_id"]: one["element"].get(part) for one in blocks}


def card(world: SlackDesk) -> SeenMessage:
    return world.carol.wait_for("key-approvals", button=action_ids.APPROVE)


# -- opening


@pytest.mark.parametrize("verb", ["rotate", "enable"])
def test_a_form_opens_at_once_and_is_filled_later(served: SlackDesk, verb: str) -> None:
    key(served, active=verb == "rotate")
    held = served.slack.faults.hold("views.update")
    served.alice.command(f"/key {verb}")
    first = served.alice.wait_for_modal(CHECKING_TEXT)
    assert first["title"]["text"] == modals.TITLES[verb]
    held.release()
    assert wait_for_form(served.alice, f"{verb}_form")["id"] == first["id"]


@pytest.mark.parametrize(
    ("verb", "user", "code"),
    [
        ("rotate", ALICE, Code.NO_KEY_TO_ROTATE),
        ("enable", ALICE, Code.NO_INACTIVE_KEY),
        ("rotate", "", Code.IAM_USER_NOT_FOUND),
    ],
)
def test_a_refusal_is_shown_in_the_form(
    served: SlackDesk, log: Log, verb: str, user: str, code: Code
) -> None:
    if not user:
        del served.iam.users[ALICE]
    served.alice.command(f"/key {verb}")
    assert outcome(served, log, verb)["code"] == code
    view = wait_for_form(served.alice, "")
    assert view["submit"] is None and CHECKING_TEXT not in served.alice.modal_words


FAULTS: dict[str, Callable[[LocalSlack], None]] = {
    "the update fails": lambda slack: slack.faults.status("views.update", 500),
    "the opening's answer is lost": lambda slack: slack.faults.drop("views.open", "after"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_form_is_filled_though_a_call_fails(served: SlackDesk, fault: str) -> None:
    key(served)
    FAULTS[fault](served.slack)
    served.alice.command("/key rotate")
    wait_for_form(served.alice, action_ids.ROTATE_FORM)


def test_an_expired_trigger_is_answered_outside_the_form(served: SlackDesk, log: Log) -> None:
    key(served)
    served.slack.faults.fail("views.open", "expired_trigger_id")
    served.alice.command("/key rotate")
    assert outcome(served, log, "rotate")["code"] == Code.SLACK_REFUSED_CALL
    assert served.alice.wait_for("general").ephemeral and served.alice.modal is None


def test_a_listed_key_opens_the_form_with_that_key(served: SlackDesk) -> None:
    _, old = key(served), key(served)
    served.alice.command("/key list")
    listed = served.alice.wait_for("general", containing=old)
    served.alice.post_action(listed, action_ids.ROTATE, old)
    view = wait_for_form(served.alice, action_ids.ROTATE_FORM)
    assert values(view, "initial_option")[action_ids.KEY_BLOCK]["value"] == old


def test_a_value_that_is_no_key_is_refused(served: SlackDesk, log: Log) -> None:
    about_keys = ("ROTATE", "ENABLE", "EXTEND", "DISABLE_FOR", "LEAKED_DISABLE")
    message = served.asked()
    for name in about_keys:
        action_id = getattr(action_ids, name)
        served.carol.post_action(message, action_id, "AKIA' or '1'='1")
        assert outcome(served, log, action_id)["code"] == Code.NOT_YOUR_KEY
    assert served.iam.made == {}


# -- submitting


def test_a_rotation_is_requested_in_the_form(served: SlackDesk) -> None:
    old = key(served)
    served.alice.command("/key rotate")
    wait_for_form(served.alice, action_ids.ROTATE_FORM)
    served.alice.submit(
        {
            action_ids.KEY_BLOCK: old,
            action_ids.REASON_BLOCK: "it is <old>",
            action_ids.LIFETIME_BLOCK: "12h",
        }
    )
    assert old in card(served).words and "it is <old>" in card(served).words
    request = served.request()
    assert (request.target, request.delete_first) == (old, "")
    assert request.lifetime == timedelta(hours=12)


def test_with_two_keys_a_rotation_asks_which_to_delete(served: SlackDesk, log: Log) -> None:
    """A command names both choices, a form offers them."""
    old, other = key(served), key(served)
    served.alice.command(f"/key rotate {old}")
    assert outcome(served, log, "rotate")["code"] == Code.MUST_CHOOSE_KEY
    command = f"/key rotate {old} --delete {other}"
    assert served.alice.wait_for("general", containing=command).ephemeral
    served.alice.command("/key rotate")
    wait_for_form(served.alice, action_ids.ROTATE_FORM)
    served.alice.submit({action_ids.KEY_BLOCK: old, action_ids.LET_GO_BLOCK: other})
    assert other in card(served).words and served.request().delete_first == other


def test_an_inactive_key_is_enabled_after_an_approval(served: SlackDesk, log: Log) -> None:
    key(served)
    off = key(served, active=False)
    served.alice.command(f"/key enable {off}")
    view = wait_for_form(served.alice, action_ids.ENABLE_FORM)
    options = values(view, "options")[action_ids.KEY_BLOCK]
    chosen = values(view, "initial_option")[action_ids.KEY_BLOCK]
    assert [one["value"] for one in options] == [off] == [chosen["value"]]
    served.alice.submit({action_ids.REASON_BLOCK: "nightly job", action_ids.KEY_BLOCK: off})
    served.carol.click(card(served), "Approve")
    assert outcome(served, log, "approve")["outcome"] == "done"
    enabled = served.iam.observed(off)
    assert enabled is not None and enabled.active and served.request().last_event is Event.APPLY
    wait_for_kind(served, "outcome:0")


@pytest.mark.parametrize("how", ["cancelled", "changed"])
def test_an_approval_says_what_became_of_the_change(served: SlackDesk, log: Log, how: str) -> None:
    """It is cancelled meanwhile. If only the key changed, it is tried again."""
    off = key(served, active=False)
    served.alice.command(f"/key enable {off} nightly job")
    message, read = card(served), served.store.key

    def meanwhile(key_id: str) -> ManagedKey | None:
        record, alice = read(key_id), served.services.directory.member("U0ALICE")
        if served.request().status is Status.PENDING:
            return record
        del served.store.key
        if how == "cancelled":
            create_request.cancel(served.services, alice, served.request().id)
        else:
            adoption = adopted_key("111122223333", served.iam.keys(ALICE)[0], alice.id).updated()
            entry = AuditEntry(served.clock.now(), alice.id, "report")
            served.store.commit(Change(record, adoption), entry=entry)
        return record

    served.store.key = meanwhile
    served.carol.click(message, "Approve")
    outcome(served, log, "approve")
    wait_for_answer(served.carol, replies.approved(served.request()), "key-approvals")
    observed = served.iam.observed(off)
    assert observed is not None and observed.active is (how == "changed")
    event = Event.APPLY if how == "changed" else Event.CANCEL
    assert served.request().last_event is event


def test_a_change_that_aws_stops_can_be_revoked(served: SlackDesk, log: Log) -> None:
    def away(name: str) -> IamUser:
        raise IamUnavailable("GetUser")

    off = key(served, active=False)
    served.alice.command(f"/key enable {off} nightly job")
    message = card(served)
    served.iam.user = away
    served.carol.click(message, "Approve")
    assert outcome(served, log, "approve")["code"] == Code.APPROVED_NOT_APPLIED
    revocable = served.carol.wait_for("key-approvals", button=action_ids.REVOKE)
    served.carol.click(revocable, "Revoke")
    assert outcome(served, log, action_ids.REVOKE)["outcome"] == "done"
    wait_for_kind(served, REVOKED)
    observed = served.iam.observed(off)
    assert observed is not None and not observed.active
    assert served.request().last_event is Event.REVOKE


# -- options of /key create


def test_typed_options_are_filled_into_the_form(served: SlackDesk) -> None:
    served.alice.command("/key create --for 12h --user ci-deploy")
    typed = values(wait_for_form(served.alice, action_ids.CREATE_FORM), "initial_value")
    assert typed[action_ids.LIFETIME_BLOCK] == "12h"
    assert typed[action_ids.USER_BLOCK] == "ci-deploy"


def test_without_service_users_none_becomes_an_own_key(served: SlackDesk, log: Log) -> None:
    served.alice.command("/key create --user ci-deploy")
    wait_for_form(served.alice, action_ids.CREATE_FORM)
    served.alice.submit({action_ids.REASON_BLOCK: "deploys"})
    assert outcome(served, log, action_ids.CREATE_FORM)["outcome"] == "refused"
    assert [entry.to_status for entry in served.store.entries] == ["refused"]
    assert served.store.requests_of("U0ALICE") == []


def test_what_to_use_instead_is_shown_as_written(
    slack: LocalSlack, web: WebClient, log: Log
) -> None:
    usual = FormDefaults(timedelta(days=90), instead=INSTEAD)
    with serving(slack, web, usual=usual) as world:
        world.alice.command("/key create deploy <script>")
        answer = world.alice.wait_for("general")
        assert [one["text"]["text"] for one in answer.blocks][0] == INSTEAD
        assert len(answer.blocks) == 2
        cancellable = world.alice.wait_for(button=action_ids.CANCEL)
        world.alice.click(cancellable, "Cancel request")
        outcome(world, log, action_ids.CANCEL)
        assert open_create_form(world)["blocks"][0]["text"]["text"] == INSTEAD
        world.alice.submit({action_ids.REASON_BLOCK: "deploy script"})
        world.alice.wait_for_modal("use SSO & co.")


def test_a_cancelled_extension_names_no_unknown_command(served: SlackDesk, log: Log) -> None:
    served.delivered()
    served.alice.click(served.alice.wait_for(button=action_ids.HAVE_IT), "I have it")
    served.slack.wait_until(lambda: served.request().status is Status.CONFIRMED, PATIENCE)
    served.clock.advance(timedelta(days=1))
    message = served.alice.messages()[-1]
    served.alice.post_action(message, action_ids.EXTEND, served.request().access_key_id)
    card(served)
    served.alice.click(served.alice.wait_for(button=action_ids.CANCEL), "Cancel request")
    assert outcome(served, log, action_ids.CANCEL)["outcome"] == "done"
    assert served.request().status is Status.CANCELLED
    assert not any("/key extend" in one.words for one in served.alice.messages())
