"""`audit --verify` finds tampering with the stored trail, also by a kept log.

Every kind of tampering is in `tests/unit/domain/test_audit_verify.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.cli.audit_format import problem_text, verdict_lines
from bot.domain.audit.verify import Problem, Tampering, Verdict
from tests.support.trail_world import COUNTER, SEALED, START, STREAM, TrailWorld


def verify(trail: TrailWorld, *arguments: str, **environ: str) -> tuple[list[str], str]:
    """Return the problems that are printed, as text, and all that is printed.

    The exit code is 1 where there are problems, else 0.
    """
    code, said = trail.verify(*arguments, **environ)
    lines = said.splitlines()
    problems = [line.split(": ", 1)[1] for line in lines if line.startswith("Tampered with: ")]
    assert code == bool(problems), said
    return problems, said


def texts(*problems: tuple[Tampering, tuple[int, ...]]) -> list[str]:
    """Return the text of each problem: its kind, and the numbers of entries."""
    return [problem_text(Problem(kind, numbers)) for kind, numbers in problems]


def change(trail: TrailWorld, number: int, **fields: str) -> None:
    trail.rebuild(
        lambda lines: [
            line | fields if line.get("number") == str(number) else line for line in lines
        ]
    )


CUT_OFF = (Tampering.ENTRIES_CUT_OFF, (9, 10))
NO_NEWEST_SEAL = (Tampering.NEWEST_SEAL_CUT_OFF, ())


@pytest.mark.parametrize(
    ("tamper", "problems"),
    [
        (lambda t: t.raw.xdel(STREAM, t.stream_id(6)), [(Tampering.ENTRIES_REMOVED, (6,))]),
        (lambda t: change(t, 6, by="U0MALLORY"), [(Tampering.ENTRIES_CHANGED, (6,))]),
        (lambda t: t.raw.set(COUNTER, 4), [(Tampering.COUNTER_TURNED_BACK, (4, 10))]),
        (
            lambda t: t.raw.xdel(STREAM, t.stream_id(9), t.stream_id(10), t.entries()[-1][0]),
            [NO_NEWEST_SEAL, CUT_OFF],
        ),
        (
            lambda t: t.raw.delete(STREAM),
            [NO_NEWEST_SEAL, (Tampering.ENTRIES_CUT_OFF, tuple(range(1, 11)))],
        ),
    ],
    ids=["removed", "changed", "counter", "cut off with the seal", "all deleted"],
)
def test_tampering_with_the_database_is_named(
    trail: TrailWorld,
    tamper: Callable[[TrailWorld], object],
    problems: list[tuple[Tampering, tuple[int, ...]]],
) -> None:
    trail.sealed(4, 4, 2)
    assert verify(trail)[0] == []
    tamper(trail)
    assert verify(trail)[0] == texts(*problems)


def test_each_kind_of_tampering_has_its_own_words() -> None:
    problems = [Problem(kind, (3, 4)) for kind in Tampering]
    *lines, totals = verdict_lines(Verdict(problems, [], 4, 1))
    assert lines == [f"Tampered with: {problem_text(problem)}" for problem in problems]
    assert len(set(lines)) == len(Tampering) and totals.startswith("Entries: 4, seals: 1. ")
    one, several = (problem_text(Problem(Tampering.ENTRIES_MOVED, n)) for n in ((3,), (3, 4)))
    assert one.startswith("Entry 3 was ") and several.startswith("Entries 3-4 were ")


def test_bytes_that_are_not_text_are_tampering(trail: TrailWorld) -> None:
    trail.sealed(4)
    trail.raw.execute_command("XADD", STREAM, "*", "number", b"\xff\xfe")
    assert trail.verify()[0] == 1


# -- with the kept log


def cut_off_without_a_trace(trail: TrailWorld) -> None:
    """Remove entries 9 and 10, and make the counter and the newest seal fit again."""
    ids = [id_ for id_, fields in trail.entries() if "seal" in fields]
    before = [fields for _, fields in trail.entries() if "seal" in fields][1]
    sealed = {"seal": before["seal"], "place": trail.stream_id(8)}
    trail.raw.xdel(STREAM, trail.stream_id(9), trail.stream_id(10), ids[2])
    trail.raw.set(COUNTER, 8)
    trail.raw.hset(SEALED, mapping=sealed)


def test_log_shows_a_tail_cut_off_without_a_trace(trail: TrailWorld) -> None:
    trail.sealed(4, 4, 2)
    log = str(trail.keep_log())
    cut_off_without_a_trace(trail)
    problems, said = verify(trail)
    assert problems == [] and "--log FILE" in said
    gone = (Tampering.EXPORTED_SEAL_MISSING, (9, 10))
    assert verify(trail, "--log", log)[0] == texts(CUT_OFF, gone)

    trail.note(3, by="U0MALLORY")
    trail.seal()
    assert verify(trail)[0] == []
    changed = (Tampering.ENTRIES_CHANGED, (9, 10))
    assert verify(trail, "--log", log)[0] == texts(changed, gone)
    again = str(trail.keep_log())
    contradiction = (Tampering.EXPORT_CONTRADICTS_ITSELF, (9, 10))
    assert verify(trail, "--log", again)[0] == texts(gone, contradiction)


def test_rewritten_history_is_found_by_signatures_and_log(trail: TrailWorld) -> None:
    """An attacker changes an entry and deletes the seals. The bot then seals that."""
    trail.sealed(4, 4, 2)
    log = str(trail.keep_log())
    change(trail, 2, by="U0MALLORY")
    trail.rebuild(lambda lines: [line for line in lines if "seal" not in line])
    trail.raw.delete(SEALED)
    trail.seal()
    assert verify(trail)[0] == texts((Tampering.ENTRIES_NOT_SIGNED, (2,)))
    assert verify(trail, "--log", log)[0][:2] == texts(
        (Tampering.ENTRIES_CHANGED, (2,)), (Tampering.EXPORTED_SEAL_MISSING, (1, 2, 3, 4))
    )


def test_json_export_serves_as_the_log(trail: TrailWorld) -> None:
    trail.sealed(3)
    assert trail.run("--json") == 0
    kept = trail.folder / "export.jsonl"
    kept.write_text(trail.said())
    trail.raw.xdel(STREAM, trail.stream_id(3))
    problems, said = verify(trail, "--log", str(kept), AUDIT_KEY="")
    assert problems == texts((Tampering.ENTRIES_CUT_OFF, (3,)))
    assert "AUDIT_KEY is not set" in said


def test_log_of_some_time_is_enough_for_that_time(trail: TrailWorld) -> None:
    trail.sealed(4)
    early = trail.keep_log().read_text()
    trail.sealed(4)
    late = trail.folder / "late.log"
    late.write_text(trail.log.text.removeprefix(early))
    problems, said = verify(trail, "--log", str(late))
    assert problems == [] and "4 entries and 1 seals in the log" in said


def test_log_lines_may_have_a_prefix(trail: TrailWorld) -> None:
    trail.sealed(2)
    log = trail.keep_log()
    lines = [f"2026-11-24T10:02:00 app[web.1]: {line}" for line in log.read_text().splitlines()]
    broken = '{"logger": "keydesk.audit", "event": "audit", "numb'
    log.write_text("\n".join([*lines, "something else", broken]))
    problems, said = verify(trail, "--log", str(log))
    assert problems == []
    assert "2 entries and 1 seals in the log.\nLines of the log that could not be read: 1." in said


# -- entries outside a seal


def test_entries_without_numbers_get_the_first_seal(trail: TrailWorld) -> None:
    for text in ("one", "two"):
        trail.raw.xadd(STREAM, {"at": START.isoformat(), "by": "U1", "reason": text})
    trail.sealed(2, 2)
    assert verify(trail)[0] == []
    trail.raw.xdel(STREAM, trail.entries()[0][0])
    assert verify(trail)[0] == texts((Tampering.UNNUMBERED_ENTRY_CHANGED, ()))


def test_unsealed_entries_are_not_tampering(trail: TrailWorld) -> None:
    trail.sealed(4)
    trail.note(3)
    problems, said = verify(trail)
    assert problems == []
    assert "Not sealed yet: entries 5-7." in said and "Entries: 7, seals: 1. " in said
    trail.seal()
    assert "Not sealed yet" not in verify(trail)[1]
