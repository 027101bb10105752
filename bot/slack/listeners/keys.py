"""Handle the commands and buttons for keys, `/key requests` and `/key help`."""

from __future__ import annotations

from bot.domain import policy
from bot.domain.codes import Code
from bot.domain.errors import NoIamUser, NotAllowed
from bot.domain.outside_errors import IamUserNotFound
from bot.operations import disable_key, identify, key_owner
from bot.slack.listeners.context import (
    Click,
    Interaction,
    Submission,
    TypedCommand,
    View,
    checked_key_id,
)
from bot.slack.messages import lists, modals, replies


def list_keys(typed: TypedCommand) -> None:
    """Handle `/key list`.

    It lists the user's own keys, a service user's or, for approvers, another user's.
    """
    command, services = typed.command, typed.services
    if command.person and command.person != typed.member.id:
        _list_for_approver(typed, command.person)
        return
    keys = key_owner.keys_of(services, typed.member, command.user)
    records = services.records(key.id for key in keys)
    typed.show(lists.key_list(keys, records, services.clock.now(), command.user))


def used(typed: TypedCommand) -> None:
    """Handle `/key used`, for the user's own key or, for approvers, any key."""
    command = typed.command
    key = disable_key.last_use(typed.services, typed.member, command.key_id, command.user)
    typed.show(lists.last_use_message(key, typed.services.clock.now()))


def disable(typed: TypedCommand) -> None:
    """Handle `/key disable`."""
    _disable(typed, typed.command.key_id, typed.command.user)


def delete(typed: TypedCommand) -> None:
    """Handle `/key delete`: ask for confirmation."""
    command = typed.command
    key = key_owner.owned_key(typed.services, typed.member, command.key_id, command.user)
    disable_key.check_may_delete(key)
    typed.show(replies.delete_question(key, typed.services.clock.now()))


def requests(typed: TypedCommand) -> None:
    """Handle `/key requests`."""
    store, member_id = typed.services.store, typed.member.id
    approver = member_id in typed.services.directory.approvers()
    waiting = store.pending(100) if approver else ()
    own = store.requests_of(member_id, 50)
    typed.show(lists.request_list(own, waiting, approver=approver))


def help_(typed: TypedCommand) -> None:
    """Handle `/key help` and `/key` without a verb."""
    typed.show(lists.help_text(typed.context.defaults.instead))


def disable_button(click: Click) -> None:
    """Handle **Disable**, on the user's own key."""
    _disable(click, click.key_id)


def delete_button(click: Click) -> None:
    """Handle **Delete**, on the user's own inactive key."""
    disable_key.delete(click.services, click.member, click.key_id)
    click.show(replies.deleted(click.value), replace=True)


def disable_for_button(click: Click) -> None:
    """Handle **Disable**, by an approver: open the form that asks for a reason."""

    def make() -> View:
        disable_key.check_may_disable_for(click.services, click.member, click.key_id)
        return modals.disable_for_form(click.key_id)

    click.open_with(modals.TITLES["disable"], make)


def submit_disable_for(form: Submission) -> None:
    """Handle the form with an approver's reason to disable a key."""
    key_id = checked_key_id(form.form_input.key_id)
    retired = disable_key.disable_for(form.services, form.member, key_id, form.form_input.reason)
    form.show(
        replies.disabled_for(
            key_id,
            retired.key.iam_user,
            already=retired.already,
            updated=retired.reason_stored,
            owner_told=bool(retired.notified_owner),
        )
    )


def _disable(by: Interaction, key: str, user: str = "") -> None:
    retired = disable_key.disable(by.services, by.member, key, user)
    if retired.already:
        by.show(replies.already_off(key), replace=True)
    else:
        by.show(replies.disabled(retired.key), replace=True)


def _list_for_approver(by: Interaction, person: str) -> None:
    services = by.services
    policy.check_approver(by.member, services.directory.approvers())
    try:
        keys = services.issuer.keys(
            identify.identify(services, services.directory.member(person)).name
        )
    except (NoIamUser, IamUserNotFound, NotAllowed):
        raise NotAllowed(Code.MEMBER_WITHOUT_USER, member=person) from None
    records = services.records(key.id for key in keys)
    by.show(lists.keys_for_approver(person, keys, records, services.clock.now()))
