"""What is a request, and how does it tell its story?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from bot.domain.errors import WrongState, utc_text
from bot.domain.keys import AccessKey
from bot.domain.permissions import Permissions
from bot.domain.states import (
    NEEDS_KEY_ON_RECORD,
    NOT_AFTER_START_APPLY,
    TRANSITIONS,
    Event,
    Status,
)

MAX_REVEALS = 3
"""How often one approval may hand over a key: a lost ephemeral is replaced, not recovered."""

REVIEW_DURATION = timedelta(minutes=15)
"""How long an approver's **I'm on it** stands."""

MAX_REMINDERS = 2
"""How often the approvers are reminded of a request: at a third of its time, and at two."""

_PAST_TENSE = {
    Event.APPROVE: "approved",
    Event.DENY: "denied",
    Event.CANCEL: "cancelled",
    Event.REVOKE: "revoked",
    Event.EXPIRE: "expired",
    Event.REVEAL: "being issued",
    Event.RECORD_KEY: "being issued",
    Event.DELIVER: "handed over",
    Event.RECOVER: "handed over",
    Event.CONFIRM: "finished",
    Event.OWNER_DELETED: "closed, its key deleted",
    Event.CLOSE: "closed after its last reveal",
    Event.UNCLAIM: "waiting for a receipt",
    Event.REMIND: "handed over",
    Event.STOP: "stopped, its key turned off,",
}


def mentions(people: Sequence[str]) -> str:
    """Slack user IDs as mentions: "<@U1>, <@U2> and <@U3>"."""
    names = [f"<@{person}>" for person in people]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


@dataclass(frozen=True)
class Lease:
    """The right to make one key, for one click. `iam_started_at` is IAM's own clock at its beginning (UTC)."""

    token: str
    started_at: datetime
    ends: datetime
    iam_started_at: datetime


@dataclass(frozen=True)
class Approval:
    by: str
    at: datetime


@dataclass(frozen=True)
class RequestHistory:
    """What a person asked for before, as far back as was looked: how often, how often denied, and the last denial.

    `by` is the Slack user ID of who denied it, `why` their reason in their own words, "" for none.
    """

    asked: int = 0
    denied: int = 0
    denied_at: datetime | None = None
    by: str = ""
    why: str = ""


