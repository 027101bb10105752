"""Permissions on the card: what a key will be able to do, and what is unread."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.permissions import MFA_ACTION, Group, Permissions, Unread
from bot.domain.requests import KeyRequest, RequestHistory
from bot.domain.states import Event
from bot.slack.messages import home
from bot.slack.messages.kinds import CARD, REQUESTED
from bot.slack.messages.permissions import LOADING_TEXT, UNREAD_TEXT
from bot.slack.messages.request_status import request_line
from sandbox.limits import check_message, check_view
from tests.support.example_request_variants import USUAL
from tests.support.example_requests import (
    APPROVER,
    HOSTILE,
    LATER,
    NOTE,
    NOW,
    OLDER_KEY,
    PENDING,
    decided,
)
from tests.support.message_parts import bold, everything, formatted, parts
from tests.unit.slack.messages.rendering import rendered, shown

LONG = "x" * 126


def long_names(count: int) -> tuple[str, ...]:
    return tuple(f"{LONG}{number:02}" for number in range(count))


def unread(*actions: str) -> tuple[Unread, ...]:
    """Return actions that Keydesk may not call."""
    return tuple(Unread(action, denied=True) for action in actions)


POLICY_ACTIONS = (
    *("ListAttachedGroupPolicies", "ListGroupPolicies", "GetUserPolicy", "GetGroupPolicy"),
    *("GetPolicy", "GetPolicyVersion"),
)
MOST = Permissions(
    attached=long_names(20),
    inline=long_names(20),
    groups=tuple(Group(name, long_names(20), (LONG,)) for name in long_names(10)),
    admin_like=tuple(f"{name} (group {LONG})" for name in long_names(50)),
    mfa=False,
    unread=tuple(replace(one, denied=n % 2 == 0) for n, one in enumerate(unread(*POLICY_ACTIONS))),
)
ADMIN = replace(USUAL, admin_like=("AdministratorAccess (group ops)",), mfa=False)
UNREAD = Permissions(
    unread=unread("ListAttachedUserPolicies", "ListUserPolicies", "ListGroupsForUser", MFA_ACTION)
)
NO_ANSWER = replace(USUAL, mfa=None, unread=(*unread("GetPolicyVersion"), Unread(MFA_ACTION)))
NASTY = Permissions((HOSTILE,), (HOSTILE,), (Group(HOSTILE, (HOSTILE,)),), (HOSTILE,))
FACTS = {
    "most": MOST,
    "usual": USUAL,
    "admin": ADMIN,
    "unread": UNREAD,
    "no answer": NO_ANSWER,
    "simple": Permissions(mfa=True),
    "nasty": NASTY,
}
HISTORIES = {
    "never asked": RequestHistory(),
    "never denied": RequestHistory(asked=3),
    "denied": RequestHistory(7, 2, NOW, APPROVER, "Use the <shared> role & ask again"),
    "denied long ago": RequestHistory(50, 50, NOW - timedelta(days=900), APPROVER),
    "denied at length": RequestHistory(50, 50, NOW, APPROVER, NOTE),
}
WARNING = ":warning:"


def loaded(permissions: Permissions, request: KeyRequest = PENDING) -> KeyRequest:
    facts = {"permissions": permissions, "permissions_at": NOW}
    return request.transition(Event.LOAD_PERMISSIONS, "keydesk", NOW, **facts)


def lines(request: KeyRequest) -> list[str]:
    return shown(request, CARD).splitlines()


def line(start: str, request: KeyRequest) -> str:
    """Return the only line of the card that starts so."""
    [found] = [one for one in lines(request) if one.startswith(start)]
    return found


def tab(*waiting: KeyRequest) -> home.Home:
    return home.Home((), {}, (), NOW, approver=True, waiting=waiting, waiting_in_all=len(waiting))


def row(request: KeyRequest) -> str:
    """Return the row in an approver's Home tab, as text."""
    view = home.view(tab(request))
    check_view(view, allowed="home")
    return str(parts(view, "context")[-1]["elements"][0]["text"])


# -- limits and escaping


