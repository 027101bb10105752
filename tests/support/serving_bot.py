"""A program for test_serve.py: a small bot that notes in a folder what happens.

Run it as `python -m tests.support.serving_bot FOLDER`. Its work is done once FOLDER/go is there.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

from slack_bolt import Ack, App
from slack_sdk import WebClient

from bot.__main__ import run
from bot.config.errors import StartError
from bot.config.settings import Settings
from bot.runtime.worker_pool import WorkPool


class SmallBot:
    """A bot.server.Bot with a /key whose work waits until it may go on."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._folder = folder
        secret = settings.slack_signing_secret
        self.app = App(
            client=WebClient(
                token=settings.slack_bot_token.get_secret_value(), base_url=settings.slack_api_url
            ),
            signing_secret=secret.get_secret_value() if secret else "unused",
            process_before_response=True,
        )
        self.app.command("/key")(self._key)
        self.pool = WorkPool(threads=2)

    def start(self) -> None:
        self._note("started")

    def stop(self) -> None:
        self._note("stopped")

    def _key(self, ack: Ack, command: dict[str, Any]) -> None:
        word = command["text"]
        ack("taken" if self.pool.submit(lambda: self._work(word)) else "busy")

    def _work(self, word: str) -> None:
        while not (self._folder / "go").exists():
            threading.Event().wait(0.01)
        if not self.pool.submit(lambda: self._note(f"followed {word}")):
            self._note(f"refused to follow {word}")
        self._note(f"done {word}")

    def _note(self, line: str) -> None:
        with (self._folder / "notes").open("a") as notes:
            notes.write(line + "\n")


def build_in(folder: Path) -> Any:
    """Return the `build` that serve is given."""

    def build(settings: Settings) -> SmallBot:
        if (folder / "cannot").exists():
            raise StartError("APPROVAL_CHANNEL is not there. Invite the bot.")
        return SmallBot(settings, folder)

    return build


if __name__ == "__main__":
    place = Path(sys.argv[1])
    sys.exit(run(os.environ, place / ".env", build_in(place)))
