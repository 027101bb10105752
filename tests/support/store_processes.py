"""Other processes on the directory of the embedded server."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PROCESS = """
import sys
from pathlib import Path
from bot.store.embedded import start
server = start(Path(sys.argv[1]))
print(server.url, server.started_here, flush=True)
sys.stdin.readline()
server.stop()
"""


def launch(data_dir: Path, code: str) -> subprocess.Popen[str]:
    """Start a process with the server of a directory, until a line is sent to it.

    It starts the server or joins it.
    """
    return subprocess.Popen(
        [sys.executable, "-c", code, str(data_dir)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def wait_until_gone(process_id: int) -> None:
    """Wait at most ten seconds for a process, not necessarily a child of ours, to end."""
    try:
        watch = os.pidfd_open(process_id)
    except ProcessLookupError:
        return
    with os.fdopen(watch):
        assert select.select([watch], [], [], 10)[0], f"process {process_id} is still there"


def first_line(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    return process.stdout.readline().split()
