"""Parse commands: what each text means, and the code and verb of each refusal."""

from __future__ import annotations

import contextlib
import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.codes import Code
from bot.domain.commands import (
    REASON_MAX,
    VERBS,
    Command,
    check_reason,
    parse,
    parse_lifetime,
)
from bot.domain.errors import BadCommand, LooksLikeSecret
from tests.support.errors import refuses

ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("", Command("help")),
        ("   ", Command("help")),
        ("\u200b", Command("help")),
        ("help", Command("help")),
        ("list", Command("list")),
        ("LIST", Command("list")),
        ("“list”", Command("list")),
        ("list \u200b", Command("list")),
        ("\u200blist", Command("list")),
        ("\ufefflist", Command("list")),
        ("`list`", Command("list")),
        ("create", Command("create")),
        ("create \u00a0", Command("create")),
        ("create deploy script", Command("create", reason="deploy script")),
        ("create\u00a0deploy script", Command("create", reason="deploy script")),
        ("create\u200bdeploy", Command("create", reason="deploy")),
        ("\tCreate \n deploy script ", Command("create", reason="deploy script")),
        (f"disable {ID}", Command("disable", key_id=ID)),
        (f"delete {ID}", Command("delete", key_id=ID)),
        (f"disable `{ID}`", Command("disable", key_id=ID)),
        (f"disable “{ID}”", Command("disable", key_id=ID)),
        (f"disable {ID.lower()}", Command("disable", key_id=ID)),
        (f"disable\u202f{ID}\u200b", Command("disable", key_id=ID)),
        (f"disable {ID[:7]}\u200b{ID[7:]}", Command("disable", key_id=ID)),
        (f"disable \u2060{ID}", Command("disable", key_id=ID)),
    ],
)
def test_text_is_parsed_as_its_command(text: str, command: Command) -> None:
    assert parse(text) == command


DAYS = timedelta(days=1)
OTHER = "AKIAI44QH7DHBEXAMPLE"


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("create --for 30d deploy", Command("create", reason="deploy", lifetime=30 * DAYS)),
        ("create deploy --for 30d", Command("create", reason="deploy", lifetime=30 * DAYS)),
        ("create the --for 30d script", Command("create", reason="the script", lifetime=30 * DAYS)),
        ("create —for 30d deploy", Command("create", reason="deploy", lifetime=30 * DAYS)),
        ("create deploy\u00a0–for 30d", Command("create", reason="deploy", lifetime=30 * DAYS)),
        (
            "create deploy \u200b--for\u00a030d\u200b",
            Command("create", reason="deploy", lifetime=30 * DAYS),
        ),
        ("create --for=12h deploy", Command("create", reason="deploy", lifetime=DAYS / 2)),
        ("create --FOR 2W deploy", Command("create", reason="deploy", lifetime=14 * DAYS)),
        ("create --for “30d” deploy", Command("create", reason="deploy", lifetime=30 * DAYS)),
        ("create --for never deploy", Command("create", reason="deploy", forever=True)),
        ("create --for 30d", Command("create", lifetime=30 * DAYS)),
        (
            "create --urgent the shop is down",
            Command("create", reason="the shop is down", urgent=True),
        ),
        (
            "create the shop is down —urgent",
            Command("create", reason="the shop is down", urgent=True),
        ),
        (
            "create --urgent --for 2h the shop",
            Command("create", reason="the shop", lifetime=DAYS / 12, urgent=True),
        ),
        (
            "create --for 2h –URGENT\u00a0the shop",
            Command("create", reason="the shop", lifetime=DAYS / 12, urgent=True),
        ),
        ("create --urgent", Command("create", urgent=True)),
        ("create not urgent", Command("create", reason="not urgent")),
        (
            "create --user ci-deploy --for 1w nightly job",
            Command("create", reason="nightly job", user="ci-deploy", lifetime=7 * DAYS),
        ),
        (
            "create nightly —user ci@example.com",
            Command("create", reason="nightly", user="ci@example.com"),
        ),
        ("list --user ci-deploy", Command("list", user="ci-deploy")),
        ("list <@U0BOB|bob>", Command("list", person="U0BOB")),
        ("list &lt;@W0BOB&gt;", Command("list", person="W0BOB")),
        ("list <@U0BOB>\u200b", Command("list", person="U0BOB")),
        (f"used {ID}", Command("used", key_id=ID)),
        (f"leaked {ID}", Command("leaked", key_id=ID)),
        (f"used --user ci {ID}", Command("used", key_id=ID, user="ci")),
        (f"disable {ID} --user ci", Command("disable", key_id=ID, user="ci")),
        (f"delete —user ci {ID}", Command("delete", key_id=ID, user="ci")),
        ("rotate", Command("rotate")),
        ("enable", Command("enable")),
        ("enable \u200b", Command("enable")),
        ("rotate --user ci", Command("rotate", user="ci")),
        ("enable --user ci", Command("enable", user="ci")),
        (f"rotate {ID}", Command("rotate", key_id=ID)),
        (f"enable {ID}", Command("enable", key_id=ID)),
        (f"rotate {ID} it is old", Command("rotate", key_id=ID, reason="it is old")),
        (
            f"rotate --delete {OTHER} {ID} old",
            Command("rotate", key_id=ID, delete_first=OTHER, reason="old"),
        ),
        (
            f"rotate {ID} —delete `{OTHER.lower()}` --for 30d",
            Command("rotate", key_id=ID, delete_first=OTHER, lifetime=30 * DAYS),
        ),
        (
            f"enable {ID} --user ci still used",
            Command("enable", key_id=ID, user="ci", reason="still used"),
        ),
        ("requests", Command("requests")),
    ],
)
def test_options_may_stand_anywhere(text: str, command: Command) -> None:
    assert parse(text) == command


