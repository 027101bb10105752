"""The card says what a key will be able to do, what of that could not be read, and what its person asked for before."""

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
from bot.slack.messages import home, requester
from bot.slack.messages.blocks import Message
from bot.slack.messages.request_text import request_line
from bot.slack.messages.requester import CARD, REQUESTED
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
    "administrator": ADMIN,
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


def learnt(permissions: Permissions, request: KeyRequest = PENDING) -> KeyRequest:
    return request.transition(
        Event.LOAD_PERMISSIONS, "keydesk", NOW, permissions=permissions, permissions_at=NOW
    )


def card(request: KeyRequest) -> Message:
    return requester.render(request, CARD, PLACES)


def lines(request: KeyRequest) -> list[str]:
    return [line for text in formatted(card(request)) for line in text.splitlines()]


def row(request: KeyRequest) -> str:
    """The row in an approver's Home tab, as text."""
    shown = home.view(
        home.Home((), {}, (), NOW, approver=True, waiting=[request], waiting_in_all=1)
    )
    check_view(shown, allowed="home")
    return parts(shown, "context")[-1]["elements"][0]["text"]


@pytest.mark.parametrize("permissions", FACTS.values(), ids=FACTS)
@pytest.mark.parametrize("history", DENIALS.values(), ids=DENIALS)
def test_slack_takes_the_card_with_the_most_that_may_be_on_it(
    permissions: Permissions, history: RequestHistory
) -> None:
    pending = replace(learnt(permissions), history=history)
    for request in (pending, decided(pending)):
        message = card(request)
        check_message(message.text, message.blocks)
        check_message(message.text, message.blocks, update=True)
        assert all(len(text) < 3000 for text in formatted(message)), "nothing is cut in the middle"
        assert not any("`" in text for text in bold(message))


def test_slack_takes_a_home_tab_full_of_the_longest_warnings() -> None:
    waiting = [replace(learnt(MOST), id=f"{n:030x}") for n in range(home.MAX_WAITING)]
    check_view(
        home.view(home.Home((), {}, (), NOW, approver=True, waiting=waiting, waiting_in_all=99)),
        allowed="home",
    )


def test_the_card_names_policies_groups_and_mfa() -> None:
    shown = lines(learnt(USUAL))
    begins = next(
        at
        for at, line in enumerate(shown)
        if line.startswith("*What the new key will be able to do*")
    )
    assert f"as of <!date^{int(NOW.timestamp())}^" in shown[begins], (
        "approvers may read it days later"
    )
    assert shown[begins + 1 : begins + 5] == [
        "*Policies*  `ReadOnlyAccess`, `reports`",
        "*Inline policies*  `backup`",
        "*Groups*  `developers` (`builds`, `logs`), `readers`",
        "*MFA*  yes",
    ]
    assert "*Policies*  none" in lines(learnt(SIMPLE)) and "*Groups*  none" in lines(learnt(SIMPLE))
    assert ":warning:" not in everything(card(learnt(USUAL)))


def test_who_is_administrator_like_is_warned_of_in_a_line_of_its_own() -> None:
    shown = lines(learnt(ADMIN))
    assert ":warning: *Administrator-like:* `AdministratorAccess (group ops)`" in shown
    assert "*MFA*  no" in shown


def test_what_there_is_no_room_for_is_counted() -> None:
    shown = lines(learnt(MOST))
    for begins in (
        "*Policies*",
        "*Inline policies*",
        "*Groups*",
        ":warning: *Administrator-like:*",
    ):
        [line] = [one for one in shown if one.startswith(begins)]
        assert re.search(r", and \d+ more$", line), begins
    [policies] = [one for one in shown if one.startswith("*Policies*")]
    assert policies.count("`") / 2 + int(re.findall(r"and (\d+) more", policies)[0]) == 20


def test_what_could_not_be_read_is_never_said_to_be_none() -> None:
    shown = lines(learnt(UNREAD))
    for fact in ("Policies", "Inline policies", "Groups", "MFA"):
        assert f"*{fact}*  could not be read" in shown
    assert (
        ":warning: Whether it is administrator-like could not be read; take it for possible."
        in shown
    )
    assert (
        "AWS does not let the desk do `iam:ListAttachedUserPolicies`, `iam:ListUserPolicies`, "
        "`iam:ListGroupsForUser`, `iam:ListMFADevices`." in shown
    )


