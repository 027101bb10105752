"""Is what a newcomer reads true? The README's link, tables and files, against the product."""

from __future__ import annotations

import json
import re
import urllib.parse
from pathlib import Path

import yaml

from bot.config.settings import Settings
from bot.domain.commands import USAGE

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text()
# Read from the file IAM_USERNAME names; set by the platform itself; what `load` noticed of names and addresses.
NOT_AN_OPERATORS = {"iam_pairs", "dyno", "noticed"}


def _section(title: str) -> str:
    return re.split(r"^## ", README.split(f"\n## {title}\n")[1], flags=re.MULTILINE)[0]


def test_the_link_creates_the_app_of_the_manifest() -> None:
    link = re.search(r"https://api\.slack\.com/apps\?new_app=1&manifest_json=([^)]+)\)", README)
    assert link
    assert json.loads(urllib.parse.unquote(link[1])) == yaml.safe_load(
        (ROOT / "manifest.yml").read_text()
    )


def test_the_settings_table_and_the_example_file_name_every_setting_and_no_other() -> None:
    settings = {name.upper() for name in Settings.model_fields if name not in NOT_AN_OPERATORS}
    rows = re.findall(r"^\| (`[^|]+`) \|", _section("Settings"), flags=re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)} == settings
    example = (ROOT / ".env.example").read_text()
    assert set(re.findall(r"^#?([A-Z_]+)=", example, flags=re.MULTILINE)) == settings


def test_the_command_table_names_every_command_as_its_usage_does() -> None:
    table = _section("What you can type")
    assert {
        usage for usage in USAGE.values() if f"`{usage}`" not in table.replace("\\|", "|")
    } == set()
    assert set(re.findall(r"`/key (\w+)", table)) == set(USAGE)


def test_every_file_that_the_readme_names_exists() -> None:
    named = re.findall(r"\]\(([^)#:]+)\)", README) + re.findall(
        r"`((?:bot|docs|sandbox|deploy)/[\w./]+)`", README
    )
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
