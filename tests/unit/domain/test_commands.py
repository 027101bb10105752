"""Parse commands: what each text means, and the code and verb of each refusal."""

from __future__ import annotations

import contextlib
import re
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.codes import Code
from bot.domain.commands import (
    REASON_MAX,
    VERBS,
    Command,
    Verb,
    check_reason,
    parse,
    parse_lifetime,
)
from bot.domain.errors import BadCommand, LooksLikeSecret
from tests.support.errors import refusal, refuses

ID = "AKIAIOSFODNN7EXAMPLE"
OTHER = "AKIAI44QH7DHBEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
DAY = timedelta(days=1)
MONTH = 30 * DAY

create, rotate = partial(Command, "create"), partial(Command, "rotate", ID)
DEPLOY_FOR_A_MONTH = create(reason="deploy", lifetime=MONTH)
URGENT_FOR_2_HOURS = create(reason="the shop", lifetime=DAY / 12, urgent=True)

# Each command, with texts that mean it.
MEANINGS: list[tuple[Command, list[str]]] = [
    (Command("help"), ["", "   ", "\u200b", "help"]),
    (Command("list"), ["list", "LIST", "“list”", "`list`"]),
    (Command("list"), ["list \u200b", "\u200blist", "\ufefflist"]),
    (Command("list", user="ci-deploy"), ["list --user ci-deploy"]),
    (Command("list", person="U0BOB"), ["list <@U0BOB|bob>", "list <@U0BOB>\u200b"]),
    (Command("list", person="W0BOB"), ["list &lt;@W0BOB&gt;"]),
    (create(), ["create", "create \u00a0"]),
    (create(reason="deploy"), ["create\u200bdeploy"]),
    (create(reason="deploy script"), ["create deploy script", "create\u00a0deploy script"]),
    (create(reason="deploy script"), ["\tCreate \n deploy script "]),
    (create(reason="not urgent"), ["create not urgent"]),
    (create(lifetime=MONTH), ["create --for 30d"]),
    (DEPLOY_FOR_A_MONTH, ["create --for 30d deploy", "create deploy --for 30d"]),
    (DEPLOY_FOR_A_MONTH, ["create —for 30d deploy", "create deploy\u00a0–for 30d"]),
    (DEPLOY_FOR_A_MONTH, ["create deploy \u200b--for\u00a030d\u200b"]),
    (DEPLOY_FOR_A_MONTH, ["create --for “30d” deploy"]),
    (create(reason="the script", lifetime=MONTH), ["create the --for 30d script"]),
    (create(reason="deploy", lifetime=DAY / 2), ["create --for=12h deploy"]),
    (create(reason="deploy", lifetime=14 * DAY), ["create --FOR 2W deploy"]),
    (create(reason="deploy", forever=True), ["create --for never deploy"]),
    (create(urgent=True), ["create --urgent"]),
    (create(reason="it is down", urgent=True), ["create --urgent it is down"]),
    (create(reason="it is down", urgent=True), ["create it is down —urgent"]),
    (URGENT_FOR_2_HOURS, ["create --urgent --for 2h the shop"]),
    (URGENT_FOR_2_HOURS, ["create --for 2h –URGENT\u00a0the shop"]),
    (create(reason="job", user="ci", lifetime=7 * DAY), ["create --user ci --for 1w job"]),
    (create(reason="job", user="ci@example.com"), ["create job —user ci@example.com"]),
    (Command("used", ID), [f"used {ID}"]),
    (Command("used", ID, user="ci"), [f"used --user ci {ID}"]),
    (Command("leaked", ID), [f"leaked {ID}"]),
    (Command("delete", ID), [f"delete {ID}"]),
    (Command("delete", ID, user="ci"), [f"delete —user ci {ID}"]),
    (Command("disable", ID), [f"disable {ID}", f"disable `{ID}`", f"disable “{ID}”"]),
    (Command("disable", ID), [f"disable {ID.lower()}", f"disable\u202f{ID}\u200b"]),
    (Command("disable", ID), [f"disable {ID[:7]}\u200b{ID[7:]}", f"disable \u2060{ID}"]),
    (Command("disable", ID, user="ci"), [f"disable {ID} --user ci"]),
    (Command("enable"), ["enable", "enable \u200b"]),
    (Command("enable", user="ci"), ["enable --user ci"]),
    (Command("enable", ID), [f"enable {ID}"]),
    (Command("enable", ID, "still used", "ci"), [f"enable {ID} --user ci still used"]),
    (Command("rotate"), ["rotate"]),
    (Command("rotate", user="ci"), ["rotate --user ci"]),
    (rotate(), [f"rotate {ID}"]),
    (rotate("it is old"), [f"rotate {ID} it is old"]),
    (rotate("old", delete_first=OTHER), [f"rotate --delete {OTHER} {ID} old"]),
    (
        rotate(delete_first=OTHER, lifetime=MONTH),
        [f"rotate {ID} —delete `{OTHER.lower()}` --for 30d"],
    ),
    (Command("requests"), ["requests"]),
]


@pytest.mark.parametrize(
    ("text", "command"), [(text, command) for command, texts in MEANINGS for text in texts]
)
def test_text_is_parsed_as_its_command(text: str, command: Command) -> None:
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
        "—delete later",
    ],
)
def test_long_dash_starts_only_options_of_the_verb(reason: str) -> None:
    assert parse(f"create {reason}") == create(reason=reason)


def test_words_between_options_keep_their_order() -> None:
    parsed = parse("create one\ntwo --for 30d  three  four --user ci five")
    assert parsed.reason == "one\ntwo three  four five"


