"""Libraries are pinned with hashes, permissively licensed and explained."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tests.unit.project.python_source import source

ROOT = Path(__file__).resolve().parents[3]
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = {one["name"]: one for one in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}
FILES = {
    "requirements.txt": ("bot",),
    "requirements-demo.txt": ("bot", "demo"),
    "requirements-dev.txt": ("bot", "dev"),
    "requirements-audit.txt": ("audit",),
    "requirements-pip.txt": ("pip",),
}
"""What each requirements file installs: the bot, or dependency groups of pyproject.toml."""

# Licences without conditions for those who run or change Keydesk. MPL only beside the bot.
FREE = re.compile(
    r"(MIT|BSD|Apache|ISC|PSF|Python Software Foundation|Unlicense|CMU|0BSD)[\w .-]*( License)?"
)
FREE_BESIDE = re.compile(r"(MPL-2\.0|Mozilla Public License 2\.0)[\w .()-]*")


def chosen(part: str) -> set[str]:
    """Return what pyproject.toml requires for the bot, or for a dependency group."""
    if part == "bot":
        return set(PROJECT["project"]["dependencies"])
    found: set[str] = set()
    for one in PROJECT["dependency-groups"][part]:
        found |= {one} if isinstance(one, str) else chosen(one["include-group"])
    return found


def names(*parts: str) -> set[str]:
    """Return the names of the libraries that these parts choose."""
    return {re.split(r"[\[=]", one)[0] for part in parts for one in chosen(part)}


def requirements(file: str) -> list[str]:
    """Return the requirements of a file, each with its hashes, in one line."""
    text = (ROOT / file).read_text().replace("\\\n", " ")
    return [
        line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]


def pinned(file: str, everywhere: bool = False) -> dict[str, str]:
    """Return the versions that a file pins.

    `everywhere`: only those for every version of Python and every system.
    """
    lines = [
        line
        for line in requirements(file)
        if not everywhere or not re.search("python_full_version|sys_platform", line)
    ]
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[[^]]*\])?==([^ ;]+)", "\n".join(lines), re.M))


def locked(parts: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Return the packages in uv.lock for these parts, with all their dependencies."""
    keydesk, found = LOCK["keydesk"], dict[str, dict[str, Any]]()

    def add(needed: list[dict[str, Any]]) -> None:
        for one in needed:
            package = LOCK[one["name"]]
            extras = [
                package["optional-dependencies"].get(each, []) for each in one.get("extra", [])
            ]
            new = one["name"] not in found
            found[one["name"]] = package
            for more in [package.get("dependencies", []) if new else [], *extras]:
                add(more)

    for part in parts:
        add(keydesk["dependencies"] if part == "bot" else keydesk["dev-dependencies"][part])
    return found


@pytest.mark.parametrize("file", FILES)
def test_each_library_has_one_version_and_its_hashes(file: str) -> None:
    """No requirement names an index or a URL."""
    lines = requirements(file)
    pin = re.compile(r"[a-z0-9-]+(\[[^]]*\])?==[^ *]+ .*--hash=sha256:[0-9a-f]{64}.*")
    assert lines
    assert [line for line in lines if not pin.fullmatch(line) or "://" in line] == []


def test_the_lock_names_one_index_and_no_file_of_a_machine() -> None:
    sources = {str(one["source"]) for one in LOCK.values() if one["name"] != "keydesk"}
    assert len(sources) == 1 and re.fullmatch(r"\{'registry': 'https://[^']+'\}", sources.pop())


@pytest.mark.parametrize("group", ["bot", *PROJECT["dependency-groups"]])
def test_the_lock_is_made_from_pyproject(group: str) -> None:
    """Run `make pins` after a change of pyproject.toml."""
    stated = LOCK["keydesk"]["metadata"]
    needed = stated["requires-dist"] if group == "bot" else stated["requires-dev"][group]
    assert {
        one["name"] + extras(one.get("extras", [])) + one["specifier"] for one in needed
    } == chosen(group)


def extras(named: list[str]) -> str:
    return f"[{','.join(named)}]" if named else ""


@pytest.mark.parametrize("file", FILES)
def test_a_requirements_file_is_made_from_the_lock(file: str) -> None:
    """Run `make pins` after a change of uv.lock."""
    packages = locked(FILES[file])
    assert pinned(file) == {name: one["version"] for name, one in packages.items()}
    for line in requirements(file):
        package = packages[re.split(r"[\[=]", line)[0]]
        hashes = {one["hash"] for one in [*package["wheels"], package.get("sdist")] if one}
        assert set(re.findall(r"--hash=(\S+)", line)) == hashes, line


