"""Run cells of a matrix: the real program, with every call seen from outside.

A `Workshop` is made once for each test process: one Valkey, one IAM, and the server that bots are
forked from. A `Cell` is one run in it: its own Slack workspace, an empty database, new users and
IAM users, a clock.

    with Workshop(folder) as shop, shop.cell() as cell:
        bot = cell.start()                      # serves; its first sweep is over
        person = cell.world.engineer()          # a World of tests/integration
        cell.begin()                            # count calls from here
        cell.click(lambda: person.command("/key create nightly backup"))
        cell.rest()                             # no work in progress, everything is rendered
        bot.gates.points()                      # every call since, as Point(service, name, nth)

To harm a call, use `bot.gates.at(point, side, do)` or `.always(match, side, do)` before the click
(`gates.py` says what `do` returns), or `cell.kill_at(point, side)` for a SIGKILL. Afterwards
`cell.restart()` starts another process on the same database, `cell.pass_time(minutes=…)` moves
the time (TRIAL_CLOCK) and sweeps, and `cell.sweep()` sweeps.

`cell.start()` once more starts a second bot beside the first, with its own gates. Response URLs
lead through those of the newest bot. `shop.cell(APPROVALS_REQUIRED="2")` takes settings,
`cell.build = module.build` a function that builds another bot. With `cell.acks = True`
acknowledgements are calls, too.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from types import TracebackType

import redis

from bot.store import scripts
from sandbox.aws import LocalAws
from sandbox.local import LocalSlack
from tests.support.running_bot import MANIFEST
from tests.support.running_world import World
from tests.support.store_server import StoreServer
from tests.verification.matrix.cell import Cell, CellClock


class Workshop:
    """One Valkey and one IAM for all cells of a process. Use it in the main thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.numbers = itertools.count(1)
        self._cells = itertools.count(1)
        self._clock: CellClock | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Workshop:
        self.server = StoreServer(self.folder / "data")
        self._stack.callback(self.server.stop)
        self.redis = self._stack.enter_context(self.server.client())
        self.aws = self._stack.enter_context(
            LocalAws(ahead=lambda: self._clock.last_event if self._clock else timedelta())
        )
        self.aws.client("iam").list_users()  # moto loads much at its first call
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @contextmanager
    def cell(self, **settings: str) -> Iterator[Cell]:
        """Open a new cell, with these settings besides the usual ones."""
        folder = self.folder / f"cell-{next(self._cells):04}"
        folder.mkdir()
        self.redis.flushall()
        load_scripts(self.redis)
        self.aws.faults.clear()
        self._clock = CellClock(folder / "clock")
        with LocalSlack(MANIFEST) as slack:
            world = World(slack, self.aws, self.redis, folder, self.numbers, clock=self._clock)
            cell = Cell(
                self.server.url,
                world,
                self._clock,
                settings,
                slack.url,
                frozenset(self.aws.secrets),
            )
            try:
                yield cell
            finally:
                cell.close()


def load_scripts(client: redis.Redis) -> None:
    """Load the store's scripts, so that no cell makes calls that no other makes."""
    for name, text in vars(scripts).items():
        if name.isupper():
            client.script_load(text)
