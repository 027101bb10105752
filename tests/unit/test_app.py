"""The bot is built from its settings. An error names the setting to correct."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from slack_sdk import WebClient

from bot import app, start_checks
from bot.config import loading
from bot.config.errors import StartError
from bot.domain.records import AuditEntry
from bot.runtime.clock import SystemClock
from bot.slack.directory import SlackDirectory
from bot.store.connection import connect
from bot.store.embedded import EmbeddedServer
from bot.store.redis_store import RedisStore
from sandbox.local import LocalSlack
from sandbox.people import BOT_USER
from tests.support.logged import Log, logged
from tests.support.running_bot import MANIFEST, free_port

CHANNEL = "C0APPROVALS"


@pytest.fixture
def slack() -> Iterator[LocalSlack]:
    with LocalSlack(MANIFEST) as local:
        yield local


@pytest.fixture
def log() -> Iterator[Log]:
    with logged() as written:
        yield written


@pytest.fixture
def environ(slack: LocalSlack, valkey: EmbeddedServer, redis_store: RedisStore) -> dict[str, str]:
    """Return an environment with which the bot starts, on an empty database."""
    return {
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_APP_TOKEN": slack.app_token,
        "SLACK_API_URL": slack.api_url,
        "APPROVAL_CHANNEL": CHANNEL,
        "APPROVERS": "S0APPROVERS,U0BOB",
        "REDIS_URL": valkey.url,
        "AWS_REGION": "us-east-1",
        "AUDIT_CHANNEL": "C0AUDIT",
        "AUDIT_KEY": "0123456789abcdef" * 2,
    }


def build(environ: dict[str, str]) -> app.Bot:
    return app.build(loading.load(environ, None))


def refusal(environ: dict[str, str]) -> str:
    """Return the text of the error with which the bot does not start."""
    with pytest.raises(StartError) as caught:
        build(environ)
    said = str(caught.value)
    assert "\n" not in said and said.endswith(".")
    assert environ["SLACK_BOT_TOKEN"] not in said
    return said


@pytest.mark.parametrize(
    ("config", "profile", "cause"),
    [
        ("", "misspelt", "ProfileNotFound"),
        ("not a section", "", "ConfigParseError"),
        ("[default]\ncredential_process = false", "", "CredentialRetrievalError"),
        ("[default]\nregion = not a region", "", "InvalidRegionError"),
    ],
)
def test_unusable_aws_configuration_is_named(
    environ: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    config: str,
    profile: str,
    cause: str,
) -> None:
    (tmp_path / "config").write_text(config)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    if profile:
        monkeypatch.setenv("AWS_PROFILE", profile)
    said = refusal({**environ, "AWS_REGION": ""})
    assert said.startswith("AWS: ") and f"({cause})" in said


def test_bot_publishes_the_audit_trail_while_it_runs(
    slack: LocalSlack, environ: dict[str, str], log: Log
) -> None:
    bot = build(environ)
    bot.store.commit(entry=AuditEntry(bot.store.time(), "U0ALICE", "create", "r1"))
    bot.start()
    slack.person("carol").wait_for("key-audit", "create · request r1")
    assert bot.pool.drain(10)
    bot.stop()
    assert [line["action"] for line in log.lines("audit")] == ["create", "seal"]
    assert [line for line in log.lines() if line["level"] in ("warning", "error")] == []
    assert environ["AUDIT_KEY"] not in log.text


def test_operations_get_the_settings_and_the_workspace(environ: dict[str, str], log: Log) -> None:
    quorum = {"APPROVALS_REQUIRED": "2", "RISKY_NEEDS_ONE_MORE": "true"}
    settings = loading.load({**environ, **quorum}, None)
    bot = app.build(settings)
    bot.stop()
    assert bot.services.settings is settings and bot.services.team_id == "T0KEYDESK"
    assert (settings.approvals_required, settings.risky_needs_one_more) == (2, True)
    [line] = log.lines("approvers")
    assert (line["outcome"], line["known"], line["approvals_needed"]) == ("too few", 2, 3)


# -- settings with which it does not start


def test_refused_token_is_named(environ: dict[str, str]) -> None:
    said = refusal({**environ, "SLACK_BOT_TOKEN": "xoxb-0000000000-of-another-app"})
    assert said.startswith("SLACK_BOT_TOKEN: ")
    assert "(invalid_auth)" in said and "Install App" in said


def test_unreachable_slack_is_named(environ: dict[str, str]) -> None:
    said = refusal({**environ, "SLACK_API_URL": f"http://127.0.0.1:{free_port()}/api/"})
    assert said.startswith("SLACK_BOT_TOKEN: ") and "SLACK_API_URL" in said


# "conversation object", Slack documentation: shared by Slack Connect, or in an organisation.
SHARED = ({"is_ext_shared": True}, {"is_org_shared": True})


@pytest.mark.parametrize(
    ("setting", "channel"), [("APPROVAL_CHANNEL", CHANNEL), ("AUDIT_CHANNEL", "C0AUDIT")]
)
def test_unfit_channel_is_refused(
    slack: LocalSlack, environ: dict[str, str], setting: str, channel: str
) -> None:
    unknown = refusal({**environ, setting: "C0NOWHERE"})
    assert unknown.startswith(f"{setting}: ") and "C0NOWHERE (channel_not_found)" in unknown
    for change in SHARED:
        slack.change_channel(channel, **change)
        assert refusal(environ).startswith(f"{setting}: channel {channel} is shared ")
        slack.change_channel(channel, **dict.fromkeys(change, False))
    slack.change_channel(channel, is_archived=True)
    assert refusal(environ).startswith(f"{setting}: channel {channel} is archived.")
    slack.change_channel(channel, is_archived=False)
    slack.leave(BOT_USER, channel)
    said = refusal(environ)
    assert said.startswith(f"{setting}: Keydesk is not a member of channel {channel}.")
    assert "/invite" in said
    slack.change_channel(channel, is_private=True)
    assert "invite Keydesk to it" in refusal(environ)


def test_database_that_may_evict_keys_is_refused(
    valkey: EmbeddedServer, environ: dict[str, str]
) -> None:
    client: Any = connect(valkey.url)
    client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        said = refusal(environ)
    finally:
        client.config_set("maxmemory-policy", "noeviction")
        client.close()
    assert said.startswith("REDIS_URL: ") and "allkeys-lru" in said and "noeviction" in said


def test_unreachable_database_is_named_without_its_password(environ: dict[str, str]) -> None:
    said = refusal({**environ, "REDIS_URL": f"redis://:hush@127.0.0.1:{free_port()}/0"})
    assert said.startswith("REDIS_URL: ") and "hush" not in said


def test_missing_database_is_refused(environ: dict[str, str]) -> None:
    del environ["REDIS_URL"]
    assert refusal(environ).startswith("REDIS_URL: ")


# -- approvers


def approvers_warning(
    slack: LocalSlack, log: Log, *users: str, needed: int = 1, group: str = "S0APPROVERS"
) -> dict[str, Any]:
    """Return the line that is logged about these users and the group's, or {}."""
    web = WebClient(token=slack.bot_token, base_url=slack.api_url, retry_handlers=[], timeout=5)
    who = {"users": frozenset(users), "groups": frozenset({group})}
    directory = SlackDirectory(web, "T0KEYDESK", **who, monotonic=lambda: 0)
    start_checks.warn_if_too_few_approvers(directory, needed)
    [line] = log.lines("approvers") or [{}]
    return line


