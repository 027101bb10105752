"""Whoever can write to the store can change its audit trail, but not without being found out: tampering for real."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime

import pytest

from bot.domain.audit.seals import Seal, canonical
from bot.domain.ports import AuditEntry, StreamEntry
from tests.support.memory_trail import KEY
from tests.support.trail_world import COUNTER, SEALED, START, STREAM, TrailWorld

Fields = dict[str, str]
Tamper = Callable[[TrailWorld], object]


def swap(lines: list[Fields], one: int, other: int) -> list[Fields]:
    lines[one], lines[other] = lines[other], lines[one]
    return lines


def without(lines: list[Fields], *numbers: int) -> list[Fields]:
    return [line for line in lines if line.get("number") not in {str(number) for number in numbers}]


def changed(lines: list[Fields], number: int, **fields: str) -> list[Fields]:
    return [line | fields if line.get("number") == str(number) else line for line in lines]


def forged(lines: list[Fields], seal: int) -> list[Fields]:
    """With a seal over the entries as they are now, made with another key than the desk's."""
    index = [i for i, line in enumerate(lines) if "seal" in line][seal]
    covered = Seal.read(StreamEntry("", lines[index]))
    entries = [
        StreamEntry("", line) for line in lines if int(line.get("number", 0)) in covered.numbers
    ]
    lines[index] = {
        **Seal.make(
            "not the key of the desk's seals, but long",
            covered.previous,
            entries,
            datetime.fromisoformat(covered.at),
        ).fields()
    }
    return lines


UNNUMBERED = {
    "at": "2026-11-24T10:05:00+00:00",
    "by": "U0MALLORY",
    "action": "approve",
    "request_id": "r9",
    "key_id": "",
    "from_status": "pending",
    "to_status": "approved",
    "reason": "all is well",
}
INSERTED = {"number": "4", **UNNUMBERED}