@pytest.mark.parametrize(
    ("text", "lifetime"),
    [
        ("12h", DAY / 2),
        (" 30D ", MONTH),
        ("2w", 14 * DAY),
        ("never", None),
        ("99999d", 99_999 * DAY),
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
        ("commit 8ba3cd1b7b3a4b0e0f3f6f6d5f1f3c2a1b0c9d8e",) * 2,
    ],
)
def test_reason_is_kept_as_written(typed: str, kept: str) -> None:
    assert parse(f"create {typed}").reason == kept


TOO_LONG = "x" * (REASON_MAX + 1)
# Each code, with texts that are refused by it. The first word of a text is its verb.
REFUSED: list[tuple[Code, list[str]]] = [
    (Code.ONLY_A_MEMBER, ["list all", "list bob", "list --user ci <@U0BOB>"]),
    (Code.ONLY_A_MEMBER, ["list <@U0BOB> <@U0ALICE>", "list <@U0BOB> all"]),
    (Code.NO_ARGUMENTS, ["help me", "requests all"]),
    (Code.KEY_ID_MISSING, ["disable", "delete ", "leaked", "used", "rotate --for 30d"]),
    (Code.ONLY_A_KEY_ID, [f"disable {ID} {ID}", f"leaked {ID} on the wiki"]),
    (Code.BAD_KEY_ID, ["delete my old key", "disable AKIA123", f"delete {ID}1", "rotate soon"]),
    (Code.BAD_KEY_ID, ["disable AROAIOSFODNN7EXAMPLE", "disable <@U0BOB>", "enable it please"]),
    (Code.BAD_KEY_ID, [f"rotate {ID} --delete {ID[:-1]}"]),
    (Code.TEMPORARY_KEY, ["disable ASIAIOSFODNN7EXAMPLE"]),
    (Code.UNKNOWN_OPTION, ["create --force deploy", "create deploy --force"]),
    (Code.UNKNOWN_OPTION, [f"delete {ID} --force", f"rotate {ID} --urgent"]),
    (Code.UNKNOWN_OPTION, [f"create --delete {ID} deploy", f"disable {ID} --for 30d"]),
    (Code.UNKNOWN_OPTION, [f"enable --for 30d {ID} again", f"leaked {ID} --user ci"]),
    (Code.UNKNOWN_OPTION, ["list --for 30d", "list --all"]),
    (Code.BAD_LIFETIME, ["create --for deploy", "create —for deploy", "create --for 0d deploy"]),
    (Code.BAD_LIFETIME, ["create --for 30m deploy", "create --for -3d deploy"]),
    (Code.OPTION_NEEDS_VALUE, ["create deploy --for", "create --for 30d --for 2w deploy"]),
    (Code.OPTION_NEEDS_VALUE, ["create --for --user ci deploy", "create --user --for 30d deploy"]),
    (Code.OPTION_NEEDS_VALUE, ["create --user —for 30d deploy", f"rotate {ID} --delete"]),
    (Code.OPTION_TAKES_NO_VALUE, ["create --urgent=yes deploy", "create --urgent deploy --urgent"]),
    (Code.BAD_USER_NAME, ["create --user ci/deploy deploy"]),
    (Code.REASON_TOO_LONG, [f"{verb} {ID} {TOO_LONG}" for verb in ("rotate", "enable")]),
    (Code.REASON_TOO_LONG, [f"create {TOO_LONG}", "create " + "word " * 2_000]),
]


@pytest.mark.parametrize(
    ("code", "text"), [(code, text) for code, texts in REFUSED for text in texts]
)
def test_other_text_is_refused_with_its_verb(code: Code, text: str) -> None:
    with refuses(code, verb=text.split()[0]):
        parse(text)


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("creat deploy", "create"),
        ("crate", "create"),
        ("lst", "list"),
        ("disabel " + ID, "disable"),
        ("delte " + ID, "delete"),
        ("remove", "help"),
        ("xyzzy", "help"),
        ("!" * 10_000, "help"),
        ("a " * 5_000, "help"),
        ("–", "help"),
    ],
)
def test_unknown_command_names_the_nearest_verb(text: str, nearest: str) -> None:
    with refuses(Code.UNKNOWN_COMMAND, verb=nearest):
        parse(text)


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_verb_has_a_summary_example_and_its_options(verb: Verb) -> None:
    assert verb.summary
    command = parse(f"{verb.name} {verb.example}")
    assert (command.verb, bool(command.key_id)) == (verb.name, verb.needs_key)
    assert set(re.findall(r"--(\w+)", verb.arguments)) <= verb.options


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
    assert refused.value.code is Code.LOOKS_LIKE_SECRET
    assert SECRET not in f"{refused.value} {refused.value.facts}"


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("", Code.REASON_MISSING),
        (" \n", Code.REASON_MISSING),
        ("\u200b", Code.REASON_MISSING),
        (TOO_LONG, Code.REASON_TOO_LONG),
        (f"key {SECRET}", Code.LOOKS_LIKE_SECRET),
    ],
)
def test_form_reason_follows_the_same_rules(reason: str, code: Code) -> None:
    assert refusal(check_reason, reason) == code


def test_form_reason_is_kept_without_outer_spaces() -> None:
    assert check_reason(" a &amp; b --for me ") == "a &amp; b --for me"


@settings(max_examples=50, deadline=None)
@given(st.one_of(st.text(), st.builds("{} {}".format, st.sampled_from(sorted(VERBS)), st.text())))
def test_no_text_makes_parse_fail_otherwise(text: str) -> None:
    with contextlib.suppress(BadCommand, LooksLikeSecret):
        command = parse(text)
        assert command.verb in VERBS and len(command.reason) <= REASON_MAX