def test_groups_without_members_are_logged(slack: LocalSlack, log: Log) -> None:
    slack.set_group("S0APPROVERS", [])
    line = approvers_warning(slack, log)
    assert (line["level"], line["outcome"]) == ("warning", "none")


def test_too_few_approvers_are_logged(slack: LocalSlack, log: Log) -> None:
    assert approvers_warning(slack, log, "U0BOB", needed=2) == {}
    line = approvers_warning(slack, log, "U0BOB", needed=3)
    assert (line["level"], line["outcome"]) == ("warning", "too few")
    assert (line["known"], line["approvals_needed"]) == (2, 3)


@pytest.mark.parametrize("error", ["plan_upgrade_required", "no_such_subteam", "fatal_error"])
def test_unreadable_group_is_logged(slack: LocalSlack, log: Log, error: str) -> None:
    slack.faults.fail("usergroups.users.list", error)
    line = approvers_warning(slack, log, "U0BOB")
    assert (line["level"], line["outcome"], line["error"]) == ("warning", "unknown", error)
    assert line["hint"]


def test_missing_scope_is_logged(tmp_path: Path, log: Log) -> None:
    manifest = yaml.safe_load(MANIFEST.read_text())
    manifest["oauth_config"]["scopes"]["bot"].remove("usergroups:read")
    path = tmp_path / "manifest.yml"
    path.write_text(yaml.safe_dump(manifest))
    with LocalSlack(path) as slack:
        line = approvers_warning(slack, log, "U0BOB")
    assert (line["outcome"], line["error"]) == ("unknown", "missing_scope") and line["hint"]


# -- logs, clock and IDs


def test_no_library_logs_below_info(environ: dict[str, str], log: Log) -> None:
    """Bolt gives its loggers the root's level. At DEBUG they write whole messages."""
    bolt, botocore = (
        ("slack_bolt.App", "slack_sdk.web.base_client"),
        ("botocore.parsers", "urllib3"),
    )
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.DEBUG)
    try:
        build(environ).stop()
        names = (*bolt, "slack_sdk.webhook.client", *botocore)
        levels = {name: logging.getLogger(name).getEffectiveLevel() for name in names}
    finally:
        root.setLevel(before)
    assert min(levels.values()) >= logging.INFO, levels


def test_clock_measures_its_drift_from_the_database() -> None:
    long_ago, one_day = datetime(2000, 1, 1, tzinfo=UTC), datetime(2900, 1, 1, tzinfo=UTC)
    year = timedelta(days=365)
    assert SystemClock(lambda: long_ago).drift() > year
    assert SystemClock(lambda: one_day).drift() < -year


def test_ids_are_opaque_and_unique() -> None:
    ids = {app.new_id() for _ in range(1000)}
    assert len(ids) == 1000 and all(len(one) == 30 and one.isalnum() for one in ids)


def test_trial_clock_is_read_from_its_file(tmp_path: Path, environ: dict[str, str]) -> None:
    """Moved time is no drift, which compares the database with the machine."""
    ahead = tmp_path / "ahead"
    bot = build({**environ, "TRIAL_CLOCK": str(ahead)})
    moved = []
    for text in (None, "86400\n", "junk", "-5", ""):
        if text is not None:
            ahead.write_text(text)
        moved.append(round((bot.services.clock.now() - datetime.now(UTC)) / timedelta(days=1)))
    drift = bot.services.clock.drift()
    bot.stop()
    assert moved == [0, 1, 0, 0, 0] and abs(drift) < timedelta(seconds=5)
