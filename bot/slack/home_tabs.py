"""How does a person's Home tab come to show how things stand? It is drawn anew when it is opened, and after changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import structlog
from slack_sdk import WebClient

from bot.core import policy
from bot.core.access_key import ManagedKey
from bot.core.errors import KeydeskError
from bot.core.people import Member
from bot.core.ports import Kept
from bot.core.request import Action, KeyRequest, Status
from bot.core.workflow.desk import Desk
from bot.slack import home
from bot.slack.calls import asked

OPEN_FOR = timedelta(hours=12)
"""How long a Home tab counts as open: Slack tells when it is opened, not when it is closed."""

WAITED = {Action.APPROVE, Action.DENY, Action.CANCEL, Action.LAPSE, Action.APPLY}
"""The moves after which a request may have been waiting for approvers until then."""


class HomeTabs:
    """Draws Home tabs. `submit` puts work into the desk's pool; `instead` is shown first."""

    def __init__(self, desk: Desk, web: WebClient, *, submit: Callable[[Callable[[], None]], bool],
                 instead: str) -> None:
        self._desk, self._web, self._submit, self._instead = desk, web, submit, instead
        self._log = structlog.get_logger("keydesk.home")

    def opened(self, member: Member) -> None:
        """A person has opened their Home tab: it is drawn, and from now on after each change that concerns them."""
        self.draw(member, noted=False)

    def changed(self, kept: Kept) -> None:
        """A request or key has moved: the tabs of those it concerns are drawn anew, if they are open."""
        try:
            open_ = self._desk.store.homes(self._desk.clock.now() - OPEN_FOR)
        except KeydeskError as failure:
            self._log.warning("home", outcome="not drawn", why=type(failure).__name__)
            return
        whose = kept.owner if isinstance(kept, ManagedKey) else kept.requester
        # One without a secret is approved and carried out at once, so its first two moves may be seen as one.
        waits = isinstance(kept, KeyRequest) and (kept.status is Status.PENDING or kept.version <= 3
                                                  or kept.moved in WAITED)
        for person, approver in open_.items():
            if person == whose or (approver and waits):
                self._submit(lambda person=person: self._draw_for(person))  # type: ignore[misc]  # a default binds it

    def draw(self, member: Member, *, noted: bool = True) -> None:
        """Draws one tab. Raises KeydeskError where the store or Slack does not answer."""
        approver = member.id in self._desk.directory.approvers()
        if not noted:
            self._desk.store.note_home(member.id, self._desk.clock.now(), approver=approver)
        with asked("views.publish"):
            self._web.views_publish(user_id=member.id, view=home.view(self._gather(member, approver)))

    def _draw_for(self, person: str) -> None:
        try:
            member = self._desk.directory.member(person)
            policy.may_use_desk(member, self._desk.rules.team_id)
            self.draw(member)
        except KeydeskError as failure:
            self._log.warning("home", person=person, outcome="not drawn", why=type(failure).__name__)

    def _gather(self, member: Member, approver: bool) -> home.Home:
        store, problem = self._desk.store, ""
        try:
            keys = self._desk.issuer.keys(self._desk.identify(member).name)
        except KeydeskError as refusal:
            keys, problem = (), refusal.sentence
        records = {key.id: record for key in keys if (record := store.key(key.id))}
        return home.Home(
            keys=keys, records=records, requests=store.requests_of(member.id, 50), now=self._desk.clock.now(),
            approver=approver, waiting=store.pending(home.WAITING_SHOWN) if approver else (),
            waiting_in_all=store.waiting() if approver else 0, problem=problem, instead=self._instead)
