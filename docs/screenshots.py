"""Take the README's pictures: `python -m docs.screenshots`.

It drives the demo in a browser. It needs Chromium, Chrome or Edge, and a font with colour emoji
(Debian: fonts-noto-color-emoji).
"""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, Page, ViewportSize, sync_playwright

from tests.browser.chromium import launch

DOCS = Path(__file__).resolve().parent
SIZE: ViewportSize = {"width": 1280, "height": 800}
MAX_CUT = 60
REST = """() => {
  const top = document.querySelector("#messages").getBoundingClientRect().top;
  const lines = [...document.querySelector(".stream").children];
  const boxes = lines.map((each) => each.getBoundingClientRect());
  const cut = boxes.find((box) => box.top < top && box.bottom > top);
  return cut ? cut.bottom - top : 0;
}"""
"""JavaScript that returns how many pixels of a line are cut at the conversation's upper edge."""


def main() -> None:
    """Take all pictures, each half of them in a demo of its own."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for pictures in (a_new_key, a_rotation):
            with demo() as address:
                page = browser.new_page(viewport=SIZE)
                page.goto(address)
                pictures(page)
        browser.close()


def a_new_key(page: Page) -> None:
    """Show the card and the revealed key.

    Bob is an administrator, so Carol has approved and Erin must, too.
    """
    be(page, "Bob Brown", "general")
    say(page, "/key create Nightly backup to the archive bucket")
    approve(page, "Carol Clark")
    page.get_by_text("Your approval counts").wait_for()
    be(page, "Erin Evans", "key-approvals")
    page.get_by_text("1 of 2 approvals").wait_for()
    take(page, "screenshot-card.png")
    approve(page, "Erin Evans")
    reveal(page, "Bob Brown")
    take(page, "screenshot-reveal.png")


def a_rotation(page: Page) -> None:
    """Old and new key side by side, and the Home tab: Alice's key is 95 days old."""
    be(page, "Alice Adams", "general")
    say(page, "/key list")
    page.get_by_role("article").get_by_role("button", name="Rotate").click()
    form = page.get_by_role("dialog")
    form.get_by_role("combobox").select_option(index=1)
    form.get_by_role("textbox").first.fill("It is 95 days old")
    form.get_by_role("button", name="Ask", exact=True).click()
    form.get_by_text("Sent to the approvers").wait_for()
    page.keyboard.press("Escape")
    approve(page, "Carol Clark")
    reveal(page, "Alice Adams").get_by_role("button", name="I saved it").click()
    page.get_by_role("button", name="Check again").wait_for()
    page.get_by_role("combobox", name="Use a key").select_option(index=2)
    page.get_by_role("button", name="Check again").click()
    page.get_by_text("turn it off").wait_for()
    reload(page)
    page.get_by_role("button", name="Check again").wait_for()
    take(page, "screenshot-rotation.png")
    page.get_by_role("tab", name="Home").click()
    page.get_by_role("table").wait_for()
    take(page, "screenshot-home.png", height=500)


@contextmanager
def demo() -> Iterator[str]:
    """Run the demo, and yield the address of its page."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox", "--port", "0"],
        cwd=DOCS.parent,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        for line in process.stdout or ():
            if found := re.search(r"http://[\d.:]+", line):
                yield found[0]
                return
        raise SystemExit("The demo did not start.")
    finally:
        process.terminate()
        process.communicate()


def be(page: Page, name: str, stream_id: str) -> None:
    """Switch to that user, and open that channel or app."""
    page.get_by_role("button", name=name, exact=True).click()
    page.get_by_role("link", name=stream_id).click()


def say(page: Page, text: str) -> None:
    """Type a line and send it."""
    box = page.get_by_role("textbox", name="Message")
    box.fill(text)
    box.press("Enter")


def reload(page: Page) -> None:
    """Load the page again, without the earlier ephemeral messages."""
    page.get_by_role("button", name="Reload page").click()


def approve(page: Page, name: str) -> None:
    """Let that user approve the waiting request, once its card is complete."""
    be(page, name, "key-approvals")
    page.get_by_text("Permissions").wait_for()
    page.get_by_role("button", name="Approve", exact=True).click()


def reveal(page: Page, name: str) -> Locator:
    """Let that user reveal their key, and return the message that shows it."""
    be(page, name, "Keydesk")
    page.get_by_role("button", name="Reveal my key").click()
    page.get_by_role("dialog").get_by_role("button", name="Reveal", exact=True).click()
    shown = page.locator("article.ephemeral").filter(has_text="Secret access key")
    shown.wait_for()
    return shown


def take(page: Page, name: str, height: int = SIZE["height"]) -> None:
    """Take the picture, with nothing hovered or focused, and no cut line at its top."""
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement?.blur()")
    page.set_viewport_size({**SIZE, "height": height})
    page.wait_for_timeout(500)
    rest = math.ceil(page.evaluate(REST))
    if rest < MAX_CUT:
        page.set_viewport_size({**SIZE, "height": height - rest})
        page.wait_for_timeout(200)
    page.screenshot(path=DOCS / name)
    page.set_viewport_size(SIZE)


if __name__ == "__main__":
    main()
