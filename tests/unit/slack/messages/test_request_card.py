"""What approvers see of a request: the card, its plan and warnings, reminders and nudges."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status
from bot.slack.messages import kinds
from bot.slack.messages.blocks import Message, date_token, time_token
from bot.slack.messages.key_status import key_line
from bot.slack.messages.kinds import CARD, EXPIRED, REQUESTED
from bot.slack.messages.request_card import plan_text
from bot.slack.messages.request_status import approvals_text, wish_text
from bot.slack.messages.text import duration_text, mentions
from tests.support.example_messages import (
    EVERYTHING,
    NUDGED,
    NUDGED_REQUEST,
    OVER,
    REMINDED,
    REMINDED_TWICE,
    REVIEWED,
    THREAD,
    URGENT,
    VERB_STATES,
)
from tests.support.example_requests import (
    APPROVER,
    ENDORSED,
    IAM_USER,
    KEY,
    KEYS,
    LATER,
    NOW,
    OLDER_KEY,
    PENDING,
    PLACES,
    REASON,
    REQUESTER,
    REQUESTS,
    VERBS,
    WHY,
    everything,
    formatted,
    parts,
)

SECOND = "U0ERIN00000"


def rendered(request: KeyRequest, kind: str = CARD) -> Message:
    return kinds.render(request, kind, PLACES)


def shown(request: KeyRequest, kind: str = CARD) -> str:
    """Return all text of a message in which Slack reads formatting."""
    return "\n".join(formatted(rendered(request, kind)))


def plan(verb: str) -> dict[str, str]:
    """Return the lines of a plan by their bold first word."""
    lines = (line.split("*")[1:] for line in plan_text(VERBS[verb]).splitlines())
    return {name: rest for name, rest in lines}


def test_the_card_says_who_wants_what_for_whom_and_until_when() -> None:
    card = shown(PENDING)
    for fact in (
        f"<@{REQUESTER}>",
        f"`{IAM_USER}`",
        PENDING.account,
        *(key_line(key, NOW) for key in KEYS),
        date_token(LATER),
    ):
        assert fact in card
    [quoted] = parts(rendered(PENDING), "rich_text_quote")
    assert quoted["elements"] == [{"type": "text", "text": REASON}]


@pytest.mark.parametrize("verb", ["rotate", "enable", "extend"])
def test_the_card_names_the_key_that_is_asked_about(verb: str) -> None:
    card = shown(VERBS[verb])
    assert wish_text(VERBS[verb]) in card and VERBS[verb].target in rendered(VERBS[verb]).text
    assert ("Service user" in card) is VERBS[verb].is_service_user


def test_a_service_user_is_called_so() -> None:
    assert "Service user" in shown(VERBS["create for a service user"])
    assert "Service user" not in shown(PENDING)


def test_an_extension_quotes_no_reason() -> None:
    assert not parts(rendered(VERBS["extend"]), "rich_text_quote")


def test_a_card_without_keys_says_so_in_one_line() -> None:
    lines = shown(replace(PENDING, keys=())).splitlines()
    assert [line for line in lines if line.startswith("*Existing keys*  ")]


@pytest.mark.parametrize(("verb", "days"), [("rotate", 30), ("create for a service user", 1.5)])
def test_the_plan_says_how_long_the_new_key_lasts(verb: str, days: float) -> None:
    assert duration_text(timedelta(days=days)) in plan(verb)["New key"]
    assert duration_text(timedelta(days=days)) not in plan_text(PENDING)


def test_what_creates_no_key_has_no_plan() -> None:
    assert "New key" not in shown(VERBS["enable"]) + shown(VERBS["extend"])


def test_with_a_free_slot_no_key_is_deleted() -> None:
    found = plan("rotate")
    assert set(found) == {"New key", "Replaces", "Stays"}
    assert KEY in found["Replaces"] and OLDER_KEY in found["Stays"]


def test_at_the_limit_the_plan_says_which_key_is_deleted() -> None:
    found = plan("rotate, both slots taken, the other is deleted")
    assert set(found) == {"New key", "Replaces", "Deletes"}
    assert KEY in found["Replaces"] and OLDER_KEY in found["Deletes"]
    assert "will be deleted" in found["Deletes"] and "will be deleted" not in found["Replaces"]


def test_where_the_replaced_key_is_deleted_the_other_stays() -> None:
    found = plan("rotate, both slots taken, the same is deleted")
    assert set(found) == {"New key", "Replaces", "Stays"}
    assert "will be deleted" in found["Replaces"] and OLDER_KEY in found["Stays"]


def test_a_key_that_is_gone_from_the_list_is_still_named() -> None:
    assert f"`{KEY}`" in plan_text(replace(VERBS["rotate"], keys=()))


@pytest.mark.parametrize(
    ("verb", "key_id"),
    [
        ("rotate, the other is being deleted", OLDER_KEY),
        ("rotate, the same is being deleted", KEY),
    ],
)
def test_a_deletion_that_has_begun_is_not_said_to_come(verb: str, key_id: str) -> None:
    """Whatever becomes of the request, the card never says that nothing was done."""
    for state in ("approved", "cancelled after approval", "not revealed"):
        card = shown(VERB_STATES[f"{verb}: {state}"])
        assert "will be deleted" not in card
        assert f"{date_token(NOW)}" in card and "began" in card
        started = f"The deletion of {key_id} has started"
        assert (started in card) is (state != "approved")
    assert f"The deletion of {key_id}" in shown(VERB_STATES[f"{verb}: not revealed"], EXPIRED)


@pytest.mark.parametrize("name", [name for name, one in REQUESTS.items() if one.decided_by])
def test_a_decided_card_says_who_decided_and_when(name: str) -> None:
    request, card = REQUESTS[name], shown(REQUESTS[name])
    cancelled = request.status is Status.CANCELLED
    who = f"<@{REQUESTER}>" if cancelled else mentions(request.approvers) or f"<@{APPROVER}>"
    assert who in card and date_token(NOW) in card


def test_each_state_of_a_card_has_its_own_words() -> None:
    """But issuing a second key reads like issuing the first."""
    texts = {
        name: shown(request)
        for name, request in REQUESTS.items()
        if name
        not in (
            "issued",
            "issuing again",
            "reminded",
            "delivered a last time",
            "not revealed again",
            "denied",
        )
    }
    assert len(set(texts.values())) == len(texts)


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("delivered", (KEY, f"<@{REQUESTER}>", "was shown")),
        ("recovered", (KEY, f"<@{REQUESTER}>", "may have been shown")),
        ("confirmed", (f"`{KEY}`", f"<@{REQUESTER}>")),
        ("deleting", (f"`{KEY}`",)),
        ("not claimed", (KEY,)),
        ("stopped", (f"<@{APPROVER}> turned it off",)),
        ("unclaimed and stopped", (f"<@{APPROVER}> turned it off",)),
        ("stopped and closed", (f"<@{APPROVER}> turned the key off",)),
        ("approved by two", (mentions([APPROVER, SECOND]),)),
        ("revoked", (f"by <@{SECOND}>", mentions([APPROVER, SECOND]))),
    ],
)
def test_the_card_says_how_the_request_stands(name: str, facts: tuple[str, ...]) -> None:
    assert all(fact in shown(REQUESTS[name]) for fact in facts)


def test_a_key_nobody_saw_is_not_said_to_have_been_shown() -> None:
    assert "was shown" not in shown(REQUESTS["recovered"])


def test_the_number_of_approvals_is_said_where_it_matters() -> None:
    one = REQUESTS["approved by one of three"]
    assert approvals_text(one) in shown(one) and "1 of 3" in approvals_text(one)
    assert f"<@{APPROVER}>" in approvals_text(one)
    assert not any(letter.isdigit() for letter in approvals_text(PENDING))
    assert "2" in approvals_text(replace(PENDING, approvals_needed=2))


def test_an_approval_of_a_former_approver_does_not_count() -> None:
    dropped = REQUESTS["approved by two of three, one of whom is dropped"]
    counted, _, rest = approvals_text(dropped).partition(" · ")
    assert f"<@{SECOND}>" in counted and APPROVER not in counted and f"<@{APPROVER}>" in rest
    both = approvals_text(replace(dropped, dropped_approvers=("U1", "U2")))
    assert mentions(["U1", "U2"]) in both


def test_a_lone_approval_is_named_when_the_request_expires() -> None:
    expired = ENDORSED.transition(Event.EXPIRE, "keydesk", NOW, deadline=None)
    for kind in (CARD, EXPIRED):
        assert f"<@{APPROVER}>" in shown(expired, kind)
        assert f"<@{APPROVER}>" not in shown(REQUESTS["not decided"], kind)


@pytest.mark.parametrize("verb", ["enable", "extend"])
def test_what_was_applied_names_the_key(verb: str) -> None:
    applied = VERB_STATES[f"{verb}: applied"]
    for kind in (CARD, "outcome:0"):
        assert f"`{applied.target}`" in shown(applied, kind)


def test_an_urgent_card_begins_with_what_that_means() -> None:
    first = formatted(rendered(URGENT))[1]
    assert first.startswith(":rotating_light:") and duration_text(timedelta(hours=4)) in first
    assert rendered(URGENT).text.startswith("Urgent")
    assert ":rotating_light:" not in shown(PENDING)
    decided = formatted(rendered(OVER["approved"]))[1]
    assert decided.startswith(":rotating_light:") and len(decided) < len(first)


def test_only_a_waiting_request_shows_who_is_looking() -> None:
    since = time_token(NOW)
    for kind in (CARD, REQUESTED):
        assert since in shown(REVIEWED, kind) and f"<@{APPROVER}>" in shown(REVIEWED, kind)
        assert since not in shown(PENDING, kind)
        assert not any(since in shown(request, kind) for request in OVER.values())


def test_a_denials_reason_is_quoted_below_the_requests() -> None:
    quotes = parts(rendered(OVER["denied"]), "rich_text_quote")
    assert [one["elements"][0]["text"] for one in quotes] == [REASON, WHY]


def test_a_reminder_says_since_when_it_waits_and_until_when() -> None:
    for request, kind in (
        (REMINDED, "waiting:1"),
        (REMINDED_TWICE, "waiting:2"),
        (EVERYTHING, "waiting:2"),
    ):
        text = shown(request, kind)
        assert date_token(NOW) in text and date_token(LATER) in text
        assert text.count(PLACES.mentions) == 1


def test_a_nudge_mentions_who_is_looking_or_else_the_approvers() -> None:
    assert shown(NUDGED_REQUEST, NUDGED).count(PLACES.mentions) == 1
    reviewed = shown(EVERYTHING, NUDGED)
    assert f"<@{REQUESTER}>" in reviewed
    assert reviewed.count(f"<@{APPROVER}>") == 1 and "<!subteam" not in reviewed


@pytest.mark.parametrize("name", OVER)
def test_an_old_reminder_points_to_the_card_and_mentions_nobody(name: str) -> None:
    texts = {everything(rendered(OVER[name], kind)) for kind in THREAD}
    assert len(texts) == 1 and not any("<" in text for text in texts)


def test_an_older_reminder_points_to_the_newer_one() -> None:
    older = {everything(rendered(EVERYTHING, kind)) for kind in ("waiting:1", "nudge:1")}
    assert len(older) == 1
    assert older != {everything(rendered(OVER["approved"], "waiting:1"))}
