"""Slack's messenger and directory, fakes and simulation keep one contract."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from slack_sdk import WebClient

from bot.domain.errors import KeydeskError
from bot.domain.ports import Messenger
from bot.domain.secret import Secret
from bot.slack.directory import SlackDirectory
from sandbox.local import LocalSlack
from sandbox.people import TEAM_ID
from tests.support.example_requests import KEYS
from tests.support.messenger_contract import (
    CHANGE,
    GROUP,
    SECRET,
    DirectoryContract,
    MessengerContract,
    People,
    Seen,
)
from tests.support.render_world import ALICE, PENDING, Drawing
from tests.support.world import TEAM, FakeDirectory, FakeMessenger
from tests.verification.simulation import faults
from tests.verification.simulation.outside import SimulatedDirectory, SimulatedMessenger


class SeenInSlack:
    def __init__(self, slack: LocalSlack, messenger: Messenger) -> None:
        self._slack, self.messenger = slack, messenger

    def observed(self) -> list[str]:
        ephemeral = [one for one in self._slack.person(ALICE).messages("dm") if one.ephemeral]
        return [SECRET for one in ephemeral if SECRET in one.text + str(one.blocks)]

    def lasting(self) -> str:
        return self._slack.lasting_text()


class SeenOfFake:
    def __init__(self, fake: FakeMessenger) -> None:
        self._fake = self.messenger = fake

    def observed(self) -> list[str]:
        delivered = (PENDING.dm, KEYS[0].id)
        return [secret for *where, secret in self._fake.observed if tuple(where) == delivered]

    def lasting(self) -> str:
        return repr(self._fake.announced)


@pytest.fixture
def in_slack(slack: LocalSlack, rendering: Drawing) -> SeenInSlack:
    return SeenInSlack(slack, rendering.messenger())


class TestSlackMessenger(MessengerContract):
    @pytest.fixture
    def seen(self, in_slack: SeenInSlack) -> Seen:
        return in_slack


class TestFakeMessenger(MessengerContract):
    @pytest.fixture
    def seen(self) -> Seen:
        return SeenOfFake(FakeMessenger())


class TestSimulatedMessenger(MessengerContract):
    @pytest.fixture
    def simulated(self) -> SimulatedMessenger:
        return SimulatedMessenger()

    @pytest.fixture
    def seen(self, simulated: SimulatedMessenger) -> Seen:
        return SeenOfFake(simulated)

    @pytest.mark.parametrize("away", [False, True])
    def test_a_user_who_is_away_sees_no_ephemeral(
        self, simulated: SimulatedMessenger, away: bool
    ) -> None:
        """Slack takes it all the same ("chat.postEphemeral", Slack documentation)."""
        simulated.away = away
        simulated.sends_deliver(PENDING, KEYS[0], Secret(SECRET))()
        assert simulated.seen == (set() if away else {KEYS[0].id})


class PeopleInSlack:
    team = TEAM_ID
    _NAMES = {"is_guest": "is_restricted"}

    def __init__(self, slack: LocalSlack, web: WebClient) -> None:
        self._slack, groups = slack, frozenset({GROUP})
        self.directory = SlackDirectory(
            web, TEAM_ID, users=frozenset(), groups=groups, monotonic=lambda: 1000.0
        )

    def change(self, **facts: Any) -> None:
        self._slack.change_person(ALICE, **{self._NAMES.get(k, k): v for k, v in facts.items()})

    def let_approve(self, *people: str) -> None:
        self._slack.set_group(GROUP, people)


class PeopleOfFake:
    team = TEAM

    def __init__(self, fake: FakeDirectory) -> None:
        self._fake = self.directory = fake

    def change(self, **facts: Any) -> None:
        self._fake.people[ALICE] = replace(self._fake.people[ALICE], **facts)

    def let_approve(self, *people: str) -> None:
        self._fake.may_approve = self._fake.groups[GROUP] = frozenset(people)


class TestSlackDirectory(DirectoryContract):
    @pytest.fixture
    def people(self, slack: LocalSlack, web: WebClient) -> People:
        return PeopleInSlack(slack, web)


class TestFakeDirectory(DirectoryContract):
    @pytest.fixture
    def people(self) -> People:
        return PeopleOfFake(FakeDirectory())


class TestSimulatedDirectory(DirectoryContract):
    @pytest.fixture
    def people(self) -> People:
        return PeopleOfFake(SimulatedDirectory())


# -- the simulation fails as Slack does

FAULTS: dict[str, Callable[[LocalSlack, str], None]] = {
    "rate limit": lambda slack, method: slack.faults.status(method, 429),
    "outage": lambda slack, method: slack.faults.status(method, 500),
    "connection cut": lambda slack, method: slack.faults.drop(method, "before"),
    "answer lost": lambda slack, method: slack.faults.drop(method, "after"),
    "refusal": lambda slack, method: slack.faults.fail(method, "channel_not_found"),
}
CALLS: dict[str, tuple[str, Callable[[Messenger], object]]] = {
    "deliver": ("chat.postEphemeral", lambda one: one.deliver(PENDING, KEYS[0], Secret(SECRET))),
    "announce": ("chat.postMessage", lambda one: one.announce("C0APPROVALS", CHANGE)),
    "dm": ("conversations.open", lambda one: one.dm(ALICE)),
}
LOOKUPS = {
    "member": (ALICE, "users.info"),
    "group": (GROUP, "usergroups.users.list"),
    "member_by_email": ("alice@example.com", "users.lookupByEmail"),
}


def told(call: Callable[[], object]) -> object:
    """Return what a caller is told: an answer, or the kind of error."""
    try:
        return call()
    except KeydeskError as failure:
        return type(failure)


@pytest.mark.parametrize("method", CALLS)
def test_the_simulated_messenger_fails_as_slacks_does(
    in_slack: SeenInSlack, slack: LocalSlack, method: str
) -> None:
    """Whether a call took effect, and what the caller was told, are compared as pairs."""
    api, call = CALLS[method]
    met = set()
    for begin in FAULTS.values():
        before = in_slack.observed(), in_slack.lasting()
        begin(slack, api)
        answer = told(lambda: call(in_slack.messenger))
        slack.faults.clear()
        met.add(((in_slack.observed(), in_slack.lasting()) != before, answer))
    simulated = {
        (effect != "not", answer if isinstance(answer := may(), bool) else type(answer))
        for _, effect, may in faults.may_go_wrong(f"messenger.{method}")
    }
    assert met == simulated


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("method", LOOKUPS)
def test_the_simulated_directory_fails_as_slacks_does(
    slack: LocalSlack, web: WebClient, fault: str, method: str
) -> None:
    about, api = LOOKUPS[method]
    FAULTS[fault](slack, api)
    directory = PeopleInSlack(slack, web).directory
    answer = told(lambda: getattr(directory, method)(about))
    slack.faults.clear()
    assert {answer} == {type(may()) for _, _, may in faults.may_go_wrong(f"directory.{method}")}
