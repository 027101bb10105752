"""Whatever comes down the Socket Mode connection: nothing raises past the door, and the bot still answers people."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.aws import LocalAws
from sandbox.local import LocalSlack
from tests.support.running_bot import MANIFEST, RunningBot
from tests.verification.hostile.attacks import kept, nested
from tests.verification.hostile.inside import Inside, inside
from tests.verification.hostile.recordings import recordings

WITHIN = 45.0  # seconds; no test waits that long unless it fails

FRAMES: dict[str, str] = {
    "no object": "[]",
    "no JSON": "{",
    "empty": "",
    "null": "null",
    "deep": "{" + '"a":{' * 5000,
    "deep lists": '{"type": "interactive", "envelope_id": "1", "payload": '
    + "[" * 50_000
    + "]" * 50_000
    + "}",
    "a payload that is a list": '{"type": "interactive", "envelope_id": "1", "payload": []}',
    "a payload that is a text": '{"type": "interactive", "envelope_id": "1", "payload": "x"}',
    "a payload that is nothing": '{"type": "interactive", "envelope_id": "1", "payload": null}',
    "an envelope of lists": '{"type": [], "envelope_id": {}, "payload": {}}',
    "no payload": '{"type": "interactive", "envelope_id": "1"}',
    "an unknown type": '{"type": "from_the_future"}',
    "odd retries": '{"type": "events_api", "envelope_id": "1", "payload": {}, "retry_attempt": {}, "retry_reason": []}',
    "long numbers": '{"type": ' + "9" * 10_000 + "}",
    "half a pair": '{"type": "\\ud800", "envelope_id": "\\udfff"}',
}


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBot]:
    """One running bot in Socket Mode."""
    with (
        LocalAws() as aws,
        LocalSlack(MANIFEST) as slack,
        RunningBot(slack, aws, tmp_path_factory.mktemp("socket")) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def told() -> Iterator[Inside]:
    """A desk in this process, whose recordings are sent to the running one."""
    with inside() as found:
        yield found


def frame(bot: RunningBot, text: str) -> None:
    """Sends a text down every connection that the bot has open."""

    async def send(box: Any) -> None:
        for socket in list(box.sockets._open):
            await socket.send_str(text)

    bot.slack.do(send)


def still_answers(bot: RunningBot) -> None:
    helped = len(bot.events("help"))
    assert bot.process and bot.process.poll() is None
    assert bot.slack.person("alice").command("/key help").acked
    bot.slack.wait_until(lambda: len(bot.events("help")) > helped, WITHIN, "it helps people")
    assert [event for event in ("unexpected", "work failed", "uncaught") if bot.events(event)] == []


@pytest.mark.parametrize("what", FRAMES)
def test_after_any_frame_it_still_answers_people(bot: RunningBot, what: str) -> None:
    frame(bot, FRAMES[what])
    still_answers(bot)


def test_no_hostile_payload_raises_anything_in_the_bot(bot: RunningBot, told: Inside) -> None:
    """What is not as Slack sends it is not acknowledged; all else is answered."""
    before = bot.log.count("Traceback")
    payloads = [
        *(attack.on(recordings(told), told.names) for attack in kept().values()),
        {"type": "block_actions", "actions": nested(200)},
    ]
    for number, payload in enumerate(payloads):
        frame(
            bot,
            json.dumps({"type": "interactive", "envelope_id": f"h{number}", "payload": payload}),
        )
    still_answers(bot)
    bot.slack.wait_until(
        lambda: len(bot.events("request rejected")) >= 10,
        WITHIN,
        "those not shaped as Slack's are refused",
    )
    assert bot.log.count("Traceback") == before
