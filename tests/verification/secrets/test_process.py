"""Show what the bot's process reveals to its user, its children and the disk."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.__main__ import SECRETS
from bot.config.settings import Settings
from bot.slack import action_ids
from sandbox.local import LocalSlack
from tests.support import processes
from tests.support.canary import forms, leaks
from tests.support.memory_trail import KEY
from tests.support.running_bot import ROOT, free_port, wait_for
from tests.verification.secrets.conftest import Run

linux = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")


@pytest.fixture
def dumps() -> Iterator[None]:
    """Let child processes leave core dumps, as far as the machine allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


def core_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_CORE)[1]


def cores(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("core*") if path.is_file()]


@linux
@pytest.mark.usefixtures("dumps")
@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGQUIT])
def test_a_crash_leaves_no_core_dump(run: Run, number: signal.Signals) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("the parent of the tests ignores this signal")
    world = run()
    person = world.engineer()
    message = world.approved(person)
    hold = world.slack.faults.hold("chat.postEphemeral")
    person.click(message, action_ids.REVEAL)
    assert hold.reached.wait(30)

    os.kill(world.running.process.pid, number)
    assert world.running.process.wait(30) == -number

    hold.release()
    assert world.aws.secrets and cores(world.folder) == []
    world.running.start()  # its database ended with it
    assert leaks(world) == []


@linux
@pytest.mark.usefixtures("dumps")
def test_an_unhardened_program_leaves_a_core_dump(tmp_path: Path) -> None:
    """The positive control, where the machine writes dumps beside the program."""
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if "/" in pattern or "|" in pattern or core_limit() == 0:
        pytest.skip(f"core dumps are not written here (core_pattern is {pattern})")
    dies = "import os, sys; secret = sys.stdin.read()[::-1]; os.kill(os.getpid(), 11)"
    subprocess.run(
        [sys.executable, "-c", dies], input="terces-gnol-a", cwd=tmp_path, text=True, check=False
    )
    [core] = cores(tmp_path)
    assert b"a-long-secret" in (tmp_path / core).read_bytes()


@linux
@pytest.mark.parametrize(("transport", "sizes"), [("socket", (1, 2)), ("http", (2, 3))])
def test_every_process_of_the_bot_is_hardened(
    run: Run, transport: str, sizes: tuple[int, int]
) -> None:
    bot = run(transport).running.process.pid
    family = processes.family(bot)
    programs = {one: (processes.PROC / str(one) / "cmdline").read_bytes() for one in family}
    bots = [one for one, program in programs.items() if program == programs[bot]]

    assert (len(bots), len(family)) == sizes
    assert all(processes.limits_core_dumps(one) for one in family)
    assert not any(processes.readable_by_its_user(one) for one in bots)


@linux
def test_an_unhardened_program_is_open_to_its_user() -> None:
    """The positive control."""
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"],
        stdin=subprocess.PIPE,
        preexec_fn=processes.like_anybody,
    ) as other:
        try:
            assert processes.readable_by_its_user(other.pid)
            resource.prlimit(other.pid, resource.RLIMIT_CORE, (0, core_limit()))
            assert not processes.limits_core_dumps(other.pid) or core_limit() == 0
        finally:
            other.kill()


def test_the_aws_credentials_helper_gets_no_token(run: Run, tmp_path: Path) -> None:
    """boto3 starts a `credential_process` with the bot's own environment."""
    helper, seen = tmp_path / "helper", tmp_path / "seen"
    helper.write_text(
        f'#!/bin/sh\nenv > "{seen}"\necho \'{{"Version": 1, "AccessKeyId": "AKIAIOSFODNN7EXAMPLE", '
        '"SecretAccessKey": "none"}\'\n'
    )
    helper.chmod(0o700)
    profile = tmp_path / "aws"
    profile.write_text(f"[default]\ncredential_process = {helper}\n")
    world = run(
        AWS_CONFIG_FILE=str(profile), AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="", AUDIT_KEY=KEY
    )

    world.engineer().command("/key create deploy")
    wait_for(seen.exists, 30, lambda: "boto3 to start the helper")
    wait_for(lambda: world.running.events("create"), 30, lambda: "an answer")

    environment = seen.read_text()
    secrets = (world.slack.bot_token, world.slack.app_token, KEY)
    assert "AWS_CONFIG_FILE" in environment
    assert not [name for name in SECRETS if f"{name}=" in environment]
    assert not any(form in environment for one in secrets for form in forms(one))


def test_secret_settings_leave_the_environment() -> None:
    fields = Settings.model_fields.items()
    hidden = [name.upper() for name, field in fields if "SecretStr" in repr(field.annotation)]
    assert sorted(hidden) == sorted(SECRETS)


@pytest.mark.parametrize(
    ("where", "transport"),
    [
        ("build", "socket"),
        ("start", "socket"),
        ("connect", "socket"),
        ("build", "http"),
        ("start", "http"),
    ],
)
def test_an_unexpected_crash_shows_no_secret_setting(
    slack: LocalSlack, tmp_path: Path, where: str, transport: str
) -> None:
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_APP_TOKEN": slack.app_token,
        "SLACK_SIGNING_SECRET": slack.signing_secret,
        "AUDIT_KEY": KEY,
        "SLACK_API_URL": slack.api_url,
        "APPROVAL_CHANNEL": "C0APPROVALS",
        "APPROVERS": "U0CAROL",
        "AWS_SECRET_ACCESS_KEY": "hunter2-hunter2",
        "X_MARK": "mark-of-the-environment",
    }
    frame = "_serve_socket"
    if transport == "http":  # gunicorn catches it in the worker, and logs it
        environ["PORT"], frame = str(free_port()), "init_process"
        del environ["SLACK_APP_TOKEN"]
    ended = subprocess.run(
        [sys.executable, "-m", "tests.verification.secrets.uncaught", where],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    said = ended.stdout + ended.stderr
    assert ended.returncode == 3, said  # it is gunicorn's code, too
    assert frame in said and f"Bug({where!r})" in said
    tokens = (slack.bot_token, slack.app_token, slack.signing_secret)
    for secret in (*tokens, KEY, "hunter2-hunter2", environ["X_MARK"]):
        assert secret not in said
