"""Does the check on sentences find what is not so, and let pass what is?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.verification.matrix.sentences import Facts, untrue

KEY = "AKIAEXAMPLEEXAMPLE01"
BEFORE = Facts("r1", "approved", 3, 1, {})
MADE = replace(BEFORE, version=5, keys={KEY: "Active"})
OFF = replace(BEFORE, version=6, keys={KEY: "Inactive"})

SO = [
    (f"{KEY} is withdrawn and does not work, even if it stands above.", BEFORE),
    (f"{KEY} is deleted again: do not use it.", BEFORE),
    (f"{KEY} is turned off for good.", OFF),
    (f"{KEY} is active again; it may take a minute to work.", MADE),
    ("That took too long, so no key was made.", BEFORE),
    ("Approved. I have told @eng0001: the key can be revealed now.", BEFORE),
    (
        "Slack did not answer a question I had to ask, so I have done nothing.",
        replace(BEFORE, version=4),
    ),
    (f"AWS has not confirmed yet that {KEY} is turned off: no answer. I keep trying.", MADE),
    ("The desk's memory does not answer at the moment. Nothing that it noted is lost.", MADE),
]
NOT_SO = [
    (f"{KEY} is withdrawn and does not work, even if it stands above.", MADE),
    (f"{KEY} is deleted again: do not use it.", OFF),
    (f"{KEY} is turned off for good.", MADE),
    (f"{KEY} is active again; it may take a minute to work.", OFF),
    ("That took too long, so no key was made.", OFF),
    (
        "Approved. I have told @eng0001: the key can be revealed now.",
        replace(BEFORE, status="pending"),
    ),
    ("AWS refused it. Nothing was changed.", MADE),
    (
        "Slack did not answer a question I had to ask, so I have done nothing.",
        replace(BEFORE, status="denied"),
    ),
    (
        "Something went wrong that should not have. Tell whoever runs Keydesk: reference 0a1b2c3d.",
        BEFORE,
    ),
    ("Checking…", BEFORE),
]


@pytest.mark.parametrize(("sentence", "now"), SO)
def test_a_sentence_that_is_so_passes(sentence: str, now: Facts) -> None:
    assert untrue([sentence], BEFORE, now) == []


@pytest.mark.parametrize(("sentence", "now"), NOT_SO)
def test_a_sentence_that_is_not_so_is_named(sentence: str, now: Facts) -> None:
    [problem, *_] = untrue([sentence], BEFORE, now)
    assert sentence.strip() in problem
