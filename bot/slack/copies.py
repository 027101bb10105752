"""The lasting messages: which copies a request or key has in Slack, and what each shows in each state.

Everything is drawn from what is stored, never edited from the old message and never read back from it.
"""

from __future__ import annotations

from dataclasses import dataclass

from slack_sdk.models.blocks import ActionsBlock, ButtonElement

from bot.core.access_key import ManagedKey, Origin, Wanted
from bot.core.ports import Kept
from bot.core.request import Action, KeyRequest, Status
from bot.slack import ids
from bot.slack.blocks import (
    Drawn,
    actions,
    button,
    confirm,
    context,
    draw,
    escape,
    key_facts,
    moment,
    quote,
    section,
    worded,
)

CARD, ASKED, OUTCOME, REMINDER, UNCLAIMED, ENDED, FOUND = (
    "card", "asked", "outcome", "reminder", "unclaimed", "ended", "found")


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
        return (FOUND,) if kept.origin is Origin.FOUND else ()
    kinds = [CARD, ASKED]
    if kept.decided_at:
        kinds.append(f"{OUTCOME}:{kept.turn}")
    if kept.reminded_at and kept.status is Status.DELIVERED:
        kinds.append(f"{REMINDER}:{kept.access_key_id}")
    if kept.status is Status.UNCLAIMED:
        kinds.append(f"{UNCLAIMED}:{kept.access_key_id}")
    if kept.status is Status.EXPIRED and kept.moved is Action.LAPSE:
        kinds.append(ENDED)
    return tuple(kinds)


def channel(kept: Kept, kind: str, places: Places) -> str:
    """The channel a copy of this kind stands in."""
    if isinstance(kept, ManagedKey) or kind.startswith(CARD):
        return places.approval_channel
    return kept.dm


def clicked(kept: Kept, action_id: str) -> str:
    """The kind of copy that carries this button in the state of `kept`."""
    if isinstance(kept, ManagedKey):
        return FOUND
    if action_id in (ids.APPROVE, ids.DENY):
        return CARD
    if action_id == ids.CANCEL and not kept.decided_at:
        return ASKED
    if action_id in (ids.ENABLE_UNCLAIMED, ids.REPLACE):
        return f"{UNCLAIMED}:{kept.access_key_id}"
    return f"{OUTCOME}:{kept.turn}"


def drawn(kept: Kept, kind: str, places: Places) -> Drawn:
    """A copy of `kept` as its state wants it now."""
    word, _, which = kind.partition("#")[0].partition(":")
    if isinstance(kept, ManagedKey):
        return _found(kept)
    if word == CARD:
        return _card(kept, places)
    if word == ASKED:
        return _asked(kept)
    if word == OUTCOME:
        return _outcome(kept) if which == str(kept.turn) else _older(kept)
    if word == ENDED:
        return _ended(kept)
    if which != kept.access_key_id:
        return _older(kept)
    return _reminder(kept) if word == REMINDER else _unclaimed(kept)


def _card(request: KeyRequest, places: Places) -> Drawn:
    pending = request.status is Status.PENDING
    facts = "".join(f"\n{key_facts(key, request.asked_at)}" for key in request.keys) or "  none"
    return draw(f"Access key for {escape(request.iam_user)}: {request.status}", [
        section(f":key: *<@{request.requester}> asks for an access key*"),
        section(f"*IAM user*  `{escape(request.iam_user)}` in account {escape(request.account)}"),
        quote(request.reason),
        section(f"*Present keys*{facts}"),
        context(f"{_fate(request)}{f' {places.mentions}' if pending and places.mentions else ''}"),
        actions(button("Approve", ids.APPROVE, request.id, style="primary"),
                button("Deny", ids.DENY, request.id, style="danger")) if pending else None])


