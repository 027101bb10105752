"""The lasting messages: which copies a request or key has in Slack, and what each shows in each state.

Everything is drawn from what is stored, never edited from the old message and never read back from it.
"""

from __future__ import annotations

from dataclasses import dataclass

from slack_sdk.models.blocks import ButtonElement

from bot.core.access_key import ManagedKey
from bot.core.moves import Action, Status
from bot.core.ports import Kept
from bot.core.request import KeyRequest, mentions
from bot.slack import facts_copies, ids, key_copies, waiting_copies
from bot.slack.approvals import approved_by, card_buttons, revoked, so_far
from bot.slack.blocks import (
    Drawn,
    actions,
    button,
    cancel_button,
    confirm,
    context,
    draw,
    escape,
    key_facts,
    last_used,
    let_go,
    moment,
    quote,
    reason,
    section,
    worded,
)
from bot.slack.request_buttons import cancelled, receipt_buttons, unclaimed_buttons
from bot.slack.rotation_words import plan

CARD, ASKED, OUTCOME, REMINDER, UNCLAIMED, ENDED = (
    "card",
    "asked",
    "outcome",
    "reminder",
    "unclaimed",
    "ended",
)
REVOKED = "revoked"
FOR_APPROVERS = {CARD, *waiting_copies.IN_CARDS_THREAD, *key_copies.FOR_APPROVERS}


@dataclass(frozen=True)
class Places:
    """Where copies go and whom the card mentions: `mentions` is mrkdwn (`<!subteam^S…> <@U…>`)."""

    approval_channel: str
    mentions: str


def wanted(kept: Kept) -> tuple[str, ...]:
    """The copies that ought to exist now, oldest first. A new kind is a new message, which notifies its reader.

    A kind is a word, with what makes it one of several behind a colon (`outcome:1` after the first return), and
    `#<ts>` behind that where it is a second copy, whose first answer was lost.
    """
    if isinstance(kept, ManagedKey):
        return key_copies.wanted(kept)
    kinds = [CARD, ASKED]
    if kept.decided_at:
        kinds.append(f"{OUTCOME}:{kept.turn}")
    if kept.reminded_at and kept.status is Status.DELIVERED:
        kinds.append(f"{REMINDER}:{kept.access_key_id}")
    if kept.status is Status.UNCLAIMED:
        kinds.append(f"{UNCLAIMED}:{kept.access_key_id}")
    if kept.moved is Action.REVOKE:
        kinds.append(REVOKED)
    if kept.status is Status.EXPIRED and kept.moved not in (Action.DELETE, Action.CLOSE):
        kinds.append(ENDED)
    return (*kinds, *waiting_copies.wanted(kept))


def channel(kept: Kept, kind: str, places: Places) -> str:
    """The channel a copy of this kind stands in."""
    word = _word(kind)
    return places.approval_channel if word in FOR_APPROVERS else kept.dm


def thread(kind: str) -> str:
    """The kind of copy in whose thread this one stands, "" for none."""
    word, colon, which = kind.partition("#")[0].partition(":")
    if word in waiting_copies.IN_CARDS_THREAD:
        return CARD
    return (
        f"{key_copies.IN_THREAD_OF[word]}{colon}{which}" if word in key_copies.IN_THREAD_OF else ""
    )


def is_over(kept: Kept, kind: str) -> bool:
    """Has this copy, as it is drawn now, said its last word? Then it is known no more, and costs no call again."""
    return isinstance(kept, KeyRequest) and waiting_copies.is_over(kept, kind)


def _word(kind: str) -> str:
    return kind.partition("#")[0].partition(":")[0]


def clicked(kept: Kept, action_id: str) -> str:
    """The kind of copy that carries this button in the state of `kept`."""
    if isinstance(kept, ManagedKey):
        return key_copies.clicked(kept, action_id)
    if action_id in (ids.APPROVE, ids.DENY, ids.TAKE_BACK, ids.REVOKE, ids.ON_IT):
        return CARD
    if action_id == ids.NUDGE or (action_id == ids.CANCEL and not kept.decided_at):
        return ASKED
    if action_id in (ids.ENABLE_UNCLAIMED, ids.REPLACE):
        return f"{UNCLAIMED}:{kept.access_key_id}"
    return f"{OUTCOME}:{kept.turn}"


def drawn(kept: Kept, kind: str, places: Places) -> Drawn:
    """A copy of `kept` as its state wants it now."""
    word, _, which = kind.partition("#")[0].partition(":")
    if isinstance(kept, ManagedKey):
        return key_copies.drawn(kept, kind.partition("#")[0])
    if word == CARD:
        return _card(kept, places)
    if word == ASKED:
        return _asked(kept)
    if word == OUTCOME:
        return _outcome(kept) if which == str(kept.turn) else _older(kept)
    if word == ENDED:
        return _ended(kept)
    if word == REVOKED and kept.moved is Action.REVOKE:
        return revoked(kept, _again(kept))
    if word in waiting_copies.IN_CARDS_THREAD:
        return waiting_copies.drawn(kept, kind.partition("#")[0], places.mentions)
    if which != kept.access_key_id:
        return _older(kept)
    return _reminder(kept) if word == REMINDER else _unclaimed(kept)


