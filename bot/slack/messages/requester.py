"""The lasting messages: which copies a request or key has in Slack, and what each shows in each state.

Everything is drawn from what is stored, never edited from the old message and never read back from it.
"""

from __future__ import annotations

from dataclasses import dataclass

from slack_sdk.models.blocks import ButtonElement

from bot.domain.keys import ManagedKey
from bot.domain.ports import Record
from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status
from bot.slack import action_ids
from bot.slack.messages import keys, permissions, waiting
from bot.slack.messages.blocks import (
    Message,
    actions,
    button,
    cancel_button,
    confirm,
    context,
    date_token,
    delete_first_text,
    escape,
    key_line,
    last_used_text,
    message,
    quote,
    reason,
    section,
)
from bot.slack.messages.errors import detail_text
from bot.slack.messages.receipt import cancelled_text, receipt_buttons, unclaimed_buttons
from bot.slack.messages.request_card import (
    approvals_text,
    card_buttons,
    revoked,
)
from bot.slack.messages.request_text import approved_by
from bot.slack.messages.rotation import plan_text
from bot.slack.messages.text import mentions

CARD, REQUESTED, OUTCOME, REMINDER, UNCLAIMED, EXPIRED = (
    "card",
    "asked",
    "outcome",
    "reminder",
    "unclaimed",
    "ended",
)
REVOKED = "revoked"
FOR_APPROVERS = {CARD, *waiting.IN_CARDS_THREAD, *keys.FOR_APPROVERS}


@dataclass(frozen=True)
class Destinations:
    """Where copies go and whom the card mentions: `mentions` is mrkdwn (`<!subteam^S…> <@U…>`)."""

    approval_channel: str
    mentions: str


def expected_kinds(kept: Record) -> tuple[str, ...]:
    """The copies that ought to exist now, oldest first. A new kind is a new message, which notifies its reader.

    A kind is a word, with what makes it one of several behind a colon (`outcome:1` after the first return), and
    `#<ts>` behind that where it is a second copy, whose first answer was lost.
    """
    if isinstance(kept, ManagedKey):
        return keys.expected_kinds(kept)
    kinds = [CARD, REQUESTED]
    if kept.decided_at:
        kinds.append(f"{OUTCOME}:{kept.reveal_round}")
    if kept.reminded_at and kept.status is Status.DELIVERED:
        kinds.append(f"{REMINDER}:{kept.access_key_id}")
    if kept.status is Status.UNCLAIMED:
        kinds.append(f"{UNCLAIMED}:{kept.access_key_id}")
    if kept.last_event is Event.REVOKE:
        kinds.append(REVOKED)
    if kept.status is Status.EXPIRED and kept.last_event not in (Event.OWNER_DELETED, Event.CLOSE):
        kinds.append(EXPIRED)
    return (*kinds, *waiting.expected_kinds(kept))


def channel(kept: Record, kind: str, destinations: Destinations) -> str:
    """The channel a copy of this kind stands in."""
    word = _word(kind)
    return destinations.approval_channel if word in FOR_APPROVERS else kept.dm


def thread_kind(kind: str) -> str:
    """The kind of copy in whose thread this one stands, "" for none."""
    word, colon, which = kind.partition("#")[0].partition(":")
    if word in waiting.IN_CARDS_THREAD:
        return CARD
    return f"{keys.IN_THREAD_OF[word]}{colon}{which}" if word in keys.IN_THREAD_OF else ""


def is_final(kept: Record, kind: str) -> bool:
    """Has this copy, as it is drawn now, said its last word? Then it is known no more, and costs no call again."""
    return isinstance(kept, KeyRequest) and waiting.is_final(kept, kind)


def _word(kind: str) -> str:
    return kind.partition("#")[0].partition(":")[0]


def kind_of_action(kept: Record, action_id: str) -> str:
    """The kind of copy that carries this button in the state of `kept`."""
    if isinstance(kept, ManagedKey):
        return keys.kind_of_action(kept, action_id)
    if action_id in (
        action_ids.APPROVE,
        action_ids.DENY,
        action_ids.TAKE_BACK,
        action_ids.REVOKE,
        action_ids.ON_IT,
    ):
        return CARD
    if action_id == action_ids.NUDGE or (action_id == action_ids.CANCEL and not kept.decided_at):
        return REQUESTED
    if action_id in (action_ids.ENABLE_UNCLAIMED, action_ids.REPLACE):
        return f"{UNCLAIMED}:{kept.access_key_id}"
    return f"{OUTCOME}:{kept.reveal_round}"


def render(kept: Record, kind: str, destinations: Destinations) -> Message:
    """A copy of `kept` as its state wants it now."""
    word, _, which = kind.partition("#")[0].partition(":")
    if isinstance(kept, ManagedKey):
        return keys.render(kept, kind.partition("#")[0])
    if word == CARD:
        return _card(kept, destinations)
    if word == REQUESTED:
        return _requested(kept)
    if word == OUTCOME:
        return _outcome(kept) if which == str(kept.reveal_round) else _superseded(kept)
    if word == EXPIRED:
        return _expired(kept)
    if word == REVOKED and kept.last_event is Event.REVOKE:
        return revoked(kept, _ask_again_text(kept))
    if word in waiting.IN_CARDS_THREAD:
        return waiting.render(kept, kind.partition("#")[0], destinations.mentions)
    if which != kept.access_key_id:
        return _superseded(kept)
    return _reminder(kept) if word == REMINDER else _unclaimed(kept)


