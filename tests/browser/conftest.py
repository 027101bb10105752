"""What do the tests of the page share? The bot's side of the workspace that the page shows."""

from __future__ import annotations

import pytest
from slack_sdk import WebClient

from sandbox.local import LocalSlack


@pytest.fixture
def client(slack: LocalSlack) -> WebClient:
    """The bot's Web API client."""
    return WebClient(token=slack.bot_token, base_url=slack.api_url, retry_handlers=[], timeout=5)
