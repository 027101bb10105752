"""Does the Web API allow and refuse what Slack does, with Slack's error words?"""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from sandbox.local import LocalSlack
from tests.support.sandbox_app import MANIFEST, card, notice


def error_of(call: Any, *args: Any, **kwargs: Any) -> str:
    """Return the error word of a refused call."""
    with pytest.raises(SlackApiError) as refused:
        call(*args, **kwargs)
    return str(refused.value.response["error"])


def test_a_message_is_posted_changed_and_deleted(slack: LocalSlack, client: WebClient) -> None:
    """The life of a message."""
    posted = client.chat_postMessage(
        channel="C0APPROVALS", text="one", blocks=card("*one* &amp; two")
    )
    carol = slack.person("carol")
    assert carol.messages("key-approvals")[0].words == "one & two"
    client.chat_update(channel="C0APPROVALS", ts=posted["ts"], text="two", blocks=card("two"))
    assert carol.messages("key-approvals")[0].words == "two"
    assert client.chat_getPermalink(channel="C0APPROVALS", message_ts=posted["ts"])["permalink"]
    client.chat_delete(channel="C0APPROVALS", ts=posted["ts"])
    assert carol.messages("key-approvals") == []
    assert "two" in slack.lasting_text()


def test_an_update_without_blocks_drops_them(slack: LocalSlack, client: WebClient) -> None:
    """chat.update with text alone leaves no button."""
    posted = client.chat_postMessage(channel="C0APPROVALS", text="one", blocks=card("one"))
    client.chat_update(channel="C0APPROVALS", ts=posted["ts"], text="two")
    message = slack.person("carol").messages("key-approvals")[0]
    assert (message.blocks, message.words) == ([], "two")


def test_channels_the_bot_may_not_post_to_are_refused(slack: LocalSlack, client: WebClient) -> None:
    """Unknown, foreign, private and archived channels each have their error."""
    assert error_of(client.chat_postMessage, channel="C0NOWHERE", text="x") == "channel_not_found"
    assert error_of(client.chat_postMessage, channel="C0GENERAL", text="x") == "not_in_channel"
    slack.change_channel("C0GENERAL", is_private=True)
    assert error_of(client.chat_postMessage, channel="C0GENERAL", text="x") == "channel_not_found"
    slack.change_channel("C0AUDIT", is_archived=True)
    assert error_of(client.chat_postMessage, channel="C0AUDIT", text="x") == "is_archived"


def test_a_user_id_as_channel_means_their_direct_message(
    slack: LocalSlack, client: WebClient
) -> None:
    """chat.postMessage answers the D ID, which conversations.open gives, too."""
    assert client.chat_postMessage(channel="U0ALICE", text="hello")["channel"] == "D0ALICE"
    assert client.conversations_open(users=["U0ALICE"])["channel"]["id"] == slack.person("alice").dm
    assert slack.person("alice").last("dm", "hello") is not None
    slack.change_person("U0BOB", deleted=True)
    assert error_of(client.conversations_open, users="U0BOB") == "user_disabled"


def test_an_ephemeral_message_is_seen_by_one_person_until_they_reload(
    slack: LocalSlack, client: WebClient
) -> None:
    """It is in nobody else's view, and in no lasting text."""
    alice, carol = slack.person("alice"), slack.person("carol")
    client.chat_postEphemeral(channel="C0APPROVALS", user="U0ALICE", text="psst")
    assert alice.messages("key-approvals")[0].ephemeral
    assert carol.messages("key-approvals") == []
    assert "psst" not in slack.lasting_text()
    alice.reload()
    assert alice.messages("key-approvals") == []
    assert slack.ephemeral_text() == ""


def test_an_ephemeral_message_to_somebody_away_is_accepted_and_lost(
    slack: LocalSlack, client: WebClient
) -> None:
    """ok: true is not a receipt."""
    alice = slack.person("alice")
    alice.go_away()
    assert client.users_getPresence(user="U0ALICE")["presence"] == "away"
    assert client.chat_postEphemeral(channel=alice.dm, user=alice.id, text="psst")["ok"]
    alice.come_back()
    assert alice.messages("dm") == []


def test_an_ephemeral_message_can_be_misaddressed(slack: LocalSlack, client: WebClient) -> None:
    """The channel must be one, and the person in it; it cannot be changed or deleted afterwards."""
    post = client.chat_postEphemeral
    assert error_of(post, channel="U0ALICE", user="U0ALICE", text="x") == "channel_not_found"
    assert error_of(post, channel="C0AUDIT", user="U0ALICE", text="x") == "user_not_in_channel"
    ts = post(channel="D0ALICE", user="U0ALICE", text="x")["message_ts"]
    assert error_of(client.chat_update, channel="D0ALICE", ts=ts, text="y") == "message_not_found"
    assert error_of(client.chat_delete, channel="D0ALICE", ts=ts) == "message_not_found"


