"""Allow and refuse what Slack's Web API does, with Slack's errors."""

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
    """Return the error of a refused call."""
    with pytest.raises(SlackApiError) as refused:
        call(*args, **kwargs)
    return str(refused.value.response["error"])


def test_a_message_is_posted_changed_and_deleted(slack: LocalSlack, client: WebClient) -> None:
    blocks = card("*one* &amp; two")
    posted = client.chat_postMessage(channel="C0APPROVALS", text="one", blocks=blocks)
    carol = slack.person("carol")
    assert carol.messages("key-approvals")[0].words == "one & two"
    client.chat_update(channel="C0APPROVALS", ts=posted["ts"], text="two", blocks=card("two"))
    assert carol.messages("key-approvals")[0].words == "two"
    assert client.chat_getPermalink(channel="C0APPROVALS", message_ts=posted["ts"])["permalink"]
    client.chat_delete(channel="C0APPROVALS", ts=posted["ts"])
    assert carol.messages("key-approvals") == []
    assert "two" in slack.lasting_text()


def test_an_update_without_blocks_drops_them(slack: LocalSlack, client: WebClient) -> None:
    posted = client.chat_postMessage(channel="C0APPROVALS", text="one", blocks=card("one"))
    client.chat_update(channel="C0APPROVALS", ts=posted["ts"], text="two")
    message = slack.person("carol").messages("key-approvals")[0]
    assert (message.blocks, message.words) == ([], "two")


@pytest.mark.parametrize(
    ("channel", "change", "error"),
    [
        ("C0NOWHERE", {}, "channel_not_found"),
        ("C0GENERAL", {}, "not_in_channel"),
        ("C0GENERAL", {"is_private": True}, "channel_not_found"),
        ("C0AUDIT", {"is_archived": True}, "is_archived"),
    ],
    ids=["unknown", "foreign", "private", "archived"],
)
def test_a_channel_without_the_bot_is_refused(
    slack: LocalSlack, client: WebClient, channel: str, change: dict[str, Any], error: str
) -> None:
    if change:
        slack.change_channel(channel, **change)
    assert error_of(client.chat_postMessage, channel=channel, text="x") == error


def test_a_user_id_as_channel_is_the_direct_message(slack: LocalSlack, client: WebClient) -> None:
    """chat.postMessage answers with the channel's ID, as conversations.open does."""
    assert client.chat_postMessage(channel="U0ALICE", text="hello")["channel"] == "D0ALICE"
    assert client.conversations_open(users=["U0ALICE"])["channel"]["id"] == slack.person("alice").dm
    assert slack.person("alice").last("dm", "hello") is not None
    slack.change_person("U0BOB", deleted=True)
    assert error_of(client.conversations_open, users="U0BOB") == "user_disabled"


def test_an_ephemeral_message_is_seen_by_one_user_until_reload(
    slack: LocalSlack, client: WebClient
) -> None:
    alice, carol = slack.person("alice"), slack.person("carol")
    client.chat_postEphemeral(channel="C0APPROVALS", user="U0ALICE", text="psst")
    assert alice.messages("key-approvals")[0].ephemeral
    assert carol.messages("key-approvals") == []
    assert "psst" not in slack.lasting_text()
    alice.reload()
    assert alice.messages("key-approvals") == []
    assert slack.ephemeral_text() == ""


def test_an_ephemeral_message_to_a_user_away_is_lost(slack: LocalSlack, client: WebClient) -> None:
    """Slack accepts it: `ok` is not a receipt."""
    alice = slack.person("alice")
    alice.go_away()
    assert client.users_getPresence(user="U0ALICE")["presence"] == "away"
    assert client.chat_postEphemeral(channel=alice.dm, user=alice.id, text="psst")["ok"]
    alice.come_back()
    assert alice.messages("dm") == []


def test_an_ephemeral_message_can_be_misaddressed(slack: LocalSlack, client: WebClient) -> None:
    """The user must be in the channel. The message cannot be changed or deleted."""
    post = client.chat_postEphemeral
    assert error_of(post, channel="U0ALICE", user="U0ALICE", text="x") == "channel_not_found"
    assert error_of(post, channel="C0AUDIT", user="U0ALICE", text="x") == "user_not_in_channel"
    ts = post(channel="D0ALICE", user="U0ALICE", text="x")["message_ts"]
    assert error_of(client.chat_update, channel="D0ALICE", ts=ts, text="y") == "message_not_found"
    assert error_of(client.chat_delete, channel="D0ALICE", ts=ts) == "message_not_found"