def _card(request: KeyRequest, places: Places) -> Drawn:
    pending = request.status is Status.PENDING
    facts = "".join(f"\n{key_facts(key, request.asked_at)}" for key in request.keys) or "  none"
    urgent, looking = waiting_copies.urgency(request), waiting_copies.looking(request)
    title = f"{'Urgent: access' if urgent else 'Access'} key for {escape(request.iam_user)}: {request.status}"
    return draw(
        title,
        [
            section(urgent) if urgent else None,
            section(f":key: *<@{request.requester}> asks {_what(request)}*"),
            section(
                f"*{'Service user' if request.service else 'IAM user'}*  `{escape(request.iam_user)}` in account "
                f"{escape(request.account)}"
            ),
            reason(request),
            section(f"*Present keys*{facts}"),
            section(plan(request)) if request.has_secret else None,
            *facts_copies.on_card(request),
            context(
                f"{_fate(request)}{f' {places.mentions}' if pending and places.mentions else ''}"
            ),
            quote(request.denied_why) if request.denied_why else None,
            context(looking) if looking else None,
            card_buttons(request),
        ],
    )


def _what(request: KeyRequest) -> str:
    """What is asked for: "for an access key", "to rotate AKIA…"."""
    return {
        "rotate": f"to rotate {request.target}",
        "enable": f"to turn {request.target} on again",
        "extend": f"for 7 more days for {request.target}",
    }.get(request.verb, "for an access key")


def _applied(request: KeyRequest) -> str:
    """What an approved request without a secret has done."""
    done = (
        "is active again; it may take a minute to work"
        if request.verb == "enable"
        else "lives 7 days longer"
    )
    return f"Key `{request.target}` {done}."


def _fate(request: KeyRequest) -> str:
    """How a request stands, for everybody: who decided and when, and what has come of it."""
    by = f"by {approved_by(request)}, {moment(request.decided_at)}" if request.decided_at else ""
    approved = f":white_check_mark: Approved {by}."
    key = f"`{request.access_key_id}`"
    moved_at = moment(request.moved_at) if request.moved_at else ""
    match request.status:
        case Status.PENDING:
            lapses = moment(request.deadline) if request.deadline else "never"
            return f":hourglass_flowing_sand: Waiting for an approver; lapses {lapses}. {so_far(request)}".rstrip()
        case Status.APPROVED:
            held = (
                f" Not revealed yet; held until {moment(request.deadline)}."
                if request.deadline
                else ""
            )
            return approved + (held if request.has_secret else " It is being done.")
        case Status.ISSUING:
            return f"{approved} The key is being issued."
        case Status.WITHDRAWING:
            return f"{approved} Key {key} is being withdrawn."
        case Status.DELIVERED:
            shown = "may have been" if request.moved is Action.RECOVER else "was"
            to = f"<@{request.requester}>; not confirmed yet.{_stopped(request)}"
            return f"{approved} Key {key} {shown} shown to {to}"
        case Status.UNCLAIMED:
            so = "." if request.stopped_by else ", so it is inactive."
            return f"{approved} Key {key} was handed over, never used and never confirmed{so}{_stopped(request)}"
        case Status.CONFIRMED:
            return f"{approved} {f'Key {key} arrived and was confirmed.' if request.has_secret else _applied(request)}"
        case Status.DENIED if request.moved is Action.REVOKE:
            return f":no_entry: Approved {by}; revoked by <@{request.moved_by}>, {moved_at}. {cancelled(request)}"
        case Status.DENIED:
            return f":no_entry: Denied by <@{request.decided_by}>, {moved_at}."
        case Status.CANCELLED:
            return f":x: Cancelled by <@{request.moved_by}>, {moved_at}. {cancelled(request)}"
        case Status.EXPIRED:
            return f"{f'{approved} ' if by else ''}:hourglass: {_why_ended(request)} ({moved_at})"


def _stopped(request: KeyRequest) -> str:
    return f" <@{request.stopped_by}> turned it off." if request.stopped_by else ""


def _why_ended(request: KeyRequest) -> str:
    if request.moved is Action.CLOSE and request.stopped_by:
        return f"Closed: <@{request.stopped_by}> turned the key off, and it is withdrawn."
    if request.moved is Action.CLOSE:
        return "Closed after the last reveal; the key is withdrawn."
    if request.moved is Action.DELETE:
        return "Closed: its owner deleted the key."
    nobody = (
        f"{mentions(request.approvers)} approved, and too few others did"
        if request.approvers
        else ("nobody decided")
    )
    if not request.has_secret:
        return (
            f"Not done: {worded(request.note)}"
            if request.decided_at
            else (f"Expired: {nobody} in time.")
        )
    if request.access_key_id:
        return f"Closed: nobody claimed key {request.access_key_id}, so it is deleted."
    return (
        f"Expired: the key was not revealed in time; none is kept.{let_go(request)}"
        if request.decided_at
        else (f"Expired: {nobody} in time; no key was made.")
    )