def _fate(request: KeyRequest) -> str:
    """How a request stands, for everybody: who decided and when, and what has come of it."""
    by = f"by <@{request.decided_by}>, {moment(request.decided_at)}" if request.decided_at else ""
    approved = f":white_check_mark: Approved {by}."
    key = f"`{request.access_key_id}`"
    moved_at = moment(request.moved_at) if request.moved_at else ""
    match request.status:
        case Status.PENDING:
            lapses = moment(request.deadline) if request.deadline else "never"
            return f":hourglass_flowing_sand: Waiting for an approver; lapses {lapses}."
        case Status.APPROVED:
            held = f" Not revealed yet; held until {moment(request.deadline)}." if request.deadline else ""
            return approved + held
        case Status.ISSUING:
            return f"{approved} The key is being issued."
        case Status.WITHDRAWING:
            return f"{approved} Key {key} is being withdrawn."
        case Status.DELIVERED:
            return f"{approved} Key {key} {_shown(request)}; not confirmed yet."
        case Status.UNCLAIMED:
            return f"{approved} Key {key} was handed over, never used and never confirmed, so it is inactive."
        case Status.CONFIRMED:
            return f"{approved} Key {key} arrived and was confirmed."
        case Status.DENIED:
            return f":no_entry: Denied {by}."
        case Status.CANCELLED:
            return f":x: Cancelled by <@{request.moved_by}>, {moved_at}. No key is kept."
        case Status.EXPIRED:
            return f"{f'{approved} ' if by else ''}:hourglass: {_why_ended(request)} ({moved_at})"


def _why_ended(request: KeyRequest) -> str:
    if request.moved is Action.CLOSE:
        return "Closed after the last reveal; the key is withdrawn."
    if request.moved is Action.DELETE:
        return "Closed: its owner deleted the key."
    if request.access_key_id:
        return f"Closed: nobody claimed key {request.access_key_id}, so it is deleted."
    return "Expired: the key was not revealed in time; none is kept." if request.decided_at else (
        "Expired: nobody decided in time; no key was made.")


def _asked(request: KeyRequest) -> Drawn:
    pending = request.status is Status.PENDING
    return draw(f"You asked for an access key: {request.status}", [
        section(f"You asked for an access key for `{escape(request.iam_user)}`:"), quote(request.reason),
        context("Decided: see below." if request.decided_at else _fate(request)),
        actions(_cancel(request)) if pending else None])


def _cancel(request: KeyRequest) -> ButtonElement:
    return button("Cancel request", ids.CANCEL, request.id, confirm=confirm(
        "Cancel this request?", "No key will be made. You can ask again at any time.", "Cancel request"))


def _outcome(request: KeyRequest) -> Drawn:
    """The requester's message after the decision: from here the key is revealed, and its receipt given."""
    if request.decided_by and request.status is Status.DENIED:
        text = f"Your request was denied by <@{request.decided_by}>."
        return draw(text, [section(f":no_entry: *{text}*"), quote(request.reason),
                           context("Ask them why; `/key create` starts a new request.")])
    note = section(worded(request.note)) if request.note else None
    if request.status is Status.APPROVED:
        held = f" Reveal it by {moment(request.deadline)}." if request.deadline else ""
        lead = "You can reveal another key: approved" if request.turn else "Your request is approved"
        return draw(f"{lead} by <@{request.decided_by}>.", [
            section(f":white_check_mark: *{lead} by <@{request.decided_by}>.*{held}"), note,
            actions(_reveal(request), _cancel(request)),
            context(f"The key is made when you click, and shown once. Reveals left: {request.reveals_left}.")])
    if request.status is Status.DELIVERED:
        when = f", {moment(request.handed_over_at)}" if request.handed_over_at else ""
        key, shown = f"Key `{request.access_key_id}`", _shown(request)
        return draw(f"Key {request.access_key_id} {shown}.", [
            section(f":key: {key} {shown}{when}. Did it arrive?"), actions(*_receipts(request)),
            context("A secret is shown once, in a message that only you can see.")])
    return draw(_fate(request), [section(_fate(request)), note])


def _shown(request: KeyRequest) -> str:
    """Was the key shown? After a lease that ran out nobody knows, and the person is asked."""
    return "may have been handed over" if request.moved is Action.RECOVER else "was handed over"


