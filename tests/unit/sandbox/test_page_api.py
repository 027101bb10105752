"""Let a page act for users and hear of every change."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from slack_sdk import WebClient

from sandbox.local import LocalSlack
from sandbox.page_state import Programs
from tests.support.sandbox_app import button, card

State = dict[str, Any]


def act(slack: LocalSlack, **body: Any) -> dict[str, Any]:
    """Do something through the page."""
    data = json.dumps({"as": "U0ALICE", "session": "s1", **body}).encode()
    request = urllib.request.Request(f"{slack.url}/act", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return dict(json.load(answer))


def states(stream: HTTPResponse) -> Iterator[State]:
    """Yield the states a page is sent."""
    for line in stream:
        if line.startswith(b"data: "):
            yield json.loads(line.removeprefix(b"data: "))


@pytest.fixture
def page(slack: LocalSlack) -> Iterator[Iterator[State]]:
    """Return the states that are sent to an open page."""
    with urllib.request.urlopen(f"{slack.url}/events?session=s1", timeout=10) as stream:
        yield states(stream)


def test_a_page_is_sent_the_whole_state_at_once(slack: LocalSlack, page: Iterator[State]) -> None:
    state = next(page)
    roles = {one["name"]: one["role"] for one in state["people"]}
    engineers = {"alice": "engineer", "bob": "engineer"}
    assert roles == {**engineers, "carol": "approver", "dave": "guest"}
    assert state["commands"][0]["command"] == "/key"
    channels = state["views"]["U0ALICE"]["channels"]
    assert [(one["name"], one["kind"]) for one in channels][-1] == ("Keydesk", "dm")


def test_a_page_hears_of_changes(
    slack: LocalSlack, client: WebClient, page: Iterator[State]
) -> None:
    next(page)
    client.chat_postMessage(channel="D0ALICE", text="hello")
    found = next(state for state in page if state["views"]["U0ALICE"]["messages"]["D0ALICE"])
    message = found["views"]["U0ALICE"]["messages"]["D0ALICE"][0]
    assert (message["text"], message["name"], message["ephemeral"]) == ("hello", "Keydesk", False)


def test_an_ephemeral_is_shown_on_pages_open_when_it_came(
    slack: LocalSlack, client: WebClient, page: Iterator[State]
) -> None:
    next(page)
    client.chat_postEphemeral(channel="D0ALICE", user="U0ALICE", text="psst")
    next(state for state in page if state["views"]["U0ALICE"]["messages"]["D0ALICE"])
    with urllib.request.urlopen(f"{slack.url}/events?session=s2", timeout=10) as later:
        assert next(states(later))["views"]["U0ALICE"]["messages"]["D0ALICE"] == []


@pytest.mark.parametrize("app", ["socket"], indirect=True)
@pytest.mark.usefixtures("app")
def test_users_act_through_the_page(slack: LocalSlack) -> None:
    """Command, click, submit with field errors, close, Home tab, away."""
    alice = slack.person("alice")
    assert act(slack, do="command", channel="C0GENERAL", text="/key x")["ok"]
    seen = alice.wait_for("key-approvals", "x")
    where = {"channel": "C0APPROVALS", "ts": seen.ts}
    assert act(slack, do="click", **where, block_id=seen.buttons[1].block_id, action_id="ask")["ok"]
    view = alice.wait_for_modal("Reason")
    values = {"reason": {"typed": {"type": "plain_text_input", "value": "bad"}}}
    answer = act(slack, do="submit", view_id=view["id"], values=values)
    assert answer["errors"] == {"reason": "give a better reason"}
    assert act(slack, do="close", view_id=view["id"])["ok"] and alice.modal is None
    assert act(slack, do="home")["ok"]
    home = alice.wait_for_home("home")
    block = home["blocks"][1]["block_id"]
    assert act(slack, do="click", view_id=home["id"], block_id=block, action_id="ask")["ok"]
    assert act(slack, do="away", away=True)["ok"]


def test_the_page_shows_errors_as_slack_does(slack: LocalSlack) -> None:
    answer = act(slack, do="command", channel="C0GENERAL", text="/key x")
    assert answer["error"] == "dispatch_failed" and "/key failed with the error" in answer["text"]
    answer = act(slack, do="command", channel="C0GENERAL", text="/nope")
    assert answer["text"] == "/nope is not a valid command"
    gone = act(slack, do="click", channel="C0GENERAL", ts="1.0", block_id="b", action_id="a")
    assert gone["error"] == "message_not_found"


def test_a_line_without_a_slash_is_a_message(slack: LocalSlack) -> None:
    assert act(slack, do="command", channel="C0GENERAL", text="hello")["ok"]
    assert slack.person("bob").last("general", "hello") is not None


@pytest.mark.parametrize("app", ["socket"], indirect=True)
@pytest.mark.usefixtures("app")
def test_what_an_old_page_shows_can_still_be_clicked(slack: LocalSlack, client: WebClient) -> None:
    """A message that has changed since is sent with the button that the user saw."""
    blocks = card("c", button("Ask", "ask"))
    posted = client.chat_postMessage(channel="C0APPROVALS", text="t", blocks=blocks)
    alice = slack.person("alice")
    old = alice.wait_for("key-approvals", "c")
    client.chat_update(channel="C0APPROVALS", ts=posted["ts"], text="changed")
    assert alice.click(old, "Ask").acked


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    """Return the file that says how far the workspace's clock runs ahead."""
    return tmp_path / "clock"


