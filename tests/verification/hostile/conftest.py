"""Share a target, or a running bot, among the tests of a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.identity import IamMapping
from bot.domain.keys import DesiredState, ManagedKey, Origin
from bot.domain.records import AuditEntry, Change
from bot.operations.disable_key import adopted_key
from sandbox.aws import LocalAws
from sandbox.local import LocalSlack
from tests.support.running_bot import MANIFEST, RunningBot
from tests.verification.hostile.target import Target, running_target

ACCOUNT = "111122223333"
WITHIN = 45.0  # seconds; no test waits that long unless it fails


@pytest.fixture(scope="module")
def shared() -> Iterator[Target]:
    with running_target() as found:
        yield found


@pytest.fixture
def target(shared: Target) -> Target:
    """Return the shared target with its saved state restored."""
    shared.restore()
    return shared


@pytest.fixture(scope="module")
def furnished(shared: Target) -> Target:
    """Return the target with service users, an orphaned and a reported key."""
    iam, names = shared.bot.iam, shared.names
    iam.add_user("ci-deploy", owner="U0ALICE")
    iam.add_user("ci-group", owner="S0OPS")
    for name in ("alice", "bob", "erin", "frank", "gina"):
        iam.add_user(f"{name}@example.com", owner=f"U0{name.upper()}")
    iam.create_key("gina@example.com")  # both of her slots are taken
    names["service"] = iam.create_key("ci-deploy")[0].id
    names["group"] = iam.create_key("ci-group")[0].id
    names["found"], names["reported"] = _orphaned(shared), _reported(shared)
    assert shared.bot.services.settings.iam_mapping == IamMapping()
    shared.save()
    return shared


def _orphaned(target: Target) -> str:
    """Return a key of Erin's that was found after a lost answer."""
    key = target.bot.iam.create_key("erin@example.com")[0]
    record = ManagedKey(
        id=key.id,
        account=ACCOUNT,
        iam_user=key.iam_user,
        owner="U0ERIN",
        request_id=target.names["approved"],
        origin=Origin.ORPHANED,
        created_at=key.created_at,
        desired=DesiredState.INACTIVE,
        version=1,
    )
    _store(target, record, "keydesk", "found")
    return key.id


def _reported(target: Target) -> str:
    """Return a key of Erin's that was reported two hours ago, and is still on."""
    key = target.bot.iam.create_key("erin@example.com")[0]
    reported_at = target.bot.clock.now() - timedelta(hours=2)
    record = adopted_key(ACCOUNT, key, "U0ERIN")
    record = replace(record, reported_by="U0FRANK", version=1, reported_at=reported_at)
    _store(target, record, "U0FRANK", "report")
    return key.id


def _store(target: Target, record: ManagedKey, by: str, action: str) -> None:
    entry = AuditEntry(target.bot.clock.now(), by, action, key_id=record.id)
    target.bot.store.commit(Change(None, record), entry=entry)


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with LocalAws() as found:
        found.client("iam").create_user(UserName="alice@example.com")
        yield found


def running(aws: LocalAws, folder: Path, transport: str) -> Iterator[RunningBot]:
    with (
        LocalSlack(MANIFEST) as slack,
        RunningBot(slack, aws, folder, transport, {"LOG_LEVEL": "debug"}) as bot,
    ):
        yield bot


@pytest.fixture(scope="module")
def http_bot(aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBot]:
    yield from running(aws, tmp_path_factory.mktemp("http"), "http")


@pytest.fixture(scope="module")
def socket_bot(aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBot]:
    yield from running(aws, tmp_path_factory.mktemp("socket"), "socket")


@pytest.fixture
def over_http(http_bot: RunningBot) -> Iterator[RunningBot]:
    yield from unharmed(http_bot)
    assert "Traceback" not in http_bot.log


@pytest.fixture
def over_socket(socket_bot: RunningBot) -> Iterator[RunningBot]:
    yield from unharmed(socket_bot)


def unharmed(bot: RunningBot) -> Iterator[RunningBot]:
    """Check after a test that the same process answers and logged nothing unexpected."""
    before = processes(bot)
    yield bot
    helped = len(bot.events("help"))
    assert bot.slack.person("alice").command("/key help").acked
    bot.slack.wait_until(lambda: len(bot.events("help")) > helped, WITHIN, "it answers /key help")
    assert processes(bot) == before
    assert [event for event in ("unexpected", "work failed", "uncaught") if bot.events(event)] == []
    assert bot.requests_of("U0CAROL") == []


def processes(bot: RunningBot) -> list[int]:
    """Return the bot's process and those it has started."""
    assert bot.process and bot.process.poll() is None, bot.log
    pid = bot.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *sorted(int(child) for child in children)]
