"""Reject old words, module docstrings that ask, and long first lines of docstrings.

Run it from the project's root: `python tools/check_words.py`. It prints a line for each finding and exits with 1
if there are any. The words to use instead stand in CONTRIBUTING.md.
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
    r"(?i)\b(whoever|whose person|somebody|nobody|anew|laps(?:e|es|ed|ing)|let[_ ]?go|mend(?:s|ed|ing)?"
    r"|the desk(?:'s)?|hand(?:s|ed|ing)?[_ ]over|look(?:s|ed)?[_ ]after|endorse[sd]?|sweeper|auditor"
    r"|administrator-like|was drawn|is drawn|put right|desk's memory)\b"
)
ALLOWED = {
    "LOOK_AFTER": "an environment name",
    "look_after": "an environment name",
    "let_go": "IDs of blocks in Slack stay as they are",
}
FIRST_LINE = 80
DOCUMENTS = (
    "*.md",
    "docs/*.md",
    "tests/verification/README.md",
    ".env.example",
    "manifest.yml",
    "Makefile",
)
SKIPPED = {"docs/licences.md", "CONTRIBUTING.md", "tools/check_words.py"}


def tracked(*patterns: str) -> list[Path]:
    """Return the files that git tracks, by pattern."""
    listed = subprocess.run(  # noqa: S603
        ["git", "ls-files", *patterns],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.split() if name not in SKIPPED]


def old_words(file: Path, text: str) -> Iterator[str]:
    """Yield a line for each old word."""
    for number, line in enumerate(text.splitlines(), 1):
        for found in OLD_WORDS.finditer(line):
            if found[0] not in ALLOWED:
                yield f"{file.relative_to(ROOT)}:{number}: old word: {found[0]}"


def docstrings(file: Path, text: str) -> Iterator[str]:
    """Yield a line for each module docstring that asks, and each first line that is too long."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        first = (ast.get_docstring(node) or "").partition("\n")[0]
        where = f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"
        if first.endswith("?"):
            yield f"{where}: the docstring is a question"
        if len(first) > FIRST_LINE and file.is_relative_to(ROOT / "bot"):
            yield f"{where}: the docstring's first line has {len(first)} characters"


def main() -> int:
    """Check everything and return the exit code."""
    found = []
    for file in tracked("*.py"):
        text = file.read_text(encoding="utf-8")
        found += [*old_words(file, text), *docstrings(file, text)]
    for file in tracked(*DOCUMENTS):
        found += old_words(file, file.read_text(encoding="utf-8"))
    print(*found, sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