# Ten entries under three seals (1 to 4, 5 to 8, 9 and 10); the stream has thirteen lines.
TAMPERINGS: dict[str, tuple[Tamper, str]] = {
    "an entry deleted": (lambda t: t.raw.xdel(STREAM, t.stream_id(6)), "Entry 6 was removed."),
    "several deleted": (
        lambda t: t.raw.xdel(STREAM, *map(t.stream_id, (2, 6, 7, 8))),
        "Entries 2 and 6 to 8 were removed.",
    ),
    "the first one deleted": (lambda t: t.raw.xdel(STREAM, t.stream_id(1)), "Entry 1 was removed."),
    "a word changed": (
        lambda t: t.rebuild(lambda lines: changed(lines, 6, by="U0MALLORY")),
        "Entry 6 was changed after being written.",
    ),
    "a time changed": (
        lambda t: t.rebuild(lambda lines: changed(lines, 10, at="2026-11-24T11:02:00+00:00")),
        "Entry 10 was changed after being written.",
    ),
    "a field added": (
        lambda t: t.rebuild(lambda lines: changed(lines, 3, also="this")),
        "Entry 3 was changed after being written.",
    ),
    "a field emptied": (
        lambda t: t.rebuild(lambda lines: changed(lines, 3, reason="")),
        "Entry 3 was changed after being written.",
    ),
    "re-added at the end, changed": (
        lambda t: (
            t.raw.xdel(STREAM, t.stream_id(6)),
            t.raw.xadd(STREAM, t_entry(t, 7) | {"number": "6"}),
        ),
        "Entry 6 was changed after being written.",
    ),
    "re-added at the end, as it was": (
        lambda t: (
            fields := t_entry(t, 6),
            t.raw.xdel(STREAM, t.stream_id(6)),
            t.raw.xadd(STREAM, fields),
        ),
        "Entry 6 was moved to another place in the order.",
    ),
    "two swapped": (
        lambda t: t.rebuild(lambda lines: swap(lines, 1, 2)),
        "moved to another place in the order.",
    ),
    "two swapped, numbers kept": (
        lambda t: t.rebuild(
            lambda lines: changed(changed(lines, 2, reason="from 3"), 3, reason="from 2")
        ),
        "Entries 2 and 3 were changed after being written.",
    ),
    "one inserted with a number there is": (
        lambda t: t.rebuild(lambda lines: [*lines[:4], INSERTED, *lines[4:]]),
        "Entry 4 was inserted.",
    ),
    "one inserted with a number of its own": (
        lambda t: t.rebuild(lambda lines: [*lines[:4], INSERTED | {"number": "99"}, *lines[4:]]),
        "Entry 99 was inserted.",
    ),
    "one inserted without a number": (
        lambda t: t.rebuild(lambda lines: [*lines[:4], UNNUMBERED, *lines[4:]]),
        "An entry without a number was inserted.",
    ),
    "one inserted twice": (lambda t: t.raw.xadd(STREAM, t_entry(t, 5)), "Entry 5 was inserted."),
    "the rest renumbered after one was removed": (
        lambda t: t.rebuild(
            lambda lines: [
                line | {"number": str(int(line["number"]) - 1)}
                if int(line.get("number", 0)) > 6
                else line
                for line in without(lines, 6)
            ]
        ),
        "Entries 6 to 9 were changed after being written.",
    ),
    "the end cut off": (
        lambda t: t.raw.xdel(STREAM, *map(t.stream_id, (9, 10))),
        "Entries 9 and 10 were cut off from the end.",
    ),
    "the end cut off with its seal": (
        lambda t: t.raw.xdel(STREAM, t.stream_id(9), t.stream_id(10), t.entries()[-1][0]),
        "The newest seal was cut off",
    ),
    "the counter turned back": (
        lambda t: t.raw.set(COUNTER, 4),
        "The counter was turned back: it says 4, and entry 10",
    ),
    "the counter deleted": (
        lambda t: t.raw.delete(COUNTER),
        "The counter was turned back: it says 0",
    ),
    "the counter turned forward": (
        lambda t: t.raw.set(COUNTER, 12),
        "Entries 11 and 12 were cut off from the end.",
    ),
    "a seal deleted": (
        lambda t: t.raw.xdel(STREAM, seal_place(t, 1)),
        "The seal over entries 9 and 10 does not follow the seal before it",
    ),
    "two seals swapped": (
        lambda t: t.rebuild(lambda lines: swap(lines, 4, 9)),
        "does not follow the seal before it",
    ),
    "a seal's list changed with its entry": (
        lambda t: t.rebuild(lambda lines: forged(changed(lines, 6, by="U0MALLORY"), 1)),
        "The seal over entries 5 to 8 was not made with this AUDIT_KEY",
    ),
    "a seal made for fewer entries": (
        lambda t: t.rebuild(lambda lines: forged(without(lines, 6), 1)),
        "Entry 6 was removed.",
    ),
    "a seal without anything in it": (
        lambda t: t.raw.xadd(STREAM, {"seal": "00"}),
        "The seal over no entry was not made with this AUDIT_KEY",
    ),
    "everything deleted": (
        lambda t: t.raw.delete(STREAM),
        "Entries 1 to 10 were cut off from the end.",
    ),
    "bytes that are no text": (
        lambda t: t.raw.execute_command("XADD", STREAM, "*", "number", b"\xff\xfe"),
        "bytes that are no text",
    ),
}


def t_entry(trail: TrailWorld, number: int) -> Fields:
    return next(fields for _, fields in trail.entries() if fields.get("number") == str(number))


def seal_place(trail: TrailWorld, index: int) -> str:
    return [id_ for id_, fields in trail.entries() if "seal" in fields][index]


@pytest.mark.parametrize("tamper, words", TAMPERINGS.values(), ids=TAMPERINGS)
def test_each_kind_of_tampering_is_found_and_named(
    trail: TrailWorld, tamper: Tamper, words: str
) -> None:
    trail.sealed(4, 4, 2)
    assert trail.verify()[0] == 0
    tamper(trail)
    code, said = trail.verify()
    assert code == 1 and words in said, said


def test_nothing_but_what_was_tampered_with_is_named(trail: TrailWorld) -> None:
    for tamper, words in list(TAMPERINGS.values())[:7]:
        trail.raw.flushall()
        trail.sealed(4, 4, 2)
        tamper(trail)
        problems = [line for line in trail.verify()[1].splitlines() if line.startswith("Tampered")]
        assert problems == [f"Tampered with: {words}"]


# -- a tail that is cut off with all that could give it away


def cut_off_without_a_trace(trail: TrailWorld) -> None:
    """Entries 9 and 10 and their seal are gone; counter and newest seal are as they were before."""
    before = [fields for _, fields in trail.entries() if "seal" in fields][1]
    place = trail.stream_id(8)
    trail.raw.xdel(STREAM, trail.stream_id(9), trail.stream_id(10), seal_place(trail, 2))
    trail.raw.set(COUNTER, 8)
    trail.raw.hset(SEALED, mapping={"seal": before["seal"], "place": place})


