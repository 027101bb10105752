"""Render Home tabs when a user opens them, and again after changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import structlog
from slack_sdk import WebClient

from bot.domain import policy
from bot.domain.errors import KeydeskError, Refused
from bot.domain.identity import Member
from bot.domain.keys import ManagedKey
from bot.domain.outside_errors import SlackUnavailable, StoreUnavailable
from bot.domain.records import Record
from bot.domain.requests import KeyRequest
from bot.operations import identify
from bot.operations.services import Services
from bot.slack.delivery.messenger import HOME_PREFIX
from bot.slack.delivery.rate_limiter import PUBLISH, Priority, RateLimiter
from bot.slack.errors import MustWait, rate_limited
from bot.slack.messages import home
from bot.slack.messages.errors import error_text

COUNTS_AS_OPEN_FOR = timedelta(hours=12)
"""How long a Home tab counts as open.

Slack sends `app_home_opened` when it opens, and nothing when it closes.
"""

LOCK_SECONDS = 60
BURST_SECONDS = 1.0
"""Seconds before a Home tab that was marked during its rendering is rendered again.

Transitions often come in a burst, so a short wait saves calls.
"""
APPROVERS_CACHE_SECONDS = 60.0
"""Seconds for which rendering uses the cached list of approvers.

Each click asks Slack for a fresh list. Asking for each Home tab as well would use up the calls
that decisions need (20 a minute, usergroups.users.list, Tier 2).
"""
RETRY_SECONDS, RETRY_AFTER_REFUSAL_SECONDS = 5.0, 300.0
"""Seconds before the next try: after a failed rendering, and after a refusal by Slack."""


class HomeTabs:
    """Renders Home tabs.

    The store marks each Home tab that needs rendering, as it marks the messages of a request. The
    mark survives an outage of Slack and the end of a process.

    Args:
        instead: What the operator recommends instead of keys, in mrkdwn. It is shown first.
        rate_limiter: Allows calls to Slack. None means no limits.
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
        self._rate_limiter = rate_limiter or RateLimiter(services.clock.monotonic, {}, None)
        self._approvers: tuple[float, frozenset[str]] = (float("-inf"), frozenset())
        self._log = structlog.get_logger("keydesk.home")

    def opened(self, member: Member) -> None:
        """Render the Home tab that a user opened, and mark it as open.

        While it counts as open, it is rendered after each change that concerns the user.

        Raises:
            KeydeskError: The store or Slack does not answer. The Home tab is rendered later.
        """
        services, now = self._services, self._services.clock.now()
        services.store.schedule_render(home_name(member.id), now)
        try:
            approvers = self._approving_if_known(fresh=True)
        except SlackUnavailable:
            # Unknown: an extra rendering does less harm than a missed one.
            services.store.record_home_opened(member.id, now, approver=True)
            raise
        services.store.record_home_opened(
            member.id, now, approver=approvers is None or member.id in approvers
        )
        try:
            shown = self._render_marked(member.id, lambda: self._publish(member, Priority.DECISION))
        except MustWait:
            shown = False
        if not shown:
            services.messenger.render(home_name(member.id))

    def changed(self, record: Record) -> None:
        """Mark the open Home tabs that a changed request or key concerns, and queue them.

        Raises:
            StoreUnavailable: The marks cannot be stored.
        """
        services, now = self._services, self._services.clock.now()
        owner = record.owner if isinstance(record, ManagedKey) else record.requester
        # Several transitions may arrive as one change. The request may have left `pending` some
        # transitions ago, so approvers' Home tabs follow it until its first reveal.
        waits = isinstance(record, KeyRequest) and record.reveals == 0
        for slack_user, approver in services.store.open_homes(now - COUNTS_AS_OPEN_FOR).items():
            if slack_user == owner or (approver and waits):
                services.store.schedule_render(home_name(slack_user), now)
                services.messenger.render(home_name(slack_user))

    def render_now(self, slack_user: str) -> float:
        """Render a user's Home tab and return the seconds until the next try.

        Raises nothing. A failure is logged, and the mark stays in the store.

        Returns:
            0 if the Home tab is up to date, or no longer counts as open.
        """
        try:
            done = self._render_marked(slack_user, lambda: self._render_for(slack_user))
            return 0.0 if done else BURST_SECONDS
        except MustWait as full:
            wait = full.seconds
        except KeydeskError as failure:
            self._log.warning("home", user=slack_user, outcome="not rendered", code=failure.code)
            wait = _retry_seconds(failure)
        return self._retry_later(slack_user, wait)

    def _render_marked(self, slack_user: str, render: Callable[[], None]) -> bool:
        """Render under the Home tab's lock and clear its mark.

        The mark is rescheduled to the end of the lock. If this process ends here, the mark comes
        due again by itself.

        Returns:
            False if the Home tab was marked again during rendering.
        """
        store, name, token = self._services.store, home_name(slack_user), self._services.new_id()
        if not store.acquire_lock(name, token, LOCK_SECONDS):
            return True  # the lock's owner checks the mark again after it releases the lock
        until = self._services.clock.now() + timedelta(seconds=LOCK_SECONDS)
        try:
            store.schedule_render(name, until)
            render()
        finally:
            store.release_lock(name, token)
        return store.clear_render_mark(name, until)

    def _render_for(self, slack_user: str) -> None:
        try:
            member = self._services.directory.member(slack_user)
            policy.check_member(member, self._services.team_id)
        except Refused as refusal:  # users who may not use Keydesk need no current Home tab
            self._log.warning("home", user=slack_user, outcome="not rendered", code=refusal.code)
            return
        self._publish(member, Priority.HOME)

    def _publish(self, member: Member, priority: Priority) -> None:
        approvers = self._approving_if_known()
        with rate_limited(self._rate_limiter, PUBLISH, "", home_name(member.id), priority):
            self._web.views_publish(
                user_id=member.id, view=home.view(self._gather(member, approvers))
            )

    def _retry_later(self, slack_user: str, seconds: float) -> float:
        """Reschedule an open Home tab and return the seconds until its next try.

        Returns:
            0 if the Home tab no longer counts as open, or if the store does not answer.
        """
        store, name, now = self._services.store, home_name(slack_user), self._services.clock.now()
        try:
            if slack_user in store.open_homes(now - COUNTS_AS_OPEN_FOR):
                store.schedule_render(name, now + timedelta(seconds=seconds))
                return seconds
            store.rendered(name, 0)
        except StoreUnavailable as failure:
            self._log.warning("home", user=slack_user, outcome="not rescheduled", code=failure.code)
        return 0.0

    def _approving_if_known(self, *, fresh: bool = False) -> frozenset[str] | None:
        """Return the approvers' Slack user IDs, or None where Slack refuses to list them.

        A missing scope, for example, must not stop Home tabs from rendering.

        Raises:
            SlackUnavailable: Slack does not answer, or rate-limits the call.
        """
        try:
            return self._approving(fresh=fresh)
        except SlackUnavailable as failure:
            if not failure.refused:
                raise
            return None

    def _approving(self, *, fresh: bool = False) -> frozenset[str]:
        now = self._services.clock.monotonic()
        at, approvers = self._approvers
        if fresh or now - at >= APPROVERS_CACHE_SECONDS:
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


def home_name(slack_user: str) -> str:
    """Return the name under which a user's Home tab is marked for rendering."""
    return f"{HOME_PREFIX}{slack_user}"


def _retry_seconds(failure: KeydeskError) -> float:
    """Return the seconds to wait before a failed Home tab is tried again."""
    if not isinstance(failure, SlackUnavailable):
        return RETRY_SECONDS
    return failure.retry_after or (
        RETRY_AFTER_REFUSAL_SECONDS if failure.refused else RETRY_SECONDS
    )
