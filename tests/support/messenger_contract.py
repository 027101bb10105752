"""The contracts of Messenger and Directory, for Slack, fakes and the simulation.

`test_port_contract` compares what a call raises where Slack fails.
"""

from __future__ import annotations

from typing import Any, Protocol

import pytest

from bot.domain import policy
from bot.domain.codes import Code, Detail
from bot.domain.errors import NotAMember
from bot.domain.identity import Member
from bot.domain.ports import Directory, Messenger
from bot.domain.secret import Secret
from tests.support.example_requests import KEYS
from tests.support.render_world import ALICE, CAROL, PENDING

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKE2"
GROUP = "S0APPROVERS"
CHANGE = Detail(Code.APPROVERS_CHANGED, {"added": "U0ERIN"})


class Seen(Protocol):
    """A messenger, and what became of what it was given."""

    messenger: Messenger

    def observed(self) -> list[str]:
        """Return the secret once for each ephemeral message to Alice that shows it."""

    def lasting(self) -> str:
        """Return everything in lasting messages."""


class MessengerContract:
    """Inherit this, with a fixture `seen` whose store has the request PENDING."""

    def test_a_direct_message_is_one_place_for_each_person(self, seen: Seen) -> None:
        assert seen.messenger.dm(ALICE) == PENDING.dm == seen.messenger.dm(ALICE)
        assert seen.messenger.dm(CAROL).startswith("D") and seen.messenger.dm(CAROL) != PENDING.dm

    def test_secret_is_shown_once_to_its_requester_and_not_kept(self, seen: Seen) -> None:
        seen.messenger.deliver(PENDING, KEYS[0], Secret(SECRET))
        assert seen.observed() == [SECRET] and SECRET not in seen.lasting()

    def test_a_line_that_stands_is_said_to_stand(self, seen: Seen) -> None:
        assert seen.messenger.announce("C0APPROVALS", CHANGE) is True
        assert seen.lasting().count("U0ERIN") == 1

    @pytest.mark.parametrize("name", [PENDING.name, "request:unknown", "key:AKIAIOSFODNN7EXAMPLE"])
    def test_rendering_is_requested_and_shows_no_secret(self, seen: Seen, name: str) -> None:
        """Render raises nothing, for any name."""
        seen.messenger.render(name)
        assert seen.observed() == []


class People(Protocol):
    """A directory, and its members: Alice and Carol, with the group GROUP."""

    directory: Directory
    team: str

    def change(self, **permissions: Any) -> None:
        """Change facts of Alice, by the names of Member's fields."""

    def let_approve(self, *people: str) -> None:
        """Put these users alone into the group that may approve."""


class DirectoryContract:
    """Inherit this, with a fixture `people`."""

    def test_a_member_has_id_team_and_confirmed_email(self, people: People) -> None:
        assert people.directory.member(ALICE) == Member(ALICE, people.team, "alice@example.com")
        policy.check_member(people.directory.member(ALICE), people.team)

    @pytest.mark.parametrize(
        "permissions",
        [{"is_guest": True}, {"is_bot": True}, {"deleted": True}, {"team_id": "T0OTHER"}],
    )
    def test_user_who_is_no_full_member_is_shown_as_such(
        self, people: People, permissions: dict[str, Any]
    ) -> None:
        people.change(**permissions)
        with pytest.raises(NotAMember):
            policy.check_member(people.directory.member(ALICE, fresh=True), people.team)

    def test_whom_slack_does_not_know_is_no_member(self, people: People) -> None:
        with pytest.raises(NotAMember):
            people.directory.member("U0UNKNOWN")

    def test_a_fresh_question_shows_a_changed_email(self, people: People) -> None:
        people.change(email="alice.new@example.com")
        assert people.directory.member(ALICE, fresh=True).email == "alice.new@example.com"
        assert people.directory.member_by_email("alice.new@example.com") == ALICE

    def test_member_is_found_by_email_or_no_user_is(self, people: People) -> None:
        assert people.directory.member_by_email("carol@example.com") == CAROL
        assert people.directory.member_by_email("unknown@example.com") == ""

    def test_an_address_is_found_whatever_the_case_of_its_letters(self, people: People) -> None:
        assert people.directory.member_by_email("Alice@Example.com") == ALICE

    @pytest.mark.parametrize(
        "permissions",
        [{"is_guest": True}, {"is_bot": True}, {"deleted": True}, {"team_id": "T0OTHER"}],
    )
    def test_user_who_is_no_full_member_is_found_by_no_email(
        self, people: People, permissions: dict[str, Any]
    ) -> None:
        people.change(**permissions)
        assert people.directory.member_by_email("alice@example.com") == ""

    def test_approvers_and_groups_are_those_of_this_moment(self, people: People) -> None:
        for ids in ((CAROL,), (CAROL, "U0BOB"), ()):
            people.let_approve(*ids)
            assert people.directory.approvers() == people.directory.group(GROUP) == frozenset(ids)

    def test_no_user_is_in_an_unknown_group(self, people: People) -> None:
        """An owner tag or BREAK_GLASS may name such a group.

        Approvers are in `test_directory`.
        """
        assert people.directory.group("S0NOWHERE") == frozenset()
