"""The app's manifest: it asks for the scopes that the code needs and no more, within the limits of Slack."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
NOTHING = frozenset[str]()

# Slack's page of each Web API method, "Scopes" (bot token). Only methods that the code calls.
SCOPES_OF = {
    "auth_test": NOTHING,
    "chat_postEphemeral": {"chat:write"},
    "chat_postMessage": {"chat:write"},
    "chat_update": {"chat:write"},
    "conversations_info": {
        "channels:read",
        "groups:read",
    },  # for a public and for a private channel
    "conversations_open": {"im:write"},
    "usergroups_users_list": {"usergroups:read"},
    "users_lookupByEmail": {"users:read.email"},
    "users_info": {"users:read", "users:read.email"},  # the second for profile.email
    "views_open": NOTHING,
    "views_publish": NOTHING,
    "views_update": NOTHING,
}
FAMILIES = tuple(
    {method.split("_")[0] + "_" for method in SCOPES_OF}
    | {"bots_", "files_", "reactions_", "team_"}
)


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
    return loaded


def called() -> set[str]:
    """Names of the Web API methods that the product's code calls on a WebClient."""
    found = set()
    for path in (ROOT / "bot").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr.startswith(FAMILIES):
                found.add(node.attr)
            assert not (isinstance(node, ast.Attribute) and node.attr == "api_call"), (
                f"{path}: call methods by name"
            )
    return found & set(dir(__import__("slack_sdk").WebClient))


def test_scopes_are_those_that_the_code_needs(manifest: dict[str, Any]) -> None:
    methods = called()

    assert methods <= SCOPES_OF.keys(), "a method whose scopes this test does not know"
    needed = {"commands"}.union(*(SCOPES_OF[method] for method in methods))
    assert set(manifest["oauth_config"]["scopes"]["bot"]) == needed
    assert "user" not in manifest["oauth_config"]["scopes"]


def test_every_scope_says_what_it_is_for() -> None:
    lines = (ROOT / "manifest.yml").read_text(encoding="utf-8").splitlines()
    scopes = [
        line for line in lines if line.strip().startswith("- ") and ":" in line.split("#")[0] + ":"
    ]
    listed = lines[lines.index("    bot:") + 1 : lines.index("settings:")]
    assert listed and scopes
    assert all("  # " in line for line in listed)


def test_texts_are_within_the_limits_of_slack(manifest: dict[str, Any]) -> None:
    """Slack, "App manifest reference"."""
    shown, features = manifest["display_information"], manifest["features"]
    assert len(shown["name"]) <= 35
    assert len(shown["description"]) <= 140
    assert 175 <= len(shown["long_description"]) <= 4000
    assert len(features["bot_user"]["display_name"]) <= 80
    [command] = features["slash_commands"]
    assert len(command["command"]) <= 32
    assert len(command["description"]) <= 2000
    assert len(command["usage_hint"]) <= 1000


def test_only_known_fields_are_there(manifest: dict[str, Any]) -> None:
    """Slack refuses a manifest with a field it does not know."""
    assert {path for path in paths(manifest)} == {
        "_metadata.major_version",
        "display_information.name",
        "display_information.description",
        "display_information.long_description",
        "features.app_home.home_tab_enabled",
        "features.app_home.messages_tab_enabled",
        "features.app_home.messages_tab_read_only_enabled",
        "features.bot_user.display_name",
        "features.bot_user.always_online",
        "features.slash_commands.command",
        "features.slash_commands.description",
        "features.slash_commands.usage_hint",
        "features.slash_commands.should_escape",
        "oauth_config.scopes.bot",
        "settings.event_subscriptions.bot_events",
        "settings.interactivity.is_enabled",
        "settings.socket_mode_enabled",
        "settings.org_deploy_enabled",
        "settings.token_rotation_enabled",
    }


def paths(node: Any, at: str = "") -> set[str]:
    """The dotted names of all leaves; lists do not count as a level."""
    if isinstance(node, dict):
        return {
            path for name, one in node.items() for path in paths(one, f"{at}.{name}".lstrip("."))
        }
    if isinstance(node, list):
        return {path for one in node for path in paths(one, at)}
    return {at}


def test_users_can_click_and_type_in_messages(manifest: dict[str, Any]) -> None:
    home = manifest["features"]["app_home"]
    assert home["messages_tab_enabled"] is True
    assert home["messages_tab_read_only_enabled"] is False, "else /key cannot be typed there"
    assert manifest["settings"]["interactivity"]["is_enabled"] is True
    assert manifest["settings"]["socket_mode_enabled"] is True
    assert manifest["features"]["slash_commands"][0]["command"] == "/key"


def test_home_tab_is_enabled_with_its_event(manifest: dict[str, Any]) -> None:
    assert manifest["features"]["app_home"]["home_tab_enabled"] is True
    assert manifest["settings"]["event_subscriptions"]["bot_events"] == ["app_home_opened"]


def test_mentioned_user_arrives_as_an_id(
    manifest: dict[str, Any],
) -> None:
    """Slack, "Slash commands", "Escaping channels, users, and links": `<@U0BOB|bob>`."""
    assert manifest["features"]["slash_commands"][0]["should_escape"] is True
