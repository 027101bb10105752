"""Check keys, decisions, messages, secrets and the audit trail after a crash."""

from __future__ import annotations

import json
from collections import Counter

from bot.domain.audit.verify import ExportedTrail, Trail, verify
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
from tests.support.watched_person import iam_name
from tests.verification.matrix.cell import Cell
from tests.verification.matrix.steps import CARDS, Cast, newest_request

DESTINATIONS = Destinations("C0APPROVALS", "<!subteam^S0APPROVERS>")
STATUSES = frozenset(one.value for one in Status)
ONCE = ("create", "rotate", "enable", "approve", "deny", "cancel", "revoke", "apply", "deliver")
"""Actions that happen once at most, `deliver` once for each reveal."""
DECISIONS = {
    action_ids.APPROVE: {"approve", "add_approval"},
    action_ids.DENY_FORM: {"deny"},
    action_ids.CANCEL: {"cancel"},
    action_ids.REVOKE: {"revoke"},
}
"""Decisions that are answered with a success: verb -> actions of which the trail has one then."""


def check_now(cell: Cell, cast: Cast) -> None:
    """Check what holds at any moment after a sweep."""
    check_one_living_key(cell, cast)
    check_replaced_key_works(cell, cast)
    check_decisions(cell)
    check_messages(cell, cast)


def check_at_rest(cell: Cell, cast: Cast) -> None:
    """Check what holds after every lease and orphan check: the records match IAM, too."""
    check_now(cell, cast)
    in_iam = cell.world.keys(cast.person)
    for key in stored_keys(cell):
        if key.changed_at is None and not key.request_id:
            continue  # reported by another user: Keydesk desires nothing and claims nothing
        status = in_iam.get(key.id, ObservedState.DELETED).lower()
        assert key.observed is not ObservedState.UNKNOWN, f"{key.id} was not read from IAM"
        assert status == key.observed.value, f"{key.id} is {status} and recorded {key.observed}"
        assert status == key.desired.value or (key.desired, status) == (
            DesiredState.INACTIVE,
            "deleted",
        ), f"{key.id} is {status} and desired {key.desired}"
    for request in stored_requests(cell):
        assert request.status not in (Status.ISSUING, Status.DELETING), (
            f"{request.id} is still {request.status}"
        )


def check_end(cell: Cell, cast: Cast) -> None:
    """Check the end: the trail is whole, no secret is kept, no error was logged."""
    check_now(cell, cast)
    check_trail(cell)
    check_secrets(cell)
    check_log(cell)


# -- keys


def living_keys(cell: Cell, cast: Cast) -> list[str]:
    """Return the active keys that were made since the journey began."""
    user = iam_name(cast.person)
    active = [one["id"] for one in cell.world.aws.working_keys() if one["user"] == user]
    return [key_id for key_id in active if key_id not in cast.known]


def new_keys(cell: Cell, cast: Cast) -> list[str]:
    """Return the keys that were made since the journey began and still exist."""
    return [key_id for key_id in cell.world.keys(cast.person) if key_id not in cast.known]


def check_one_living_key(cell: Cell, cast: Cast) -> None:
    """Check promise 1 in IAM. An unrecorded key counts as the newest request's."""
    living, newest = living_keys(cell, cast), newest_request(cell, cast)
    of = Counter(
        record.request_id if (record := cell.world.store.key(key_id)) else newest and newest.id
        for key_id in living
    )
    assert all(count == 1 for count in of.values()), f"two living keys of one request: {living}"


def check_replaced_key_works(cell: Cell, cast: Cast) -> None:
    """Check that the old key of a rotation works until the new one has arrived."""
    request = newest_request(cell, cast)
    if request and request.verb == "rotate" and request.status is not Status.CONFIRMED:
        status = cell.world.keys(cast.person).get(request.target)
        assert status == "Active", f"{request.target} does not work any more"


def check_unconfirmed_keys_are_off(cell: Cell, cast: Cast) -> None:
    """Check promise 2 after the receipt's time: a living key was confirmed and shown."""
    confirmed = {
        one.access_key_id for one in stored_requests(cell) if one.status is Status.CONFIRMED
    }
    for key_id in living_keys(cell, cast):
        assert key_id in confirmed, f"{key_id} is active and was not confirmed"
        assert was_shown(cell, cast, key_id), f"{key_id} is active and was not shown"


def was_shown(cell: Cell, cast: Cast, key_id: str) -> bool:
    """Say whether Slack took an ephemeral with this key's secret for its requester."""
    secret = cell.world.aws.secrets[key_id]
    return any(
        one.answer.get("ok")
        and one.args.get("user") == cast.person.id
        and secret in str(one.args.get("blocks"))
        for one in cell.world.slack.calls("chat.postEphemeral")
    )


# -- decisions


def check_decisions(cell: Cell) -> None:
    """Check that each answered decision is in the trail, without a gap, and once."""
    requests = stored_requests(cell)
    for request in requests:
        _check_transitions(cell, request)
    audited = {one["action"] for request in requests for one in cell.world.entries(request)}
    for answer in AnswerLog(cell.world.folder).all()[cell.answers_before :]:
        actions = DECISIONS.get(answer.verb)
        if actions and answer.outcome == DONE:
            assert actions & audited, f"{answer} was given, and it did not happen"


