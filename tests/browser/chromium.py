"""Find a Chromium, Chrome or Edge, and tell about tests that have none.

`tests/conftest.py` loads this as a plugin of pytest. `python -m tests.browser.chromium` prints
what is found.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Generator, Sequence
from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

NAMES = (
    "chromium",
    "google-chrome",
    "google-chrome-stable",
    "microsoft-edge",
    "microsoft-edge-stable",
    "chromium-browser",
)
"""The programs' names on PATH."""
PLACES = (
    Path("/opt/google/chrome/chrome"),
    Path("/opt/microsoft/msedge/msedge"),
    *(
        folder / f"{name}.app" / "Contents" / "MacOS" / name
        for folder in (Path("/Applications"), Path.home() / "Applications")
        for name in ("Chromium", "Google Chrome", "Microsoft Edge")
    ),
)
"""Where they are installed without being on PATH."""
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NONE_FOUND = (
    "No browser: the page is not tested. Get one: .venv/bin/playwright install --with-deps chromium"
)


def search(path: str | None = None, places: Sequence[Path] = PLACES) -> Path | None:
    """Return the first browser on PATH or in these places."""
    named = [Path(found) for name in NAMES if (found := shutil.which(name, path=path))]
    installed = [place for place in places if os.access(place, os.X_OK)]
    return next((one for one in named + installed if not _is_snap(one)), None)


@cache
def find() -> Path | None:
    """Return the browser of this machine, or the one that Playwright has installed."""
    if found := search():
        return found
    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
    return own if own.exists() else None


def launch(playwright: Playwright) -> Browser:
    """Start the browser."""
    chromium = playwright.chromium
    return chromium.launch(executable_path=search() or chromium.executable_path, args=ARGUMENTS)


def _is_snap(program: Path) -> bool:
    """Tell whether this is Ubuntu's snap, or leads to it.

    A snap cannot read Playwright's profile in /tmp.
    """
    with program.open("rb") as file:
        return program.is_relative_to("/snap") or b"/snap/" in file.read(4096)


def pytest_report_header() -> str:
    """Say at the start of a run which browser there is."""
    return f"browser: {find()}" if find() else NONE_FOUND


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that needs a browser where there is none. In CI, fail it."""
    if item.get_closest_marker("browser") and find() is None:
        missing(in_ci=os.environ.get("CI", "").lower() in ("true", "1"))


def missing(in_ci: bool) -> None:
    """End a test that has no browser."""
    if in_ci:
        pytest.fail(NONE_FOUND, pytrace=False)
    pytest.skip(NONE_FOUND)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter,
) -> Generator[None, None, None]:
    """Say at the end of a run, below all other summaries, that tests had no browser."""
    yield
    skipped = [
        report
        for report in terminalreporter.stats.get("skipped", [])
        if NONE_FOUND in str(report.longrepr)
    ]
    if skipped:
        terminalreporter.write_line(f"{len(skipped)} tests skipped. {NONE_FOUND}", yellow=True)


if __name__ == "__main__":
    if find() is None:
        sys.exit(NONE_FOUND)
    print(find())
