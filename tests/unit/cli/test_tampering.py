"""Tamper with the stored audit trail in every way, and find each by `audit --verify`."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime

import pytest

from bot.cli.audit_format import problem_text
from bot.domain.audit.seals import Seal, canonical
from bot.domain.audit.verify import Problem, Tampering
from bot.domain.records import AuditEntry, StreamEntry
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
    """Replace a seal by one over the entries as they are now, made with another key."""
    index = [i for i, line in enumerate(lines) if "seal" in line][seal]
    covered = Seal.read(StreamEntry("", lines[index]))
    entries = [
        StreamEntry("", line) for line in lines if int(line.get("number", 0)) in covered.numbers
    ]
    lines[index] = {
        **Seal.make(
            "another key than that of the seals, but long",
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
TAMPERINGS: dict[str, tuple[Tamper, Problem]] = {
    "an entry deleted": (
        lambda t: t.raw.xdel(STREAM, t.stream_id(6)),
        Problem(Tampering.ENTRIES_REMOVED, (6,)),
    ),
    "several deleted": (
        lambda t: t.raw.xdel(STREAM, *map(t.stream_id, (2, 6, 7, 8))),
        Problem(Tampering.ENTRIES_REMOVED, (2, 6, 7, 8)),
    ),
    "the first one deleted": (
        lambda t: t.raw.xdel(STREAM, t.stream_id(1)),
        Problem(Tampering.ENTRIES_REMOVED, (1,)),
    ),
    "a word changed": (
        lambda t: t.rebuild(lambda lines: changed(lines, 6, by="U0MALLORY")),
        Problem(Tampering.ENTRIES_CHANGED, (6,)),
    ),
    "a time changed": (
        lambda t: t.rebuild(lambda lines: changed(lines, 10, at="2026-11-24T11:02:00+00:00")),
        Problem(Tampering.ENTRIES_CHANGED, (10,)),
    ),
    "a field added": (
        lambda t: t.rebuild(lambda lines: changed(lines, 3, also="this")),
        Problem(Tampering.ENTRIES_CHANGED, (3,)),
    ),
    "a field emptied": (
        lambda t: t.rebuild(lambda lines: changed(lines, 3, reason="")),
        Problem(Tampering.ENTRIES_CHANGED, (3,)),
    ),
    "re-added at the end, changed": (
        lambda t: (
            t.raw.xdel(STREAM, t.stream_id(6)),
            t.raw.xadd(STREAM, t_entry(t, 7) | {"number": "6"}),
        ),
        Problem(Tampering.ENTRIES_CHANGED, (6,)),
    ),
    "re-added at the end, as it was": (
        lambda t: (
            fields := t_entry(t, 6),
            t.raw.xdel(STREAM, t.stream_id(6)),
            t.raw.xadd(STREAM, fields),
        ),
        Problem(Tampering.ENTRIES_MOVED, (6,)),
    ),
    "two swapped": (
        lambda t: t.rebuild(lambda lines: swap(lines, 1, 2)),
        Problem(Tampering.ENTRIES_MOVED, (3,)),
    ),
    "two swapped, numbers kept": (
        lambda t: t.rebuild(
            lambda lines: changed(changed(lines, 2, reason="from 3"), 3, reason="from 2")
        ),
        Problem(Tampering.ENTRIES_CHANGED, (2, 3)),
    ),
    "one inserted with a number there is": (
        lambda t: t.rebuild(lambda lines: [*lines[:4], INSERTED, *lines[4:]]),
        Problem(Tampering.ENTRIES_INSERTED, (4,)),
    ),
    "one inserted with a number of its own": (
        lambda t: t.rebuild(lambda lines: [*lines[:4], INSERTED | {"number": "99"}, *lines[4:]]),
        Problem(Tampering.ENTRIES_INSERTED, (99,)),
    ),
    "one inserted without a number": (
        lambda t: t.rebuild(lambda lines: [*lines[:4], UNNUMBERED, *lines[4:]]),
        Problem(Tampering.UNNUMBERED_ENTRY_INSERTED),
    ),
    "one inserted twice": (
        lambda t: t.raw.xadd(STREAM, t_entry(t, 5)),
        Problem(Tampering.ENTRIES_INSERTED, (5,)),
    ),
    "the rest renumbered after one was removed": (
        lambda t: t.rebuild(
            lambda lines: [
                line | {"number": str(int(line["number"]) - 1)}
                if int(line.get("number", 0)) > 6
                else line
                for line in without(lines, 6)
            ]
        ),
        Problem(Tampering.ENTRIES_CHANGED, (6, 7, 8, 9)),
    ),
    "the end cut off": (
        lambda t: t.raw.xdel(STREAM, *map(t.stream_id, (9, 10))),
        Problem(Tampering.ENTRIES_CUT_OFF, (9, 10)),
    ),
    "the end cut off with its seal": (
        lambda t: t.raw.xdel(STREAM, t.stream_id(9), t.stream_id(10), t.entries()[-1][0]),
        Problem(Tampering.NEWEST_SEAL_CUT_OFF),
    ),
    "the counter turned back": (
        lambda t: t.raw.set(COUNTER, 4),
        Problem(Tampering.COUNTER_TURNED_BACK, (4, 10)),
    ),
    "the counter deleted": (
        lambda t: t.raw.delete(COUNTER),
        Problem(Tampering.COUNTER_TURNED_BACK, (0, 10)),
    ),
    "the counter turned forward": (
        lambda t: t.raw.set(COUNTER, 12),
        Problem(Tampering.ENTRIES_CUT_OFF, (11, 12)),
    ),
    "a seal deleted": (
        lambda t: t.raw.xdel(STREAM, seal_place(t, 1)),
        Problem(Tampering.SEAL_OUT_OF_ORDER, (9, 10)),
    ),
    "two seals swapped": (
        lambda t: t.rebuild(lambda lines: swap(lines, 4, 9)),
        Problem(Tampering.SEAL_OUT_OF_ORDER, (5, 6, 7, 8)),
    ),
    "a seal's list changed with its entry": (
        lambda t: t.rebuild(lambda lines: forged(changed(lines, 6, by="U0MALLORY"), 1)),
        Problem(Tampering.SEAL_INVALID, (5, 6, 7, 8)),
    ),
    "a seal made for fewer entries": (
        lambda t: t.rebuild(lambda lines: forged(without(lines, 6), 1)),
        Problem(Tampering.ENTRIES_REMOVED, (6,)),
    ),
    "a seal without anything in it": (
        lambda t: t.raw.xadd(STREAM, {"seal": "00"}),
        Problem(Tampering.SEAL_INVALID),
    ),
    "everything deleted": (
        lambda t: t.raw.delete(STREAM),
        Problem(Tampering.ENTRIES_CUT_OFF, (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)),
    ),
}


def t_entry(trail: TrailWorld, number: int) -> Fields:
    return next(fields for _, fields in trail.entries() if fields.get("number") == str(number))


def seal_place(trail: TrailWorld, index: int) -> str:
    return [id_ for id_, fields in trail.entries() if "seal" in fields][index]


@pytest.mark.parametrize("tamper, problem", TAMPERINGS.values(), ids=TAMPERINGS)
def test_tampering_is_found_and_named(trail: TrailWorld, tamper: Tamper, problem: Problem) -> None:
    trail.sealed(4, 4, 2)
    assert trail.verify()[0] == 0
    tamper(trail)
    code, said = trail.verify()
    assert code == 1 and problem_text(problem) in said, said


def test_bytes_that_are_not_text_are_tampering(trail: TrailWorld) -> None:
    trail.sealed(4)
    trail.raw.execute_command("XADD", STREAM, "*", "number", b"\xff\xfe")
    assert trail.verify()[0] == 1


def test_only_the_tampered_entries_are_named(trail: TrailWorld) -> None:
    for tamper, problem in list(TAMPERINGS.values())[:7]:
        trail.raw.flushall()
        trail.sealed(4, 4, 2)
        tamper(trail)
        problems = [line for line in trail.verify()[1].splitlines() if line.startswith("Tampered")]
        assert problems == [f"Tampered with: {problem_text(problem)}"]


# -- a tail that is cut off with all that could give it away


def cut_off_without_a_trace(trail: TrailWorld) -> None:
    """Remove entries 9 and 10 and their seal, and put back the counter and the newest seal."""
    before = [fields for _, fields in trail.entries() if "seal" in fields][1]
    place = trail.stream_id(8)
    trail.raw.xdel(STREAM, trail.stream_id(9), trail.stream_id(10), seal_place(trail, 2))
    trail.raw.set(COUNTER, 8)
    trail.raw.hset(SEALED, mapping={"seal": before["seal"], "place": place})


def test_log_shows_a_tail_cut_off_without_a_trace(trail: TrailWorld) -> None:
    trail.sealed(4, 4, 2)
    log = trail.keep_log()
    cut_off_without_a_trace(trail)

    code, said = trail.verify()
    assert code == 0 and "--log FILE" in said

    code, said = trail.verify("--log", str(log))
    assert code == 1
    assert problem_text(Problem(Tampering.ENTRIES_CUT_OFF, (9, 10))) in said
    assert problem_text(Problem(Tampering.EXPORTED_SEAL_MISSING, (9, 10))) in said


def test_log_shows_a_tail_cut_off_and_grown_again(trail: TrailWorld) -> None:
    trail.sealed(4, 4, 2)
    log = trail.keep_log()
    cut_off_without_a_trace(trail)
    trail.note(3, by="U0MALLORY")
    trail.seal()

    assert trail.verify()[0] == 0
    code, said = trail.verify("--log", str(log))
    assert code == 1 and problem_text(Problem(Tampering.ENTRIES_CHANGED, (9, 10))) in said
    assert problem_text(Problem(Tampering.EXPORTED_SEAL_MISSING, (9, 10))) in said
    _, said = trail.verify("--log", str(trail.keep_log()))
    assert problem_text(Problem(Tampering.EXPORT_CONTRADICTS_ITSELF, (9, 10))) in said


def test_rewritten_history_is_found_by_signatures_and_log(
    trail: TrailWorld,
) -> None:
    """The seals and `audit:sealed` are deleted and an entry is changed. The bot then seals that."""
    trail.sealed(4, 4, 2)
    log = trail.keep_log()
    trail.rebuild(
        lambda lines: [line for line in changed(lines, 2, by="U0MALLORY") if "seal" not in line]
    )
    trail.raw.delete(SEALED)
    trail.seal()

    code, said = trail.verify()
    assert code == 1 and problem_text(Problem(Tampering.ENTRIES_NOT_SIGNED, (2,))) in said
    code, said = trail.verify("--log", str(log))
    assert code == 1 and problem_text(Problem(Tampering.ENTRIES_CHANGED, (2,))) in said
    assert problem_text(Problem(Tampering.EXPORTED_SEAL_MISSING, (1, 2, 3, 4))) in said


# -- entries that no bot has written


def written_into(trail: TrailWorld, **fields: str) -> None:
    """Write an approval as a bot would, but without the key. A running bot then seals it."""
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
def test_forged_approval_is_named_even_under_a_seal(trail: TrailWorld, fields: Fields) -> None:
    trail.sealed(3)
    written_into(trail, **fields)
    trail.sealed(2)
    code, said = trail.verify("--log", str(trail.keep_log()))
    problems = [line for line in said.splitlines() if line.startswith("Tampered")]
    assert code == 1 and problems == [
        f"Tampered with: {problem_text(Problem(Tampering.ENTRIES_NOT_SIGNED, (4,)))}"
    ]


def test_repeated_entry_under_another_number_is_named(
    trail: TrailWorld,
) -> None:
    trail.sealed(3)
    written_into(
        trail, **{name: text for name, text in t_entry(trail, 2).items() if name != "number"}
    )
    code, said = trail.verify()
    assert code == 1 and problem_text(Problem(Tampering.ENTRIES_NOT_SIGNED, (4,))) in said


def test_entries_need_a_signature_once_the_key_is_set(
    trail: TrailWorld,
) -> None:
    for _ in range(2):
        trail.unsigned.commit(entry=AuditEntry(START, "U0ALICE", "approve", "r1"))
    trail.sealed(2)
    assert trail.verify()[0] == 0
    trail.unsigned.commit(entry=AuditEntry(START, "U0ALICE", "approve", "r1"))
    trail.seal()
    code, said = trail.verify()
    assert code == 1 and problem_text(Problem(Tampering.ENTRIES_NOT_SIGNED, (5,))) in said


def test_another_key_accepts_no_entry(trail: TrailWorld) -> None:
    trail.sealed(3)
    code, said = trail.verify(AUDIT_KEY="x" * 32)
    assert code == 1 and problem_text(Problem(Tampering.ENTRIES_NOT_SIGNED, (1, 2, 3))) in said


def test_json_export_serves_as_the_log(trail: TrailWorld) -> None:
    trail.sealed(3)
    assert trail.run("--json") == 0
    kept = trail.folder / "export.jsonl"
    kept.write_text(trail.said())
    trail.raw.xdel(STREAM, trail.stream_id(3))
    code, said = trail.verify("--log", str(kept), AUDIT_KEY="")
    assert code == 1 and problem_text(Problem(Tampering.ENTRIES_CUT_OFF, (3,))) in said
    assert "AUDIT_KEY is not set" in said


def test_entry_changed_before_its_seal_is_found(
    trail: TrailWorld,
) -> None:
    trail.note(3)
    trail.seal(key="")
    trail.rebuild(lambda lines: changed(lines, 2, by="U0MALLORY"))
    trail.seal()
    code, said = trail.verify()
    assert code == 1 and problem_text(Problem(Tampering.ENTRIES_NOT_SIGNED, (2,))) in said
    code, said = trail.verify("--log", str(trail.keep_log()))
    assert code == 1 and problem_text(Problem(Tampering.ENTRIES_CHANGED, (2,))) in said


# -- what is no tampering


def test_unsealed_entries_are_not_tampering(trail: TrailWorld) -> None:
    trail.sealed(4)
    trail.note(3)
    code, said = trail.verify()
    assert code == 0 and "Not sealed yet: entries 5-7." in said and "Entries: 7, seals: 1. " in said
    trail.seal()
    assert "Not sealed yet" not in trail.verify()[1]


def test_removed_unsealed_entries_are_found(
    trail: TrailWorld,
) -> None:
    trail.sealed(4)
    trail.note(4)
    trail.raw.xdel(STREAM, trail.stream_id(6))
    code, said = trail.verify()
    assert (
        code == 1
        and problem_text(Problem(Tampering.ENTRIES_REMOVED, (6,))) in said
        and "Not sealed yet: entries 5, 7-8." in said
    )


def test_log_of_some_time_is_enough_for_that_time(trail: TrailWorld) -> None:
    trail.sealed(4)
    early = trail.keep_log().read_text()
    trail.sealed(4)
    late = trail.folder / "late.log"
    late.write_text(trail.log.text.removeprefix(early))
    code, said = trail.verify("--log", str(late))
    assert code == 0 and "4 entries and 1 seals in the log" in said


def test_log_lines_may_have_a_prefix(trail: TrailWorld) -> None:
    trail.sealed(2)
    log = trail.keep_log()
    lines = [f"2026-11-24T10:02:00 app[web.1]: {line}" for line in log.read_text().splitlines()]
    log.write_text(
        "\n".join([*lines, "something else", '{"logger": "keydesk.audit", "event": "audit", "numb'])
    )
    code, said = trail.verify("--log", str(log))
    assert (
        code == 0
        and "2 entries and 1 seals in the log.\nLines of the log that could not be read: 1." in said
    )


def test_entries_without_numbers_get_the_first_seal(
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


def test_seal_with_another_key_is_invalid(trail: TrailWorld) -> None:
    trail.sealed(2)
    code, said = trail.verify(AUDIT_KEY="x" * 32)
    assert (
        code == 1
        and problem_text(Problem(Tampering.SEAL_INVALID, (1, 2))) in said
        and KEY not in said
    )


def test_canonical_text_is_json() -> None:
    assert canonical({"b": "é", "a": '"\n'}) == json.dumps(
        {"a": '"\n', "b": "é"}, separators=(",", ":")
    )
