"""Read what the app's manifest lets the app do in this workspace."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml  # type: ignore[import-untyped]  # PyYAML ships no types


@dataclass(frozen=True)
class SlashCommand:
    """A command of the manifest. `should_escape` turns typed names into `<@U…|name>`."""

    command: str
    description: str
    usage_hint: str
    should_escape: bool


@dataclass(frozen=True)
class Manifest:
    """The parts of a manifest that change what Slack does.

    Source: "App manifest reference", Slack documentation.
    """

    bot_name: str
    commands: tuple[SlashCommand, ...]
    scopes: frozenset[str]
    bot_events: frozenset[str]
    interactivity: bool
    home_tab: bool
    messages_tab: bool
    messages_read_only: bool

    def command(self, name: str) -> SlashCommand | None:
        """Return the slash command of that name, or None.

        Without the `commands` scope there is none.
        """
        if "commands" not in self.scopes:
            return None
        return next((known for known in self.commands if known.command == name), None)


def read_manifest(path: Path) -> Manifest:
    """Return the manifest in that YAML file.

    Raises OSError or yaml.YAMLError when it cannot be read.
    """
    raw = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    features, settings = raw.get("features") or {}, raw.get("settings") or {}
    home = features.get("app_home") or {}
    commands = tuple(
        SlashCommand(
            command=one["command"],
            description=one.get("description", ""),
            usage_hint=one.get("usage_hint", ""),
            should_escape=bool(one.get("should_escape", False)),
        )
        for one in features.get("slash_commands") or []
    )
    return Manifest(
        bot_name=(features.get("bot_user") or {}).get("display_name", "Keydesk"),
        commands=commands,
        scopes=frozenset(((raw.get("oauth_config") or {}).get("scopes") or {}).get("bot") or []),
        bot_events=frozenset((settings.get("event_subscriptions") or {}).get("bot_events") or []),
        interactivity=bool((settings.get("interactivity") or {}).get("is_enabled", False)),
        home_tab=bool(home.get("home_tab_enabled", False)),
        messages_tab=bool(home.get("messages_tab_enabled", True)),
        messages_read_only=bool(home.get("messages_tab_read_only_enabled", False)),
    )
