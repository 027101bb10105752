"""See every call that leaves a bot's process, in order, and let a test act on it.

A bot under test reaches Redis, Slack and IAM through three proxies, its `Gates`. Each call is
noted in `calls` before it goes on. At a call that a test chose, the gates ask what to do on each of
its sides:

    before      it has not reached the server
    after       it took effect; its answer has not come back
    answered    its answer has just been passed on

`at(point, side, do)` calls `do(call)` there once, in the thread that carries the call, which waits
for it. `always(match, side, do)` does so each time. The result of `do` decides: PASS lets the call
go on. CUT breaks the connection (before: the call never takes effect; after: its answer is lost).
SILENT gives no answer until the bot gives up. Bytes are the answer instead (before: the call never
takes effect).

After `shut()` nothing of this process gets through any more, not even calls in progress.
"""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Literal
from urllib.parse import unquote, urlsplit

from tests.verification.matrix import naming
from tests.verification.matrix.wire import (
    LARGEST,
    Ended,
    Reader,
    read_command,
    read_reply,
    read_request,
    read_response,
    relay_frames,
)

Service = Literal["redis", "slack", "iam"]
Side = Literal["before", "after", "answered"]
SIDES: tuple[Side, ...] = ("before", "after", "answered")
PASS, CUT, SILENT = "pass", "cut", "silent"
ACK = "ack"


@dataclass(frozen=True, order=True)
class Point:
    """The `nth` call of this name, counted from 1 since `begin()`."""

    service: Service
    name: str
    nth: int

    def __str__(self) -> str:
        return f"{self.service} {self.name} #{self.nth}"

    @property
    def changes(self) -> bool:
        """The call changes something outside the process."""
        return naming.changes(self.service, self.name)


@dataclass(frozen=True)
class Call:
    """One call: its point, and what was sent (a command's words or a body)."""

    point: Point
    sent: tuple[bytes, ...]


Verdict = str | bytes
Do = Callable[[Call], Verdict]
Match = Callable[[Point], bool]


