"""Keep the locks and the socket of the embedded server in its data directory.

The file `socket` holds the path of the socket, where other processes read it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from pathlib import Path
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from bot.store.errors import EmbeddedServerError

_LONGEST_SOCKET = 103  # sun_path holds 104 bytes with its NUL on macOS, 108 on Linux: unix(7)


_SOCKET_DIR = "keydesk-"


def lock_file(path: Path) -> int | None:
    """Return a descriptor that has the exclusive flock(2) of `path`.

    Returns None if another process has it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def private_directory(data_dir: Path) -> Path:
    """Return the absolute path of the directory, with access for this user only.

    It is created if it is missing.
    """
    directory = data_dir.absolute()
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
    except OSError as error:
        raise EmbeddedServerError(
            f"Cannot keep data in {directory} ({error}). Choose a directory of your own, or set "
            f"REDIS_URL."
        ) from error
    return directory


def new_socket(directory: Path) -> Path:
    """Choose the socket's path and write it to the file `socket`.

    Another process reads it there.
    """
    note = directory / "socket"
    if note.exists():
        remove_socket(Path(note.read_text()))
    socket = directory / "valkey.sock"
    if len(os.fsencode(socket)) > _LONGEST_SOCKET:
        socket = Path(tempfile.mkdtemp(prefix=_SOCKET_DIR)) / "valkey.sock"
    half = directory / "socket.new"
    half.write_text(str(socket))
    half.replace(note)
    return socket


def remove_socket(socket: Path) -> None:
    """Remove a socket, and its directory if `new_socket` made that."""
    socket.unlink(missing_ok=True)
    if socket.parent.name.startswith(_SOCKET_DIR):
        with contextlib.suppress(OSError):  # removed already, or not empty and so not ours
            socket.parent.rmdir()


def answering_url(directory: Path) -> str | None:
    """Return the URL of the server that answers for this directory, or None."""
    with contextlib.suppress(FileNotFoundError, redis.BusyLoadingError):
        socket = Path((directory / "socket").read_text())
        if ping(socket):
            return socket_url(socket)
    return None


def ping(socket: Path) -> bool:
    """Return whether the server answers.

    Raises redis.BusyLoadingError while it still reads its data.
    """
    client = redis.Redis(
        unix_socket_path=str(socket), socket_timeout=1, retry=Retry(NoBackoff(), 0)
    )
    try:
        return bool(client.ping())
    except redis.BusyLoadingError:
        raise
    except (redis.ConnectionError, redis.TimeoutError):
        return False
    finally:
        client.close()


def socket_url(socket: Path) -> str:
    """Return the URL of a server's socket, for `redis.Redis.from_url`."""
    return f"unix://{quote(str(socket))}?db=0"