def _asked(request: KeyRequest) -> Drawn:
    pending = request.status is Status.PENDING
    fate = "Decided: see below." if request.decided_at else _fate(request)
    return draw(
        f"You asked {_what(request)}: {request.status}",
        [
            section(f"You asked {_what(request)} (`{escape(request.iam_user)}`):"),
            reason(request),
            context(f"{fate} {waiting_copies.since(request)}" if pending else fate),
            waiting_copies.asking(request) if pending else None,
        ],
    )


def _outcome(request: KeyRequest) -> Drawn:
    """The requester's message after the decision: from here the key is revealed, and its receipt given."""
    if request.decided_by and request.status is Status.DENIED and request.moved is Action.DENY:
        return waiting_copies.denied(request, _again(request))
    note = section(worded(request.note)) if request.note and request.has_secret else None
    if request.status is Status.APPROVED and request.has_secret:
        held = f" Reveal it by {moment(request.deadline)}." if request.deadline else ""
        lead = (
            "Your request is approved"
            if not request.turn
            else "You can reveal another key: approved"
        )
        return draw(
            f"{lead} by {approved_by(request)}.",
            [
                section(f":white_check_mark: *{lead} by {approved_by(request)}.*{held}"),
                note,
                actions(_reveal(request), cancel_button(request)),
                context(
                    f"The key is made when you click, and shown once. Reveals left: {request.reveals_left}."
                ),
            ],
        )
    if request.status is Status.DELIVERED:
        when = f", {moment(request.handed_over_at)}" if request.handed_over_at else ""
        key, shown = f"Key `{request.access_key_id}`", _shown(request)
        return draw(
            f"Key {request.access_key_id} {shown}.",
            [
                section(f":key: {key} {shown}{when}.{_stopped(request)} Did it arrive?"),
                actions(*receipt_buttons(request)),
                context("A secret is shown once, in a message that only you can see."),
            ],
        )
    return draw(_fate(request), [section(_fate(request)), note])


def _shown(request: KeyRequest) -> str:
    """Was the key shown? After a lease that ran out nobody knows, and the person is asked."""
    return "may have been handed over" if request.moved is Action.RECOVER else "was handed over"


def _reveal(request: KeyRequest) -> ButtonElement:
    gone = None if request.let_go_at else request.key(request.let_go)
    deletes = f"This first deletes {gone.id}, {last_used(gone)}. The new key is " if gone else ""
    shown = f"{deletes}shown once, here." if gone else "Shown once, here."
    return button(
        "Reveal my key",
        ids.REVEAL,
        request.id,
        style="primary",
        confirm=confirm(
            "Reveal the key now?",
            f"{shown} Are you at the machine that needs it?",
            "Reveal",
            danger=gone is not None,
        ),
    )


def _older(request: KeyRequest) -> Drawn:
    """A message of an earlier reveal: it says what became of that key, and has no buttons."""
    gone = ", ".join(f"`{key_id}`" for key_id in request.withdrawn)
    text = (
        f"{gone} {'are' if len(request.withdrawn) > 1 else 'is'} withdrawn."
        if gone
        else "This try brought no key."
    )
    return draw(text, [section(f":x: {text} Use the newest message below.")])


def _reminder(request: KeyRequest) -> Drawn:
    if request.status is not Status.DELIVERED:
        return draw(_fate(request), [section(_fate(request))])
    off = _stopped(request) or (
        f" Without an answer, and if it is never used, it is turned off {moment(request.deadline)}."
        if request.deadline
        else ""
    )
    text = f"Did key {request.access_key_id} arrive?"
    return draw(text, [section(f":bell: *{text}*{off}"), actions(*receipt_buttons(request))])


def _unclaimed(request: KeyRequest) -> Drawn:
    key_id = request.access_key_id
    if request.status is not Status.UNCLAIMED:
        return draw(_fate(request), [section(_fate(request))])
    until = f" It is deleted {moment(request.deadline)}." if request.deadline else ""
    why = _stopped(request).rstrip(".") + ", and" if request.stopped_by else ""
    return draw(
        f"Key {key_id} is turned off",
        [
            section(
                f":warning: *Key {key_id} is turned off:*{why} you did not say that you have it, and it was never used."
                f"{until}"
            ),
            actions(*unclaimed_buttons(request)),
        ],
    )


def _ended(request: KeyRequest) -> Drawn:
    text = _why_ended(request)
    return draw(
        text,
        [
            section(f":hourglass: {text}"),
            reason(request),
            context(f"Still need it? {_again(request)}"),
        ],
    )


def _again(request: KeyRequest) -> str:
    return f"`/key {request.verb_again}` starts a new request."
