"""What does every listener work with? The desk, Slack, and the few ways to show a form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slack_sdk import WebClient

from bot.domain.commands import Command
from bot.domain.errors import KeydeskError, SlackUnavailable
from bot.domain.identity import Member
from bot.domain.keys import ManagedKey
from bot.operations.services import Services
from bot.slack.errors import translate_errors
from bot.slack.listeners.dispatch import AlreadyAnswered, Responder
from bot.slack.messages import modals
from bot.slack.messages.errors import error_text
from bot.slack.messages.modals import FormDefaults, FormInput
from bot.slack.messages.replies import CHECKING_TEXT
from bot.slack.payload import Payload


@dataclass(frozen=True)
class ListenerContext:
    """The desk and the way to Slack, as listeners need them."""

    services: Services
    web: WebClient
    defaults: FormDefaults

    def open(self, payload: Payload, view: dict[str, Any]) -> str:
        """Opens a form for whoever typed or clicked; returns its ID. Raises SlackUnavailable (a trigger lives 3 s)."""
        with translate_errors("views.open"):
            return str(self.web.views_open(trigger_id=payload.trigger, view=view)["view"]["id"])

    def open_with(self, payload: Payload, title: str, make: Callable[[], dict[str, Any]]) -> None:
        """Opens a form that takes questions to AWS: at once with "Checking…", then filled, or with the refusal.

        Raises AlreadyAnswered where it was refused, once that stands in the form, and the refusal itself where it cannot: the
        person has closed the form, which keeps nothing off the record.
        """
        view_id, refused = self.open(payload, modals.message_view(CHECKING_TEXT, title=title)), None
        try:
            view = make()
        except KeydeskError as refusal:
            refused, view = (
                refusal,
                modals.message_view(error_text(refusal), title=title),
            )
        try:
            with translate_errors("views.update"):
                self.web.views_update(view_id=view_id, view=view)
        except SlackUnavailable:
            if refused:
                raise refused from None
            raise
        if refused:
            raise AlreadyAnswered(refused)

    def records(self, key_ids: list[str]) -> dict[str, ManagedKey]:
        """What Keydesk remembers of these keys."""
        return {key_id: record for key_id in key_ids if (record := self.services.store.key(key_id))}


HandleClick = Callable[[ListenerContext, Member, Responder, Payload], None]
"""Carries out a click: on which button with which value is in the payload."""

HandleCommand = Callable[[ListenerContext, Member, Responder, Payload, Command], None]
"""Carries out a typed command."""

HandleSubmission = Callable[[ListenerContext, Member, Responder, FormInput], None]
"""Carries out a submitted form."""
