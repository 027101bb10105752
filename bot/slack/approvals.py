"""How do messages speak of approvals: who has given one, how many are missing, and how one is taken back? Pure."""

from __future__ import annotations

from slack_sdk.models.blocks import ActionsBlock

from bot.core.moves import Status
from bot.core.request import KeyRequest, mentions
from bot.slack import ids
from bot.slack.blocks import Drawn, actions, button, confirm, context, draw, reason, section
from bot.slack.request_buttons import cancelled
from bot.slack.waiting_copies import deciding


def approved_by(request: KeyRequest) -> str:
    """All who approved what is approved, as mentions."""
    return mentions(request.approvers or (request.decided_by,))


def so_far(request: KeyRequest) -> str:
    """Who has approved a pending request and how many are missing, as a sentence; "" where one is enough."""
    tally = request.tally()
    return f"{tally[0].upper()}{tally[1:]}." if tally else ""


def waits_for(request: KeyRequest) -> str:
    """Whom a new request waits for; whether it needs the one more that a risky one does, nobody knows yet."""
    least = request.needed - request.one_more
    who = f"{least} approvers" if least > 1 else "an approver"
    return f"{who} (and for one more if it is an administrator's key)" if request.one_more else who


def waiting_buttons(request: KeyRequest) -> ActionsBlock:
    """What approvers can do with a request that waits for them: decide, or take their own approval back."""
    take_back = (
        [
            button(
                "Take back my approval",
                ids.TAKE_BACK,
                request.id,
                confirm=confirm(
                    "Take back your approval?",
                    "It does not count any more then. You can approve again while the request waits.",
                    "Take it back",
                ),
            )
        ]
        if request.approvals
        else []
    )
    return actions(*deciding(request), *take_back)


def card_buttons(request: KeyRequest) -> ActionsBlock | None:
    """What approvers can do with a request in its state; what is approved can be revoked until it is shown or done."""
    if request.status is Status.PENDING:
        return waiting_buttons(request)
    if request.status is Status.APPROVED and not request.has_begun:
        then = "No key can be revealed then" if request.has_secret else "Nothing is done then"
        return actions(
            button(
                "Revoke",
                ids.REVOKE,
                request.id,
                style="danger",
                confirm=confirm(
                    "Revoke the approval?",
                    f"{then}, and <@{request.requester}> is told that it was you. They can ask again.",
                    "Revoke",
                    danger=True,
                ),
            )
        )
    return None


def revoked(request: KeyRequest, again: str) -> Drawn:
    """The requester is told in a message of its own: the one with **Reveal my key** changes, which notifies nobody.

    `again` says how to ask again.
    """
    text = f"The approval of your request was revoked by <@{request.moved_by}>."
    return draw(
        text,
        [
            section(f":no_entry: *{text}* {cancelled(request)}"),
            reason(request),
            context(f"Ask them why; {again}"),
        ],
    )
