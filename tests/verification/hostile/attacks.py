"""What can be done to a real payload? Parts taken away, of other types, of other people, huge, deep, of odd letters.

An attack is a value: the route of the payload it begins with, and the changes made to it. One that once broke
something is kept in `corpus/` as JSON, and tried for ever.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.verification.hostile.inside import MEMBERS, OUTSIDERS

CORPUS = Path(__file__).parent / "corpus"
AWAY = "<away>"
DEEP = "<deep>"
HUGE = "<huge>"

Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Attack:
    """`changes` are (where, what is put there): `AWAY` takes it away, `DEEP` and `HUGE` are written out at the end.

    "{name}" stands for a request or key of the desk's story.
    """

    route: str
    changes: tuple[tuple[Place, Any], ...]

    def on(self, recordings: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
        """The payload as it is sent."""
        payload: dict[str, Any] = copy.deepcopy(recordings[self.route])
        for place, what in self.changes:
            _put(payload, place, _written_out(what, names))
        return payload

    def as_json(self) -> str:
        return json.dumps(
            {"route": self.route, "changes": [[list(place), what] for place, what in self.changes]}
        )


def kept() -> dict[str, Attack]:
    """The corpus, by the names of its files."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted(CORPUS.glob("*.json"))}
    return {
        name: Attack(one["route"], tuple((tuple(place), what) for place, what in one["changes"]))
        for name, one in found.items()
    }


NUMBERS = st.sampled_from([0, -1, 1, 2**63, 1.5, True, False, None])
WORDS = st.sampled_from(
    [
        "",
        " ",
        "\x00",
        "\ud800",
        "a\udfffb",
        "\u202ereversed\u202c",
        "\u2066\u200f",
        "\r\nX-Injected: 1",
        "1",
        "null",
        "../../x",
        "*",
        "<@U0CAROL>",
        "<!channel>",
        "*bold* `code`",
        "' or 1=1",
        "{{7*7}}",
        "x" * 300,
        HUGE,
        "true",
        "[]",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "\U0001f511" * 40,
        "AKIA" + "A" * 16,
        "0" * 30,
    ]
)
IDS = st.sampled_from(
    [
        *MEMBERS,
        *OUTSIDERS,
        "U0NOBODY",
        "T0OTHER",
        "T0KEYDESK",
        "W0X",
        "D0ALICE",
        "D0BOB",
        "C0APPROVALS",
        "C0ELSEWHERE",
        *(
            f"{{{name}}}"
            for name in ("pending", "given", "approved", "rotated", "key", "new", "old", "off")
        ),
    ]
)
LEAVES = NUMBERS | WORDS | IDS
PARTS = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "id",
                    "type",
                    "team_id",
                    "user",
                    "action_id",
                    "value",
                    "values",
                    "0",
                    "",
                    "callback_id",
                ]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=5,
)
WHAT = st.just(AWAY) | IDS | PARTS | st.just(DEEP)
EXTRA = st.sampled_from(
    [
        "command",
        "type",
        "event",
        "actions",
        "view",
        "user",
        "team",
        "enterprise",
        "authorizations",
        "ssl_check",
        "challenge",
        "is_ext_shared_channel",
        "response_urls",
        "function_data",
        "bot_access_token",
        "item",
        "message",
        "channel",
        "callback_id",
        "thread_ts",
        "assistant_thread",
        "response_url",
        "is_enterprise_install",
    ]
)


@st.composite
def attacks(render: st.DrawFn, recordings: Mapping[str, Any]) -> Attack:
    """One to three changes, anywhere in a real payload, or one part more."""
    route = render(st.sampled_from(sorted(recordings)))
    places = list(_places(recordings[route]))
    change = st.tuples(st.sampled_from(places), WHAT) | st.tuples(
        EXTRA.map(lambda name: (name,)), WHAT
    )
    return Attack(route, tuple(render(st.lists(change, min_size=1, max_size=3))))


def _places(part: Any, at: Place = ()) -> Iterator[Place]:
    inner = (
        part.items()
        if isinstance(part, dict)
        else enumerate(part)
        if isinstance(part, list)
        else ()
    )
    for name, value in inner:
        yield (*at, name)
        yield from _places(value, (*at, name))


def _put(payload: Any, stream_id: Place, what: Any) -> None:
    """Changes a place; one that an earlier change has taken away stays away."""
    for name in stream_id[:-1]:
        if not _holds(payload, name):
            return
        payload = payload[name]
    last = stream_id[-1]
    if what == AWAY:
        if _holds(payload, last):
            del payload[last]
    elif _holds(payload, last) or (isinstance(payload, dict) and isinstance(last, str)):
        payload[last] = what


def _holds(payload: Any, name: str | int) -> bool:
    if isinstance(payload, dict):
        return name in payload
    return isinstance(payload, list) and isinstance(name, int) and name < len(payload)


def _written_out(what: Any, names: Mapping[str, str]) -> Any:
    if what == DEEP:
        return nested(900)
    if what == HUGE:
        return "x" * 100_000
    if isinstance(what, str):
        return names.get(what[1:-1], what) if what.startswith("{") else what
    if isinstance(what, list):
        return [_written_out(one, names) for one in what]
    if isinstance(what, dict):
        return {name: _written_out(one, names) for name, one in what.items()}
    return what


def nested(levels: int) -> Any:
    """Lists in each other, so many."""
    found: Any = []
    for _ in range(levels):
        found = [found]
    return found