@pytest.mark.parametrize("permissions", FACTS.values(), ids=FACTS)
@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES)
def test_slack_takes_the_longest_card(permissions: Permissions, history: RequestHistory) -> None:
    pending = replace(loaded(permissions), history=history)
    for message in (rendered(request, CARD) for request in (pending, decided(pending))):
        check_message(message.text, message.blocks)
        check_message(message.text, message.blocks, update=True)
        assert all(len(text) < 3000 for text in formatted(message)), "nothing is cut in the middle"
        assert not any("`" in text for text in bold(message))


def test_slack_takes_a_home_tab_of_the_longest_warnings() -> None:
    waiting = [replace(loaded(MOST), id=f"{n:030x}") for n in range(home.MAX_WAITING)]
    check_view(home.view(replace(tab(*waiting), waiting_in_all=99)), allowed="home")


@pytest.mark.parametrize("verb", ["create", "enable"])
def test_names_can_neither_mention_nor_link(verb: str) -> None:
    ours = re.compile(r"@[UW][A-Z0-9]+|!subteam\^S[0-9]+|!date\^\d+\^[^|]+\|[^|<]+")
    history = RequestHistory(1, 1, NOW, APPROVER, HOSTILE)
    request = replace(loaded(NASTY, replace(PENDING, verb=verb)), history=history)
    for text in (shown(request, CARD), row(request)):
        assert all(ours.fullmatch(control) for control in re.findall(r"<([^>]*)>", text)), text


def test_names_that_do_not_fit_are_counted() -> None:
    for start in ("*Policies*", "*Inline policies*", "*Groups*", WARNING):
        assert re.search(r", and \d+ more$", line(start, loaded(MOST))), start
    policies = line("*Policies*", loaded(MOST))
    assert policies.count("`") / 2 + int(re.findall(r"and (\d+) more", policies)[0]) == 20


# -- facts


def test_mfa_is_yes_no_or_unread() -> None:
    assert len({line("*MFA*", loaded(one)) for one in (USUAL, ADMIN, NO_ANSWER)}) == 3
    unread_mfa = replace(USUAL, mfa=None, unread=(Unread(MFA_ACTION),))
    assert WARNING not in everything(rendered(loaded(unread_mfa), CARD))


def test_admin_access_is_a_warning_of_its_own() -> None:
    """It tells a new key from an existing one."""
    enable = replace(PENDING, verb="enable", target=OLDER_KEY)
    new, existing = (line(WARNING, loaded(ADMIN, request)) for request in (PENDING, enable))
    assert "`AdministratorAccess (group ops)`" in new and new != existing


def test_what_could_not_be_read_is_never_none() -> None:
    request = loaded(UNREAD)
    for name in ("Policies", "Inline policies", "Groups", "MFA"):
        assert line(f"*{name}*", request) == f"*{name}*  {UNREAD_TEXT}"
    assert line(WARNING, request)
    assert all(f"`iam:{one.action}`" in shown(request, CARD) for one in UNREAD.unread)


def test_a_decided_card_does_not_wait_for_permissions() -> None:
    """It says that it was decided before. A cancelled request has no such line."""
    waiting = replace(PENDING, permissions_due=LATER)
    assert LOADING_TEXT in lines(waiting)
    assert LOADING_TEXT not in lines(replace(waiting, permissions=USUAL))
    late, early = lines(decided(waiting)), lines(decided(PENDING))
    assert LOADING_TEXT not in late and len(late) == len(early) + 1
    cancel = (Event.CANCEL, PENDING.requester, NOW)
    assert lines(waiting.transition(*cancel)) == lines(PENDING.transition(*cancel))


def test_a_request_without_permissions_shows_none() -> None:
    found = lines(PENDING) + lines(decided(PENDING))
    assert not any(one.startswith(("*Permissions*", "*Earlier")) for one in found)


def test_permissions_are_for_approvers_only() -> None:
    assert "ReadOnlyAccess" not in everything(rendered(loaded(USUAL), REQUESTED))
    assert request_line(loaded(USUAL)) == request_line(PENDING)


def test_an_approvers_home_tab_shows_the_warning_only() -> None:
    plain = row(PENDING)
    assert row(loaded(USUAL)) == row(replace(PENDING, permissions_due=LATER)) == plain
    admin, unread_ = row(loaded(ADMIN)), row(loaded(UNREAD))
    assert all(one.startswith(f"{plain} · {WARNING}") for one in (admin, unread_))
    assert "`AdministratorAccess (group ops)`" in admin and admin != unread_
    assert re.search(r"and 49 more$", row(loaded(MOST)))
