"""Under which licence is each library that is installed? `python -m supply.licences` writes docs/licences.md anew."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIST = ROOT / "docs" / "licences.md"
APPROVED = ("DFSG approved", "OSI Approved")
"""What a classifier may say instead of a licence's name: who approves of it."""
HEAD = """# Licences of the libraries

What `requirements.txt` and `requirements-dev.txt` pin, with the licence that each library states of itself.
Written by `make pins`; a test compares it with what is installed.

| library | licence | for |
|---|---|---|
"""


def pinned(file: str) -> dict[str, str]:
    """The version of each library that a requirements file pins, by its name as pip normalises it."""
    text = (ROOT / file).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[[^]]*\])?==([^ ;\\]+)", text, flags=re.MULTILINE))


def licence(of: metadata.PackageMetadata) -> str:
    """The licence in the library's own metadata ("Core metadata specifications")."""
    stated = of.json.get("license_expression")
    if stated:
        return str(stated)
    classified = [
        one.split(" :: ")[-1]
        for one in of.get_all("Classifier") or []
        if one.startswith("License ::")
    ]
    named = [one for one in classified if one not in APPROVED]
    return " or ".join(named) or str(of.json.get("license") or "unknown").splitlines()[0]


def listed() -> str:
    """docs/licences.md as it should be, from what is installed beside this program."""
    bot, everything = (
        pinned("requirements.txt"),
        pinned("requirements-dev.txt") | pinned("requirements.txt"),
    )
    rows = []
    for name in sorted(everything):
        try:
            found = metadata.metadata(name)
        except metadata.PackageNotFoundError:
            continue  # needed on other versions of Python alone
        rows.append(
            f"| {name} | {licence(found)} | {'the bot' if name in bot else 'tests, checks, sandbox'} |"
        )
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    LIST.write_text(listed(), encoding="utf-8")