def test_somebody_elses_message_cannot_be_changed(slack: LocalSlack, client: WebClient) -> None:
    """The bot changes only its own."""
    said = slack.person("alice").say("hello & bye", "key-approvals")
    assert said.words == "hello & bye"
    assert (
        error_of(client.chat_update, channel="C0APPROVALS", ts=said.ts, text="x")
        == "cant_update_message"
    )


def test_tokens_and_scopes_are_checked(slack: LocalSlack, tmp_path: Path) -> None:
    """Wrong tokens, a token of the wrong kind, a missing scope and an unknown method are refused."""
    assert error_of(WebClient(base_url=slack.api_url).auth_test) == "not_authed"
    assert error_of(WebClient(token="xoxb-no", base_url=slack.api_url).auth_test) == "invalid_auth"
    app_client = WebClient(token=slack.app_token, base_url=slack.api_url)
    assert (
        error_of(app_client.chat_postMessage, channel="C0AUDIT", text="x")
        == "not_allowed_token_type"
    )
    assert (
        error_of(WebClient(token=slack.bot_token, base_url=slack.api_url).api_call, "no.such")
        == "unknown_method"
    )
    poor = tmp_path / "poor.yml"
    poor.write_text(
        yaml.safe_dump({**MANIFEST, "oauth_config": {"scopes": {"bot": ["users:read"]}}})
    )
    with LocalSlack(poor) as other:
        client = WebClient(token=other.bot_token, base_url=other.api_url)
        with pytest.raises(SlackApiError) as refused:
            client.chat_postMessage(channel="C0AUDIT", text="x")
        assert refused.value.response["error"] == "missing_scope"
        assert refused.value.response["needed"] == "chat:write"
        assert "email" not in client.users_info(user="U0ALICE")["user"]["profile"]


def test_people_and_groups_can_be_looked_up(slack: LocalSlack, client: WebClient) -> None:
    """users.info, lookupByEmail, usergroups and conversations answer as Slack's objects."""
    dave = client.users_info(user="U0DAVE")["user"]
    assert (dave["is_restricted"], dave["profile"]["email"]) == (True, "dave@example.com")
    assert client.users_lookupByEmail(email="ALICE@example.com")["user"]["id"] == "U0ALICE"
    slack.change_person("U0ALICE", deleted=True)
    assert error_of(client.users_lookupByEmail, email="alice@example.com") == "users_not_found"
    assert client.users_info(user="U0ALICE")["user"]["deleted"]
    assert client.usergroups_users_list(usergroup="S0APPROVERS")["users"] == ["U0CAROL"]
    slack.set_group("S0APPROVERS", ["U0BOB"])
    assert client.usergroups_list(include_users=True)["usergroups"][0]["users"] == ["U0BOB"]
    assert error_of(client.usergroups_users_list, usergroup="S0NONE") == "no_such_subteam"
    slack.share_channel("C0APPROVALS")
    assert client.conversations_info(channel="C0APPROVALS")["channel"]["is_ext_shared"]
    assert "U0KEYDESK" in client.conversations_members(channel="C0AUDIT")["members"]
    assert error_of(client.conversations_info, channel="D0ALICE") == "missing_scope"
    assert client.bots_info(bot="B0KEYDESK")["bot"]["user_id"] == client.auth_test()["user_id"]


def test_a_view_is_refused_without_a_fresh_trigger(slack: LocalSlack, client: WebClient) -> None:
    """Unknown trigger IDs and bad views are refused, and so is updating a view nobody has open."""
    assert error_of(client.views_open, trigger_id="1.2.x", view=notice("x")) == "invalid_trigger_id"
    assert (
        error_of(client.views_open, trigger_id="1.2.x", view={"type": "home", "blocks": []})
        == "invalid_arguments"
    )
    assert error_of(client.views_update, view_id="V0", view=notice("x")) == "not_found"


def test_a_home_tab_is_published_and_its_hash_guards_it(
    slack: LocalSlack, client: WebClient
) -> None:
    """views.publish with an old hash is refused."""
    home = {"type": "home", "blocks": card("first")}
    first = client.views_publish(user_id="U0ALICE", view=home)["view"]
    client.views_publish(
        user_id="U0ALICE", view={"type": "home", "blocks": card("second")}, hash=first["hash"]
    )
    assert slack.person("alice").home_words == "second"
    assert (
        error_of(client.views_publish, user_id="U0ALICE", view=home, hash=first["hash"])
        == "hash_conflict"
    )


def test_form_encoded_calls_with_blocks_as_text_are_understood(slack: LocalSlack) -> None:
    """Older clients send forms, and blocks as JSON text."""
    blocks = urllib.parse.quote(json.dumps(card("from a form")))
    body = f"token={slack.bot_token}&channel=C0AUDIT&text=x&blocks={blocks}".encode()
    with urllib.request.urlopen(f"{slack.api_url}chat.postMessage", data=body) as answer:
        assert json.load(answer)["ok"]
    assert slack.person("carol").last("key-audit", "from a form") is not None
