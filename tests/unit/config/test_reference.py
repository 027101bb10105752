"""The generated reference of the settings is up to date, and has every setting."""

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


HIDDEN = {"iam_pairs", "dyno", "noticed"}
"""Read from the file that IAM_USERNAME names, set by the platform, and noticed while loading."""


def test_every_setting_is_documented_and_in_the_example() -> None:
    """Loading the defaults of the example gives the same settings as loading none."""
    fields = Settings.model_fields
    assert {name for name, field in fields.items() if not field.description} == HIDDEN
    shown = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", reference.env_example(), re.MULTILINE))
    assert shown.keys() == {name.upper() for name in fields.keys() - HIDDEN}
    defaults = {name: value for name, value in shown.items() if fields[name.lower()].default}
    assert load({**defaults, **ENOUGH}, None) == load(ENOUGH, None)


def test_table_cells_have_at_most_25_words() -> None:
    rows = re.findall(r"^\| `.*$", reference.settings_page(), re.MULTILINE)
    assert rows
    assert [row for row in rows if any(len(cell.split()) > 25 for cell in row.split("|"))] == []
