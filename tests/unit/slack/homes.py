"""Helpers that open Home tabs and read for whom they were published."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from bot.domain.identity import Member
from bot.operations import create_request
from sandbox.local_person import LocalPerson
from tests.support.slack_services import SlackDesk

ALICE, BOB, CAROL = "U0ALICE", "U0BOB", "U0CAROL"
REASON = "deploy script"


def member(here: SlackDesk, user: str) -> Member:
    return here.services.directory.member(user)


def request_key(here: SlackDesk, user: str = ALICE) -> str:
    """Request a key with REASON. Return the request's ID."""
    return create_request.create(here.services, member(here, user), REASON).id


def open_homes(here: SlackDesk, *users: str) -> None:
    for user in users:
        here.open_homes.opened(member(here, user))


def published(here: SlackDesk) -> list[str]:
    """Return the users whose Home tab was published, in order."""
    return [str(call.args["user_id"]) for call in here.slack.calls("views.publish")]


def published_by(here: SlackDesk, change: Callable[[], object]) -> set[str]:
    """Return the users whose Home tab is published because of a change."""
    before = len(published(here))
    change()
    return set(published(here)[before:])


def changed(here: SlackDesk) -> set[str]:
    """Announce Alice's request again. Return whose Home tabs are published."""
    return published_by(here, lambda: here.open_homes.changed(here.request()))


def marked(here: SlackDesk) -> list[str]:
    """Return everything that is marked to be rendered."""
    return sorted(here.store.unrendered(here.clock.now() + timedelta(days=1)))


def has_button(user: LocalPerson, action_id: str) -> bool:
    """Return whether a user's Home tab has this button."""
    return f"'{action_id}'" in str(user.home)


def run_scheduler(here: SlackDesk, seconds: float) -> None:
    """Let time pass, and render what is marked and due."""
    here.clock.advance(timedelta(seconds=seconds))
    for name in here.store.unrendered(here.clock.now()):
        here.messenger.render(name)
