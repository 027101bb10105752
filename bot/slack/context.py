"""What does every listener work with? The desk, Slack, and the few ways to show a form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slack_sdk import WebClient

from bot.core.access_key import ManagedKey
from bot.core.command import Command
from bot.core.errors import KeydeskError, SlackUnavailable
from bot.core.people import Member
from bot.core.workflow.desk import Desk
from bot.slack import forms
from bot.slack.blocks import worded
from bot.slack.boundary import CHECKING, Answer, Told
from bot.slack.calls import asked
from bot.slack.forms import Typed, Usual
from bot.slack.payload import Payload


@dataclass(frozen=True)
class Context:
    """The desk and the way to Slack, as listeners need them."""

    desk: Desk
    web: WebClient
    usual: Usual

    def open(self, payload: Payload, view: dict[str, Any]) -> str:
        """Opens a form for whoever typed or clicked; returns its ID. Raises SlackUnavailable (a trigger lives 3 s)."""
        with asked("views.open"):
            return str(self.web.views_open(trigger_id=payload.trigger, view=view)["view"]["id"])

    def open_with(self, payload: Payload, title: str, make: Callable[[], dict[str, Any]]) -> None:
        """Opens a form that takes questions to AWS: at once with "Checking…", then filled, or with the refusal.

        Raises Told where it was refused, once that stands in the form, and the refusal itself where it cannot: the
        person has closed the form, which keeps nothing off the record.
        """
        view_id, refused = self.open(payload, forms.message_view(CHECKING, title=title)), None
        try:
            view = make()
        except KeydeskError as refusal:
            refused, view = refusal, forms.message_view(worded(refusal.sentence), title=title)
        try:
            with asked("views.update"):
                self.web.views_update(view_id=view_id, view=view)
        except SlackUnavailable:
            if refused:
                raise refused from None
            raise
        if refused:
            raise Told(refused)

    def records(self, key_ids: list[str]) -> dict[str, ManagedKey]:
        """What Keydesk remembers of these keys."""
        return {key_id: record for key_id in key_ids if (record := self.desk.store.key(key_id))}


Handle = Callable[[Context, Member, Answer, Payload], None]
"""Carries out a click: on which button with which value is in the payload."""

Run = Callable[[Context, Member, Answer, Payload, Command], None]
"""Carries out a typed command."""

Submit = Callable[[Context, Member, Answer, Typed], None]
"""Carries out a submitted form."""