def _check_transitions(cell: Cell, request: KeyRequest) -> None:
    """Check that the trail leads without a gap to the stored state."""
    entries = cell.world.entries(request)
    transitions = [one for one in entries if one["to_status"] in STATUSES]
    for before, after in zip(transitions, transitions[1:], strict=False):
        assert after["from_status"] == before["to_status"], f"a gap after {before}: {after}"
    assert transitions[-1]["to_status"] == request.status
    done = Counter(one["action"] for one in transitions)
    for action in ONCE:
        most = request.reveals if action == "deliver" else 1
        assert done[action] <= most, f"{action} was done {done[action]} times"
    by = Counter(one["by"] for one in entries if one["action"] in ("add_approval", "approve"))
    assert set(by.values()) <= {1} or done["withdraw_approval"], "an approval counts twice"


# -- messages


def check_messages(cell: Cell, cast: Cast) -> None:
    """Check that every lasting message is as rendered from the stored state.

    Of each rendering that died, one message may be unknown.
    """
    cell.wait_until_rendered()
    name_of = cell.world.slack.look(lambda box: names_in(box.workspace))
    lasting = {
        (one.channel, one.ts): one
        for one in _all_messages(cell, cast)
        if one.user == BOT_USER and not one.ephemeral
    }
    for value in (*stored_requests(cell), *stored_keys(cell)):
        for copy in cell.world.store.messages(value.name):
            message = lasting.pop((copy.channel, copy.ts), None)
            assert message, f"the {copy.kind} of {value.name} is gone"
            expected = words_of(render(value, copy.kind, DESTINATIONS).blocks, name_of)
            assert message.words == expected, (
                f"stale {copy.kind} of {value.name}: {message.words!r} instead of {expected!r}"
            )
            _check_active_key_is_active(cell, value, message.words)
    unknown = [one.words for one in lasting.values() if one.buttons]
    assert len(unknown) <= cell.messages_lost, f"unknown messages: {unknown}"


def _all_messages(cell: Cell, cast: Cast) -> list[SeenMessage]:
    carol = cell.world.carol
    people = [one for one in (cast.person, cast.other, carol) if one]
    return [*carol.messages(CARDS), *(message for one in people for message in one.messages("dm"))]


def _check_active_key_is_active(cell: Cell, value: Record, words: str) -> None:
    """Check that a key is active in IAM whose message says so."""
    if not isinstance(value, ManagedKey) or value.desired is not DesiredState.ACTIVE:
        return
    name_of = cell.world.slack.look(lambda box: names_in(box.workspace))
    if is_confirmed(value) and readable(status_text(value), name_of) in words:
        active = {one["id"] for one in cell.world.aws.working_keys()}
        assert value.id in active, f"{words!r}, and IAM does not show that"


def check_home_tabs(cell: Cell, cast: Cast) -> None:
    """Check that a Home tab shows what it would show if it were opened now."""
    for who in (cast.person, cell.world.carol):
        if who.home:
            shown, published = who.home_words, len(cell.world.slack.calls("views.publish"))
            who.open_home()
            cell.rest(
                lambda before=published: len(cell.world.slack.calls("views.publish")) > before
            )
            assert who.home_words == shown, f"stale Home tab: {shown!r}, not {who.home_words!r}"


# -- the trail, secrets, the log


def check_trail(cell: Cell) -> None:
    """Check that the audit trail is whole, and that all of it is under a seal."""
    cell.bot.forked.ask("publish")
    trail = cell.world.store.trail()
    lines, newest = trail.lines(limit=10_000), trail.last_number()
    verdict = verify(Trail(lines, newest, newest, trail.last_seal()[0]), KEY, ExportedTrail())
    assert not verdict.problems, verdict.problems
    assert not verdict.unsealed, f"not sealed: {verdict.unsealed}"


def check_secrets(cell: Cell) -> None:
    """Check that no secret is in the bot's files, in Redis, or in what lasts in Slack."""
    world = cell.world
    tokens = (world.slack.bot_token, world.slack.app_token)
    secrets = [form for one in (*cell.secrets.values(), *tokens) for form in forms(one)]
    places = [*kept(world), ("a lasting message", world.slack.lasting_text())]
    places += [
        (one.method, repr(one.args))
        for one in world.slack.calls()
        if one.method != "chat.postEphemeral"
    ]
    found = [place for place, text in places for secret in secrets if secret in text]
    assert not found, f"a secret is found in {found}"


def check_log(cell: Cell) -> None:
    """Check that no bot of the cell logged an error or a traceback."""
    for line in cell.log.splitlines():
        record = json.loads(line) if line.startswith("{") else {"level": "error", "event": line}
        assert record["level"] != "error" and "exception" not in record, line


def stored_requests(cell: Cell) -> list[KeyRequest]:
    found = [cell.world.store.request(id_) for id_ in _stored_ids(cell, "request")]
    return [one for one in found if one]


def stored_keys(cell: Cell) -> list[ManagedKey]:
    found = [cell.world.store.key(id_) for id_ in _stored_ids(cell, "key")]
    return [one for one in found if one]


def _stored_ids(cell: Cell, kind: str) -> list[str]:
    names = sorted(cell.world.redis.scan_iter(f"{{keydesk}}:{kind}:*", count=1000))
    return [str(name).rpartition(":")[2] for name in names]
