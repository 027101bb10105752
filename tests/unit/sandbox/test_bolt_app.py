"""Run a real Bolt app on the sandbox, over Socket Mode and over signed HTTP.

`tests/verification/test_ack_timeout.py` has a command that is not acked in time.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox.local import LocalSlack

pytestmark = pytest.mark.usefixtures("app")


def test_a_card_can_be_approved_and_revealed(slack: LocalSlack) -> None:
    """Command, button, rendered card, direct message, ephemeral message, deleted."""
    alice, carol = slack.person("alice"), slack.person("carol")
    assert alice.command("/key create a key").acked
    card = carol.wait_for("key-approvals", "create a key", button="Approve")
    assert carol.click(card, "Approve").acked
    assert carol.wait_for("key-approvals", "approved").buttons == []
    assert alice.click(alice.wait_for("dm", "ready"), "Reveal").acked
    shown = alice.wait_for("dm", "secret")
    assert shown.ephemeral
    assert "secret" in slack.ephemeral_text() and "secret" not in slack.lasting_text()
    assert alice.click(shown, "Saved").acked
    slack.wait_until(lambda: alice.last("dm", "secret") is None, why="the ephemeral is gone")
    assert slack.ephemeral_text() == ""
    assert slack.calls("response_url")[0].answer == {"status": 200, "text": "ok"}


def test_an_ack_with_text_is_shown_to_one_user_alone(slack: LocalSlack) -> None:
    alice, bob = slack.person("alice"), slack.person("bob")
    assert alice.command("/key").acked
    assert alice.wait_for("general", "say more").ephemeral
    assert bob.messages("general") == []


def test_a_modal_can_be_refused_updated_pushed_and_closed(slack: LocalSlack) -> None:
    """Every response_action is applied. The bot hears of a closed modal on request."""
    alice = slack.person("alice")
    alice.command("/key x")
    card = alice.wait_for("key-approvals", "x")
    alice.click(card, "Ask")
    alice.wait_for_modal("Reason")
    assert alice.submit({}).error == "required_field"
    alice.submit({"reason": "bad"})
    assert alice.field_errors == {"reason": "give a better reason"}
    alice.submit({"reason": "more"})
    assert "Pushed" in alice.modal_words
    alice.close_modal()
    alice.click_in_modal("More")
    alice.wait_for_modal("More\nMore")
    alice.close_modal()
    alice.submit({"reason": "update"})
    assert "Updated" in alice.modal_words
    alice.close_modal()
    assert alice.modal is None
    alice.click(card, "Ask")
    alice.wait_for_modal("Reason")
    assert alice.submit({"reason": "good"}).error is None
    assert alice.modal is None
    alice.click(card, "Ask")
    alice.wait_for_modal("Reason")
    assert alice.last("dm", "closed") is None
    assert alice.close_modal().acked
    alice.wait_for("dm", "closed")


def test_opening_the_home_tab_has_it_published(slack: LocalSlack) -> None:
    alice = slack.person("alice")
    assert alice.open_home().acked
    alice.wait_for_home("home")
    assert alice.click_in_home("Ask").acked
    alice.wait_for_modal("Reason")


def test_twenty_clicks_at_once_are_all_acked(slack: LocalSlack) -> None:
    alice = slack.person("alice")
    with ThreadPoolExecutor(20) as pool:
        deliveries = list(pool.map(lambda n: alice.command(f"/key number {n}"), range(20)))
    assert all(one.acked for one in deliveries)
    slack.wait_until(lambda: len(alice.messages("key-approvals")) == 20, why="20 cards")
