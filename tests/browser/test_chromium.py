"""Tests that any usual browser is found, and that CI does not pass without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.chromium import missing, search


def program(path: Path, text: str = "") -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_a_browser_on_path_comes_before_one_elsewhere(tmp_path: Path) -> None:
    elsewhere = program(tmp_path / "msedge")
    assert search(str(tmp_path), []) is None
    assert search(str(tmp_path), [tmp_path / "not there", elsewhere]) == elsewhere
    on_path = program(tmp_path / "google-chrome")
    assert search(str(tmp_path), [elsewhere]) == on_path


def test_ubuntus_snap_is_passed_over(tmp_path: Path) -> None:
    program(tmp_path / "chromium", '#!/bin/sh\nexec /snap/bin/chromium "$@"\n')
    edge = program(tmp_path / "microsoft-edge")
    assert search(str(tmp_path), []) == edge


def test_a_missing_browser_skips_a_test_and_fails_it_in_ci() -> None:
    with pytest.raises(pytest.skip.Exception, match="playwright install"):
        missing(in_ci=False)
    with pytest.raises(pytest.fail.Exception, match="playwright install"):
        missing(in_ci=True)