class Gates:
    """The proxies of one bot: `redis_url`, `slack_url` and `iam_url`.

    With `acks`, acknowledgements are calls, too: `slack ack`, without a side "answered".
    """

    def __init__(self, redis_url: str, slack_url: str, iam_url: str, *, acks: bool = False) -> None:
        self._acks = acks
        self._lock, self._going_out = threading.Lock(), threading.Lock()
        self._counts: Counter[tuple[Service, str]] = Counter()
        self._once: dict[tuple[Point, Side], Do] = {}
        self._always: list[tuple[Match, Side, Do]] = []
        self._open: set[socket.socket] = set()
        self._shut = False
        self.calls: list[Call] = []
        self.changed = threading.Condition()
        self._redis = unquote(urlsplit(redis_url).path)
        self._listeners = {"redis": self._listen(self._serve_redis)}
        for service, url in (("slack", slack_url), ("iam", iam_url)):
            address = ("127.0.0.1", urlsplit(url).port or 80)
            self._listeners[service] = self._listen(_http(self, service, address))

    def _address(self, service: str) -> str:
        return f"127.0.0.1:{self._listeners[service].getsockname()[1]}"

    @property
    def redis_url(self) -> str:
        return f"redis://{self._address('redis')}/0"

    @property
    def slack_url(self) -> str:
        return f"http://{self._address('slack')}"

    @property
    def iam_url(self) -> str:
        return f"http://{self._address('iam')}"

    # -- for tests

    def begin(self) -> None:
        """Count calls from here, and forget those until now."""
        with self._lock:
            self._counts.clear()
            self.calls.clear()

    def at(self, point: Point, side: Side, do: Do) -> None:
        """Call `do` at this side of this call, once."""
        with self._lock:
            self._once[point, side] = do

    def always(self, match: Match, side: Side, do: Do) -> None:
        """Call `do` at this side of every call that matches, until `clear`."""
        with self._lock:
            self._always.append((match, side, do))

    def clear(self) -> None:
        """Let every call pass from now on."""
        with self._lock:
            self._once.clear()
            self._always.clear()

    def points(self) -> list[Point]:
        """Return the calls since `begin()`, in their order."""
        with self._lock:
            return [call.point for call in self.calls]

    def shut(self) -> None:
        """Let nothing through any more."""
        with self._going_out:
            self._shut = True

    @property
    def is_shut(self) -> bool:
        return self._shut

    def close(self) -> None:
        """Shut, stop listening and end every connection."""
        self.shut()
        for listener in self._listeners.values():
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            left = list(self._open)
        for one in left:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    # -- for the proxies

    def note(self, service: Service, name: str, sent: Sequence[bytes]) -> Call:
        """Number a call and record it."""
        with self._lock:
            self._counts[service, name] += 1
            call = Call(Point(service, name, self._counts[service, name]), tuple(sent))
            self.calls.append(call)
        with self.changed:
            self.changed.notify_all()
        return call

    def verdict(self, call: Call, side: Side) -> Verdict:
        """Return what to do with the call at this side."""
        with self._lock:
            do = self._once.pop((call.point, side), None) or next(
                (one for match, where, one in self._always if where == side and match(call.point)),
                None,
            )
        return do(call) if do else PASS

    def pass_on(self, to: socket.socket, data: bytes) -> None:
        """Send to a server, unless the process is dead by now. Raises Ended."""
        with self._going_out:
            if self._shut:
                raise Ended
            send(to, data)

    def frame(self, server: socket.socket, data: bytes, acknowledges: bool) -> None:
        """Pass on a WebSocket frame. An acknowledgement is a call without an answer.

        Raises Ended.
        """
        call = self.note("slack", ACK, [data]) if acknowledges and self._acks else None
        if call and self.verdict(call, "before") == CUT:
            raise Ended
        self.pass_on(server, data)
        if call and self.verdict(call, "after") == CUT:
            raise Ended

    def relay(
        self, call: Call | None, request: bytes, ends: Ends, read_answer: Callable[[], bytes]
    ) -> None:
        """Carry a call from the bot to the server and its answer back. Raises Ended."""
        for side in SIDES:
            if side == "after":
                self.pass_on(ends.server, request)
                answer = read_answer()
            elif side == "answered":
                send(ends.bot, answer)
            verdict = self.verdict(call, side) if call else PASS
            if verdict == CUT:
                raise Ended
            if verdict == SILENT:
                until_given_up(ends.bot)
                raise Ended
            if isinstance(verdict, bytes):
                send(ends.bot, verdict)
                return

    # -- listening

    def _listen(self, serve: Callable[[socket.socket], None]) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)

        def accept() -> None:
            with suppress(OSError):  # it was closed
                while True:
                    bot, _ = listener.accept()
                    threading.Thread(target=self._carry, args=(bot, serve), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return listener

    def _carry(self, bot: socket.socket, serve: Callable[[socket.socket], None]) -> None:
        bot.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open.add(bot)
        try:
            with bot, suppress(Ended, OSError):
                serve(bot)
        finally:
            with self._lock:
                self._open.discard(bot)

    def _serve_redis(self, bot: socket.socket) -> None:
        with socket.socket(socket.AF_UNIX) as server:
            server.connect(self._redis)
            asked, answers = Reader(bot), Reader(server)

            def answer() -> bytes:
                read_reply(answers)
                return answers.message()

            while True:
                words = read_command(asked)
                name = naming.redis_name(words)
                call = None if name in naming.CONNECTING else self.note("redis", name, words)
                self.relay(call, asked.message(), Ends(bot, server), answer)


@dataclass(frozen=True)
class Ends:
    """The two sides of a connection."""

    bot: socket.socket
    server: socket.socket


def _http(
    gates: Gates, service: Service, address: tuple[str, int]
) -> Callable[[socket.socket], None]:
    def serve(bot: socket.socket) -> None:
        with socket.create_connection(address) as server:
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            asked, answers, ends = Reader(bot), Reader(server), Ends(bot, server)

            def answer() -> bytes:
                read_response(answers)
                return answers.message()

            while True:
                head, body = read_request(asked)
                name = naming.slack_name(head) if service == "slack" else naming.iam_name(body)
                call = gates.note(service, name, [body]) if name else None
                gates.relay(call, asked.message(), ends, answer)
                if head.upgrades:
                    relay_frames(bot, server, answers.rest(), partial(gates.frame, server))
                    return

    return serve


def until_given_up(bot: socket.socket) -> None:
    """Wait until the bot closes the connection, since it gave up."""
    with suppress(OSError):
        while bot.recv(LARGEST):
            continue


def send(to: socket.socket, data: bytes) -> None:
    """Send all of it. Raises Ended."""
    try:
        to.sendall(data)
    except OSError as error:
        raise Ended from error
