"""Handle the buttons that follow a rotation."""

from __future__ import annotations

from bot.domain.keys import InactiveReason
from bot.operations import finish_rotation
from bot.slack.listeners.context import Click
from bot.slack.messages import replies


def check_last_use(click: Click) -> None:
    """Handle **Check again**. The message is also rendered again."""
    finish_rotation.check_last_use(click.services, click.member, click.value)
    click.show(replies.last_use_checked())


def not_yet(click: Click) -> None:
    """Handle **Not yet**."""
    key = finish_rotation.not_yet(click.services, click.member, click.value)
    click.show(replies.old_key_stays(key.replaces))


def disable_old(click: Click) -> None:
    """Handle **Disable the old key**."""
    key = finish_rotation.disable_old(click.services, click.member, click.value)
    old = click.services.store.key(key.replaces)
    undo = old is None or (old.inactive_reason is InactiveReason.ROTATED and not old.reported_at)
    click.show(replies.old_key_disabled(key.replaces, can_undo=undo))


def undo(click: Click) -> None:
    """Handle **Undo**."""
    finish_rotation.undo(click.services, click.member, click.value)
    click.show(replies.turned_on(click.value))
