"""Read calls and answers off a connection: RESP, HTTP and WebSocket frames."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

LARGEST = 64 * 1024
TEXT = 1
"""The opcode of a frame that holds text (RFC 6455, section 5.2)."""


class Ended(Exception):
    """The connection has ended, between two messages or within one."""


class Reader:
    """Reads from a socket, and keeps in `taken` the bytes of the current message."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = bytearray()
        self.taken = bytearray()

    def line(self) -> bytes:
        """Read the next line, without its end."""
        while (end := self._buffer.find(b"\r\n")) < 0:
            self._more()
        return self._take(end + 2)[:-2]

    def exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._more()
        return self._take(size)

    def to_the_end(self) -> bytes:
        """Read everything until the other side closes."""
        try:
            while True:
                self._more()
        except Ended:
            return self._take(len(self._buffer))

    def message(self) -> bytes:
        """Return the bytes that were read since the last message."""
        taken, self.taken = bytes(self.taken), bytearray()
        return taken

    def rest(self) -> bytes:
        """Return what has arrived and was not read."""
        return self._take(len(self._buffer))

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        self.taken += taken
        return taken

    def _more(self) -> None:
        try:
            data = self._sock.recv(LARGEST)
        except OSError as error:
            raise Ended from error
        if not data:
            raise Ended
        self._buffer += data


def read_command(reader: Reader) -> list[bytes]:
    """Read one Redis command: an array of strings."""
    count = int(reader.line().removeprefix(b"*"))
    words = []
    for _ in range(count):
        size = int(reader.line().removeprefix(b"$"))
        words.append(reader.exactly(size))
        reader.exactly(2)
    return words


def read_reply(reader: Reader) -> None:
    """Read one Redis answer of any shape (RESP2 and RESP3)."""
    kind, text = (line := reader.line())[:1], line[1:]
    if kind in b"$!=" and int(text) >= 0:
        reader.exactly(int(text) + 2)
    elif kind in b"*~>":
        for _ in range(max(0, int(text))):
            read_reply(reader)
    elif kind == b"%":
        for _ in range(2 * int(text)):
            read_reply(reader)


@dataclass(frozen=True)
class HttpHead:
    """The first line of an HTTP message, and its headers by name in lower case."""

    first: str
    headers: Mapping[str, str]

    @property
    def upgrades(self) -> bool:
        """The connection becomes a WebSocket."""
        return self.headers.get("upgrade", "").lower() == "websocket"


def read_request(reader: Reader) -> tuple[HttpHead, bytes]:
    """Read one HTTP request: head and body."""
    head = _head(reader)
    return head, reader.exactly(int(head.headers.get("content-length", "0")))


def read_response(reader: Reader) -> HttpHead:
    """Read one HTTP response, and return its head."""
    head = _head(reader)
    status = head.first.split(" ")[1]
    if head.headers.get("transfer-encoding", "").lower() == "chunked":
        while size := int(reader.line().partition(b";")[0], 16):
            reader.exactly(size + 2)
        reader.line()
    elif "content-length" in head.headers:
        reader.exactly(int(head.headers["content-length"]))
    elif status not in ("101", "204", "304"):
        reader.to_the_end()
    return head


def _head(reader: Reader) -> HttpHead:
    first, headers = reader.line().decode("latin-1"), {}
    while line := reader.line().decode("latin-1"):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return HttpHead(first, headers)


def names(words: Sequence[bytes]) -> list[str]:
    """Return a command's words as text."""
    return [word.decode("utf-8", "replace") for word in words]


# -- WebSocket


def relay_frames(
    bot: socket.socket, server: socket.socket, first: bytes, take: Callable[[bytes, bool], None]
) -> None:
    """Relay a WebSocket until either side ends.

    Args:
        first: What Slack has sent already.
        take: Sends a frame of the bot's on, or raises Ended. It is told whether the frame is an
            acknowledgement.
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
    """Read one frame: its opcode and its content without the mask."""
    first, second = reader.exactly(2)
    size = second & 127
    if size > 125:
        size = int.from_bytes(reader.exactly(2 if size == 126 else 8))
    mask = reader.exactly(4) if second & 128 else bytes(4)
    return first & 15, bytes(
        byte ^ mask[index % 4] for index, byte in enumerate(reader.exactly(size))
    )


def _end(*sockets: socket.socket) -> None:
    for one in sockets:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
