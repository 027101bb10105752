"""Let one person of the workspace do and see things, for tests.

Every call blocks until Slack's side of it is over.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar

from sandbox.actions import action_of, find_button, find_element
from sandbox.delivery import Delivery
from sandbox.form_values import initial_values, typed_values
from sandbox.people import dm_id
from sandbox.seen import SeenMessage, names_in, seen_message, view_words
from sandbox.server import Sandbox
from sandbox.views import View

WITHIN_SECONDS = 45
"""How long is waited for what is said to come, at most: a busy machine takes its time."""

T = TypeVar("T")


class Loop(Protocol):
    """What a person needs of the workspace they are in."""

    def do(self, work: Callable[[Sandbox], Awaitable[T]]) -> T:
        """Run a coroutine in the server's loop."""
        ...

    def look(self, work: Callable[[Sandbox], T]) -> T:
        """Run a function in the server's loop."""
        ...

    def wait_until(
        self, condition: Callable[[], T | None], timeout: float = WITHIN_SECONDS, why: str = ""
    ) -> T:
        """Wait for a condition."""
        ...


class LocalPerson:
    """One person of the workspace, driven by a test.

    Several threads may drive the same one.
    """

    def __init__(self, loop: Loop, user_id: str) -> None:
        self._loop = loop
        self.id = user_id
        self.dm = dm_id(user_id)
        self.field_errors: dict[str, str] = {}

    def command(self, line: str, channel: str = "general") -> Delivery:
        """Type a slash command. Returns once the ack came or three seconds are over."""
        return self._loop.do(
            lambda box: box.gestures.command(self.id, self._place(box, channel), line)
        )

    def say(self, text: str, channel: str = "general") -> SeenMessage:
        """Type a plain message. Raises Refused where nothing can be typed."""
        return self._loop.look(
            lambda box: seen_message(
                box.gestures.say(self.id, self._place(box, channel), text), names_in(box.workspace)
            )
        )

    def wait_until(
        self, condition: Callable[[], T | None], timeout: float = WITHIN_SECONDS, why: str = ""
    ) -> T:
        """Wait for a condition, and return what it returns."""
        return self._loop.wait_until(condition, timeout, why)

    # -- messages
    # --------------------------------------------------------------------------------------

    def messages(self, channel: str = "dm") -> list[SeenMessage]:
        """Return what this person sees there now, ephemerals included, oldest first."""

        def read(box: Sandbox) -> list[SeenMessage]:
            name_of = names_in(box.workspace)
            return [
                seen_message(one, name_of)
                for one in box.workspace.seen(self.id, self._place(box, channel))
            ]

        return self._loop.look(read)

    def last(
        self, channel: str = "dm", containing: str = "", button: str | None = None
    ) -> SeenMessage | None:
        """Return the newest message with these words (and that button), or None."""
        for message in reversed(self.messages(channel)):
            if containing in message.words and (button is None or message.has_button(button)):
                return message
        return None

    def wait_for(
        self,
        channel: str = "dm",
        containing: str = "",
        button: str | None = None,
        timeout: float = WITHIN_SECONDS,
    ) -> SeenMessage:
        """Wait for a message with these words (and that button). Return the newest."""
        why = f"{self.id} sees {containing!r} in {channel}" + (
            f" with button {button!r}" if button else ""
        )
        return self._loop.wait_until(lambda: self.last(channel, containing, button), timeout, why)

    def click(self, message: SeenMessage, button: str) -> Delivery:
        """Click a button by its text, in the message as it was seen.

        A confirm dialog is accepted.
        """
        action = action_of(*find_button(message.blocks, button))
        return self._loop.do(
            lambda box: box.gestures.act_on_message(self.id, message.stored, action)
        )

    def choose(self, message: SeenMessage, action_id: str, value: Any) -> Delivery:
        """Choose an option in a select or menu of a message.

        It is named by value or text (checkboxes: a list).
        """
        action = action_of(*find_element(message.blocks, None, action_id), value)
        return self._loop.do(
            lambda box: box.gestures.act_on_message(self.id, message.stored, action)
        )

    def post_action(
        self, message: SeenMessage, action_id: str, value: str, **overrides: Any
    ) -> Delivery:
        """Send any button action, as a hostile client would.

        `overrides` replace fields of the payload.
        """
        action = {
            "type": "button", "action_id": action_id, "block_id": "forged", "value": value,
            "text": {"type": "plain_text", "text": "forged"},
        }  # fmt: skip
        return self._loop.do(
            lambda box: box.gestures.act_on_message(self.id, message.stored, action, overrides)
        )

    # -- modals
    # ----------------------------------------------------------------------------------------

    @property
    def modal(self) -> View | None:
        """Return the modal on top, or None."""
        return self._loop.look(lambda box: box.views.top(self.id))

    def wait_for_modal(self, containing: str = "", timeout: float = WITHIN_SECONDS) -> View:
        """Return the modal on top as soon as these words can be read in it."""

        def shown() -> View | None:
            view, words = self._loop.look(lambda box: self._read_view(box, box.views.top(self.id)))
            return view if containing in words else None

        return self._loop.wait_until(shown, timeout, f"{self.id} sees a modal with {containing!r}")

    def submit(self, typed: Mapping[str, Any], view: View | None = None) -> Delivery:
        """Fill in inputs by block ID and submit.

        Field errors are kept in `field_errors` and the Delivery.
        """
        shown = view or self._open_modal()
        values = typed_values(shown, typed)
        delivery = self._loop.do(lambda box: box.gestures.submit(self.id, shown, values))
        self.field_errors = dict(delivery.errors)
        return delivery

    def close_modal(self) -> Delivery:
        """Close the modal on top."""
        view = self._open_modal()
        return self._loop.do(lambda box: box.gestures.close(self.id, view))

    def click_in_modal(self, button: str, typed: Mapping[str, Any] | None = None) -> Delivery:
        """Click a button in the modal on top, with inputs filled in so far."""
        view = self._open_modal()
        action, values = (
            action_of(*find_button(view["blocks"], button)),
            typed_values(view, typed or {}),
        )
        return self._loop.do(lambda box: box.gestures.act_on_view(self.id, view, action, values))

    # -- Home tab, presence
    # ----------------------------------------------------------------------------

    def open_home(self) -> Delivery:
        """Open the Home tab."""
        return self._loop.do(lambda box: box.gestures.open_home(self.id))

    @property
    def home(self) -> View | None:
        """Return the Home tab as last published, or None."""
        return self._loop.look(lambda box: box.views.home(self.id))

    @property
    def home_words(self) -> str:
        """Return everything to be read in the Home tab."""
        return self._loop.look(lambda box: self._read_view(box, box.views.home(self.id)))[1]

    @property
    def modal_words(self) -> str:
        """Return everything to be read in the modal on top."""
        return self._loop.look(lambda box: self._read_view(box, box.views.top(self.id)))[1]

    def wait_for_home(self, containing: str = "", timeout: float = WITHIN_SECONDS) -> View:
        """Return the Home tab as soon as these words can be read in it."""

        def shown() -> View | None:
            view, words = self._loop.look(lambda box: self._read_view(box, box.views.home(self.id)))
            return view if containing in words else None

        return self._loop.wait_until(
            shown, timeout, f"{self.id} sees a Home tab with {containing!r}"
        )

    def click_in_home(self, button: str) -> Delivery:
        """Click a button in the Home tab, by its text."""
        view = self.home
        if view is None:
            raise AssertionError(f"{self.id} has no Home tab")
        action, values = action_of(*find_button(view["blocks"], button)), initial_values(view)
        return self._loop.do(lambda box: box.gestures.act_on_view(self.id, view, action, values))

    def go_away(self) -> None:
        """Close Slack: from now on ephemeral messages for this person are lost."""
        self._loop.look(lambda box: box.workspace.set_away(self.id, True))

    def come_back(self) -> None:
        """Open Slack again."""
        self._loop.look(lambda box: box.workspace.set_away(self.id, False))

    def reload(self) -> None:
        """Reload the client: this person's ephemeral messages are gone."""
        self._loop.look(lambda box: box.workspace.reload(self.id))

    def _open_modal(self) -> View:
        view = self.modal
        if view is None:
            raise AssertionError(f"{self.id} has no modal open")
        return view

    def _place(self, box: Sandbox, channel: str) -> str:
        if channel == "dm":
            return self.dm
        found = box.workspace.find_channel(channel)
        if found is None:
            raise KeyError(f"no channel {channel!r}")
        return found.id

    def _read_view(self, box: Sandbox, view: View | None) -> tuple[View | None, str]:
        return view, view_words(view, names_in(box.workspace)) if view else ""
