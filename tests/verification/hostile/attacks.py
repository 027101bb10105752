"""Change real payloads: parts are removed, of other types or users, huge or deep.

An attack is a value: the route of the payload, and the changes made to it. One that once broke
something is kept in `corpus/` as JSON and always tried again.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.verification.hostile.target import MEMBERS, OUTSIDERS

CORPUS = Path(__file__).parent / "corpus"
AWAY = "<away>"
DEEP = "<deep>"
HUGE = "<huge>"

Path_ = tuple[str | int, ...]


@dataclass(frozen=True)
class Attack:
    """A payload of a route with changes: (path, new value).

    `AWAY` removes a part, `DEEP` and `HUGE` are expanded at the end. "{name}" stands for a request
    or key of the target.
    """

    route: str
    changes: tuple[tuple[Path_, Any], ...]

    def on(self, recordings: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
        """Return the payload as it is sent."""
        payload: dict[str, Any] = copy.deepcopy(recordings[self.route])
        for path, value in self.changes:
            _put(payload, path, _expanded(value, names))
        return payload

    def as_json(self) -> str:
        changes = [[list(path), value] for path, value in self.changes]
        return json.dumps({"route": self.route, "changes": changes})


def corpus() -> dict[str, Attack]:
    """Return the kept attacks, by the names of their files."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted(CORPUS.glob("*.json"))}
    return {
        name: Attack(one["route"], tuple((tuple(path), value) for path, value in one["changes"]))
        for name, one in found.items()
    }


def _words(listed: str) -> list[str]:
    return listed.split()


NUMBERS = st.sampled_from([0, -1, 1, 2**63, 1.5, True, False, None])
TEXTS = st.sampled_from(
    [
        *("", " ", "\x00", "\ud800", "a\udfffb", "\u202ereversed\u202c", "\u2066\u200f"),
        *("\r\nX-Injected: 1", "1", "null", "true", "[]", "../../x", "*", "0" * 30),
        *("<@U0CAROL>", "<!channel>", "*bold* `code`", "' or 1=1", "{{7*7}}", "x" * 300, HUGE),
        *("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "\U0001f511" * 40, "AKIA" + "A" * 16),
    ]
)
IDS = st.sampled_from(
    [
        *MEMBERS,
        *OUTSIDERS,
        *_words("U0UNKNOWN T0OTHER T0KEYDESK W0X D0ALICE D0BOB C0APPROVALS C0ELSEWHERE"),
        *_words("{pending} {given} {approved} {rotated} {key} {new} {old} {off}"),
    ]
)
NAMES = st.sampled_from(
    ["0", "", *_words("id type team_id user action_id value values callback_id")]
)
VALUES = st.recursive(
    NUMBERS | TEXTS | IDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
)
CHANGED = st.just(AWAY) | IDS | VALUES | st.just(DEEP)
ADDED = st.sampled_from(
    _words("""
        command type event actions view user team enterprise authorizations ssl_check challenge
        is_ext_shared_channel response_urls function_data bot_access_token item message channel
        callback_id thread_ts assistant_thread response_url is_enterprise_install
    """)
)


@st.composite
def attacks(draw: st.DrawFn, recordings: Mapping[str, Any]) -> Attack:
    """Return an attack: one to three parts of a real payload are changed or added."""
    route = draw(st.sampled_from(sorted(recordings)))
    paths = st.sampled_from(list(_paths(recordings[route])))
    change = st.tuples(paths, CHANGED) | st.tuples(ADDED.map(lambda name: (name,)), CHANGED)
    return Attack(route, tuple(draw(st.lists(change, min_size=1, max_size=3))))


def _paths(part: Any, at: Path_ = ()) -> Iterator[Path_]:
    inner = list(enumerate(part)) if isinstance(part, list) else []
    for name, value in part.items() if isinstance(part, dict) else inner:
        yield (*at, name)
        yield from _paths(value, (*at, name))


def _put(payload: Any, path: Path_, value: Any) -> None:
    """Change a part. One that an earlier change removed stays away."""
    for name in path[:-1]:
        if not _has(payload, name):
            return
        payload = payload[name]
    last = path[-1]
    if value == AWAY:
        if _has(payload, last):
            del payload[last]
    elif _has(payload, last) or (isinstance(payload, dict) and isinstance(last, str)):
        payload[last] = value


def _has(payload: Any, name: str | int) -> bool:
    if isinstance(payload, dict):
        return name in payload
    return isinstance(payload, list) and isinstance(name, int) and name < len(payload)


def _expanded(value: Any, names: Mapping[str, str]) -> Any:
    if value == DEEP:
        return nested(900)
    if value == HUGE:
        return "x" * 100_000
    if isinstance(value, str):
        return names.get(value[1:-1], value) if value.startswith("{") else value
    if isinstance(value, list):
        return [_expanded(one, names) for one in value]
    if isinstance(value, dict):
        return {name: _expanded(one, names) for name, one in value.items()}
    return value


def nested(levels: int) -> Any:
    """Return so many lists in each other."""
    found: Any = []
    for _ in range(levels):
        found = [found]
    return found
