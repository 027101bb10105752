"""Forms: within Slack's limits, with a registered ID, and whatever is in them is read without harm."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.slack import forms, ids
from bot.slack.boundary import BUSY, CHECKING
from bot.slack.forms import FieldErrors, Typed, Usual
from bot.slack.listeners import FORMS
from sandbox.limits import check_view
from tests.slack.facts import (
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
USUAL = Usual(timedelta(days=90))
SERVICE = Usual(
    timedelta(days=90),
    service_users=True,
    instead="People: use <https://sso.example.com|SSO> & co.",
)
URGENT = replace(SERVICE, urgent_life=timedelta(hours=4))

VIEWS = {
    "create": forms.create_form(USUAL),
    "create, with service users": forms.create_form(SERVICE),
    "create, for a service user": forms.create_form(SERVICE, IAM_USER),
    "create, with the worst to show first": forms.create_form(replace(USUAL, instead="&" * 1000)),
    "create, keys live for ever": forms.create_form(Usual()),
    "rotate, one key": forms.rotate_form(USUAL, KEYS[:1], NOW, KEY),
    "rotate, two keys": forms.rotate_form(USUAL, KEYS, NOW, OLDER_KEY, IAM_USER),
    "rotate, none chosen": forms.rotate_form(USUAL, (UNKNOWN_USE, KEYS[1]), NOW),
    "enable": forms.enable_form(KEYS[1:], NOW, OLDER_KEY),
    "enable, for a service user": forms.enable_form(KEYS, NOW, "", IAM_USER),
    "disable for": forms.disable_for_form(KEY),
    "create, urgently": forms.create_form(URGENT, urgent=True),
    "deny": forms.deny_form(PENDING),
    "deny, with the worst to quote": forms.deny_form(replace(PENDING, reason="&" * 500)),
}


def fields(view: dict[str, Any]) -> list[str]:
    """The IDs of a form's fields, in order."""
    return [one["block_id"] for one in parts(view, "input")]


def field(view: dict[str, Any], block_id: str) -> dict[str, Any]:
    return next(one for one in parts(view, "input") if one["block_id"] == block_id)


def submitted(callback_id: str, private_metadata: str = "", **values: str) -> dict[str, Any]:
    """A form with what was typed into its fields, by block ID."""
    inputs = {
        ids.REASON_BLOCK: ids.REASON_INPUT,
        ids.LIFETIME_BLOCK: ids.LIFETIME_INPUT,
        ids.USER_BLOCK: ids.USER_INPUT,
    }
    selects = {ids.KEY_BLOCK: ids.KEY_INPUT, ids.LET_GO_BLOCK: ids.LET_GO_INPUT}
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
        forms.typed(view)
    return caught.value.errors


# -- what they look like


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_slack_takes_the_form(view: dict[str, Any]) -> None:
    check_view(view, allowed="modal")
    assert view["callback_id"] in FORMS


@pytest.mark.parametrize("text", [BUSY, CHECKING, "x" * 5000])
@pytest.mark.parametrize("title", ["Keydesk", *forms.TITLES.values()])
def test_slack_takes_the_form_that_only_says_something(text: str, title: str) -> None:
    check_view(forms.message_view(text, title=title), allowed="modal")
    check_view(forms.message_view(text, "checking:V0123", title), allowed="modal")


def test_the_form_shows_first_what_to_use_instead_of_keys_as_the_operator_wrote_it() -> None:
    first = forms.create_form(SERVICE)["blocks"][0]
    assert first["text"] == {"type": "mrkdwn", "text": SERVICE.instead, "verbatim": False}


def test_the_form_takes_as_much_as_a_reason_may_hold() -> None:
    asked = field(VIEWS["create"], ids.REASON_BLOCK)
    assert (asked["element"].get("min_length", 1), asked["element"]["max_length"]) == (
        1,
        len(REASON),
    )
    assert asked["element"]["action_id"] == ids.REASON_INPUT and not asked["optional"]


def test_a_service_user_is_asked_for_only_where_there_are_any_or_one_was_named() -> None:
    assert ids.USER_BLOCK not in fields(VIEWS["create"])
    assert ids.USER_BLOCK in fields(VIEWS["create, with service users"])
    named = forms.create_form(USUAL, "ci-deploy")
    assert field(named, ids.USER_BLOCK)["element"]["initial_value"] == "ci-deploy"


