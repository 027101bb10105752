"""Every message that Keydesk can show, rendered from example records.

The catalogue is rendered twice: with the longest and most hostile facts for tests of limits and
escaping, and with plain facts for docs/messages.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.domain.codes import Code
from bot.domain.keys import AccessKey, ManagedKey
from bot.domain.requests import KeyRequest
from bot.domain.secret import Secret
from bot.domain.states import Event, Status
from bot.slack.messages import home, kinds, leaks, lists, modals, replies
from bot.slack.messages.blocks import Message
from bot.slack.messages.errors import text
from bot.slack.messages.home import Home
from bot.slack.messages.modals import FormDefaults
from tests.support import example_keys, example_requests
from tests.support.example_keys import MANAGED
from tests.support.example_request_variants import ALL_REQUESTS, PERMISSIONS
from tests.support.example_requests import (
    KEY,
    KEYS,
    NOW,
    OLDER_KEY,
    PENDING,
    REQUESTER,
    REQUESTS,
    UNKNOWN_USE,
    VERBS,
)
from tests.support.plain_examples import plain_key, plain_record, plain_request

SECRET = "EXAMPLE/SECRET/not/a/real/key/0000000000"
"""Shown in the secret's message. It is no secret of AWS's, and no test mistakes it for one."""

INSTEAD = "People: use <https://sso.example.com|SSO>."
NUDGED = f"nudge:{int(NOW.timestamp())}"
THREAD = ("waiting:1", "waiting:2", NUDGED)


def request_kinds(request: KeyRequest) -> list[str]:
    """Return every kind of message that a request in this state may have."""
    found = ["card", "asked", *(f"outcome:{n}" for n in range(request.reveal_round + 1))]
    for key_id in (request.access_key_id, *request.deleted_keys):
        found += [f"reminder:{key_id}", f"unclaimed:{key_id}"] if key_id else []
    if request.status is Status.EXPIRED:
        found.append("ended")
    if request.last_event is Event.REVOKE:
        found.append("revoked")
    if request.reminders or request.nudged_at:
        found += THREAD
    return found


def key_kinds(key: ManagedKey) -> list[str]:
    """Return every kind of message that a key in this state may have."""
    expires = int((key.expires_at or NOW).timestamp())
    off = int((key.changed_at or NOW).timestamp())
    found = ["found"] if key.origin.value != "issued" else []
    found += [f"expiry:{span}:{expires}" for span in ("7d", "1d", "1h")]
    found += [f"{word}:{off}" for word in ("expired", "retired", "deletion", "off")]
    found += ["rotation", "used:1", "used:3", "still_used"]
    if key.reported_at:
        again = key.reported_again_at
        marks = ["", f":{int(again.timestamp())}"] if again else [""]
        found += [
            f"{word}{mark}" for mark in marks for word in ("leak", "leak_facts", "leak_owner")
        ]
    return found


Plain = Callable[[Any], Any]


def lasting(*, plain: bool = False) -> Iterator[tuple[str, str, Message]]:
    """Yield every lasting message: the name of the state, the kind, the message."""
    for name, request in ALL_REQUESTS.items():
        record = plain_request(request) if plain else request
        for kind in request_kinds(request):
            yield name, kind, kinds.render(record, kind, example_requests.PLACES)
    for name, key in (*MANAGED.items(), *example_requests.found_keys()):
        stored = plain_record(key) if plain else key
        for kind in key_kinds(key):
            yield name, kind, kinds.render(stored, kind, example_requests.PLACES)


def answers(*, plain: bool = False) -> dict[str, Message]:
    """Return every private answer, by what it answers."""
    edit_key: Plain = plain_key if plain else lambda key: key
    edit: Plain = plain_request if plain else lambda request: request
    used, unused, unknown = (edit_key(one) for one in (*KEYS, UNKNOWN_USE))
    states = {name: edit(request) for name, request in ALL_REQUESTS.items()}
    return {
        **_lists(used, unused, unknown, edit),
        **_request_answers(states),
        **_receipts(used, states),
        **_key_answers(used, unused, unknown),
    }


def _lists(
    used: AccessKey, unused: AccessKey, unknown: AccessKey, edit: Plain
) -> dict[str, Message]:
    user = used.iam_user
    records = {
        KEY: example_keys.KEPT,
        OLDER_KEY: replace(example_keys.EXPIRED, id=OLDER_KEY),
    }
    requests = [edit(one) for one in (*REQUESTS.values(), *VERBS.values())]
    waiting = [edit(one) for one in VERBS.values()] * 20
    return {
        "key list: no keys": lists.key_list((), {}, NOW),
        "key list: no keys of a service user": lists.key_list((), {}, NOW, user),
        "key list": lists.key_list((used, unused, unknown), records, NOW),
        "key list: of a service user": lists.key_list((used,), records, NOW, user),
        "key list: for an approver": lists.keys_for_approver(
            REQUESTER, (used, unused), records, NOW
        ),
        "key list: for an approver, no keys": lists.keys_for_approver(REQUESTER, (), {}, NOW),
        "last use": lists.last_use_message(used, NOW),
        "last use: never": lists.last_use_message(unused, NOW),
        "last use: unknown": lists.last_use_message(unknown, NOW),
        "request list: no requests": lists.request_list((), (), approver=False),
        "request list: nothing waits": lists.request_list((), (), approver=True),
        "request list": lists.request_list(requests, waiting, approver=True),
        "help": lists.help_text(),
        "help: with what to use instead": lists.help_text(INSTEAD),
    }


def _request_answers(states: dict[str, KeyRequest]) -> dict[str, Message]:
    return {
        "request sent": replies.request_sent(states["pending"]),
        "request sent: with what to use instead": replies.request_sent(states["pending"], INSTEAD),
        "request sent: urgent": replies.request_sent(states["waiting: urgent"]),
        "cancelled": replies.cancelled(states["cancelled"]),
        "cancelled: after approval": replies.cancelled(states["cancelled after approval"]),
        "cancelled: a change": replies.cancelled(states["enable: cancelled"]),
        "nudged": replies.nudged(),
        "approved: more needed": replies.approved(states["approved by one of three"]),
        "approved": replies.approved(states["approved"]),
        "approved: applied": replies.approved(states["enable: applied"]),
        "approved: not applied yet": replies.approved(states["enable: approved"]),
        "approved: cancelled meanwhile": replies.approved(
            states["enable: cancelled after approval"]
        ),
        "approved: no longer possible": replies.approved(states["enable: not applied"]),
        "approval withdrawn": replies.approval_withdrawn(states["pending"]),
        "denied": replies.denied(states["denied"]),
        "revoked": replies.revoked(states["revoked"]),
        "revoked: a change": replies.revoked(states["enable: cancelled after approval"]),
        "review started": replies.review_toggled(states["waiting: reviewed"]),
        "review ended": replies.review_toggled(states["pending"]),
    }


def _receipts(used: AccessKey, states: dict[str, KeyRequest]) -> dict[str, Message]:
    return {
        "secret": replies.secret_message(used, Secret(SECRET)),
        "saved: message not removed": replies.saved(KEY),
        "confirmed": replies.confirmed(KEY),
        "confirmed late": replies.claimed(KEY, active=True, reported=False),
        "confirmed late: stays off": replies.claimed(KEY, active=False, reported=False),
        "confirmed late: reported": replies.claimed(KEY, active=False, reported=True),
        "turned on": replies.turned_on(KEY),
        "not received: being deleted": replies.key_deleted(KEY, states["deleting"]),
        "not received": replies.key_deleted(KEY, states["approved again"]),
        "not received: stopped": replies.key_deleted(KEY, states["stopped and closed"]),
        "not received: the last": replies.key_deleted(KEY, replace(states["closed"], reveals=3)),
    }


def _key_answers(used: AccessKey, unused: AccessKey, unknown: AccessKey) -> dict[str, Message]:
    user = used.iam_user
    return {
        "disabled": replies.disabled(used),
        "disabled: never used": replies.disabled(unused),
        "disabled: use unknown": replies.disabled(unknown),
        "disabled: before": replies.already_off(KEY),
        **{
            f"disabled by an approver: {name}": replies.disabled_for(KEY, user, **options)
            for name, options in DISABLED_FOR.items()
        },
        "delete?": replies.delete_question(unused, NOW),
        "deleted": replies.deleted(KEY),
        "unrecorded key deleted": replies.orphan_deleted(KEY),
        "leak: disable?": leaks.leak_question(used, NOW),
        "leak: reported": replies.leak_reported(),
        "leak: disabled": replies.leak_disabled(KEY),
        "leak: disabled by the owner": replies.leak_disabled(KEY, owner=True),
        "rotation: checked": replies.last_use_checked(),
        "rotation: not yet": replies.old_key_stays(KEY),
        "rotation: old key disabled": replies.old_key_disabled(KEY, can_undo=True),
        "rotation: old key stays off": replies.old_key_disabled(KEY, can_undo=False),
    }


DISABLED_FOR: dict[str, dict[str, bool]] = {
    "off now": {"already": False, "updated": True, "owner_told": True},
    "off before": {"already": True, "updated": True, "owner_told": True},
    "nothing new": {"already": True, "updated": False, "owner_told": True},
    "owner unknown": {"already": False, "updated": True, "owner_told": False},
}


def views(*, plain: bool = False) -> dict[str, dict[str, Any]]:
    """Return the forms and Home tabs, by name."""
    edit_key: Plain = plain_key if plain else lambda key: key
    edit: Plain = plain_request if plain else lambda request: request
    keys = tuple(edit_key(key) for key in KEYS)
    defaults = FormDefaults(timedelta(days=90))
    full = replace(defaults, service_users=True, instead=INSTEAD, urgent_life=timedelta(hours=4))
    pending = edit(PENDING)
    records = {KEY: example_keys.KEPT, OLDER_KEY: replace(example_keys.EXPIRED, id=OLDER_KEY)}
    empty = Home((), {}, (), NOW)
    mine = replace(empty, keys=keys, records=records, requests=[pending])
    approver = replace(
        mine,
        approver=True,
        waiting=[edit(PERMISSIONS["admin access"])],
        waiting_in_all=21,
        instead=INSTEAD,
    )
    return {
        "form: create": modals.create_form(defaults),
        "form: create, all options": modals.create_form(full, "ci-deploy", urgent=True),
        "form: rotate": modals.rotate_form(defaults, keys[:1], NOW, KEY),
        "form: rotate, two keys": modals.rotate_form(defaults, keys, NOW, KEY),
        "form: enable": modals.enable_form(keys[1:], NOW, OLDER_KEY),
        "form: disable another user's key": modals.disable_for_form(KEY),
        "form: deny": modals.deny_form(pending),
        "form: please wait": modals.message_view(replies.CHECKING_TEXT),
        "form: busy": modals.message_view(text(Code.WORKERS_BUSY, {})),
        "form: too many actions": modals.message_view(text(Code.TOO_MANY_CONCURRENT, {})),
        "form: unexpected error": modals.message_view(replies.unexpected("1a2b3c4d")),
        "home: no keys": home.view(empty),
        "home: keys and requests": home.view(mine),
        "home: approver": home.view(approver),
        "home: approver, nothing waits": home.view(replace(empty, approver=True)),
        "home: approvers unknown": home.view(replace(empty, unsure=True)),
        "home: keys unknown": home.view(replace(empty, problem="AWS isn't responding.")),
    }
