"""Each attacker and each promise in the documents names tests that exist."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SECURITY = (ROOT / "SECURITY.md").read_text()
THREATS = (ROOT / "docs" / "threat-model.md").read_text()
HOW_IT_WORKS = (ROOT / "docs" / "how-it-works.md").read_text()
TESTING = (ROOT / "docs" / "testing.md").read_text()

PARTS = ("Attack", "Impact", "Mitigations", "Residual risk", "Tests")
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
STOLEN = ("access key", "bot token", "signing secret", "AWS credentials", "AUDIT_KEY", "database")


def sections(text: str) -> dict[str, str]:
    """Return the sections of a document, by heading."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


ABOUT_ATTACKERS = {
    title: text for title, text in sections(THREATS).items() if title != "What is protected"
}


@cache
def defined_in(file: str) -> set[str]:
    path = ROOT / file
    return set(re.findall(r"def (test_\w+)", path.read_text())) if path.is_file() else set()


def named(text: str) -> list[tuple[str, str]]:
    """Return the tests that a text names, as (file, name).

    `tests/a/test_b.py::test_c` is one, and `::test_d` is another of the same file.
    """
    found, file = [], ""
    for path, test in re.findall(r"`(tests/[\w/]+\.py)?(?:::)?(test_\w+)?`", text):
        file = path or file
        if file:
            found.append((file, test))
    return found


def missing(tests: list[tuple[str, str]]) -> list[str]:
    return [
        f"{file}::{test}"
        for file, test in tests
        if not (ROOT / file).is_file() or (test and test not in defined_in(file))
    ]


@pytest.mark.parametrize("title", ABOUT_ATTACKERS)
def test_each_attacker_has_all_parts_and_tests(title: str) -> None:
    pieces = re.split(r"^\*\*([\w ]+):\*\*", ABOUT_ATTACKERS[title], flags=re.MULTILINE)
    assert tuple(pieces[1::2]) == PARTS
    assert all(len(piece.strip()) > 10 for piece in pieces[2::2])
    tests = named(pieces[-1])
    assert tests and missing(tests) == []


def test_every_attacker_is_described() -> None:
    titles = " ".join(ABOUT_ATTACKERS)
    assert [one for one in ATTACKERS if one not in titles] == []


def test_each_promise_names_its_tests() -> None:
    promised = re.findall(r"^(\d+)\. \*\*", sections(HOW_IT_WORKS)["Promises"], flags=re.MULTILINE)
    table = sections(TESTING)["Which tests show each promise"]
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", table, flags=re.MULTILINE)
    assert [number for number, _ in rows] == promised
    for number, cell in rows:
        assert named(cell), number
        assert missing(named(cell)) == []


def test_security_page_says_how_to_report_a_vulnerability() -> None:
    assert len(sections(SECURITY)["Report a vulnerability"]) > 200


def test_security_page_says_what_to_do_after_each_theft() -> None:
    stolen = sections(SECURITY)["When something is stolen"]
    headings = " ".join(re.findall(r"^### (.+)$", stolen, re.MULTILINE))
    assert [one for one in STOLEN if one not in headings] == []