def _reveal(request: KeyRequest) -> ButtonElement:
    return button("Reveal my key", ids.REVEAL, request.id, style="primary", confirm=confirm(
        "Reveal the key now?", "Shown once, here. Are you at the machine that needs it?", "Reveal"))


def _receipts(request: KeyRequest) -> tuple[ButtonElement, ButtonElement]:
    key_id = request.access_key_id
    left = request.reveals_left
    after = "You can then reveal another." if left else (
        "This was the last of three reveals: the request closes, and you would have to ask again.")
    return (button("I have it", ids.HAVE_IT, key_id, style="primary"),
            button("I did not get it", ids.DID_NOT_GET, key_id, confirm=confirm(
                "You did not get it?", f"This withdraws the key {key_id}. {after}", "Withdraw it", danger=True)))


def _older(request: KeyRequest) -> Drawn:
    """A message of an earlier reveal: it says what became of that key, and has no buttons."""
    gone = ", ".join(f"`{key_id}`" for key_id in request.withdrawn)
    text = f"{gone} {'are' if len(request.withdrawn) > 1 else 'is'} withdrawn." if gone else "This try brought no key."
    return draw(text, [section(f":x: {text} Use the newest message below.")])


def _reminder(request: KeyRequest) -> Drawn:
    if request.status is not Status.DELIVERED:
        return draw(_fate(request), [section(_fate(request))])
    off = f" Without an answer, and if it is never used, it is turned off {moment(request.deadline)}." if (
        request.deadline) else ""
    text = f"Did key {request.access_key_id} arrive?"
    return draw(text, [section(f":bell: *{text}*{off}"), actions(*_receipts(request))])


def _unclaimed(request: KeyRequest) -> Drawn:
    key_id = request.access_key_id
    if request.status is not Status.UNCLAIMED:
        return draw(_fate(request), [section(_fate(request))])
    until = f" It is deleted {moment(request.deadline)}." if request.deadline else ""
    return draw(f"Key {key_id} is turned off", [
        section(f":warning: *Key {key_id} is turned off:* you did not say that you have it, and it was never used."
                f"{until}"),
        _unclaimed_actions(key_id)])


def _unclaimed_actions(key_id: str) -> ActionsBlock:
    return actions(
        button("I have it, enable it", ids.ENABLE_UNCLAIMED, key_id, style="primary"),
        button("Replace it", ids.REPLACE, key_id, confirm=confirm(
            "Replace this key?", f"This deletes {key_id}; you can then reveal another.", "Replace it", danger=True)))


def _ended(request: KeyRequest) -> Drawn:
    text = _why_ended(request)
    return draw(text, [section(f":hourglass: {text}"),
                       context("Still need a key? `/key create` starts a new request.")])


def _found(key: ManagedKey) -> Drawn:
    """A key that nobody recorded, found after a lost answer: approvers decide."""
    head = (f":warning: *AWS made key {key.id} for {escape(key.iam_user)} and its answer was lost,* or somebody "
            f"made it in the console at that minute. Nobody was shown its secret here. It would be <@{key.owner}>'s.")
    done = key.shown.value == key.wanted.value
    if key.wanted is Wanted.INACTIVE:
        return draw(f"Found key {key.id}", [
            section(f"{head} It is {'inactive' if done else 'being made inactive'}."),
            actions(button("Delete it", ids.FOUND_DELETE, key.id, style="danger", confirm=confirm(
                        "Delete this key?", f"{key.id} cannot be brought back.", "Delete it", danger=True)),
                    button("It is ours, enable it", ids.FOUND_ENABLE, key.id, confirm=confirm(
                        "Enable this key?", f"{key.id} works again at once.", "Enable it")))])
    became = f"{'' if done else 'being '}{'deleted' if key.wanted is Wanted.DELETED else 'enabled'}"
    when = f", {moment(key.changed_at)}" if key.changed_at else ""
    return draw(f"Found key {key.id}: {became}", [
        section(head), context(f"{became.capitalize()}: <@{key.changed_by}> decided{when}.")])
