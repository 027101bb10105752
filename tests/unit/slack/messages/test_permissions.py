"""Permissions on the card: what a key will be able to do, what is unread, earlier requests."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.permissions import (
    MFA_ACTION,
    Group,
    Permissions,
    Unread,
)
from bot.domain.requests import KeyRequest, RequestHistory
from bot.domain.states import Event
from bot.slack.messages import home, kinds
from bot.slack.messages.blocks import Message, date_token
from bot.slack.messages.kinds import CARD, REQUESTED
from bot.slack.messages.permissions import LOADING_TEXT, UNREAD_TEXT
from bot.slack.messages.request_status import request_line
from sandbox.limits import check_message, check_view
from tests.support.example_requests import (
    APPROVER,
    HOSTILE,
    LATER,
    NOTE,
    NOW,
    OLDER_KEY,
    PENDING,
    PLACES,
    bold,
    decided,
    everything,
    formatted,
    parts,
)

LONG = "x" * 126
GROUPS = tuple(
    Group(f"{LONG}{n:02}", tuple(f"{LONG}{m:02}" for m in range(20)), (LONG,)) for n in range(10)
)
MOST = Permissions(
    attached=tuple(f"{LONG}{n:02}" for n in range(20)),
    inline=tuple(f"{LONG}{n:02}" for n in range(20)),
    groups=GROUPS,
    admin_like=tuple(f"{LONG}{n:02} (group {LONG})" for n in range(50)),
    mfa=False,
    unread=tuple(
        Unread(one, denied=at % 2 == 0)
        for at, one in enumerate(
            (
                "ListAttachedGroupPolicies",
                "ListGroupPolicies",
                "GetUserPolicy",
                "GetGroupPolicy",
                "GetPolicy",
                "GetPolicyVersion",
            )
        )
    ),
)
USUAL = Permissions(
    attached=("ReadOnlyAccess", "reports"),
    inline=("backup",),
    mfa=True,
    groups=(Group("developers", ("builds",), ("logs",)), Group("readers")),
)
ADMIN = replace(USUAL, admin_like=("AdministratorAccess (group ops)",), mfa=False)
UNREAD = Permissions(
    unread=tuple(
        Unread(one, denied=True)
        for one in ("ListAttachedUserPolicies", "ListUserPolicies", "ListGroupsForUser", MFA_ACTION)
    )
)
SILENT = replace(
    USUAL, mfa=None, unread=(Unread("GetPolicyVersion", denied=True), Unread(MFA_ACTION))
)
SIMPLE = Permissions(mfa=True)
NASTY = Permissions(
    attached=(HOSTILE,),
    inline=(HOSTILE,),
    groups=(Group(HOSTILE, (HOSTILE,)),),
    admin_like=(HOSTILE,),
)
FACTS = {
    "most": MOST,
    "usual": USUAL,
    "admin": ADMIN,
    "unread": UNREAD,
    "silent": SILENT,
    "simple": SIMPLE,
    "nasty": NASTY,
}
DENIALS = {
    "never asked": RequestHistory(),
    "never denied": RequestHistory(asked=3),
    "denied": RequestHistory(7, 2, NOW, APPROVER, "Use the <shared> role & ask again"),
    "denied long ago": RequestHistory(50, 50, NOW - timedelta(days=900), APPROVER),
    "denied at length": RequestHistory(50, 50, NOW, APPROVER, NOTE),
}


def loaded(permissions: Permissions, request: KeyRequest = PENDING) -> KeyRequest:
    return request.transition(
        Event.LOAD_PERMISSIONS, "keydesk", NOW, permissions=permissions, permissions_at=NOW
    )


def card(request: KeyRequest) -> Message:
    return kinds.render(request, CARD, PLACES)


def lines(request: KeyRequest) -> list[str]:
    return [line for text in formatted(card(request)) for line in text.splitlines()]


def row(request: KeyRequest) -> str:
    """Return the row in an approver's Home tab, as text."""
    shown = home.view(
        home.Home((), {}, (), NOW, approver=True, waiting=[request], waiting_in_all=1)
    )
    check_view(shown, allowed="home")
    return parts(shown, "context")[-1]["elements"][0]["text"]


@pytest.mark.parametrize("permissions", FACTS.values(), ids=FACTS)
@pytest.mark.parametrize("history", DENIALS.values(), ids=DENIALS)
def test_slack_takes_the_longest_card(permissions: Permissions, history: RequestHistory) -> None:
    pending = replace(loaded(permissions), history=history)
    for request in (pending, decided(pending)):
        message = card(request)
        check_message(message.text, message.blocks)
        check_message(message.text, message.blocks, update=True)
        assert all(len(text) < 3000 for text in formatted(message)), "nothing is cut in the middle"
        assert not any("`" in text for text in bold(message))


def test_slack_takes_a_home_tab_of_the_longest_warnings() -> None:
    waiting = [replace(loaded(MOST), id=f"{n:030x}") for n in range(home.MAX_WAITING)]
    check_view(
        home.view(home.Home((), {}, (), NOW, approver=True, waiting=waiting, waiting_in_all=99)),
        allowed="home",
    )


def test_the_card_names_policies_groups_and_mfa() -> None:
    shown = lines(loaded(USUAL))
    first = next(at for at, line in enumerate(shown) if line.startswith("*Permissions*"))
    assert date_token(NOW) in shown[first], "approvers may read it days later"
    found = [line.split("*  ") for line in shown[first + 1 : first + 5]]
    assert [name for name, _ in found] == ["*Policies", "*Inline policies", "*Groups", "*MFA"]
    assert [rest for _, rest in found[:3]] == [
        "`ReadOnlyAccess`, `reports`",
        "`backup`",
        "`developers` (`builds`, `logs`), `readers`",
    ]
    assert ":warning:" not in everything(card(loaded(USUAL)))


