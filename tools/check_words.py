"""Reject old words, docstrings that ask, and long first lines of docstrings.

Run it from anywhere: `python tools/check_words.py [path ...]`. Without paths it checks everything.
It prints a line for each finding and exits with 1 if there are any. CONTRIBUTING.md has the rules.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OLD_WORDS = re.compile(
    r"""(?ix) (?<![a-z]) (?:
      whoever | whose[ ]person | somebody | nobody | (?<!is_)strangers? | looker
    | the[ ]desk(?:'s)? | desk's[ ]memory | administrator-like
    | anew | laps(?:e|es|ed|ing) | let[_ ]?go | mend(?:s|ed|ing)? | put[ ]right | put[ ]off | deeds?
    | hand(?:s|ed|ing)?[-_ ]?over | look(?:s|ed|ing)?[_ ]after | endorse[sd]? | endorsements?
    | t(?:ake|akes|ook|aken)[_ ]back | postpon(?:e|es|ed|ing) | found[ ]keys?
    | sweepers? | auditors? | pacers? | wiring | ageing
    | (?:is|was|are|were)[ ]drawn | redrawn? | undrawn
    ) (?![a-z])"""
)
"""Words of which CONTRIBUTING.md has better ones, also as parts of names."""
ALLOWED = {
    "LOOK_AFTER": "an environment name",
    "look_after": "an environment name",
    "LET_GO": "IDs of blocks in Slack stay as they are",
    "let_go": "IDs of blocks in Slack stay as they are",
    "TAKE_BACK": "IDs of buttons in Slack stay as they are",
    "take_back": "IDs of buttons in Slack stay as they are",
}
FIRST_LINE = 80
"""Maximum characters of a docstring's first line."""
SUFFIXES = {".py", ".md", ".yml", ".example", ".html", ""}
SKIPPED = {"docs/licences.md", "CONTRIBUTING.md", "tools/check_words.py", "LICENSE", "Procfile"}


def files(paths: list[str]) -> list[Path]:
    """Return the files of the project under these paths, or all of them."""
    listed = subprocess.run(  # noqa: S603
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *paths],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = [ROOT / name for name in listed.stdout.splitlines() if name not in SKIPPED]
    return [file for file in found if file.suffix in SUFFIXES and file.is_file()]


def old_words(file: Path, text: str) -> Iterator[str]:
    """Yield a line for each old word."""
    for number, line in enumerate(text.splitlines(), 1):
        for found in OLD_WORDS.finditer(line):
            if found[0] not in ALLOWED:
                yield f"{file.relative_to(ROOT)}:{number}: old word: {found[0]}"


def docstrings(file: Path, text: str) -> Iterator[str]:
    """Yield a line for each docstring that asks or has a long first line."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        first = (ast.get_docstring(node) or "").partition("\n")[0]
        where = f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"
        if first.endswith("?"):
            yield f"{where}: the docstring is a question"
        if len(first) > FIRST_LINE:
            yield f"{where}: the docstring's first line has {len(first)} characters"


def main(paths: list[str]) -> int:
    """Check the paths and return the exit code."""
    found: list[str] = []
    for file in files(paths):
        text = file.read_text(encoding="utf-8")
        found += old_words(file, text)
        if file.suffix == ".py":
            found += docstrings(file, text)
    for finding in found:
        print(finding)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
