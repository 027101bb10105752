"""What if Slack delivers the same click twice? To two processes at the same moment, and once more much later."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sandbox.delivery import Delivery
from tests.support.answers import AnswerLog
from tests.support.running_bot import wait_for
from tests.verification.matrix.answers import standing_of, untrue
from tests.verification.matrix.fault_cells import PATIENCE
from tests.verification.matrix.fault_journeys import FAULT_JOURNEYS
from tests.verification.matrix.harness import Cell, Workshop

TWICE_IS_WELL = {
    "its owner reports a leak",
    "an approver turns a reported key off",
    "an approver turns a leaked key off",
}
"""A report that comes again much later is written down again; it changes nothing."""
CLICKED = [name for name, journey in FAULT_JOURNEYS.items() if not journey.by_time]
SAMPLE = {"ask", "approve", "reveal", "I did not get it", "deny, the form is sent", "undo"}
MARKED = [
    name if name in SAMPLE else pytest.param(name, marks=pytest.mark.matrix) for name in CLICKED
]


class Twice:
    """Has Slack deliver everything twice, at the same moment: to two processes where two are connected."""

    def __init__(self, cell: Cell) -> None:
        self._cell, self.seen = cell, list[tuple[str, Any]]()
        cell.world.slack.look(self._put)

    def _put(self, box: Any) -> None:
        send = box.postman.send

        async def twice(kind: Any, payload: Any) -> Delivery:
            self.seen.append((kind, payload))
            first, _ = await asyncio.gather(send(kind, payload), send(kind, payload))
            return first

        box.postman.send = twice
        self._send = send

    def once_more(self) -> None:
        """The same payloads again."""
        for kind, payload in list(self.seen):
            self._cell.world.slack.do(
                lambda box, kind=kind, payload=payload: self._send(kind, payload)
            )


def entries(cell: Cell) -> list[str]:
    """What the audit trail says was done, without what was refused."""
    trail: Any = cell.world.redis.xrange("{keydesk}:audit")
    return [
        fields["action"]
        for _, fields in trail
        if "action" in fields and fields.get("to_status") != "refused"
    ]


def quiet(cell: Cell) -> None:
    wait_for(lambda: all(bot.forked.ask("idle") for bot in cell.bots), PATIENCE, cell.describe)


@pytest.mark.parametrize("name", MARKED)
def test_a_click_delivered_three_times_works_once(shop: Workshop, name: str) -> None:
    journey = FAULT_JOURNEYS[name]
    with shop.cell(**journey.settings) as cell:
        cell.start()
        cast = journey.arrange(cell)
        cell.rest()
        cell.start()
        count = len(cell.world.aws.secrets)
        twice = Twice(cell)
        cell.click(lambda: journey.act(cell, cast))
        cell.rest(lambda: journey.done(cell, cast))
        quiet(cell)
        done, once = standing_of(cell, cast), entries(cell)
        made = len(cell.world.aws.secrets) - count
        assert made <= 1, "one click made two keys"
        repeated = [line for line in cell.log.splitlines() if '"repeated delivery"' in line]
        assert len(repeated) == len(twice.seen), (
            "each is worked on by one process, and known again by the other"
        )

        answers = AnswerLog(cell.world.folder)
        earlier = len(answers.all())
        for key in cell.world.redis.scan_iter("{keydesk}:lock:delivery:*"):
            cell.world.redis.delete(key)  # ten minutes later
        twice.once_more()
        quiet(cell)
        cell.rest()
        assert (
            standing_of(cell, cast).keys == done.keys
            and standing_of(cell, cast).status == done.status
        )
        assert len(cell.world.aws.secrets) - count == made
        news = entries(cell)[len(once) :]
        assert not news or name in TWICE_IS_WELL, f"the second time {news} was done, too"
        assert untrue(answers.all()[earlier:], done, standing_of(cell, cast)) == []
