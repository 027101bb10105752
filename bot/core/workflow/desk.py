"""What do all journeys share? The desk itself: its ports and rules, who a person is, and one way to move a request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bot.core import policy
from bot.core.access_key import ManagedKey
from bot.core.counting import USUAL, Count, Deed, Limit
from bot.core.errors import (
    ClockIsOff,
    Conflict,
    IamDenied,
    NoIamUser,
    NoSuchIamUser,
    NoSuchRequest,
    NotAllowed,
    SlackUnavailable,
    WrongState,
)
from bot.core.moves import Action, Status
from bot.core.people import IamMapping, IamUser, Member, is_slack_id
from bot.core.ports import Change, Clock, Directory, Entry, KeyIssuer, Messenger, RequestStore
from bot.core.request import KeyRequest

KEYDESK = "keydesk"
"""Who moved a request when it was time, not a person."""

MAX_DRIFT = timedelta(seconds=5)
CONFLICT_TRIES = 5


@dataclass(frozen=True)
class Rules:
    """The settings that the journeys need, as values."""

    team_id: str
    approval_channel: str
    mapping: IamMapping = IamMapping()
    owner_tag: str = ""
    iam_path: str = "/"
    request_ttl: timedelta = timedelta(hours=72)
    claim_ttl: timedelta = timedelta(hours=72)
    receipt_ttl: timedelta = timedelta(hours=24)
    lease_ttl: timedelta = timedelta(seconds=60)
    look_after: timedelta = timedelta(minutes=15)
    delete_after: timedelta = timedelta(days=7)
    key_ttl: timedelta | None = timedelta(days=90)
    key_ttl_max: timedelta | None = timedelta(days=365)
    rotation_grace: timedelta = timedelta(hours=24)
    approval_free: frozenset[str] = frozenset({"disable", "delete"})
    approvals_required: int = 1
    risky_needs_one_more: bool = False
    break_glass: frozenset[str] = frozenset()
    break_glass_ttl: timedelta = timedelta(hours=4)
    retry_after: timedelta = timedelta(seconds=15)
    an_hour: Mapping[Deed, Limit] = field(default_factory=lambda: USUAL)


def _no_room(work: Callable[[], object]) -> bool:
    return False


@dataclass(frozen=True)
class Desk:
    """Everything a journey works with. It holds no state of its own.

    `later` has work done that nobody waits for, and returns False where there is no room: time does it then.
    """

    store: RequestStore
    issuer: KeyIssuer
    messenger: Messenger
    directory: Directory
    clock: Clock
    rules: Rules
    new_id: Callable[[], str]
    later: Callable[[Callable[[], object]], bool] = _no_room

    def identify(self, member: Member, service_user: str = "") -> IamUser:
        """The IAM user of a person, or the service user of that name, asked of IAM now.

        Raises NoIamUser, NotAllowed, IamRefused or Unavailable.
        """
        if service_user:
            return self._service(member, service_user)
        user = self._seen(self.rules.mapping.iam_user(member))
        policy.is_served(user, self.rules.iam_path)
        policy.owns(member, user, self.rules.owner_tag)
        return user

    def _seen(self, name: str) -> IamUser:
        """GetUser. With a policy as narrow as the path, AWS denies it for who is not there and who is elsewhere."""
        try:
            return self.issuer.user(name)
        except IamDenied as denied:
            if not self.is_elsewhere(denied):
                raise
            raise NotAllowed(
                f"AWS shows the desk no IAM user {name} under the path {self.rules.iam_path}, and the "
                f"desk looks after no others (iam:{denied.action}, {denied.code}). Ask whoever looks "
                "after AWS at your place to make one there, then try again."
            ) from denied

    def _service(self, member: Member, name: str) -> IamUser:
        """An IAM user that is nobody's, for those whom its owner tag names.

        One that is not there is refused in the same words, also where Slack did not say who is in one of its groups:
        whoever may not use it does not learn that it exists.
        """
        words = (
            f"I do not see you among the owners of the service user {name}, or the desk does not look after it. "
            f"Its owners are the Slack users and groups in its tag `{self.rules.owner_tag}`: if you are one of "
            "them, try again in a minute; if not, ask whoever looks after AWS to add you."
        )
        refused = NotAllowed(words)
        if not self.rules.owner_tag:
            raise NotAllowed(
                "Service users are not set up here: `IAM_OWNER_TAG` names the tag with their owners. Ask "
                "whoever runs Keydesk."
            )
        try:
            user = self.issuer.user(name)
        except NoSuchIamUser:
            raise refused from None
        except IamDenied as denied:
            # Denied for this user, not for all: refused in the words for one that is not there.
            if not denied.forbidden and not self.is_elsewhere(denied):
                raise
            raise refused from denied
        named = policy.tagged(user, self.rules.owner_tag)
        if member.id not in named and not self._in_one_of(member, named, words):
            raise refused
        policy.is_served(user, self.rules.iam_path)
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

    def is_elsewhere(self, denied: IamDenied) -> bool:
        """May a refusal by AWS come of a user who is not under the path, or not there at all?"""
        return (
            self.rules.iam_path != "/"
            and denied.code.startswith("AccessDenied")
            and not denied.forbidden
        )

    def person_of(self, user: IamUser) -> str:
        """The Slack user whose IAM user this is, as far as it can be told, else "". Raises SlackUnavailable."""
        known = self.rules.mapping.person(user.name)
        if is_slack_id(known):
            return known
        named = sorted(filter(is_slack_id, policy.tagged(user, self.rules.owner_tag)))
        if named:
            return named[0]
        return self.directory.person_by_email(known) if "@" in known else ""

    def whom_to_tell(self, user: IamUser, record: ManagedKey | None) -> tuple[str, str]:
        """Whose key this is and where they are told: as recorded, else as far as can be told now; "" for unknown.

        It raises nothing of Slack's: whoever cannot be reached there keeps no key from being turned off.
        """
        owner, dm = (record.owner, record.dm) if record else ("", "")
        try:
            owner = owner or self.person_of(user)
            return owner, dm or (self.messenger.dm(owner) if owner else "")
        except SlackUnavailable:
            return owner, dm

    def spare_itself(self, key_id: str) -> None:
        """A key of the desk's own credentials is not for the desk to turn off for others. Raises NotAllowed."""
        if key_id in self.issuer.own_key_ids():
            raise NotAllowed(
                "That is a key of the desk's own, which it cannot turn off by itself. Tell whoever runs "
                "Keydesk at once: they must replace it."
            )

    def iam_names(self, member: Member) -> frozenset[str]:
        """Every IAM user name that could be this person's, to keep them from deciding about their own."""
        try:
            return frozenset({self.rules.mapping.iam_user(member)})
        except NoIamUser:
            return self.rules.mapping.listed(member)

    def found(self, request_id: str) -> KeyRequest:
        """The request as stored. Raises NoSuchRequest."""
        request = self.store.request(request_id)
        if request is None:
            raise NoSuchRequest
        return request

    def one(self, deed: Deed, person: str, at: datetime, *, free: bool = False) -> Count:
        """One deed of this person's, to be counted with the step that does it."""
        return Count(deed, person, at, self.rules.an_hour[deed], free)

    def commit(self, *changes: Change, entry: Entry, count: Count | None = None) -> None:
        """Writes the changes in one step, counted if they are to be, then asks for their copies to be drawn."""
        self.store.commit(*changes, entry=entry, count=count)
        for change in changes:
            self.messenger.draw(change.after.name)

    def write(
        self,
        before: KeyRequest,
        after: KeyRequest,
        *others: Change,
        why: str = "",
        count: Count | None = None,
    ) -> KeyRequest:
        """Commits a move that was made from `before`, with its audit entry. Raises Conflict or OverLimit."""
        entry = Entry(
            at=after.moved_at or self.clock.now(),
            by=after.moved_by,
            action=str(after.moved),
            request_id=after.id,
            key_id=after.access_key_id or before.access_key_id,
            was=before.status,
            becomes=after.status,
            why=why,
        )
        self.commit(Change(before, after), *others, entry=entry, count=count)
        return after

    def move(
        self,
        request_id: str,
        action: Action,
        by: str,
        *,
        check: Callable[[KeyRequest], None] | None = None,
        why: str = "",
        count: Count | None = None,
        **facts: Any,
    ) -> KeyRequest:
        """Moves a request from wherever it stands; whoever loses the race reads anew and is told what happened.

        `check` is asked of every state that is read. Raises what it raises, NoSuchRequest, WrongState, and OverLimit
        of `count`.
        """
        for _ in range(CONFLICT_TRIES):
            request = self.found(request_id)
            if check:
                check(request)
            try:
                return self.write(
                    request,
                    request.move(action, by, self.clock.now(), **facts),
                    why=why,
                    count=count,
                )
            except Conflict:
                continue
        request = self.found(request_id)
        raise WrongState(request.status, request.story(), request.moved_by, request.moved_at)

    def trust_clock(self) -> None:
        """Raises ClockIsOff when this process's clock and the store's are more than five seconds apart."""
        drift = self.clock.drift()
        if abs(drift) > MAX_DRIFT:
            raise ClockIsOff(drift.total_seconds())

    def lapse_if_overdue(self, request_id: str) -> None:
        """Lets a request lapse whose time is over though the sweeper has not come to it yet.

        A process whose clock is off ends nothing by it: raises ClockIsOff.
        """
        request = self.found(request_id)
        waiting = request.status is Status.PENDING or (
            request.status is Status.APPROVED and request.has_secret
        )
        if waiting and request.deadline is not None and self.clock.now() >= request.deadline:
            self.trust_clock()
            try:
                self.write(
                    request, request.move(Action.LAPSE, KEYDESK, self.clock.now(), deadline=None)
                )
            except Conflict:
                return  # somebody moved it just before its end; what follows reads it anew

    def key_entry(
        self, key: ManagedKey, before: ManagedKey | None, action: str, by: str, why: str = ""
    ) -> Entry:
        """The audit entry of a change to a key alone."""
        return Entry(
            at=self.clock.now(),
            by=by,
            action=action,
            request_id=key.request_id,
            key_id=key.id,
            was=before.wanted if before else "",
            becomes=key.wanted,
            why=why,
        )

    def soon(self) -> datetime:
        """When the sweeper should finish what this process is about to do, should it die (UTC)."""
        return self.clock.now() + self.rules.retry_after


def in_words(span: timedelta) -> str:
    """About how long, as people say it: "a minute", "5 minutes", "a quarter of an hour"."""
    minutes = round(span.total_seconds() / 60)
    return (
        "a quarter of an hour"
        if minutes == 15
        else f"{minutes} minutes"
        if minutes > 1
        else "a minute"
    )
