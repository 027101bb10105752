"""Route commands, buttons, forms and the Home tab to their handlers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from slack_bolt import Ack, App

from bot.domain.codes import Code
from bot.domain.commands import parse
from bot.domain.errors import BadCommand, LooksLikeSecret, UnknownControl
from bot.domain.identity import Member
from bot.domain.keys import KEY_ID
from bot.domain.outside_errors import StoredValueUnreadable, StoreUnavailable
from bot.slack import action_ids
from bot.slack.delivery.home_tabs import HomeTabs
from bot.slack.delivery.messenger import SlackMessenger
from bot.slack.listeners import approvals, delivery, keys, leaks, requests, rotation
from bot.slack.listeners.context import (
    Click,
    HandleClick,
    HandleCommand,
    HandleSubmission,
    ListenerContext,
    Submission,
    TypedCommand,
)
from bot.slack.listeners.dispatch import Dispatcher
from bot.slack.listeners.responder import Responder
from bot.slack.messages.form_input import FieldErrors, read_input
from bot.slack.payload import Payload

Body = Mapping[str, Any]

COMMANDS: dict[str, HandleCommand] = {
    "create": requests.create,
    "rotate": requests.rotate,
    "enable": requests.enable,
    "list": keys.list_keys,
    "used": keys.used,
    "disable": keys.disable,
    "delete": keys.delete,
    "leaked": leaks.leaked,
    "requests": keys.requests,
    "help": keys.help_,
}


@dataclass(frozen=True)
class Button:
    """A button: its action ID, the handler of a click, and what must hold for it.

    `fresh` looks the member's identity up again, for decisions about others and for secrets.
    `about_key` marks a button of a lasting message about a key. Other buttons are about a request.
    """

    id: str
    handle: HandleClick
    fresh: bool = False
    about_key: bool = False


@dataclass(frozen=True)
class Form:
    """A form: its callback ID, the handler of a submission, and `fresh` as above."""

    id: str
    handle: HandleSubmission
    fresh: bool = False


ROUTES: tuple[Button | Form, ...] = (
    # requests
    Button(action_ids.ASK, requests.request_button, about_key=True),
    Button(action_ids.ROTATE, requests.rotate_button, about_key=True),
    Button(action_ids.ENABLE, requests.enable_button, about_key=True),
    Button(action_ids.EXTEND, requests.extend_button, about_key=True),
    Button(action_ids.CANCEL, requests.cancel),
    Button(action_ids.NUDGE, requests.nudge),
    Form(action_ids.CREATE_FORM, requests.submit_create),
    Form(action_ids.ROTATE_FORM, requests.submit_rotate),
    Form(action_ids.ENABLE_FORM, requests.submit_enable),
    # approvals
    Button(action_ids.APPROVE, approvals.approve, fresh=True),
    Button(action_ids.DENY, approvals.deny, fresh=True),
    Form(action_ids.DENY_FORM, approvals.submit_deny, fresh=True),
    Button(action_ids.TAKE_BACK, approvals.withdraw_approval),
    Button(action_ids.REVOKE, approvals.revoke, fresh=True),
    Button(action_ids.ON_IT, approvals.toggle_review, fresh=True),
    # delivery
    Button(action_ids.REVEAL, delivery.reveal, fresh=True),
    Button(action_ids.SAVED, delivery.saved),
    Button(action_ids.HAVE_IT, delivery.have_it),
    Button(action_ids.DID_NOT_GET, delivery.did_not_get),
    Button(action_ids.REPLACE, delivery.replace, fresh=True),
    Button(action_ids.ENABLE_UNCLAIMED, delivery.enable_unclaimed, fresh=True),
    Button(action_ids.FOUND_DELETE, delivery.orphan_delete, fresh=True, about_key=True),
    Button(action_ids.FOUND_ENABLE, delivery.orphan_enable, fresh=True, about_key=True),
    # rotation
    Button(action_ids.CHECK, rotation.check_last_use, about_key=True),
    Button(action_ids.NOT_YET, rotation.not_yet, about_key=True),
    Button(action_ids.DISABLE_OLD, rotation.disable_old, fresh=True, about_key=True),
    Button(action_ids.UNDO, rotation.undo, fresh=True, about_key=True),
    # keys
    Button(action_ids.DISABLE, keys.disable_button),
    Button(action_ids.DELETE, keys.delete_button),
    Button(action_ids.DISABLE_FOR, keys.disable_for_button, fresh=True),
    Form(action_ids.DISABLE_FOR_FORM, keys.submit_disable_for, fresh=True),
    # leaks
    Button(action_ids.LEAKED_DISABLE, leaks.disable_leaked, fresh=True, about_key=True),
)
"""Where every button and form leads. A test compares it with the messages and forms."""

BUTTONS = {route.id: route for route in ROUTES if isinstance(route, Button)}
FORMS = {route.id: route for route in ROUTES if isinstance(route, Form)}


def register(app: App, listeners: Listeners) -> None:
    """Register a listener for each command, button and form, and for the Home tab."""
    app.command(action_ids.COMMAND)(listeners.command)
    for button in BUTTONS.values():
        app.action(button.id)(listeners.on_click(button.handle, fresh=button.fresh))
    for form in FORMS.values():
        app.view(form.id)(listeners.on_submit(form.handle, fresh=form.fresh))
    app.event("app_home_opened")(listeners.home)
    app.action(re.compile(".*"))(listeners.on_click(_unknown_button))
    app.view(re.compile(".*"))(listeners.unknown_form)


class Listeners:
    """Reads payloads, without I/O, and leaves the work to the dispatcher."""

    def __init__(
        self,
        context: ListenerContext,
        dispatcher: Dispatcher,
        messenger: SlackMessenger,
        home_tabs: HomeTabs,
    ) -> None:
        self._context, self._dispatcher = context, dispatcher
        self._messenger, self._home_tabs = messenger, home_tabs

    def command(self, ack: Ack, body: Body) -> None:
        """Handle a typed command. Guests may report a leak, and nothing else."""
        payload, typed = Payload.command(body), body.get("text")
        try:
            command = parse(typed if isinstance(typed, str) else "")
        except (BadCommand, LooksLikeSecret) as refusal:
            about_leaks = isinstance(refusal, LooksLikeSecret) or refusal.verb == "leaked"
            self._dispatcher.take(
                ack, payload, "command", partial(_raise, refusal), guests=about_leaks
            )
            return

        def work(member: Member, responder: Responder) -> None:
            if command.key_id:
                structlog.contextvars.bind_contextvars(key=command.key_id)
            COMMANDS[command.verb](TypedCommand(self._context, member, responder, payload, command))

        self._dispatcher.take(ack, payload, command.verb, work, guests=command.verb == "leaked")

    def on_click(self, handle: HandleClick, *, fresh: bool = False) -> Callable[[Ack, Body], None]:
        """Return a listener for a button.

        Bolt passes arguments by name, so it is a function and not a partial.
        """

        def listener(ack: Ack, body: Body) -> None:
            payload = Payload.click(body)
            self._dispatcher.take(
                ack,
                payload,
                payload.action_id or "click",
                partial(self._clicked, handle, payload),
                fresh=fresh,
            )

        return listener

    def on_submit(
        self, submit: HandleSubmission, *, fresh: bool = False
    ) -> Callable[[Ack, Body], None]:
        """Return a listener for a form. Wrong input is answered at once, at its field."""

        def listener(ack: Ack, body: Body) -> None:
            view = body.get("view")
            view = view if isinstance(view, dict) else {}
            try:
                form_input = read_input(view, self._context.defaults.longest)
            except FieldErrors as wrong:
                ack(response_action="errors", errors=wrong.errors)
                return
            payload = Payload.submission(body)

            def work(member: Member, responder: Responder) -> None:
                submit(Submission(self._context, member, responder, payload, form_input))

            verb = str(view.get("callback_id"))
            self._dispatcher.take(ack, payload, verb, work, fresh=fresh)

        return listener

    def unknown_form(self, ack: Ack, body: Body) -> None:
        """Refuse a form of another version."""
        refusal = UnknownControl(Code.UNKNOWN_FORM)
        self._dispatcher.take(
            ack, Payload.submission(body), "unknown form", partial(_raise, refusal)
        )

    def home(self, ack: Ack, body: Body) -> None:
        """Handle an opened Home tab."""
        event = body.get("event")
        if isinstance(event, dict) and event.get("tab") == "home":
            self._dispatcher.take(
                ack,
                Payload.event(body),
                "home",
                lambda member, responder: self._home_tabs.opened(member),
            )
        else:
            ack()

    def _clicked(
        self, handle: HandleClick, payload: Payload, member: Member, responder: Responder
    ) -> None:
        try:
            handle(Click(self._context, member, responder, payload))
        finally:
            if payload.ts and not payload.ephemeral:
                self._record_message(payload)

    def _record_message(self, payload: Payload) -> None:
        """Record where the clicked message is, if that is unknown.

        A failure is logged and does not change the outcome of the click.
        """
        try:
            self._messenger.clicked(
                self._name(payload), payload.action_id, payload.channel, payload.ts
            )
        except (StoreUnavailable, StoredValueUnreadable) as failure:
            structlog.get_logger("keydesk").warning(
                "message", outcome="not recorded", code=failure.code
            )

    def _name(self, payload: Payload) -> str:
        """Return the name of the request or key that the clicked message is about."""
        button = BUTTONS.get(payload.action_id)
        if button and button.about_key:
            return f"key:{payload.value}"
        if KEY_ID.fullmatch(payload.value):
            key = self._context.services.store.key(payload.value)
            return f"request:{key.request_id if key else ''}"
        return f"request:{payload.value}"


def _unknown_button(click: Click) -> None:
    raise UnknownControl(Code.UNKNOWN_BUTTON)


def _raise(refusal: Exception, member: Member, responder: Responder) -> None:
    """Raise a refusal that was found before any I/O.

    It runs in the pool, after the check of the member.
    """
    raise refusal