def test_a_tail_cut_off_without_a_trace_is_found_by_the_log(trail: TrailWorld) -> None:
    trail.sealed(4, 4, 2)
    log = trail.keep_log()
    cut_off_without_a_trace(trail)

    code, said = trail.verify()
    assert (
        code == 0
        and "Without a copy from outside (--log FILE), entries cut off from the end" in said
    )

    code, said = trail.verify("--log", str(log))
    assert code == 1
    assert "Entries 9 and 10 were cut off from the end." in said
    assert "The seal over entries 9 and 10, which the log shows, was removed or changed." in said


def test_a_tail_that_was_cut_off_and_grew_again_is_found_by_the_log(trail: TrailWorld) -> None:
    trail.sealed(4, 4, 2)
    log = trail.keep_log()
    cut_off_without_a_trace(trail)
    trail.note(3, by="U0MALLORY")
    trail.seal()

    assert trail.verify()[0] == 0
    code, said = trail.verify("--log", str(log))
    assert code == 1 and "Entries 9 and 10 were changed after being written." in said
    assert "The seal over entries 9 and 10, which the log shows, was removed or changed." in said
    _, said = trail.verify("--log", str(trail.keep_log()))
    assert "The log shows entries 9 and 10 with more than one content" in said


def test_history_written_anew_for_the_running_bot_to_seal_is_found_by_its_signatures_and_by_the_log(
    trail: TrailWorld,
) -> None:
    """Seals and `audit:sealed` gone, an old entry changed: the bot seals what it finds, and the seals are whole."""
    trail.sealed(4, 4, 2)
    log = trail.keep_log()
    trail.rebuild(
        lambda lines: [line for line in changed(lines, 2, by="U0MALLORY") if "seal" not in line]
    )
    trail.raw.delete(SEALED)
    trail.seal()

    code, said = trail.verify()
    assert (
        code == 1 and "Tampered with: Entry 2 was not written by a bot with this AUDIT_KEY" in said
    )
    code, said = trail.verify("--log", str(log))
    assert code == 1 and "Entry 2 was changed after being written." in said
    assert "The seal over entries 1 to 4, which the log shows, was removed or changed." in said


# -- entries that no desk has written


def written_into(trail: TrailWorld, **fields: str) -> None:
    """Somebody writes an approval into the store, as a bot would but for the key; a running bot seals it."""
    number = trail.raw.incr(COUNTER)
    usual = {
        "number": str(number),
        "at": "2026-11-24T10:05:00+00:00",
        "by": "U0CAROL",
        "action": "approve",
        "request_id": "r9",
        "key_id": "",
        "from_status": "pending",
        "to_status": "approved",
        "reason": "",
    }
    trail.raw.xadd(STREAM, usual | fields)
    trail.seal()


@pytest.mark.parametrize(
    "fields", [{}, {"commit": "0f", "mac": "0" * 64}], ids=["unsigned", "signed with another key"]
)
def test_an_approval_that_no_desk_has_written_is_named_though_a_seal_is_over_it(
    trail: TrailWorld, fields: Fields
) -> None:
    trail.sealed(3)
    written_into(trail, **fields)
    trail.sealed(2)
    code, said = trail.verify("--log", str(trail.keep_log()))
    problems = [line for line in said.splitlines() if line.startswith("Tampered")]
    assert code == 1 and problems == [
        "Tampered with: Entry 4 was not written by a bot with this AUDIT_KEY: made up, or changed before being sealed."
    ]


def test_an_entry_that_is_written_once_more_under_another_number_is_named(
    trail: TrailWorld,
) -> None:
    trail.sealed(3)
    written_into(
        trail, **{name: text for name, text in t_entry(trail, 2).items() if name != "number"}
    )
    code, said = trail.verify()
    assert code == 1 and "Entry 4 was not written by a bot with this AUDIT_KEY" in said


def test_entries_of_before_the_key_was_set_need_no_signature_and_later_ones_do(
    trail: TrailWorld,
) -> None:
    for _ in range(2):
        trail.unsigned.commit(entry=AuditEntry(START, "U0ALICE", "approve", "r1"))
    trail.sealed(2)
    assert trail.verify()[0] == 0
    trail.unsigned.commit(entry=AuditEntry(START, "U0ALICE", "approve", "r1"))
    trail.seal()
    code, said = trail.verify()
    assert code == 1 and "Entry 5 was not written by a bot with this AUDIT_KEY" in said


