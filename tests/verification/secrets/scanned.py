"""Run the real bot, and let it say which of its objects hold a secret.

`python -m tests.verification.secrets.scanned`. A test writes the SHA-256 of a secret of 40 letters
into the file `scan` in the bot's folder, so that the secret itself does not enter the process this
way. `scan.json` then says where it is. Freed memory is not searched.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, ModuleType

from bot import app
from bot.__main__ import run
from bot.config.settings import Settings

LETTERS = 40
_RUN = re.compile(rb"[A-Za-z0-9/+]{40,}")


def holders(digest: str) -> list[str]:
    """Return the kinds of the living objects that hold that secret."""
    gc.collect()
    seen: set[int] = set()
    found: list[str] = []
    waiting: list[tuple[str, object]] = [("", one) for one in gc.get_objects()]
    waiting += [
        (f"frame {frame.f_code.co_name}", value)
        for frame in _frames()
        for value in frame.f_locals.values()
    ]
    while waiting:
        holder, one = waiting.pop()
        if id(one) in seen or isinstance(one, ModuleType) or one is waiting or one is seen:
            continue
        seen.add(id(one))
        if isinstance(one, str | bytes | bytearray):
            if len(one) >= LETTERS and _holds(one, digest):
                found.append(holder)
        else:
            waiting += [(type(one).__name__, part) for part in gc.get_referents(one)]
    return found


def _frames() -> Iterator[FrameType]:
    for top in sys._current_frames().values():
        frame: FrameType | None = top
        while frame is not None:
            if frame.f_code.co_filename != __file__:
                yield frame
            frame = frame.f_back


def _holds(text: str | bytes | bytearray, digest: str) -> bool:
    raw = text.encode(errors="replace") if isinstance(text, str) else bytes(text)
    return any(
        hashlib.sha256(run[at : at + LETTERS]).hexdigest() == digest
        for run in _RUN.findall(raw)
        for at in range(len(run) - LETTERS + 1)
    )


def _scan() -> None:
    asked, answer = Path("scan"), Path("scan.json")
    while True:
        if asked.exists():
            digest = asked.read_text()
            asked.unlink()
            half = answer.with_suffix(".new")
            half.write_text(json.dumps(holders(digest)))
            half.replace(answer)
        threading.Event().wait(0.05)


def build(settings: Settings) -> app.Bot:
    """Build the usual bot, and start a thread that scans when a test asks."""
    threading.Thread(target=_scan, name="scan", daemon=True).start()
    return app.build(settings)


if __name__ == "__main__":
    sys.exit(run(os.environ, Path(".env"), build))
