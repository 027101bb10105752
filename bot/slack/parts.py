"""What stands in a payload? Its parts and texts, by name, and what tells one delivery from another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def part(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The part of this name, an empty one where there is none or it is no object."""
    value = body.get(name)
    return value if isinstance(value, dict) else {}


def delivery(body: Mapping[str, Any], name: str) -> str:
    """What tells a repeated delivery from a new one: Slack's own ID, or all of the payload where it has none."""
    given = text(body, name)
    return given if 0 < len(given) <= 255 else hashlib.sha256(json.dumps(body).encode()).hexdigest()


def text(body: Mapping[str, Any], name: str) -> str:
    """The text of this name, "" where there is none or it is no text."""
    value = body.get(name)
    return value if isinstance(value, str) else ""