@pytest.fixture
def moved(manifest: Path, clock: Path) -> Iterator[LocalSlack]:
    """Return a workspace with a clock to move and a key to use."""

    def use(key_id: str) -> None:
        if key_id != "AKIA1":
            raise LookupError("no such key")

    programs = Programs(lambda: [{"id": "AKIA1", "user": "alice"}], use)
    with LocalSlack(manifest, clock_file=clock, programs=programs) as local:
        yield local


def first_state(slack: LocalSlack) -> State:
    """Return the state that a page is sent when it opens."""
    with urllib.request.urlopen(f"{slack.url}/events?session=s3", timeout=10) as stream:
        return next(states(stream))


def test_the_page_moves_the_clock_of_the_file(moved: LocalSlack, clock: Path) -> None:
    """Steps add up. Messages have the time that the page shows."""
    assert first_state(moved)["clock"] == {"ahead": 0}
    assert act(moved, do="clock", add=86_400)["ok"] and act(moved, do="clock", add=3600)["ok"]
    assert first_state(moved)["clock"] == {"ahead": 90_000}
    assert clock.read_text() == "90000"
    assert moved.ahead == timedelta(seconds=90_000)
    act(moved, do="command", channel="C0GENERAL", text="hello")
    message = moved.person("bob").wait_for("general", "hello")
    assert float(message.ts) > datetime.now(UTC).timestamp() + 89_000


@pytest.mark.parametrize("add", [0, -1, 0.5, True, "60", None, 367 * 86_400])
def test_the_clock_goes_forward_by_whole_seconds_alone(
    moved: LocalSlack, clock: Path, add: object
) -> None:
    with pytest.raises(HTTPError) as refusal:
        act(moved, do="clock", add=add)
    refusal.value.close()
    assert refusal.value.code == 400
    assert not clock.exists() and moved.ahead == timedelta()


def test_a_workspace_without_a_clock_file_offers_no_clock(slack: LocalSlack) -> None:
    state = first_state(slack)
    assert (state["clock"], state["keys"]) == (None, None)
    assert act(slack, do="clock", add=60)["error"] == "no_clock"
    assert act(slack, do="use", key="AKIA1")["error"] == "no_such_key"
    assert slack.ahead == timedelta()


def test_the_page_lets_a_program_use_a_key(moved: LocalSlack) -> None:
    assert first_state(moved)["keys"] == [{"id": "AKIA1", "user": "alice"}]
    assert act(moved, do="use", key="AKIA1")["ok"]
    assert act(moved, do="use", key="AKIA2")["text"] == "no such key"