def test_a_missing_permission_and_a_missing_answer_are_told_apart() -> None:
    assert (
        "AWS does not let the desk do `iam:GetPolicyVersion`. AWS did not answer `iam:ListMFADevices`."
        in lines(learnt(SILENT))
    )


def test_without_mfa_alone_there_is_no_warning_of_an_administrator() -> None:
    assert ":warning:" not in everything(
        card(learnt(replace(USUAL, mfa=None, unread=(Unread(MFA_ACTION),))))
    )


def test_until_the_facts_arrive_the_card_says_that_they_are_being_read() -> None:
    awaiting = replace(PENDING, permissions_due=LATER)
    reading = ":mag: Reading what this key will be able to do…"
    assert reading in lines(awaiting)
    assert reading not in lines(replace(awaiting, permissions=USUAL))
    late = lines(decided(awaiting))
    assert (
        reading not in late
        and "Decided before AWS had told what this key will be able to do." in late
    )
    cancelled = awaiting.transition(Event.CANCEL, PENDING.requester, NOW, deadline=None)
    assert not any("able to do" in line for line in lines(cancelled))


def test_a_request_of_before_there_were_facts_says_nothing_of_them() -> None:
    assert not any(
        "able to do" in line or "Earlier" in line
        for line in lines(PENDING) + lines(decided(PENDING))
    )


def test_a_key_that_is_there_already_is_not_called_new() -> None:
    enable = replace(PENDING, verb="enable", target=OLDER_KEY)
    assert "*What this key can do*" in everything(card(learnt(USUAL, enable)))


def test_the_card_says_how_often_its_person_asked_and_was_denied_before() -> None:
    at = f"<!date^{int(NOW.timestamp())}^"
    said = {
        name: next(
            line for line in lines(replace(PENDING, history=earlier)) if line.startswith("*Earlier")
        )
        for name, earlier in DENIALS.items()
    }
    assert said["never asked"] == "*Earlier requests*  none"
    assert said["never denied"] == "*Earlier requests*  3, none of them denied"
    assert said["denied"].startswith(
        f"*Earlier requests*  7, 2 of them denied; the last denial by <@{APPROVER}>, {at}"
    )
    assert said["denied"].endswith(": Use the &lt;shared&gt; role &amp; ask again")
    assert said["denied at length"].endswith("…")


@pytest.mark.parametrize("verb", ["create", "enable"])
def test_names_can_neither_mention_nor_link(verb: str) -> None:
    ours = re.compile(r"@[UW][A-Z0-9]+|!subteam\^S[0-9]+|!date\^\d+\^[^|]+\|[^|<]+")
    request = replace(
        learnt(NASTY, replace(PENDING, verb=verb)),
        history=RequestHistory(1, 1, NOW, APPROVER, HOSTILE),
    )
    for text in [*formatted(card(request)), row(request)]:
        assert all(ours.fullmatch(control) for control in re.findall(r"<([^>]*)>", text)), text


def test_the_requesters_own_message_has_no_facts() -> None:
    """What an approver weighs is no news to its person, and is not for their screen."""
    assert "ReadOnlyAccess" not in everything(requester.render(learnt(USUAL), REQUESTED, PLACES))


def test_an_approvers_home_tab_has_the_warning_alone() -> None:
    plain = row(PENDING)
    assert row(learnt(USUAL)) == row(replace(PENDING, permissions_due=LATER)) == plain
    assert (
        row(learnt(ADMIN))
        == f"{plain} · :warning: *Administrator-like:* `AdministratorAccess (group ops)`"
    )
    assert (
        row(learnt(UNREAD))
        == f"{plain} · :warning: whether it is administrator-like could not be read"
    )
    assert re.search(r"and 49 more$", row(learnt(MOST)))


def test_a_request_of_which_something_was_learnt_is_still_listed_as_when_it_was_asked() -> None:
    assert request_line(learnt(USUAL)) == request_line(PENDING)
    assert request_line(decided(PENDING)) != request_line(PENDING)
