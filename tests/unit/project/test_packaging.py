"""An installed package has the console script and its version."""

from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from bot import __main__

PROJECT = tomllib.loads((Path(__file__).resolve().parents[3] / "pyproject.toml").read_text())[
    "project"
]


def test_the_console_script_is_the_bots_main() -> None:
    script = EntryPoint("keydesk", PROJECT["scripts"]["keydesk"], "console_scripts")
    assert script.load() is __main__.main


def test_version_comes_from_the_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    metadata = tmp_path / "keydesk-1.2.3.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.4\nName: keydesk\nVersion: 1.2.3\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SystemExit, match="^0$"):
        __main__.main(["--version"])
    assert capsys.readouterr().out == "keydesk 1.2.3\n"
