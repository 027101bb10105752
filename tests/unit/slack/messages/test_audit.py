"""The lines of the audit channel: each field once, escaped, within limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
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


def shown(**changes: Any) -> str:
    return message([line(replace(TRANSITION, **changes))])[0]


def test_facts_are_shown_by_code_and_escaped() -> None:
    detail = Detail("orphan_found", {"names": "AKIA1 <!channel>"})
    found = shown(reason="", detail=detail)
    assert found.endswith("· orphan_found names=AKIA1 &lt;!channel&gt;")
    assert message([line(code="x", facts="{broken")])[0].endswith("· x {broken")


def test_a_transition_has_who_what_and_states() -> None:
    """A field without a value is left out."""
    who = f"*12* {SHOWN_AT} <@U0CAROL> *approve*"
    assert shown() == f"{who} · request `r1` · `AKIA1` · pending → approved · deploy script"
    assert shown(request_id="", key_id="", from_status="", to_status="", reason="") == who
    assert shown(by="keydesk", from_status="delivered", to_status="delivered", reason="") == (
        f"*12* {SHOWN_AT} keydesk *approve* · request `r1` · `AKIA1` · delivered"
    )
    refusal = shown(from_status="", to_status="refused", reason="NotAllowed: No.")
    assert " · *refused* · NotAllowed: No." in refusal


def test_only_an_urgent_request_notifies_the_channel() -> None:
    assert shown(action=BREAK_GLASS).startswith(":rotating_light: <!channel> *12*")
    assert "<!channel>" not in shown(action="create", reason="break_glass: urgent <!channel>")


def test_a_reason_cannot_change_the_lines_around_it() -> None:
    """Between code fences "<!channel>" is plain text. A changed direction hides text."""
    reasons = {
        "create": "deploy ```",
        BREAK_GLASS: "``\u202e` quietly",
        "cancel": "\u2067sdrawkcab",
    }
    lines = [line(replace(TRANSITION, action=one, reason=why)) for one, why in reasons.items()]
    text, count = message(lines)
    assert count == 3 and "<!channel>" in text and "sdrawkcab" in text
    assert not any(mark in text for mark in ("```", "\u202e", "\u2067"))


def test_a_seal_is_shown_whole() -> None:
    seal = Seal.make(KEY, "", [line(number=n) for n in (1, 2, 3)], AT)
    text = f":lock: {SHOWN_AT} seal over entries 1-3: `{seal.value}`"
    assert message([StreamEntry("2-0", seal.fields())]) == (text, 1)


def test_typed_text_is_escaped_in_one_line_and_cut() -> None:
    text = shown(reason="<!channel> & <@U0BOB>\n*12* all is well " + "x" * 900)
    assert "&lt;!channel&gt; &amp; &lt;@U0BOB&gt; *12* all" in text and text.endswith("xxx…")
    assert "\n" not in text and len(text) < 800


NAMES = ["number", "at", "by", "action", "reason", "seal", "sealed", "to_status"]
ENTRIES = st.dictionaries(st.sampled_from(NAMES), st.text(max_size=5000))


@settings(deadline=None)
@given(st.lists(ENTRIES, min_size=1, max_size=30))
def test_any_stored_entry_fits_a_message(fields: list[dict[str, str]]) -> None:
    text, count = message([StreamEntry("1-0", one) for one in fields])
    assert 1 <= count <= len(fields) and text and len(text) <= MAX_MESSAGE
    assert len(text.split("\n")) == count and "<!channel" not in text
