"""Journeys in the Home tab: one's keys and requests, and what waits for approvers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.domain.codes import Code
from bot.domain.states import Status
from bot.slack import action_ids
from bot.slack.messages.errors import text
from bot.slack.messages.home import COLUMNS
from sandbox.local_person import LocalPerson
from tests.integration.steps import named, refused, set_key
from tests.support.key_life import approves, types, until
from tests.support.running_world import World
from tests.support.seen_by_user import form_opens


def opens(person: LocalPerson, words: str = "") -> str:
    """Open the Home tab, and return its words once these are among them."""
    assert person.open_home().acked
    person.wait_for_home(words)
    return person.home_words


def buttons(person: LocalPerson) -> list[str]:
    """Return action ID and value of each button in the Home tab."""
    view = person.home or {"blocks": []}
    found = [
        one
        for block in view["blocks"]
        for one in (*block.get("elements", ()), block.get("accessory") or {})
    ]
    return [
        f"{one['action_id']} {one.get('value')}" for one in found if one.get("type") == "button"
    ]


def published(world: World, person: LocalPerson) -> int:
    """Count how often the Home tab of this user was published."""
    return sum(call.args.get("user_id") == person.id for call in world.slack.calls("views.publish"))


def test_a_request_is_made_and_cancelled_in_the_home_tab(world: World) -> None:
    person = world.engineer()
    opens(person)
    assert buttons(person) == ["ask new"]

    person.click_in_home(action_ids.ASK)
    form_opens(person, action_ids.CREATE_FORM)
    person.submit({"reason": "from the Home tab"})
    world.answered(person)

    cancel = f"cancel {world.request(person).id}"
    until(world, lambda: buttons(person) == ["ask new", cancel], "the request is there")
    person.click_in_home(action_ids.CANCEL)
    until(world, lambda: cancel not in buttons(person), "the tab is rendered again")
    assert world.reaches(person, "cancelled")


def test_two_keys_are_a_table_with_their_actions(world: World) -> None:
    person = world.engineer(keys=2)
    old, new = sorted(world.keys(person))
    world.aws.backdate(old, datetime.now(UTC) - timedelta(days=95, minutes=1))
    used = datetime.now(UTC) - timedelta(days=2)
    world.aws.mark_used(old, used, "dynamodb", "eu-west-1")
    set_key(world, person, new)

    words = opens(person)

    for cell in (*COLUMNS, old, "active", f"{used:%d %b %Y}", new, "inactive", "never"):
        assert cell in words, cell
    assert buttons(person) == [
        f"rotate {old}",
        f"disable {old}",
        f"enable {new}",
        f"delete {new}",
        "ask new",
    ]
    person.click_in_home(f"disable {old}")
    until(world, lambda: f"enable {old}" in buttons(person), "the tab is rendered again")
    assert world.keys(person)[old] == "Inactive"
    person.click_in_home(f"delete {new}")
    until(world, lambda: new not in person.home_words, "and again")
    assert world.keys(person) == {old: "Inactive"}


def test_only_open_home_tabs_are_rendered_again(world: World) -> None:
    """And only an approver's shows what others asked for."""
    person, other, bystander = world.engineer(), world.engineer(), world.engineer()
    opens(person)
    opens(bystander)
    before = published(world, bystander)

    for one in (person, other):
        types(world, one, "/key create a private reason")
    cancel = f"cancel {world.request(person).id}"
    until(world, lambda: cancel in buttons(person), "the request is there")
    approves(world, person)
    person.wait_for_home(Status.APPROVED)

    assert published(world, other) == 0 and other.home is None
    assert published(world, bystander) == before
    assert "a private reason" not in opens(bystander)


def test_an_approver_reviews_and_decides_in_it(world: World) -> None:
    person, denied, [approver] = world.engineer(), world.engineer(), world.approvers(1)
    world.asks(person, "the first reason")
    opens(approver, "the first reason")
    approve = f"{action_ids.APPROVE} {world.request(person).id}"
    assert approve in buttons(approver)

    approver.click_in_home(f"{action_ids.ON_IT} {world.request(person).id}")
    approver.wait_for_home(named(approver))
    assert world.request(person).reviewer == approver.id
    approver.click_in_home(approve)

    world.revealable(person)
    until(world, lambda: "the first reason" not in approver.home_words, "it waits no more")
    world.asks(denied, "the second reason")
    approver.wait_for_home("the second reason")
    approver.click_in_home(f"{action_ids.DENY} {world.request(denied).id}")
    form_opens(approver, action_ids.DENY_FORM)
    approver.submit({"reason": "no longer needed"})
    assert world.reaches(denied, "denied").denial_reason == "no longer needed"


def test_who_has_no_keys_to_see_is_told_so(world: World) -> None:
    assert text(Code.IAM_USER_NOT_FOUND, {}) in opens(world.engineer(iam=False))
    guest = world.engineer(is_restricted=True)
    guest.open_home()
    refused(world, guest, Code.NOT_A_MEMBER)
    assert guest.home is None
