"""Accept posts to the response URL of a command or click, as Slack does.

Source: Slack's "Handling user interaction" page: five posts within 30 minutes.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sandbox.errors import Refused
from sandbox.limits import check_message
from sandbox.people import BOT_USER
from sandbox.workspace import Message, Workspace

LIFE_SECONDS = 30 * 60
MOST_POSTS = 5


@dataclass(frozen=True)
class Origin:
    """What a response URL answers.

    `message` is what was clicked, None for a slash command.
    """

    user: str
    channel: str
    message: Message | None
    at: float
    used: int = 0


class ResponseUrls:
    """Every response URL given out. Owned by the server's loop."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._origins: dict[str, Origin] = {}

    def new(self, user: str, channel: str, message: Message | None) -> str:
        """Return the secret part of a new response URL."""
        secret = secrets.token_urlsafe(24)
        self._origins[secret] = Origin(user, channel, message, self._workspace.clock.now())
        return secret

    def respond(self, secret: str, body: Mapping[str, Any]) -> tuple[int, str]:
        """Do what the posted body says and return HTTP status and text.

        A refusal costs no post.
        """
        origin = self._origins.get(secret)
        if origin is None:
            return 404, "no_such_response_url"
        if self._workspace.clock.now() - origin.at > LIFE_SECONDS:
            return 404, json.dumps({"ok": False, "error": "expired_url"})
        if origin.used >= MOST_POSTS:
            return 404, json.dumps({"ok": False, "error": "used_url"})
        try:
            self._carry_out(origin, body)
        except Refused as refusal:
            gone = refusal.error == "message_not_found"
            return (404 if gone else 200), json.dumps(refusal.answer())
        self._origins[secret] = replace(self._origins[secret], used=origin.used + 1)
        return 200, "ok"

    def _carry_out(self, origin: Origin, body: Mapping[str, Any]) -> None:
        text, blocks = body.get("text"), body.get("blocks")
        deletes = body.get("delete_original") in (True, "true")
        if deletes and not text and not blocks:
            self._delete(origin)
            return
        ephemeral = body.get("response_type", "ephemeral") != "in_channel"
        check_message(text, blocks)
        if body.get("replace_original") in (True, "true") and not deletes:
            self._replace(origin, text or "", blocks or [])
            return
        if deletes:
            self._delete(origin)
        self._workspace.post(
            origin.channel,
            BOT_USER,
            text or "",
            blocks or [],
            thread_ts=body.get("thread_ts"),
            only_for=origin.user if ephemeral else None,
        )

    def _replace(self, origin: Origin, text: str, blocks: list[dict[str, Any]]) -> None:
        message = self._original(origin)
        if message is not None:
            self._workspace.rewrite(message, text, blocks)

    def _delete(self, origin: Origin) -> None:
        message = self._original(origin)
        if message is not None:
            self._workspace.remove(message)

    def _original(self, origin: Origin) -> Message | None:
        """Return what was clicked, or None for an ephemeral that is gone.

        Slack cannot know that and says ok.
        """
        if origin.message is None:
            raise Refused("message_not_found")
        message = self._workspace.find(origin.channel, origin.message.ts)
        if message is None and origin.message.only_for is None:
            raise Refused("message_not_found")
        return message
