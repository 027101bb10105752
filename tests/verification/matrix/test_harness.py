"""Check the harness: it sees every call, and kills where it says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.domain.codes import Code
from bot.domain.errors import DeliveryFailed
from bot.domain.outside_errors import StoreUnavailable
from bot.slack import action_ids
from sandbox.local_person import LocalPerson
from tests.verification.matrix.cell import Cell
from tests.verification.matrix.faults import READ_ONLY
from tests.verification.matrix.gates import CUT, PASS, Call, Point
from tests.verification.matrix.harness import Workshop

CREATED = Point("iam", "CreateAccessKey", 1)
SHOWN = Point("slack", "chat.postEphemeral", 1)


@pytest.fixture
def cell(shop: Workshop) -> Iterator[Cell]:
    with shop.cell() as cell:
        cell.start()
        yield cell


@pytest.fixture
def person(cell: Cell) -> LocalPerson:
    """Return a requester who may reveal. The bot's calls are counted from here."""
    person = cell.world.engineer()
    cell.world.approved(person)
    cell.rest()
    cell.begin()
    return person


def reveal(cell: Cell, person: LocalPerson) -> None:
    message = cell.world.revealable(person)
    cell.click(lambda: person.click(message, action_ids.REVEAL))


def test_every_call_is_seen_in_its_order(cell: Cell, person: LocalPerson) -> None:
    reveal(cell, person)
    assert cell.rest(lambda: cell.world.request(person).status == "delivered")
    order = [
        "redis SET lock:delivery",
        "iam GetUser",
        "redis commit reveal",
        "iam CreateAccessKey",
        "redis commit record_key",
        "slack chat.postEphemeral",
        "redis commit deliver",
    ]
    seen = [f"{point.service} {point.name}" for point in cell.bot.gates.points()]
    assert [one for one in seen if one in order] == order


@pytest.mark.parametrize(("side", "keys"), [("before", 0), ("after", 1), ("answered", 1)])
def test_a_kill_lets_a_call_take_effect_or_not(
    cell: Cell, person: LocalPerson, side: str, keys: int
) -> None:
    cell.kill_at(CREATED, side)
    reveal(cell, person)
    assert not cell.rest(lambda: False), "it was killed"
    assert not cell.bot.forked.alive
    assert len(cell.world.keys(person)) == keys
    if side != "answered":
        assert "redis commit record_key" not in " ".join(map(str, cell.bot.gates.points()))


def test_nothing_of_a_dead_process_gets_through(cell: Cell, person: LocalPerson) -> None:
    def kill(call: Call) -> str:
        cell.kill()
        return PASS  # the proxy has the call of a process that is dead by now

    cell.bot.gates.at(CREATED, "before", kill)
    reveal(cell, person)
    assert not cell.rest(lambda: False)
    assert not cell.world.keys(person)


def test_another_process_recovers_what_a_dead_one_began(cell: Cell, person: LocalPerson) -> None:
    cell.kill_at(SHOWN, "after")
    reveal(cell, person)
    assert not cell.rest(lambda: False)
    cell.restart()
    assert cell.world.request(person).status == "issuing", "its lease is not over yet"
    cell.pass_time(minutes=2)
    assert cell.world.request(person).status == "delivered"


def test_a_call_can_be_cut_or_answered_by_a_test(cell: Cell, person: LocalPerson) -> None:
    cell.bot.gates.at(CREATED, "after", lambda call: CUT)
    reveal(cell, person)
    cell.world.answered(person, DeliveryFailed, Code.KEY_CREATION_UNCONFIRMED)
    assert len(cell.world.keys(person)) == 1

    cell.rest()
    cell.bot.gates.always(
        lambda point: point.name.startswith("GET"), "before", lambda call: READ_ONLY
    )
    carol, request = cell.world.carol, cell.world.request(person).id
    card = carol.messages("key-approvals")[0]
    cell.click(lambda: carol.post_action(card, action_ids.REVOKE, request))
    cell.world.answered(carol, StoreUnavailable)