def test_the_bot_changes_only_its_own_messages(slack: LocalSlack, client: WebClient) -> None:
    said = slack.person("alice").say("hello & bye", "key-approvals")
    assert said.words == "hello & bye"
    error = error_of(client.chat_update, channel="C0APPROVALS", ts=said.ts, text="x")
    assert error == "cant_update_message"


def test_tokens_and_methods_are_checked(slack: LocalSlack) -> None:
    def client_with(token: str | None) -> WebClient:
        return WebClient(token=token, base_url=slack.api_url)

    assert error_of(client_with(None).auth_test) == "not_authed"
    assert error_of(client_with("xoxb-no").auth_test) == "invalid_auth"
    post = client_with(slack.app_token).chat_postMessage
    assert error_of(post, channel="C0AUDIT", text="x") == "not_allowed_token_type"
    assert error_of(client_with(slack.bot_token).api_call, "no.such") == "unknown_method"


def test_a_missing_scope_is_named_and_hides_its_fields(tmp_path: Path) -> None:
    poor = tmp_path / "poor.yml"
    scopes = {"scopes": {"bot": ["users:read"]}}
    poor.write_text(yaml.safe_dump({**MANIFEST, "oauth_config": scopes}))
    with LocalSlack(poor) as other:
        client = WebClient(token=other.bot_token, base_url=other.api_url)
        with pytest.raises(SlackApiError) as refused:
            client.chat_postMessage(channel="C0AUDIT", text="x")
        answer = refused.value.response
        assert (answer["error"], answer["needed"]) == ("missing_scope", "chat:write")
        assert "email" not in client.users_info(user="U0ALICE")["user"]["profile"]


def test_users_can_be_looked_up(slack: LocalSlack, client: WebClient) -> None:
    dave = client.users_info(user="U0DAVE")["user"]
    assert (dave["is_restricted"], dave["profile"]["email"]) == (True, "dave@example.com")
    assert client.users_lookupByEmail(email="ALICE@example.com")["user"]["id"] == "U0ALICE"
    slack.change_person("U0ALICE", deleted=True)
    assert error_of(client.users_lookupByEmail, email="alice@example.com") == "users_not_found"
    assert client.users_info(user="U0ALICE")["user"]["deleted"]
    assert client.bots_info(bot="B0KEYDESK")["bot"]["user_id"] == client.auth_test()["user_id"]


def test_groups_and_channels_can_be_looked_up(slack: LocalSlack, client: WebClient) -> None:
    assert client.usergroups_users_list(usergroup="S0APPROVERS")["users"] == ["U0CAROL"]
    slack.set_group("S0APPROVERS", ["U0BOB"])
    assert client.usergroups_list(include_users=True)["usergroups"][0]["users"] == ["U0BOB"]
    assert error_of(client.usergroups_users_list, usergroup="S0NONE") == "no_such_subteam"
    slack.share_channel("C0APPROVALS")
    assert client.conversations_info(channel="C0APPROVALS")["channel"]["is_ext_shared"]
    assert "U0KEYDESK" in client.conversations_members(channel="C0AUDIT")["members"]
    assert error_of(client.conversations_info, channel="D0ALICE") == "missing_scope"


def test_a_view_needs_a_fresh_trigger_and_its_own_kind(client: WebClient) -> None:
    view, home = notice("x"), {"type": "home", "blocks": []}
    assert error_of(client.views_open, trigger_id="1.2.x", view=view) == "invalid_trigger_id"
    assert error_of(client.views_open, trigger_id="1.2.x", view=home) == "invalid_arguments"
    assert error_of(client.views_update, view_id="V0", view=view) == "not_found"


def test_a_home_tab_is_published_and_guarded_by_its_hash(
    slack: LocalSlack, client: WebClient
) -> None:
    first, second = ({"type": "home", "blocks": card(text)} for text in ("first", "second"))
    old = client.views_publish(user_id="U0ALICE", view=first)["view"]["hash"]
    client.views_publish(user_id="U0ALICE", view=second, hash=old)
    assert slack.person("alice").home_words == "second"
    error = error_of(client.views_publish, user_id="U0ALICE", view=first, hash=old)
    assert error == "hash_conflict"


def test_forms_with_blocks_as_text_are_understood(slack: LocalSlack) -> None:
    """Older clients send them."""
    blocks = urllib.parse.quote(json.dumps(card("from a form")))
    body = f"token={slack.bot_token}&channel=C0AUDIT&text=x&blocks={blocks}".encode()
    with urllib.request.urlopen(f"{slack.api_url}chat.postMessage", data=body) as answer:
        assert json.load(answer)["ok"]
    assert slack.person("carol").last("key-audit", "from a form") is not None
