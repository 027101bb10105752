"""Word what has happened to a request, and how many approvals it has."""

from __future__ import annotations

from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status
from bot.slack.messages.blocks import date_token, escape
from bot.slack.messages.text import mentions

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six")

_PAST_TENSE = {
    Event.APPROVE: "approved",
    Event.DENY: "denied",
    Event.CANCEL: "cancelled",
    Event.REVOKE: "revoked",
    Event.EXPIRE: "expired",
    Event.REVEAL: "being issued",
    Event.RECORD_KEY: "being issued",
    Event.DELIVER: "delivered",
    Event.RECOVER: "delivered",
    Event.CONFIRM: "finished",
    Event.OWNER_DELETED: "closed, its key deleted",
    Event.CLOSE: "closed after its last reveal",
    Event.UNCLAIM: "waiting for a receipt",
    Event.REMIND: "delivered",
    Event.STOP: "stopped, its key turned off,",
}


def story(request: KeyRequest) -> str:
    """Return what has happened to a request, by whom and when, as mrkdwn sentences."""
    if request.status is Status.PENDING or request.last_event is None:
        asked = date_token(request.requested_at)
        so_far = f": {tally(request)}" if tally(request) else ""
        return f"This request has been waiting for an approver since {asked}{so_far}."
    if request.status is Status.ISSUING:
        return "The key is being created now. The requester will read more in their direct message."
    if request.status is Status.DELETING:
        again = " After that, *Reveal my key* will be back." if request.reveals_left else ""
        return f"The key {request.access_key_id} is being deleted.{again}"
    if request.apply_started:
        by = mentions(request.approvers)
        return f"This request was approved by {by}. {request.target} is being turned on now."
    if request.status is Status.APPROVED and request.last_event is not Event.APPROVE:
        by = mentions(request.approvers or (request.decided_by,))
        approved = f" by {by}" if request.decided_by else ""
        return f"This request was approved{approved}. It waits for the requester to reveal the key."
    return f"This request was already {_outcome(request, request.last_event)}.{_again(request)}"


def tally(request: KeyRequest) -> str:
    """Return whose approvals count and how many are missing ("": one is enough)."""
    if request.approvals_needed < 2 and not request.approvals and not request.dropped_approvers:
        return ""
    so_far = f"approved by {mentions(request.approvers)}; " if request.approvals else ""
    dropped = request.dropped_approvers
    lost = f" ({mentions(dropped)} may not approve any more, so that does not count)"
    return f"{so_far}{missing_text(request)}" + (lost if dropped else "")


def missing_text(request: KeyRequest) -> str:
    """Return how many approvals are missing, such as "one more is needed"."""
    missing = request.approvals_missing
    noun, verb = ("approval", "is") if missing == 1 else ("approvals", "are")
    if request.approvals:
        noun = "more"
    return f"{_NUMBERS[missing]} {noun} {verb} needed"


def again_command(request: KeyRequest) -> str:
    """Return the command with which the requester asks again."""
    return f"`/key {escape(request.verb_again)}`"


def _outcome(request: KeyRequest, event: Event) -> str:
    by = f"<@{request.last_event_by}>" if request.last_event_by.startswith(("U", "W")) else ""
    if event is Event.APPROVE and request.approvals:
        by = mentions(request.approvers)
    parts = [
        _PAST_TENSE.get(event, str(request.status)),
        f"by {by}" if by else "",
        date_token(request.last_event_at) if request.last_event_at else "",
    ]
    return " ".join(filter(None, parts))


def _again(request: KeyRequest) -> str:
    ended = request.status.final and request.status is not Status.CONFIRMED
    return f" {again_command(request)} starts a new one." if ended else ""
