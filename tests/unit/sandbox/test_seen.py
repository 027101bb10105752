"""Read in a message what a user reads."""

from __future__ import annotations

import pytest

from sandbox.local import LocalSlack
from sandbox.seen import readable, words_of


def name_of(some_id: str) -> str:
    return f"name-{some_id}"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("*Approved* by <@U1>", "Approved by @name-U1"),
        ("<!subteam^S1> and <!here> in <#C1>", "@name-S1 and @here in #name-C1"),
        ("<https://example.com|the page> a &lt; b &amp; c", "the page a < b & c"),
        ("`snake_case_name` and snake_case_name", "snake_case_name and snake_case_name"),
        ("<!date^1700000000^{date}|14 Nov>", "14 Nov"),
        ("_later_ ~never~", "later never"),
    ],
)
def test_mrkdwn_reads_without_its_marks(text: str, read: str) -> None:
    assert readable(text, name_of) == read


def test_preformatted_text_reads_verbatim() -> None:
    """No character of a secret is taken for a mark."""
    secret = "a/b+*c*_d_<e>"
    block = {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": secret}]}
    assert words_of([{"type": "rich_text", "elements": [block]}], name_of) == secret


def test_a_wait_that_fails_says_what_everybody_sees(slack: LocalSlack) -> None:
    slack.person("alice").say("hello")
    with pytest.raises(AssertionError, match="(?s)bob sees a card.*== alice.*hello"):
        slack.wait_until(lambda: None, timeout=0.05, why="bob sees a card")
