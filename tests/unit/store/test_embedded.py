"""Does the embedded server keep what it acknowledged, and is there never more than one on a directory?

These tests run the real server and really kill processes.
"""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from bot.store.embedded import EmbeddedServer, start
from bot.store.errors import EmbeddedServerError
from tests.support.store_processes import PROCESS, first_line, launch, wait_until_gone

Start = Callable[[Path], EmbeddedServer]


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
def other_process(tmp_path: Path) -> Iterator[Callable[[Path], subprocess.Popen[str]]]:
    """Start another process that starts (or joins) the server of a directory until a line is sent to it."""
    started: list[subprocess.Popen[str]] = []

    def other(data_dir: Path, code: str = PROCESS) -> subprocess.Popen[str]:
        started.append(launch(data_dir, code))
        return started[-1]

    yield other
    for process in started:
        process.kill()
        process.communicate()


def client(server: EmbeddedServer) -> redis.Redis:
    return redis.Redis.from_url(server.url, decode_responses=True)


def pid(server: EmbeddedServer) -> int:
    return int(client(server).info("server")["process_id"])


def socket_of(server: EmbeddedServer) -> Path:
    return Path(str(client(server).config_get("unixsocket")["unixsocket"]))


def test_an_acknowledged_write_survives_the_death_of_the_server(
    tmp_path: Path, begin: Start
) -> None:
    server = begin(tmp_path)
    enough = threading.Semaphore(0)

    def write(writer: int) -> list[str]:
        connection = client(server)
        acknowledged: list[str] = []
        while True:
            name = f"{writer}:{len(acknowledged)}"
            try:
                connection.set(name, name)
            except redis.RedisError:
                return acknowledged
            acknowledged.append(name)
            enough.release()

    with ThreadPoolExecutor(8) as pool:
        writers = [pool.submit(write, n) for n in range(8)]
        for _ in range(800):
            assert enough.acquire(timeout=20)
        os.kill(pid(server), signal.SIGKILL)
        names = [name for writer in writers for name in writer.result(timeout=30)]
    server.stop()

    kept = client(begin(tmp_path)).mget(names)

    assert len(names) >= 800
    assert kept == names


def test_data_survives_a_restart_and_stopping_twice_is_harmless(
    tmp_path: Path, begin: Start
) -> None:
    server = begin(tmp_path)
    client(server).set("word", "kept")
    process_id = pid(server)
    server.stop()
    server.stop()
    wait_until_gone(process_id)

    again = begin(tmp_path)

    assert again.started_here
    assert client(again).get("word") == "kept"


def test_a_second_process_joins_the_running_server_and_cannot_stop_it(
    tmp_path: Path, begin: Start, other_process: Callable[[Path], subprocess.Popen[str]]
) -> None:
    server = begin(tmp_path)

    second = other_process(tmp_path)

    assert first_line(second) == [server.url, "False"]
    second.communicate("stop\n", timeout=20)
    assert second.returncode == 0
    assert client(server).ping()


def test_twelve_processes_at_once_share_one_server(
    tmp_path: Path, other_process: Callable[[Path], subprocess.Popen[str]]
) -> None:
    lines = [first_line(process) for process in [other_process(tmp_path) for _ in range(12)]]

    assert sorted(started for _, started in lines) == ["False"] * 11 + ["True"]
    assert len({url for url, _ in lines}) == 1


def test_the_server_ends_with_its_parent_and_the_next_start_has_the_data(
    tmp_path: Path, begin: Start, other_process: Callable[[Path], subprocess.Popen[str]]
) -> None:
    parent = other_process(tmp_path)
    url, started_here = first_line(parent)
    assert started_here == "True"
    connection = redis.Redis.from_url(url, decode_responses=True)
    connection.set("word", "kept")
    orphan = int(connection.info("server")["process_id"])

    parent.kill()
    parent.wait()
    successor = begin(tmp_path)  # at once, while the old server is still shutting down

    wait_until_gone(orphan)
    assert successor.started_here
    assert client(successor).get("word") == "kept"


def test_an_orphan_that_nothing_told_to_end_is_ended_before_a_new_server_starts(
    tmp_path: Path, begin: Start, other_process: Callable[..., subprocess.Popen[str]]
) -> None:
    """macOS has no PR_SET_PDEATHSIG: there a server outlives a parent that was killed."""
    without_signal = "import sys; sys.platform = 'darwin'\n" + PROCESS
    parent = other_process(tmp_path, without_signal)
    connection = redis.Redis.from_url(first_line(parent)[0], decode_responses=True)
    connection.set("word", "kept")
    orphan = int(connection.info("server")["process_id"])
    parent.kill()
    parent.wait()
    assert connection.ping(), "the orphan should still run"

    successor = begin(tmp_path)

    wait_until_gone(orphan)
    assert successor.started_here
    assert client(successor).get("word") == "kept"


