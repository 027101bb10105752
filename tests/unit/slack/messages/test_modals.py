"""The forms: within Slack's limits, with a registered ID, and safe to read."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.slack import action_ids as ids
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
)
from tests.support.message_parts import parts

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKE2"
USUAL = FormDefaults(timedelta(days=90))
SERVICE = replace(USUAL, service_users=True, instead="use <https://sso.example.com|SSO> & co.")
URGENT = replace(SERVICE, urgent_life=timedelta(hours=4))
View = dict[str, Any]

VIEWS = {
    "create": modals.create_form(USUAL),
    "create, with service users": modals.create_form(SERVICE),
    "create, for a service user": modals.create_form(SERVICE, IAM_USER),
    "create, longest text": modals.create_form(replace(USUAL, instead="&" * 1000)),
    "create, keys never expire": modals.create_form(FormDefaults()),
    "create, may be urgent": modals.create_form(URGENT),
    "create, urgently": modals.create_form(URGENT, urgent=True),
    "rotate, one key": modals.rotate_form(USUAL, KEYS[:1], NOW),
    "rotate, two keys": modals.rotate_form(USUAL, KEYS, NOW, OLDER_KEY, IAM_USER),
    "rotate, none chosen": modals.rotate_form(USUAL, (UNKNOWN_USE, KEYS[1]), NOW),
    "enable": modals.enable_form(KEYS[1:], NOW, OLDER_KEY),
    "enable, for a service user": modals.enable_form(KEYS, NOW, "", IAM_USER),
    "disable for": modals.disable_for_form(KEY),
    "deny": modals.deny_form(PENDING),
    "deny, longest reason": modals.deny_form(replace(PENDING, reason="&" * 500)),
}


def fields(view: View) -> dict[str, View]:
    """Return the elements of a form's fields by block ID, in order."""
    return {one["block_id"]: one["element"] for one in parts(view, "input")}


INPUTS = {
    ids.REASON_BLOCK: ids.REASON_INPUT,
    ids.LIFETIME_BLOCK: ids.LIFETIME_INPUT,
    ids.USER_BLOCK: ids.USER_INPUT,
}
SELECTS = {ids.KEY_BLOCK: ids.KEY_INPUT, ids.LET_GO_BLOCK: ids.LET_GO_INPUT}


def submitted(callback_id: str, private_metadata: str = "", **typed: str) -> View:
    """Return a form with values typed into its fields, by block ID."""
    texts = {block: {INPUTS[block]: {"value": typed[block]}} for block in INPUTS if block in typed}
    chosen = {
        block: {SELECTS[block]: {"selected_option": {"value": typed[block]}}}
        for block in SELECTS
        if block in typed
    }
    state = {"values": {**texts, **chosen}}
    return {"callback_id": callback_id, "private_metadata": private_metadata, "state": state}


def read(callback_id: str, private_metadata: str = "", **typed: str) -> FormInput:
    return read_input(submitted(callback_id, private_metadata, **typed))


def errors(callback_id: str, **typed: str) -> dict[str, str]:
    with pytest.raises(FieldErrors) as caught:
        read(callback_id, **typed)
    return caught.value.errors


# -- what they look like


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_slack_takes_the_form(view: View) -> None:
    """The metadata has only IDs, and only a denial shows the request's reason."""
    check_view(view, allowed="modal")
    assert view["callback_id"] in routes.FORMS
    assert view["private_metadata"] in ("", KEY, IAM_USER, ID)
    assert REASON not in json.dumps(view) or view["callback_id"] == ids.DENY_FORM


@pytest.mark.parametrize("text", ["Keydesk is busy.", CHECKING_TEXT, "x" * 5000])
@pytest.mark.parametrize("title", ["Keydesk", *modals.TITLES.values()])
def test_slack_takes_a_form_that_only_shows_a_text(text: str, title: str) -> None:
    check_view(modals.message_view(text, title=title), allowed="modal")
    check_view(modals.message_view(text, "checking:V0123", title), allowed="modal")


