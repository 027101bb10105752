"""The Home tab: one's keys and requests, what waits for approvers; redrawn after changes for those who have it open."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.domain.codes import Code
from bot.domain.errors import NotAMember
from bot.domain.states import Status
from bot.slack import action_ids
from bot.slack.messages.errors import text
from bot.slack.messages.home import COLUMNS
from bot.slack.messages.text import utc_text
from sandbox.local_person import LocalPerson
from tests.support.key_life import approves, given, types, until
from tests.support.running_world import World, at_once, form_opens, handle, iam_name


def opens(person: LocalPerson, words: str = "") -> str:
    assert person.open_home().acked
    person.wait_for_home(words)
    return person.home_words


def buttons(person: LocalPerson) -> list[str]:
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
    return sum(call.args.get("user_id") == person.id for call in world.slack.calls("views.publish"))


def test_a_person_with_no_keys_is_told_so_and_may_ask(world: World) -> None:
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
    until(world, lambda: cancel not in buttons(person), "the tab is redrawn")
    assert world.reaches(person, "cancelled")


def test_two_keys_are_a_table_with_their_actions(world: World) -> None:
    person = world.engineer(keys=2)
    old, new = sorted(world.keys(person))
    world.aws.backdate(old, datetime.now(UTC) - timedelta(days=95, minutes=1))
    used = datetime.now(UTC) - timedelta(days=2)
    world.aws.mark_used(old, used, "dynamodb", "eu-west-1")
    world.iam.update_access_key(UserName=iam_name(person), AccessKeyId=new, Status="Inactive")

    words = opens(person)

    for cell in (
        *COLUMNS,
        old,
        "active",
        f"{used:%d %b %Y}",
        new,
        "inactive",
        "never",
    ):
        assert cell in words, cell
    assert buttons(person) == [
        f"rotate {old}",
        f"disable {old}",
        f"enable {new}",
        f"delete {new}",
        "ask new",
    ]
    person.click_in_home(f"disable {old}")
    until(world, lambda: f"enable {old}" in buttons(person), "the tab is redrawn")
    assert world.keys(person)[old] == "Inactive"
    person.click_in_home(f"delete {new}")
    until(world, lambda: new not in person.home_words, "and again")
    assert world.keys(person) == {old: "Inactive"}


def test_the_end_of_a_key_is_in_it(timed: World) -> None:
    person = timed.engineer()
    opens(person)
    key = given(timed, person, "--for 30d")
    ends = timed.store.key(key.key_id)
    assert ends and ends.expires_at

    person.wait_for_home(utc_text(ends.expires_at))


def test_only_open_home_tabs_are_rendered_again(world: World) -> None:
    person, other, bystander = world.engineer(), world.engineer(), world.engineer()
    opens(person)
    opens(bystander)
    before = published(world, bystander)

    for one in (person, other):
        types(world, one, "/key create x")
    cancel = f"cancel {world.request(person).id}"
    until(world, lambda: cancel in buttons(person), "the request is there")
    approves(world, person)
    person.wait_for_home(Status.APPROVED)

    assert published(world, other) == 0 and other.home is None
    assert published(world, bystander) == before


def test_an_approver_decides_in_it(world: World) -> None:
    person, denied, [approver] = world.engineer(), world.engineer(), world.approvers(1)
    world.asks(person, "the first reason")
    opens(approver)
    approver.wait_for_home("the first reason")

    approver.click_in_home(action_ids.APPROVE) if len(
        world.store.pending()
    ) == 1 else world.carol.click(world.card(person) or world.asks(person), action_ids.APPROVE)

    world.revealable(person)
    until(
        world,
        lambda: "the first reason" not in approver.home_words,
        "what is decided waits no more",
    )
    world.asks(denied, "the second reason")
    approver.wait_for_home("the second reason")


def test_who_is_no_approver_sees_nothing_of_what_waits(world: World) -> None:
    person, other = world.engineer(), world.engineer()
    world.asks(other, "a private reason")

    words = opens(person)

    assert "a private reason" not in words


def test_a_hundred_waiting_requests_stay_within_the_limits(
    timed: World,
) -> None:
    people = [timed.engineer(keys=1) for _ in range(100)]
    for start in range(0, 100, 10):
        at_once(
            *[
                lambda one=one: one.command(f"/key create --for 30d reason of {handle(one)}")
                for one in people[start : start + 10]
            ]
        )
        until(
            timed, lambda start=start: timed.store.pending_count() == start + 10, "they are stored"
        )
    oldest = timed.store.pending(1)[0]

    opens(timed.carol, "80")

    view = timed.carol.home
    assert view and len(view["blocks"]) <= 100
    shown = [one.split()[0] for one in buttons(timed.carol)]
    assert shown.count(action_ids.APPROVE) == shown.count(action_ids.DENY) == 20
    assert oldest.reason in timed.carol.home_words
    timed.carol.click_in_home(action_ids.APPROVE)
    until(timed, lambda: timed.store.pending_count() == 99, "the oldest is decided")
    found = timed.store.request(oldest.id)
    assert found and found.status == "approved"
    timed.carol.wait_for_home("79")
    until(timed, lambda: oldest.reason not in timed.carol.home_words, "the oldest is gone from it")


def test_unreadable_approvers_still_leave_a_home_tab(timed: World) -> None:
    person = timed.engineer()
    timed.slack.faults.fail("usergroups.users.list", "missing_scope", times=100)

    person.open_home()

    until(timed, lambda: person.home, "the tab is there")


def test_without_an_iam_user_it_says_so(world: World) -> None:
    person = world.engineer(iam=False)
    assert text(Code.IAM_USER_NOT_FOUND, {}) in opens(person)


def test_guests_have_none(world: World) -> None:
    guest = world.engineer(is_restricted=True)

    guest.open_home()

    world.answered(guest, NotAMember)
    assert guest.home is None
