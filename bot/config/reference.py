"""Generate `docs/settings.md` and `.env.example` from the declared settings.

`python -m bot.config.reference` writes both files. `make docs` runs it.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from bot.config.settings import Settings

WIDTH = 100
"""Maximum characters of a line in `.env.example`."""

_PAGE = """# Settings

<!-- Generated from bot/config/declarations.py by `make docs`. -->

Keydesk reads its settings from the environment, and then from `.env`. An empty value counts as not
set. Copy `.env.example` to `.env` and fill in the required settings. Keydesk reports every wrong
setting at once when it starts, by name, with what to do.

- A duration is a whole number and a unit: `90s`, `15m`, `72h`, `7d`, `2w`. At most ten years.
- A list is separated by commas.
- Set `SLACK_APP_TOKEN` for Socket Mode, or `SLACK_SIGNING_SECRET` for HTTP.
- boto3 finds the AWS credentials: `AWS_PROFILE`, roles, `AWS_ACCESS_KEY_ID` and others. Any `AWS_…`
  name in `.env` is passed on to it.

Keydesk also warns when it starts: about connections without TLS, a database whose certificate is
not checked, a missing `AUDIT_KEY`, and names in `.env` that are not settings.
"""

_EXAMPLE = """\
# Keydesk's settings. docs/settings.md explains them.
# `make docs` generates this file from bot/config/declarations.py.
#
# Copy this file so that only the bot's user can read it: install -m 600 .env.example .env
# Then set what is required. Values in the environment come first. An empty value counts as not set.
# A duration is a whole number and a unit: 90s, 15m, 72h, 7d, 2w.
# boto3 reads AWS_PROFILE, AWS_ACCESS_KEY_ID and others by itself.
"""

_SENTENCE_END = re.compile(r"(?<=\.) (?=[A-Z`])")

_WITH_VALUE = {"slack_app_token"}
"""Optional settings that are not commented out in `.env.example`: most installations need them."""


def settings_page() -> str:
    """Return the text of `docs/settings.md`.

    It has a table for each section, then the details.
    """
    parts = [_PAGE]
    for section, fields in _sections():
        rows, details = [], []
        for name, field in fields:
            first, *rest = _SENTENCE_END.split(field.description or "", maxsplit=1)
            rows.append(f"| `{name.upper()}` | {_shown_default(field)} | {first} |")
            details += [f"- `{name.upper()}`: {sentences}" for sentences in rest]
        table = ["| name | default | meaning |", "|---|---|---|", *rows]
        parts.append(
            "\n".join([f"## {section}", "", *table, *([""] if details else []), *details, ""])
        )
    return "\n".join(parts)


def env_example() -> str:
    """Return the text of `.env.example`."""
    parts = [_EXAMPLE]
    for section, fields in _sections():
        parts.append(f"# --- {section} ".ljust(WIDTH, "-") + "\n")
        for name, field in fields:
            required = " Required." if field.is_required() else ""
            words = (field.description or "").replace("`", "") + required
            comment = textwrap.fill(words, WIDTH, initial_indent="# ", subsequent_indent="# ")
            mark = "" if required or name in _WITH_VALUE else "#"
            value = _extra(field)["example"] or (field.default or "" if not required else "")
            parts.append(f"{comment}\n{mark}{name.upper()}={value}\n")
    return "\n".join(parts)


def main() -> None:
    """Write both files into the source tree."""
    root = Path(__file__).resolve().parents[2]
    (root / "docs" / "settings.md").write_text(settings_page(), encoding="utf-8")
    (root / ".env.example").write_text(env_example(), encoding="utf-8")


def _sections() -> Iterator[tuple[str, list[tuple[str, FieldInfo]]]]:
    """Yield each section with its settings, in the order of their declaration."""
    shown = [(name, field) for name, field in Settings.model_fields.items() if _extra(field)]
    for section, fields in groupby(shown, key=lambda pair: _extra(pair[1])["section"]):
        yield section, list(fields)


def _extra(field: FieldInfo) -> dict[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def _shown_default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return f"`{field.default}`" if field.default else str(_extra(field)["unset"])


if __name__ == "__main__":
    main()
