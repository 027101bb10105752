"""`python -m bot audit` prints, filters and exports the trail."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bot.__main__ import main
from bot.domain.records import AuditEntry, Change
from bot.store import embedded
from tests.support.memory_trail import KEY
from tests.support.running_bot import ROOT
from tests.support.store_values import a_request
from tests.support.trail_world import A_KEY, START, STREAM, TrailWorld

OTHER = "fedcba9876543210fedcba98765432"
ENTRIES: tuple[dict[str, str], ...] = (
    {"by": "U0ALICE", "action": "create", "to_status": "pending", "reason": "deploy script"},
    {"by": "U0CAROL", "action": "approve", "from_status": "pending", "to_status": "approved"},
    {"action": "record_key", "key_id": A_KEY, "from_status": "issuing", "to_status": "issuing"},
    {"by": "U0BOB", "action": "create", "request_id": OTHER, "reason": '=1+1 \x1b[2J\n,"quoted"'},
    {"by": "U0MALLORY", "action": "disable", "request_id": "", "to_status": "refused"}
    | {"key_id": "AKIA2", "reason": "NotYourKey: You have no access key with that ID."},
)


@pytest.fixture
def filled(trail: TrailWorld) -> TrailWorld:
    """Write five entries of different users, requests and keys, and seal them."""
    for entry in ENTRIES:
        trail.note(**{"request_id": "r1", "reason": ""} | entry)
    trail.seal()
    return trail


def printed(trail: TrailWorld, *arguments: str) -> str:
    """Return the numbers of the entries that are printed, as text: "1 2 3"."""
    assert trail.run("--json", *arguments) == 0
    return " ".join(str(json.loads(line)["number"]) for line in trail.said().splitlines())


def test_each_entry_is_printed_and_no_seal(filled: TrailWorld) -> None:
    assert filled.run() == 0
    first, second, third, fourth, fifth = filled.said().splitlines()
    cells = " ".join(first.split())
    assert cells == "2026-11-24T10:02:00 1 U0ALICE create r1 - - -> pending deploy script"
    assert " 2 U0CAROL approve r1 - pending -> approved" in " ".join(second.split())
    assert A_KEY in third
    assert "- -> refused  NotYourKey: You have no access key with that ID." in fifth
    assert r"=1+1 \x1b[2J\n," in fourth, "nothing that was typed moves the terminal"


@pytest.mark.parametrize(
    ("arguments", "numbers"),
    [
        (["--key", A_KEY], "3"),
        (["--request", "r1"], "1 2 3"),
        (["--request", "r1", "--key", A_KEY], "3"),
        (["--request", "none"], ""),
        (["--person", "U0CAROL"], "2"),
        (["--since", "2026-11-24T10:04"], "3 4 5"),
        (["--since", "2026-11-24T11:05+01:00"], "4 5"),
        (["--since", "2026-11-25"], ""),
    ],
)
def test_entries_are_filtered(filled: TrailWorld, arguments: list[str], numbers: str) -> None:
    assert printed(filled, *arguments) == numbers


def test_user_filter_includes_their_requests(filled: TrailWorld) -> None:
    request = a_request("r1", requester="U0ALICE")
    filled.store.commit(Change(None, request), entry=AuditEntry(START, "U0ALICE", "create", "r1"))
    assert printed(filled, "--person", "<@U0ALICE>") == "1 2 3 6"


def test_time_filter_takes_a_span(filled: TrailWorld) -> None:
    filled.note(at=filled.store.time())
    assert printed(filled, "--since", "2h")[-1] == "6"
    assert printed(filled, "--since", "500w") == "1 2 3 4 5 6"
    assert filled.run("--since", "yesterday") == 2


def test_csv_is_read_back_and_holds_no_formula(filled: TrailWorld) -> None:
    assert filled.run("--csv") == 0
    written = filled.said()
    assert written.startswith("number,time,who,verb,request,key,from,to,reason,code,facts\r\n")
    rows = list(csv.DictReader(io.StringIO(written, newline="")))
    cells = [rows[1][name] for name in ("who", "verb", "from", "to")]
    assert cells == ["U0CAROL", "approve", "pending", "approved"]
    assert rows[3]["reason"] == '\'=1+1 \x1b[2J\n,"quoted"' and rows[3]["request"] == OTHER


def test_json_lines_are_those_of_the_log(filled: TrailWorld) -> None:
    assert filled.run("--json") == 0
    exported = [json.loads(line) for line in filled.said().splitlines()]
    assert exported == [
        {name: text for name, text in line.items() if name not in ("at", "level")}
        for line in filled.log.lines("audit")
        if line["action"] != "seal"
    ]


def test_tampered_entry_is_printed(filled: TrailWorld) -> None:
    filled.raw.xadd(STREAM, {"at": "never", "number": "x", "by": "\x1b[2J"})
    assert filled.run("--since", "1h") == 0
    assert r"never       x  \x1b[2J" in filled.said()


# -- what it cannot read


def cannot_read(trail: TrailWorld, *arguments: str, **environ: str) -> str:
    """Return what is said on stderr, with exit code 2."""
    assert trail.run(*arguments, **environ) == 2
    out, err = trail.capture.readouterr()
    assert out == "" and err.startswith("Cannot read the audit trail: ")
    return err


def test_problems_with_reading_are_named(trail: TrailWorld) -> None:
    trail.sealed(1)
    gone = trail.folder / "gone"
    assert "AUDIT_KEY is not set" in cannot_read(trail, "--verify", AUDIT_KEY="")
    assert "AUDIT_KEY is shorter" in cannot_read(trail, "--verify", AUDIT_KEY="short")
    assert "gone cannot be read (No such file" in cannot_read(trail, "--verify", "--log", str(gone))
    assert "--verify" in cannot_read(trail, "--log", str(gone))
    assert "REDIS_URL" in cannot_read(trail, REDIS_URL="unix:///there/is/none")
    assert "REDIS_URL is not an address" in cannot_read(trail, REDIS_URL="localhost")
    gone.write_text("nothing of the trail\n")
    assert "LOG_FORMAT=json" in cannot_read(trail, "--verify", "--log", str(gone))


def test_missing_bot_is_named_and_not_started(trail: TrailWorld) -> None:
    empty = trail.folder / "empty"
    said = cannot_read(trail, REDIS_URL="", DATA_DIR=str(empty))
    assert f"No Keydesk is running that keeps its data in {empty}" in said and not empty.exists()


def test_settings_come_from_the_file_too(trail: TrailWorld) -> None:
    trail.sealed(1)
    (trail.folder / ".env").write_text(f"AUDIT_KEY={KEY}\nSLACK_BOT_TOKEN=not looked at\n")
    assert trail.run("--verify") == 0
    assert KEY not in trail.said()


# -- as a process


def audit_process(folder: Path, arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S602
        f"{sys.executable} -m bot audit {arguments}",
        shell=True,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_closed_pipe_gives_no_traceback(trail: TrailWorld) -> None:
    """The output is longer than the buffer of a pipe."""
    trail.note(100, reason="x" * 10_000)
    done = audit_process(trail.folder, "| head -n 1", REDIS_URL=trail.url)
    assert len(done.stdout.splitlines()) == 1 and done.stderr == ""


def test_embedded_server_is_joined_and_left_running(tmp_path: Path) -> None:
    server = embedded.start(tmp_path / "data")
    try:
        done = audit_process(tmp_path, "--verify", AUDIT_KEY=KEY)
        assert (done.returncode, done.stderr) == (0, "")
        assert "Entries: 0, seals: 0. The trail is intact" in done.stdout
        assert embedded.join(tmp_path / "data").url == server.url
    finally:
        server.stop()


def test_help_names_options_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["audit", "--help"])
    said = capsys.readouterr().out
    options = {"person", "key", "request", "since", "csv", "json", "verify", "log"}
    assert options <= set(re.findall(r"--(\w+)", said))
    assert "1 tampered with" in " ".join(said.split())
