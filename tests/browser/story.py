"""How do the stories drive the page: who one is, what one clicks, and what must not happen meanwhile?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Locator, Page, expect, sync_playwright

from bot.slack import action_ids
from tests.browser.chromium import launch


@contextmanager
def opened(address: str) -> Iterator[Page]:
    """The page as Alice, in #general, in a browser of its own; a script error fails the test."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        page, errors = browser.new_page(), list[str]()
        page.set_default_timeout(45_000)
        expect.set_options(timeout=45_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        yield page
        print(
            "The page at the end:", page.url, page.locator("body").inner_text(), sep="\n"
        )  # for a test that fails
        browser.close()
        assert errors == []


def be(page: Page, name: str, place: str) -> None:
    """Become that person, and look at that channel or app."""
    page.get_by_role("button", name=name, exact=True).click()
    page.get_by_role("link", name=place).click()


def button(place: Page | Locator, action_id: str) -> Locator:
    """Return the buttons with this action ID."""
    return place.locator(f'button[data-action="{action_id}"]')


def confirm(page: Page, button: Locator) -> None:
    """Click a button that asks first, and say yes."""
    button.click()
    page.locator(".dialog.confirm .button.solid").click()


def reveal(page: Page) -> tuple[Locator, str]:
    """Reveal the key, and return the ephemeral that shows it, and the key's ID."""
    confirm(page, button(page, action_ids.REVEAL))
    shown = page.locator("article.ephemeral").filter(has_text="aws_secret_access_key = ")
    expect(shown).to_contain_text("Only visible to you")
    return shown, shown.inner_text().partition("aws_access_key_id = ")[2].split()[0]
