"""Who a person is and who may approve, asked of Slack: remembered for a minute at most, else refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from slack_sdk import WebClient

from bot.domain import policy
from bot.domain.codes import Code
from bot.domain.errors import NotAMember
from bot.domain.outside_errors import SlackUnavailable
from bot.slack.directory import SlackDirectory
from sandbox.local import LocalSlack
from sandbox.people import BOT_USER, TEAM_ID, Person
from tests.support.errors import refuses
from tests.support.running_bot import MANIFEST

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


@pytest.fixture
def directory(web: WebClient, seconds: Seconds) -> SlackDirectory:
    return SlackDirectory(
        web, TEAM_ID, users=frozenset({"U0BOB"}), groups=frozenset({GROUP}), monotonic=seconds
    )


def asked(slack: LocalSlack, method: str = "users.info") -> int:
    return len(slack.calls(method))


# -- people


def test_a_single_channel_guest_is_a_guest(slack: LocalSlack, directory: SlackDirectory) -> None:
    slack.change_person("U0ALICE", is_ultra_restricted=True)
    assert directory.member("U0ALICE").is_guest


def test_the_bot_itself_and_slackbot_are_bots(slack: LocalSlack, directory: SlackDirectory) -> None:
    """Slack says is_bot: false of Slackbot."""
    slack.add_person(Person("USLACKBOT", "slackbot", "Slackbot", ""))
    assert directory.member(BOT_USER).is_bot
    assert directory.member("USLACKBOT").is_bot


def test_somebody_of_a_shared_channel_is_of_another_workspace(
    slack: LocalSlack, directory: SlackDirectory
) -> None:
    outsider = slack.outsider()
    with pytest.raises(NotAMember):
        policy.check_member(directory.member(outsider.id), TEAM_ID)


def test_an_email_that_is_not_confirmed_is_none(
    slack: LocalSlack, directory: SlackDirectory
) -> None:
    slack.change_person("U0ALICE", email_confirmed=False)
    assert directory.member("U0ALICE").email == ""


def test_nobody_is_found_by_an_email_that_is_not_confirmed(
    slack: LocalSlack, directory: SlackDirectory
) -> None:
    """Whoever types somebody else's address into their profile does not become the owner of that one's keys."""
    slack.change_person("U0ALICE", email_confirmed=False)
    assert directory.member_by_email("alice@example.com") == ""


def test_a_person_slack_does_not_know_or_show_is_no_member(
    slack: LocalSlack, directory: SlackDirectory
) -> None:
    with pytest.raises(NotAMember):
        directory.member("U0NOBODY")
    slack.faults.fail("users.info", "user_not_visible")
    with pytest.raises(NotAMember):
        directory.member("U0ALICE")


def test_who_a_person_is_may_be_remembered_for_a_minute(
    slack: LocalSlack, directory: SlackDirectory, seconds: Seconds
) -> None:
    directory.member("U0ALICE")
    slack.change_person("U0ALICE", is_restricted=True)
    seconds.now += 59.9
    assert not directory.member("U0ALICE").is_guest and asked(slack) == 1
    seconds.now += 0.1
    assert directory.member("U0ALICE").is_guest and asked(slack) == 2


def test_a_fresh_question_is_asked_and_its_answer_remembered(
    slack: LocalSlack, directory: SlackDirectory
) -> None:
    directory.member("U0ALICE")
    slack.change_person("U0ALICE", is_restricted=True)
    assert directory.member("U0ALICE", fresh=True).is_guest
    assert directory.member("U0ALICE").is_guest and asked(slack) == 2


FAULTS: dict[str, Callable[[LocalSlack, str], None]] = {
    "rate limit": lambda slack, method: slack.faults.status(method, 429),
    "outage": lambda slack, method: slack.faults.status(method, 500),
    "lost answer": lambda slack, method: slack.faults.drop(method, "after"),
    "refusal": lambda slack, method: slack.faults.fail(method, "missing_scope"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fresh_question_without_an_answer_is_refused_whatever_is_remembered(
    slack: LocalSlack, directory: SlackDirectory, fault: str
) -> None:
    directory.member("U0ALICE")
    FAULTS[fault](slack, "users.info")
    with pytest.raises(SlackUnavailable):
        directory.member("U0ALICE", fresh=True)


# -- approvers


def test_people_and_groups_approve_together(slack: LocalSlack, directory: SlackDirectory) -> None:
    assert directory.approvers() == {"U0BOB", "U0CAROL"}


def test_groups_are_asked_anew_at_each_question(
    slack: LocalSlack, directory: SlackDirectory
) -> None:
    directory.approvers()
    slack.set_group(GROUP, [])
    assert directory.approvers() == {"U0BOB"}
    assert asked(slack, "usergroups.users.list") == 2


def test_while_slack_rate_limits_an_answer_of_the_last_minute_serves(
    slack: LocalSlack, directory: SlackDirectory, seconds: Seconds
) -> None:
    directory.approvers()
    slack.faults.status("usergroups.users.list", 429, times=2)
    seconds.now += 59.9
    assert directory.approvers() == {"U0BOB", "U0CAROL"}
    seconds.now += 0.1
    with pytest.raises(SlackUnavailable):
        directory.approvers()


def test_a_rate_limit_with_nothing_remembered_is_refused(
    slack: LocalSlack, directory: SlackDirectory
) -> None:
    slack.faults.status("usergroups.users.list", 429)
    with pytest.raises(SlackUnavailable):
        directory.approvers()


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "rate limit"])
def test_anything_but_a_rate_limit_is_refused_at_once(
    slack: LocalSlack, directory: SlackDirectory, fault: str
) -> None:
    directory.approvers()
    FAULTS[fault](slack, "usergroups.users.list")
    with pytest.raises(SlackUnavailable):
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
    with refuses(code, group=GROUP, error=error):
        directory.approvers()


def test_a_fresh_question_about_approvers_takes_no_remembered_answer(
    slack: LocalSlack, directory: SlackDirectory
) -> None:
    directory.approvers()
    slack.faults.status("usergroups.users.list", 429)
    with refuses(Code.GROUP_RATE_LIMITED, group=GROUP):
        directory.approvers(fresh=True)


def test_a_group_of_approvers_that_is_gone_is_refused(web: WebClient, seconds: Seconds) -> None:
    """Anywhere else (an owner tag, BREAK_GLASS) nobody is in it; who may approve is never guessed."""
    directory = SlackDirectory(
        web, TEAM_ID, users=frozenset({"U0BOB"}), groups=frozenset({"S0GONE"}), monotonic=seconds
    )
    with pytest.raises(SlackUnavailable) as caught:
        directory.approvers()
    assert caught.value.error == "no_such_subteam"
    assert directory.group("S0GONE") == frozenset()


def test_a_missing_scope_is_named(tmp_path: Path, seconds: Seconds) -> None:
    manifest = yaml.safe_load(MANIFEST.read_text())
    manifest["oauth_config"]["scopes"]["bot"].remove("usergroups:read")
    path = tmp_path / "manifest.yml"
    path.write_text(yaml.safe_dump(manifest))
    with LocalSlack(path) as slack:
        web = WebClient(token=slack.bot_token, base_url=slack.api_url, retry_handlers=[])
        directory = SlackDirectory(
            web, TEAM_ID, users=frozenset(), groups=frozenset({GROUP}), monotonic=seconds
        )
        with pytest.raises(SlackUnavailable) as caught:
            directory.approvers()
    assert (caught.value.method, caught.value.error) == ("usergroups.users.list", "missing_scope")


def test_people_alone_need_no_question(slack: LocalSlack, web: WebClient, seconds: Seconds) -> None:
    directory = SlackDirectory(
        web, TEAM_ID, users=frozenset({"U0BOB"}), groups=frozenset(), monotonic=seconds
    )
    assert directory.approvers() == {"U0BOB"}
    assert slack.calls() == []
