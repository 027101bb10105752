"""A secret shows itself nowhere; something shaped like one is recognised; a key remembers what it is meant to be."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import KeyIsLeaked
from bot.domain.keys import (
    DesiredState,
    InactiveReason,
    ManagedKey,
    ObservedState,
    Origin,
)
from bot.domain.secret import Secret, looks_like_secret
from bot.runtime.redaction import redact_text

VALUE = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
NOW = datetime(2026, 11, 24, 10, 2, tzinfo=UTC)


@dataclass(frozen=True)
class Holder:
    secret: Secret


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        format,
        lambda s: f"{s}",
        lambda s: f"{s!r}",
        lambda s: f"{s!s}",
        lambda s: f"{s!a}",
        lambda s: "made %r" % (s,),  # noqa: UP031
        lambda s: "made %s" % (s,),  # noqa: UP031 (this is how logging formats)
        lambda s: repr([s]),
        lambda s: repr({"key": s}),
        lambda s: repr(Holder(s)),
        lambda s: str(Exception(s)),
        lambda s: str(dir(s)),
        lambda s: logging.LogRecord("x", 10, "f", 1, "made %s", (s,), None).getMessage(),
    ],
)
def test_however_it_is_shown_a_secret_stays_hidden(show: Callable[[Secret], str]) -> None:
    shown = show(Secret(VALUE))
    assert VALUE not in shown and VALUE[:12] not in shown


@pytest.mark.parametrize(
    "keep",
    [
        pickle.dumps,
        copy.copy,
        copy.deepcopy,
        json.dumps,
        vars,
        lambda s: pickle.dumps(Holder(s)),
        lambda s: asdict(Holder(s)),
    ],
)
def test_a_secret_cannot_be_stored_or_copied(keep: Callable[[Secret], object]) -> None:
    with pytest.raises(TypeError) as refused:
        keep(Secret(VALUE))
    assert VALUE not in str(refused.value)


def test_a_traceback_with_its_local_variables_does_not_show_a_secret() -> None:
    def fails(secret: Secret) -> None:
        raise ValueError(secret)

    try:
        fails(Secret(VALUE))
    except ValueError as error:
        trace = traceback.TracebackException.from_exception(error, capture_locals=True)
        assert VALUE not in "".join(trace.format())


def test_a_secret_equals_nothing_but_itself_so_that_comparing_tells_nothing() -> None:
    assert Secret(VALUE) != Secret(VALUE)
    assert Secret(VALUE) != VALUE
    assert Secret(VALUE).expose() == VALUE


@pytest.mark.parametrize(
    "text",
    [
        VALUE,
        f"my key is {VALUE}, thanks",
        f"aws_secret_access_key={VALUE}",
        f"aws_secret_access_key = {VALUE}",
        f'"{VALUE}"',
        f"'{VALUE}'",
        f"`{VALUE}`",
        f"key:{VALUE}",
        f"AKIAIOSFODNN7EXAMPLE,{VALUE}",
        f"<{VALUE}>",
        f"create\n{VALUE}\n",
        f"“{VALUE}”",
        f"{VALUE}=",
        f"{VALUE}==",
        f"secret/{VALUE}",
        f"{VALUE}/",
        f"/{VALUE}/x",
        f"https://example.com/login?secret={VALUE}&x=1",
        VALUE.replace("/", "%2F"),
        VALUE.replace("/", "\\/"),
        f'"AKIAIOSFODNN7EXAMPLE\\n{VALUE}"',
        f"{VALUE}/AKIAIOSFODNN7EXAMPLE",
        f"{VALUE}AKIAIOSFODNN7EXAMPLE",
        *(
            f"AKIAIOSFODNN7EXAMPLE{between}{secret}"
            for secret in (VALUE, f"/{VALUE[1:]}", f"+{VALUE[1:]}")
            for between in (
                "/",
                "+",
                "",
                " / ",
                ":",
                " ",
                "=",
                ",",
                ";",
                "|",
                "\n",
                "\r\n",
                "\t",
                " = ",
                '","',
                "' '",
            )
        ),
    ],
)
def test_what_is_shaped_like_a_secret_is_recognised_however_it_is_pasted(text: str) -> None:
    assert looks_like_secret(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "deploy script",
        "8ba3cd1b7b3a4b0e0f3f6f6d5f1f3c2a1b0c9d8e",
        "8BA3CD1B7B3A4B0E0F3F6F6D5F1F3C2A1B0C9D8E",
        "AKIAIOSFODNN7EXAMPLE",
        VALUE[:39],
        VALUE + "A",
        "a" * 10_000,
        "https://example.com/wiki/How-we-deploy-the-Billing-job-v2-to-production",
        "see /Users/ann/Projects2/billing/deploy/nightly/Main",
        "src/main/java/com/example/Billing2/jobs/Nightly/Deploy/v2",
        "s3://reports/2026/11/24/BillingJob/part0001/Europe/All",
        "AKIAIOSFODNN7EXAMPLE/AKIAI44QH8DHBEXAMPLE",
        "https://github.com/Example/Desk2/commit/8ba3cd1b7b3a4b0e0f3f6f6d5f1f3c2a1b0c9d8e/Main",
        "AKIAIOSFODNN7EXAMPLE/8ba3cd1b7b3a4b0e0f3f6f6d5f1f3c2a1b0c9d8e",
        "d41d8cd98f00b204e9800998ecf8427e",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ],
)
def test_words_git_hashes_and_key_ids_are_no_secrets(text: str) -> None:
    assert not looks_like_secret(text)


@given(st.from_regex(r"[0-9a-f]{40}|[0-9A-F]{40}", fullmatch=True))
def test_no_git_commit_is_taken_for_a_secret(sha: str) -> None:
    assert not looks_like_secret(f"create deploy {sha} again")


BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


@given(st.text(max_size=30), st.text(BASE64, min_size=40, max_size=40), st.text(max_size=30))
def test_what_is_refused_as_a_secret_is_hidden_in_the_log_as_well(
    before: str, word: str, after: str
) -> None:
    if looks_like_secret(before + word + after) and 'File "' not in before:
        assert word not in redact_text(before + word + after)


def test_a_long_text_is_looked_through_at_once() -> None:
    for text in ("/" * 100_000, "aB1/" * 25_000, "aB1" * 33_000, "AKIA" * 25_000):
        assert not looks_like_secret(text)


def a_key() -> ManagedKey:
    return ManagedKey(
        "AKIAIOSFODNN7EXAMPLE",
        "111122223333",
        "alice",
        "U0ALICE",
        "id1",
        Origin.ISSUED,
        NOW,
        DesiredState.ACTIVE,
        ObservedState.ACTIVE,
    )


def test_a_new_intent_makes_what_iam_shows_unknown() -> None:
    wants = a_key().set_desired(
        DesiredState.INACTIVE, "U0ALICE", NOW, check_at=NOW + timedelta(seconds=15)
    )
    assert wants == replace(
        a_key(),
        desired=DesiredState.INACTIVE,
        observed=ObservedState.UNKNOWN,
        changed_at=NOW,
        changed_by="U0ALICE",
        check_at=NOW + timedelta(seconds=15),
        version=2,
    )


def test_a_read_makes_what_iam_shows_known_and_leaves_the_intent_alone() -> None:
    assert a_key().observe(ObservedState.INACTIVE, check_at=None) == replace(
        a_key(), observed=ObservedState.INACTIVE, version=2
    )


@pytest.mark.parametrize(("age", "proves"), [(0, False), (299, False), (300, True), (10_000, True)])
def test_absence_proves_nothing_for_a_key_less_than_five_minutes_old(
    age: int, proves: bool
) -> None:
    assert a_key().absence_is_proof(NOW + timedelta(seconds=age)) is proves


HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("permissions", "due"),
    [
        ({}, None),
        ({"check_at": NOW + DAY}, NOW + DAY),
        ({"expires_at": NOW + 30 * DAY}, NOW + 23 * DAY),
        ({"expires_at": NOW + 30 * DAY, "notices": ("expiry:7d",)}, NOW + 29 * DAY),
        (
            {"expires_at": NOW + 30 * DAY, "notices": ("expiry:7d", "expiry:1d", "expiry:1h")},
            NOW + 30 * DAY,
        ),
        ({"expires_at": NOW + HOUR}, NOW + HOUR),
        ({"expires_at": NOW + 30 * DAY, "check_at": NOW}, NOW),
        ({"grace_ends_at": NOW + DAY, "expires_at": NOW + 30 * DAY}, NOW + DAY),
        (
            {"desired": DesiredState.INACTIVE, "expires_at": NOW + DAY, "grace_ends_at": NOW},
            NOW + DAY,
        ),  # it ends all the same
        ({"desired": DesiredState.INACTIVE, "expires_at": NOW, "leaked": True}, None),
        (
            {
                "desired": DesiredState.INACTIVE,
                "expires_at": NOW,
                "inactive_reason": InactiveReason.UNCLAIMED,
            },
            None,
        ),
        ({"desired": DesiredState.INACTIVE, "delete_at": NOW + 7 * DAY}, NOW + 6 * DAY),
        (
            {
                "desired": DesiredState.INACTIVE,
                "delete_at": NOW + 7 * DAY,
                "notices": ("deletion",),
            },
            NOW + 7 * DAY,
        ),
        ({"desired": DesiredState.DELETED, "delete_at": NOW, "expires_at": NOW}, None),
    ],
)
def test_a_key_is_due_at_the_nearest_of_its_times(
    permissions: dict[str, object], due: datetime | None
) -> None:
    assert replace(a_key(), **permissions).next_run == due


@pytest.mark.parametrize("desired", DesiredState)
def test_a_leaked_key_can_be_wanted_in_every_way_but_active(desired: DesiredState) -> None:
    leaked = replace(a_key(), leaked=True)
    if desired is DesiredState.ACTIVE:
        with pytest.raises(KeyIsLeaked):
            leaked.set_desired(desired, "U0ALICE", NOW, check_at=NOW)
    else:
        assert leaked.set_desired(desired, "U0ALICE", NOW, check_at=NOW).leaked


@pytest.mark.parametrize(
    ("permissions", "stays"),
    [
        ({}, False),
        ({"inactive_reason": InactiveReason.DISABLED}, False),
        ({"inactive_reason": InactiveReason.CONSOLE}, False),
        ({"inactive_reason": InactiveReason.EXPIRED}, True),
        ({"inactive_reason": InactiveReason.LEAKED}, True),
        ({"inactive_reason": InactiveReason.DISABLED, "leaked": True}, True),
    ],
)
def test_the_end_of_an_expired_or_leaked_key_is_a_promise(
    permissions: dict[str, object], stays: bool
) -> None:
    assert replace(a_key(), **permissions).must_stay_off is stays


def test_a_new_intent_takes_a_key_off_the_list_of_those_to_be_deleted_unless_it_says_when() -> None:
    ending = replace(a_key(), delete_at=NOW)
    assert ending.set_desired(DesiredState.ACTIVE, "U0ALICE", NOW, check_at=NOW).delete_at is None
    assert (
        ending.set_desired(
            DesiredState.INACTIVE, "U0ALICE", NOW, check_at=NOW, delete_at=NOW + DAY
        ).delete_at
        == NOW + DAY
    )
