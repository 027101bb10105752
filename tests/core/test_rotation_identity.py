"""The buttons of a rotation are for whose keys they are now: whoever has become another sees and changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.core.access_key import ManagedKey
from bot.core.errors import IamUnavailable, KeydeskError, Refused
from bot.core.people import Member
from bot.core.workflow import ageing, retire
from bot.core.workflow.desk import Desk
from tests.core.fakes import ALICE, BOB, make_desk
from tests.core.test_identity import (
    CHANGES,
    TAG,
    Changed,
    desk_of,
    has_an_address_without_iam_user,
    has_another_address,
    iam_user_is_made_anew,
)

Click = Callable[[Desk, Member, str], ManagedKey]
each_button = pytest.mark.parametrize("click", [ageing.check, ageing.not_yet, ageing.disable_old])


@each_button
@pytest.mark.parametrize(
    "change", [change for change in CHANGES if change is not iam_user_is_made_anew]
)
def test_who_has_become_another_is_refused_and_nothing_happens(
    change: Changed, click: Click
) -> None:
    world = desk_of(change)
    request = world.rotated()
    member = change(world)
    active = world.iam.active
    with world.nothing_happens(), pytest.raises(Refused):
        click(world.desk, member, request.access_key_id)
    assert world.iam.active == active


def test_of_a_user_made_anew_whose_keys_are_gone_nothing_is_shown() -> None:
    world = desk_of()
    request = world.rotated()
    world.iam.use(request.target)
    member = iam_user_is_made_anew(world)
    assert ageing.check(world.desk, member, request.access_key_id).facts == ()


@each_button
def test_who_is_the_same_is_served(click: Click) -> None:
    world = desk_of()
    assert click(world.desk, ALICE, world.rotated().access_key_id)


@each_button
def test_while_aws_does_not_say_whose_it_is_they_refuse_as_disable_does(click: Click) -> None:
    world = desk_of()
    request = world.rotated()
    for refused in (click, retire.disable):
        world.taps.on("issuer.user", before=IamUnavailable("GetUser"))
        with world.nothing_happens(), pytest.raises(IamUnavailable):
            refused(world.desk, ALICE, request.access_key_id)


@each_button
def test_whom_the_owner_tag_names_has_them_whatever_their_address_as_with_disable(
    click: Click,
) -> None:
    """The tag says whose they are, and turning off is the safe side."""
    for change in (has_another_address, has_an_address_without_iam_user):
        world = make_desk(**TAG)
        world.iam.add_user(ALICE.email, owner=ALICE.id)
        request = world.rotated()
        member = change(world)
        assert click(world.desk, member, request.access_key_id)
        world.iam.add_user(ALICE.email, owner=BOB.id)
        with pytest.raises(KeydeskError):
            click(world.desk, member, request.access_key_id)
