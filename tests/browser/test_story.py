"""Can a person get a key with a mouse and a keyboard? The real bot's whole story, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from sandbox.aws import LocalAws
from sandbox.local import LocalSlack
from tests.browser.story import be, confirm, opened, reveal
from tests.browser.test_page import say
from tests.support.running_bot import MANIFEST, RunningBot

ALICE = "alice@example.com"

pytestmark = pytest.mark.browser


@pytest.fixture
def aws() -> Iterator[LocalAws]:
    """An AWS with an IAM user for Alice."""
    with LocalAws([ALICE]) as local:
        yield local


@pytest.fixture
def slack(aws: LocalAws, tmp_path: Path) -> Iterator[LocalSlack]:
    """The workspace with the real bot in it."""
    with LocalSlack(MANIFEST) as local, RunningBot(local, aws, tmp_path):
        yield local


@pytest.fixture
def page(slack: LocalSlack) -> Iterator[Page]:
    """The page as Alice, in #general; a script error fails the test."""
    with opened(slack.url) as page:
        yield page


def test_ask_approve_reveal_reload_withdraw_reveal_again(
    page: Page, slack: LocalSlack, aws: LocalAws
) -> None:
    """The secret is seen once; who did not get it gets another, and the first is gone."""
    say(page, "/key create deploy script")
    be(page, "Carol Clark", "key-approvals")
    card = page.get_by_role("article").filter(has_text="deploy script")
    card.get_by_role("button", name="Approve").click()
    expect(card.get_by_role("button", name="Approve")).to_have_count(0)

    be(page, "Alice Adams", "Keydesk")
    expect(page.get_by_role("tab")).to_have_text(["Home", "Messages"])
    shown, first = reveal(page)
    expect(shown).to_contain_text(aws.secrets[first])
    page.get_by_role("button", name="Reload page").click()
    expect(page.get_by_text(aws.secrets[first])).to_have_count(0)

    confirm(page, page.get_by_role("button", name="I did not get it"), "Delete it")
    shown, second = reveal(page)
    expect(shown).to_contain_text(aws.secrets[second])
    shown.get_by_role("button", name="I saved it").click()
    expect(page.get_by_text(aws.secrets[second])).to_have_count(0)

    assert first != second
    assert aws.key_ids(ALICE) == [second]
    assert [secret for secret in aws.secrets.values() if secret in slack.lasting_text()] == []


def test_the_form_asks_for_the_reason_and_says_what_came_of_it(page: Page) -> None:
    """`/key create` alone opens a form; a reason in it makes a card, and switching the person keeps the place.

    A lifetime that is none is refused at its field, and nothing typed is lost.
    """
    say(page, "/key create")
    form = page.get_by_role("dialog")
    reason, lifetime = form.get_by_role("textbox").first, form.get_by_role("textbox").nth(1)
    reason.fill("deploy script")
    lifetime.fill("soon")
    form.get_by_role("button", name="Ask", exact=True).click()
    expect(lifetime).to_have_attribute("aria-invalid", "true")
    expect(reason).to_have_value("deploy script")
    lifetime.fill("30d")
    form.get_by_role("button", name="Ask", exact=True).click()
    expect(form).to_contain_text("Asked.")
    form.get_by_role("button", name="Close").click()
    page.get_by_role("link", name="key-approvals").click()
    page.get_by_role("button", name="Carol Clark", exact=True).click()
    expect(page.get_by_role("article").filter(has_text="deploy script")).to_be_visible()
