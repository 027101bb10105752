"""Handle the buttons of a key's delivery, and of an orphaned key."""

from __future__ import annotations

from bot.domain.errors import Refused
from bot.domain.keys import DesiredState
from bot.operations import confirm_receipt, decide_orphan, reveal_key
from bot.slack.listeners.context import Click
from bot.slack.messages import replies


def reveal(click: Click) -> None:
    """Handle **Reveal my key**. The ephemeral with the key is the answer."""
    reveal_key.reveal(click.services, click.member, click.value)


def saved(click: Click) -> None:
    """Handle **I saved it**, and remove the ephemeral with the button."""
    try:
        confirm_receipt.confirm(click.services, click.member, click.value)
    except Refused:
        click.responder.remove()  # the key shown there is not the one that counts
        raise
    if not click.responder.remove():
        click.show(replies.saved(click.value))


def have_it(click: Click) -> None:
    """Handle **I have it**."""
    confirm_receipt.confirm(click.services, click.member, click.value)
    click.show(replies.confirmed(click.value))


def did_not_get(click: Click) -> None:
    """Handle **I did not get it**."""
    request = confirm_receipt.did_not_get(click.services, click.member, click.value)
    click.show(replies.key_deleted(click.value, request))


def replace(click: Click) -> None:
    """Handle **Replace it**."""
    request = confirm_receipt.replace_key(click.services, click.member, click.value)
    click.show(replies.key_deleted(click.value, request))


def enable_unclaimed(click: Click) -> None:
    """Handle **I have it, enable it**."""
    confirm_receipt.confirm(click.services, click.member, click.value)
    record = click.services.store.key(click.value)
    active = record is not None and record.desired is DesiredState.ACTIVE
    reported = record is not None and record.reported_at is not None
    click.show(replies.claimed(click.value, active=active, reported=reported))


def orphan_delete(click: Click) -> None:
    """Handle **Delete it**, on an orphaned key."""
    decide_orphan.decide(click.services, click.member, click.value, DesiredState.DELETED)
    click.show(replies.orphan_deleted(click.value))


def orphan_enable(click: Click) -> None:
    """Handle **It is ours, enable it**, on an orphaned key."""
    decide_orphan.decide(click.services, click.member, click.value, DesiredState.ACTIVE)
    click.show(replies.turned_on(click.value))
