"""Lose an answer or a connection of Redis, by a real socket between both sides."""

from __future__ import annotations

import select
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import unquote, urlsplit

Fault = Callable[[bytes, socket.socket, socket.socket], bool]
"""Takes a command and both sockets. Returns True if the connection stays."""


class Proxy:
    """A proxy before a server on a Unix socket. Each armed fault meets one command."""

    def __init__(self, server_url: str) -> None:
        self.lead_to(server_url)
        self._faults: deque[Fault] = deque()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"

    def lead_to(self, server_url: str) -> None:
        """Lead new connections to another server. Open ones stay, as after a failover."""
        self._server = unquote(urlsplit(server_url).path)

    def lose_answer(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Run the next command, then `meanwhile`. Break the connection without an answer."""

        def fault(command: bytes, client: socket.socket, server: socket.socket) -> bool:
            server.sendall(command)
            server.recv(65536)
            meanwhile()
            return False

        self._faults.append(fault)

    def lose_command(self) -> None:
        """Break the connection before the next command reaches the server."""
        self._faults.append(lambda command, client, server: False)

    def fall_silent(self) -> None:
        """Neither run nor answer the next command."""
        self._faults.append(lambda command, client, server: True)

    def answer(self, reply: str) -> None:
        """Answer the next command by `reply` alone (RESP without its last line end)."""

        def fault(command: bytes, client: socket.socket, server: socket.socket) -> bool:
            client.sendall(f"{reply}\r\n".encode())
            return True

        self._faults.append(fault)

    def serve(self) -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _relay(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server, suppress(ConnectionError):
            server.connect(self._server)
            while True:
                readable, _, _ = select.select([client, server], [], [])
                if server in readable:
                    client.sendall(_some(server))
                    continue
                command = _some(client)
                if not self._faults:
                    server.sendall(command)
                elif not self._faults.popleft()(command, client, server):
                    return


def _some(sender: socket.socket) -> bytes:
    data = sender.recv(65536)
    if not data:
        raise ConnectionResetError
    return data


@contextmanager
def proxy_to(server_url: str) -> Iterator[Proxy]:
    """Yield a proxy to the server at `server_url` (`unix://…`)."""
    proxy = Proxy(server_url)
    thread = threading.Thread(target=proxy.serve, daemon=True)
    thread.start()
    yield proxy
    proxy.close()
    thread.join(5)
