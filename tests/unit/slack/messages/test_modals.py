"""The forms: within Slack's limits, with a registered ID, and safe to read."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.slack import action_ids
from bot.slack.listeners import routes
from bot.slack.messages import modals
from bot.slack.messages.form_input import FieldErrors, FormInput, read_input
from bot.slack.messages.modals import FormDefaults
from bot.slack.messages.replies import CHECKING_TEXT
from bot.slack.messages.text import age_text, duration_text, last_used_plain
from sandbox.limits import check_view
from tests.support.example_requests import (
    IAM_USER,
    ID,
    KEY,
    KEYS,
    NOW,
    OLDER_KEY,
    PENDING,
    REASON,
    UNKNOWN_USE,
    parts,
)

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKE2"
USUAL = FormDefaults(timedelta(days=90))
SERVICE = FormDefaults(
    timedelta(days=90),
    service_users=True,
    instead="People: use <https://sso.example.com|SSO> & co.",
)
URGENT = replace(SERVICE, urgent_life=timedelta(hours=4))

VIEWS = {
    "create": modals.create_form(USUAL),
    "create, with service users": modals.create_form(SERVICE),
    "create, for a service user": modals.create_form(SERVICE, IAM_USER),
    "create, with the longest text to show first": modals.create_form(
        replace(USUAL, instead="&" * 1000)
    ),
    "create, keys never expire": modals.create_form(FormDefaults()),
    "rotate, one key": modals.rotate_form(USUAL, KEYS[:1], NOW, KEY),
    "rotate, two keys": modals.rotate_form(USUAL, KEYS, NOW, OLDER_KEY, IAM_USER),
    "rotate, none chosen": modals.rotate_form(USUAL, (UNKNOWN_USE, KEYS[1]), NOW),
    "enable": modals.enable_form(KEYS[1:], NOW, OLDER_KEY),
    "enable, for a service user": modals.enable_form(KEYS, NOW, "", IAM_USER),
    "disable for": modals.disable_for_form(KEY),
    "create, urgently": modals.create_form(URGENT, urgent=True),
    "deny": modals.deny_form(PENDING),
    "deny, with the longest reason": modals.deny_form(replace(PENDING, reason="&" * 500)),
}


def fields(view: dict[str, Any]) -> list[str]:
    """Return the IDs of a form's fields, in order."""
    return [one["block_id"] for one in parts(view, "input")]


def field(view: dict[str, Any], block_id: str) -> dict[str, Any]:
    return next(one for one in parts(view, "input") if one["block_id"] == block_id)


def submitted(callback_id: str, private_metadata: str = "", **values: str) -> dict[str, Any]:
    """Return a form with values typed into its fields, by block ID."""
    inputs = {
        action_ids.REASON_BLOCK: action_ids.REASON_INPUT,
        action_ids.LIFETIME_BLOCK: action_ids.LIFETIME_INPUT,
        action_ids.USER_BLOCK: action_ids.USER_INPUT,
    }
    selects = {
        action_ids.KEY_BLOCK: action_ids.KEY_INPUT,
        action_ids.LET_GO_BLOCK: action_ids.LET_GO_INPUT,
    }
    state: dict[str, Any] = {
        block: {inputs[block]: {"value": value}}
        if block in inputs
        else {selects[block]: {"selected_option": {"value": value}}}
        for block, value in values.items()
    }
    return {
        "callback_id": callback_id,
        "private_metadata": private_metadata,
        "state": {"values": state},
    }


