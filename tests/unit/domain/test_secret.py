"""A secret is hidden wherever it is shown, and text with one is recognised."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.secret import Secret, looks_like_secret
from bot.runtime.redaction import redact_text

VALUE = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
KEY_ID = "AKIAIOSFODNN7EXAMPLE"
COMMIT = "8ba3cd1b7b3a4b0e0f3f6f6d5f1f3c2a1b0c9d8e"


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
def test_a_secret_stays_hidden_however_it_is_shown(show: Callable[[Secret], str]) -> None:
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


def test_a_traceback_with_locals_hides_a_secret() -> None:
    def fails(secret: Secret) -> None:
        raise ValueError(secret)

    with pytest.raises(ValueError) as caught:
        fails(Secret(VALUE))
    trace = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert VALUE not in "".join(trace.format())


def test_a_secret_equals_nothing_but_itself() -> None:
    assert Secret(VALUE) != Secret(VALUE)
    assert Secret(VALUE) != VALUE
    assert Secret(VALUE).expose() == VALUE


BETWEEN = ["/", "+", "", " / ", ":", " ", "=", ",", ";", "|", "\n", "\r\n", "\t", " = ", '","']
# {} stands for the secret.
PASTED = [
    *("{}", "my key is {}, thanks", "create\n{}\n", "{}=", "{}==", "<{}>", "secret/{}", "{}/"),
    *("aws_secret_access_key={}", "aws_secret_access_key = {}", "key:{}", KEY_ID + ",{}"),
    *('"{}"', "'{}'", "`{}`", "“{}”", "/{}/x", "https://example.com/login?secret={}&x=1"),
    *(f'"{KEY_ID}\\n{{}}"', "{}/" + KEY_ID, "{}" + KEY_ID),
    *(KEY_ID + between + "{}" for between in (*BETWEEN, "' '")),
]


@pytest.mark.parametrize("text", PASTED)
def test_a_pasted_secret_is_recognised(text: str) -> None:
    assert looks_like_secret(text.format(VALUE))


@pytest.mark.parametrize("between", [*BETWEEN, "' '"])
@pytest.mark.parametrize("first", "/+")
def test_a_secret_may_begin_with_a_separator(first: str, between: str) -> None:
    assert looks_like_secret(f"{KEY_ID}{between}{first}{VALUE[1:]}")


@pytest.mark.parametrize("slash", ["%2F", "\\/"])
def test_an_encoded_secret_is_recognised(slash: str) -> None:
    assert looks_like_secret(VALUE.replace("/", slash))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "deploy script",
        COMMIT,
        COMMIT.upper(),
        KEY_ID,
        VALUE[:39],
        VALUE + "A",
        "a" * 10_000,
        "https://example.com/wiki/How-we-deploy-the-Billing-job-v2-to-production",
        "see /Users/ann/Projects2/billing/deploy/nightly/Main",
        "src/main/java/com/example/Billing2/jobs/Nightly/Deploy/v2",
        "s3://reports/2026/11/24/BillingJob/part0001/Europe/All",
        f"{KEY_ID}/AKIAI44QH8DHBEXAMPLE",
        f"https://github.com/Example/Desk2/commit/{COMMIT}/Main",
        f"{KEY_ID}/{COMMIT}",
        "d41d8cd98f00b204e9800998ecf8427e",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ],
)
def test_words_git_hashes_and_key_ids_are_no_secrets(text: str) -> None:
    assert not looks_like_secret(text)


@settings(max_examples=30, deadline=None)
@given(st.from_regex(r"[0-9a-f]{40}|[0-9A-F]{40}", fullmatch=True))
def test_no_git_commit_is_taken_for_a_secret(sha: str) -> None:
    assert not looks_like_secret(f"create deploy {sha} again")


BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=30), st.text(BASE64, min_size=40, max_size=40), st.text(max_size=30))
def test_what_is_refused_is_hidden_in_the_log(before: str, word: str, after: str) -> None:
    if looks_like_secret(before + word + after) and 'File "' not in before:
        assert word not in redact_text(before + word + after)


@pytest.mark.parametrize("text", ["/" * 100_000, "aB1/" * 25_000, "aB1" * 33_000, "AKIA" * 25_000])
def test_a_long_text_is_searched_quickly(text: str) -> None:
    assert not looks_like_secret(text)
