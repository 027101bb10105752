"""Do payloads reach the bot as Slack sends them, and do triggers and response URLs have Slack's limits?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from slack_bolt import Ack, App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

from sandbox.local import LocalSlack
from tests.support.sandbox_app import MANIFEST, button, card, notice

Payload = dict[str, Any]


class Recorder:
    """A bot that acks everything and keeps what it got."""

    def __init__(self, slack: LocalSlack, connections: int = 1) -> None:
        self.got: list[Payload] = []
        self.by_connection: list[int] = []
        self.client = WebClient(token=slack.bot_token, base_url=slack.api_url, retry_handlers=[])
        self.app = App(client=self.client)
        self.app.command("/key")(self._note)
        self.app.action({"action_id": "go"})(self._note)
        self.app.action({"action_id": "forged"})(self._note)
        self.handlers = [self._connect(slack, n) for n in range(connections)]

    def close(self) -> None:
        """Close every connection."""
        for handler in self.handlers:
            handler.close()

    def _connect(self, slack: LocalSlack, n: int) -> SocketModeHandler:
        handler = SocketModeHandler(self.app, slack.app_token, ping_interval=0.2)
        handler.client.socket_mode_request_listeners.insert(
            0, lambda _c, _r: self.by_connection.append(n)
        )
        handler.connect()
        slack.wait_until(lambda: slack.connections == n + 1, why="the connection is there")
        return handler

    def _note(self, ack: Ack, body: Payload) -> None:
        self.got.append(body)
        ack()


@pytest.fixture
def recorder(slack: LocalSlack) -> Any:
    """A recording bot with one connection."""
    bot = Recorder(slack)
    yield bot
    bot.close()


def clicked(slack: LocalSlack, recorder: Recorder, name: str = "alice") -> Payload:
    """Have somebody click a card and return what the bot got."""
    recorder.client.chat_postMessage(
        channel="C0APPROVALS", text="t", blocks=card("card", button("Go", "go", "r1"))
    )
    person = slack.person(name)
    assert person.click(person.wait_for("key-approvals", "card"), "Go").acked
    return recorder.got[-1]


def test_a_command_arrives_with_slacks_fields(slack: LocalSlack, recorder: Recorder) -> None:
    """Control characters are escaped, and mentions stay as typed without should_escape."""
    assert slack.person("alice").command("/key  create @bob a < b & c ").acked
    got = recorder.got[-1]
    assert got["text"] == "create @bob a &lt; b &amp; c"
    assert (got["user_id"], got["channel_id"], got["team_id"]) == (
        "U0ALICE",
        "C0GENERAL",
        "T0KEYDESK",
    )


def test_should_escape_turns_names_into_mentions(tmp_path: Path) -> None:
    """As the manifest says."""
    features = {
        **MANIFEST["features"],
        "slash_commands": [{"command": "/key", "should_escape": True}],
    }
    path = tmp_path / "manifest.yml"
    path.write_text(yaml.safe_dump({**MANIFEST, "features": features}))
    with LocalSlack(path) as slack:
        bot = Recorder(slack)
        slack.person("alice").command("/key give @bob in #general see https://example.com/x")
        bot.close()
        assert (
            bot.got[-1]["text"]
            == "give <@U0BOB|bob> in <#C0GENERAL|general> see <https://example.com/x>"
        )


def test_an_unknown_command_never_reaches_the_bot(slack: LocalSlack, recorder: Recorder) -> None:
    """Nor does one of another workspace's person, who may click in a shared channel all the same."""
    assert slack.person("alice").command("/keys").error == "not_a_valid_command"
    olga = slack.outsider()
    assert olga.command("/key", "key-approvals").error == "not_a_valid_command"
    recorder.client.chat_postMessage(
        channel="C0APPROVALS", text="t", blocks=card("card", button("Go", "go"))
    )
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
    """Any value, and any field of the payload replaced."""
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


def test_a_trigger_opens_one_modal_within_three_seconds(
    slack: LocalSlack, recorder: Recorder
) -> None:
    """Used and old trigger IDs are refused."""
    trigger = clicked(slack, recorder)["trigger_id"]
    recorder.client.views_open(trigger_id=trigger, view=notice("one"))
    with pytest.raises(SlackApiError, match="exchanged_trigger_id"):
        recorder.client.views_open(trigger_id=trigger, view=notice("two"))
    trigger = clicked(slack, recorder)["trigger_id"]
    slack.pass_time(3.1)
    with pytest.raises(SlackApiError, match="expired_trigger_id"):
        recorder.client.views_open(trigger_id=trigger, view=notice("three"))


def test_at_most_three_modals_lie_on_each_other(slack: LocalSlack, recorder: Recorder) -> None:
    """The fourth is refused, and an update with an old hash, too."""
    opened = recorder.client.views_open(
        trigger_id=clicked(slack, recorder)["trigger_id"], view=notice("1")
    )["view"]
    for n in ("2", "3"):
        recorder.client.views_push(
            trigger_id=clicked(slack, recorder)["trigger_id"], view=notice(n)
        )
    with pytest.raises(SlackApiError, match="push_limit_reached"):
        recorder.client.views_push(
            trigger_id=clicked(slack, recorder)["trigger_id"], view=notice("4")
        )
    recorder.client.views_update(view_id=opened["id"], view=notice("new"), hash=opened["hash"])
    with pytest.raises(SlackApiError, match="hash_conflict"):
        recorder.client.views_update(
            view_id=opened["id"], view=notice("newer"), hash=opened["hash"]
        )


def test_a_response_url_takes_five_posts_within_half_an_hour(
    slack: LocalSlack, recorder: Recorder
) -> None:
    """Afterwards it is used up, or expired."""
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


def test_payloads_go_to_any_connection_in_turn(slack: LocalSlack) -> None:
    """Each payload goes to one of them."""
    bot = Recorder(slack, connections=2)
    for n in range(4):
        assert slack.person("alice").command(f"/key {n}").acked
    bot.close()
    assert sorted(bot.by_connection) == [0, 0, 1, 1]


def test_without_a_bot_a_command_cannot_be_dispatched(slack: LocalSlack) -> None:
    """The person sees dispatch_failed, on either transport."""
    assert slack.person("alice").command("/key").error == "dispatch_failed"
    slack.deliver_to("http://127.0.0.1:9/slack/events")
    assert slack.person("alice").command("/key").error == "dispatch_failed"


def test_pings_are_answered_and_a_refreshed_bot_comes_back(
    slack: LocalSlack, recorder: Recorder
) -> None:
    """The SDK's client reconnects when asked to, and its pings are answered with their own payload."""
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
