"""Do Slack's messenger and directory, the fakes of `tests.core` and the simulated ones keep the same contract?"""

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
from bot.store.redis_store import RedisStore
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
        seen = self._slack.person(ALICE).messages("dm")
        return [
            SECRET
            for message in seen
            if message.ephemeral and SECRET in message.text + str(message.blocks)
        ]

    def lasting(self) -> str:
        return self._slack.lasting_text()


class SeenOfFake:
    def __init__(self, fake: FakeMessenger) -> None:
        self._fake = self.messenger = fake

    def observed(self) -> list[str]:
        return [
            secret
            for channel, key_id, secret in self._fake.observed
            if (channel, key_id) == (PENDING.dm, KEYS[0].id)
        ]

    def lasting(self) -> str:
        return repr(self._fake.announced)


@pytest.fixture
def in_slack(slack: LocalSlack, web: WebClient, redis_store: RedisStore) -> SeenInSlack:
    return SeenInSlack(slack, Drawing(slack, web, redis_store).messenger())


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
    def test_whoever_is_away_sees_nothing_of_what_slack_took(
        self, simulated: SimulatedMessenger, away: bool
    ) -> None:
        """Slack delivers an ephemeral only to whoever is there ("chat.postEphemeral", Slack documentation)."""
        simulated.away = away
        simulated.sends_deliver(PENDING, KEYS[0], Secret(SECRET))()
        assert simulated.seen == (set() if away else {KEYS[0].id})


class PeopleInSlack:
    team = TEAM_ID
    _NAMES = {"is_guest": "is_restricted"}

    def __init__(self, slack: LocalSlack, web: WebClient) -> None:
        self._slack = slack
        self.directory = SlackDirectory(
            web, TEAM_ID, users=frozenset(), groups=frozenset({GROUP}), monotonic=lambda: 1000.0
        )

    def change(self, **permissions: Any) -> None:
        self._slack.change_person(
            ALICE, **{self._NAMES.get(name, name): fact for name, fact in permissions.items()}
        )

    def let_approve(self, *people: str) -> None:
        self._slack.set_group(GROUP, people)


class PeopleOfFake:
    team = TEAM

    def __init__(self, fake: FakeDirectory) -> None:
        self._fake = self.directory = fake

    def change(self, **permissions: Any) -> None:
        self._fake.people[ALICE] = replace(self._fake.people[ALICE], **permissions)

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


# -- what goes wrong in the simulation is what goes wrong with Slack

FAULTS: dict[str, Callable[[LocalSlack, str], None]] = {
    "rate limit": lambda slack, method: slack.faults.status(method, 429),
    "outage": lambda slack, method: slack.faults.status(method, 500),
    "connection cut": lambda slack, method: slack.faults.drop(method, "before"),
    "answer lost": lambda slack, method: slack.faults.drop(method, "after"),
    "refusal": lambda slack, method: slack.faults.fail(method, "channel_not_found"),
}
CALLS: dict[str, tuple[str, Callable[[Messenger], object]]] = {
    "deliver": (
        "chat.postEphemeral",
        lambda messenger: messenger.deliver(PENDING, KEYS[0], Secret(SECRET)),
    ),
    "announce": (
        "chat.postMessage",
        lambda messenger: messenger.announce("C0APPROVALS", CHANGE),
    ),
    "dm": ("conversations.open", lambda messenger: messenger.dm(ALICE)),
}


def told(call: Callable[[], object]) -> object:
    """What a caller is told: an answer, or the kind of error."""
    try:
        return call()
    except KeydeskError as failure:
        return type(failure)


@pytest.mark.parametrize("method", CALLS)
def test_the_simulated_messenger_fails_in_just_the_ways_slacks_does(
    in_slack: SeenInSlack, slack: LocalSlack, method: str
) -> None:
    """As pairs: did it take effect, and what was the caller told? What comes late has taken effect in the end."""
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
@pytest.mark.parametrize(
    ("method", "about", "api"),
    [
        ("member", ALICE, "users.info"),
        ("group", GROUP, "usergroups.users.list"),
        ("member_by_email", "alice@example.com", "users.lookupByEmail"),
    ],
)
def test_the_simulated_directory_fails_in_just_the_way_slacks_does(
    slack: LocalSlack, web: WebClient, fault: str, method: str, about: str, api: str
) -> None:
    FAULTS[fault](slack, api)
    directory = PeopleInSlack(slack, web).directory
    answer = told(lambda: getattr(directory, method)(about))
    slack.faults.clear()
    assert {answer} == {type(may()) for _, _, may in faults.may_go_wrong(f"directory.{method}")}
