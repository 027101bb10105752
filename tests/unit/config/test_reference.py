"""The generated reference of the settings is up to date and complete."""

from __future__ import annotations

import re

from bot.config import reference
from bot.config.loading import load
from bot.config.settings import Settings
from tests.support.running_bot import ROOT
from tests.support.settings import ENOUGH

STALE = "is stale. Run `make docs` (python -m bot.config.reference)."


def test_settings_page_is_up_to_date() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert page == reference.settings_page(), f"docs/settings.md {STALE}"


def test_env_example_is_up_to_date() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert example == reference.env_example(), f".env.example {STALE}"


def test_every_setting_is_documented() -> None:
    hidden = {"iam_pairs", "dyno", "noticed"}
    for name, field in Settings.model_fields.items():
        assert bool(field.description) == (name not in hidden), name


def test_table_cells_have_at_most_25_words() -> None:
    for row in re.findall(r"^\| `.*$", reference.settings_page(), re.MULTILINE):
        assert all(len(cell.split()) <= 25 for cell in row.split("|")), row


def test_example_shows_every_default() -> None:
    """Loading the defaults of the example gives the same settings as loading none."""
    shown = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", reference.env_example(), re.MULTILINE))
    defaults = {
        name: value for name, value in shown.items() if Settings.model_fields[name.lower()].default
    }
    assert load({**defaults, **ENOUGH}, None) == load(ENOUGH, None)
