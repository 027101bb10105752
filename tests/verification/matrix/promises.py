"""What must be true of keys, decisions, messages, secrets and the trail, whenever one looks after a crash?"""

from __future__ import annotations

import json
from collections import Counter

from bot.domain.audit.verify import ExportedTrail as KeptOutside
from bot.domain.audit.verify import Trail, verify
from bot.domain.keys import DesiredState, ManagedKey, ObservedState
from bot.domain.records import Record
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.slack import action_ids
from bot.slack.messages.key_status import is_confirmed, status_text
from bot.slack.messages.kinds import Destinations, render
from sandbox.people import BOT_USER
from sandbox.seen import SeenMessage, names_in, readable, words_of
from tests.support.answers import DONE, AnswerLog
from tests.support.canary import forms, kept
from tests.support.memory_trail import KEY
from tests.support.running_world import iam_name
from tests.verification.matrix.harness import Cell
from tests.verification.matrix.journeys import CARDS, Cast

PLACES = Destinations("C0APPROVALS", "<!subteam^S0APPROVERS>")
STATUSES = frozenset(one.value for one in Status)
ONCE = ("create", "rotate", "enable", "approve", "deny", "cancel", "revoke", "apply", "deliver")
"""What is done once at most: of `deliver` once for each reveal."""
ANSWERS = {
    action_ids.APPROVE: {"approve", "add_approval"},
    action_ids.DENY_FORM: {"deny"},
    action_ids.CANCEL: {"cancel"},
    action_ids.REVOKE: {"revoke"},
}
"""Decisions that are answered with a success, and the audit entries of which there must be one then."""


def look(cell: Cell, cast: Cast) -> None:
    """At any moment after a sweep."""
    one_living_key(cell, cast)
    what_is_replaced_works(cell, cast)
    decisions(cell, cast)
    messages(cell, cast)


def look_at_rest(cell: Cell, cast: Cast) -> None:
    """Once every lease and the look after it are over: what is on record is what IAM shows, too."""
    look(cell, cast)
    in_iam = cell.world.keys(cast.person)
    for key in keys(cell):
        if key.changed_at is None and not key.request_id:
            continue  # reported by somebody who may do nothing with it: nothing is meant for it, and nothing claimed
        status = in_iam.get(key.id, ObservedState.DELETED).lower()
        assert key.observed is not ObservedState.UNKNOWN, (
            f"{key.id}: nobody has read what IAM shows"
        )
        assert status == key.observed.value, (
            f"{key.id} is {status} in IAM, and {key.observed} on record"
        )
        assert status == key.desired.value or (key.desired, status) == (
            DesiredState.INACTIVE,
            "deleted",
        ), f"{key.id} is {status}, and wanted {key.desired}"
    for request in requests(cell):
        assert request.status not in (Status.ISSUING, Status.DELETING), (
            f"{request.id} is still {request.status}"
        )


def end(cell: Cell, cast: Cast) -> None:
    """When all is over: the trail is whole, no secret is anywhere, and nothing failed in a way nobody foresaw."""
    look(cell, cast)
    trail(cell)
    secrets(cell)
    complaints(cell)


# -- keys


def living(cell: Cell, cast: Cast) -> list[str]:
    """The active keys that were made since the journey began."""
    user = iam_name(cast.person)
    return [
        one["id"]
        for one in cell.world.aws.working_keys()
        if one["user"] == user and one["id"] not in cast.known
    ]


def new_keys(cell: Cell, cast: Cast) -> list[str]:
    """The keys that were made since the journey began, and are still there."""
    return [key_id for key_id in cell.world.keys(cast.person) if key_id not in cast.known]


def one_living_key(cell: Cell, cast: Cast) -> None:
    """Promise 1, by what IAM shows. A key that nobody has recorded yet counts as the newest request's."""
    alive = living(cell, cast)
    newest = next((one.id for one in cell.world.requests(cast.person)), "")
    of = Counter(
        record.request_id if (record := cell.world.store.key(key_id)) else newest
        for key_id in alive
    )
    assert all(count == 1 for count in of.values()), f"two living keys of one request: {alive}"


def what_is_replaced_works(cell: Cell, cast: Cast) -> None:
    """Until the new key of a rotation has arrived, the one that it replaces works."""
    request = next(iter(cell.world.requests(cast.person)), None)
    if request and request.verb == "rotate" and request.status is not Status.CONFIRMED:
        assert cell.world.keys(cast.person).get(request.target) == "Active", (
            f"{request.target} does not work any more"
        )


def nobodys_key_is_off(cell: Cell, cast: Cast) -> None:
    """Promise 2, once the receipt's time is over: what lives was said to have arrived, and was shown to its person."""
    had = {one.access_key_id for one in requests(cell) if one.status is Status.CONFIRMED}
    for key_id in living(cell, cast):
        assert key_id in had, f"{key_id} is active, and nobody said that they have it"
        assert was_shown(cell, cast, key_id), f"{key_id} is active, and nobody has its secret"


def was_shown(cell: Cell, cast: Cast, key_id: str) -> bool:
    """Whether Slack took an ephemeral with this key's secret for its person."""
    secret = cell.world.aws.secrets[key_id]
    posts = cell.world.slack.calls("chat.postEphemeral")
    return any(
        one.answer.get("ok")
        and one.args.get("user") == cast.person.id
        and secret in str(one.args.get("blocks"))
        for one in posts
    )


# -- decisions


