"""Is anything known against a pinned library? Asks pip-audit, and says plainly where nothing could be asked.

`python -m supply.advisories REQUIREMENTS...` exits with 0 where nothing is known, or where no advisory service can be
reached from here (it says so); with 1 where something is known. With `--must` an unreachable service is a failure, too.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

WITHIN = 300
"""Seconds that pip-audit may take."""

NOT_ASKED = (
    "No advisory service can be reached from here: {asked} of {all} libraries were looked up. "
    "Run `make audit` where there is a way to the Python Package Index."
)


def verdict(report: dict[str, Any]) -> tuple[int, list[str]]:
    """What a report of pip-audit (its JSON) comes to: an exit code (0, 1, or 2: not all looked up), and what to say."""
    found = report.get("dependencies", [])
    known = [
        f"{one['name']} {one['version']}: {bug['id']}, mended in {', '.join(bug['fix_versions']) or 'no version'}"
        for one in found
        for bug in one.get("vulns", [])
    ]
    asked = [one for one in found if "skip_reason" not in one]
    if known:
        return 1, known
    if not found or len(asked) < len(found):
        return 2, [NOT_ASKED.format(asked=len(asked), all=len(found))]
    return 0, [f"Nothing is known against {len(found)} libraries."]


def asked(requirements: Path) -> dict[str, Any]:
    """pip-audit's report on a requirements file; empty where it had nobody to ask."""
    line = [
        str(Path(sys.executable).with_name("pip-audit")),
        "--requirement",
        str(requirements),
        "--require-hashes",
        "--disable-pip",
        "--format",
        "json",
        "--progress-spinner",
        "off",
    ]
    try:
        done = subprocess.run(line, capture_output=True, text=True, timeout=WITHIN)  # noqa: S603  # our own words
        report: dict[str, Any] = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        return {}
    return report


def main(words: Sequence[str], ask: Callable[[Path], dict[str, Any]] = asked) -> int:
    """Prints what is known of each file; returns the exit code."""
    codes = []
    for name in (word for word in words if word != "--must"):
        code, said = verdict(ask(Path(name)))
        print(*(f"{name}: {one}" for one in said), sep="\n")
        codes.append(code)
    if 1 in codes:
        return 1
    return 2 if 2 in codes and "--must" in words else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
