"""The manifest has the scopes that the code needs, within Slack's limits."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from slack_sdk import WebClient

from tests.unit.project.python_source import source

ROOT = Path(__file__).resolve().parents[3]
MANIFEST = (ROOT / "manifest.yml").read_text(encoding="utf-8")
NOTHING = frozenset[str]()

# Slack's page of each Web API method, "Scopes" (bot token). Only methods that the code calls.
SCOPES_OF = {
    "auth_test": NOTHING,
    "chat_postEphemeral": {"chat:write"},
    "chat_postMessage": {"chat:write"},
    "chat_update": {"chat:write"},
    "conversations_info": {"channels:read", "groups:read"},  # public and private channels
    "conversations_open": {"im:write"},
    "usergroups_users_list": {"usergroups:read"},
    "users_lookupByEmail": {"users:read.email"},
    "users_info": {"users:read", "users:read.email"},  # the second for profile.email
    "views_open": NOTHING,
    "views_publish": NOTHING,
    "views_update": NOTHING,
}
OTHER_FAMILIES = ("bots_", "files_", "reactions_", "team_")
FAMILIES = (*OTHER_FAMILIES, *(method.split("_")[0] + "_" for method in SCOPES_OF))

# Slack refuses a manifest with a field it does not know.
FIELDS = {
    "_metadata": {"major_version"},
    "display_information": {"name", "description", "long_description"},
    "features.app_home": {
        "home_tab_enabled",
        "messages_tab_enabled",
        "messages_tab_read_only_enabled",
    },
    "features.bot_user": {"display_name", "always_online"},
    "features.slash_commands": {"command", "description", "usage_hint", "should_escape"},
    "oauth_config.scopes": {"bot"},
    "settings": {"socket_mode_enabled", "org_deploy_enabled", "token_rotation_enabled"},
    "settings.event_subscriptions": {"bot_events"},
    "settings.interactivity": {"is_enabled"},
}


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(MANIFEST)
    return loaded


def test_scopes_are_those_that_the_code_needs(manifest: dict[str, Any]) -> None:
    used = set[str]().union(*(source(path).attributes for path in (ROOT / "bot").rglob("*.py")))
    assert "api_call" not in used, "call methods by name"
    methods = {name for name in used if name.startswith(FAMILIES)} & set(dir(WebClient))
    assert methods <= SCOPES_OF.keys(), "a method whose scopes this test does not know"
    needed = {"commands"}.union(*(SCOPES_OF[method] for method in methods))
    assert set(manifest["oauth_config"]["scopes"]["bot"]) == needed


def test_every_scope_says_what_it_is_for(manifest: dict[str, Any]) -> None:
    explained = re.findall(r"^ +- ([\w:.]+) {2,}# \w", MANIFEST, re.MULTILINE)
    assert set(manifest["oauth_config"]["scopes"]["bot"]) <= set(explained)


def test_texts_are_within_the_limits_of_slack(manifest: dict[str, Any]) -> None:
    """Slack, "App manifest reference"."""
    shown, features = manifest["display_information"], manifest["features"]
    [command] = features["slash_commands"]
    assert len(shown["name"]) <= 35
    assert len(shown["description"]) <= 140
    assert 175 <= len(shown["long_description"]) <= 4000
    assert len(features["bot_user"]["display_name"]) <= 80
    assert len(command["command"]) <= 32
    assert len(command["description"]) <= 2000
    assert len(command["usage_hint"]) <= 1000


def paths(node: Any, at: str = "") -> set[str]:
    """Return the dotted names of all leaves. A list does not count as a level."""
    if isinstance(node, dict):
        return {path for name, one in node.items() for path in paths(one, f"{at}.{name}")}
    if isinstance(node, list):
        return {path for one in node for path in paths(one, at)}
    return {at.lstrip(".")}


def test_only_known_fields_are_there(manifest: dict[str, Any]) -> None:
    known = {f"{parent}.{name}" for parent, names in FIELDS.items() for name in names}
    assert paths(manifest) == known


def test_users_can_click_and_type_in_messages(manifest: dict[str, Any]) -> None:
    """Mentions are escaped: `<@U0BOB|bob>` (Slack, "Slash commands")."""
    features, settings = manifest["features"], manifest["settings"]
    assert features["app_home"] == {
        "home_tab_enabled": True,
        "messages_tab_enabled": True,
        "messages_tab_read_only_enabled": False,
    }
    assert settings["event_subscriptions"]["bot_events"] == ["app_home_opened"]
    assert settings["interactivity"]["is_enabled"] is True
    assert settings["socket_mode_enabled"] is True
    [command] = features["slash_commands"]
    assert (command["command"], command["should_escape"]) == ("/key", True)