@pytest.mark.parametrize(
    ("name", "blocks"),
    [
        ("create", [ids.REASON_BLOCK, ids.LIFETIME_BLOCK]),
        ("create, with service users", [ids.REASON_BLOCK, ids.LIFETIME_BLOCK, ids.USER_BLOCK]),
        ("rotate, one key", [ids.KEY_BLOCK, ids.REASON_BLOCK, ids.LIFETIME_BLOCK]),
        (
            "rotate, two keys",
            [ids.KEY_BLOCK, ids.LET_GO_BLOCK, ids.REASON_BLOCK, ids.LIFETIME_BLOCK],
        ),
    ],
)
def test_a_form_asks_only_for_what_is_needed(name: str, blocks: list[str]) -> None:
    assert list(fields(VIEWS[name])) == blocks


@pytest.mark.parametrize(("name", "length"), [("create", len(REASON)), ("deny", 500)])
def test_the_reason_field_takes_a_whole_reason(name: str, length: int) -> None:
    [asked] = [one for one in parts(VIEWS[name], "input") if one["block_id"] == ids.REASON_BLOCK]
    element = asked["element"]
    assert (element.get("min_length", 1), element["max_length"]) == (1, length)
    assert element["action_id"] == ids.REASON_INPUT and not asked["optional"]


@pytest.mark.parametrize(
    ("lifetime", "filled_in"),
    [
        (timedelta(days=90), "90d"),
        (timedelta(hours=12), "12h"),
        (timedelta(hours=36), "36h"),
        (timedelta(weeks=2), "14d"),
        (None, "never"),
        (timedelta(minutes=30), None),
        (timedelta(minutes=90), None),
    ],
)
def test_the_usual_lifetime_is_filled_in_if_it_can_be_typed(
    lifetime: timedelta | None, filled_in: str | None
) -> None:
    element = fields(modals.create_form(FormDefaults(lifetime)))[ids.LIFETIME_BLOCK]
    assert element.get("initial_value") == filled_in
    if filled_in:
        typed = read(ids.CREATE_FORM, reason="x", lifetime=filled_in)
        assert (typed.lifetime, typed.forever) == (lifetime, lifetime is None)


def test_an_only_key_is_preselected() -> None:
    assert fields(VIEWS["rotate, one key"])[ids.KEY_BLOCK]["initial_option"]["value"] == KEY
    assert "initial_option" not in fields(VIEWS["rotate, none chosen"])[ids.KEY_BLOCK]


def test_the_key_to_delete_is_not_preselected() -> None:
    """Each key is shown with its status, age and last use."""
    found = fields(VIEWS["rotate, two keys"])
    assert found[ids.KEY_BLOCK]["initial_option"]["value"] == OLDER_KEY
    assert "initial_option" not in found[ids.LET_GO_BLOCK]
    for key, option in zip(KEYS, found[ids.LET_GO_BLOCK]["options"], strict=True):
        assert option["value"] == key.id
        assert f"({key.status.lower()}, {age_text(key, NOW)})" in option["text"]["text"]
        assert last_used_plain(key).startswith(option["description"]["text"])


def test_urgency_is_offered_where_set_up_and_not_preselected() -> None:
    assert ids.URGENT_BLOCK not in fields(VIEWS["create, with service users"])
    offered = fields(VIEWS["create, may be urgent"])[ids.URGENT_BLOCK]
    assert "initial_options" not in offered
    assert duration_text(timedelta(hours=4)) in offered["options"][0]["description"]["text"]
    chosen = fields(VIEWS["create, urgently"])[ids.URGENT_BLOCK]
    assert [one["value"] for one in chosen["initial_options"]] == ["urgent"]


# -- what was typed into them


@pytest.mark.parametrize(
    ("form", "metadata", "typed", "expected"),
    [
        (
            ids.ROTATE_FORM,
            "ci-deploy",
            {"reason": REASON, "lifetime": "12h", "key": KEY, "let_go": OLDER_KEY},
            FormInput(REASON.strip(), timedelta(hours=12), False, "ci-deploy", KEY, OLDER_KEY),
        ),
        (ids.ROTATE_FORM, "", {"reason": "  ", "key": KEY}, FormInput("", key_id=KEY)),
        (ids.CREATE_FORM, "", {"reason": "x", "user": " ci "}, FormInput("x", user="ci")),
        (ids.DISABLE_FOR_FORM, KEY, {"reason": "x"}, FormInput("x", key_id=KEY)),
        (ids.DENY_FORM, ID, {"reason": " Use a role. "}, FormInput("Use a role.", request_id=ID)),
    ],
)
def test_a_submitted_form_is_read_as_typed(
    form: str, metadata: str, typed: dict[str, str], expected: FormInput
) -> None:
    assert read(form, metadata, **typed) == expected


