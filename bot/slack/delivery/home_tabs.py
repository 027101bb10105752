"""How does a person's Home tab come to show how things stand? It is drawn anew when it is opened, and after changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import structlog
from slack_sdk import WebClient

from bot.domain import policy
from bot.domain.errors import (
    KeydeskError,
    Refused,
    SlackUnavailable,
    StoreUnavailable,
)
from bot.domain.identity import Member
from bot.domain.keys import ManagedKey
from bot.domain.ports import Record
from bot.domain.requests import KeyRequest
from bot.operations import identify
from bot.operations.services import Services
from bot.slack.delivery.messenger import HOME_PREFIX
from bot.slack.delivery.rate_limiter import PUBLISH, Priority, RateLimiter
from bot.slack.errors import MustWait, rate_limited
from bot.slack.messages import home
from bot.slack.messages.errors import error_text

COUNTS_AS_OPEN_FOR = timedelta(hours=12)
"""How long a Home tab counts as open: Slack tells when it is opened, not when it is closed."""

LOCK_SECONDS = 60
BURST_SECONDS = 1.0
"""Seconds after which a tab that was marked again while it was drawn is drawn anew: many moves come in one burst."""
APPROVERS_CACHE_SECONDS = 60.0
"""Seconds for which it serves who the approvers are, when a tab is drawn anew: each click asks again, and asking for
each of many tabs would take the calls that decisions need (20 a minute)."""
RETRY_SECONDS, RETRY_AFTER_REFUSAL_SECONDS = 5.0, 300.0
"""Seconds until a tab is tried again that could not be drawn, or that Slack did not take."""


class HomeTabs:
    """Draws Home tabs; `instead` is shown first.

    A tab that is to be drawn is marked in the store, like the copies of a request, so that neither an outage of Slack
    nor the end of a process leaves it behind. `pacer` says when there is room (none: no limits are heeded).
    """

    def __init__(
        self,
        services: Services,
        web: WebClient,
        *,
        instead: str,
        rate_limiter: RateLimiter | None = None,
    ) -> None:
        self._services, self._web, self._instead = services, web, instead
        self._pacer = rate_limiter or RateLimiter(services.clock.monotonic, {}, None)
        self._approvers: tuple[float, frozenset[str]] = (float("-inf"), frozenset())
        self._log = structlog.get_logger("keydesk.home")

    def opened(self, member: Member) -> None:
        """A person has opened their Home tab: it is drawn, and from now on after each change that concerns them.

        Raises KeydeskError where the store or Slack does not answer; it is then drawn as soon as they do.
        """
        services, now = self._services, self._services.clock.now()
        services.store.schedule_render(home_name(member.id), now)
        try:
            approvers = self._approving_if_known(anew=True)
        except SlackUnavailable:
            services.store.record_home_opened(
                member.id, now, approver=True
            )  # not known: rather drawn too often than never
            raise
        services.store.record_home_opened(
            member.id, now, approver=approvers is None or member.id in approvers
        )
        try:
            shown = self._draw_marked(member.id, lambda: self._publish(member, Priority.DECISION))
        except MustWait:
            shown = False
        if not shown:
            services.messenger.render(home_name(member.id))

    def changed(self, kept: Record) -> None:
        """A request or key has moved: the tabs of those it concerns are to be drawn anew, if they are open.

        Raises StoreUnavailable where that cannot be noted.
        """
        services, now = self._services, self._services.clock.now()
        whose = kept.owner if isinstance(kept, ManagedKey) else kept.requester
        # Several moves may be seen as one, so it may have stopped waiting some moves ago: until its first reveal.
        waits = isinstance(kept, KeyRequest) and kept.reveals == 0
        for person, approver in services.store.open_homes(now - COUNTS_AS_OPEN_FOR).items():
            if person == whose or (approver and waits):
                services.store.schedule_render(home_name(person), now)
                services.messenger.render(home_name(person))

    def render_now(self, person: str) -> float:
        """Draws a person's tab. Returns the seconds after which to try again, 0 where it shows how things stand.

        Raises nothing: what fails is logged, and its mark stays in the store.
        """
        try:
            return (
                0.0 if self._draw_marked(person, lambda: self._draw_for(person)) else BURST_SECONDS
            )
        except MustWait as full:
            wait = full.seconds
        except KeydeskError as failure:
            self._log.warning("home", user=person, outcome="not rendered", code=failure.code)
            wait = _retry_seconds(failure)
        return self._put_off(person, wait)

    def _draw_marked(self, person: str, render: Callable[[], None]) -> bool:
        """Draws under the tab's lock and takes its mark away; False where it was marked anew meanwhile.

        The mark is put off by as long as the lock lives, so that it comes back by itself if this process ends here.
        """
        store, name, token = self._services.store, home_name(person), self._services.new_id()
        if not store.acquire_lock(name, token, LOCK_SECONDS):
            return True  # whoever holds it looks at the mark again after giving it back
        until = self._services.clock.now() + timedelta(seconds=LOCK_SECONDS)
        try:
            store.schedule_render(name, until)
            render()
        finally:
            store.release_lock(name, token)
        return store.clear_render_mark(name, until)

    def _draw_for(self, person: str) -> None:
        try:
            member = self._services.directory.member(person)
            policy.check_member(member, self._services.team_id)
        except (
            Refused
        ) as refusal:  # who may not use the desk has no tab that would have to be right
            self._log.warning("home", user=person, outcome="not rendered", code=refusal.code)
            return
        self._publish(member, Priority.HOME)

    def _publish(self, member: Member, priority: Priority) -> None:
        approvers = self._approving_if_known()
        with rate_limited(self._pacer, PUBLISH, "", home_name(member.id), priority):
            self._web.views_publish(
                user_id=member.id, view=home.view(self._gather(member, approvers))
            )

    def _put_off(self, person: str, seconds: float) -> float:
        """Has a tab's turn come again after so many seconds, which are returned; 0 where nobody looks at it now."""
        store, name, now = self._services.store, home_name(person), self._services.clock.now()
        try:
            if person in store.open_homes(now - COUNTS_AS_OPEN_FOR):
                store.schedule_render(name, now + timedelta(seconds=seconds))
                return seconds
            store.rendered(name, 0)
        except StoreUnavailable as failure:
            self._log.warning("home", user=person, outcome="not rescheduled", code=failure.code)
        return 0.0

    def _approving_if_known(self, *, anew: bool = False) -> frozenset[str] | None:
        """Who may approve; None where Slack will not say (a scope is missing, say), which keeps no tab from anybody."""
        try:
            return self._approving(anew=anew)
        except SlackUnavailable as failure:
            if not failure.refused:
                raise
            return None

    def _approving(self, *, anew: bool = False) -> frozenset[str]:
        now = self._services.clock.monotonic()
        at, approvers = self._approvers
        if anew or now - at >= APPROVERS_CACHE_SECONDS:
            approvers = self._services.directory.approvers()
            self._approvers = (now, approvers)
        return approvers

    def _gather(self, member: Member, approvers: frozenset[str] | None) -> home.Home:
        store, problem, approver = (
            self._services.store,
            "",
            approvers is not None and member.id in approvers,
        )
        try:
            keys = self._services.issuer.keys(identify.identify(self._services, member).name)
        except KeydeskError as refusal:
            keys, problem = (), error_text(refusal)
        records = self._services.records(key.id for key in keys)
        return home.Home(
            keys=keys,
            records=records,
            requests=store.requests_of(member.id, 50),
            now=self._services.clock.now(),
            approver=approver,
            waiting=store.pending(home.MAX_WAITING) if approver else (),
            waiting_in_all=store.pending_count() if approver else 0,
            problem=problem,
            instead=self._instead,
            unsure=approvers is None,
        )


def home_name(person: str) -> str:
    """The name under which a person's Home tab is marked for drawing."""
    return f"{HOME_PREFIX}{person}"


def _retry_seconds(failure: KeydeskError) -> float:
    """Seconds until a tab that was not drawn is tried again."""
    if not isinstance(failure, SlackUnavailable):
        return RETRY_SECONDS
    return failure.retry_after or (
        RETRY_AFTER_REFUSAL_SECONDS if failure.refused else RETRY_SECONDS
    )
