"""Does Keydesk stand on what it says, and on nothing else? Pins, hashes, licences, reasons, advisories."""

from __future__ import annotations

import ast
import re
import sys
from importlib import metadata
from pathlib import Path

import pytest

from supply.advisories import main, verdict
from supply.licences import LIST, listed, pinned

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text()
FILES = ("requirements.txt", "requirements-dev.txt", "requirements-supply.txt")

# Licences that ask nothing of whoever runs or changes Keydesk; MPL and LGPL only where it is not part of the bot.
FREE = re.compile(
    r"(MIT|BSD|Apache|ISC|PSF|Python Software Foundation|Unlicense|CMU|0BSD)[\w .-]*( License)?"
)
FREE_BESIDE = re.compile(r"(MPL-2\.0|Mozilla Public License 2\.0)[\w .()-]*")


def chosen(file: str) -> set[str]:
    """The libraries that a `.in` file chooses; what these need in turn is in the file that is made from it."""
    return set(
        re.findall(r"^([a-z0-9-]+)(?:\[[^]]*\])?==", (ROOT / file).read_text(), flags=re.MULTILINE)
    )


def requirements(file: str) -> list[str]:
    """The requirements of a file, each with its hashes, in one line."""
    text = (ROOT / file).read_text().replace("\\\n", " ")
    return [
        line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]


@pytest.mark.parametrize("file", FILES)
def test_each_library_is_pinned_to_one_version_and_to_the_hashes_of_its_files(file: str) -> None:
    lines = requirements(file)
    assert lines
    assert [line for line in lines if not re.match(r"[a-z0-9-]+(\[[^]]*\])?==[^ *]+ ", line)] == []
    assert [line for line in lines if not re.search(r"--hash=sha256:[0-9a-f]{64}", line)] == []


@pytest.mark.parametrize("file", FILES)
def test_a_requirements_file_names_no_place_to_fetch_from_and_no_url(file: str) -> None:
    assert [line for line in requirements(file) if "://" in line or line.startswith("-")] == []


def test_everything_is_installed_with_the_hashes_checked() -> None:
    installs = re.findall(r"pip install .*", (ROOT / "Makefile").read_text())
    assert installs and all("--require-hashes" in one for one in installs)


def test_what_is_installed_is_what_is_pinned_and_nothing_else() -> None:
    pins = pinned("requirements-dev.txt") | pinned("requirements.txt")
    installed = {
        re.sub(r"[-_.]+", "-", one.metadata["Name"]).lower(): one.version
        for one in metadata.distributions()
        if Path(str(one.locate_file(""))).is_relative_to(sys.prefix)
    }
    for tool in ("pip", "setuptools"):
        installed.pop(tool, None)  # they come with Python
    assert {name: version for name, version in installed.items() if pins.get(name) != version} == {}


def test_the_bot_imports_the_libraries_that_were_chosen_for_it_and_no_other() -> None:
    by_module = metadata.packages_distributions()
    imported = set()
    for path in (ROOT / "bot").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom) and not node.level
                else []
            )
            imported |= (
                {module.split(".")[0] for module in modules} - sys.stdlib_module_names - {"bot", ""}
            )
    assert {by_module[module][0].lower().replace("_", "-") for module in imported} == chosen(
        "requirements.in"
    )


def test_the_list_of_licences_is_true() -> None:
    assert LIST.read_text() == listed()


def test_every_licence_lets_anybody_run_and_change_keydesk() -> None:
    rows = re.findall(r"^\| ([a-z0-9-]+) \| (.+) \| (.+) \|$", LIST.read_text(), re.MULTILINE)
    for name, licence, part in (row for row in rows if row[0] != "library"):
        for one in re.split(r" (?:or|OR|AND) ", licence):
            beside = part != "the bot" and FREE_BESIDE.fullmatch(one)
            assert FREE.fullmatch(one) or beside, f"{name} is under {one}"


def test_the_readme_names_every_chosen_library_with_its_reason() -> None:
    table = README.split("\n## What it stands on\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]+`) \| ([^|]{15,}) \|$", table, flags=re.MULTILINE)
    named = {name for row, _ in rows for name in re.findall(r"`([a-z0-9-]+)`", row)}
    assert named == chosen("requirements.in") | chosen("requirements-dev.in") | chosen(
        "requirements-supply.in"
    )


KNOWN = {"name": "six", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}
CLEAN = {"name": "idna", "version": "3", "vulns": []}
SKIPPED = {
    "name": "redis",
    "skip_reason": "Dependency not found on PyPI and could not be audited: redis (8)",
}


@pytest.mark.parametrize(
    ("found", "code", "words"),
    [
        ([CLEAN], 0, "Nothing is known against 1 libraries"),
        ([CLEAN, KNOWN, SKIPPED], 1, "six 1: PYSEC-1, mended in 2"),
        ([CLEAN, SKIPPED], 2, "1 of 2 libraries were looked up"),
        ([], 2, "0 of 0 libraries were looked up"),
    ],
)
def test_what_is_known_fails_and_what_was_not_looked_up_is_said(
    found: list[dict[str, object]], code: int, words: str
) -> None:
    came_to, said = verdict({"dependencies": found})
    assert came_to == code and words in " ".join(said)


def test_nobody_to_ask_is_said_and_fails_where_advisories_must_be_had(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["a.txt"], lambda path: {}) == 0
    assert "No advisory service can be reached" in capsys.readouterr().out
    assert main(["a.txt", "--must"], lambda path: {}) == 2
    assert main(["a.txt"], lambda path: {"dependencies": [CLEAN, KNOWN]}) == 1
