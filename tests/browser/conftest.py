"""Fixtures of the browser tests: one browser, and a page for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from slack_sdk import WebClient

from sandbox.local import LocalSlack
from tests.browser.chromium import launch
from tests.browser.story import opened

OpenPage = Callable[[str], Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start one browser for all tests."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Open a page as Alice, in #general. A script error fails the test."""
    with ExitStack() as stack:
        yield lambda address: stack.enter_context(opened(browser, address))


@pytest.fixture
def client(slack: LocalSlack) -> WebClient:
    """Return the bot's Web API client."""
    return WebClient(token=slack.bot_token, base_url=slack.api_url, retry_handlers=[], timeout=5)
