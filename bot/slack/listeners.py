"""What may people type and click, and where does it lead? `register` is the routing table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import structlog
from slack_bolt import Ack, App
from slack_sdk import WebClient

from bot.core.access_key import KEY_ID, Wanted
from bot.core.command import Command, check_reason, parse
from bot.core.errors import BadCommand, LooksLikeSecret, NotYourKey, Refused, StoreUnavailable, at_words
from bot.core.people import Member
from bot.core.request import KeyRequest, Status
from bot.core.workflow import ask, decide, hand_over, receipt, retire
from bot.core.workflow.desk import Desk
from bot.slack import blocks, forms, ids
from bot.slack.boundary import Answer, Boundary, Payload
from bot.slack.calls import asked
from bot.slack.messenger import SlackMessenger

Body = Mapping[str, Any]
Click = Callable[["Listeners", Member, Answer, str], None]
"""Carries out a click on a button with this value."""


def register(app: App, listeners: Listeners) -> None:
    """Routes everything that people can type, click and submit."""
    app.command(ids.COMMAND)(listeners.command)
    for action_id, (click, fresh) in CLICKS.items():
        app.action(action_id)(listeners.on_click(click, fresh=fresh))
    app.view(ids.CREATE_FORM)(listeners.create_form)
    app.action(re.compile(".*"))(listeners.on_click(Listeners.unknown))
    app.view(re.compile(".*"))(listeners.unknown_form)


class Listeners:
    """Reads a payload (no I/O), then leaves the work to the boundary. `instead` is shown before a key is asked for."""

    def __init__(self, desk: Desk, boundary: Boundary, messenger: SlackMessenger, web: WebClient, instead: str) -> None:
        self.desk, self.instead = desk, instead
        self._boundary, self._messenger, self._web = boundary, messenger, web

    # -- commands

    def command(self, ack: Ack, body: Body) -> None:
        payload = Payload.command(body)
        text = body.get("text")
        try:
            command = parse(text if isinstance(text, str) else "")
        except (BadCommand, LooksLikeSecret) as refusal:
            self._boundary.take(ack, payload, "command", partial(_refuse, refusal))
            return
        self._boundary.take(ack, payload, command.verb, partial(self._run, command, payload))

    def _run(self, command: Command, payload: Payload, member: Member, answer: Answer) -> None:
        if command.key_id:
            structlog.contextvars.bind_contextvars(key=command.key_id)
        match command.verb:
            case "create" if not command.reason:
                with asked("views.open"):
                    self._web.views_open(trigger_id=payload.trigger, view=forms.create_form(self.instead))
            case "create":
                answer.say(self._ask(member, command.reason))
            case "list":
                answer.show(blocks.key_list(retire.keys_of(self.desk, member), self.desk.clock.now()))
            case "disable":
                self.disable(member, answer, command.key_id)
            case "delete":
                key = retire.own_key(self.desk, member, command.key_id)
                retire.may_delete(key)
                answer.show(blocks.delete_question(key, self.desk.clock.now()))
            case _:
                answer.show(blocks.help_text(self.instead))

    def _ask(self, member: Member, reason: str) -> str:
        request = ask.create(self.desk, member, reason)
        structlog.contextvars.bind_contextvars(request=request.id)
        until = f" until {at_words(request.deadline)}" if request.deadline else ""
        instead = f"{self.instead}\n" if self.instead else ""
        return (f"{instead}Asked. Your request waits for an approver{until}; I will tell you in your direct message "
                "with me, where you can also cancel it.")

    # -- the form

    def create_form(self, ack: Ack, body: Body) -> None:
        view = body.get("view")
        reason = forms.create_reason(view if isinstance(view, dict) else {})
        try:
            check_reason(reason)
        except (BadCommand, LooksLikeSecret) as refusal:
            words = refusal.problem if isinstance(refusal, BadCommand) else refusal.sentence
            ack(response_action="errors", errors={ids.REASON_BLOCK: words.replace("`", "")})  # plain text there
            return
        self._boundary.take(ack, Payload.submission(body), "create",
                            lambda member, answer: answer.say(self._ask(member, reason)))

    def unknown_form(self, ack: Ack, body: Body) -> None:
        self._boundary.take(ack, Payload.submission(body), "unknown form", partial(_refuse, BadCommand(
            "I do not know that form.", "/key help")))

    # -- clicks

    def on_click(self, click: Click, *, fresh: bool = False) -> Callable[[Ack, Body], None]:
        """A listener for a button. Bolt fills its arguments by name, so it is a function, not a partial."""
        def listener(ack: Ack, body: Body) -> None:
            payload = Payload.click(body)
            self._boundary.take(ack, payload, payload.action_id or "click", partial(self._clicked, click, payload),
                                fresh=fresh)
        return listener

    def _clicked(self, click: Click, payload: Payload, member: Member, answer: Answer) -> None:
        try:
            click(self, member, answer, payload.value)
        finally:
            if payload.ts and not payload.ephemeral:
                self._note_copy(payload)

    def _note_copy(self, payload: Payload) -> None:
        """Makes the message that was clicked known, if it is not. What fails here changes nothing of the click."""
        try:
            self._messenger.clicked(self._name(payload), payload.action_id, payload.channel, payload.ts)
        except StoreUnavailable as failure:
            structlog.get_logger("keydesk").warning("copy", outcome="not noted", error=str(failure.__cause__))

    def _name(self, payload: Payload) -> str:
        """The request, or found key, that the clicked message is a copy of."""
        if payload.action_id in (ids.FOUND_DELETE, ids.FOUND_ENABLE):
            return f"key:{payload.value}"
        if KEY_ID.fullmatch(payload.value):
            key = self.desk.store.key(payload.value)
            return f"request:{key.request_id if key else ''}"
        return f"request:{payload.value}"

    def approve(self, member: Member, answer: Answer, value: str) -> None:
        request = decide.approve(self.desk, member, value)
        answer.say(f"Approved. I have told <@{request.requester}>, who can reveal the key now.")

    def deny(self, member: Member, answer: Answer, value: str) -> None:
        request = decide.deny(self.desk, member, value)
        answer.say(f"Denied. I have told <@{request.requester}>.")

    def cancel(self, member: Member, answer: Answer, value: str) -> None:
        ask.cancel(self.desk, member, value)
        answer.say("Cancelled; no key is kept. `/key create <reason>` asks again.")

    def reveal(self, member: Member, answer: Answer, value: str) -> None:
        hand_over.reveal(self.desk, member, value)  # the ephemeral is the answer

    def saved(self, member: Member, answer: Answer, value: str) -> None:
        try:
            receipt.confirm(self.desk, member, value)
        except Refused:
            answer.remove()  # the key shown there is not the one that counts
            raise
        if not answer.remove():
            answer.say(f"Good. {value} is yours. Slack did not take the message with the secret away: reload Slack, "
                       "and it is gone.")

    def have_it(self, member: Member, answer: Answer, value: str) -> None:
        receipt.confirm(self.desk, member, value)
        answer.say(f"Good. {value} is yours. `/key list` shows it.")

    def enable_unclaimed(self, member: Member, answer: Answer, value: str) -> None:
        receipt.confirm(self.desk, member, value)
        answer.say(f"Good. {value} is active again; it may take a minute to work.")

    def did_not_get(self, member: Member, answer: Answer, value: str) -> None:
        answer.say(_withdrawn(value, receipt.did_not_get(self.desk, member, value)))

    def replace(self, member: Member, answer: Answer, value: str) -> None:
        answer.say(_withdrawn(value, receipt.replace_key(self.desk, member, value)))

    def disable(self, member: Member, answer: Answer, value: str) -> None:
        retired = retire.disable(self.desk, member, _key_id(value))
        if retired.already:
            answer.say(f"{value} is inactive already.", replace=True)
            return
        answer.show(blocks.disabled(retired.key), replace=True)

    def delete(self, member: Member, answer: Answer, value: str) -> None:
        retire.delete(self.desk, member, _key_id(value))
        answer.say(f"{value} is deleted. There is room for a new key: `/key create <reason>`.", replace=True)

    def found_delete(self, member: Member, answer: Answer, value: str) -> None:
        retire.decide_found(self.desk, member, value, Wanted.DELETED)
        answer.say(f"{value} is deleted.")

    def found_enable(self, member: Member, answer: Answer, value: str) -> None:
        retire.decide_found(self.desk, member, value, Wanted.ACTIVE)
        answer.say(f"{value} is active again.")

    def unknown(self, member: Member, answer: Answer, value: str) -> None:
        raise BadCommand("I do not know that button; it may be of another version of the desk.", "/key help")


CLICKS: dict[str, tuple[Click, bool]] = {  # action ID -> what it does, and whether Slack is asked anew who it is
    ids.APPROVE: (Listeners.approve, True),
    ids.DENY: (Listeners.deny, True),
    ids.CANCEL: (Listeners.cancel, False),
    ids.REVEAL: (Listeners.reveal, True),
    ids.SAVED: (Listeners.saved, False),
    ids.HAVE_IT: (Listeners.have_it, False),
    ids.DID_NOT_GET: (Listeners.did_not_get, False),
    ids.ENABLE_UNCLAIMED: (Listeners.enable_unclaimed, True),
    ids.REPLACE: (Listeners.replace, True),
    ids.DISABLE: (Listeners.disable, False),
    ids.DELETE: (Listeners.delete, False),
    ids.FOUND_DELETE: (Listeners.found_delete, True),
    ids.FOUND_ENABLE: (Listeners.found_enable, True),
}


def _refuse(refusal: Exception, member: Member, answer: Answer) -> None:
    """Refuses in the pool, after the person was checked, what was found wrong before any I/O."""
    raise refusal


def _key_id(value: str) -> str:
    """A button's value as an access key ID. Raises NotYourKey for anything else."""
    if not KEY_ID.fullmatch(value):
        raise NotYourKey
    return value


def _withdrawn(key_id: str, request: KeyRequest) -> str:
    left = request.reveals_left > 0
    if request.status is Status.WITHDRAWING:
        more = " *Reveal my key* comes back here after that." if left else ""
        return f"{key_id} is being withdrawn, which AWS takes a few minutes for: do not use it.{more}"
    more = "*Reveal my key* is back in your newest message." if left else "That was the last of three reveals."
    return f"{key_id} is withdrawn. {more}"