@pytest.mark.parametrize(
    ("lifetime", "shown"),
    [
        (timedelta(days=90), "90d"),
        (timedelta(hours=12), "12h"),
        (timedelta(hours=36), "36h"),
        (timedelta(weeks=2), "14d"),
        (None, "never"),
    ],
)
def test_the_usual_lifetime_stands_in_the_field_as_people_type_it(
    lifetime: timedelta | None, shown: str
) -> None:
    view = forms.create_form(Usual(lifetime))
    assert field(view, ids.LIFETIME_BLOCK)["element"]["initial_value"] == shown
    typed = forms.typed(submitted(ids.CREATE_FORM, reason="x", lifetime=shown))
    assert (typed.lifetime, typed.forever) == (lifetime, lifetime is None)


def test_a_usual_life_that_cannot_be_typed_is_left_empty_which_means_the_usual_one() -> None:
    for usual in (timedelta(minutes=30), timedelta(minutes=90)):
        assert (
            "initial_value"
            not in field(forms.create_form(Usual(usual)), ids.LIFETIME_BLOCK)["element"]
        )


def test_rotating_ones_only_key_asks_for_no_key_to_be_deleted() -> None:
    assert fields(VIEWS["rotate, one key"]) == [ids.KEY_BLOCK, ids.REASON_BLOCK, ids.LIFETIME_BLOCK]


def test_with_both_slots_taken_the_form_asks_which_key_goes_and_nothing_is_chosen_for_the_person() -> (
    None
):
    view = VIEWS["rotate, two keys"]
    assert fields(view) == [ids.KEY_BLOCK, ids.LET_GO_BLOCK, ids.REASON_BLOCK, ids.LIFETIME_BLOCK]
    assert "initial_option" not in field(view, ids.LET_GO_BLOCK)["element"]
    assert field(view, ids.KEY_BLOCK)["element"]["initial_option"]["value"] == OLDER_KEY


def test_each_key_to_choose_from_is_shown_with_status_age_and_last_use() -> None:
    options = field(VIEWS["rotate, two keys"], ids.LET_GO_BLOCK)["element"]["options"]
    assert [one["value"] for one in options] == [KEY, OLDER_KEY]
    active, inactive = options
    assert "(active, 400 days old)" in active["text"]["text"]
    assert "last used 21 Nov 2026" in active["description"]["text"]
    assert "(inactive, made today)" in inactive["text"]["text"]
    assert inactive["description"]["text"] == "never used"


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_private_metadata_holds_ids_and_nothing_else(view: dict[str, Any]) -> None:
    assert view["private_metadata"] in ("", KEY, IAM_USER, ID)
    assert REASON not in json.dumps(view) or view["callback_id"] == ids.DENY_FORM


# -- what was typed into them


def test_what_was_typed_is_read_as_written() -> None:
    view = submitted(
        ids.ROTATE_FORM, "ci-deploy", reason=REASON, lifetime="12h", key=KEY, let_go=OLDER_KEY
    )
    assert forms.typed(view) == Typed(
        REASON.strip(), timedelta(hours=12), False, "ci-deploy", KEY, OLDER_KEY
    )


def test_a_service_user_may_be_typed() -> None:
    assert (
        forms.typed(submitted(ids.CREATE_FORM, reason="x", user=" ci-deploy ")).user == "ci-deploy"
    )


def test_the_approvers_form_is_about_a_key_and_no_user() -> None:
    assert forms.typed(submitted(ids.DISABLE_FOR_FORM, KEY, reason="x")) == Typed("x", key_id=KEY)


def test_the_form_that_denies_is_about_a_request_and_shows_its_reason_as_a_quotation() -> None:
    assert forms.typed(submitted(ids.DENY_FORM, ID, reason=" Use a role. ")) == Typed(
        "Use a role.", request_id=ID
    )
    [quoted] = parts(VIEWS["deny"], "rich_text_quote")
    assert quoted["elements"] == [{"type": "text", "text": REASON}]
    asked = field(VIEWS["deny"], ids.REASON_BLOCK)
    assert not asked["optional"] and asked["element"]["max_length"] == 500


def test_breaking_glass_is_offered_only_where_it_is_set_up_and_is_not_chosen_for_the_person() -> (
    None
):
    assert ids.URGENT_BLOCK not in fields(VIEWS["create, with service users"])
    offered = field(forms.create_form(URGENT), ids.URGENT_BLOCK)["element"]
    assert (
        "initial_options" not in offered
        and "4 hours at most" in offered["options"][0]["description"]["text"]
    )
    chosen = field(VIEWS["create, urgently"], ids.URGENT_BLOCK)["element"]
    assert [one["value"] for one in chosen["initial_options"]] == ["urgent"]


