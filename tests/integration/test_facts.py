"""What a key will be able to do, on the card: posted at once, completed when IAM has answered, by whichever process."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.slack import action_ids
from sandbox.aws_policies import aws_managed
from sandbox.local_person import LocalPerson
from sandbox.rights import give_mfa
from sandbox.seen import SeenMessage
from tests.support.key_life import types, until
from tests.support.running_bot import RunningBot
from tests.support.running_world import World, handle, iam_name

Start = Callable[..., World]
DOCUMENT = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}],
}
EVERYTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}


def with_rights(world: World, document: dict[str, Any] = DOCUMENT) -> LocalPerson:
    """A new engineer with a policy of each kind, one of the group's saying `document`, and MFA."""
    person = world.engineer()
    user, group = iam_name(person), f"group-{handle(person)}"
    own = world.iam.create_policy(
        PolicyName=f"own-{handle(person)}", PolicyDocument=json.dumps(DOCUMENT)
    )
    for one in (own["Policy"]["Arn"], aws_managed("ReadOnlyAccess")):
        world.iam.attach_user_policy(UserName=user, PolicyArn=one)
    world.iam.put_user_policy(
        UserName=user, PolicyName="backup", PolicyDocument=json.dumps(DOCUMENT)
    )
    world.iam.create_group(GroupName=group)
    world.iam.put_group_policy(
        GroupName=group, PolicyName="nightly", PolicyDocument=json.dumps(document)
    )
    world.iam.add_user_to_group(GroupName=group, UserName=user)
    give_mfa(world.iam, user)
    return person


def asks(world: World, person: LocalPerson, containing: str = "") -> SeenMessage:
    """The person asks; returns their card once it says that."""
    person.command("/key create nightly backup")
    return card(world, person, containing)


def card(world: World, person: LocalPerson, containing: str) -> SeenMessage:
    def found() -> SeenMessage | None:
        seen = world.card(person)
        return seen if seen and containing in seen.words else None

    return until(world, found, f"the card of {person.id} says {containing!r}")


def test_the_card_is_posted_first_and_completed_later(world: World) -> None:
    person = with_rights(world)
    hold = world.aws.faults.hold("ListGroupsForUser")

    early = asks(world, person)

    assert [button.action_id for button in early.buttons] == [
        action_ids.APPROVE,
        action_ids.DENY,
        action_ids.ON_IT,
    ]
    assert world.answered(person)
    assert hold.reached.wait(10) and "ReadOnlyAccess" not in early.words
    hold.release()
    full = card(world, person, "ReadOnlyAccess")
    assert full.ts == early.ts
    for words in (
        f"@{handle(person)}",
        "ReadOnlyAccess",
        "backup",
        f"@{handle(person)}",
    ):
        assert words in full.words, words
    assert "Administrator-like" not in full.words
    assert [button.action_id for button in full.buttons] == [
        action_ids.APPROVE,
        action_ids.DENY,
        action_ids.ON_IT,
    ]
    assert world.request(person).status == "pending"


def test_nobody_waits_for_the_facts_to_decide(world: World) -> None:
    person = world.engineer()
    hold = world.aws.faults.hold("ListMFADevices")
    world.carol.click(asks(world, person), action_ids.APPROVE)

    world.revealable(person)

    assert hold.reached.wait(10)
    hold.release()
    key = world.reveals(person)
    assert world.keys(person) == {key.key_id: "Active"}
    assert world.request(person).permissions is None


def test_admin_access_is_shown_on_card_and_home_tab(
    world: World,
) -> None:
    person = with_rights(world, EVERYTHING)
    assert world.carol.open_home().acked

    seen = asks(world, person, "(inline, group")

    warning = f"nightly (inline, group group-{handle(person)})"
    assert warning in seen.words
    permissions = world.request(person).permissions
    assert permissions and permissions.admin_like
    until(world, lambda: warning in world.carol.home_words, "the Home tab warns, too")


def test_a_missing_permission_leaves_the_rest_of_the_card(world: World) -> None:
    person = with_rights(world)
    world.aws.faults.fail("ListGroupsForUser", "AccessDenied", times=None)
    world.aws.faults.fail("ListMFADevices", "AccessDenied", times=None)

    seen = asks(world, person, "ReadOnlyAccess")

    for words in ("ReadOnlyAccess",):
        assert words in seen.words, words
    world.carol.click(seen, action_ids.APPROVE)
    world.revealable(person)


def test_an_earlier_denial_is_on_the_next_card(world: World) -> None:
    person = world.engineer()
    world.denies(world.asks(person), "use the role of the build server")

    world.asks(person)

    seen = card(world, person, "use the role of the build server")
    assert "use the role of the build server" in seen.words


def test_a_rotation_shows_what_its_new_key_will_be_able_to_do(world: World) -> None:
    person = with_rights(world)
    key_id = world.iam.create_access_key(UserName=iam_name(person))["AccessKey"]["AccessKeyId"]

    types(world, person, f"/key rotate {key_id}")

    until(
        world,
        lambda: (
            (seen := world.card(person))
            and key_id in seen.words
            and not world.request(person).awaits_permissions
        ),
        "its card is complete",
    )


def test_a_lost_reading_is_repeated(timed: World) -> None:
    """As after the death of the process that began it."""
    person = with_rights(timed)
    hold = timed.aws.faults.hold("ListUserPolicies")
    asks(timed, person)
    assert hold.reached.wait(10)

    timed.pass_time(seconds=31)

    assert "backup" in card(timed, person, "backup").words
    version = timed.request(person).version
    hold.release()
    until(
        timed,
        lambda: timed.aws.calls("ListUserPolicies")[0].status == 200,
        "the first answer has come, too late",
    )
    assert timed.request(person).version == version


@pytest.mark.parametrize("end", [RunningBot.terminate, RunningBot.kill], ids=["stopped", "killed"])
def test_the_next_process_completes_the_card(
    start: Start, tmp_path: Path, end: Callable[[RunningBot], object]
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("0")
    world = start(TRIAL_CLOCK=str(clock))
    person = with_rights(world)
    hold = world.aws.faults.hold("ListMFADevices")
    asks(world, person)
    assert hold.reached.wait(10) and world.running
    far = datetime.now(UTC) + timedelta(days=1)
    until(
        world,
        lambda: not world.store.unrendered(far),
        "it is drawn: who dies over a drawing holds it up for a minute",
    )

    assert end(world.running) in (0, None)

    assert [
        call.status
        for call in world.aws.calls("ListMFADevices")
        if call.parameters["UserName"] == iam_name(person)
    ] == [None], "it was asked once, and nobody waited for the answer"
    world.aws.faults.clear()
    clock.write_text("31")
    world.running.start()
    assert card(world, person, "backup")
    assert (
        len(
            [
                one
                for one in world.carol.messages("key-approvals")
                if f"@{handle(person)}" in one.words
            ]
        )
        == 1
    )


@pytest.mark.parametrize("action", ["GetUserPolicy", "GetPolicyVersion"])
def test_aws_that_does_not_answer_in_time_leaves_a_note(timed: World, action: str) -> None:
    person = with_rights(timed)
    timed.aws.faults.fail(action, "ServiceUnavailable", status=503, times=None)

    seen = asks(timed, person, "backup")

    assert "backup" in seen.words
