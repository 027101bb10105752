"""Define the journeys of both matrices: a gesture, its start and its result.

The fault matrix divides a journey of several gestures, since an answer belongs to one click.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.slack import action_ids
from sandbox.local_person import LocalPerson
from tests.verification.matrix.cell import Cell
from tests.verification.matrix.steps import (
    CARDS,
    TWO_APPROVALS,
    Arrange,
    Cast,
    Done,
    Journey,
    after,
    all_of,
    approved,
    approver_reports,
    approves,
    approves_and_publishes,
    at,
    clicks,
    creates,
    deletes,
    delivered,
    denies,
    in_grace_period,
    key_is,
    not_on_record,
    on_record,
    one_approval,
    opens_homes,
    other_reports,
    passes,
    pending,
    reported,
    requester,
    reveals,
    rotated,
    rotates,
    rotation,
    saved,
    sealed,
    short_lived,
    two_approvers,
    types,
    unclaimed,
    with_inactive,
    with_key,
)


def by_time(arrange: Arrange, done: Done, **by: float) -> Journey:
    """Return a journey in which only time passes."""
    return Journey(arrange, passes(**by), done, by_time=True)


JOURNEYS: Mapping[str, Journey] = {
    "create": Journey(requester, creates, at("pending")),
    "approve": Journey(pending, approves, at("approved")),
    "approve with Home tabs open": Journey(
        after(requester, opens_homes, creates), approves, at("approved")
    ),
    "deny": Journey(pending, denies, at("denied")),
    "cancel": Journey(pending, clicks(action_ids.CANCEL), at("cancelled")),
    "approve, the first of two": Journey(
        after(two_approvers, creates), approves, one_approval, TWO_APPROVALS
    ),
    "approve, the second of two": Journey(
        after(two_approvers, creates, approves),
        clicks(action_ids.APPROVE, by="other", channel=CARDS),
        at("approved"),
        TWO_APPROVALS,
    ),
    "revoke": Journey(
        approved, clicks(action_ids.REVOKE, by="approver", channel=CARDS), at("denied")
    ),
    "reveal": Journey(approved, reveals, at("delivered")),
    "I have it": Journey(delivered, saved, at("confirmed")),
    "I did not get it": Journey(delivered, clicks(action_ids.DID_NOT_GET), at("approved")),
    "replace it": Journey(unclaimed, clicks(action_ids.REPLACE), at("approved")),
    "I have it, enable it": Journey(
        unclaimed, clicks(action_ids.ENABLE_UNCLAIMED), at("confirmed")
    ),
    "rotate": Journey(with_key, rotates, at("pending")),
    "reveal a rotation, both slots taken": Journey(rotation, reveals, at("delivered")),
    "confirm a rotation": Journey(
        after(with_key, rotates, approves, reveals), saved, in_grace_period
    ),
    "disable the old key": Journey(rotated, clicks(action_ids.DISABLE_OLD), key_is("Inactive")),
    "undo": Journey(
        after(rotated, clicks(action_ids.DISABLE_OLD)), clicks(action_ids.UNDO), key_is("Active")
    ),
    "a grace period ends": by_time(rotated, key_is("Inactive"), hours=25),
    "disable": Journey(with_key, types("/key disable {key}"), key_is("Inactive")),
    "enable": Journey(
        after(with_inactive, types("/key enable {key} still used")),
        approves,
        all_of(at("confirmed"), key_is("Active")),
    ),
    "delete": Journey(with_inactive, deletes, key_is("")),
    "a key expires": by_time(short_lived, key_is("Inactive"), hours=12.1),
    "an expired key is deleted": by_time(
        after(short_lived, passes(hours=12.1), passes(days=6.1)), key_is(""), days=1.1
    ),
    "a request expires": by_time(pending, at("expired"), hours=73),
    "an approval expires": by_time(approved, at("expired"), hours=73),
    "no receipt comes": by_time(after(delivered, passes(hours=12.1)), at("unclaimed"), hours=12),
    "an unclaimed key is deleted": by_time(unclaimed, at("expired"), days=7.1),
    "recover a key on record": by_time(on_record, at("delivered"), minutes=2),
    "recover a key not on record": by_time(not_on_record, at("approved"), minutes=20),
    "publish the audit trail": Journey(
        pending,
        approves_and_publishes,
        all_of(at("approved"), sealed),
        {"AUDIT_CHANNEL": "C0AUDIT"},
        polling=True,
    ),
    "its owner reports a leak": Journey(with_key, types("/key leaked {key}"), key_is("Inactive")),
    "another user reports a leak": Journey(with_key, other_reports, reported),
    "an approver reports a leak": Journey(with_key, approver_reports, key_is("Inactive")),
    "an approver disables a reported key": Journey(
        after(with_key, other_reports),
        clicks(action_ids.LEAKED_DISABLE, by="approver", channel=CARDS),
        key_is("Inactive"),
    ),
}


# -- the fault matrix

types_delete = types("/key delete {key}")


def opens_denial(cell: Cell, cast: Cast) -> None:
    if cell.world.carol.modal:
        cell.world.carol.close_modal()
    clicks(action_ids.DENY, by="approver", channel=CARDS)(cell, cast)


def form_is_open(cell: Cell, cast: Cast) -> bool:
    return (cell.world.carol.modal or {}).get("callback_id") == action_ids.DENY_FORM


def submits_denial(cell: Cell, cast: Cast) -> None:
    if not form_is_open(cell, cast):
        opens_denial(cell, cast)
        cell.until(lambda: form_is_open(cell, cast), "the form that asks why")
    cell.world.carol.submit({"reason": "not needed"})


def with_open_form(cell: Cell) -> Cast:
    cast = pending(cell)
    opens_denial(cell, cast)
    cell.rest(lambda: form_is_open(cell, cast))
    return cast


def question_is_there(cell: Cell, cast: Cast) -> bool:
    return _is_offered(cast.person, action_ids.DELETE)


def with_question(cell: Cell) -> Cast:
    cast = with_inactive(cell)
    types_delete(cell, cast)
    cell.rest(lambda: question_is_there(cell, cast))
    return cast


def clicks_delete(cell: Cell, cast: Cast) -> None:
    if not question_is_there(cell, cast):
        types_delete(cell, cast)
    clicks(action_ids.DELETE, channel="general")(cell, cast)


def approver_types_leaked(cell: Cell, cast: Cast) -> None:
    cell.world.carol.command(f"/key leaked {cast.key_id}")


def dialog_is_there(cell: Cell, cast: Cast) -> bool:
    return _is_offered(cell.world.carol, action_ids.LEAKED_DISABLE, cast.key_id)


def _is_offered(person: LocalPerson, button: str, words: str = "") -> bool:
    """Say whether an answer in the channel or direct message has this button.

    It is the latter from a second bot, which does not know the response URL of the first.
    """
    return any(person.last(channel, words, button=button) for channel in ("general", "dm"))


def with_dialog(cell: Cell) -> Cast:
    cast = with_key(cell)
    approver_types_leaked(cell, cast)
    cell.rest(lambda: dialog_is_there(cell, cast))
    return cast


def approver_disables(cell: Cell, cast: Cast) -> None:
    if not dialog_is_there(cell, cast):
        approver_types_leaked(cell, cast)
    clicks(action_ids.LEAKED_DISABLE, by="approver", channel="general")(cell, cast)


IN_STEPS: Mapping[str, Journey] = {
    "deny, the form opens": Journey(pending, opens_denial, form_is_open),
    "deny, the form is submitted": Journey(with_open_form, submits_denial, at("denied")),
    "delete, the question": Journey(with_inactive, types_delete, question_is_there),
    "delete, the click": Journey(with_question, clicks_delete, key_is("")),
    "an approver reports a leak": Journey(with_key, approver_types_leaked, dialog_is_there),
    "an approver disables a leaked key": Journey(
        with_dialog, approver_disables, key_is("Inactive")
    ),
}
SPLIT = {"deny", "delete", "an approver reports a leak"}
LEFT_OUT = {"recover a key on record", "recover a key not on record", "publish the audit trail"}
"""Two begin with a crash; cells of a reveal whose answer is lost recover in the same way.

The trail needs no click: it is published in every cell, and `promises.check_trail` looks at it.
"""

FAULT_JOURNEYS: Mapping[str, Journey] = {
    **{name: journey for name, journey in JOURNEYS.items() if name not in SPLIT | LEFT_OUT},
    **IN_STEPS,
}
