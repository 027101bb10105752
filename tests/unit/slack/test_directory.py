"""Identities and approvers are read from Slack and remembered for a minute."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from slack_sdk import WebClient

from bot.domain import policy
from bot.domain.codes import Code
from bot.slack.directory import SlackDirectory
from sandbox.local import LocalSlack
from sandbox.people import BOT_USER, TEAM_ID, Person
from tests.support.errors import refuses

GROUP = "S0APPROVERS"


class Seconds:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


def a_directory(web: WebClient, seconds: Seconds, *groups: str) -> SlackDirectory:
    """Return a directory in which Bob and these groups approve."""
    users, ids = frozenset({"U0BOB"}), frozenset(groups)
    return SlackDirectory(web, TEAM_ID, users=users, groups=ids, monotonic=seconds)


@pytest.fixture
def directory(web: WebClient, seconds: Seconds) -> SlackDirectory:
    return a_directory(web, seconds, GROUP)


def calls(slack: LocalSlack, method: str = "users.info") -> int:
    return len(slack.calls(method))


FAULTS: dict[str, Callable[[LocalSlack, str], None]] = {
    "rate limit": lambda slack, method: slack.faults.status(method, 429),
    "outage": lambda slack, method: slack.faults.status(method, 500),
    "lost answer": lambda slack, method: slack.faults.drop(method, "after"),
    "refusal": lambda slack, method: slack.faults.fail(method, "missing_scope"),
}
CODES = {"rate limit": Code.SLACK_RATE_LIMITED, "refusal": Code.SLACK_NOT_CONFIGURED}


# -- members


def test_a_single_channel_guest_is_a_guest(slack: LocalSlack, directory: SlackDirectory) -> None:
    slack.change_person("U0ALICE", is_ultra_restricted=True)
    assert directory.member("U0ALICE").is_guest


def test_keydesk_itself_and_slackbot_are_bots(slack: LocalSlack, directory: SlackDirectory) -> None:
    """Slack says `is_bot: false` of Slackbot."""
    slack.add_person(Person("USLACKBOT", "slackbot", "Slackbot", ""))
    assert directory.member(BOT_USER).is_bot and directory.member("USLACKBOT").is_bot


def test_a_user_of_a_shared_channel_is_no_member(
    slack: LocalSlack, directory: SlackDirectory
) -> None:
    external = directory.member(slack.outsider().id)
    with refuses(Code.NOT_A_MEMBER):
        policy.check_member(external, TEAM_ID)


def test_an_unconfirmed_email_is_none(slack: LocalSlack, directory: SlackDirectory) -> None:
    """A user who typed another's address into the profile must not own those keys."""
    slack.change_person("U0ALICE", email_confirmed=False)
    assert directory.member("U0ALICE").email == ""
    assert directory.member_by_email("alice@example.com") == ""


def test_a_user_whom_slack_does_not_show_is_no_member(
    slack: LocalSlack, directory: SlackDirectory
) -> None:
    slack.faults.fail("users.info", "user_not_visible")
    with refuses(Code.NOT_A_MEMBER):
        directory.member("U0ALICE")


def test_an_identity_is_remembered_for_a_minute(
    slack: LocalSlack, directory: SlackDirectory, seconds: Seconds
) -> None:
    """A fresh lookup reads it again, and is remembered as well."""
    directory.member("U0ALICE")
    slack.change_person("U0ALICE", is_restricted=True)
    seconds.now += 59.9
    assert not directory.member("U0ALICE").is_guest and calls(slack) == 1
    seconds.now += 0.1
    assert directory.member("U0ALICE").is_guest and calls(slack) == 2
    slack.change_person("U0ALICE", is_restricted=False)
    assert not directory.member("U0ALICE", fresh=True).is_guest
    assert not directory.member("U0ALICE").is_guest and calls(slack) == 3


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fresh_lookup_uses_no_remembered_identity(
    slack: LocalSlack, directory: SlackDirectory, fault: str
) -> None:
    directory.member("U0ALICE")
    FAULTS[fault](slack, "users.info")
    with refuses(CODES.get(fault, Code.SLACK_UNAVAILABLE)):
        directory.member("U0ALICE", fresh=True)


# -- approvers


def test_users_and_groups_approve_together(slack: LocalSlack, directory: SlackDirectory) -> None:
    """Groups are read each time."""
    assert directory.approvers() == {"U0BOB", "U0CAROL"}
    slack.set_group(GROUP, [])
    assert directory.approvers() == {"U0BOB"} and calls(slack, "usergroups.users.list") == 2


def test_without_groups_slack_is_not_called(
    slack: LocalSlack, web: WebClient, seconds: Seconds
) -> None:
    assert a_directory(web, seconds).approvers() == {"U0BOB"} and slack.calls() == []


def test_during_a_rate_limit_a_group_is_remembered(
    slack: LocalSlack, directory: SlackDirectory, seconds: Seconds
) -> None:
    """For a minute, and not for a fresh lookup. Without a memory it is refused."""
    slack.faults.status("usergroups.users.list", 429)
    with refuses(Code.GROUP_RATE_LIMITED):
        directory.approvers()
    directory.approvers()
    slack.faults.status("usergroups.users.list", 429, times=3)
    with refuses(Code.GROUP_RATE_LIMITED, group=GROUP):
        directory.approvers(fresh=True)
    seconds.now += 59.9
    assert directory.approvers() == {"U0BOB", "U0CAROL"}
    seconds.now += 0.1
    with refuses(Code.GROUP_RATE_LIMITED):
        directory.approvers()


UNREADABLE = {
    "outage": Code.GROUP_UNREADABLE,
    "lost answer": Code.GROUP_UNREADABLE,
    "refusal": Code.GROUP_SCOPE_MISSING,
}


@pytest.mark.parametrize("fault", UNREADABLE)
def test_any_other_fault_is_refused_at_once(
    slack: LocalSlack, directory: SlackDirectory, fault: str
) -> None:
    directory.approvers()
    FAULTS[fault](slack, "usergroups.users.list")
    with refuses(UNREADABLE[fault]):
        directory.approvers()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("plan_upgrade_required", Code.GROUP_NEEDS_PAID_PLAN),
        ("missing_scope", Code.GROUP_SCOPE_MISSING),
        ("no_such_subteam", Code.GROUP_NOT_FOUND),
        ("internal_error", Code.GROUP_UNREADABLE),
    ],
)
def test_a_group_that_slack_refuses_is_refused_by_reason(
    slack: LocalSlack, directory: SlackDirectory, error: str, code: Code
) -> None:
    slack.faults.fail("usergroups.users.list", error)
    with refuses(code, group=GROUP, error=error, method="usergroups.users.list"):
        directory.approvers()


def test_a_group_of_approvers_must_exist(web: WebClient, seconds: Seconds) -> None:
    """Approvers are never guessed. Elsewhere no user is in such a group."""
    directory = a_directory(web, seconds, "S0GONE")
    with refuses(Code.GROUP_NOT_FOUND, error="no_such_subteam"):
        directory.approvers()
    assert directory.group("S0GONE") == frozenset()