def test_every_install_checks_hashes_and_builds_nothing() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert "\nINSTALL := install --require-hashes --only-binary :all:\n" in makefile
    installs = [line for line in makefile.splitlines() if re.search(r"\$\(PIP\)", line)]
    assert len(installs) == len(FILES) and all("$(INSTALL)" in one for one in installs)
    assert makefile.count("-m pip") == 1


def test_what_is_installed_is_what_is_pinned() -> None:
    pins = pinned("requirements-dev.txt")
    installed = {
        re.sub(r"[-_.]+", "-", one.metadata["Name"]).lower(): one.version
        for one in metadata.distributions()
        if Path(str(one.locate_file(""))).is_relative_to(sys.prefix)
    }
    for own in ("pip", "setuptools", "keydesk"):
        installed.pop(own, None)  # they come with Python, and from here
    assert {name: version for name, version in installed.items() if pins.get(name) != version} == {}


def test_the_bot_imports_the_libraries_chosen_for_it() -> None:
    by_module = metadata.packages_distributions()
    imports = {one for path in (ROOT / "bot").rglob("*.py") for one in source(path).imports}
    imported = {one.split(".")[0] for one in imports} - sys.stdlib_module_names - {"bot"}
    assert {by_module[module][0].lower().replace("_", "-") for module in imported} == names("bot")


def licences() -> Iterator[tuple[str, str, str, str]]:
    """Yield section, name, version and licence of each row of docs/licences.md."""
    section = ""
    for line in (ROOT / "docs" / "licences.md").read_text().splitlines():
        section = line.removeprefix("## ") if line.startswith("## ") else section
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 3 and cells[0] != "Name" and not cells[0].startswith("--"):
            yield section, re.sub(r"[-_.]+", "-", cells[0]).lower(), cells[1], cells[2]


def test_the_page_of_licences_lists_what_is_pinned() -> None:
    """`make audit` compares the licences themselves."""
    bot, all_ = (pinned(f"requirements{file}.txt", everywhere=True) for file in ("", "-dev"))
    rows = list(licences())
    assert {name: version for _, name, version, _ in rows} == all_
    assert {name for section, name, _, _ in rows if section == "The bot"} == bot.keys()


def test_every_licence_is_permissive() -> None:
    for section, name, _, licence in licences():
        for one in re.split(r" (?:OR|AND) |; ", licence.replace("DFSG approved; ", "")):
            beside = section != "The bot" and FREE_BESIDE.fullmatch(one)
            assert FREE.fullmatch(one) or beside, f"{name} is under {one}"


def test_architecture_gives_a_reason_for_every_library() -> None:
    table = ARCHITECTURE.split("\n## Libraries\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]+`) \| ([^|]{15,}) \|$", table, flags=re.MULTILINE)
    named = {name for row, _ in rows for name in re.findall(r"`([a-z0-9-]+)`", row)}
    assert named == names("bot", *PROJECT["dependency-groups"])


FOUND = "Found 1 known vulnerability in 1 package\nsix 1 PYSEC-1 2"
SKIPPED = "redis  Dependency not found on PyPI and could not be audited: redis (8)"
UNREACHABLE = "requests.exceptions.ProxyError: HTTPSConnectionPool: Max retries exceeded"


@pytest.mark.parametrize(
    ("report", "status", "strict", "result", "said"),
    [
        ("No known vulnerabilities found", 0, "", 0, "No known vulnerabilities"),
        (f"{FOUND}\n{SKIPPED}", 1, "", 1, "PYSEC-1"),
        (SKIPPED, 0, "", 0, "No answer from the package index"),
        (SKIPPED, 0, "1", 1, "No answer from the package index"),
        (UNREACHABLE, 1, "", 0, "No answer from the package index"),
        (UNREACHABLE, 1, "1", 1, "No answer from the package index"),
        ("pip-audit: error: no such option", 2, "", 1, "no such option"),
    ],
)
def test_a_known_vulnerability_fails_the_audit(
    tmp_path: Path, report: str, status: int, strict: str, result: int, said: str
) -> None:
    """An index that does not answer fails it only where that is asked for."""
    pip_audit = tmp_path / "pip-audit"
    pip_audit.write_text(f"#!/bin/sh\ncat <<'END'\n{report}\nEND\nexit {status}\n")
    pip_audit.chmod(0o755)
    done = subprocess.run(
        ["sh", str(ROOT / "tools" / "audit.sh"), str(pip_audit), "requirements.txt"],
        env={"PATH": "/usr/bin:/bin", "STRICT": strict},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (result, "") and said in done.stdout
