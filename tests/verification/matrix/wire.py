"""How is one call, and one answer, read off a connection? Redis commands (RESP) and HTTP messages, byte for byte."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LARGEST = 64 * 1024


class Ended(Exception):
    """The connection has ended, between two messages or within one."""


class Reader:
    """Reads from a socket, and keeps in `taken` the bytes of the message that is being read."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = bytearray()
        self.taken = bytearray()

    def line(self) -> bytes:
        """The next line, without its end."""
        while (end := self._buffer.find(b"\r\n")) < 0:
            self._more()
        return self._take(end + 2)[:-2]

    def exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._more()
        return self._take(size)

    def to_the_end(self) -> bytes:
        """Everything until the other side closes."""
        try:
            while True:
                self._more()
        except Ended:
            return self._take(len(self._buffer))

    def message(self) -> bytes:
        """What was taken since the last message, as it was on the wire."""
        taken, self.taken = bytes(self.taken), bytearray()
        return taken

    def rest(self) -> bytes:
        """What has come already and was not read."""
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
    """One Redis command: an array of strings. `reader.message()` has its bytes."""
    count = int(reader.line().removeprefix(b"*"))
    words = []
    for _ in range(count):
        size = int(reader.line().removeprefix(b"$"))
        words.append(reader.exactly(size))
        reader.exactly(2)
    return words


def read_reply(reader: Reader) -> None:
    """One Redis answer of any shape (RESP2 and RESP3); `reader.message()` has its bytes."""
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
        """Whether the connection speaks something else from here on (a WebSocket)."""
        return self.headers.get("upgrade", "").lower() == "websocket"


def read_request(reader: Reader) -> tuple[HttpHead, bytes]:
    """One HTTP request: head and body."""
    head = _head(reader)
    return head, reader.exactly(int(head.headers.get("content-length", "0")))


def read_response(reader: Reader) -> HttpHead:
    """One HTTP response, whole; `reader.message()` has its bytes."""
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
    """A command's words as text, whatever is in them."""
    return [word.decode("utf-8", "replace") for word in words]
