"""Do what a user does: type a command, click, submit or close a modal, open Home."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sandbox import payloads
from sandbox.delivery import Delivery, Postman
from sandbox.errors import Refused
from sandbox.form_values import Values, client_errors, inputs
from sandbox.limits import check_message
from sandbox.manifest import Manifest
from sandbox.people import BOT_USER, TEAM_ID, Channel, Person, dm_id
from sandbox.response_urls import ResponseUrls
from sandbox.views import View, Views
from sandbox.workspace import Message, Workspace


class Gestures:
    """What people do, delivered to the bot, and the bot's acks carried out.

    Runs in the server's loop.
    """

    def __init__(
        self,
        workspace: Workspace,
        views: Views,
        responses: ResponseUrls,
        manifest: Manifest,
        postman: Postman,
        base_url: Callable[[], str],
    ) -> None:
        self._workspace = workspace
        self._views = views
        self._responses = responses
        self._manifest = manifest
        self._postman = postman
        self._base_url = base_url

    async def command(self, user: str, channel_id: str, line: str) -> Delivery:
        """Send a slash command.

        Its ack may hold a message, which the person (or the channel) then sees.
        """
        person, channel = self._workspace.people[user], self._workspace.channels[channel_id]
        name, _, rest = line.strip().partition(" ")
        known = self._manifest.command(name)
        if known is None or person.team_id != TEAM_ID:
            return _not_sent("not_a_valid_command", f"{name} is not a valid command")
        if user not in channel.members or (channel.is_im and not self._composer_is_there()):
            return _not_sent("restricted_action", "nothing can be typed there")
        payload = payloads.command_payload(
            person, channel, name,
            payloads.command_text(rest, self._workspace, should_escape=known.should_escape),
            self._response_url(user, channel_id, None), self._views.new_trigger(user),
        )  # fmt: skip
        delivery = await self._postman.send("slash_commands", payload)
        return self._show_command_answer(delivery, person, channel, line)

    def say(self, user: str, channel_id: str, text: str) -> Message:
        """Post what a person typed as their own message.

        Raises Refused when they cannot type there.
        """
        channel = self._workspace.channels[channel_id]
        if user not in channel.members or (channel.is_im and not self._composer_is_there()):
            raise Refused("restricted_action")
        return self._workspace.post(channel_id, user, payloads.escape(text))

    async def act_on_message(
        self,
        user: str,
        message: Message,
        action: Mapping[str, Any],
        overrides: Mapping[str, Any] | None = None,
    ) -> Delivery:
        """Send block_actions for a message.

        `message` may be what an old client still shows.
        """
        if not self._manifest.interactivity:
            return _not_sent("interactivity_disabled")
        current = self._workspace.find(message.channel, message.ts) or message
        channel, person = self._workspace.channels[message.channel], self._workspace.people[user]
        response_url = self._response_url(user, channel.id, current)
        payload = payloads.message_click(
            person,
            channel,
            current,
            self._stamped(action),
            response_url,
            self._views.new_trigger(user),
        )
        return await self._postman.send("interactive", {**payload, **(overrides or {})})

    async def act_on_view(
        self, user: str, view: View, action: Mapping[str, Any], values: Values | None = None
    ) -> Delivery:
        """Send block_actions for a modal or Home tab, with what was typed so far."""
        if not self._manifest.interactivity:
            return _not_sent("interactivity_disabled")
        shown = {**view, "state": {"values": values or {}}}
        payload = payloads.view_click(
            self._workspace.people[user],
            shown,
            self._stamped(action),
            self._views.new_trigger(user),
        )
        return await self._postman.send("interactive", payload)

    async def submit(self, user: str, view: View, values: Values) -> Delivery:
        """Send view_submission and apply the response_action of its ack.

        Source: "Modals", Slack documentation.
        """
        if errors := client_errors(view, values):
            return replace(_not_sent("required_field"), errors=errors)
        filled = {**view, "state": {"values": values}}
        payload = payloads.view_submission(
            self._workspace.people[user], filled, self._views.new_trigger(user)
        )
        delivery = await self._postman.send("interactive", payload)
        if not delivery.acked:
            return delivery
        try:
            return self._carry_out(delivery, user, view)
        except Refused as refusal:
            return replace(delivery, error="invalid_response", body={"refused": str(refusal)})

    async def close(self, user: str, view: View) -> Delivery:
        """Close a modal. The bot hears of it only if the view has notify_on_close."""
        self._views.close(user, view["id"])
        if not view.get("notify_on_close"):
            return Delivery(True, 200, None, 0.0)
        return await self._postman.send(
            "interactive", payloads.view_closed(self._workspace.people[user], view)
        )

    async def open_home(self, user: str) -> Delivery:
        """Open the Home tab.

        The bot hears of it if its manifest subscribes to app_home_opened.
        """
        if not self._manifest.home_tab:
            return _not_sent("home_tab_disabled")
        if "app_home_opened" not in self._manifest.bot_events:
            return _not_sent("not_subscribed", "the manifest does not subscribe to app_home_opened")
        payload = payloads.home_opened(
            self._workspace.people[user],
            dm_id(user),
            self._workspace.new_id("Ev"),
            self._workspace.new_ts(),
            self._views.home(user),
        )
        return await self._postman.send("events_api", payload)

    def _show_command_answer(
        self, delivery: Delivery, person: Person, channel: Channel, line: str
    ) -> Delivery:
        if not delivery.acked or delivery.body in (None, "", {}):
            return delivery
        body: dict[str, Any] = (
            {"text": delivery.body} if isinstance(delivery.body, str) else delivery.body
        )
        try:
            check_message(body.get("text"), body.get("blocks"))
        except Refused as refusal:
            return replace(
                delivery, error="invalid_command_response", body={"refused": str(refusal)}
            )
        public = body.get("response_type") == "in_channel"
        if public:
            self._workspace.post(channel.id, person.id, payloads.escape(line))
        self._workspace.post(
            channel.id, BOT_USER, body.get("text") or "", body.get("blocks") or [],
            only_for=None if public else person.id,
        )  # fmt: skip
        return delivery

    def _carry_out(self, delivery: Delivery, user: str, view: View) -> Delivery:
        body = delivery.body
        if body in (None, "", {}):
            self._views.close(user, view["id"])
            return delivery
        action = body.get("response_action") if isinstance(body, dict) else None
        if action == "errors":
            return replace(delivery, errors=_field_errors(view, body))
        if action == "clear":
            self._views.close_all(user)
        elif action == "update":
            self._views.update(
                body.get("view"), view_id=view["id"], external_id=None, known_hash=None
            )
        elif action == "push":
            self._views.push_for(user, body.get("view"))
        else:
            raise Refused("invalid_arguments", [f"unknown response_action {action!r}"])
        return delivery

    def _stamped(self, action: Mapping[str, Any]) -> dict[str, Any]:
        return {**action, "action_ts": self._workspace.new_ts()}

    def _response_url(self, user: str, channel: str, message: Message | None) -> str:
        return f"{self._base_url()}/response/{self._responses.new(user, channel, message)}"

    def _composer_is_there(self) -> bool:
        return self._manifest.messages_tab and not self._manifest.messages_read_only


def _field_errors(view: View, body: Mapping[str, Any]) -> dict[str, str]:
    errors = body.get("errors")
    known = {block["block_id"] for block in inputs(view)}
    if not isinstance(errors, dict) or not errors or not set(errors) <= known:
        raise Refused("invalid_arguments", ["errors must name input blocks of the view"])
    return errors


def _not_sent(error: str, body: str | None = None) -> Delivery:
    return Delivery(False, 0, body, 0.0, error)