@pytest.mark.parametrize(
    "reason",
    [
        "deploy —quickly",
        "a –b c",
        "cut-over – for good",
        "x—for 30d",
        "-for 30d",
        "what—user means",
        "deploy — for 30d",
    ],
)
def test_long_dash_starts_only_known_options(reason: str) -> None:
    assert parse(f"create {reason}") == Command("create", reason=reason)


def test_long_dash_ignores_options_of_other_verbs() -> None:
    assert parse("create —delete later") == Command("create", reason="—delete later")


def test_words_between_options_keep_their_order() -> None:
    assert (
        parse("create one\ntwo --for 30d  three  four --user ci five").reason
        == "one\ntwo three  four five"
    )


@pytest.mark.parametrize(
    ("text", "lifetime"),
    [
        ("12h", DAYS / 2),
        (" 30D ", 30 * DAYS),
        ("2w", 14 * DAYS),
        ("never", None),
        ("99999d", 99_999 * DAYS),
    ],
)
def test_lifetime_is_a_number_and_a_unit_or_never(text: str, lifetime: timedelta | None) -> None:
    assert parse_lifetime(text) == lifetime


@pytest.mark.parametrize(
    "text", ["", "30", "d", "0d", "1.5d", "-1d", "30 d", "1y", "100000d", "forever", "30d30d", "٣d"]
)
def test_other_lifetimes_are_refused(text: str) -> None:
    with refuses(Code.BAD_LIFETIME, verb="create"):
        parse_lifetime(text)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("“billing” — it’s  urgent", "“billing” — it’s  urgent"),
        ("a &amp; b &lt;c&gt;", "a & b <c>"),
        ("&amp;lt; stays", "&lt; stays"),
        ("for <@U0BOB|bob> and <#C0OPS>", "for <@U0BOB|bob> and <#C0OPS>"),
        ("two\nlines", "two\nlines"),
        ("thin\u00a0space and 👩\u200d💻", "thin\u00a0space and 👩\u200d💻"),
        ("cut-over - from A to B", "cut-over - from A to B"),
        ("pages 3–7, A—B", "pages 3–7, A—B"),
        ("x" * REASON_MAX, "x" * REASON_MAX),
    ],
)
def test_reason_is_kept_as_written(typed: str, kept: str) -> None:
    assert parse(f"create {typed}").reason == kept


