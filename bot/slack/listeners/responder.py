"""Answer the user who sent a payload: privately, and only over Slack."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError
from slack_sdk.webhook import WebhookClient

from bot.domain.errors import KeydeskError
from bot.domain.outside_errors import SlackUnavailable
from bot.slack.errors import NETWORK, is_slack_url, translate_errors
from bot.slack.messages import modals
from bot.slack.messages.blocks import Message, message, section
from bot.slack.payload import Payload

TIMEOUT_SECONDS = 10

MODAL_WAITS = (0.0, 0.2, 0.5, 1.0, 2.0)
"""Seconds before each try to update a form. Slack may show the acknowledged form later.

Together they are longer than the three seconds within which Slack takes an acknowledgement
("Handling user interaction", Slack documentation). "Checking…" cannot overwrite a later update.
"""

RETRY_SECONDS = 12.0
"""After so long, a failed update of a form is not tried again.

It is one unanswered call and a little more. So one lost answer is made good, and a silent Slack
occupies the worker for two calls.
"""


class AlreadyAnswered(KeydeskError):
    """The user has read the refusal in a form already. `error` is the refusal."""

    def __init__(self, error: KeydeskError) -> None:
        self.error = error
        super().__init__(error.code)


class ResponseFailed(KeydeskError):
    """No way to answer the user worked. `error` is Slack's error code."""

    def __init__(self, error: str) -> None:
        self.error = error
        super().__init__()


class Responder:
    """Answers one payload: in its form, by response URL, or with an ephemeral."""

    def __init__(
        self, web: WebClient, payload: Payload, wait: Callable[[float], None] = time.sleep
    ) -> None:
        self._web, self._payload, self._wait = web, payload, wait

    def say(self, text: str, *, replace: bool = False) -> None:
        """Answer with mrkdwn. `replace` overwrites the ephemeral that was clicked.

        Raises:
            ResponseFailed: No way to answer works.
        """
        self.show(message(text, [section(text)]), replace=replace)

    def show(self, message: Message, *, replace: bool = False) -> None:
        """Answer with a message. `replace` and what is raised are as for `say`."""
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

    def answer_in_form(self, text: str) -> None:
        """Answer with mrkdwn in the form that waits for an answer, or not at all."""
        if self._payload.view_id:
            self._show_in_form(text)

    def remove(self) -> bool:
        """Delete the ephemeral that was clicked. Return whether Slack did so."""
        return self._respond(delete_original=True)

    def _post(self, message: Message, channel: str) -> None:
        """Post an ephemeral in a channel, or in the direct message if Slack refuses."""
        try:
            with translate_errors("chat.postEphemeral"):
                self._web.chat_postEphemeral(
                    channel=channel or self._dm(),
                    user=self._payload.user,
                    text=message.text,
                    blocks=message.blocks,
                )
        except SlackUnavailable as failure:
            if not channel or not failure.refused:
                raise ResponseFailed(failure.error) from failure
            self._post(message, "")

    def _show_in_form(self, text: str) -> bool:
        """Show mrkdwn in the acknowledged form. Return False where Slack did not show it.

        The form is named by the external ID from the acknowledgement. Until Slack shows it, no form
        has that name, so "Checking…" cannot overwrite the answer.
        """
        view, payload = modals.message_view(text), self._payload
        names = [{"external_id": payload.form_name}] * len(MODAL_WAITS)
        try:
            update_form(self._web, view, [*names, {"view_id": payload.view_id}], self._wait)
        except SlackUnavailable:
            return False
        return True

    def _dm(self) -> str:
        with translate_errors("conversations.open"):
            return str(self._web.conversations_open(users=self._payload.user)["channel"]["id"])

    def _respond(self, **message: Any) -> bool:
        """Post to the response URL once. Return whether Slack took it.

        WebhookClient raises nothing for a refusal, so its answer is read. An address outside Slack
        gets no answer.
        """
        if not is_slack_url(self._payload.response_url, self._web.base_url):
            return False
        client = WebhookClient(
            self._payload.response_url, timeout=TIMEOUT_SECONDS, retry_handlers=[]
        )
        try:
            response = client.send_dict(message)
        except (*NETWORK, SlackClientError, ValueError):
            return False
        return response.status_code == 200 and '"ok":false' not in "".join(response.body.split())


def update_form(
    web: WebClient,
    view: dict[str, Any],
    names: Sequence[Mapping[str, str]],
    wait: Callable[[float], None],
) -> None:
    """Show a view in the place of an open form.

    A failed update is tried again, for RETRY_SECONDS at most.

    Args:
        web: The client of Slack's Web API.
        view: The view to show.
        names: How each try names the form: by `external_id` or `view_id`.
        wait: Sleeps for so many seconds.

    Raises:
        SlackUnavailable: Slack refused, or every try failed.
    """
    tries, began = list(zip((*MODAL_WAITS, 0.0), names, strict=False)), time.monotonic()
    for number, (seconds, name) in enumerate(tries, start=1):
        wait(seconds)
        try:
            with translate_errors("views.update"):
                web.views_update(view=view, **name)
            return
        except SlackUnavailable as failure:
            not_shown_yet = failure.error == "not_found" and "external_id" in name
            late = time.monotonic() - began > RETRY_SECONDS
            if late or number == len(tries) or (failure.refused and not not_shown_yet):
                raise