def decisions(cell: Cell, cast: Cast) -> None:
    """None is lost: whoever was told of it finds it in the trail, and the trail leads to what is stored. None twice."""
    stored = requests(cell)
    for request in stored:
        entries = cell.world.entries(request)
        moves = [one for one in entries if one["to_status"] in STATUSES]
        for before, after in zip(moves, moves[1:], strict=False):
            assert after["from_status"] == before["to_status"], (
                f"a move is missing between {before} and {after}"
            )
        assert moves[-1]["to_status"] == request.status
        done = Counter(one["action"] for one in entries if one["to_status"] in STATUSES)
        for action in ONCE:
            most = request.reveals if action == "deliver" else 1
            assert done[action] <= most, f"{action} was done {done[action]} times"
        by = Counter(one["by"] for one in entries if one["action"] in ("add_approval", "approve"))
        assert all(count == 1 for count in by.values()) or done["withdraw_approval"], (
            "somebody's approval counts twice"
        )
    noted = {one["action"] for request in stored for one in cell.world.entries(request)}
    for answer in AnswerLog(cell.world.folder).all()[cell.earlier :]:
        needs = ANSWERS.get(answer.verb)
        if needs and answer.outcome == DONE:
            assert needs & noted, f"{answer} was given, and it did not happen"


# -- messages


def messages(cell: Cell, cast: Cast) -> None:
    """Every lasting message is what is drawn from the stored state; of each drawing that died one may be unknown."""
    cell.all_drawn()
    store, slack = cell.world.store, cell.world.slack
    name_of = slack.look(lambda box: names_in(box.workspace))
    lasting = {
        (one.channel, one.ts): one
        for one in _everything(cell, cast)
        if one.user == BOT_USER and not one.ephemeral
    }
    for value in (*requests(cell), *keys(cell)):
        for copy in store.messages(value.name):
            message = lasting.pop((copy.channel, copy.ts), None)
            assert message, f"the copy {copy.kind} of {value.name} is gone"
            ought = words_of(render(value, copy.kind, PLACES).blocks, name_of)
            assert message.words == ought, (
                f"{value.name}: {copy.kind} says {message.words!r}, and {ought!r} is so"
            )
            names_living_keys(cell, value, message.words)
    unknown = [one for one in lasting.values() if one.buttons]
    assert len(unknown) <= cell.drawings_lost, (
        f"messages that nobody knows of: {[one.words for one in unknown]}"
    )


def _everything(cell: Cell, cast: Cast) -> list[SeenMessage]:
    """Every message of the bot's in the cell, where somebody sees it."""
    carol = cell.world.carol
    people = [one for one in (cast.person, cast.other, carol) if one]
    return [*carol.messages(CARDS), *(message for one in people for message in one.messages("dm"))]


def names_living_keys(cell: Cell, value: Record, words: str) -> None:
    """A message that says how an active key stands is about one that IAM shows as active."""
    if not isinstance(value, ManagedKey) or value.desired is not DesiredState.ACTIVE:
        return
    name_of = cell.world.slack.look(lambda box: names_in(box.workspace))
    if is_confirmed(value) and readable(status_text(value), name_of) in words:
        alive = {one["id"] for one in cell.world.aws.working_keys()}
        assert value.id in alive, f"{words!r}, and IAM does not show that"


def home_tabs(cell: Cell, cast: Cast) -> None:
    """A Home tab that was opened within twelve hours shows what it would show if it were opened now."""
    for who in (cast.person, cell.world.carol):
        if who.home:
            shown, published = who.home_words, len(cell.world.slack.calls("views.publish"))
            who.open_home()
            cell.rest(
                lambda before=published: len(cell.world.slack.calls("views.publish")) > before
            )
            assert who.home_words == shown, (
                f"the Home tab showed {shown!r}, and {who.home_words!r} is so"
            )


# -- the trail, secrets, the log


def trail(cell: Cell) -> None:
    """The audit trail is whole, and all of it is under a seal."""
    cell.bot.forked.ask("round")
    stored = cell.world.store.trail()
    lines, numbered = stored.lines(limit=10_000), stored.last_number()
    verdict = verify(Trail(lines, numbered, numbered, stored.last_seal()[0]), KEY, KeptOutside())
    assert not verdict.problems, verdict.problems
    assert not verdict.unsealed, f"not sealed: {verdict.unsealed}"


def secrets(cell: Cell) -> None:
    """No secret of this cell is in a file of the bot, in its memory's keys, or in anything that lasts in Slack."""
    world = cell.world
    tokens = (world.slack.bot_token, world.slack.app_token)
    looked_for = [form for one in (*cell.secrets.values(), *tokens) for form in forms(one)]
    places = [*kept(world), ("a lasting message", world.slack.lasting_text())]
    places += [
        (one.method, repr(one.args))
        for one in world.slack.calls()
        if one.method != "chat.postEphemeral"
    ]
    found = [place for place, text in places for form in looked_for if form in text]
    assert not found, f"a secret is found in {found}"


def complaints(cell: Cell) -> None:
    """No bot of the cell logged an error or a traceback."""
    for line in cell.log.splitlines():
        record = json.loads(line) if line.startswith("{") else {"level": "error", "event": line}
        assert record["level"] != "error" and "exception" not in record, line


def requests(cell: Cell) -> list[KeyRequest]:
    """Every request that is stored."""
    names = sorted(cell.world.redis.scan_iter("{keydesk}:request:*", count=1000))
    found = [cell.world.store.request(name.rpartition(":")[2]) for name in names]
    return [one for one in found if one]


def keys(cell: Cell) -> list[ManagedKey]:
    """Every key that is on record."""
    names = sorted(cell.world.redis.scan_iter("{keydesk}:key:*", count=1000))
    found = [cell.world.store.key(name.rpartition(":")[2]) for name in names]
    return [one for one in found if one]
