"""What was typed after `/key`: what each text means, and which usage each refusal shows."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.command import HELP, REASON_MAX, USAGE, Command, check_reason, parse
from bot.core.errors import BadCommand, LooksLikeSecret

ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize(("text", "command"), [
    ("", Command("help")), ("   ", Command("help")), ("\u200b", Command("help")), ("help", Command("help")),
    ("list", Command("list")), ("LIST", Command("list")), ("“list”", Command("list")), ("list \u200b", Command("list")),
    ("\u200blist", Command("list")), ("\ufefflist", Command("list")), ("`list`", Command("list")),
    ("create", Command("create")), ("create \u00a0", Command("create")),
    ("create deploy script", Command("create", reason="deploy script")),
    ("create\u00a0deploy script", Command("create", reason="deploy script")),
    ("create\u200bdeploy", Command("create", reason="deploy")),
    ("\tCreate \n deploy script ", Command("create", reason="deploy script")),
    (f"disable {ID}", Command("disable", key_id=ID)), (f"delete {ID}", Command("delete", key_id=ID)),
    (f"disable `{ID}`", Command("disable", key_id=ID)), (f"disable “{ID}”", Command("disable", key_id=ID)),
    (f"disable {ID.lower()}", Command("disable", key_id=ID)),
    (f"disable\u202f{ID}\u200b", Command("disable", key_id=ID)),
    (f"disable {ID[:7]}\u200b{ID[7:]}", Command("disable", key_id=ID)),
    (f"disable \u2060{ID}", Command("disable", key_id=ID)),
])
def test_a_text_is_read_as_its_command(text: str, command: Command) -> None:
    assert parse(text) == command


@pytest.mark.parametrize(("typed", "kept"), [
    ("“billing” — it’s  urgent", "“billing” — it’s  urgent"),
    ("a &amp; b &lt;c&gt;", "a & b <c>"),
    ("&amp;lt; stays", "&lt; stays"),
    ("for <@U0BOB|bob> and <#C0OPS>", "for <@U0BOB|bob> and <#C0OPS>"),
    ("two\nlines", "two\nlines"),
    ("thin\u00a0space and 👩\u200d💻", "thin\u00a0space and 👩\u200d💻"),
    ("cut-over - from A to B", "cut-over - from A to B"),
    ("pages 3–7, A—B", "pages 3–7, A—B"),
    ("x" * REASON_MAX, "x" * REASON_MAX),
])
def test_a_reason_is_kept_as_it_was_written(typed: str, kept: str) -> None:
    assert parse(f"create {typed}").reason == kept


@pytest.mark.parametrize(("text", "usage"), [
    ("list all", "list"), ("help me", "help"),
    ("disable", "disable"), ("delete ", "delete"), (f"disable {ID} {ID}", "disable"), ("delete my old key", "delete"),
    ("disable AKIA123", "disable"), (f"delete {ID}1", "delete"), ("disable ASIAIOSFODNN7EXAMPLE", "disable"),
    ("disable AROAIOSFODNN7EXAMPLE", "disable"), ("disable <@U0BOB>", "disable"),
    ("create --for 30d deploy", "create"), ("create deploy --for 30d", "create"), ("create —for 30d deploy", "create"),
    ("create deploy —for 30d", "create"), ("create deploy\u00a0–for 30d", "create"), (f"delete {ID} --force", "delete"),
    ("list --all", "list"), ("create " + "x" * (REASON_MAX + 1), "create"), ("create " + "word " * 2_000, "create"),
    ("creat deploy", "create"), ("crate", "create"), ("lst", "list"), ("disabel " + ID, "disable"), ("remove", "help"),
    ("delte " + ID, "delete"), ("xyzzy", "help"), ("!" * 10_000, "help"), ("a " * 5_000, "help"), ("–", "help"),
])
def test_what_is_no_command_is_refused_with_the_right_usage(text: str, usage: str) -> None:
    with pytest.raises(BadCommand) as refused:
        parse(text)
    assert refused.value.usage == USAGE[usage]
    assert USAGE[usage] in refused.value.sentence
    assert len(refused.value.sentence) < 300


@pytest.mark.parametrize(("typed", "nearest"), [("creat", "create"), ("lists", "list"), ("dsable", "disable")])
def test_an_unknown_verb_is_answered_with_the_nearest_one(typed: str, nearest: str) -> None:
    with pytest.raises(BadCommand, match=rf"did you mean \*{nearest}\*"):
        parse(typed)


@pytest.mark.parametrize("text", [SECRET, f"create {SECRET}", f"disable {SECRET}", f"create secret={SECRET} is mine",
                                  f"{ID} {SECRET}", f"crete {SECRET}", f"create “{SECRET}”"])
def test_a_secret_is_refused_wherever_it_stands_and_not_repeated(text: str) -> None:
    with pytest.raises(LooksLikeSecret) as refused:
        parse(text)
    assert SECRET not in refused.value.sentence


def test_a_git_commit_in_a_reason_is_no_secret() -> None:
    sha = "8ba3cd1b7b3a4b0e0f3f6f6d5f1f3c2a1b0c9d8e"
    assert parse(f"create deploy {sha}").reason == f"deploy {sha}"


@pytest.mark.parametrize(("reason", "error"), [("", BadCommand), (" \n", BadCommand), ("\u200b", BadCommand),
                                               ("x" * 501, BadCommand), (f"key {SECRET}", LooksLikeSecret)])
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