def errors(view: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(FieldErrors) as caught:
        read_input(view)
    return caught.value.errors


# -- what they look like


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_slack_takes_the_form(view: dict[str, Any]) -> None:
    check_view(view, allowed="modal")
    assert view["callback_id"] in routes.FORMS


@pytest.mark.parametrize("text", ["Keydesk is busy.", CHECKING_TEXT, "x" * 5000])
@pytest.mark.parametrize("title", ["Keydesk", *modals.TITLES.values()])
def test_slack_takes_a_form_that_only_shows_a_text(text: str, title: str) -> None:
    check_view(modals.message_view(text, title=title), allowed="modal")
    check_view(modals.message_view(text, "checking:V0123", title), allowed="modal")


def test_what_to_use_instead_comes_first() -> None:
    first = modals.create_form(SERVICE)["blocks"][0]
    assert first["text"] == {"type": "mrkdwn", "text": SERVICE.instead, "verbatim": False}


def test_the_reason_field_takes_a_whole_reason() -> None:
    asked = field(VIEWS["create"], action_ids.REASON_BLOCK)
    assert (asked["element"].get("min_length", 1), asked["element"]["max_length"]) == (
        1,
        len(REASON),
    )
    assert asked["element"]["action_id"] == action_ids.REASON_INPUT and not asked["optional"]


def test_service_users_are_offered_only_where_set_up() -> None:
    assert action_ids.USER_BLOCK not in fields(VIEWS["create"])
    assert action_ids.USER_BLOCK in fields(VIEWS["create, with service users"])
    named = modals.create_form(USUAL, "ci-deploy")
    assert field(named, action_ids.USER_BLOCK)["element"]["initial_value"] == "ci-deploy"


@pytest.mark.parametrize(
    ("lifetime", "observed"),
    [
        (timedelta(days=90), "90d"),
        (timedelta(hours=12), "12h"),
        (timedelta(hours=36), "36h"),
        (timedelta(weeks=2), "14d"),
        (None, "never"),
    ],
)
def test_the_usual_lifetime_is_filled_in_as_typed(
    lifetime: timedelta | None, observed: str
) -> None:
    view = modals.create_form(FormDefaults(lifetime))
    assert field(view, action_ids.LIFETIME_BLOCK)["element"]["initial_value"] == observed
    typed = read_input(submitted(action_ids.CREATE_FORM, reason="x", lifetime=observed))
    assert (typed.lifetime, typed.forever) == (lifetime, lifetime is None)


def test_a_lifetime_that_cannot_be_typed_is_left_empty() -> None:
    for usual in (timedelta(minutes=30), timedelta(minutes=90)):
        assert (
            "initial_value"
            not in field(modals.create_form(FormDefaults(usual)), action_ids.LIFETIME_BLOCK)[
                "element"
            ]
        )


def test_with_one_key_no_key_to_delete_is_asked_for() -> None:
    assert fields(VIEWS["rotate, one key"]) == [
        action_ids.KEY_BLOCK,
        action_ids.REASON_BLOCK,
        action_ids.LIFETIME_BLOCK,
    ]


def test_at_the_limit_the_key_to_delete_is_not_preselected() -> None:
    view = VIEWS["rotate, two keys"]
    assert fields(view) == [
        action_ids.KEY_BLOCK,
        action_ids.LET_GO_BLOCK,
        action_ids.REASON_BLOCK,
        action_ids.LIFETIME_BLOCK,
    ]
    assert "initial_option" not in field(view, action_ids.LET_GO_BLOCK)["element"]
    assert field(view, action_ids.KEY_BLOCK)["element"]["initial_option"]["value"] == OLDER_KEY


def test_each_key_is_shown_with_status_age_and_last_use() -> None:
    options = field(VIEWS["rotate, two keys"], action_ids.LET_GO_BLOCK)["element"]["options"]
    assert [one["value"] for one in options] == [KEY, OLDER_KEY]
    active, inactive = options
    for key, option in zip(KEYS, (active, inactive), strict=True):
        assert f"({key.status.lower()}, {age_text(key, NOW)})" in option["text"]["text"]
        assert last_used_plain(key).startswith(option["description"]["text"])


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_private_metadata_holds_only_ids(view: dict[str, Any]) -> None:
    assert view["private_metadata"] in ("", KEY, IAM_USER, ID)
    assert REASON not in json.dumps(view) or view["callback_id"] == action_ids.DENY_FORM


# -- what was typed into them


def test_a_submitted_form_is_read_as_written() -> None:
    view = submitted(
        action_ids.ROTATE_FORM,
        "ci-deploy",
        reason=REASON,
        lifetime="12h",
        key=KEY,
        let_go=OLDER_KEY,
    )
    assert read_input(view) == FormInput(
        REASON.strip(), timedelta(hours=12), False, "ci-deploy", KEY, OLDER_KEY
    )


def test_a_service_user_may_be_typed() -> None:
    assert (
        read_input(submitted(action_ids.CREATE_FORM, reason="x", user=" ci-deploy ")).user
        == "ci-deploy"
    )


def test_an_approvers_form_is_about_a_key_not_a_user() -> None:
    assert read_input(submitted(action_ids.DISABLE_FOR_FORM, KEY, reason="x")) == FormInput(
        "x", key_id=KEY
    )


def test_the_deny_form_quotes_the_requests_reason() -> None:
    assert read_input(submitted(action_ids.DENY_FORM, ID, reason=" Use a role. ")) == FormInput(
        "Use a role.", request_id=ID
    )
    [quoted] = parts(VIEWS["deny"], "rich_text_quote")
    assert quoted["elements"] == [{"type": "text", "text": REASON}]
    asked = field(VIEWS["deny"], action_ids.REASON_BLOCK)
    assert not asked["optional"] and asked["element"]["max_length"] == 500


def test_urgency_is_offered_where_set_up_and_not_preselected() -> None:
    assert action_ids.URGENT_BLOCK not in fields(VIEWS["create, with service users"])
    offered = field(modals.create_form(URGENT), action_ids.URGENT_BLOCK)["element"]
    assert "initial_options" not in offered
    assert duration_text(timedelta(hours=4)) in offered["options"][0]["description"]["text"]
    chosen = field(VIEWS["create, urgently"], action_ids.URGENT_BLOCK)["element"]
    assert [one["value"] for one in chosen["initial_options"]] == ["urgent"]


@pytest.mark.parametrize(
    ("chosen", "urgent"), [([{"value": "urgent"}], True), ([], False), (None, False)]
)
def test_a_request_is_urgent_where_that_was_chosen(chosen: Any, urgent: bool) -> None:
    view = submitted(action_ids.CREATE_FORM, reason="the shop is down")
    view["state"]["values"][action_ids.URGENT_BLOCK] = {
        action_ids.URGENT_INPUT: {"selected_options": chosen}
    }
    assert read_input(view).urgent is urgent


@pytest.mark.parametrize(
    "form",
    [
        action_ids.CREATE_FORM,
        action_ids.ENABLE_FORM,
        action_ids.DISABLE_FOR_FORM,
        action_ids.DENY_FORM,
    ],
)
@pytest.mark.parametrize("reason", ["", "  ", "\u00a0\u200b"])
def test_an_empty_reason_is_wrong_at_its_field(form: str, reason: str) -> None:
    assert set(errors(submitted(form, reason=reason))) == {action_ids.REASON_BLOCK}


def test_a_lifetime_over_the_limit_is_wrong_at_its_field() -> None:
    view = submitted(action_ids.CREATE_FORM, reason="x", lifetime="91d")
    assert read_input(view, timedelta(days=91)).lifetime == timedelta(days=91)
    with pytest.raises(FieldErrors) as wrong:
        read_input(view, timedelta(days=90))
    assert set(wrong.value.errors) == {action_ids.LIFETIME_BLOCK}


def test_a_rotation_needs_no_reason() -> None:
    assert read_input(submitted(action_ids.ROTATE_FORM, reason="  ", key=KEY)).reason == ""


def test_every_invalid_field_is_reported_at_once() -> None:
    wrong = errors(submitted(action_ids.CREATE_FORM, reason="", lifetime="soon"))
    assert set(wrong) == {action_ids.REASON_BLOCK, action_ids.LIFETIME_BLOCK}


@pytest.mark.parametrize("block", [action_ids.REASON_BLOCK, action_ids.USER_BLOCK])
def test_a_secret_is_refused_at_its_field(block: str) -> None:
    found = errors(submitted(action_ids.CREATE_FORM, **{"reason": "x", block: SECRET}))
    assert set(found) == {block}
    assert "`" not in found[block] and SECRET not in found[block]


@pytest.mark.parametrize(
    "block", [action_ids.REASON_BLOCK, action_ids.LIFETIME_BLOCK, action_ids.USER_BLOCK]
)
def test_an_error_at_a_field_is_plain_text(block: str) -> None:
    found = errors(submitted(action_ids.CREATE_FORM, **{"reason": "x", block: f"{SECRET}"}))
    assert not any(mark in text for text in found.values() for mark in "`*")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.sampled_from([*routes.FORMS, KEY, "30d", "never", "99999w", "\ud800", SECRET, "x" * 5000]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "state",
                    "values",
                    action_ids.REASON_BLOCK,
                    action_ids.REASON_INPUT,
                    action_ids.LIFETIME_BLOCK,
                    action_ids.LIFETIME_INPUT,
                    action_ids.KEY_BLOCK,
                    action_ids.KEY_INPUT,
                    "value",
                    "selected_option",
                    "id",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
)
FIELDS = st.dictionaries(
    st.sampled_from(
        [
            (action_ids.REASON_BLOCK, action_ids.REASON_INPUT),
            (action_ids.LIFETIME_BLOCK, action_ids.LIFETIME_INPUT),
            (action_ids.USER_BLOCK, action_ids.USER_INPUT),
            (action_ids.KEY_BLOCK, action_ids.KEY_INPUT),
            (action_ids.LET_GO_BLOCK, action_ids.LET_GO_INPUT),
            (action_ids.URGENT_BLOCK, action_ids.URGENT_INPUT),
        ]
    ),
    JSON,
)


@given(
    callback_id=JSON,
    meta=JSON,
    state=JSON
    | FIELDS.map(
        lambda typed: {
            "values": {
                block: {
                    element: {
                        "value": value,
                        "selected_option": {"value": value},
                        "selected_options": value,
                    }
                }
                for (block, element), value in typed.items()
            }
        }
    ),
)
def test_any_view_is_read_or_wrong_at_a_field(callback_id: Any, meta: Any, state: Any) -> None:
    try:
        typed = read_input({"callback_id": callback_id, "private_metadata": meta, "state": state})
    except FieldErrors as wrong:
        assert wrong.errors and all(
            isinstance(text, str) and text for text in wrong.errors.values()
        )
        return
    assert all(
        isinstance(text, str)
        for text in (typed.reason, typed.user, typed.key_id, typed.delete_first, typed.request_id)
    ) and isinstance(typed.urgent, bool)


@given(JSON)
def test_every_value_read_is_text(view: Any) -> None:
    holds: dict[str, Any] = view if isinstance(view, dict) else {"state": view}
    try:
        assert isinstance(read_input(holds).key_id, str)
    except FieldErrors as wrong:
        assert set(wrong.errors) <= {
            action_ids.REASON_BLOCK,
            action_ids.LIFETIME_BLOCK,
            action_ids.USER_BLOCK,
        }
