"""Forms: within Slack's limits, with a registered ID, and whatever is in them is read without harm."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.slack import forms, ids
from bot.slack.boundary import BUSY, CHECKING
from sandbox.limits import check_view
from tests.slack.facts import REASON

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["state", "values", ids.REASON_BLOCK, ids.REASON_INPUT, "value", "id"]), inner, max_size=4))


@pytest.mark.parametrize("instead", ["", "People: use <SSO> & co.", "&" * 1000])
def test_slack_takes_the_form(instead: str) -> None:
    check_view(forms.create_form(instead), allowed="modal")


@pytest.mark.parametrize("text", [BUSY, CHECKING, "x" * 5000])
def test_slack_takes_the_form_that_only_says_something(text: str) -> None:
    check_view(forms.message_view(text), allowed="modal")
    check_view(forms.message_view(text, "checking:V0123"), allowed="modal")


def test_the_form_shows_first_what_to_use_instead_of_keys() -> None:
    assert "use &lt;SSO&gt; &amp; co." in json.dumps(forms.create_form("use <SSO> & co.")["blocks"][0])


def test_the_form_takes_as_much_as_a_reason_may_hold() -> None:
    [asked] = forms.create_form()["blocks"]
    assert (asked["element"]["min_length"], asked["element"]["max_length"]) == (1, len(REASON))
    assert (asked["block_id"], asked["element"]["action_id"]) == (ids.REASON_BLOCK, ids.REASON_INPUT)


def test_what_was_typed_is_read_as_written() -> None:
    view = {"state": {"values": {ids.REASON_BLOCK: {ids.REASON_INPUT: {"value": REASON}}}}}
    assert forms.create_reason(view) == REASON


@given(JSON)
def test_whatever_a_view_holds_the_reason_is_a_text(view: Any) -> None:
    assert isinstance(forms.create_reason(view), str)
