"""The lines of the audit channel: each fact once, all that people typed escaped, within what a message holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.audit.seals import Seal
from bot.domain.ports import BREAK_GLASS, AuditEntry, StreamEntry
from bot.slack.messages.audit import MAX_MESSAGE, message
from bot.store.serialization import entry_to_fields
from tests.support.memory_trail import KEY

AT = datetime(2026, 11, 24, 10, 2, tzinfo=UTC)
SHOWN_AT = f"<!date^{int(AT.timestamp())}^{{date_short_pretty}} at {{time}}|24 Nov 2026, 10:02 UTC>"
MOVE = AuditEntry(AT, "U0CAROL", "approve", "r1", "AKIA1", "pending", "approved", "deploy script")


def line(entry: AuditEntry = MOVE, number: int = 12, **fields: str) -> StreamEntry:
    return StreamEntry("1-0", {"number": str(number), **entry_to_fields(entry), **fields})


def said(**permissions: Any) -> str:
    return message([line(replace(MOVE, **permissions))])[0]


def test_a_move_is_told_with_who_what_and_from_where_to_where() -> None:
    assert said() == (
        f"*12* {SHOWN_AT} <@U0CAROL> *approve* · request `r1` · `AKIA1` · pending → approved · "
        "deploy script"
    )


def test_what_is_not_known_is_left_out() -> None:
    assert (
        said(request_id="", key_id="", from_status="", to_status="", reason="")
        == f"*12* {SHOWN_AT} <@U0CAROL> *approve*"
    )
    assert said(by="keydesk", from_status="delivered", to_status="delivered", reason="") == (
        f"*12* {SHOWN_AT} keydesk *approve* · request `r1` · `AKIA1` · delivered"
    )


def test_a_refusal_stands_out() -> None:
    assert " · *refused* · NotAllowed: No." in said(
        from_status="", to_status="refused", reason="NotAllowed: No."
    )


def test_breaking_glass_is_loud_and_a_reason_that_says_so_is_not() -> None:
    assert said(action=BREAK_GLASS).startswith(":rotating_light: <!channel> *12*")
    assert "<!channel>" not in said(action="create", reason="break_glass: urgent <!channel>")


def test_a_reason_changes_nothing_of_the_lines_around_it() -> None:
    """Between two code fences "<!channel>" would call nobody, and a direction that is turned hides what follows."""
    fenced = [
        line(replace(MOVE, action=action, reason=why))
        for action, why in (
            ("create", "deploy ```"),
            (BREAK_GLASS, "``\u202e` quietly"),
            ("cancel", "\u2067sdrawkcab"),
        )
    ]
    text, count = message(fenced)
    assert count == 3 and "```" not in text and "<!channel>" in text
    assert "\u202e" not in text and "\u2067" not in text and "sdrawkcab" in text


def test_a_seal_is_told_whole() -> None:
    seal = Seal.make(KEY, "", [line(number=n) for n in (1, 2, 3)], AT)
    assert message([StreamEntry("2-0", seal.fields())]) == (
        f":lock: {SHOWN_AT} seal over entries 1-3: `{seal.value}`",
        1,
    )


def test_what_people_typed_is_escaped_in_one_line_and_cut() -> None:
    told = said(reason="<!channel> & <@U0BOB>\n*12* all is well " + "x" * 900)
    assert "&lt;!channel&gt; &amp; &lt;@U0BOB&gt; *12* all" in told and told.endswith("xxx…")
    assert "\n" not in told and len(told) < 800


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
def test_whatever_stands_in_the_store_a_message_holds_a_line_at_least_and_is_short_enough(
    fields: list[dict[str, str]],
) -> None:
    lines = [StreamEntry("1-0", one) for one in fields]
    text, count = message(lines)
    assert 1 <= count <= len(lines) and text and len(text) <= MAX_MESSAGE
    assert len(text.split("\n")) == count and "<!channel" not in text