@pytest.mark.parametrize(
    ("chosen", "urgent"), [([{"value": "urgent"}], True), ([], False), (None, False)]
)
def test_a_request_is_urgent_where_that_was_chosen(chosen: Any, urgent: bool) -> None:
    view = submitted(ids.CREATE_FORM, reason="the shop is down")
    view["state"]["values"][ids.URGENT_BLOCK] = {ids.URGENT_INPUT: {"selected_options": chosen}}
    assert read_input(view).urgent is urgent


REASON_NEEDED = [ids.CREATE_FORM, ids.ENABLE_FORM, ids.DISABLE_FOR_FORM, ids.DENY_FORM]


@pytest.mark.parametrize("form", REASON_NEEDED)
@pytest.mark.parametrize("reason", ["", "  ", "\u00a0\u200b"])
def test_an_empty_reason_is_an_error_at_its_field(form: str, reason: str) -> None:
    assert set(errors(form, reason=reason)) == {ids.REASON_BLOCK}


def test_a_lifetime_over_the_limit_is_an_error_at_its_field() -> None:
    view, limit = submitted(ids.CREATE_FORM, reason="x", lifetime="91d"), timedelta(days=91)
    assert read_input(view, limit).lifetime == limit
    with pytest.raises(FieldErrors) as wrong:
        read_input(view, timedelta(days=90))
    assert set(wrong.value.errors) == {ids.LIFETIME_BLOCK}


def test_every_invalid_field_is_reported_at_once() -> None:
    found = errors(ids.CREATE_FORM, reason="", lifetime="soon")
    assert set(found) == {ids.REASON_BLOCK, ids.LIFETIME_BLOCK}


@pytest.mark.parametrize("block", INPUTS)
def test_a_secret_is_refused_at_its_field(block: str) -> None:
    """In plain text, which a field's error is."""
    found = errors(ids.CREATE_FORM, **{"reason": "x", block: SECRET})
    assert set(found) == {block}
    assert not any(mark in found[block] for mark in ("`", "*", SECRET))


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=20)
TYPED = [*routes.FORMS, KEY, "30d", "never", "99999w", "\ud800", SECRET, "x" * 5000]
NAMES = ["state", "values", "value", "selected_option", "id", *INPUTS, *INPUTS.values(), *SELECTS]
JSON = st.recursive(
    SCALARS | st.sampled_from(TYPED),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
)
ELEMENTS = {**INPUTS, **SELECTS, ids.URGENT_BLOCK: ids.URGENT_INPUT}


def with_values(typed: dict[str, Any]) -> View:
    """Return the state of a form whose fields have these values in every key."""
    return {
        "values": {
            block: {
                ELEMENTS[block]: {
                    "value": value,
                    "selected_option": {"value": value},
                    "selected_options": value,
                }
            }
            for block, value in typed.items()
        }
    }


STATES = JSON | st.dictionaries(st.sampled_from(sorted(ELEMENTS)), JSON).map(with_values)
FORMS = st.fixed_dictionaries({"callback_id": JSON, "private_metadata": JSON, "state": STATES})
ANYTHING = JSON.map(lambda view: view if isinstance(view, dict) else {"state": view})


@settings(deadline=None)
@given(FORMS | ANYTHING)
def test_any_form_is_read_or_wrong_at_a_field(view: View) -> None:
    try:
        typed = read_input(view)
    except FieldErrors as wrong:
        assert wrong.errors and set(wrong.errors) <= set(INPUTS)
        assert all(text and isinstance(text, str) for text in wrong.errors.values())
        return
    texts = (typed.reason, typed.user, typed.key_id, typed.delete_first, typed.request_id)
    assert all(isinstance(text, str) for text in texts) and isinstance(typed.urgent, bool)
