"""Does SECURITY.md keep its word? Every threat and every promise names a control and tests that are there."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SECURITY = (ROOT / "SECURITY.md").read_text()
PROMISES = (
    (ROOT / "docs" / "design.md")
    .read_text()
    .split("\n## 1. What is always true\n")[1]
    .split("\n## 2. ")[0]
)

ATTACKERS = (
    "outsider",
    "guest",
    "shared channel",
    "requester's Slack account",
    "approver's Slack account",
    "owners and admins",
    "Redis",
    "reads the logs",
    "dependency",
    "AWS credentials",
)


def section(title: str) -> str:
    return re.split(r"^## ", SECURITY.split(f"\n## {title}\n")[1], flags=re.MULTILINE)[0]


def rows(title: str) -> list[list[str]]:
    """The rows of the tables of a section, without their heads, as cells."""
    lines = [line for line in section(title).splitlines() if line.startswith("| ")]
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in lines
        if "**" in line.split(" | ")[0]
    ]


@cache
def defined_in(file: str) -> set[str]:
    path = ROOT / file
    return (
        set(re.findall(r"def (test_\w+|[A-Z]\w+)", path.read_text())) if path.is_file() else set()
    )


def named(text: str) -> list[tuple[str, str]]:
    """The tests that a cell names, as (file, name): `tests/a/test_b.py::test_c`, or `::test_d` for the same file."""
    found, file = [], ""
    for path, name in re.findall(r"`(tests/[\w/]+\.py)?(?:::)?(test_\w+)?`", text):
        file = path or file
        if file:
            found.append((file, name))
    return found


@pytest.mark.parametrize(
    "row", rows("Who might try what"), ids=lambda row: re.sub(r"\W+", "-", row[0])[:60]
)
def test_each_threat_has_a_gain_a_control_a_test_and_what_remains(row: list[str]) -> None:
    assert len(row) == 5 and all(len(cell) > 1 for cell in row), row
    assert named(row[3])
    for file, name in named(row[3]):
        assert (ROOT / file).is_file(), f"{file} is not there"
        assert not name or name in defined_in(file), f"{file} has no {name}"


def test_every_attacker_is_thought_of() -> None:
    who = " ".join(row[0] for row in rows("Who might try what"))
    assert [one for one in ATTACKERS if one not in who] == []


def test_each_promise_of_the_plan_names_the_tests_that_would_fail_without_it() -> None:
    promised = re.findall(r"^(\d+)\. \*\*", PROMISES, flags=re.MULTILINE)
    shown = rows("What is promised, and which tests would fail without it")
    assert [re.sub(r"\D", "", row[0]) for row in shown] == promised
    for row in shown:
        assert named(row[1]), row[0]
        for file, name in named(row[1]):
            assert (ROOT / file).is_file() and (not name or name in defined_in(file)), (
                f"{file}::{name}"
            )


def test_it_says_how_to_report_a_fault() -> None:
    assert len(section("Report a fault")) > 200
