"""What may people type, click and submit, and where does it lead? `register` and its tables are the routing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import structlog
from slack_bolt import Ack, App

from bot.domain.codes import Code
from bot.domain.commands import parse
from bot.domain.errors import BadCommand, LooksLikeSecret, StoreUnavailable
from bot.domain.identity import Member
from bot.domain.keys import KEY_ID
from bot.slack import action_ids
from bot.slack.delivery.home_tabs import HomeTabs
from bot.slack.delivery.messenger import SlackMessenger
from bot.slack.listeners import approvals, keys, requests
from bot.slack.listeners.context import (
    HandleClick,
    HandleCommand,
    HandleSubmission,
    ListenerContext,
)
from bot.slack.listeners.dispatch import Dispatcher, Responder
from bot.slack.messages import modals
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
    "leaked": keys.leaked,
    "requests": keys.requests,
    "help": keys.help_,
}

ACTIONS: dict[
    str, tuple[HandleClick, bool]
] = {  # action ID -> what it does, and whether Slack is asked anew who it is
    action_ids.APPROVE: (approvals.approve, True),
    action_ids.DENY: (approvals.deny, True),
    action_ids.TAKE_BACK: (approvals.withdraw_approval, False),
    action_ids.REVOKE: (approvals.revoke, True),
    action_ids.ON_IT: (approvals.toggle_review, True),
    action_ids.NUDGE: (approvals.nudge, False),
    action_ids.CANCEL: (requests.cancel, False),
    action_ids.REVEAL: (approvals.reveal, True),
    action_ids.SAVED: (approvals.saved, False),
    action_ids.HAVE_IT: (approvals.have_it, False),
    action_ids.DID_NOT_GET: (approvals.did_not_get, False),
    action_ids.ENABLE_UNCLAIMED: (approvals.enable_unclaimed, True),
    action_ids.REPLACE: (approvals.replace, True),
    action_ids.FOUND_DELETE: (approvals.orphan_delete, True),
    action_ids.FOUND_ENABLE: (approvals.orphan_enable, True),
    action_ids.CHECK: (approvals.check_last_use, False),
    action_ids.NOT_YET: (approvals.not_yet, False),
    action_ids.DISABLE_OLD: (approvals.disable_old, True),
    action_ids.UNDO: (approvals.undo, True),
    action_ids.ASK: (requests.request_button, False),
    action_ids.ROTATE: (requests.rotate_button, False),
    action_ids.ENABLE: (requests.enable_button, False),
    action_ids.EXTEND: (requests.extend_button, False),
    action_ids.DISABLE: (keys.disable_button, False),
    action_ids.DELETE: (keys.delete_button, False),
    action_ids.DISABLE_FOR: (keys.disable_for_button, True),
    action_ids.LEAKED_DISABLE: (keys.leaked_disable, True),
}

SUBMISSIONS: dict[str, HandleSubmission] = {
    action_ids.CREATE_FORM: requests.submit_create,
    action_ids.ROTATE_FORM: requests.submit_rotate,
    action_ids.ENABLE_FORM: requests.submit_enable,
    action_ids.DISABLE_FOR_FORM: keys.submit_disable_for,
    action_ids.DENY_FORM: approvals.submit_deny,
}

FRESH_SUBMISSIONS = {action_ids.DISABLE_FOR_FORM, action_ids.DENY_FORM}
"""Forms by which somebody decides about others: who they are is asked anew, as at the button that opened the form."""

KEY_ACTIONS = {
    action_ids.FOUND_DELETE,
    action_ids.FOUND_ENABLE,
    action_ids.CHECK,
    action_ids.NOT_YET,
    action_ids.DISABLE_OLD,
    action_ids.UNDO,
    action_ids.ROTATE,
    action_ids.ENABLE,
    action_ids.EXTEND,
    action_ids.LEAKED_DISABLE,
    action_ids.ASK,
}
"""Buttons that stand in lasting messages about a key, not about a request."""


def register(app: App, listeners: Listeners) -> None:
    """Routes everything that people can type, click, submit and open."""
    app.command(action_ids.COMMAND)(listeners.command)
    for action_id, (handle, fresh) in ACTIONS.items():
        app.action(action_id)(listeners.on_click(handle, fresh=fresh))
    for callback_id, submit in SUBMISSIONS.items():
        app.view(callback_id)(listeners.on_submit(submit, fresh=callback_id in FRESH_SUBMISSIONS))
    app.event("app_home_opened")(listeners.home)
    app.action(re.compile(".*"))(listeners.on_click(_unknown_button))
    app.view(re.compile(".*"))(listeners.unknown_form)


class Listeners:
    """Reads a payload (no I/O), then leaves the work to the boundary."""

    def __init__(
        self,
        context: ListenerContext,
        dispatcher: Dispatcher,
        messenger: SlackMessenger,
        open_homes: HomeTabs,
    ) -> None:
        self._context, self._boundary, self._messenger, self._homes = (
            context,
            dispatcher,
            messenger,
            open_homes,
        )

    def command(self, ack: Ack, body: Body) -> None:
        payload, text = Payload.command(body), body.get("text")
        try:
            command = parse(text if isinstance(text, str) else "")
        except (BadCommand, LooksLikeSecret) as refusal:
            about_leaks = isinstance(refusal, LooksLikeSecret) or refusal.verb == "leaked"
            self._boundary.take(
                ack, payload, "command", partial(_raise, refusal), guests=about_leaks
            )
            return

        def work(member: Member, responder: Responder) -> None:
            if command.key_id:
                structlog.contextvars.bind_contextvars(key=command.key_id)
            COMMANDS[command.verb](self._context, member, responder, payload, command)

        self._boundary.take(ack, payload, command.verb, work, guests=command.verb == "leaked")

    def on_submit(
        self, submit: HandleSubmission, *, fresh: bool = False
    ) -> Callable[[Ack, Body], None]:
        """A listener for a form. What is wrong with what was typed is said at its field, at once."""

        def listener(ack: Ack, body: Body) -> None:
            view = body.get("view")
            view = view if isinstance(view, dict) else {}
            try:
                form_input = modals.read_input(view, self._context.defaults.longest)
            except modals.FieldErrors as wrong:
                ack(response_action="errors", errors=wrong.errors)
                return
            self._boundary.take(
                ack,
                Payload.submission(body),
                str(view.get("callback_id")),
                lambda member, responder: submit(self._context, member, responder, form_input),
                fresh=fresh,
            )

        return listener

    def unknown_form(self, ack: Ack, body: Body) -> None:
        self._boundary.take(
            ack,
            Payload.submission(body),
            "unknown form",
            partial(_raise, BadCommand(Code.UNKNOWN_FORM, "help")),
        )

    def home(self, ack: Ack, body: Body) -> None:
        event = body.get("event")
        if isinstance(event, dict) and event.get("tab") == "home":
            self._boundary.take(
                ack,
                Payload.event(body),
                "home",
                lambda member, responder: self._homes.opened(member),
            )
        else:
            ack()

    def on_click(self, handle: HandleClick, *, fresh: bool = False) -> Callable[[Ack, Body], None]:
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

    def _clicked(
        self, handle: HandleClick, payload: Payload, member: Member, responder: Responder
    ) -> None:
        try:
            handle(self._context, member, responder, payload)
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
        if payload.action_id in KEY_ACTIONS:
            return f"key:{payload.value}"
        if KEY_ID.fullmatch(payload.value):
            key = self._context.services.store.key(payload.value)
            return f"request:{key.request_id if key else ''}"
        return f"request:{payload.value}"


def _unknown_button(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    raise BadCommand(Code.UNKNOWN_BUTTON, "help")


def _raise(refusal: Exception, member: Member, responder: Responder) -> None:
    """Refuses in the pool, after the person was checked, what was found wrong before any I/O."""
    raise refusal
