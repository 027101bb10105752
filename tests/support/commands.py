"""Every command that reaches a store, also from scripts, as MONITOR shows it."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import uuid

import redis

SEEN_WITHIN = 10  # seconds


class Commands:
    """Watch the store of `client` (on a Unix socket) until `stop`, through restarts."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._path = str(client.connection_pool.connection_kwargs["path"])
        self._seen = bytearray()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="commands", daemon=True)
        self._thread.start()
        with contextlib.suppress(redis.ConnectionError, AssertionError):
            self._all()  # it watches before the first step of a journey, where the server is there

    def text(self) -> str:
        """Everything that was sent so far. Nothing is sent to a server that is down."""
        with contextlib.suppress(redis.ConnectionError):
            self._all()
        return self._seen.decode(errors="replace")

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _all(self) -> None:
        """Wait until MONITOR has shown a command that is sent now."""
        until = time.monotonic() + SEEN_WITHIN
        while True:
            mark = f"mark-{uuid.uuid4().hex}"
            self._client.echo(mark)
            for _ in range(20):
                if mark.encode() in self._seen:
                    return
                self._stopping.wait(0.01)
            assert time.monotonic() < until, "MONITOR does not tell what the store is sent"

    def _watch(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as line:
                line.settimeout(0.1)
                line.connect(self._path)
                line.sendall(b"MONITOR\r\n")
                self._read(line)
            self._stopping.wait(0.02)

    def _read(self, line: socket.socket) -> None:
        while not self._stopping.is_set():
            try:
                told = line.recv(1 << 20)
            except TimeoutError:
                continue
            if not told:
                return
            self._seen += told
