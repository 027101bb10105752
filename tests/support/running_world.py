"""One workspace, one AWS account and one bot, and the steps that journeys share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bot.domain.outside_errors import StoreUnavailable
from bot.domain.states import Status
from bot.slack import action_ids
from bot.slack.messages.kinds import OUTCOME
from sandbox.local_person import LocalPerson
from sandbox.people import Person
from sandbox.seen import SeenMessage
from tests.support.running_world_facts import WorldFacts
from tests.support.seen_by_user import ShownKey, form_opens, shown_keys
from tests.support.watched_person import WatchedPerson

INSTEAD = "People: use <https://sso.example.com/start|single sign-on> &amp; be happy."
INSTEAD_READS = "People: use single sign-on & be happy."
APPROVERS = "S0APPROVERS"
OWNER_TAG = "owner"
"""The tag that names an IAM user's owner, where a journey's settings say so."""


class World(WorldFacts):
    """A bot and everything around it, with the steps that journeys share."""

    # -- people

    def engineer(self, *, iam: bool = True, keys: int = 0, **permissions: Any) -> LocalPerson:
        """Add a member to the workspace, with an IAM user that has `keys` keys."""
        number = f"{next(self.numbers):04}"
        name = f"eng{number}"
        person = Person(
            f"U0ENG{number}", name, f"Engineer {number}", f"{name}@example.com", **permissions
        )
        if iam:
            self.iam.create_user(
                UserName=person.email, Tags=[{"Key": OWNER_TAG, "Value": person.id}]
            )
        for _ in range(keys):
            self.iam.create_access_key(UserName=person.email)
        self.slack.add_person(person, ["C0GENERAL", "C0APPROVALS"])
        return WatchedPerson(self.slack, person.id, self.answers)

    def approvers(self, count: int) -> list[LocalPerson]:
        """Add members who are the approvers from now on, together with Carol."""
        people = [self.engineer(iam=False) for _ in range(count)]
        self.slack.set_group(APPROVERS, ["U0CAROL", *(person.id for person in people)])
        return people

    # -- steps

    def asks(self, person: LocalPerson, reason: str = "nightly backup") -> SeenMessage:
        """Request a key. Return its new card, once it shows what the key can do."""
        older = {one.ts for one in self.carol.messages("key-approvals")}
        person.command(f"/key create {reason}")

        def posted() -> SeenMessage | None:
            card = self.card(person)
            known = (
                card is not None
                and card.ts not in older
                and card.has_button(action_ids.APPROVE)
                and not self.request(person).awaits_permissions
            )
            return card if known else None

        return self.slack.wait_until(posted, why=f"the card of {person.id}")

    def approved(self, person: LocalPerson) -> SeenMessage:
        """Request a key, and let Carol approve. Return the message with **Reveal my key**."""
        self.carol.click(self.asks(person), action_ids.APPROVE)
        return self.revealable(person)

    def denies(
        self, card: SeenMessage, why: str = "not needed", by: LocalPerson | None = None
    ) -> None:
        """Let Carol (or `by`) deny with a reason, and wait for her answer."""
        approver = by or self.carol
        approver.click(card, action_ids.DENY)
        form_opens(approver, action_ids.DENY_FORM)
        self.answered(approver)  # that the form is open
        assert approver.submit({"reason": why}).acked
        self.answered(approver)
        approver.close_modal()

    def revealable(self, person: LocalPerson) -> SeenMessage:
        """Wait until the newest request can be revealed, and return the message for that."""

        def there() -> SeenMessage | None:
            request = self.request(person)
            if request.status != Status.APPROVED:
                return None
            message = self.last_message(person, request.name, OUTCOME)
            return message if message and message.has_button(action_ids.REVEAL) else None

        return self.slack.wait_until(there, why=f"{person.id} may reveal")

    def reveals(self, person: LocalPerson) -> ShownKey:
        """Click **Reveal my key**. Return what is shown."""
        before = {one.key_id for one in shown_keys(person)}
        person.click(self.revealable(person), action_ids.REVEAL)

        def shown() -> ShownKey | None:
            return next((one for one in shown_keys(person) if one.key_id not in before), None)

        return self.slack.wait_until(shown, why=f"{person.id} is shown a key")

    def delivered(self, person: LocalPerson) -> ShownKey:
        """Request, approve and reveal a key. Wait for the lasting message about it."""
        self.approved(person)
        key = self.reveals(person)
        self.receipt(person, key)
        return key

    def receipt(self, person: LocalPerson, key: ShownKey) -> SeenMessage:
        """Return the lasting message that asks for the receipt of this key."""
        return person.wait_for("dm", key.key_id, action_ids.DID_NOT_GET)

    # -- time

    def time(self) -> datetime:
        """The time by the bot's clock (UTC)."""
        return self.clock.now() if self.clock else datetime.now(UTC)

    def pass_time(self, **by: float) -> None:
        """Move the clock of a built bot, then let its scheduler run once.

        What can be rendered is rendered before and after. Otherwise a test could take an old
        rendering for the newest.
        """
        assert self.clock, "only a built bot's clock can be moved"
        self.settle()
        self.clock.move(**by)
        self.sweep()

    def sweep(self) -> None:
        assert self.built, "only a built bot's scheduler can be called"
        self.built.scheduler.run_once()
        self.settle()

    def settle(self) -> None:
        """Have everything rendered that can be rendered now, and wait for it.

        What Slack refuses is rescheduled, and is not waited for. Each rendering is requested once
        more, since one that found no store would wait for the scheduler.
        """
        for name in self._unrendered() if self.built else ():
            self.built.services.messenger.render(name)
        self.slack.wait_until(lambda: not self._unrendered(), why="everything is rendered")

    def _unrendered(self) -> Sequence[str]:
        try:
            return self.store.unrendered(self.time())
        except StoreUnavailable:
            return ()
