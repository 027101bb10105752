"""Define what every handler works with: the services, Slack, and what a user did."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slack_sdk import WebClient

from bot.domain.commands import Command
from bot.domain.errors import KeydeskError, NotYourKey
from bot.domain.identity import Member
from bot.domain.keys import KEY_ID
from bot.domain.outside_errors import SlackUnavailable
from bot.operations.services import Services
from bot.slack.errors import translate_errors
from bot.slack.listeners.responder import MODAL_WAITS, AlreadyAnswered, Responder, update_form
from bot.slack.messages import modals, replies
from bot.slack.messages.blocks import Message
from bot.slack.messages.errors import error_text
from bot.slack.messages.form_input import FormInput
from bot.slack.messages.modals import FormDefaults
from bot.slack.payload import Payload

View = dict[str, Any]


@dataclass(frozen=True)
class ListenerContext:
    """The services and the way to Slack, as handlers need them.

    `wait` sleeps for so many seconds.
    """

    services: Services
    web: WebClient
    defaults: FormDefaults
    wait: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Interaction:
    """What a user did, and the way to answer.

    `member` is the user as Slack describes them. `responder` answers in private.
    """

    context: ListenerContext
    member: Member
    responder: Responder
    payload: Payload

    @property
    def services(self) -> Services:
        """Return what operations work with."""
        return self.context.services

    def show(self, message: Message, *, replace: bool = False) -> None:
        """Answer with a message. `replace` overwrites the ephemeral that was clicked.

        Raises:
            ResponseFailed: No way to answer works.
        """
        self.responder.show(message, replace=replace)

    def open(self, view: View) -> str:
        """Open a form for the user and return its ID.

        A trigger is valid for 3 seconds ("Modals", Slack documentation).

        Raises:
            SlackUnavailable: Slack did not open the form.
        """
        web = self.context.web
        with translate_errors("views.open"):
            return str(web.views_open(trigger_id=self.payload.trigger, view=view)["view"]["id"])

    def open_with(self, title: str, make: Callable[[], View]) -> None:
        """Open a form whose contents take calls to AWS or Slack.

        It opens with "Checking…", and then shows what `make` returns or the refusal that it raises.

        Raises:
            AlreadyAnswered: `make` refused, and the form shows it.
            KeydeskError: `make` refused, and the user has closed the form.
            SlackUnavailable: Slack did not open or update the form.
        """
        # The external ID finds the form again where the answer of views.open is lost.
        name = f"checking:{self.payload.trigger}"[:255]
        lost, refusal = None, None
        try:
            view_id = self.open(modals.message_view(replies.CHECKING_TEXT, name, title))
            names = [{"view_id": view_id}] * len(MODAL_WAITS)
        except SlackUnavailable as failure:
            if failure.refused or failure.retry_after is not None:
                raise
            lost, names = failure, [{"external_id": name}]
        try:
            view = make()
        except KeydeskError as error:
            refusal, view = error, modals.message_view(error_text(error), title=title)
        try:
            update_form(self.context.web, view, names, self.context.wait)
        except SlackUnavailable as failure:
            raise refusal or lost or failure from None
        if refusal:
            raise AlreadyAnswered(refusal)


@dataclass(frozen=True)
class Click(Interaction):
    """A click on a button."""

    @property
    def value(self) -> str:
        """Return the button's value."""
        return self.payload.value

    @property
    def key_id(self) -> str:
        """Return the button's value, which must be an access key ID.

        Raises:
            NotYourKey: The value is anything else.
        """
        return checked_key_id(self.value)


@dataclass(frozen=True)
class TypedCommand(Interaction):
    """A typed command."""

    command: Command


@dataclass(frozen=True)
class Submission(Interaction):
    """A submitted form."""

    form_input: FormInput


HandleClick = Callable[[Click], None]
HandleCommand = Callable[[TypedCommand], None]
HandleSubmission = Callable[[Submission], None]


def checked_key_id(value: str) -> str:
    """Return a value, which must be an access key ID.

    Raises:
        NotYourKey: The value is anything else.
    """
    if not KEY_ID.fullmatch(value):
        raise NotYourKey
    return value
