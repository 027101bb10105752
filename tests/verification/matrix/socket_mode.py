"""How are a bot's acknowledgements seen on their way to Slack? They are frames of a WebSocket, one after another."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from tests.verification.matrix.wire import Ended, Reader

TEXT = 1
"""The opcode of a frame that holds text (RFC 6455, section 5.2)."""


def both_ways(
    bot: socket.socket, server: socket.socket, first: bytes, take: Callable[[bytes, bool], None]
) -> None:
    """Carries a WebSocket until either side ends; `first` is what Slack has sent already.

    Each frame of the bot's goes to `take`, with whether it is an acknowledgement; `take` sends it on or raises Ended.
    """
    threading.Thread(target=_frames, args=(bot, server, take), daemon=True).start()
    data = first
    with suppress(OSError):
        while True:
            bot.sendall(data)
            if not (data := server.recv(65536)):
                break
    _end(bot, server)


def _frames(bot: socket.socket, server: socket.socket, take: Callable[[bytes, bool], None]) -> None:
    reader = Reader(bot)
    with suppress(Ended, OSError):
        while True:
            opcode, payload = read_frame(reader)
            take(reader.message(), opcode == TEXT and b'"envelope_id"' in payload)
    _end(bot, server)


def read_frame(reader: Reader) -> tuple[int, bytes]:
    """One frame: its opcode and what it holds, without the mask."""
    first, second = reader.exactly(2)
    size = second & 127
    if size > 125:
        size = int.from_bytes(reader.exactly(2 if size == 126 else 8))
    mask = reader.exactly(4) if second & 128 else bytes(4)
    return first & 15, bytes(
        byte ^ mask[place % 4] for place, byte in enumerate(reader.exactly(size))
    )


def _end(*sockets: socket.socket) -> None:
    for one in sockets:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
