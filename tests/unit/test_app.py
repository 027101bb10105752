"""Build the bot from its settings. Where it cannot start, the error names the setting."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot import app
from bot.config import loading
from bot.config.errors import StartError
from bot.domain.records import AuditEntry
from bot.runtime.clock import SystemClock
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


def test_bot_is_built_started_and_stopped(environ: dict[str, str], log: Log) -> None:
    bot = build(environ)
    bot.start()
    assert bot.services.settings.approval_channel == CHANNEL
    assert bot.pool.drain(10)
    bot.stop()
    assert [line for line in log.lines() if line["level"] in ("warning", "error")] == []


def test_operations_get_the_settings_and_the_workspace(environ: dict[str, str]) -> None:
    settings = loading.load({**environ, "REQUEST_TTL": "2h"}, None)
    bot = app.build(settings)
    bot.stop()
    assert bot.services.settings is settings
    assert bot.services.team_id == "T0KEYDESK"


def test_refused_token_is_named(environ: dict[str, str]) -> None:
    said = refusal({**environ, "SLACK_BOT_TOKEN": "xoxb-0000000000-somebody-elses"})
    assert (
        said.startswith("SLACK_BOT_TOKEN: ") and "(invalid_auth)" in said and "Install App" in said
    )


def test_unreachable_slack_is_named(environ: dict[str, str]) -> None:
    said = refusal({**environ, "SLACK_API_URL": f"http://127.0.0.1:{free_port()}/api/"})
    assert said.startswith("SLACK_BOT_TOKEN: ") and "SLACK_API_URL" in said


def test_unknown_channel_is_refused(environ: dict[str, str]) -> None:
    said = refusal({**environ, "APPROVAL_CHANNEL": "C0NOWHERE"})
    assert said.startswith("APPROVAL_CHANNEL: ") and "C0NOWHERE (channel_not_found)" in said


@pytest.mark.parametrize("how", ["is_ext_shared", "is_org_shared"])
def test_shared_channel_is_refused(slack: LocalSlack, environ: dict[str, str], how: str) -> None:
    """By Slack Connect, or within an Enterprise Grid organisation ("conversation object", Slack documentation)."""
    slack.change_channel(CHANNEL, **{how: True})
    said = refusal(environ)
    assert said.startswith(f"APPROVAL_CHANNEL: channel {CHANNEL} is shared ")


def test_archived_channel_is_refused(slack: LocalSlack, environ: dict[str, str]) -> None:
    slack.change_channel(CHANNEL, is_archived=True)
    assert refusal(environ).startswith(f"APPROVAL_CHANNEL: channel {CHANNEL} is archived.")


def test_channel_without_keydesk_is_refused(slack: LocalSlack, environ: dict[str, str]) -> None:
    slack.leave(BOT_USER, CHANNEL)
    said = refusal(environ)
    assert (
        said.startswith(f"APPROVAL_CHANNEL: Keydesk is not a member of channel {CHANNEL}.")
        and "/invite" in said
    )


def test_audit_channel_is_checked_like_the_approval_channel(
    slack: LocalSlack, environ: dict[str, str]
) -> None:
    assert refusal({**environ, "AUDIT_CHANNEL": "C0NOWHERE"}).startswith("AUDIT_CHANNEL: ")
    slack.leave(BOT_USER, "C0AUDIT")
    assert refusal(environ).startswith("AUDIT_CHANNEL: Keydesk is not a member of channel C0AUDIT.")
    slack.join(BOT_USER, "C0AUDIT")
    slack.share_channel("C0AUDIT")
    assert refusal(environ).startswith("AUDIT_CHANNEL: channel C0AUDIT is shared ")
    slack.change_channel("C0AUDIT", is_ext_shared=False, is_archived=True)
    assert refusal(environ).startswith("AUDIT_CHANNEL: channel C0AUDIT is archived.")


def test_audit_entries_are_logged_sealed_and_posted(
    slack: LocalSlack, environ: dict[str, str], log: Log
) -> None:
    bot = build(environ)
    bot.store.commit(entry=AuditEntry(bot.store.time(), "U0ALICE", "create", "r1"))
    bot.start()
    slack.person("carol").wait_for("key-audit", "create · request r1")
    bot.stop()
    assert [line["action"] for line in log.lines("audit")] == ["create", "seal"]
    assert environ["AUDIT_KEY"] not in log.text


def test_private_channel_without_keydesk_is_refused(
    slack: LocalSlack, environ: dict[str, str]
) -> None:
    slack.change_channel(CHANNEL, is_private=True)
    slack.leave(BOT_USER, CHANNEL)
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


def test_groups_without_members_are_logged(
    slack: LocalSlack, environ: dict[str, str], log: Log
) -> None:
    slack.set_group("S0APPROVERS", [])
    build({**environ, "APPROVERS": "S0APPROVERS"}).stop()
    [line] = log.lines("approvers")
    assert (line["level"], line["outcome"]) == ("warning", "none")


@pytest.mark.parametrize(
    ("more", "approvals_needed"),
    [
        ({"APPROVALS_REQUIRED": "3"}, 3),
        ({"APPROVALS_REQUIRED": "2", "RISKY_NEEDS_ONE_MORE": "true"}, 3),
        ({"APPROVALS_REQUIRED": "2"}, None),
    ],
)
def test_too_few_approvers_are_logged(
    environ: dict[str, str], log: Log, more: dict[str, str], approvals_needed: int | None
) -> None:
    bot = build({**environ, **more})
    rules = bot.services.settings
    bot.stop()
    assert rules.approvals_required == int(more["APPROVALS_REQUIRED"])
    assert rules.risky_needs_one_more == ("RISKY_NEEDS_ONE_MORE" in more)
    found = [
        (line["level"], line["outcome"], line["known"], line["approvals_needed"])
        for line in log.lines("approvers")
    ]
    assert found == ([("warning", "too few", 2, approvals_needed)] if approvals_needed else [])


@pytest.mark.parametrize("error", ["plan_upgrade_required", "no_such_subteam", "fatal_error"])
def test_unreadable_group_is_logged(
    slack: LocalSlack, environ: dict[str, str], log: Log, error: str
) -> None:
    slack.faults.fail("usergroups.users.list", error)
    build(environ).stop()
    [line] = log.lines("approvers")
    assert (line["level"], line["outcome"], line["error"]) == ("warning", "unknown", error)
    assert line["hint"]


def test_missing_scope_is_logged(tmp_path: Path, environ: dict[str, str], log: Log) -> None:
    manifest = yaml.safe_load(MANIFEST.read_text())
    manifest["oauth_config"]["scopes"]["bot"].remove("usergroups:read")
    path = tmp_path / "manifest.yml"
    path.write_text(yaml.safe_dump(manifest))
    with LocalSlack(path) as slack:
        build(
            {**environ, "SLACK_BOT_TOKEN": slack.bot_token, "SLACK_API_URL": slack.api_url}
        ).stop()
    [line] = log.lines("approvers")
    assert (line["outcome"], line["error"]) == ("unknown", "missing_scope")
    assert line["hint"]


def test_no_library_logs_below_info(environ: dict[str, str], log: Log) -> None:
    """Bolt gives its loggers the root's level when they are made; at DEBUG they write whole messages."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.DEBUG)
    try:
        build(environ).stop()
        levels = {
            name: logging.getLogger(name).getEffectiveLevel()
            for name in (
                "slack_bolt.App",
                "slack_sdk.web.base_client",
                "slack_sdk.webhook.client",
                "botocore.parsers",
                "urllib3",
            )
        }
    finally:
        root.setLevel(before)
    assert all(level >= logging.INFO for level in levels.values()), levels


def test_clock_measures_its_drift_from_the_database() -> None:
    long_ago, one_day = datetime(2000, 1, 1, tzinfo=UTC), datetime(2900, 1, 1, tzinfo=UTC)
    assert SystemClock(lambda: long_ago).drift() > timedelta(days=365)
    assert SystemClock(lambda: one_day).drift() < timedelta(days=-365)


def test_ids_are_opaque_and_unique() -> None:
    ids = {app.new_id() for _ in range(1000)}
    assert len(ids) == 1000 and all(len(one) == 30 and one.isalnum() for one in ids)


def test_trial_clock_is_read_from_its_file(tmp_path: Path, environ: dict[str, str]) -> None:
    ahead = tmp_path / "ahead"
    bot = build({**environ, "TRIAL_CLOCK": str(ahead)})
    moved = []
    for text in (None, "86400\n", "junk", "-5", ""):
        if text is not None:
            ahead.write_text(text)
        moved.append(round((bot.services.clock.now() - datetime.now(UTC)).total_seconds() / 86400))
    drift = bot.services.clock.drift()
    bot.stop()
    assert moved == [0, 1, 0, 0, 0]
    assert abs(drift) < timedelta(
        seconds=5
    )  # moved time is no drift: the store's clock is compared with the machine's
