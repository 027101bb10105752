"""A file of settings holds the tokens: whoever starts the bot is told where others can read it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.running_bot import ROOT

TOKENS = "SLACK_BOT_TOKEN=xoxb-1-abc\nSLACK_APP_TOKEN=xapp-1-abc\n"
REST = "APPROVAL_CHANNEL=C0KEYS\nAPPROVERS=U0CAROL\nREDIS_URL=unix:///nowhere/at/all.sock\n"


def started(folder: Path, *, mode: int, text: str, **environ: str) -> str:
    """What the bot says with this `.env`; its store cannot be reached, so it ends."""
    env_file = folder / ".env"
    env_file.write_text(text)
    env_file.chmod(mode)
    ended = subprocess.run(
        [sys.executable, "-m", "bot"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ},
    )
    assert ended.returncode == 2 and "Keydesk cannot start" in ended.stderr, ended
    return ended.stdout


@pytest.mark.parametrize("mode", [0o644, 0o604])
def test_tokens_that_everybody_on_the_machine_can_read_are_warned_of(
    tmp_path: Path, mode: int
) -> None:
    said = started(tmp_path, mode=mode, text=TOKENS + REST)
    assert ".env holds secrets, and everybody on this machine can read it: chmod 600 .env" in said


def test_a_file_that_is_closed_or_holds_no_secret_is_not(tmp_path: Path) -> None:
    assert "chmod" not in started(tmp_path, mode=0o600, text=TOKENS + REST)
    harmless = REST.replace("REDIS_URL", "#")
    assert "chmod" not in started(
        tmp_path,
        mode=0o644,
        text=harmless,
        SLACK_BOT_TOKEN="xoxb-1-abc",
        SLACK_APP_TOKEN="xapp-1-abc",
        REDIS_URL="unix:///nowhere/at/all.sock",
    )
