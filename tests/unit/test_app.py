"""The bot is put together from its settings, or does not start and says in a sentence which setting to mend."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot import app
from bot.config import settings as bot_settings
from bot.config.settings import StartError
from bot.domain.ports import AuditEntry
from bot.store.embedded import EmbeddedServer
from bot.store.redis_store import RedisStore, connect
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
    """Settings with which the bot starts, on an empty store."""
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
    return app.build(bot_settings.load(environ, None))


def refusal(environ: dict[str, str]) -> str:
    """The sentence with which the bot does not start."""
    with pytest.raises(StartError) as caught:
        build(environ)
    said = str(caught.value)
    assert "\n" not in said and said.endswith(".")
    assert environ["SLACK_BOT_TOKEN"] not in said
    return said


def test_with_right_settings_it_is_built_started_and_stopped(
    environ: dict[str, str], log: Log
) -> None:
    bot = build(environ)
    bot.start()
    assert bot.services.settings.approval_channel == CHANNEL
    assert bot.pool.drain(10)
    bot.stop()
    assert [line for line in log.lines() if line["level"] in ("warning", "error")] == []


def test_the_settings_become_the_desks_rules(environ: dict[str, str]) -> None:
    more = {
        "REQUEST_TTL": "2h",
        "CLAIM_TTL": "3h",
        "RECEIPT_TTL": "4h",
        "LEASE_TTL": "90s",
        "LOOK_AFTER": "6m",
        "DELETE_AFTER": "8d",
        "SWEEP_EVERY": "9s",
        "IAM_OWNER_TAG": "slack",
        "IAM_USERNAME": "{slack_id}",
    }
    bot = build({**environ, **more})
    rules = bot.services.settings
    bot.stop()
    assert (rules.request_ttl, rules.claim_ttl, rules.receipt_ttl) == tuple(
        timedelta(hours=n) for n in (2, 3, 4)
    )
    assert (rules.lease_ttl, rules.look_after) == (timedelta(seconds=90), timedelta(minutes=6))
    assert (rules.delete_after, rules.sweep_every) == (timedelta(days=8), timedelta(seconds=9))
    assert (rules.team_id, rules.iam_owner_tag, rules.iam_mapping.rule) == (
        "T0KEYDESK",
        "slack",
        "{slack_id}",
    )


def test_a_token_that_slack_does_not_accept(environ: dict[str, str]) -> None:
    said = refusal({**environ, "SLACK_BOT_TOKEN": "xoxb-0000000000-somebody-elses"})
    assert (
        said.startswith("SLACK_BOT_TOKEN: ") and "(invalid_auth)" in said and "Install App" in said
    )


def test_a_slack_that_does_not_answer(environ: dict[str, str]) -> None:
    said = refusal({**environ, "SLACK_API_URL": f"http://127.0.0.1:{free_port()}/api/"})
    assert said.startswith("SLACK_BOT_TOKEN: ") and "SLACK_API_URL" in said


def test_a_channel_that_is_not_there(environ: dict[str, str]) -> None:
    said = refusal({**environ, "APPROVAL_CHANNEL": "C0NOWHERE"})
    assert said.startswith("APPROVAL_CHANNEL: ") and "C0NOWHERE (channel_not_found)" in said


@pytest.mark.parametrize("how", ["is_ext_shared", "is_org_shared"])
def test_a_channel_that_another_workspace_shares(
    slack: LocalSlack, environ: dict[str, str], how: str
) -> None:
    """By Slack Connect, or within an Enterprise Grid organisation ("conversation object", Slack documentation)."""
    slack.change_channel(CHANNEL, **{how: True})
    said = refusal(environ)
    assert said.startswith(f"APPROVAL_CHANNEL: channel {CHANNEL} is shared with another workspace")


def test_a_channel_that_is_archived(slack: LocalSlack, environ: dict[str, str]) -> None:
    slack.change_channel(CHANNEL, is_archived=True)
    assert refusal(environ).startswith(f"APPROVAL_CHANNEL: channel {CHANNEL} is archived.")


def test_a_channel_without_the_bot(slack: LocalSlack, environ: dict[str, str]) -> None:
    slack.leave(BOT_USER, CHANNEL)
    said = refusal(environ)
    assert (
        said.startswith(f"APPROVAL_CHANNEL: Keydesk is not a member of channel {CHANNEL}.")
        and "/invite" in said
    )


def test_the_audit_channel_is_looked_at_as_the_approval_channel_is(
    slack: LocalSlack, environ: dict[str, str]
) -> None:
    assert refusal({**environ, "AUDIT_CHANNEL": "C0NOWHERE"}).startswith(
        "AUDIT_CHANNEL: Slack does not show channel"
    )
    slack.leave(BOT_USER, "C0AUDIT")
    assert refusal(environ).startswith("AUDIT_CHANNEL: Keydesk is not a member of channel C0AUDIT.")
    slack.join(BOT_USER, "C0AUDIT")
    slack.share_channel("C0AUDIT")
    assert refusal(environ).startswith(
        "AUDIT_CHANNEL: channel C0AUDIT is shared with another workspace"
    )
    slack.change_channel("C0AUDIT", is_ext_shared=False, is_archived=True)
    assert refusal(environ).startswith("AUDIT_CHANNEL: channel C0AUDIT is archived.")


def test_what_happens_is_logged_sealed_and_posted_from_the_start_on(
    slack: LocalSlack, environ: dict[str, str], log: Log
) -> None:
    bot = build(environ)
    bot.store.commit(entry=AuditEntry(bot.store.time(), "U0ALICE", "create", "r1"))
    bot.start()
    slack.person("carol").wait_for("key-audit", "create · request r1")
    bot.stop()
    assert [line["action"] for line in log.lines("audit")] == ["create", "seal"]
    assert environ["AUDIT_KEY"] not in log.text


def test_a_private_channel_without_the_bot(slack: LocalSlack, environ: dict[str, str]) -> None:
    slack.change_channel(CHANNEL, is_private=True)
    slack.leave(BOT_USER, CHANNEL)
    assert "invite Keydesk to it" in refusal(environ)


def test_a_store_that_may_throw_away_what_it_holds(
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


def test_a_store_that_does_not_answer(environ: dict[str, str]) -> None:
    said = refusal({**environ, "REDIS_URL": f"redis://:hush@127.0.0.1:{free_port()}/0"})
    assert said.startswith("REDIS_URL: the store does not answer") and "hush" not in said


def test_no_store_at_all(environ: dict[str, str]) -> None:
    del environ["REDIS_URL"]
    assert refusal(environ).startswith("REDIS_URL: ")


def test_groups_without_members_are_said_at_the_start(
    slack: LocalSlack, environ: dict[str, str], log: Log
) -> None:
    slack.set_group("S0APPROVERS", [])
    build({**environ, "APPROVERS": "S0APPROVERS"}).stop()
    [line] = log.lines("approvers")
    assert (line["level"], line["outcome"]) == ("warning", "nobody")


@pytest.mark.parametrize(
    ("more", "approvals_needed"),
    [
        ({"APPROVALS_REQUIRED": "3"}, 3),
        ({"APPROVALS_REQUIRED": "2", "RISKY_NEEDS_ONE_MORE": "true"}, 3),
        ({"APPROVALS_REQUIRED": "2"}, None),
    ],
)
def test_fewer_approvers_than_a_request_may_need_are_said_at_the_start(
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


@pytest.mark.parametrize(
    ("error", "mend"),
    [
        ("plan_upgrade_required", "name people"),
        ("no_such_subteam", "correct APPROVERS"),
        ("fatal_error", "Try again"),
    ],
)
def test_a_group_that_slack_does_not_show_is_explained_at_the_start(
    slack: LocalSlack, environ: dict[str, str], log: Log, error: str, mend: str
) -> None:
    slack.faults.fail("usergroups.users.list", error)
    build(environ).stop()
    [line] = log.lines("approvers")
    assert (line["level"], line["outcome"], line["why"]) == (
        "warning",
        "unknown",
        error,
    ) and mend in line["mend"]


def test_a_missing_scope_is_said_at_the_start_with_its_mend(
    tmp_path: Path, environ: dict[str, str], log: Log
) -> None:
    manifest = yaml.safe_load(MANIFEST.read_text())
    manifest["oauth_config"]["scopes"]["bot"].remove("usergroups:read")
    path = tmp_path / "manifest.yml"
    path.write_text(yaml.safe_dump(manifest))
    with LocalSlack(path) as slack:
        build(
            {**environ, "SLACK_BOT_TOKEN": slack.bot_token, "SLACK_API_URL": slack.api_url}
        ).stop()
    [line] = log.lines("approvers")
    assert (line["outcome"], line["why"]) == (
        "unknown",
        "missing_scope",
    ) and "usergroups:read" in line["mend"]


def test_once_it_is_built_no_library_logs_below_info(environ: dict[str, str], log: Log) -> None:
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


def test_the_clock_says_how_far_it_is_ahead_of_the_store() -> None:
    long_ago, one_day = datetime(2000, 1, 1, tzinfo=UTC), datetime(2900, 1, 1, tzinfo=UTC)
    assert app.SystemClock(lambda: long_ago).drift() > timedelta(days=365)
    assert app.SystemClock(lambda: one_day).drift() < timedelta(days=-365)


def test_ids_are_opaque_and_never_twice_the_same() -> None:
    ids = {app.new_id() for _ in range(1000)}
    assert len(ids) == 1000 and all(len(one) == 30 and one.isalnum() for one in ids)


def test_the_settings_of_a_keys_life_become_rules_and_what_forms_offer(
    environ: dict[str, str],
) -> None:
    more = {
        "KEY_TTL": "30d",
        "KEY_TTL_MAX": "never",
        "ROTATION_GRACE": "36h",
        "APPROVAL_FREE": "disable,delete,enable",
    }
    bot = build({**environ, **more})
    rules = bot.services.settings
    bot.stop()
    assert (rules.key_ttl, rules.key_ttl_max) == (timedelta(days=30), None)
    assert rules.rotation_grace == timedelta(hours=36)
    assert rules.approval_free == {"disable", "delete", "enable"}


def test_where_the_desk_is_tried_out_a_file_says_how_far_its_time_runs_ahead(
    tmp_path: Path, environ: dict[str, str]
) -> None:
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
