"""Does the harness see every call, kill where it says, and let nothing of a dead process through?"""

from __future__ import annotations

import pytest

from bot.slack import action_ids
from sandbox.local_person import LocalPerson
from tests.verification.matrix.gates import CUT, PASS, Call, Point
from tests.verification.matrix.harness import Cell, Workshop

CREATED = Point("iam", "CreateAccessKey", 1)
SHOWN = Point("slack", "chat.postEphemeral", 1)


def approved(cell: Cell) -> LocalPerson:
    """A person who may reveal; the bot's calls are counted from here."""
    person = cell.world.engineer()
    cell.world.approved(person)
    cell.rest()
    cell.begin()
    return person


def reveal(cell: Cell, person: LocalPerson) -> None:
    message = cell.world.revealable(person)
    cell.click(lambda: person.click(message, action_ids.REVEAL))


def test_every_call_to_redis_slack_and_iam_is_seen_in_its_order(shop: Workshop) -> None:
    with shop.cell() as cell:
        bot = cell.start()
        person = approved(cell)
        reveal(cell, person)
        assert cell.rest(lambda: cell.world.request(person).status == "delivered")

        seen = [f"{point.service} {point.name}" for point in bot.gates.points()]
        order = [
            "redis SET lock:delivery",
            "iam GetUser",
            "redis commit reveal",
            "iam CreateAccessKey",
            "redis commit record_key",
            "slack chat.postEphemeral",
            "redis commit deliver",
        ]
        assert [one for one in seen if one in order] == order


@pytest.mark.parametrize(("side", "keys"), [("before", 0), ("after", 1), ("answered", 1)])
def test_killed_at_a_call_it_took_effect_or_it_did_not(
    shop: Workshop, side: str, keys: int
) -> None:
    with shop.cell() as cell:
        bot = cell.start()
        person = approved(cell)
        cell.kill_at(CREATED, side)
        reveal(cell, person)

        assert not cell.rest(lambda: False), "it was killed"
        assert not bot.forked.alive
        assert len(cell.world.keys(person)) == keys
        if side != "answered":
            assert "redis commit record_key" not in " ".join(map(str, bot.gates.points()))


def test_nothing_of_a_dead_process_gets_through(shop: Workshop) -> None:
    with shop.cell() as cell:
        bot = cell.start()
        person = approved(cell)

        def kill(call: Call) -> str:
            cell.kill(bot)
            return PASS  # the call is in the proxy's hands, whose process is dead by now

        bot.gates.at(CREATED, "before", kill)
        reveal(cell, person)
        assert not cell.rest(lambda: False)
        assert not cell.world.keys(person)


def test_another_process_goes_on_where_the_dead_one_stopped(shop: Workshop) -> None:
    with shop.cell() as cell:
        cell.start()
        person = approved(cell)
        cell.kill_at(SHOWN, "after")
        reveal(cell, person)
        assert not cell.rest(lambda: False)
        cell.restart()
        assert cell.world.request(person).status == "issuing", "its lease is not over yet"
        cell.pass_time(minutes=2)
        assert cell.world.request(person).status == "delivered"


def test_any_call_can_be_cut_or_answered_otherwise(shop: Workshop) -> None:
    with shop.cell() as cell:
        bot = cell.start()
        person = approved(cell)
        bot.gates.at(CREATED, "after", lambda call: CUT)
        reveal(cell, person)
        assert person.wait_for("dm", "AWS didn't confirm whether a key was created")
        assert len(cell.world.keys(person)) == 1

        cell.rest()
        bot.gates.always(
            lambda point: point.name.startswith("GET"),
            "before",
            lambda call: b"-READONLY You can't write against a read only replica.\r\n",
        )
        card = cell.world.carol.messages("key-approvals")[0]
        cell.click(
            lambda: cell.world.carol.post_action(
                card, action_ids.REVOKE, cell.world.request(person).id
            )
        )
        assert cell.world.carol.wait_for("key-approvals").ephemeral
