"""Which journeys meet the faults? Those of the crash matrix, but one gesture each: an answer belongs to one click."""

from __future__ import annotations

from collections.abc import Mapping

from bot.slack import action_ids
from sandbox.local_person import LocalPerson
from tests.verification.matrix.harness import Cell
from tests.verification.matrix.journeys import (
    CARDS,
    JOURNEYS,
    Cast,
    Journey,
    asked,
    at,
    finds,
    key_is,
    with_inactive,
    with_key,
)


def opens_denial(cell: Cell, cast: Cast) -> None:
    carol = cell.world.carol
    if carol.modal:
        carol.close_modal()
    carol.click(finds(cell, carol, action_ids.DENY, CARDS), action_ids.DENY)


def form_is_open(cell: Cell, cast: Cast) -> bool:
    view = cell.world.carol.modal
    return view is not None and view.get("callback_id") == action_ids.DENY_FORM


def submits_denial(cell: Cell, cast: Cast) -> None:
    if not form_is_open(cell, cast):  # whoever comes back opens it again
        opens_denial(cell, cast)
        cell.until(lambda: form_is_open(cell, cast), "the form that asks why")
    cell.world.carol.submit({"reason": "not needed"})


def with_open_form(cell: Cell) -> Cast:
    cast = asked(cell)
    opens_denial(cell, cast)
    cell.rest(lambda: form_is_open(cell, cast))
    return cast


def types_delete(cell: Cell, cast: Cast) -> None:
    cast.person.command(f"/key delete {cast.key_id}")


def question_is_there(cell: Cell, cast: Cast) -> bool:
    return _answered_with(cast.person, action_ids.DELETE)


def with_question(cell: Cell) -> Cast:
    cast = with_inactive(cell)
    types_delete(cell, cast)
    cell.rest(lambda: question_is_there(cell, cast))
    return cast


def clicks_delete(cell: Cell, cast: Cast) -> None:
    if not question_is_there(cell, cast):
        types_delete(cell, cast)
    cast.person.click(finds(cell, cast.person, action_ids.DELETE, "general"), action_ids.DELETE)


def carol_reports(cell: Cell, cast: Cast) -> None:
    cell.world.carol.command(f"/key leaked {cast.key_id}")


def dialog_is_there(cell: Cell, cast: Cast) -> bool:
    return _answered_with(cell.world.carol, action_ids.LEAKED_DISABLE, cast.key_id)


def _answered_with(person: LocalPerson, button: str, words: str = "") -> bool:
    """Where they typed, or, from the second of two bots, to which the address to answer is a stranger's, in the DM."""
    return any(person.last(place, words, button=button) for place in ("general", "dm"))


def with_dialog(cell: Cell) -> Cast:
    cast = with_key(cell)
    carol_reports(cell, cast)
    cell.rest(lambda: dialog_is_there(cell, cast))
    return cast


def carol_disables(cell: Cell, cast: Cast) -> None:
    if not dialog_is_there(cell, cast):
        carol_reports(cell, cast)
    cell.world.carol.click(
        finds(cell, cell.world.carol, action_ids.LEAKED_DISABLE, "general"),
        action_ids.LEAKED_DISABLE,
    )


IN_STEPS: Mapping[str, Journey] = {
    "deny, the form opens": Journey(asked, opens_denial, form_is_open),
    "deny, the form is sent": Journey(with_open_form, submits_denial, at("denied")),
    "delete, asked once more": Journey(with_inactive, types_delete, question_is_there),
    "delete, the click": Journey(with_question, clicks_delete, key_is("")),
    "an approver reports a leak": Journey(with_key, carol_reports, dialog_is_there),
    "an approver turns a leaked key off": Journey(with_dialog, carol_disables, key_is("Inactive")),
}

SPLIT = {"deny", "delete", "an approver reports a leak"}
LEFT_OUT = {"recover a key on record", "recover a key not on record", "the trail is carried on"}
"""Two begin with a death, and the cells of a reveal whose answer is lost recover in the same way. The trail is no
click: it is carried on in every cell, and `promises.trail` looks at it once the fault is over."""

FAULT_JOURNEYS: Mapping[str, Journey] = {
    **{name: journey for name, journey in JOURNEYS.items() if name not in SPLIT | LEFT_OUT},
    **IN_STEPS,
}