def _card(request: KeyRequest, destinations: Destinations) -> Message:
    pending = request.status is Status.PENDING
    facts = "".join(f"\n{key_line(key, request.requested_at)}" for key in request.keys) or "  none"
    urgent, looking = waiting.urgent_text(request), waiting.review_text(request)
    title = f"{'Urgent: access' if urgent else 'Access'} key for {escape(request.iam_user)}: {request.status}"
    return message(
        title,
        [
            section(urgent) if urgent else None,
            section(f":key: *<@{request.requester}> asks {_what_is_requested(request)}*"),
            section(
                f"*{'Service user' if request.is_service_user else 'IAM user'}*  `{escape(request.iam_user)}` in account "
                f"{escape(request.account)}"
            ),
            reason(request),
            section(f"*Present keys*{facts}"),
            section(plan_text(request)) if request.delivers_secret else None,
            *permissions.card_blocks(request),
            context(
                f"{status_text(request)}{f' {destinations.mentions}' if pending and destinations.mentions else ''}"
            ),
            quote(request.denial_reason) if request.denial_reason else None,
            context(looking) if looking else None,
            card_buttons(request),
        ],
    )


def _what_is_requested(request: KeyRequest) -> str:
    """What is asked for: "for an access key", "to rotate AKIA…"."""
    return {
        "rotate": f"to rotate {request.target}",
        "enable": f"to turn {request.target} on again",
        "extend": f"for 7 more days for {request.target}",
    }.get(request.verb, "for an access key")


def _applied_text(request: KeyRequest) -> str:
    """What an approved request without a secret has done."""
    done = (
        "is active again; it may take a minute to work"
        if request.verb == "enable"
        else "lives 7 days longer"
    )
    return f"Key `{request.target}` {done}."


def status_text(request: KeyRequest) -> str:
    """How a request stands, for everybody: who decided and when, and what has come of it."""
    by = (
        f"by {approved_by(request)}, {date_token(request.decided_at)}" if request.decided_at else ""
    )
    approved = f":white_check_mark: Approved {by}."
    key = f"`{request.access_key_id}`"
    last_event_at = date_token(request.last_event_at) if request.last_event_at else ""
    match request.status:
        case Status.PENDING:
            lapses = date_token(request.deadline) if request.deadline else "never"
            return f":hourglass_flowing_sand: Waiting for an approver; lapses {lapses}. {approvals_text(request)}".rstrip()
        case Status.APPROVED:
            held = (
                f" Not revealed yet; held until {date_token(request.deadline)}."
                if request.deadline
                else ""
            )
            return approved + (held if request.delivers_secret else " It is being done.")
        case Status.ISSUING:
            return f"{approved} The key is being issued."
        case Status.DELETING:
            return f"{approved} Key {key} is being withdrawn."
        case Status.DELIVERED:
            shown = "may have been" if request.last_event is Event.RECOVER else "was"
            to = f"<@{request.requester}>; not confirmed yet.{_stopped_text(request)}"
            return f"{approved} Key {key} {shown} shown to {to}"
        case Status.UNCLAIMED:
            so = "." if request.stopped_by else ", so it is inactive."
            return f"{approved} Key {key} was handed over, never used and never confirmed{so}{_stopped_text(request)}"
        case Status.CONFIRMED:
            return f"{approved} {f'Key {key} arrived and was confirmed.' if request.delivers_secret else _applied_text(request)}"
        case Status.DENIED if request.last_event is Event.REVOKE:
            return f":no_entry: Approved {by}; revoked by <@{request.last_event_by}>, {last_event_at}. {cancelled_text(request)}"
        case Status.DENIED:
            return f":no_entry: Denied by <@{request.decided_by}>, {last_event_at}."
        case Status.CANCELLED:
            return f":x: Cancelled by <@{request.last_event_by}>, {last_event_at}. {cancelled_text(request)}"
        case Status.EXPIRED:
            return f"{f'{approved} ' if by else ''}:hourglass: {_expired_text(request)} ({last_event_at})"


def _stopped_text(request: KeyRequest) -> str:
    return f" <@{request.stopped_by}> turned it off." if request.stopped_by else ""


def _expired_text(request: KeyRequest) -> str:
    if request.last_event is Event.CLOSE and request.stopped_by:
        return f"Closed: <@{request.stopped_by}> turned the key off, and it is withdrawn."
    if request.last_event is Event.CLOSE:
        return "Closed after the last reveal; the key is withdrawn."
    if request.last_event is Event.OWNER_DELETED:
        return "Closed: its owner deleted the key."
    nobody = (
        f"{mentions(request.approvers)} approved, and too few others did"
        if request.approvers
        else ("nobody decided")
    )
    if not request.delivers_secret:
        return (
            f"Not done: {detail_text(request.detail)}"
            if request.decided_at and request.detail
            else (f"Expired: {nobody} in time.")
        )
    if request.access_key_id:
        return f"Closed: nobody claimed key {request.access_key_id}, so it is deleted."
    return (
        f"Expired: the key was not revealed in time; none is kept.{delete_first_text(request)}"
        if request.decided_at
        else (f"Expired: {nobody} in time; no key was made.")
    )


