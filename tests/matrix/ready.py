"""What does a bot need that takes time to load? Imported once, in the server that the bots are forked from."""

from __future__ import annotations

import bot.__main__
import bot.wiring  # noqa: F401

__all__: list[str] = []
