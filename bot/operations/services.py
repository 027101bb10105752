"""What do all journeys share? The desk itself: its ports and rules, who a person is, and one way to move a request."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from bot.domain import policy
from bot.domain.codes import Detail
from bot.domain.errors import (
    ClockSkewed,
    Conflict,
    IamDenied,
    IamUserNotFound,
    NoIamUser,
    NotAllowed,
    RequestNotFound,
    SlackUnavailable,
    WrongState,
)
from bot.domain.identity import (
    IamUser,
    Member,
    is_slack_id,
)
from bot.domain.keys import ManagedKey
from bot.domain.ports import (
    AuditEntry,
    Change,
    Clock,
    Directory,
    KeyIssuer,
    Messenger,
    RequestStore,
)
from bot.domain.rate_limits import (
    LimitedAction,
    Usage,
)
from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status

if TYPE_CHECKING:
    from bot.config.settings import Settings

KEYDESK = "keydesk"
"""Who moved a request when it was time, not a person."""

MAX_CLOCK_SKEW = timedelta(seconds=5)
MAX_CONFLICTS = 5


def _never(work: Callable[[], object]) -> bool:
    return False


@dataclass(frozen=True)
class Services:
    """Everything a journey works with. It holds no state of its own.

    `team_id` is the Slack workspace. `run_later` runs work in the background. It returns False where
    there is no room, and the scheduler does the work then.
    """

    store: RequestStore
    issuer: KeyIssuer
    messenger: Messenger
    directory: Directory
    clock: Clock
    settings: Settings
    team_id: str
    new_id: Callable[[], str]
    run_later: Callable[[Callable[[], object]], bool] = _never

    def identify(self, member: Member, service_user: str = "") -> IamUser:
        """The IAM user of a person, or the service user of that name, asked of IAM now.

        Raises NoIamUser, NotAllowed, IamRefused or Unavailable.
        """
        if service_user:
            return self._service(member, service_user)
        user = self._seen(self.settings.iam_mapping.iam_user(member))
        policy.check_iam_path(user, self.settings.iam_path)
        policy.check_owner_tag(member, user, self.settings.iam_owner_tag)
        return user

    def _seen(self, name: str) -> IamUser:
        """GetUser. With a policy as narrow as the path, AWS denies it for who is not there and who is elsewhere."""
        try:
            return self.issuer.user(name)
        except IamDenied as denied:
            if not self.is_outside_path(denied):
                raise
            raise NotAllowed(
                f"AWS shows the desk no IAM user {name} under the path {self.settings.iam_path}, and the "
                f"desk looks after no others (iam:{denied.action}, {denied.aws_code}). Ask whoever looks "
                "after AWS at your place to make one there, then try again."
            ) from denied

    def _service(self, member: Member, name: str) -> IamUser:
        """An IAM user that is nobody's, for those whom its owner tag names.

        One that is not there is refused in the same words, also where Slack did not say who is in one of its groups:
        whoever may not use it does not learn that it exists.
        """
        words = (
            f"I do not see you among the owners of the service user {name}, or the desk does not look after it. "
            f"Its owners are the Slack users and groups in its tag `{self.settings.iam_owner_tag}`: if you are one of "
            "them, try again in a minute; if not, ask whoever looks after AWS to add you."
        )
        refused = NotAllowed(words)
        if not self.settings.iam_owner_tag:
            raise NotAllowed(
                "Service users are not set up here: `IAM_OWNER_TAG` names the tag with their owners. Ask "
                "whoever runs Keydesk."
            )
        try:
            user = self.issuer.user(name)
        except IamUserNotFound:
            raise refused from None
        except IamDenied as denied:
            # Denied for this user, not for all: refused in the words for one that is not there.
            if not denied.forbidden and not self.is_outside_path(denied):
                raise
            raise refused from denied
        named = policy.tagged_owners(user, self.settings.iam_owner_tag)
        if member.id not in named and not self._in_one_of(member, named, words):
            raise refused
        policy.check_iam_path(user, self.settings.iam_path)
        return user

    def _in_one_of(self, member: Member, named: Iterable[str], words: str) -> bool:
        """Is the person in one of the user groups named? Raises SlackUnavailable, in these words, where none that
        answers has them and one does not answer."""
        silent: SlackUnavailable | None = None
        for group in sorted(one for one in named if one.startswith("S")):
            try:
                if member.id in self.directory.group(group):
                    return True
            except SlackUnavailable as failure:
                silent = failure
        if silent:
            raise SlackUnavailable(
                silent.method,
                silent.error,
                words,
                refused=silent.refused,
                retry_after=silent.retry_after,
            ) from silent
        return False

    def is_outside_path(self, denied: IamDenied) -> bool:
        """May a refusal by AWS come of a user who is not under the path, or not there at all?"""
        return (
            self.settings.iam_path != "/"
            and denied.aws_code.startswith("AccessDenied")
            and not denied.forbidden
        )

    def slack_user_of(self, user: IamUser) -> str:
        """The Slack user whose IAM user this is, as far as it can be told, else "". Raises SlackUnavailable."""
        known = self.settings.iam_mapping.person(user.name)
        if is_slack_id(known):
            return known
        named = sorted(filter(is_slack_id, policy.tagged_owners(user, self.settings.iam_owner_tag)))
        if named:
            return named[0]
        return self.directory.member_by_email(known) if "@" in known else ""

    def owner_and_dm(self, user: IamUser, record: ManagedKey | None) -> tuple[str, str]:
        """Whose key this is and where they are told: as recorded, else as far as can be told now; "" for unknown.

        It raises nothing of Slack's: whoever cannot be reached there keeps no key from being turned off.
        """
        owner, dm = (record.owner, record.dm) if record else ("", "")
        try:
            owner = owner or self.slack_user_of(user)
            return owner, dm or (self.messenger.dm(owner) if owner else "")
        except SlackUnavailable:
            return owner, dm

    def check_not_own_key(self, key_id: str) -> None:
        """A key of the desk's own credentials is not for the desk to turn off for others. Raises NotAllowed."""
        if key_id in self.issuer.own_key_ids():
            raise NotAllowed(
                "That is a key of the desk's own, which it cannot turn off by itself. Tell whoever runs "
                "Keydesk at once: they must replace it."
            )

    def iam_user_names(self, member: Member) -> frozenset[str]:
        """Every IAM user name that could be this person's, to keep them from deciding about their own."""
        try:
            return frozenset({self.settings.iam_mapping.iam_user(member)})
        except NoIamUser:
            return self.settings.iam_mapping.listed(member)

    def get_request(self, request_id: str) -> KeyRequest:
        """The request as stored. Raises RequestNotFound."""
        request = self.store.request(request_id)
        if request is None:
            raise RequestNotFound
        return request

    def usage(
        self, limited_action: LimitedAction, person: str, at: datetime, *, free: bool = False
    ) -> Usage:
        """One deed of this person's, to be counted with the step that does it."""
        return Usage(limited_action, person, at, self.settings.hourly_limits[limited_action], free)

    def commit(self, *changes: Change, entry: AuditEntry, count: Usage | None = None) -> None:
        """Writes the changes in one step, counted if they are to be, then asks for their copies to be drawn."""
        self.store.commit(*changes, entry=entry, count=count)
        for change in changes:
            self.messenger.render(change.after.name)

    def commit_transition(
        self,
        before: KeyRequest,
        after: KeyRequest,
        *others: Change,
        reason: str = "",
        detail: Detail | None = None,
        count: Usage | None = None,
    ) -> KeyRequest:
        """Commits a move that was made from `before`, with its audit entry. Raises Conflict or RateLimited."""
        entry = AuditEntry(
            at=after.last_event_at or self.clock.now(),
            by=after.last_event_by,
            action=str(after.last_event),
            request_id=after.id,
            key_id=after.access_key_id or before.access_key_id,
            from_status=before.status,
            to_status=after.status,
            reason=reason,
            detail=detail,
        )
        self.commit(Change(before, after), *others, entry=entry, count=count)
        return after

    def transition(
        self,
        request_id: str,
        action: Event,
        by: str,
        *,
        check: Callable[[KeyRequest], None] | None = None,
        reason: str = "",
        detail: Detail | None = None,
        count: Usage | None = None,
        **changes: Any,
    ) -> KeyRequest:
        """Moves a request from wherever it stands; whoever loses the race reads anew and is told what happened.

        `check` is asked of every state that is read. Raises what it raises, RequestNotFound, WrongState, and RateLimited
        of `count`.
        """
        for _ in range(MAX_CONFLICTS):
            request = self.get_request(request_id)
            if check:
                check(request)
            try:
                return self.commit_transition(
                    request,
                    request.transition(action, by, self.clock.now(), **changes),
                    reason=reason,
                    detail=detail,
                    count=count,
                )
            except Conflict:
                continue
        request = self.get_request(request_id)
        raise WrongState(
            request.status, request.story(), request.last_event_by, request.last_event_at
        )

    def check_clock(self) -> None:
        """Raises ClockSkewed when this process's clock and the store's are more than five seconds apart."""
        drift = self.clock.drift()
        if abs(drift) > MAX_CLOCK_SKEW:
            raise ClockSkewed(drift.total_seconds())

    def expire_if_overdue(self, request_id: str) -> None:
        """Lets a request lapse whose time is over though the sweeper has not come to it yet.

        A process whose clock is off ends nothing by it: raises ClockSkewed.
        """
        request = self.get_request(request_id)
        waiting = request.status is Status.PENDING or (
            request.status is Status.APPROVED and request.delivers_secret
        )
        if waiting and request.deadline is not None and self.clock.now() >= request.deadline:
            self.check_clock()
            try:
                self.commit_transition(
                    request,
                    request.transition(Event.EXPIRE, KEYDESK, self.clock.now(), deadline=None),
                )
            except Conflict:
                return  # somebody moved it just before its end; what follows reads it anew

    def key_entry(
        self,
        key: ManagedKey,
        before: ManagedKey | None,
        action: str,
        by: str,
        reason: str = "",
        detail: Detail | None = None,
    ) -> AuditEntry:
        """The audit entry of a change to a key alone."""
        return AuditEntry(
            at=self.clock.now(),
            by=by,
            action=action,
            request_id=key.request_id,
            key_id=key.id,
            from_status=before.desired if before else "",
            to_status=key.desired,
            reason=reason,
            detail=detail,
        )

    def retry_at(self) -> datetime:
        """When the sweeper should finish what this process is about to do, should it die (UTC)."""
        return self.clock.now() + self.settings.sweep_every


def minutes_text(span: timedelta) -> str:
    """About how long, as people say it: "a minute", "5 minutes", "a quarter of an hour"."""
    minutes = round(span.total_seconds() / 60)
    return (
        "a quarter of an hour"
        if minutes == 15
        else f"{minutes} minutes"
        if minutes > 1
        else "a minute"
    )
