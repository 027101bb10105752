"""Start the embedded server: one on each directory, private, and durable.

These tests run the real server and kill real processes. That acknowledged writes survive the
server's death is in `test_redis_store.py`.
"""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from bot.store.embedded import EmbeddedServer, start
from bot.store.errors import EmbeddedServerError
from tests.support.store_processes import PROCESS, first_line, launch, wait_until_gone

Start = Callable[[Path], EmbeddedServer]
OtherProcess = Callable[..., "subprocess.Popen[str]"]
WITHOUT_DEATH_SIGNAL = "import sys; sys.platform = 'darwin'\n" + PROCESS
WITH_FORKED_WORKER = PROCESS.replace(
    "print(",
    "import os\n"
    "if os.fork() == 0:\n"
    "    server.stop()\n"
    "    sys.stdin.readline()\n"
    "    os._exit(0)\n"
    "print(",
)


@pytest.fixture
def begin() -> Iterator[Start]:
    """Start servers that are stopped when the test ends."""
    servers: list[EmbeddedServer] = []

    def begin(data_dir: Path) -> EmbeddedServer:
        servers.append(start(data_dir))
        return servers[-1]

    yield begin
    for server in servers:
        server.stop()


@pytest.fixture
def other_process() -> Iterator[OtherProcess]:
    """Run processes that start or join the server of a directory."""
    started: list[subprocess.Popen[str]] = []

    def other(data_dir: Path, code: str = PROCESS) -> subprocess.Popen[str]:
        started.append(launch(data_dir, code))
        return started[-1]

    yield other
    for process in started:
        process.kill()
        process.communicate()


def client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, decode_responses=True)


def process_id(url: str) -> int:
    return int(client(url).info("server")["process_id"])


def test_data_survives_a_restart(tmp_path: Path, begin: Start) -> None:
    """Stopping twice does no harm."""
    server = begin(tmp_path)
    client(server.url).set("word", "kept")
    stopped = process_id(server.url)
    server.stop()
    server.stop()
    wait_until_gone(stopped)
    again = begin(tmp_path)
    assert again.started_here and client(again.url).get("word") == "kept"


def test_a_second_process_joins_and_cannot_stop_the_server(
    tmp_path: Path, begin: Start, other_process: OtherProcess
) -> None:
    server = begin(tmp_path)
    second = other_process(tmp_path)
    assert first_line(second) == [server.url, "False"]
    second.communicate("stop\n", timeout=20)
    assert second.returncode == 0
    assert client(server.url).ping()


def test_processes_that_start_at_once_share_one_server(
    tmp_path: Path, other_process: OtherProcess
) -> None:
    lines = [first_line(process) for process in [other_process(tmp_path) for _ in range(6)]]
    assert sorted(started for _, started in lines) == ["False"] * 5 + ["True"]
    assert len({url for url, _ in lines}) == 1


@pytest.mark.parametrize("code", [PROCESS, WITHOUT_DEATH_SIGNAL], ids=["linux", "macos"])
def test_the_next_start_after_a_killed_parent_has_the_data(
    tmp_path: Path, begin: Start, other_process: OtherProcess, code: str
) -> None:
    """The next start comes at once, while the old server still runs or shuts down.

    The server ends with its parent. macOS has no PR_SET_PDEATHSIG: there the next start ends it.
    """
    parent = other_process(tmp_path, code)
    url, started_here = first_line(parent)
    assert started_here == "True"
    connection = client(url)
    connection.set("word", "kept")
    orphan = process_id(url)
    parent.kill()
    parent.wait()
    if code == WITHOUT_DEATH_SIGNAL:
        assert connection.ping(), "the orphan still runs"
    successor = begin(tmp_path)
    wait_until_gone(orphan)
    assert successor.started_here and client(successor.url).get("word") == "kept"


def test_a_forked_worker_neither_stops_nor_locks_the_server(
    tmp_path: Path, begin: Start, other_process: OtherProcess
) -> None:
    master = other_process(tmp_path, WITH_FORKED_WORKER)
    url, _ = first_line(master)
    assert client(url).ping()
    master.kill()
    master.wait()
    assert begin(tmp_path).started_here


@pytest.mark.parametrize("name", ["x" * 120, "a b 50% off? #tag"], ids=["deep", "odd characters"])
def test_any_directory_name_works_and_is_private(
    tmp_path: Path, begin: Start, other_process: OtherProcess, name: str
) -> None:
    """A socket's path has at most about 100 bytes, so a deep one lies elsewhere."""
    directory = tmp_path / name
    directory.mkdir(mode=0o755)
    server = begin(directory)
    client(server.url).set("word", "kept")
    socket = Path(str(client(server.url).config_get("unixsocket")["unixsocket"]))
    for path in (directory, socket, socket.parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert first_line(other_process(directory)) == [server.url, "False"]
    server.stop()
    assert not socket.exists()
    assert client(begin(directory).url).get("word") == "kept"


def test_the_server_writes_before_it_answers_and_has_no_port(tmp_path: Path, begin: Start) -> None:
    expected = {
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "port": "0",
        "maxmemory-policy": "noeviction",
    }
    config = client(begin(tmp_path).url).config_get("*")
    assert {name: config[name] for name in expected} == expected


def test_the_server_does_not_inherit_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "canary")
    shows_environment = tmp_path / "server"
    shows_environment.write_text("#!/bin/sh\nexec env\n")
    shows_environment.chmod(0o700)
    with pytest.raises(EmbeddedServerError, match="LC_ALL=C") as shown:
        start(tmp_path / "data", binary=shows_environment)
    assert "canary" not in str(shown.value)


def test_unreadable_data_is_refused_with_the_end_of_the_log(tmp_path: Path, begin: Start) -> None:
    begin(tmp_path).stop()
    (tmp_path / "appendonlydir" / "appendonly.aof.manifest").write_text("nonsense\n")
    with pytest.raises(EmbeddedServerError, match=r"set REDIS_URL[\s\S]*manifest") as refused:
        start(tmp_path)
    assert str(tmp_path / "valkey.log") in str(refused.value)


def test_a_locked_directory_with_a_silent_server_is_refused(tmp_path: Path, begin: Start) -> None:
    os.kill(process_id(begin(tmp_path).url), signal.SIGKILL)
    with pytest.raises(EmbeddedServerError, match="Another process holds"):
        start(tmp_path, timeout=0.1)


def test_a_failed_start_leaves_the_directory_free(tmp_path: Path, begin: Start) -> None:
    with pytest.raises(EmbeddedServerError, match="Set REDIS_URL"):
        start(tmp_path, binary=tmp_path / "no-such-server")
    assert begin(tmp_path).started_here


def test_a_disk_that_is_temporary_or_unusable_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedServerError, match="Set REDIS_URL"):
        start(tmp_path, dyno=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedServerError, match="Choose a directory of your own"):
        start(tmp_path / "file" / "data")


def test_only_the_main_thread_may_start_the_server(tmp_path: Path) -> None:
    """PR_SET_PDEATHSIG follows the thread that forked: the server would end with it."""
    with ThreadPoolExecutor(1) as pool, pytest.raises(EmbeddedServerError, match="main thread"):
        pool.submit(start, tmp_path).result(timeout=10)
