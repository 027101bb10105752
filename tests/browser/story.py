"""How do the stories drive the page: who one is, what one clicks, and what must not happen meanwhile?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Locator, Page, expect, sync_playwright

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
