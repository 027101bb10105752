"""Define the faults of a call: other bytes on the wire, or a cut connection.

`FAULTS` has them all. `arm(gates, point)` begins a fault at that call: once, or (`lasting`) for
every call that it fits from there on, until `lift()`. `Armed.met` says that the call came. Where a
fault is silence, the call is held until the bot gives up after its own timeout.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

from sandbox.aws_keys import error_answer
from tests.verification.matrix.gates import (
    CUT,
    SILENT,
    Call,
    Gates,
    Point,
    Service,
    Side,
    Verdict,
)

AN_HOUR = 3600
OF_KEYS = frozenset({"UpdateAccessKey", "DeleteAccessKey", "GetAccessKeyLastUsed"})
OLD_LIST = "old list"
"""Stands for the list as it was before the click. The cell puts it in its place."""

Fits = Callable[[Point], bool]


@dataclass(frozen=True)
class Fault:
    """What happens to a call.

    Attributes:
        verdict: As in `gates`, or OLD_LIST.
        fits: Which calls may meet it.
        lasting: Later calls meet it, too: those that are `alike` (None: of the same name).
    """

    name: str
    service: Service
    side: Side
    verdict: Verdict | Callable[[Call], Verdict]
    fits: Fits = lambda point: True
    lasting: bool = False
    alike: Fits | None = None

    def may_meet(self, point: Point) -> bool:
        return point.service == self.service and self.fits(point)

    def arm(self, gates: Gates, point: Point) -> Armed:
        """Begin the fault at this call."""
        return Armed(self, gates, point)

    def __str__(self) -> str:
        return f"{self.service}: {self.name}"


@dataclass
class Armed:
    """A fault that waits for its call, or has begun."""

    fault: Fault
    gates: Gates
    point: Point
    met: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gates.at(self.point, self.fault.side, self._begin)

    def lift(self) -> None:
        """End the fault."""
        self.gates.clear()

    def _begin(self, call: Call) -> Verdict:
        self.met.set()
        if self.fault.lasting:
            self.gates.always(self._meets, self.fault.side, self._verdict)
        return self._verdict(call)

    def _meets(self, point: Point) -> bool:
        if not self.fault.may_meet(point):
            return False
        return self.fault.alike(point) if self.fault.alike else point.name == self.point.name

    def _verdict(self, call: Call) -> Verdict:
        verdict = self.fault.verdict
        return verdict(call) if callable(verdict) else verdict


def everything(point: Point) -> bool:
    return True


def changing(point: Point) -> bool:
    return point.changes


# -- Redis


def resp_error(words: str) -> bytes:
    return f"-{words}\r\n".encode()


READ_ONLY = resp_error("READONLY You can't write against a read only replica.")
NO_MEMORY = resp_error("OOM command not allowed when used memory > 'maxmemory'.")

REDIS = (
    Fault("down", "redis", "before", CUT, lasting=True, alike=everything),
    Fault("its answers are lost", "redis", "after", CUT, lasting=True, alike=everything),
    Fault("cut before the command", "redis", "before", CUT),
    Fault("cut in the middle of a script, which ran", "redis", "after", CUT),
    Fault("read-only", "redis", "before", READ_ONLY, changing, lasting=True, alike=everything),
    Fault("out of memory", "redis", "before", NO_MEMORY, changing, lasting=True, alike=everything),
    Fault("slow, 2 s", "redis", "after", SILENT, changing),
)

# -- Slack


def http(status: str, body: str, content: str = "application/json", **headers: str) -> bytes:
    """Return the bytes of an HTTP answer."""
    data = body.encode()
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Type: {content}",
        f"Content-Length: {len(data)}",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + data


def slack_error(error: str) -> bytes:
    return http("200 OK", f'{{"ok":false,"error":"{error}"}}')


def by_method(point: Point) -> bool:
    """It is a method of the Web API, which needs the token, unlike a response URL."""
    return point.name != "response_url"


def of_a_channel(point: Point) -> bool:
    return point.name.startswith(("chat.", "conversations."))


LIMITED = http("429 Too Many Requests", '{"ok":false,"error":"ratelimited"}', Retry_After="1")
NO_CHANNEL, REVOKED = slack_error("channel_not_found"), slack_error("token_revoked")
BROKEN = http("500 Internal Server Error", "upstream connect error", "text/plain")

SLACK = (
    Fault("429", "slack", "before", LIMITED),
    Fault("429 for a while", "slack", "before", LIMITED, lasting=True),
    Fault("500", "slack", "before", BROKEN, lasting=True),
    Fault("timeout, not done", "slack", "before", SILENT, by_method),
    Fault("timeout, done", "slack", "after", SILENT, by_method),
    Fault("dropped, not done", "slack", "before", CUT),
    Fault("dropped, done", "slack", "after", CUT),
    Fault("channel_not_found", "slack", "before", NO_CHANNEL, of_a_channel, lasting=True),
    Fault("token_revoked", "slack", "before", REVOKED, by_method, lasting=True, alike=by_method),
)

# -- IAM


def aws_error(code: str, message: str, status: int) -> bytes:
    return http(
        f"{status} {HTTPStatus(status).phrase}", error_answer(code, message, status), "text/xml"
    )


def no_such_entity(call: Call) -> bytes:
    """Return IAM's answer about an unknown user or key, which have one code."""
    of_key = call.point.name in OF_KEYS
    what = "The Access Key with id AKIA" if of_key else "The user with name eng"
    return aws_error("NoSuchEntity", f"{what} cannot be found.", 404)


def making(point: Point) -> bool:
    return point.name == "CreateAccessKey"


def listing(point: Point) -> bool:
    return point.name == "ListAccessKeys"


THROTTLED = aws_error("Throttling", "Rate exceeded", 400)
DENIED = aws_error("AccessDenied", "User: keydesk is not authorized to perform this", 403)
EXPIRED = aws_error("ExpiredToken", "The security token included in the request is expired", 403)
FULL = aws_error("LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2", 409)
AWAY = aws_error("ServiceUnavailable", "Service Unavailable", 503)

IAM = (
    Fault("Throttling", "iam", "before", THROTTLED, lasting=True),
    Fault("AccessDenied", "iam", "before", DENIED, lasting=True),
    Fault("NoSuchEntity", "iam", "before", no_such_entity),
    Fault("LimitExceeded", "iam", "before", FULL, making),
    Fault("timeout after execution", "iam", "after", SILENT, changing),
    Fault("dropped, not done", "iam", "before", CUT, changing),
    Fault("503", "iam", "before", AWAY, lasting=True),
    Fault("lists as they were 20 s ago", "iam", "before", OLD_LIST, listing, lasting=True),
    Fault("expired credentials", "iam", "before", EXPIRED, lasting=True, alike=everything),
)

FAULTS = (*REDIS, *SLACK, *IAM)

# -- the clock


def time_moved(seconds: int) -> Callable[[Call], Verdict]:
    """Answer TIME as a server whose clock is that many seconds ahead of the process's."""

    def answer(call: Call) -> Verdict:
        now, micros = divmod(time.time_ns() // 1000, 1_000_000)
        parts = (str(now + seconds), str(micros))
        return ("*2\r\n" + "".join(f"${len(part)}\r\n{part}\r\n" for part in parts)).encode()

    return answer


def is_time(point: Point) -> bool:
    return point.service == "redis" and point.name == "TIME"
