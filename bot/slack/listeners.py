"""What may people type, click and submit, and where does it lead? `register` and its tables are the routing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import structlog
from slack_bolt import Ack, App

from bot.core.access_key import KEY_ID
from bot.core.command import USAGE, parse
from bot.core.errors import BadCommand, LooksLikeSecret, StoreUnavailable
from bot.core.people import Member
from bot.slack import asking, forms, handing, ids, retiring
from bot.slack.boundary import Answer, Boundary
from bot.slack.context import Context, Handle, Run, Submit
from bot.slack.home_tabs import HomeTabs
from bot.slack.messenger import SlackMessenger
from bot.slack.payload import Payload

Body = Mapping[str, Any]

COMMANDS: dict[str, Run] = {
    "create": asking.create,
    "rotate": asking.rotate,
    "enable": asking.enable,
    "list": retiring.list_keys,
    "used": retiring.used,
    "disable": retiring.disable,
    "delete": retiring.delete,
    "leaked": retiring.leaked,
    "requests": retiring.requests,
    "help": retiring.help_,
}

CLICKS: dict[
    str, tuple[Handle, bool]
] = {  # action ID -> what it does, and whether Slack is asked anew who it is
    ids.APPROVE: (handing.approve, True),
    ids.DENY: (handing.deny, True),
    ids.TAKE_BACK: (handing.take_back, False),
    ids.REVOKE: (handing.revoke, True),
    ids.ON_IT: (handing.on_it, True),
    ids.NUDGE: (handing.nudge, False),
    ids.CANCEL: (asking.cancel, False),
    ids.REVEAL: (handing.reveal, True),
    ids.SAVED: (handing.saved, False),
    ids.HAVE_IT: (handing.have_it, False),
    ids.DID_NOT_GET: (handing.did_not_get, False),
    ids.ENABLE_UNCLAIMED: (handing.enable_unclaimed, True),
    ids.REPLACE: (handing.replace, True),
    ids.FOUND_DELETE: (handing.found_delete, True),
    ids.FOUND_ENABLE: (handing.found_enable, True),
    ids.CHECK: (handing.check, False),
    ids.NOT_YET: (handing.not_yet, False),
    ids.DISABLE_OLD: (handing.disable_old, True),
    ids.UNDO: (handing.undo, True),
    ids.ASK: (asking.ask_button, False),
    ids.ROTATE: (asking.rotate_button, False),
    ids.ENABLE: (asking.enable_button, False),
    ids.EXTEND: (asking.extend_button, False),
    ids.DISABLE: (retiring.disable_button, False),
    ids.DELETE: (retiring.delete_button, False),
    ids.DISABLE_FOR: (retiring.disable_for_button, True),
    ids.LEAKED_DISABLE: (retiring.leaked_disable, True),
}

FORMS: dict[str, Submit] = {
    ids.CREATE_FORM: asking.submit_create,
    ids.ROTATE_FORM: asking.submit_rotate,
    ids.ENABLE_FORM: asking.submit_enable,
    ids.DISABLE_FOR_FORM: retiring.submit_disable_for,
    ids.DENY_FORM: handing.submit_deny,
}

ABOUT_OTHERS = {ids.DISABLE_FOR_FORM, ids.DENY_FORM}
"""Forms by which somebody decides about others: who they are is asked anew, as at the button that opened the form."""

ABOUT_KEYS = {
    ids.FOUND_DELETE,
    ids.FOUND_ENABLE,
    ids.CHECK,
    ids.NOT_YET,
    ids.DISABLE_OLD,
    ids.UNDO,
    ids.ROTATE,
    ids.ENABLE,
    ids.EXTEND,
    ids.LEAKED_DISABLE,
    ids.ASK,
}
"""Buttons that stand in lasting messages about a key, not about a request."""


def register(app: App, listeners: Listeners) -> None:
    """Routes everything that people can type, click, submit and open."""
    app.command(ids.COMMAND)(listeners.command)
    for action_id, (handle, fresh) in CLICKS.items():
        app.action(action_id)(listeners.on_click(handle, fresh=fresh))
    for callback_id, submit in FORMS.items():
        app.view(callback_id)(listeners.on_submit(submit, fresh=callback_id in ABOUT_OTHERS))
    app.event("app_home_opened")(listeners.home)
    app.action(re.compile(".*"))(listeners.on_click(_unknown_button))
    app.view(re.compile(".*"))(listeners.unknown_form)


class Listeners:
    """Reads a payload (no I/O), then leaves the work to the boundary."""

    def __init__(
        self, context: Context, boundary: Boundary, messenger: SlackMessenger, homes: HomeTabs
    ) -> None:
        self._context, self._boundary, self._messenger, self._homes = (
            context,
            boundary,
            messenger,
            homes,
        )

    def command(self, ack: Ack, body: Body) -> None:
        payload, text = Payload.command(body), body.get("text")
        try:
            command = parse(text if isinstance(text, str) else "")
        except (BadCommand, LooksLikeSecret) as refusal:
            about_leaks = isinstance(refusal, LooksLikeSecret) or refusal.usage == USAGE["leaked"]
            self._boundary.take(
                ack, payload, "command", partial(_refuse, refusal), guests=about_leaks
            )
            return

        def work(member: Member, answer: Answer) -> None:
            if command.key_id:
                structlog.contextvars.bind_contextvars(key=command.key_id)
            COMMANDS[command.verb](self._context, member, answer, payload, command)

        self._boundary.take(ack, payload, command.verb, work, guests=command.verb == "leaked")

    def on_submit(self, submit: Submit, *, fresh: bool = False) -> Callable[[Ack, Body], None]:
        """A listener for a form. What is wrong with what was typed is said at its field, at once."""

        def listener(ack: Ack, body: Body) -> None:
            view = body.get("view")
            view = view if isinstance(view, dict) else {}
            try:
                typed = forms.typed(view, self._context.usual.longest)
            except forms.FieldErrors as wrong:
                ack(response_action="errors", errors=wrong.errors)
                return
            self._boundary.take(
                ack,
                Payload.submission(body),
                str(view.get("callback_id")),
                lambda member, answer: submit(self._context, member, answer, typed),
                fresh=fresh,
            )

        return listener

    def unknown_form(self, ack: Ack, body: Body) -> None:
        self._boundary.take(
            ack,
            Payload.submission(body),
            "unknown form",
            partial(_refuse, BadCommand("I do not know that form.", "/key help")),
        )

    def home(self, ack: Ack, body: Body) -> None:
        event = body.get("event")
        if isinstance(event, dict) and event.get("tab") == "home":
            self._boundary.take(
                ack, Payload.event(body), "home", lambda member, answer: self._homes.opened(member)
            )
        else:
            ack()

    def on_click(self, handle: Handle, *, fresh: bool = False) -> Callable[[Ack, Body], None]:
        """A listener for a button. Bolt fills its arguments by name, so it is a function, not a partial."""

        def listener(ack: Ack, body: Body) -> None:
            payload = Payload.click(body)
            self._boundary.take(
                ack,
                payload,
                payload.action_id or "click",
                partial(self._clicked, handle, payload),
                fresh=fresh,
            )

        return listener

    def _clicked(self, handle: Handle, payload: Payload, member: Member, answer: Answer) -> None:
        try:
            handle(self._context, member, answer, payload)
        finally:
            if payload.ts and not payload.ephemeral:
                self._note_copy(payload)

    def _note_copy(self, payload: Payload) -> None:
        """Makes the message that was clicked known, if it is not. What fails here changes nothing of the click."""
        try:
            self._messenger.clicked(
                self._name(payload), payload.action_id, payload.channel, payload.ts
            )
        except StoreUnavailable as failure:
            structlog.get_logger("keydesk").warning("copy", outcome="not noted", error=failure.why)

    def _name(self, payload: Payload) -> str:
        """The request or key that the clicked message is a copy of."""
        if payload.action_id in ABOUT_KEYS:
            return f"key:{payload.value}"
        if KEY_ID.fullmatch(payload.value):
            key = self._context.desk.store.key(payload.value)
            return f"request:{key.request_id if key else ''}"
        return f"request:{payload.value}"


def _unknown_button(context: Context, member: Member, answer: Answer, payload: Payload) -> None:
    raise BadCommand(
        "I do not know that button; it may be of another version of the desk.", "/key help"
    )


def _refuse(refusal: Exception, member: Member, answer: Answer) -> None:
    """Refuses in the pool, after the person was checked, what was found wrong before any I/O."""
    raise refusal
