"""Texts about a request name who, when and how many. Only facts are asserted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.requests import Approval
from bot.domain.states import Event
from bot.slack.messages.blocks import date_token
from bot.slack.messages.request_text import missing_text, story, tally
from tests.unit.domain.test_requests import ASKED, KEY, LATER, a_request

CAROL, ERIN, DAN = (Approval(user, LATER) for user in ("U0CAROL", "U0ERIN", "U0DAN"))


@pytest.mark.parametrize(
    ("status", "event", "by", "mention"),
    [
        ("pending", Event.APPROVE, "U0CAROL", True),
        ("pending", Event.DENY, "W0CAROL", True),
        ("pending", Event.CANCEL, "U0ALICE", True),
        ("approved", Event.EXPIRE, "keydesk", False),
        ("delivered", Event.CONFIRM, "U0ALICE", True),
    ],
)
def test_a_story_names_the_user_and_the_time(
    status: str, event: Event, by: str, mention: bool
) -> None:
    text = story(a_request(status).transition(event, by, LATER))
    assert (f"<@{by}>" in text) is mention and date_token(LATER) in text


@pytest.mark.parametrize("event", [Event.DENY, Event.CANCEL, Event.EXPIRE])
@pytest.mark.parametrize(
    ("verb", "command"),
    [("create", "create"), ("rotate", "rotate"), ("enable", "enable"), ("extend", "rotate")],
)
def test_the_story_of_a_closed_request_has_the_next_command(
    verb: str, command: str, event: Event
) -> None:
    request = replace(a_request(), verb=verb).transition(event, "U0CAROL", LATER)
    assert f"`/key {command}`" in story(request)
    service = replace(request, is_service_user=True, iam_user="ci")
    assert f"`/key {command} --user ci`" in story(service)


@pytest.mark.parametrize("event", [Event.START_REVIEW, Event.END_REVIEW, Event.NUDGE, Event.REMIND])
def test_a_waiting_requests_story_is_since_when_it_waits(event: Event) -> None:
    waiting = story(a_request())
    assert date_token(ASKED) in waiting
    assert story(a_request().transition(event, "U0CAROL", LATER)) == waiting


@pytest.mark.parametrize(
    ("needed", "approvals", "dropped", "count"),
    [
        (1, (), (), ""),
        (2, (), (), "two"),
        (2, (CAROL,), (), "one"),
        (3, (CAROL,), (), "two"),
        (4, (CAROL, ERIN, DAN), (), "one"),
        (2, (ERIN,), ("U0CAROL",), "one"),
        (1, (), ("U0CAROL",), "one"),
        (6, (), (), "six"),
    ],
)
def test_a_tally_names_approvers_and_counts_the_missing(
    needed: int, approvals: tuple[Approval, ...], dropped: tuple[str, ...], count: str
) -> None:
    quorum = {"approvals_needed": needed, "approvals": approvals, "dropped_approvers": dropped}
    request = replace(a_request(), **quorum)
    text = tally(request)
    assert count in text and (bool(text) is bool(count))
    assert all(f"<@{user_id}>" in text for user_id in (*request.approvers, *dropped))
    assert not text or missing_text(request) in text
    assert text in story(request)


def test_a_story_names_every_approver() -> None:
    approved = {"approvals": (CAROL, ERIN), "decided_by": "U0ERIN"}
    text = story(a_request().transition(Event.APPROVE, "U0ERIN", LATER, **approved))
    assert "<@U0CAROL>" in text and "<@U0ERIN>" in text
    again = replace(a_request("issuing"), decided_by="U0CAROL")
    assert "<@U0CAROL>" in story(again.transition(Event.ORPHAN_CHECK, "keydesk", LATER))


def test_a_deletion_promises_a_reveal_only_if_one_is_left() -> None:
    deleting = a_request("delivered", KEY).transition(Event.DID_NOT_GET, "U0ALICE", LATER)
    assert KEY in story(deleting) and "Reveal" in story(deleting)
    assert "Reveal" not in story(replace(deleting, reveals=3))
