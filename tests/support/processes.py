"""What a running bot shows of itself in Linux's /proc."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
_PR_CAPBSET_DROP = 24  # prctl(2)
_MAY_LOOK = (19, 21, 38)  # CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_PERFMON: capabilities(7)
_LOOKS = """
import sys
for path in sys.argv[1:]:
    try:
        open(path, "rb").close()
        print(path)
    except PermissionError:
        pass
"""


def family(pid: int) -> list[int]:
    """Return a process with all its descendants."""
    parents: dict[int, list[int]] = {}
    for stat in PROC.glob("[0-9]*/stat"):
        text = _read(stat)
        if text:
            parents.setdefault(int(text.rpartition(")")[2].split()[1]), []).append(
                int(stat.parent.name)
            )
    found = [pid]
    for one in found:
        found += parents.get(one, [])
    return found


def shown(pid: int) -> Iterator[tuple[str, str]]:
    """Return the titles and arguments of a bot and its children, each with its place.

    The environment of the programs that it started is there, too. The environment of the bot itself
    holds its settings, and gunicorn's worker is a fork of it. Only root reads it
    (`readable_by_its_user`).
    """
    own = _read(PROC / str(pid) / "cmdline")
    for one in family(pid):
        at = PROC / str(one)
        for file in (at / "cmdline", at / "comm", *at.glob("task/*/comm")):
            yield f"process {file.relative_to(PROC / str(one))}", _read(file)
        if _read(at / "cmdline") != own:
            yield "environment of a child", _read(at / "environ")


def like_anybody() -> None:
    """Drop the right to read other processes (for `preexec_fn`), also as root."""
    libc = ctypes.CDLL(None)
    for capability in _MAY_LOOK:
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)


def limits_core_dumps(pid: int) -> bool:
    """Return True if a core dump of this process is limited to nothing, for good."""
    lines = [
        line.split()
        for line in _read(PROC / str(pid) / "limits").splitlines()
        if line.startswith("Max core")
    ]
    return [line[4:6] for line in lines] == [["0", "0"]]


def readable_by_its_user(pid: int) -> bool:
    """Return True if another process of the same user may read this one.

    Start both `like_anybody`, since root may read every process.
    """
    at = PROC / str(pid)
    looks = subprocess.run(
        [sys.executable, "-c", _LOOKS, str(at / "environ"), str(at / "mem")],
        capture_output=True,
        check=True,
        text=True,
        preexec_fn=like_anybody,
    )
    return looks.stdout != ""


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:
        return ""  # it has ended meanwhile
