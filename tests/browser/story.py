"""Steps in the page: open it, be one of the people, type, click and confirm."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Locator, Page, expect

from bot.slack import action_ids

WITHIN = 45_000
"""Milliseconds. A busy machine takes its time."""


@contextmanager
def opened(browser: Browser, address: str) -> Iterator[Page]:
    """Open the page as Alice, in #general, with nothing remembered.

    A script error fails.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page, errors = context.new_page(), list[str]()
    page.set_default_timeout(WITHIN)
    expect.set_options(timeout=WITHIN)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    expect(page.get_by_role("button", name="Alice Adams", exact=True)).to_be_visible()
    yield page
    print("The page at the end:", page.url, page.locator("body").inner_text(), sep="\n")
    context.close()
    assert errors == []


def say(page: Page, text: str) -> None:
    """Type a line and send it."""
    box = page.get_by_role("textbox", name="Message")
    box.fill(text)
    box.press("Enter")


def be(page: Page, name: str, place: str) -> None:
    """Become that person, and open that channel or app."""
    page.get_by_role("button", name=name, exact=True).click()
    page.get_by_role("link", name=place).click()


def button(place: Page | Locator, action_id: str) -> Locator:
    """Return the buttons with this action ID."""
    return place.locator(f'button[data-action="{action_id}"]')


def confirm(page: Page, button: Locator) -> None:
    """Click a button that asks first, and say yes."""
    button.click()
    page.locator(".dialog.confirm .button.solid").click()


def approve(page: Page, *words: str) -> None:
    """Let Carol approve the newest card with all these words."""
    be(page, "Carol Clark", "key-approvals")
    cards = page.get_by_role("article")
    for each in words:
        cards = cards.filter(has_text=each)
    button(cards.last, action_ids.APPROVE).click()
    expect(button(cards.last, action_ids.APPROVE)).to_have_count(0)


def reveal(page: Page) -> tuple[Locator, str]:
    """Reveal the key, and return the ephemeral that shows it, and the key's ID."""
    confirm(page, button(page, action_ids.REVEAL))
    shown = page.locator("article.ephemeral").filter(has_text="aws_secret_access_key = ")
    expect(shown).to_contain_text("Only visible to you")
    return shown, shown.inner_text().partition("aws_access_key_id = ")[2].split()[0]