def test_a_forked_worker_neither_stops_the_server_nor_keeps_its_lock(
    tmp_path: Path, begin: Start, other_process: Callable[..., subprocess.Popen[str]]
) -> None:
    forking = PROCESS.replace(
        "print(",
        "import os\nif os.fork() == 0:\n    server.stop()\n    sys.stdin.readline()\n    os._exit(0)\nprint(",
    )
    master = other_process(tmp_path, forking)
    url, _ = first_line(master)
    assert redis.Redis.from_url(url).ping()
    master.kill()
    master.wait()

    assert begin(tmp_path).started_here


@pytest.mark.parametrize(
    "name", ["x" * 120, "a b", "50% off?", "#tag"], ids=["deep", "space", "percent", "hash"]
)
def test_any_directory_name_will_do(
    tmp_path: Path, begin: Start, other_process: Callable[[Path], subprocess.Popen[str]], name: str
) -> None:
    """A socket's path is limited to about 100 bytes (unix(7)), so for a deep directory it lies elsewhere."""
    server = begin(tmp_path / name)
    client(server).set("word", "kept")

    assert first_line(other_process(tmp_path / name)) == [server.url, "False"]
    socket = socket_of(server)
    server.stop()
    assert not socket.exists()
    assert client(begin(tmp_path / name)).get("word") == "kept"


@pytest.mark.parametrize("name", ["open", "x" * 120], ids=["near", "deep"])
def test_nobody_else_can_read_the_data_or_open_the_socket(
    tmp_path: Path, begin: Start, name: str
) -> None:
    directory = tmp_path / name
    directory.mkdir(mode=0o755)

    socket = socket_of(begin(directory))

    for path in (directory, socket, socket.parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_the_server_answers_only_after_writing_and_listens_on_no_port(
    tmp_path: Path, begin: Start
) -> None:
    config = client(begin(tmp_path)).config_get("*")

    assert {
        name: config[name]
        for name in ("appendonly", "appendfsync", "save", "port", "maxmemory-policy")
    } == {
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "port": "0",
        "maxmemory-policy": "noeviction",
    }


def test_the_server_does_not_inherit_our_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "canary")
    shows_environment = tmp_path / "server"
    shows_environment.write_text("#!/bin/sh\nexec env\n")
    shows_environment.chmod(0o700)

    with pytest.raises(EmbeddedServerError, match="LC_ALL=C") as shown:
        start(tmp_path / "data", binary=shows_environment)

    assert "canary" not in str(shown.value)


def test_data_that_cannot_be_read_is_refused_with_the_last_words_of_the_log(
    tmp_path: Path, begin: Start
) -> None:
    begin(tmp_path).stop()
    (tmp_path / "appendonlydir" / "appendonly.aof.manifest").write_text("nonsense\n")

    with pytest.raises(EmbeddedServerError, match=r"set REDIS_URL[\s\S]*manifest") as refused:
        start(tmp_path)

    assert str(tmp_path / "valkey.log") in str(refused.value)


def test_a_failed_start_leaves_the_directory_free(tmp_path: Path, begin: Start) -> None:
    with pytest.raises(EmbeddedServerError, match="Set REDIS_URL"):
        start(tmp_path, binary=tmp_path / "no-such-server")

    assert begin(tmp_path).started_here


def test_a_held_directory_whose_server_is_silent_is_refused(tmp_path: Path, begin: Start) -> None:
    server = begin(tmp_path)
    process_id = pid(server)
    os.kill(process_id, signal.SIGKILL)
    client(server).close()

    with pytest.raises(EmbeddedServerError, match="Another process holds"):
        start(tmp_path, timeout=0.1)


def test_a_disk_that_is_not_kept_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedServerError, match="Set REDIS_URL"):
        start(tmp_path, dyno=True)


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(EmbeddedServerError, match="Choose a directory of your own"):
        start(tmp_path / "file" / "data")


def test_only_the_main_thread_may_start_it(tmp_path: Path) -> None:
    """PR_SET_PDEATHSIG follows the thread that forked: with a passing thread the server would die at once."""
    with ThreadPoolExecutor(1) as pool, pytest.raises(EmbeddedServerError, match="main thread"):
        pool.submit(start, tmp_path).result(timeout=10)