def test_mfa_is_yes_no_or_unread() -> None:
    found = {
        next(line for line in lines(loaded(one)) if line.startswith("*MFA*"))
        for one in (USUAL, ADMIN, SILENT)
    }
    assert len(found) == 3


def test_admin_access_is_a_warning_of_its_own() -> None:
    [warning] = [line for line in lines(loaded(ADMIN)) if line.startswith(":warning:")]
    assert "`AdministratorAccess (group ops)`" in warning


def test_names_that_do_not_fit_are_counted() -> None:
    shown = lines(loaded(MOST))
    for start in ("*Policies*", "*Inline policies*", "*Groups*", ":warning:"):
        [line] = [one for one in shown if one.startswith(start)]
        assert re.search(r", and \d+ more$", line), start
    [policies] = [one for one in shown if one.startswith("*Policies*")]
    assert policies.count("`") / 2 + int(re.findall(r"and (\d+) more", policies)[0]) == 20


def test_what_could_not_be_read_is_never_none() -> None:
    shown = lines(loaded(UNREAD))
    for name in ("Policies", "Inline policies", "Groups", "MFA"):
        assert f"*{name}*  {UNREAD_TEXT}" in shown
    assert [line for line in shown if line.startswith(":warning:")]
    for one in UNREAD.unread:
        assert any(f"`iam:{one.action}`" in line for line in shown)


def test_a_missing_permission_is_not_a_missing_answer() -> None:
    denied, silent = (
        next(line for line in lines(loaded(one)) if "`iam:GetPolicyVersion`" in line)
        for one in (
            replace(USUAL, unread=(Unread("GetPolicyVersion", denied=True),)),
            replace(USUAL, unread=(Unread("GetPolicyVersion"),)),
        )
    )
    assert denied != silent
    both = next(line for line in lines(loaded(SILENT)) if "`iam:GetPolicyVersion`" in line)
    assert denied in both and "`iam:ListMFADevices`" in both


def test_unread_mfa_alone_is_no_warning() -> None:
    unread = replace(USUAL, mfa=None, unread=(Unread(MFA_ACTION),))
    assert ":warning:" not in everything(card(loaded(unread)))


def test_until_permissions_are_loaded_the_card_says_so() -> None:
    waiting = replace(PENDING, permissions_due=LATER)
    assert LOADING_TEXT in lines(waiting)
    assert LOADING_TEXT not in lines(replace(waiting, permissions=USUAL))
    late, early = lines(decided(waiting)), lines(decided(PENDING))
    assert LOADING_TEXT not in late and len(late) == len(early) + 1, "decided before they were"
    cancelled = waiting.transition(Event.CANCEL, PENDING.requester, NOW, deadline=None)
    plain = PENDING.transition(Event.CANCEL, PENDING.requester, NOW, deadline=None)
    assert lines(cancelled) == lines(plain)


def test_a_request_without_permissions_shows_none() -> None:
    shown = lines(PENDING) + lines(decided(PENDING))
    assert not any(line.startswith(("*Permissions*", "*Earlier")) for line in shown)


def test_a_warning_tells_a_new_key_from_an_existing_one() -> None:
    enable = replace(PENDING, verb="enable", target=OLDER_KEY)
    warnings = [
        next(line for line in lines(loaded(ADMIN, request)) if line.startswith(":warning:"))
        for request in (PENDING, enable)
    ]
    assert warnings[0] != warnings[1]


def test_the_card_counts_earlier_requests_and_denials() -> None:
    shown = {
        name: next(
            line for line in lines(replace(PENDING, history=history)) if line.startswith("*Earlier")
        )
        for name, history in DENIALS.items()
    }
    assert not any(letter.isdigit() for letter in shown["never asked"])
    assert "3" in shown["never denied"] and "<@" not in shown["never denied"]
    for fact in ("7", "2", f"<@{APPROVER}>", date_token(NOW)):
        assert fact in shown["denied"]
    assert "Use the &lt;shared&gt; role &amp; ask again" in shown["denied"]
    assert "…" in shown["denied at length"]


@pytest.mark.parametrize("verb", ["create", "enable"])
def test_names_can_neither_mention_nor_link(verb: str) -> None:
    ours = re.compile(r"@[UW][A-Z0-9]+|!subteam\^S[0-9]+|!date\^\d+\^[^|]+\|[^|<]+")
    request = replace(
        loaded(NASTY, replace(PENDING, verb=verb)),
        history=RequestHistory(1, 1, NOW, APPROVER, HOSTILE),
    )
    for text in [*formatted(card(request)), row(request)]:
        assert all(ours.fullmatch(control) for control in re.findall(r"<([^>]*)>", text)), text


def test_the_requester_does_not_see_permissions() -> None:
    """They are for the approvers' decision."""
    assert "ReadOnlyAccess" not in everything(kinds.render(loaded(USUAL), REQUESTED, PLACES))


def test_an_approvers_home_tab_shows_the_warning_only() -> None:
    plain = row(PENDING)
    assert row(loaded(USUAL)) == row(replace(PENDING, permissions_due=LATER)) == plain
    admin, unread = row(loaded(ADMIN)), row(loaded(UNREAD))
    assert admin.startswith(f"{plain} · :warning:") and unread.startswith(f"{plain} · :warning:")
    assert "`AdministratorAccess (group ops)`" in admin and admin != unread
    assert re.search(r"and 49 more$", row(loaded(MOST)))


def test_loaded_permissions_do_not_change_a_requests_line() -> None:
    assert request_line(loaded(USUAL)) == request_line(PENDING)