def _requested(request: KeyRequest) -> Message:
    pending = request.status is Status.PENDING
    fate = "Decided: see below." if request.decided_at else status_text(request)
    return message(
        f"You asked {_what_is_requested(request)}: {request.status}",
        [
            section(f"You asked {_what_is_requested(request)} (`{escape(request.iam_user)}`):"),
            reason(request),
            context(f"{fate} {waiting.waiting_since_text(request)}" if pending else fate),
            waiting.requester_buttons(request) if pending else None,
        ],
    )


def _outcome(request: KeyRequest) -> Message:
    """The requester's message after the decision: from here the key is revealed, and its receipt given."""
    if request.decided_by and request.status is Status.DENIED and request.last_event is Event.DENY:
        return waiting.denied(request, _ask_again_text(request))
    detail = (
        section(detail_text(request.detail)) if request.detail and request.delivers_secret else None
    )
    if request.status is Status.APPROVED and request.delivers_secret:
        held = f" Reveal it by {date_token(request.deadline)}." if request.deadline else ""
        lead = (
            "Your request is approved"
            if not request.reveal_round
            else "You can reveal another key: approved"
        )
        return message(
            f"{lead} by {approved_by(request)}.",
            [
                section(f":white_check_mark: *{lead} by {approved_by(request)}.*{held}"),
                detail,
                actions(_reveal(request), cancel_button(request)),
                context(
                    f"The key is made when you click, and shown once. Reveals left: {request.reveals_left}."
                ),
            ],
        )
    if request.status is Status.DELIVERED:
        when = f", {date_token(request.delivered_at)}" if request.delivered_at else ""
        key, shown = f"Key `{request.access_key_id}`", _shown_text(request)
        return message(
            f"Key {request.access_key_id} {shown}.",
            [
                section(f":key: {key} {shown}{when}.{_stopped_text(request)} Did it arrive?"),
                actions(*receipt_buttons(request)),
                context("A secret is shown once, in a message that only you can see."),
            ],
        )
    return message(status_text(request), [section(status_text(request)), detail])


def _shown_text(request: KeyRequest) -> str:
    """Was the key shown? After a lease that ran out nobody knows, and the person is asked."""
    return "may have been handed over" if request.last_event is Event.RECOVER else "was handed over"


def _reveal(request: KeyRequest) -> ButtonElement:
    gone = None if request.delete_first_at else request.key(request.delete_first)
    deletes = (
        f"This first deletes {gone.id}, {last_used_text(gone)}. The new key is " if gone else ""
    )
    shown = f"{deletes}shown once, here." if gone else "Shown once, here."
    return button(
        "Reveal my key",
        action_ids.REVEAL,
        request.id,
        style="primary",
        confirm=confirm(
            "Reveal the key now?",
            f"{shown} Are you at the machine that needs it?",
            "Reveal",
            danger=gone is not None,
        ),
    )


def _superseded(request: KeyRequest) -> Message:
    """A message of an earlier reveal: it says what became of that key, and has no buttons."""
    gone = ", ".join(f"`{key_id}`" for key_id in request.deleted_keys)
    text = (
        f"{gone} {'are' if len(request.deleted_keys) > 1 else 'is'} withdrawn."
        if gone
        else "This try brought no key."
    )
    return message(text, [section(f":x: {text} Use the newest message below.")])


def _reminder(request: KeyRequest) -> Message:
    if request.status is not Status.DELIVERED:
        return message(status_text(request), [section(status_text(request))])
    off = _stopped_text(request) or (
        f" Without an answer, and if it is never used, it is turned off {date_token(request.deadline)}."
        if request.deadline
        else ""
    )
    text = f"Did key {request.access_key_id} arrive?"
    return message(text, [section(f":bell: *{text}*{off}"), actions(*receipt_buttons(request))])


def _unclaimed(request: KeyRequest) -> Message:
    key_id = request.access_key_id
    if request.status is not Status.UNCLAIMED:
        return message(status_text(request), [section(status_text(request))])
    until = f" It is deleted {date_token(request.deadline)}." if request.deadline else ""
    why = _stopped_text(request).rstrip(".") + ", and" if request.stopped_by else ""
    return message(
        f"Key {key_id} is turned off",
        [
            section(
                f":warning: *Key {key_id} is turned off:*{why} you did not say that you have it, and it was never used."
                f"{until}"
            ),
            actions(*unclaimed_buttons(request)),
        ],
    )


def _expired(request: KeyRequest) -> Message:
    text = _expired_text(request)
    return message(
        text,
        [
            section(f":hourglass: {text}"),
            reason(request),
            context(f"Still need it? {_ask_again_text(request)}"),
        ],
    )


def _ask_again_text(request: KeyRequest) -> str:
    return f"`/key {request.verb_again}` starts a new request."
