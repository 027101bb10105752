"""Keep the open modals and Home tabs, and the trigger IDs that may open more."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sandbox.errors import Refused
from sandbox.limits import check_view
from sandbox.people import APP_ID, BOT_ID, TEAM_ID
from sandbox.workspace import Workspace, with_ids

View = dict[str, Any]
TRIGGER_SECONDS = 3.0
STACK_LIMIT = 3


@dataclass(frozen=True)
class Trigger:
    """The right to open one modal for a person, for three seconds.

    Source: "Modals", Slack documentation, trigger_id.
    """

    user: str
    at: float
    used: bool = False


class Views:
    """Modals by person (a stack of at most three) and Home tabs.

    Owned by the server's loop.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._triggers: dict[str, Trigger] = {}
        self._stacks: dict[str, list[View]] = {}
        self._homes: dict[str, View] = {}

    def new_trigger(self, user: str) -> str:
        """Return a trigger ID for something this person just did."""
        trigger_id = (
            f"{secrets.randbelow(10**12)}.{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
        )
        self._triggers[trigger_id] = Trigger(user, self._workspace.clock.now())
        return trigger_id

    def use_trigger(self, trigger_id: str) -> str:
        """Return whose trigger it is and use it up.

        Raises Refused when unknown, used or expired.
        """
        trigger = self._triggers.get(trigger_id)
        if trigger is None:
            raise Refused("invalid_trigger_id")
        if trigger.used:
            raise Refused("exchanged_trigger_id")
        if self._workspace.clock.now() - trigger.at > TRIGGER_SECONDS:
            raise Refused("expired_trigger_id")
        self._triggers[trigger_id] = replace(trigger, used=True)
        return trigger.user

    def top(self, user: str) -> View | None:
        """Return the modal the person sees."""
        stack = self._stacks.get(user)
        return stack[-1] if stack else None

    def home(self, user: str) -> View | None:
        """Return the person's Home tab."""
        return self._homes.get(user)

    def find(self, user: str, view_id: str) -> View | None:
        """Return a view this person has, be it a modal or their Home tab."""
        home = self._homes.get(user)
        known = [*self._stacks.get(user, []), *([home] if home else [])]
        return next((view for view in known if view["id"] == view_id), None)

    def open(self, trigger_id: str, view: Mapping[str, Any]) -> View:
        """Open a modal in place of whatever was open. Raises Refused as views.open does."""
        check_view(view, allowed="modal")
        user = self.use_trigger(trigger_id)
        self._refuse_taken_external_id(view)
        return self._show(user, view, [])

    def push(self, trigger_id: str, view: Mapping[str, Any]) -> View:
        """Put a modal on top. Raises Refused as views.push does."""
        check_view(view, allowed="modal")
        user = self.use_trigger(trigger_id)
        self._refuse_taken_external_id(view)
        return self.push_for(user, view)

    def push_for(self, user: str, view: Mapping[str, Any]) -> View:
        """Put a modal on top for an answered submission.

        Raises Refused when three are there or none is.
        """
        check_view(view, allowed="modal")
        stack = self._stacks.get(user, [])
        if not stack:
            raise Refused("not_found")
        if len(stack) >= STACK_LIMIT:
            raise Refused("push_limit_reached")
        return self._show(user, view, stack)

    def update(
        self,
        view: Mapping[str, Any],
        *,
        view_id: str | None,
        external_id: str | None,
        known_hash: str | None,
    ) -> View:
        """Replace a view that is open.

        Raises Refused (not_found, hash_conflict) as views.update does.
        """
        check_view(view)
        user, old = self._find_open(view_id, external_id)
        if known_hash and known_hash != old["hash"]:
            raise Refused("hash_conflict")
        if old["type"] != view["type"]:
            raise Refused(
                "invalid_arguments", [f"cannot change a {old['type']} into a {view['type']}"]
            )
        new = self._complete(view, old["id"], old["root_view_id"], old["previous_view_id"])
        if old["type"] == "home":
            self._homes[user] = new
        else:
            self._stacks[user] = [
                new if one["id"] == old["id"] else one for one in self._stacks[user]
            ]
        self._store(new)
        return new

    def publish(self, user: str, view: Mapping[str, Any], known_hash: str | None) -> View:
        """Set a Home tab.

        Raises Refused (hash_conflict, invalid_arguments) as views.publish does.
        """
        check_view(view, allowed="home")
        old = self._homes.get(user)
        if known_hash and (old is None or known_hash != old["hash"]):
            raise Refused("hash_conflict")
        view_id = old["id"] if old else self._workspace.new_id("V")
        self._homes[user] = self._complete(view, view_id, view_id, None)
        self._store(self._homes[user])
        return self._homes[user]

    def close(self, user: str, view_id: str) -> None:
        """Take a modal away, with those on top of it."""
        stack = self._stacks.get(user, [])
        place = next((i for i, view in enumerate(stack) if view["id"] == view_id), len(stack))
        self._stacks[user] = stack[:place]
        self._workspace.changed()

    def close_all(self, user: str) -> None:
        """Take every modal of a person away."""
        self._stacks[user] = []
        self._workspace.changed()

    def _show(self, user: str, view: Mapping[str, Any], below: list[View]) -> View:
        view_id = self._workspace.new_id("V")
        root = below[0]["id"] if below else view_id
        new = self._complete(view, view_id, root, below[-1]["id"] if below else None)
        self._stacks[user] = [*below, new]
        self._store(new)
        return new

    def _store(self, view: View) -> None:
        self._workspace.note_drawn(view["id"], view["blocks"])
        self._workspace.note_lasting(view)
        self._workspace.changed()

    def _find_open(self, view_id: str | None, external_id: str | None) -> tuple[str, View]:
        for user in {*self._stacks, *self._homes}:
            home = self._homes.get(user)
            for view in [*self._stacks.get(user, []), *([home] if home else [])]:
                if (view_id and view["id"] == view_id) or (
                    external_id and view["external_id"] == external_id
                ):
                    return user, view
        raise Refused("not_found")

    def _refuse_taken_external_id(self, view: Mapping[str, Any]) -> None:
        wanted = view.get("external_id")
        taken = [one["external_id"] for stack in self._stacks.values() for one in stack]
        if wanted and wanted in taken:
            raise Refused("duplicate_external_id")

    def _complete(
        self, view: Mapping[str, Any], view_id: str, root: str, previous: str | None
    ) -> View:
        filled: View = {
            "private_metadata": "",
            "callback_id": "",
            "external_id": "",
            "title": None,
            "close": None,
            "submit": None,
            "clear_on_close": False,
            "notify_on_close": False,
            **copy.deepcopy(dict(view)),
        }
        filled["blocks"] = with_ids(filled["blocks"], self._workspace.new_id)
        stamp = f"{int(self._workspace.clock.now())}.{secrets.token_hex(4)}"
        return filled | {
            "id": view_id,
            "team_id": TEAM_ID,
            "app_id": APP_ID,
            "bot_id": BOT_ID,
            "hash": stamp,
            "app_installed_team_id": TEAM_ID,
            "root_view_id": root,
            "previous_view_id": previous,
            "state": {"values": {}},
        }