@dataclass(frozen=True)
class KeyRequest:
    """A person's request for a key; a value. `version` counts its moves; `deadline` is when time must act (UTC).

    `verb` is `create`, `rotate`, `enable` or `extend`; `target` is the key that the last three are about, and
    `delete_first` the one that dies at the reveal click, where both of IAM's slots are taken; its deletion began at
    `delete_first_at` and is not taken back, whatever becomes of the request. `lifetime` is how long the new key lives (None:
    for ever). `service` says that the IAM user is nobody's and is asked for by its owners.
    `needed` is how many approvers must say yes, fixed when the request is stored; with `extra_approval` one of them only as
    long as the request may be risky. `approvals` are those that count, and `dropped` the Slack user IDs of those whose
    approval does not count any more.
    `requester`, `decided_by` and `last_event_by` are Slack user IDs; `dm` is the requester's direct message with
    the bot (`D…`). `keys` are the IAM user's keys when it was made: the facts on the card, and what the look
    after a lost answer compares with. `note` is the last thing its person should know, in words. `facts` is what
    IAM showed at `permissions_at` of what its user may do; `permissions_due` is when time must read it, if nobody has by then.
    `earlier` is what its person asked for before. `denial_reason` is the reason of whoever denied it. `looker` is the
    approver who looks at it since `review_started_at`; `reminders` are those that its approvers have had ("1", "2"),
    `nudged_at` is its requester's last **Nudge**. `stopped_by` turned its key off, with a reason or as leaked, before
    its person had said that they have it: this approval brings no other key. `target_changed_at` is when it was last
    decided what its target is to be, as of its approval: who turns the key off after that has the last word. `urgent`
    says that glass was broken: one approval is enough, and the key lives a few hours.
    """

    id: str
    verb: str
    requester: str
    dm: str
    account: str
    iam_user: str
    iam_user_id: str
    reason: str
    keys: tuple[AccessKey, ...]
    requested_at: datetime
    deadline: datetime | None
    target: str = ""
    delete_first: str = ""
    delete_first_at: datetime | None = None
    target_changed_at: datetime | None = None
    lifetime: timedelta | None = None
    is_service_user: bool = False
    status: Status = Status.PENDING
    approvals_needed: int = 1
    extra_approval: bool = False
    approvals: tuple[Approval, ...] = ()
    dropped_approvers: tuple[str, ...] = ()
    decided_by: str = ""
    decided_at: datetime | None = None
    lease: Lease | None = None
    access_key_id: str = ""
    reveals: int = 0
    delivered_at: datetime | None = None
    reminded_at: datetime | None = None
    unclaimed_at: datetime | None = None
    deleted_keys: tuple[str, ...] = ()
    reveal_round: int = 0
    note: str = ""
    permissions: Permissions | None = None
    permissions_at: datetime | None = None
    permissions_due: datetime | None = None
    history: RequestHistory | None = None
    denial_reason: str = ""
    reviewer: str = ""
    review_started_at: datetime | None = None
    reminders: tuple[str, ...] = ()
    nudged_at: datetime | None = None
    urgent: bool = False
    stopped_by: str = ""
    last_event: Event | None = None
    last_event_by: str = ""
    last_event_at: datetime | None = None
    version: int = 1

    @property
    def name(self) -> str:
        """Its name among everything that is stored, due and drawn."""
        return f"request:{self.id}"

    @property
    def next_run(self) -> datetime | None:
        """When time must do the next thing with this request (UTC); None: never."""
        times = [
            self.deadline,
            self.permissions_due if self.awaits_permissions else None,
            self.review_ends_at,
            *(at for _, at in self.due_reminders),
        ]
        return min((at for at in times if at is not None), default=None)

    @property
    def review_ends_at(self) -> datetime | None:
        """Until when an approver's **I'm on it** stands (UTC); None where nobody is on it."""
        if self.status is not Status.PENDING or self.review_started_at is None:
            return None
        return self.review_started_at + REVIEW_DURATION

    @property
    def due_reminders(self) -> list[tuple[str, datetime]]:
        """The reminders that its approvers have yet to get while it waits, each with its time (UTC)."""
        if self.status is not Status.PENDING or self.deadline is None:
            return []
        part = (self.deadline - self.requested_at) / (MAX_REMINDERS + 1)
        last = max((int(one) for one in self.reminders), default=0)
        return [
            (str(number), self.requested_at + number * part)
            for number in range(last + 1, MAX_REMINDERS + 1)
        ]

    @property
    def locks(self) -> frozenset[str]:
        """The names that it holds in this state: one open request of a verb, one issuing, for an IAM user."""
        user = f"{self.account}:{self.iam_user.lower()}"
        open_ = set() if self.status.final else {f"open:{user}:{self.verb}"}
        issuing = {f"issuing:{user}"} if self.status is Status.ISSUING else set()
        return frozenset(open_ | issuing)

    @property
    def awaits_permissions(self) -> bool:
        """Is what its IAM user may do still to be read? Once it is decided nobody asks any more."""
        return (
            self.status is Status.PENDING
            and self.permissions is None
            and self.permissions_due is not None
        )

    @property
    def delivers_secret(self) -> bool:
        """Does it end with a key being handed over? Else it is applied once it is approved."""
        return self.verb in ("create", "rotate")

    @property
    def apply_started(self) -> bool:
        """Is an approved `enable` being carried out? What it wants of its key is stored, and IAM may have done it."""
        return self.status is Status.APPROVED and self.last_event is Event.START_APPLY

    def key(self, key_id: str) -> AccessKey | None:
        """One of the IAM user's keys as it was when the request was made."""
        return next((key for key in self.keys if key.id == key_id), None)

    @property
    def known_key_ids(self) -> frozenset[str]:
        return frozenset(key.id for key in self.keys)

    @property
    def approvers(self) -> tuple[str, ...]:
        """The Slack user IDs of those whose approval counts, in the order in which they approved."""
        return tuple(approval.by for approval in self.approvals)

    @property
    def approvals_missing(self) -> int:
        """How many approvals are missing."""
        return max(0, self.approvals_needed - len(self.approvals))

    @property
    def reveals_left(self) -> int:
        return 0 if self.stopped_by else MAX_REVEALS - self.reveals

    def transition(self, event: Event, by: str, at: datetime, **changes: Any) -> KeyRequest:
        """The request after `action`, made by `by` (a Slack user ID, or "keydesk" for time itself) at `at`.

        `facts` are fields that the move sets. Raises WrongState, worded for the person, where the table has
        no such move.
        """
        after = TRANSITIONS.get((self.status, event))
        if self.status is Status.ISSUING and after is not None:
            needed = NEEDS_KEY_ON_RECORD[event]
            if bool(self.access_key_id) is not needed:
                after = None
        if self.apply_started and event in NOT_AFTER_START_APPLY:
            after = None
        if after is None:
            raise WrongState(self.status, self.story(), self.last_event_by, self.last_event_at)
        return replace(
            self,
            status=after,
            last_event=event,
            last_event_by=by,
            last_event_at=at,
            version=self.version + 1,
            **changes,
        )

    def tally(self) -> str:
        """Who has approved so far and how many are missing, in words; "" where nobody has and one is enough."""
        if self.approvals_needed < 2 and not self.approvals and not self.dropped_approvers:
            return ""
        so_far = f"approved by {mentions(self.approvers)}; " if self.approvals else ""
        lost = (
            f" ({mentions(self.dropped_approvers)} may not approve any more, so that does not count)"
            if self.dropped_approvers
            else ""
        )
        return f"{so_far}{self.more_words()}{lost}"

    def more_words(self) -> str:
        """How many approvals are missing, in words: "one more is needed", "two approvals are needed"."""
        number = ("no", "one", "two", "three", "four", "five", "six")[self.approvals_missing]
        noun = (
            "more" if self.approvals else "approval" if self.approvals_missing == 1 else "approvals"
        )
        return f"{number} {noun} {'is' if self.approvals_missing == 1 else 'are'} needed"

    def story(self) -> str:
        """What has happened to this request, who did it and when, as one sentence."""
        if self.status is Status.PENDING or self.last_event is None or self.last_event_at is None:
            tally = f": {self.tally()}" if self.tally() else ""
            return f"This request has been waiting for an approver since {utc_text(self.requested_at)}{tally}."
        who = f" by <@{self.last_event_by}>" if self.last_event_by.startswith(("U", "W")) else ""
        if self.last_event is Event.APPROVE and self.approvals:
            who = f" by {mentions(self.approvers)}"
        if self.status is Status.ISSUING:
            return "The key is already being issued; the requester is told in their direct message."
        if self.status is Status.DELETING:
            rest = "; *Reveal my key* comes back after that" if self.reveals_left > 0 else ""
            return f"The key {self.access_key_id} is being withdrawn{rest}."
        if self.apply_started:
            return f"This request is approved by {mentions(self.approvers)}, and {self.target} is being turned on now."
        if self.status is Status.APPROVED and self.last_event is not Event.APPROVE:
            decided = (
                f" by {mentions(self.approvers or (self.decided_by,))}" if self.decided_by else ""
            )
            return (
                f"This request is approved{decided} and waits for the requester to reveal the key."
            )
        what = _PAST_TENSE.get(self.last_event, str(self.status))
        story = f"This request was already {what}{who} on {utc_text(self.last_event_at)}."
        ended = self.status.final and self.status is not Status.CONFIRMED
        return f"{story} A new one may be made with `/key {self.verb_again}`." if ended else story

    @property
    def verb_again(self) -> str:
        """The command with which its requester asks anew, in a form; nobody types for more time."""
        verb = "rotate" if self.verb == "extend" else self.verb
        return f"{verb} --user {self.iam_user}" if self.is_service_user else verb