@pytest.mark.parametrize(
    ("text", "code", "verb"),
    [
        ("list all", Code.ONLY_A_MEMBER, "list"),
        ("help me", Code.NO_ARGUMENTS, "help"),
        ("disable", Code.KEY_ID_MISSING, "disable"),
        ("delete ", Code.KEY_ID_MISSING, "delete"),
        (f"disable {ID} {ID}", Code.ONLY_A_KEY_ID, "disable"),
        ("delete my old key", Code.BAD_KEY_ID, "delete"),
        ("disable AKIA123", Code.BAD_KEY_ID, "disable"),
        (f"delete {ID}1", Code.BAD_KEY_ID, "delete"),
        ("disable ASIAIOSFODNN7EXAMPLE", Code.TEMPORARY_KEY, "disable"),
        ("disable AROAIOSFODNN7EXAMPLE", Code.BAD_KEY_ID, "disable"),
        ("disable <@U0BOB>", Code.BAD_KEY_ID, "disable"),
        ("create --force deploy", Code.UNKNOWN_OPTION, "create"),
        ("create deploy --force", Code.UNKNOWN_OPTION, "create"),
        (f"delete {ID} --force", Code.UNKNOWN_OPTION, "delete"),
        ("create --for deploy", Code.BAD_LIFETIME, "create"),
        ("create deploy --for", Code.OPTION_NEEDS_VALUE, "create"),
        ("create —for deploy", Code.BAD_LIFETIME, "create"),
        ("create --for 0d deploy", Code.BAD_LIFETIME, "create"),
        ("create --for 30m deploy", Code.BAD_LIFETIME, "create"),
        ("create --for -3d deploy", Code.BAD_LIFETIME, "create"),
        ("create --urgent=yes deploy", Code.OPTION_TAKES_NO_VALUE, "create"),
        ("create --urgent deploy --urgent", Code.OPTION_TAKES_NO_VALUE, "create"),
        (f"rotate {ID} --urgent", Code.UNKNOWN_OPTION, "rotate"),
        ("create --for 30d --for 2w deploy", Code.OPTION_NEEDS_VALUE, "create"),
        ("create --for --user ci deploy", Code.OPTION_NEEDS_VALUE, "create"),
        ("create --user --for 30d deploy", Code.OPTION_NEEDS_VALUE, "create"),
        ("create --user ci/deploy deploy", Code.BAD_USER_NAME, "create"),
        ("create --user —for 30d deploy", Code.OPTION_NEEDS_VALUE, "create"),
        (f"create --delete {ID} deploy", Code.UNKNOWN_OPTION, "create"),
        (f"disable {ID} --for 30d", Code.UNKNOWN_OPTION, "disable"),
        (f"rotate {ID} --delete {ID[:-1]}", Code.BAD_KEY_ID, "rotate"),
        (f"rotate {ID} --delete", Code.OPTION_NEEDS_VALUE, "rotate"),
        ("rotate --for 30d", Code.KEY_ID_MISSING, "rotate"),
        ("rotate soon", Code.BAD_KEY_ID, "rotate"),
        (f"rotate {ID} " + "x" * (REASON_MAX + 1), Code.REASON_TOO_LONG, "rotate"),
        (f"enable {ID} " + "x" * (REASON_MAX + 1), Code.REASON_TOO_LONG, "enable"),
        ("enable it please", Code.BAD_KEY_ID, "enable"),
        (f"enable --for 30d {ID} again", Code.UNKNOWN_OPTION, "enable"),
        ("leaked", Code.KEY_ID_MISSING, "leaked"),
        ("used", Code.KEY_ID_MISSING, "used"),
        (f"leaked {ID} --user ci", Code.UNKNOWN_OPTION, "leaked"),
        (f"leaked {ID} on the wiki", Code.ONLY_A_KEY_ID, "leaked"),
        ("requests all", Code.NO_ARGUMENTS, "requests"),
        ("list <@U0BOB> <@U0ALICE>", Code.ONLY_A_MEMBER, "list"),
        ("list <@U0BOB> all", Code.ONLY_A_MEMBER, "list"),
        ("list --user ci <@U0BOB>", Code.ONLY_A_MEMBER, "list"),
        ("list bob", Code.ONLY_A_MEMBER, "list"),
        ("list --for 30d", Code.UNKNOWN_OPTION, "list"),
        ("list --all", Code.UNKNOWN_OPTION, "list"),
        ("create " + "x" * (REASON_MAX + 1), Code.REASON_TOO_LONG, "create"),
        ("create " + "word " * 2_000, Code.REASON_TOO_LONG, "create"),
        ("creat deploy", Code.UNKNOWN_COMMAND, "create"),
        ("crate", Code.UNKNOWN_COMMAND, "create"),
        ("lst", Code.UNKNOWN_COMMAND, "list"),
        ("disabel " + ID, Code.UNKNOWN_COMMAND, "disable"),
        ("remove", Code.UNKNOWN_COMMAND, "help"),
        ("delte " + ID, Code.UNKNOWN_COMMAND, "delete"),
        ("xyzzy", Code.UNKNOWN_COMMAND, "help"),
        ("!" * 10_000, Code.UNKNOWN_COMMAND, "help"),
        ("a " * 5_000, Code.UNKNOWN_COMMAND, "help"),
        ("–", Code.UNKNOWN_COMMAND, "help"),
    ],
)
def test_other_text_is_refused_with_the_right_verb(text: str, code: Code, verb: str) -> None:
    with refuses(code, verb=verb):
        parse(text)


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_has_a_summary_and_a_right_example(verb: str) -> None:
    assert VERBS[verb].summary
    command = parse(f"{verb} {VERBS[verb].example}")
    assert command.verb == verb and bool(command.key_id) == VERBS[verb].needs_key


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_usage_names_only_options_that_the_verb_has(verb: str) -> None:
    assert set(re.findall(r"--(\w+)", VERBS[verb].arguments)) <= VERBS[verb].options


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        f"create {SECRET}",
        f"disable {SECRET}",
        f"create secret={SECRET} is mine",
        f"{ID} {SECRET}",
        f"crete {SECRET}",
        f"create “{SECRET}”",
    ],
)
def test_secret_is_refused_anywhere_and_not_repeated(text: str) -> None:
    with pytest.raises(LooksLikeSecret) as refused:
        parse(text)
    assert SECRET not in f"{refused.value} {refused.value.facts}"


def test_git_commit_is_not_a_secret() -> None:
    sha = "8ba3cd1b7b3a4b0e0f3f6f6d5f1f3c2a1b0c9d8e"
    assert parse(f"create deploy {sha}").reason == f"deploy {sha}"


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        ("", BadCommand),
        (" \n", BadCommand),
        ("\u200b", BadCommand),
        ("x" * 501, BadCommand),
        (f"key {SECRET}", LooksLikeSecret),
    ],
)
def test_form_reason_follows_the_same_rules(reason: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        check_reason(reason)


def test_form_reason_is_kept_without_outer_spaces() -> None:
    assert check_reason(" a &amp; b --for me ") == "a &amp; b --for me"


@given(st.one_of(st.text(), st.builds("{} {}".format, st.sampled_from(sorted(VERBS)), st.text())))
def test_no_text_makes_parse_fail_otherwise(text: str) -> None:
    with contextlib.suppress(BadCommand, LooksLikeSecret):
        command = parse(text)
        assert command.verb in VERBS
        assert len(command.reason) <= REASON_MAX
