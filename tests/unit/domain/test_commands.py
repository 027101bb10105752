"""What was typed after `/key`: what each text means, and which usage each refusal shows."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.commands import (
    HELP,
    REASON_MAX,
    USAGE,
    Command,
    check_reason,
    parse,
    parse_lifetime,
)
from bot.domain.errors import BadCommand, LooksLikeSecret

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
def test_a_text_is_read_as_its_command(text: str, command: Command) -> None:
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
def test_options_are_read_wherever_they_stand(text: str, command: Command) -> None:
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
def test_a_long_dash_begins_a_flag_only_where_the_option_is_known(reason: str) -> None:
    assert parse(f"create {reason}") == Command("create", reason=reason)


def test_a_long_dash_before_an_option_of_another_verb_is_part_of_the_sentence() -> None:
    assert parse("create —delete later") == Command("create", reason="—delete later")


def test_words_between_options_are_kept_in_their_order() -> None:
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
def test_a_life_is_a_number_and_a_unit_or_never(text: str, lifetime: timedelta | None) -> None:
    assert parse_lifetime(text) == lifetime


@pytest.mark.parametrize(
    "text", ["", "30", "d", "0d", "1.5d", "-1d", "30 d", "1y", "100000d", "forever", "30d30d", "٣d"]
)
def test_what_is_no_life_is_refused(text: str) -> None:
    with pytest.raises(BadCommand, match="12h, 30d, 2w"):
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
def test_a_reason_is_kept_as_it_was_written(typed: str, kept: str) -> None:
    assert parse(f"create {typed}").reason == kept


@pytest.mark.parametrize(
    ("text", "usage"),
    [
        ("list all", "list"),
        ("help me", "help"),
        ("disable", "disable"),
        ("delete ", "delete"),
        (f"disable {ID} {ID}", "disable"),
        ("delete my old key", "delete"),
        ("disable AKIA123", "disable"),
        (f"delete {ID}1", "delete"),
        ("disable ASIAIOSFODNN7EXAMPLE", "disable"),
        ("disable AROAIOSFODNN7EXAMPLE", "disable"),
        ("disable <@U0BOB>", "disable"),
        ("create --force deploy", "create"),
        ("create deploy --force", "create"),
        (f"delete {ID} --force", "delete"),
        ("create --for deploy", "create"),
        ("create deploy --for", "create"),
        ("create —for deploy", "create"),
        ("create --for 0d deploy", "create"),
        ("create --for 30m deploy", "create"),
        ("create --for -3d deploy", "create"),
        ("create --urgent=yes deploy", "create"),
        ("create --urgent deploy --urgent", "create"),
        (f"rotate {ID} --urgent", "rotate"),
        ("create --for 30d --for 2w deploy", "create"),
        ("create --for --user ci deploy", "create"),
        ("create --user --for 30d deploy", "create"),
        ("create --user ci/deploy deploy", "create"),
        ("create --user —for 30d deploy", "create"),
        (f"create --delete {ID} deploy", "create"),
        (f"disable {ID} --for 30d", "disable"),
        (f"rotate {ID} --delete {ID[:-1]}", "rotate"),
        (f"rotate {ID} --delete", "rotate"),
        ("rotate --for 30d", "rotate"),
        ("rotate soon", "rotate"),
        (f"rotate {ID} " + "x" * (REASON_MAX + 1), "rotate"),
        (f"enable {ID} " + "x" * (REASON_MAX + 1), "enable"),
        ("enable it please", "enable"),
        (f"enable --for 30d {ID} again", "enable"),
        ("leaked", "leaked"),
        ("used", "used"),
        (f"leaked {ID} --user ci", "leaked"),
        (f"leaked {ID} on the wiki", "leaked"),
        ("requests all", "requests"),
        ("list <@U0BOB> <@U0ALICE>", "list"),
        ("list <@U0BOB> all", "list"),
        ("list --user ci <@U0BOB>", "list"),
        ("list bob", "list"),
        ("list --for 30d", "list"),
        ("list --all", "list"),
        ("create " + "x" * (REASON_MAX + 1), "create"),
        ("create " + "word " * 2_000, "create"),
        ("creat deploy", "create"),
        ("crate", "create"),
        ("lst", "list"),
        ("disabel " + ID, "disable"),
        ("remove", "help"),
        ("delte " + ID, "delete"),
        ("xyzzy", "help"),
        ("!" * 10_000, "help"),
        ("a " * 5_000, "help"),
        ("–", "help"),
    ],
)
def test_what_is_no_command_is_refused_with_the_right_usage(text: str, usage: str) -> None:
    with pytest.raises(BadCommand) as refused:
        parse(text)
    assert refused.value.usage == USAGE[usage]
    assert USAGE[usage] in refused.value.sentence
    assert len(refused.value.sentence) < 300


@pytest.mark.parametrize(
    ("typed", "nearest"), [("creat", "create"), ("lists", "list"), ("dsable", "disable")]
)
def test_an_unknown_verb_is_answered_with_the_nearest_one(typed: str, nearest: str) -> None:
    with pytest.raises(BadCommand, match=rf"did you mean \*{nearest}\*"):
        parse(typed)


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
def test_a_secret_is_refused_wherever_it_stands_and_not_repeated(text: str) -> None:
    with pytest.raises(LooksLikeSecret) as refused:
        parse(text)
    assert SECRET not in refused.value.sentence


def test_a_git_commit_in_a_reason_is_no_secret() -> None:
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
def test_a_reason_from_a_form_keeps_the_same_rules(reason: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        check_reason(reason)


def test_a_reason_from_a_form_is_taken_as_it_is_without_the_space_around_it() -> None:
    assert check_reason(" a &amp; b --for me ") == "a &amp; b --for me"


def test_every_verb_has_a_usage_and_an_example_that_is_right() -> None:
    assert HELP.keys() == USAGE.keys()
    for verb, (_, example) in HELP.items():
        assert parse(example.removeprefix("/key ")).verb == verb


@given(st.one_of(st.text(), st.builds("{} {}".format, st.sampled_from(sorted(USAGE)), st.text())))
def test_no_text_makes_parse_fail_in_any_other_way(text: str) -> None:
    with contextlib.suppress(BadCommand, LooksLikeSecret):
        command = parse(text)
        assert command.verb in USAGE
        assert len(command.reason) <= REASON_MAX
