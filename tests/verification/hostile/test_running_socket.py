"""Attack the running bot in Socket Mode: nothing raises, and it answers users."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.running_bot import RunningBot
from tests.verification.hostile.attacks import corpus, nested
from tests.verification.hostile.conftest import WITHIN
from tests.verification.hostile.recordings import recordings
from tests.verification.hostile.target import Target


def interactive(payload: str) -> str:
    return f'{{"type": "interactive", "envelope_id": "1", "payload": {payload}}}'


FRAMES: dict[str, str] = {
    "no object": "[]",
    "no JSON": "{",
    "empty": "",
    "null": "null",
    "deep": "{" + '"a":{' * 5000,
    "deep lists": interactive("[" * 50_000 + "]" * 50_000),
    "a payload that is a list": interactive("[]"),
    "a payload that is a text": interactive('"x"'),
    "a payload that is nothing": interactive("null"),
    "an envelope of lists": '{"type": [], "envelope_id": {}, "payload": {}}',
    "no payload": '{"type": "interactive", "envelope_id": "1"}',
    "an unknown type": '{"type": "from_the_future"}',
    "odd retries": '{"type": "events_api", "envelope_id": "1", "payload": {}, '
    '"retry_attempt": {}, "retry_reason": []}',
    "long numbers": '{"type": ' + "9" * 10_000 + "}",
    "half a pair": '{"type": "\\ud800", "envelope_id": "\\udfff"}',
}


def send_frame(bot: RunningBot, text: str) -> None:
    """Send a text down every connection that the bot has open."""

    async def send(box: Any) -> None:
        for connection in list(box.sockets._open):
            await connection.send_str(text)

    bot.slack.do(send)


@pytest.mark.parametrize("what", FRAMES)
def test_the_bot_answers_after_any_frame(over_socket: RunningBot, what: str) -> None:
    send_frame(over_socket, FRAMES[what])


def test_no_hostile_payload_raises_in_the_bot(over_socket: RunningBot, shared: Target) -> None:
    """What is not shaped as Slack's is not acknowledged; all else is answered."""
    before = over_socket.log.count("Traceback")
    payloads = [
        *(attack.on(recordings(shared), shared.names) for attack in corpus().values()),
        {"type": "block_actions", "actions": nested(200)},
    ]
    for number, payload in enumerate(payloads):
        envelope = {"type": "interactive", "envelope_id": f"h{number}", "payload": payload}
        send_frame(over_socket, json.dumps(envelope))
    over_socket.slack.wait_until(
        lambda: len(over_socket.events("request rejected")) >= 10, WITHIN, "ten refused payloads"
    )
    assert over_socket.log.count("Traceback") == before
