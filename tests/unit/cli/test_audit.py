"""`python -m bot audit` prints, filters and exports, and says plainly what keeps it from looking."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.__main__ import main
from bot.domain.records import AuditEntry, Change
from bot.store import embedded
from tests.support.memory_trail import KEY
from tests.support.running_bot import ROOT
from tests.support.store_contract import a_request
from tests.support.trail_world import A_KEY, START, STREAM, TrailWorld

OTHER = "fedcba9876543210fedcba98765432"


@pytest.fixture
def filled(trail: TrailWorld) -> TrailWorld:
    """Five entries of different people, requests and keys, a minute apart, and a seal."""
    trail.note(
        by="U0ALICE", action="create", request_id="r1", to_status="pending", reason="deploy script"
    )
    trail.note(
        by="U0CAROL",
        action="approve",
        request_id="r1",
        from_status="pending",
        to_status="approved",
        reason="",
    )
    trail.note(
        by="U0ALICE",
        action="record_key",
        request_id="r1",
        key_id=A_KEY,
        from_status="issuing",
        to_status="issuing",
        reason="",
    )
    trail.note(
        by="U0BOB",
        action="create",
        request_id=OTHER,
        to_status="pending",
        reason='=1+1 \x1b[2J\n,"quoted"',
    )
    trail.note(
        by="U0MALLORY",
        action="disable",
        request_id="",
        key_id="AKIA2",
        to_status="refused",
        reason="NotYourKey: You have no access key with that ID.",
    )
    trail.seal()
    return trail


def printed(trail: TrailWorld, *arguments: str) -> list[str]:
    """The numbers of the entries that are printed."""
    assert trail.run("--json", *arguments) == 0
    return [str(json.loads(line)["number"]) for line in trail.said().splitlines()]


def test_each_entry_is_printed_and_no_seal(filled: TrailWorld) -> None:
    assert filled.run() == 0
    first, second, third, fourth, fifth = filled.said().splitlines()
    assert first.split() == [
        "2026-11-24T10:02:00",
        "1",
        "U0ALICE",
        "create",
        "r1",
        "-",
        "-",
        "->",
        "pending",
        "deploy",
        "script",
    ]
    assert second.split()[1:9] == [
        "2",
        "U0CAROL",
        "approve",
        "r1",
        "-",
        "pending",
        "->",
        "approved",
    ]
    assert A_KEY in third
    assert "- -> refused  NotYourKey: You have no access key with that ID." in fifth
    assert r"=1+1 \x1b[2J\n," in fourth, "nothing that was typed moves the terminal"


def test_filters_by_key_and_request(filled: TrailWorld) -> None:
    assert printed(filled, "--key", A_KEY) == ["3"]
    assert printed(filled, "--request", "r1") == ["1", "2", "3"]
    assert printed(filled, "--request", "r1", "--key", A_KEY) == ["3"]
    assert printed(filled, "--request", "none") == []


def test_filters_by_user_including_their_requests(filled: TrailWorld) -> None:
    assert printed(filled, "--person", "U0CAROL") == ["2"]
    request = a_request("r1", requester="U0ALICE")
    filled.store.commit(Change(None, request), entry=AuditEntry(START, "U0ALICE", "create", "r1"))
    assert printed(filled, "--person", "<@U0ALICE>") == ["1", "2", "3", "6"]


def test_filters_by_time(filled: TrailWorld) -> None:
    assert printed(filled, "--since", "2026-11-24T10:04") == ["3", "4", "5"]
    assert printed(filled, "--since", "2026-11-24T11:05+01:00") == ["4", "5"]
    assert printed(filled, "--since", "2026-11-25") == []
    filled.note(at=filled.store.time())
    assert (
        printed(filled, "--since", "2h")[-1] == "6" and len(printed(filled, "--since", "500w")) == 6
    )
    assert filled.run("--since", "yesterday") == 2


def test_csv_is_read_back_and_holds_no_formula(filled: TrailWorld) -> None:
    assert filled.run("--csv") == 0
    rows = list(csv.DictReader(io.StringIO(filled.said(), newline="")))
    assert list(rows[0]) == [
        "number",
        "time",
        "who",
        "verb",
        "request",
        "key",
        "from",
        "to",
        "reason",
        "code",
        "facts",
    ]
    assert (rows[1]["who"], rows[1]["verb"], rows[1]["from"], rows[1]["to"]) == (
        "U0CAROL",
        "approve",
        "pending",
        "approved",
    )
    assert rows[3]["reason"] == '\'=1+1 \x1b[2J\n,"quoted"' and rows[3]["request"] == OTHER


def test_json_lines_are_those_of_the_log(filled: TrailWorld) -> None:
    assert filled.run("--json") == 0
    exported = [json.loads(line) for line in filled.said().splitlines()]
    logged = [
        {name: text for name, text in line.items() if name not in ("at", "level")}
        for line in filled.log.lines("audit")
        if line["action"] != "seal"
    ]
    assert exported == logged


def test_tampered_entry_is_printed(filled: TrailWorld) -> None:
    filled.raw.xadd(STREAM, {"at": "never", "number": "x", "by": "\x1b[2J"})
    assert filled.run("--since", "1h") == 0
    assert r"never       x  \x1b[2J" in filled.said()


# -- what keeps it from looking


def cannot_look(trail: TrailWorld, *arguments: str, **environ: str) -> str:
    """What is said on stderr, with exit code 2."""
    assert trail.run(*arguments, **environ) == 2
    out, err = trail.capture.readouterr()
    assert out == "" and err.startswith("Cannot read the audit trail: ")
    return err


def test_problems_with_reading_are_named(trail: TrailWorld) -> None:
    trail.sealed(1)
    gone = trail.folder / "gone"
    assert "AUDIT_KEY is not set" in cannot_look(trail, "--verify", AUDIT_KEY="")
    assert "AUDIT_KEY is shorter" in cannot_look(trail, "--verify", AUDIT_KEY="short")
    assert "gone cannot be read (No such file" in cannot_look(trail, "--verify", "--log", str(gone))
    assert "--verify" in cannot_look(trail, "--log", str(gone))
    assert "REDIS_URL" in cannot_look(trail, REDIS_URL="unix:///there/is/none")
    assert "REDIS_URL is not an address" in cannot_look(trail, REDIS_URL="localhost")
    gone.write_text("nothing of the trail\n")
    assert "LOG_FORMAT=json" in cannot_look(trail, "--verify", "--log", str(gone))


def test_missing_bot_is_named_and_not_started(trail: TrailWorld) -> None:
    empty = trail.folder / "empty"
    said = cannot_look(trail, REDIS_URL="", DATA_DIR=str(empty))
    assert f"No Keydesk is running that keeps its data in {empty}" in said and not empty.exists()


def test_settings_come_from_the_file_too(trail: TrailWorld) -> None:
    trail.sealed(1)
    (trail.folder / ".env").write_text(f"AUDIT_KEY={KEY}\nSLACK_BOT_TOKEN=not looked at\n")
    assert trail.run("--verify") == 0
    assert KEY not in trail.said()


def test_closed_pipe_gives_no_traceback(trail: TrailWorld) -> None:
    trail.note(2000)
    done = subprocess.run(  # noqa: S602
        f"{sys.executable} -m bot audit | head -n 1",
        shell=True,
        cwd=trail.folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "REDIS_URL": trail.url},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert len(done.stdout.splitlines()) == 1 and done.stderr == ""


def test_embedded_server_is_joined_and_left_running(tmp_path: Path) -> None:
    server = embedded.start(tmp_path / "data")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "bot", "audit", "--verify"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            env={"PYTHONPATH": str(ROOT), "AUDIT_KEY": KEY},
        )
        assert (done.returncode, done.stderr) == (
            0,
            "",
        ) and "Entries: 0, seals: 0. The trail is intact" in done.stdout
        assert embedded.join(tmp_path / "data").url == server.url
    finally:
        server.stop()


def test_help_names_options_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["audit", "--help"])
    said = capsys.readouterr().out
    assert all(
        option in said
        for option in (
            "--person",
            "--key",
            "--request",
            "--since",
            "--csv",
            "--json",
            "--verify",
            "--log",
        )
    )
    assert "1 tampered with" in " ".join(said.split())