def test_a_key_vouches_for_what_was_written_with_it_alone(trail: TrailWorld) -> None:
    trail.sealed(3)
    code, said = trail.verify(AUDIT_KEY="x" * 32)
    assert code == 1 and "Entries 1 to 3 were not written by a bot with this AUDIT_KEY" in said


def test_what_was_exported_serves_as_the_log(trail: TrailWorld) -> None:
    trail.sealed(3)
    assert trail.run("--json") == 0
    kept = trail.folder / "export.jsonl"
    kept.write_text(trail.said())
    trail.raw.xdel(STREAM, trail.stream_id(3))
    code, said = trail.verify("--log", str(kept), AUDIT_KEY="")
    assert code == 1 and "Entry 3 was cut off from the end." in said
    assert "no seal was looked at" in said


def test_an_entry_changed_before_it_was_sealed_is_found_by_its_signature_and_by_the_log(
    trail: TrailWorld,
) -> None:
    trail.note(3)
    trail.seal(key="")
    trail.rebuild(lambda lines: changed(lines, 2, by="U0MALLORY"))
    trail.seal()
    code, said = trail.verify()
    assert code == 1 and "Entry 2 was not written by a bot with this AUDIT_KEY" in said
    code, said = trail.verify("--log", str(trail.keep_log()))
    assert code == 1 and "Entry 2 was changed after being written." in said


# -- what is no tampering


def test_what_is_not_sealed_yet_is_said_and_is_no_tampering(trail: TrailWorld) -> None:
    trail.sealed(4)
    trail.note(3)
    code, said = trail.verify()
    assert (
        code == 0
        and "Not sealed yet: entries 5 to 7." in said
        and "Entries: 7, seals: 1. Nothing is wrong" in said
    )
    trail.seal()
    assert "Not sealed yet" not in trail.verify()[1]


def test_unsealed_entries_that_are_removed_or_swapped_are_found_by_their_numbers(
    trail: TrailWorld,
) -> None:
    trail.sealed(4)
    trail.note(4)
    trail.raw.xdel(STREAM, trail.stream_id(6))
    code, said = trail.verify()
    assert (
        code == 1
        and "Entry 6 was removed." in said
        and "Not sealed yet: entries 5, 7 and 8." in said
    )


def test_a_log_of_a_part_of_the_time_is_enough_for_that_part(trail: TrailWorld) -> None:
    trail.sealed(4)
    early = trail.keep_log().read_text()
    trail.sealed(4)
    late = trail.folder / "late.log"
    late.write_text(trail.log.text.removeprefix(early))
    code, said = trail.verify("--log", str(late))
    assert (
        code == 0 and "Compared with a log that shows 4 of the entries and 1 of the seals." in said
    )


def test_a_log_is_read_through_what_a_collector_puts_before_each_line(trail: TrailWorld) -> None:
    trail.sealed(2)
    log = trail.keep_log()
    lines = [f"2026-11-24T10:02:00 app[web.1]: {line}" for line in log.read_text().splitlines()]
    log.write_text(
        "\n".join([*lines, "something else", '{"logger": "keydesk.audit", "event": "audit", "numb'])
    )
    code, said = trail.verify("--log", str(log))
    assert (
        code == 0
        and "2 of the entries and 1 of the seals. 1 of its lines could not be read" in said
    )


def test_entries_of_before_there_were_numbers_are_sealed_with_the_first_seal(
    trail: TrailWorld,
) -> None:
    for text in ("one", "two"):
        trail.raw.xadd(
            STREAM,
            {"at": "2026-11-01T00:00:00+00:00", "by": "U1", "action": "approve", "reason": text},
        )
    trail.sealed(2, 2)
    assert trail.verify()[0] == 0
    trail.raw.xdel(STREAM, trail.entries()[0][0])
    assert trail.verify()[0] == 1


def test_another_key_is_told_from_the_right_one(trail: TrailWorld) -> None:
    trail.sealed(2)
    code, said = trail.verify(AUDIT_KEY="x" * 32)
    assert code == 1 and "was not made with this AUDIT_KEY" in said and KEY not in said


def test_one_text_for_the_same_fields_whoever_writes_it() -> None:
    assert canonical({"b": "é", "a": '"\n'}) == json.dumps(
        {"a": '"\n', "b": "é"}, separators=(",", ":")
    )
