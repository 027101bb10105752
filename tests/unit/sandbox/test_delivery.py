"""Deliver payloads as Slack does, with its limits of triggers and response URLs."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from slack_bolt import Ack, App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

from sandbox.local import LocalSlack
from tests.support.sandbox_app import button, card, notice

Payload = dict[str, Any]


class Recorder:
    """A bot that acks everything and records what it got."""

    def __init__(self, slack: LocalSlack, connections: int) -> None:
        self.got: list[Payload] = []
        self.by_connection: list[int] = []
        self.client = WebClient(token=slack.bot_token, base_url=slack.api_url, retry_handlers=[])
        self.app = App(client=self.client)
        self.app.command("/key")(self._record)
        self.app.action({"action_id": "go"})(self._record)
        self.app.action({"action_id": "forged"})(self._record)
        self.handlers = [self._connect(slack, n) for n in range(connections)]

    def _connect(self, slack: LocalSlack, n: int) -> SocketModeHandler:
        handler = SocketModeHandler(self.app, slack.app_token, ping_interval=0.2)
        handler.client.socket_mode_request_listeners.insert(
            0, lambda _c, _r: self.by_connection.append(n)
        )
        handler.connect()
        slack.wait_until(lambda: slack.connections == n + 1, why="the connection is there")
        return handler

    def _record(self, ack: Ack, body: Payload) -> None:
        self.got.append(body)
        ack()


@pytest.fixture
def recorder(
    request: pytest.FixtureRequest, slack: LocalSlack, closing: ThreadPoolExecutor
) -> Iterator[Recorder]:
    """Return a recording bot. The parameter is its number of connections."""
    bot = Recorder(slack, getattr(request, "param", 1))
    yield bot
    for handler in bot.handlers:
        closing.submit(handler.close)
    slack.cut_sockets()


def post_card(recorder: Recorder) -> None:
    blocks = card("card", button("Go", "go", "r1"))
    recorder.client.chat_postMessage(channel="C0APPROVALS", text="t", blocks=blocks)


def clicked(slack: LocalSlack, recorder: Recorder) -> Payload:
    """Have Alice click a card and return what the bot got."""
    post_card(recorder)
    alice = slack.person("alice")
    assert alice.click(alice.wait_for("key-approvals", "card"), "Go").acked
    return recorder.got[-1]


def new_trigger(slack: LocalSlack, recorder: Recorder) -> str:
    return str(clicked(slack, recorder)["trigger_id"])


def test_a_command_arrives_with_slacks_fields(slack: LocalSlack, recorder: Recorder) -> None:
    """Control characters are escaped. Without should_escape mentions stay as typed."""
    assert slack.person("alice").command("/key  create @bob a < b & c ").acked
    got = recorder.got[-1]
    assert got["text"] == "create @bob a &lt; b &amp; c"
    ids = (got["user_id"], got["channel_id"], got["team_id"])
    assert ids == ("U0ALICE", "C0GENERAL", "T0KEYDESK")


@pytest.mark.parametrize("manifest", [{"should_escape": True}], indirect=True)
def test_should_escape_turns_names_into_mentions(slack: LocalSlack, recorder: Recorder) -> None:
    slack.person("alice").command("/key give @bob in #general see https://example.com/x")
    expected = "give <@U0BOB|bob> in <#C0GENERAL|general> see <https://example.com/x>"
    assert recorder.got[-1]["text"] == expected


def test_an_unknown_command_never_reaches_the_bot(slack: LocalSlack, recorder: Recorder) -> None:
    """Nor does a command of an external user, who may click in a shared channel."""
    assert slack.person("alice").command("/keys").error == "not_a_valid_command"
    olga = slack.outsider()
    assert olga.command("/key", "key-approvals").error == "not_a_valid_command"
    post_card(recorder)
    assert olga.click(olga.wait_for("key-approvals", "card"), "Go").acked
    assert recorder.got[-1]["user"]["team_id"] == "T0OTHER"
    assert len(recorder.got) == 1


def test_a_click_carries_its_message_but_not_an_ephemeral_one(
    slack: LocalSlack, recorder: Recorder
) -> None:
    """block_actions of an ephemeral message says so and has no content."""
    got = clicked(slack, recorder)
    assert got["message"]["text"] == "t" and got["actions"][0]["value"] == "r1"
    assert got["container"]["is_ephemeral"] is False
    alice = slack.person("alice")
    recorder.client.chat_postEphemeral(
        channel=alice.dm, user=alice.id, text="s", blocks=card("secret", button("Go", "go"))
    )
    alice.click(alice.wait_for("dm", "secret"), "Go")
    got = recorder.got[-1]
    assert got["container"]["is_ephemeral"] is True and "message" not in got and got["response_url"]


def test_a_hostile_client_can_send_any_action(slack: LocalSlack, recorder: Recorder) -> None:
    """It may replace any field of the payload."""
    clicked(slack, recorder)
    alice = slack.person("alice")
    message = alice.wait_for("key-approvals", "card")
    alice.post_action(message, "forged", "r999", team={"id": "T0EVIL", "domain": "evil"})
    assert recorder.got[-1]["actions"][0]["value"] == "r999"
    assert recorder.got[-1]["team"]["id"] == "T0EVIL"


def test_a_delivery_can_be_repeated(slack: LocalSlack, recorder: Recorder) -> None:
    """The same payload again, trigger ID included."""
    delivery = slack.person("alice").command("/key x")
    assert slack.deliver_again(delivery).acked
    assert recorder.got[0] == recorder.got[1]


def test_a_trigger_opens_one_modal_in_three_seconds(slack: LocalSlack, recorder: Recorder) -> None:
    """Used and old trigger IDs are refused."""
    trigger = new_trigger(slack, recorder)
    recorder.client.views_open(trigger_id=trigger, view=notice("one"))
    with pytest.raises(SlackApiError, match="exchanged_trigger_id"):
        recorder.client.views_open(trigger_id=trigger, view=notice("two"))
    trigger = new_trigger(slack, recorder)
    slack.pass_time(3.1)
    with pytest.raises(SlackApiError, match="expired_trigger_id"):
        recorder.client.views_open(trigger_id=trigger, view=notice("three"))


def test_at_most_three_modals_are_stacked(slack: LocalSlack, recorder: Recorder) -> None:
    """The fourth is refused, and an update with an old hash, too."""
    client = recorder.client
    opened = client.views_open(trigger_id=new_trigger(slack, recorder), view=notice("1"))["view"]
    for number in ("2", "3"):
        client.views_push(trigger_id=new_trigger(slack, recorder), view=notice(number))
    with pytest.raises(SlackApiError, match="push_limit_reached"):
        client.views_push(trigger_id=new_trigger(slack, recorder), view=notice("4"))
    which = {"view_id": opened["id"], "hash": opened["hash"]}
    client.views_update(view=notice("new"), **which)
    with pytest.raises(SlackApiError, match="hash_conflict"):
        client.views_update(view=notice("newer"), **which)


def test_a_response_url_takes_five_posts_in_half_an_hour(
    slack: LocalSlack, recorder: Recorder
) -> None:
    hook = WebhookClient(clicked(slack, recorder)["response_url"])
    for n in range(5):
        assert hook.send(text=f"answer {n}").status_code == 200
    assert "used_url" in hook.send(text="answer 6").body
    alice, carol = slack.person("alice"), slack.person("carol")
    assert len([one for one in alice.messages("key-approvals") if one.ephemeral]) == 5
    assert not [one for one in carol.messages("key-approvals") if one.ephemeral]
    hook = WebhookClient(clicked(slack, recorder)["response_url"])
    slack.pass_time(30 * 60 + 1)
    assert "expired_url" in hook.send(text="late").body


def test_a_response_url_replaces_and_deletes_what_was_clicked(
    slack: LocalSlack, recorder: Recorder
) -> None:
    """It does for a click, never for a slash command."""
    alice = slack.person("alice")
    hook = WebhookClient(clicked(slack, recorder)["response_url"])
    assert hook.send(text="x", blocks=card("replaced"), replace_original=True).body == "ok"
    assert [one.words for one in alice.messages("key-approvals")] == ["replaced"]
    assert hook.send_dict({"delete_original": True}).body == "ok"
    assert alice.messages("key-approvals") == []
    assert hook.send(text="x", blocks=[{"type": "nonsense"}]).body != "ok"
    alice.command("/key x")
    hook = WebhookClient(recorder.got[-1]["response_url"])
    assert hook.send(text="posted").body == "ok"
    assert hook.send_dict({"delete_original": True}).status_code == 404
    assert alice.last("general", "posted") is not None


@pytest.mark.parametrize("recorder", [2], indirect=True)
def test_payloads_go_to_one_connection_in_turn(slack: LocalSlack, recorder: Recorder) -> None:
    for number in range(4):
        assert slack.person("alice").command(f"/key {number}").acked
    assert sorted(recorder.by_connection) == [0, 0, 1, 1]


def test_without_a_bot_a_command_cannot_be_dispatched(slack: LocalSlack) -> None:
    """The person sees dispatch_failed, on either transport."""
    assert slack.person("alice").command("/key").error == "dispatch_failed"
    slack.deliver_to("http://127.0.0.1:9/slack/events")
    assert slack.person("alice").command("/key").error == "dispatch_failed"


def test_pings_are_answered_and_a_refreshed_bot_comes_back(
    slack: LocalSlack, recorder: Recorder
) -> None:
    """A pong has the payload of its ping. The SDK's client reconnects when asked to."""
    session = recorder.handlers[0].client.current_session
    slack.wait_until(lambda: session.last_ping_pong_time, why="a pong with the ping's payload")
    slack.ask_to_reconnect()
    slack.wait_until(lambda: slack.connections == 0, why="the old connection is gone")
    slack.wait_for_bot()
    assert slack.person("alice").command("/key x").acked


def test_a_cut_connection_is_gone_at_once(slack: LocalSlack, recorder: Recorder) -> None:
    """No close frame is sent; the bot has to notice by itself."""
    slack.cut_sockets()
    assert slack.connections == 0