@pytest.mark.parametrize(
    ("chosen", "urgent"), [([{"value": "urgent"}], True), ([], False), (None, False)]
)
def test_a_key_is_asked_for_urgently_where_that_was_chosen(chosen: Any, urgent: bool) -> None:
    view = submitted(ids.CREATE_FORM, reason="the shop is down")
    view["state"]["values"][ids.URGENT_BLOCK] = {ids.URGENT_INPUT: {"selected_options": chosen}}
    assert forms.typed(view).urgent is urgent


@pytest.mark.parametrize(
    "form", [ids.CREATE_FORM, ids.ENABLE_FORM, ids.DISABLE_FOR_FORM, ids.DENY_FORM]
)
@pytest.mark.parametrize("reason", ["", "  ", "\u00a0\u200b"])
def test_a_reason_that_says_nothing_is_wrong_at_its_field(form: str, reason: str) -> None:
    assert set(errors(submitted(form, reason=reason))) == {ids.REASON_BLOCK}


def test_a_life_longer_than_the_longest_is_wrong_at_its_field() -> None:
    view = submitted(ids.CREATE_FORM, reason="x", lifetime="91d")
    assert forms.typed(view, timedelta(days=91)).lifetime == timedelta(days=91)
    with pytest.raises(FieldErrors) as wrong:
        forms.typed(view, timedelta(days=90))
    assert set(wrong.value.errors) == {ids.LIFETIME_BLOCK}
    assert "at most, and you asked for 91 days" in wrong.value.errors[ids.LIFETIME_BLOCK]


def test_a_rotation_needs_no_reason() -> None:
    assert forms.typed(submitted(ids.ROTATE_FORM, reason="  ", key=KEY)).reason == ""


def test_each_field_that_is_wrong_is_told_so_at_once() -> None:
    wrong = errors(submitted(ids.CREATE_FORM, reason="", lifetime="soon"))
    assert (
        set(wrong) == {ids.REASON_BLOCK, ids.LIFETIME_BLOCK} and "30d" in wrong[ids.LIFETIME_BLOCK]
    )


@pytest.mark.parametrize("block", [ids.REASON_BLOCK, ids.USER_BLOCK])
def test_a_secret_is_refused_at_its_field_in_plain_words(block: str) -> None:
    told = errors(submitted(ids.CREATE_FORM, **{"reason": "x", block: SECRET}))
    assert set(told) == {block}
    assert "as leaked" in told[block] and told[block].lower().count("nothing was stored") == 1
    assert "`" not in told[block] and SECRET not in told[block]


@pytest.mark.parametrize("block", [ids.REASON_BLOCK, ids.LIFETIME_BLOCK, ids.USER_BLOCK])
def test_what_is_said_at_a_field_is_plain_text(block: str) -> None:
    told = errors(submitted(ids.CREATE_FORM, **{"reason": "x", block: f"{SECRET}"}))
    assert not any(mark in text for text in told.values() for mark in "`*")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.sampled_from([*FORMS, KEY, "30d", "never", "99999w", "\ud800", SECRET, "x" * 5000]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "state",
                    "values",
                    ids.REASON_BLOCK,
                    ids.REASON_INPUT,
                    ids.LIFETIME_BLOCK,
                    ids.LIFETIME_INPUT,
                    ids.KEY_BLOCK,
                    ids.KEY_INPUT,
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
            (ids.REASON_BLOCK, ids.REASON_INPUT),
            (ids.LIFETIME_BLOCK, ids.LIFETIME_INPUT),
            (ids.USER_BLOCK, ids.USER_INPUT),
            (ids.KEY_BLOCK, ids.KEY_INPUT),
            (ids.LET_GO_BLOCK, ids.LET_GO_INPUT),
            (ids.URGENT_BLOCK, ids.URGENT_INPUT),
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
def test_whatever_a_view_holds_it_is_read_or_wrong_at_a_field(
    callback_id: Any, meta: Any, state: Any
) -> None:
    try:
        typed = forms.typed({"callback_id": callback_id, "private_metadata": meta, "state": state})
    except FieldErrors as wrong:
        assert wrong.errors and all(
            isinstance(text, str) and text for text in wrong.errors.values()
        )
        return
    assert all(
        isinstance(text, str)
        for text in (typed.reason, typed.user, typed.key_id, typed.let_go, typed.request_id)
    ) and isinstance(typed.urgent, bool)


@given(JSON)
def test_no_field_has_a_value_that_is_no_text(view: Any) -> None:
    holds: dict[str, Any] = view if isinstance(view, dict) else {"state": view}
    try:
        assert isinstance(forms.typed(holds).key_id, str)
    except FieldErrors as wrong:
        assert set(wrong.errors) <= {ids.REASON_BLOCK, ids.LIFETIME_BLOCK, ids.USER_BLOCK}
