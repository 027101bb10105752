"""Deliver a click to two processes at once, and again much later."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sandbox.delivery import Delivery
from tests.support.answers import AnswerLog
from tests.verification.matrix.answers import untrue
from tests.verification.matrix.cell import Cell
from tests.verification.matrix.harness import Workshop
from tests.verification.matrix.journeys import FAULT_JOURNEYS
from tests.verification.matrix.standing import standing_of

RECORDED_AGAIN = {
    "its owner reports a leak",
    "an approver disables a reported key",
    "an approver disables a leaked key",
}
"""A report that comes again much later is recorded again. It changes nothing."""
SAMPLE = {
    "create",
    "approve",
    "reveal",
    "I did not get it",
    "deny, the form is submitted",
    "undo",
}
CLICKED = [
    name if name in SAMPLE else pytest.param(name, marks=pytest.mark.matrix)
    for name, journey in FAULT_JOURNEYS.items()
    if not journey.by_time
]


class Twice:
    """Lets Slack deliver everything twice at once, to each of two processes."""

    def __init__(self, cell: Cell) -> None:
        self._cell, self.seen = cell, list[tuple[str, Any]]()
        cell.world.slack.look(self._install)

    def _install(self, box: Any) -> None:
        self._send = box.postman.send

        async def twice(kind: Any, payload: Any) -> Delivery:
            self.seen.append((kind, payload))
            first, _ = await asyncio.gather(self._send(kind, payload), self._send(kind, payload))
            return first

        box.postman.send = twice

    def again(self) -> None:
        """Deliver the same payloads once more."""
        for kind, payload in list(self.seen):
            self._cell.world.slack.do(
                lambda box, kind=kind, payload=payload: self._send(kind, payload)
            )


def audited(cell: Cell) -> list[str]:
    """Return the actions of the audit trail, without refusals."""
    trail: Any = cell.world.redis.xrange("{keydesk}:audit")
    return [
        fields["action"]
        for _, fields in trail
        if "action" in fields and fields.get("to_status") != "refused"
    ]


@pytest.mark.parametrize("name", CLICKED)
def test_a_click_delivered_three_times_works_once(shop: Workshop, name: str) -> None:
    journey = FAULT_JOURNEYS[name]
    with shop.cell(**journey.settings) as cell:
        cell.start()
        cast = journey.arrange(cell)
        cell.rest()
        cell.start()
        keys_before, twice = len(cell.world.aws.secrets), Twice(cell)
        cell.click(lambda: journey.act(cell, cast))
        cell.rest(lambda: journey.done(cell, cast))
        cell.wait_until_idle()
        done, actions = standing_of(cell, cast), audited(cell)
        keys = len(cell.world.aws.secrets)
        assert keys - keys_before <= 1, "one click made two keys"
        repeated = [line for line in cell.log.splitlines() if '"repeated delivery"' in line]
        assert len(repeated) == len(twice.seen), "each delivery works in one process alone"

        answers = AnswerLog(cell.world.folder)
        earlier = len(answers.all())
        for key in cell.world.redis.scan_iter("{keydesk}:lock:delivery:*"):
            cell.world.redis.delete(key)  # ten minutes later
        twice.again()
        cell.wait_until_idle()
        cell.rest()
        now = standing_of(cell, cast)
        assert (now.keys, now.status) == (done.keys, done.status)
        assert len(cell.world.aws.secrets) == keys
        again = audited(cell)[len(actions) :]
        assert not again or name in RECORDED_AGAIN, f"{again} was done again"
        assert untrue(answers.all()[earlier:], done, now) == []
