"""Can a person get a key with a mouse and a keyboard? The real bot's whole story, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect, sync_playwright

from sandbox.aws import LocalAws
from sandbox.local import LocalSlack
from tests.browser.test_page import ARGS, CHROMIUM, say
from tests.running import MANIFEST, RunningBot

ALICE = "alice@example.com"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM.exists(), reason=f"NO BROWSER: {CHROMIUM} is missing, the story is untested"
    ),
]


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
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGS)
        page, errors = browser.new_page(), list[str]()
        page.set_default_timeout(15_000)
        expect.set_options(timeout=15_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(slack.url)
        yield page
        browser.close()
        assert errors == []


def be(page: Page, name: str, place: str) -> None:
    """Become that person, and look at that channel or app."""
    page.get_by_role("button", name=name, exact=True).click()
    page.get_by_role("link", name=place).click()


def confirm(page: Page, button: Locator, yes: str) -> None:
    """Click a button that asks first, and say yes."""
    button.click()
    page.get_by_role("dialog").get_by_role("button", name=yes, exact=True).click()


def reveal(page: Page) -> tuple[Locator, str]:
    """Click **Reveal my key**; return the ephemeral that shows the key, and the key's ID."""
    confirm(page, page.get_by_role("button", name="Reveal my key"), "Reveal")
    shown = page.locator("article.ephemeral").filter(has_text="Secret access key")
    expect(shown).to_contain_text("Only visible to you")
    return shown, shown.inner_text().partition("Access key ID")[2].split()[0]


def test_ask_approve_reveal_reload_withdraw_reveal_again(page: Page, slack: LocalSlack, aws: LocalAws) -> None:
    """The secret is seen once; who did not get it gets another, and the first is gone."""
    say(page, "/key create deploy script")
    be(page, "Carol Clark", "key-approvals")
    card = page.get_by_role("article").filter(has_text="deploy script")
    card.get_by_role("button", name="Approve").click()
    expect(card.get_by_role("button", name="Approve")).to_have_count(0)

    be(page, "Alice Adams", "Keydesk")
    expect(page.get_by_role("tab")).to_have_count(0)  # the manifest has no Home tab
    shown, first = reveal(page)
    expect(shown).to_contain_text(aws.secrets[first])
    page.get_by_role("button", name="Reload page").click()
    expect(page.get_by_text(aws.secrets[first])).to_have_count(0)

    confirm(page, page.get_by_role("button", name="I did not get it"), "Withdraw it")
    shown, second = reveal(page)
    expect(shown).to_contain_text(aws.secrets[second])
    shown.get_by_role("button", name="I saved it").click()
    expect(page.get_by_text(aws.secrets[second])).to_have_count(0)

    assert first != second
    assert aws.key_ids(ALICE) == [second]
    assert [secret for secret in aws.secrets.values() if secret in slack.lasting_text()] == []


def test_the_form_asks_for_the_reason_and_says_what_came_of_it(page: Page) -> None:
    """`/key create` alone opens a form; a reason in it makes a card, and switching the person keeps the place."""
    say(page, "/key create")
    form = page.get_by_role("dialog")
    form.get_by_role("textbox").fill("deploy script")
    form.get_by_role("button", name="Ask", exact=True).click()
    expect(form).to_contain_text("Asked.")
    form.get_by_role("button", name="Close").click()
    page.get_by_role("link", name="key-approvals").click()
    page.get_by_role("button", name="Carol Clark", exact=True).click()
    expect(page.get_by_role("article").filter(has_text="deploy script")).to_be_visible()
