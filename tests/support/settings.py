"""Settings for tests: defaults with what is required, and overrides as values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.config.errors import SettingsError
from bot.config.loading import load
from bot.config.settings import Settings
from bot.config.warnings import settings_warnings
from bot.domain.identity import IamMapping
from bot.domain.rate_limits import Limit, LimitedAction

ENOUGH = {
    "SLACK_BOT_TOKEN": "xoxb-1-abc",
    "SLACK_APP_TOKEN": "xapp-1-abc",
    "APPROVAL_CHANNEL": "C0KEYS",
    "APPROVERS": "U0CAROL, S0APPROVERS,W0WILMA",
}
"""The environment with which Keydesk starts."""

AUDIT_KEY = "0123456789abcdef" * 2

_BASE = load(ENOUGH, None)
_LIMITS = {
    LimitedAction.REQUEST: "requests_an_hour",
    LimitedAction.REVEAL: "reveals_an_hour",
    LimitedAction.NUDGE: "nudges_an_hour",
    LimitedAction.LEAK_REPORT: "leak_reports_an_hour",
}


def settings(
    *,
    iam_mapping: IamMapping | None = None,
    hourly_limits: Mapping[LimitedAction, Limit] | None = None,
    **overrides: Any,
) -> Settings:
    """Return settings with these values, which are not validated.

    So tests may go beyond limits. `iam_mapping` and `hourly_limits` stand for the settings that
    they are derived from.
    """
    unknown = overrides.keys() - Settings.model_fields.keys()
    assert not unknown, f"no such setting: {sorted(unknown)}"
    if iam_mapping is not None:
        overrides |= {
            "iam_username": iam_mapping.rule,
            "iam_pairs": iam_mapping.pairs,
            "email_domains": iam_mapping.domains,
        }
    for action, limit in (hourly_limits or {}).items():
        if action in _LIMITS:
            overrides[_LIMITS[action]] = (limit.person, limit.overall)
    return _BASE.model_copy(update=overrides)


def loaded(**more: str) -> Settings:
    """Return the settings of an environment with enough, and more."""
    return load({**ENOUGH, **more}, None)


def warned(**more: str) -> list[str]:
    """Return the warnings about these settings and a seal key."""
    return list(settings_warnings(loaded(**{"AUDIT_KEY": AUDIT_KEY, **more})))


def problems(environ: Mapping[str, str], env_file: Path | None = None) -> list[str]:
    """Return what is wrong with these settings, a sentence for each problem."""
    with pytest.raises(SettingsError) as caught:
        load(environ, env_file)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


def problem(**more: str) -> str:
    """Return the one problem of otherwise good settings."""
    [only] = problems({**ENOUGH, **more})
    assert only.endswith(".")
    return only


def wrong(**more: str) -> str:
    """Return the name of the one setting that is wrong."""
    return problem(**more).split()[0]
