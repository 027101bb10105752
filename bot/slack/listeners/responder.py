"""Answer the member who sent a payload: privately, and only over Slack."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError
from slack_sdk.webhook import WebhookClient

from bot.domain.errors import KeydeskError, SlackUnavailable
from bot.slack.errors import NETWORK, is_slack_url, translate_errors
from bot.slack.messages import modals
from bot.slack.messages.blocks import Message, message, section
from bot.slack.payload import Payload

CHECKING_TEXT = "Checking…"
RESPONSE_TIMEOUT = 10

MODAL_WAITS = (0.0, 0.2, 0.5, 1.0, 2.0)
"""Seconds before each look for the acknowledged form: Slack may show it later than an answer is found.

Together they are longer than the three seconds in which Slack takes an acknowledgement ("Handling user interaction"):
whatever is said after them cannot be overwritten by its "Checking…".
"""


class AlreadyAnswered(KeydeskError):
    """The person has been told the refusal already, in a form; `error` is what was refused."""

    def __init__(self, error: KeydeskError) -> None:
        self.error = error
        super().__init__(error.code)


class ResponseFailed(KeydeskError):
    """No way back to the person is open; what was to be told about is as it is. `error` says what Slack said."""

    def __init__(self, error: str) -> None:
        self.error = error
        super().__init__()


class Responder:
    """The way back to the person: privately, by the payload's response URL, in their form, or as an ephemeral."""

    def __init__(
        self, web: WebClient, payload: Payload, wait: Callable[[float], None] = time.sleep
    ) -> None:
        self._web, self._payload, self._wait = web, payload, wait

    def say(self, text: str, *, replace: bool = False) -> None:
        """Answer with mrkdwn. `replace` puts it in place of the ephemeral that was clicked.

        Raises ResponseFailed where no way back is open.
        """
        self.show(message(text, [section(text)]), replace=replace)

    def show(self, message: Message, *, replace: bool = False) -> None:
        """A private message. Raises ResponseFailed where no way back is open."""
        payload = self._payload
        if payload.view_id and self._show_in_form(message.text):
            return
        if self._respond(
            text=message.text,
            blocks=message.blocks,
            response_type="ephemeral",
            replace_original=replace and payload.ephemeral,
        ):
            return
        self._post(message, payload.channel)

    def _post(self, message: Message, channel: str) -> None:
        """An ephemeral there; where Slack refuses that, in their direct message with the desk."""
        try:
            with translate_errors("chat.postEphemeral"):
                self._web.chat_postEphemeral(
                    channel=channel or self._dm(),
                    user=self._payload.person,
                    text=message.text,
                    blocks=message.blocks,
                )
        except SlackUnavailable as failure:
            if not channel or not failure.refused:
                raise ResponseFailed(failure.error) from failure
            self._post(message, "")

    def close_form(self, text: str) -> None:
        """Says it in the form that waits for an answer, if one does, and nowhere else."""
        if self._payload.view_id:
            self._show_in_form(text)

    def remove(self) -> bool:
        """Takes away the ephemeral that was clicked. Says whether Slack did."""
        return self._respond(delete_original=True)

    def _show_in_form(self, text: str) -> bool:
        """Says it (mrkdwn) in the form that was acknowledged; False where the person has closed it.

        That form is named by the ID it got with the acknowledgement: until Slack shows it, there is none of that
        name, and nothing that "Checking…" could overwrite.
        """
        view = modals.message_view(text)
        names = [{"external_id": self._payload.form_name}] * len(MODAL_WAITS) + [
            {"view_id": self._payload.view_id}
        ]
        for wait, name in zip((*MODAL_WAITS, 0.0), names, strict=True):
            self._wait(wait)
            try:
                with translate_errors("views.update"):
                    self._web.views_update(view=view, **name)
                return True
            except SlackUnavailable as failure:
                if failure.error != "not_found":
                    return False
        return False

    def _dm(self) -> str:
        with translate_errors("conversations.open"):
            return str(self._web.conversations_open(users=self._payload.person)["channel"]["id"])

    def _respond(self, **message: Any) -> bool:
        """Posts to the response URL, once. WebhookClient raises nothing for a refusal: its answer is looked at."""
        if not is_slack_url(self._payload.response_url, self._web.base_url):
            return False  # an answer goes to Slack and nowhere else
        client = WebhookClient(
            self._payload.response_url, timeout=RESPONSE_TIMEOUT, retry_handlers=[]
        )
        try:
            responder = client.send_dict(message)
        except (*NETWORK, SlackClientError, ValueError):
            return False
        return responder.status_code == 200 and '"ok":false' not in "".join(responder.body.split())
