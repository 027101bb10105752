"""The buttons of a rotation are for whose keys they are now: whoever has become another sees and changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.domain.errors import IamUnavailable, KeydeskError, Refused
from bot.domain.identity import Member
from bot.domain.keys import ManagedKey
from bot.operations import disable_key, finish_rotation
from bot.operations.services import Services
from tests.support.world import ALICE, BOB, make_desk
from tests.unit.operations.test_identify import (
    CHANGES,
    TAG,
    Changed,
    desk_of,
    has_an_address_without_iam_user,
    has_another_address,
    iam_user_is_made_anew,
)

Click = Callable[[Services, Member, str], ManagedKey]
each_button = pytest.mark.parametrize(
    "click", [finish_rotation.check_last_use, finish_rotation.not_yet, finish_rotation.disable_old]
)


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
        click(world.services, member, request.access_key_id)
    assert world.iam.active == active


def test_of_a_user_made_anew_whose_keys_are_gone_nothing_is_shown() -> None:
    world = desk_of()
    request = world.rotated()
    world.iam.use(request.target)
    member = iam_user_is_made_anew(world)
    assert (
        finish_rotation.check_last_use(world.services, member, request.access_key_id).snapshot == ()
    )


@each_button
def test_who_is_the_same_is_served(click: Click) -> None:
    world = desk_of()
    assert click(world.services, ALICE, world.rotated().access_key_id)


@each_button
def test_while_aws_does_not_say_whose_it_is_they_refuse_as_disable_does(click: Click) -> None:
    world = desk_of()
    request = world.rotated()
    for refused in (click, disable_key.disable):
        world.taps.on("issuer.user", before=IamUnavailable("GetUser"))
        with world.nothing_happens(), pytest.raises(IamUnavailable):
            refused(world.services, ALICE, request.access_key_id)


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
        assert click(world.services, member, request.access_key_id)
        world.iam.add_user(ALICE.email, owner=BOB.id)
        with pytest.raises(KeydeskError):
            click(world.services, member, request.access_key_id)
