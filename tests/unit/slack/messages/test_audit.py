"""The lines of the audit channel: each field once, typed text escaped, within Slack's limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.audit.seals import Seal
from bot.domain.codes import Detail
from bot.domain.records import BREAK_GLASS, AuditEntry, StreamEntry
from bot.slack.messages.audit import MAX_MESSAGE, message
from bot.slack.messages.blocks import date_token
from bot.store.serialization import entry_to_fields
from tests.support.memory_trail import KEY

AT = datetime(2026, 11, 24, 10, 2, tzinfo=UTC)
SHOWN_AT = date_token(AT)
TRANSITION = AuditEntry(
    AT, "U0CAROL", "approve", "r1", "AKIA1", "pending", "approved", "deploy script"
)


def line(entry: AuditEntry = TRANSITION, number: int = 12, **fields: str) -> StreamEntry:
    return StreamEntry("1-0", {"number": str(number), **entry_to_fields(entry), **fields})


def shown(**permissions: Any) -> str:
    return message([line(replace(TRANSITION, **permissions))])[0]


def test_what_keydesk_found_is_shown_by_code_and_facts() -> None:
    found = shown(reason="", detail=Detail("orphan_found", {"names": "AKIA1 <!channel>"}))
    assert found.endswith("· orphan_found names=AKIA1 &lt;!channel&gt;")


def test_facts_that_are_no_json_are_shown_as_they_are() -> None:
    assert message([line(code="x", facts="{broken")])[0].endswith("· x {broken")


def test_a_transition_is_shown_with_who_what_and_states() -> None:
    assert shown() == (
        f"*12* {SHOWN_AT} <@U0CAROL> *approve* · request `r1` · `AKIA1` · pending → approved · "
        "deploy script"
    )


def test_a_field_without_a_value_is_left_out() -> None:
    assert (
        shown(request_id="", key_id="", from_status="", to_status="", reason="")
        == f"*12* {SHOWN_AT} <@U0CAROL> *approve*"
    )
    assert shown(by="keydesk", from_status="delivered", to_status="delivered", reason="") == (
        f"*12* {SHOWN_AT} keydesk *approve* · request `r1` · `AKIA1` · delivered"
    )


def test_a_refusal_stands_out() -> None:
    assert " · *refused* · NotAllowed: No." in shown(
        from_status="", to_status="refused", reason="NotAllowed: No."
    )


def test_only_an_urgent_request_notifies_the_channel() -> None:
    assert shown(action=BREAK_GLASS).startswith(":rotating_light: <!channel> *12*")
    assert "<!channel>" not in shown(action="create", reason="break_glass: urgent <!channel>")


def test_a_reason_cannot_change_the_lines_around_it() -> None:
    """Between code fences "<!channel>" notifies nobody, and a changed direction hides text."""
    fenced = [
        line(replace(TRANSITION, action=action, reason=why))
        for action, why in (
            ("create", "deploy ```"),
            (BREAK_GLASS, "``\u202e` quietly"),
            ("cancel", "\u2067sdrawkcab"),
        )
    ]
    text, count = message(fenced)
    assert count == 3 and "```" not in text and "<!channel>" in text
    assert "\u202e" not in text and "\u2067" not in text and "sdrawkcab" in text


def test_a_seal_is_shown_whole() -> None:
    seal = Seal.make(KEY, "", [line(number=n) for n in (1, 2, 3)], AT)
    assert message([StreamEntry("2-0", seal.fields())]) == (
        f":lock: {SHOWN_AT} seal over entries 1-3: `{seal.value}`",
        1,
    )


def test_typed_text_is_escaped_in_one_line_and_cut() -> None:
    text = shown(reason="<!channel> & <@U0BOB>\n*12* all is well " + "x" * 900)
    assert "&lt;!channel&gt; &amp; &lt;@U0BOB&gt; *12* all" in text and text.endswith("xxx…")
    assert "\n" not in text and len(text) < 800


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(
                ["number", "at", "by", "action", "reason", "seal", "sealed", "to_status"]
            ),
            st.text(max_size=5000),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_any_stored_entry_fits_a_message(
    fields: list[dict[str, str]],
) -> None:
    lines = [StreamEntry("1-0", one) for one in fields]
    text, count = message(lines)
    assert 1 <= count <= len(lines) and text and len(text) <= MAX_MESSAGE
    assert len(text.split("\n")) == count and "<!channel" not in text
