"""Act before or after a call that Keydesk makes outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Act = BaseException | Callable[[], object]
"""What a test does at a call: raise this, or call it."""


class ProcessDied(BaseException):
    """A SIGKILL within one process. Nothing in the product may catch it."""


class Taps:
    """Act just before or after a call takes effect. `calls` are all calls so far."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._acts: dict[tuple[str, int, str], Act] = {}
        self._breaks_at: tuple[int, str] | None = None
        self._error: Callable[[str], BaseException] = lambda call: ProcessDied()
        self._away_from: tuple[int, str] | None = None

    def on(
        self, call: str, *, before: Act | None = None, after: Act | None = None, nth: int = 1
    ) -> None:
        """Act at the `nth` coming `call` (`store.commit`, `issuer.create_key`, …)."""
        for side, act in (("before", before), ("after", after)):
            if act is not None:
                self._acts[call, self.calls.count(call) + nth, side] = act

    def break_at(
        self,
        call: int,
        side: str,
        error: Callable[[str], BaseException] = lambda call: ProcessDied(),
    ) -> None:
        """Let the process die, or a call fail, at the coming call of this number, from 1.

        `side` says whether that is "before" or "after" its effect.
        """
        self._breaks_at, self._error = (len(self.calls) + call, side), error

    def away_from(self, call: int, part: str, error: Callable[[str], BaseException]) -> None:
        """Answer each call of `part` ("store", "issuer", …) with `error` from now on.

        `call` is the number of the first such call, from 1.
        """
        self._away_from, self._error = (len(self.calls) + call, part), error

    def calm(self) -> None:
        """Let every call through, as in a new process."""
        self._acts.clear()
        self._breaks_at = self._away_from = None

    def run(self, call: str, effect: Callable[[], Any]) -> Any:
        self.calls.append(call)
        overall, nth = len(self.calls), self.calls.count(call)
        if self._breaks_at == (overall, "before") or self._away(call):
            raise self._error(call)
        try:
            self._act(call, nth, "before")
            result = effect()
            self._act(call, nth, "after")
        finally:  # answered or not: the process may die after it
            if self._breaks_at == (overall, "after"):
                raise self._error(call)
        return result

    def _away(self, call: str) -> bool:
        return (
            self._away_from is not None
            and len(self.calls) >= self._away_from[0]
            and (call.startswith(self._away_from[1]))
        )

    def _act(self, call: str, nth: int, side: str) -> None:
        act = self._acts.pop((call, nth, side), None)
        if isinstance(act, BaseException):
            raise act
        if act is not None:
            act()


class Tapped:
    """`target`, with each of its methods under the taps."""

    def __init__(self, name: str, target: object, taps: Taps) -> None:
        self._name, self._target, self._taps = name, target, taps

    def __getattr__(self, method: str) -> Callable[..., Any]:
        does = getattr(self._target, method)
        return lambda *args, **more: self._taps.run(
            f"{self._name}.{method}", lambda: does(*args, **more)
        )
