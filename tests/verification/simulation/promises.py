"""Check what holds after every step of a simulation, and what holds at rest."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from bot.domain import policy
from bot.domain.keys import DesiredState, ManagedKey, Origin
from bot.domain.records import AuditEntry, Change
from bot.domain.requests import KeyRequest
from bot.domain.states import TRANSITIONS, Event, Status
from tests.verification.simulation.outside import BEGAN
from tests.verification.simulation.world import World

JUST_NOW = timedelta(seconds=60)
"""How long ago at most IAM showed what a message says."""

ONCE = (Event.APPROVE, Event.DENY, Event.CANCEL, Event.REVOKE)


class Broken(AssertionError):
    """A promise does not hold."""


class Promises:
    """Watches a simulation.

    Where the store lost writes (`rewound`), or keys changed in the console, less is checked.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._decided: Counter[tuple[str, Event]] = Counter()
        self._leaked: set[str] = set()
        self._commits = 0
        self._ended: dict[str, int] = {}  # the commit in which an approver disabled a key
        self._approved_at: dict[str, int] = {}  # the commit in which a request was approved
        self._iam_changes = -1
        self._checked = -1
        self.rewound = False
        self.console = False

    def committed(self, changes: tuple[Change, ...], entry: AuditEntry) -> None:
        """Check a commit: its transitions are in the table, in order and audited."""
        self._commits += 1
        requests = [change for change in changes if isinstance(change.after, KeyRequest)]
        for change in changes:
            before, after = change.before, change.after
            if before is not None and after.version != before.version + 1:
                raise Broken(f"{after.name} went from version {before.version} to {after.version}")
            if not _named(after, entry, changes):
                raise Broken(f"{after.name} was changed by an entry that does not name it: {entry}")
        for change in requests:
            assert isinstance(change.after, KeyRequest)
            self._check_transition(change.before, change.after)
        for change in changes:
            if isinstance(change.after, ManagedKey):
                self._key_changed(change.after)
                self._brought_back(change.before, change.after)

    def _check_transition(self, before: object, after: KeyRequest) -> None:
        world = self._world
        if before is None:
            if after.status is not Status.PENDING or after.approvals:
                raise Broken(f"{after.name} began as {after.status}")
            return
        assert isinstance(before, KeyRequest) and after.last_event is not None
        world.counts[f"transition {before.status} {after.last_event}"] += 1
        if TRANSITIONS.get((before.status, after.last_event)) is not after.status:
            raise Broken(
                f"{after.name}: no transition {before.status} {after.last_event} {after.status}"
            )
        if after.last_event in ONCE:
            self._decided[after.id, after.last_event] += 1
            if self._decided[after.id, after.last_event] > 1 and not self.rewound:
                raise Broken(f"{after.name}: {after.last_event} twice")
        if after.last_event is Event.APPROVE:
            self._approved_at[after.id] = self._commits
            self._approved(after)
        gone = after.last_event in (Event.KEY_DELETED, Event.CLOSE) and not self.rewound
        if gone and world.iam.observed(before.access_key_id) is not None:
            raise Broken(
                f"{after.name} says that {before.access_key_id} is deleted, and IAM has it"
            )
        if after.last_event is Event.APPLY and after.verb == "enable":
            self._is_on(after.target, f"{after.name} says that {after.target} is active again")

    def makes(self, request: KeyRequest) -> None:
        """Check that a key is made for the user who requested it.

        What changes after the click has begun may be noticed too late.
        """
        world = self._world
        began = world.current.started_at if world.current else world.time.seconds
        user = world.iam.users[request.iam_user]
        if user.user_id != request.iam_user_id and world.iam.remade[user.name] < BEGAN + timedelta(
            seconds=began
        ):
            raise Broken(
                f"{request.name} is for {request.iam_user_id}, and a key is made for {user.user_id}"
            )
        email, since = (
            world.people.people[request.requester].email,
            world.people.renamed.get(request.requester, 0.0),
        )
        if email != request.iam_user and since < began:
            raise Broken(
                f"{request.name} is for {request.iam_user}, and its requester is {email} by now"
            )

    def _is_on(self, key_id: str, words: str) -> None:
        """Check that the key is active, or was just now, or since this work began."""
        world, key, was = (
            self._world,
            self._world.iam.observed(key_id),
            self._world.iam.was_active.get(key_id),
        )
        ago = (
            timedelta(seconds=world.time.seconds - world.current.started_at)
            if world.current
            else JUST_NOW
        )
        if not (key and key.active) and not (was and world.time.now() - was < max(JUST_NOW, ago)):
            raise Broken(f"{words}, and it is not")

    def _approved(self, request: KeyRequest) -> None:
        """Check that enough different and permitted approvers approved."""
        if (
            len(set(request.approvers)) != len(request.approvers)
            or len(request.approvers) < request.approvals_needed
        ):
            raise Broken(
                f"{request.name} needs {request.approvals_needed} and has {request.approvers}"
            )
        if request.requester in request.approvers:
            raise Broken(f"{request.name} was approved by its requester")
        began = self._world.current.started_at if self._world.current else self._world.time.seconds
        for approver in request.approvers:
            lost = self._world.people.lost.get(approver)
            if approver not in self._world.ever_approvers or (lost is not None and lost < began):
                raise Broken(f"{request.name} counts the approval of {approver}, who may not")

    def _key_changed(self, after: ManagedKey) -> None:
        if after.leaked and after.desired is DesiredState.ACTIVE:
            raise Broken(f"{after.name} is leaked and desired active")
        if after.leaked:
            self._leaked.add(after.id)
        elif after.id in self._leaked and not self.rewound:
            raise Broken(f"{after.name} is not leaked any more")

    def _brought_back(self, before: object, after: ManagedKey) -> None:
        """Check that a key that an approver disabled is enabled by a later approval alone."""
        was = isinstance(before, ManagedKey) and policy.disabled_by_approver(before)
        if not was and policy.disabled_by_approver(after):
            self._ended[after.id] = self._commits
        if not was or after.desired is not DesiredState.ACTIVE or self.rewound or self.console:
            return
        ended = self._ended[after.id]
        if not any(
            one.verb == "enable"
            and one.target == after.id
            and self._approved_at.get(one.id, -1) >= ended
            for one in self._world.requests()
        ):
            raise Broken(
                f"{after.name} was disabled by an approver, and is enabled without an approval"
            )

    def answered(self, by: str, what: str, request_id: str) -> None:
        """Check that a decision that was answered with success is in the trail."""
        entries = {
            "approve": ("approve", "add_approval"),
            "deny": ("deny",),
            "cancel": ("cancel",),
            "revoke": ("revoke",),
        }
        actions = entries.get(what)
        if (
            actions
            and not self.rewound
            and not any(
                entry.request_id == request_id and entry.by == by and entry.action in actions
                for entry in self._world.store.entries
            )
        ):
            raise Broken(
                f"{by} was told that {what} of {request_id} was done, which is not in the trail"
            )

    def after_step(self) -> None:
        """Check that a request has one living key at most, and that locks are kept."""
        store, iam = self._world.store, self._world.iam
        if self._checked == len(store.entries) and self._iam_changes == iam.changes:
            return
        self._checked, self._iam_changes = len(store.entries), iam.changes
        if self.rewound:
            return
        living: Counter[str] = Counter()
        for key_id, request_id in self._world.made_by.items():
            key, record = iam.observed(key_id), store.key(key_id)
            if record is not None and record.origin is Origin.ORPHANED:
                continue
            going = record is not None and record.desired is not DesiredState.ACTIVE
            in_hand = record is None and "jump" in self._world.weather.kinds
            living[request_id] += bool(key and key.active and not going and not in_hand)
        desired = Counter(
            key.request_id
            for key in self._world.records()
            if key.desired is DesiredState.ACTIVE and key.request_id and key.origin is Origin.ISSUED
        )
        for request_id, number in [*living.items(), *desired.items()]:
            if number > 1:
                raise Broken(f"request {request_id} has {number} living keys")
        self._one_open()

    def _one_open(self) -> None:
        locked: set[str] = set()
        for request in self._world.requests():
            if locked & request.locks:
                raise Broken(f"{locked & request.locks} is locked twice")
            locked |= request.locks
            if any(self._world.store.lock_holder(lock) != request.id for lock in request.locks):
                raise Broken(f"{request.name} does not hold its locks")

    def at_rest(self) -> None:
        """Check the end: everything is finished, and IAM is as the records say."""
        world = self._world
        for request in world.requests():
            if not request.status.final:
                raise Broken(f"{request.name} is stuck as {request.status}")
        if world.store.holders():
            raise Broken(f"locked for ever: {world.store.holders()}")
        self._secrets()
        self._approvers_posted()
        for record in world.records():
            self._as_recorded(record)
        if self.rewound:
            return
        for key_id in world.made_by:
            key = world.iam.observed(key_id)
            if key and key.active and key_id not in world.slack.seen and not self.console:
                raise Broken(f"{key_id} is active, and its secret was not read")
        self._trail()

    def _as_recorded(self, record: ManagedKey) -> None:
        key = self._world.iam.observed(record.id)
        if record.leaked and key and key.active:
            raise Broken(f"{record.id} is leaked and active")
        if self.console or self.rewound:
            return
        if record.desired is DesiredState.DELETED and key is not None:
            raise Broken(f"{record.id} is to be deleted, and IAM has it")
        if record.desired is DesiredState.INACTIVE and key and key.active:
            raise Broken(f"{record.id} is to be off, and is active")
        if record.desired is DesiredState.ACTIVE and not (key and key.active):
            raise Broken(f"{record.id} is to be on, and is {key.status if key else 'gone'}")

    def _secrets(self) -> None:
        """Check that each secret is in ephemerals to its requester, and nowhere else."""
        world = self._world
        lasting = (
            repr(world.store.values())
            + repr(world.store.entries)
            + repr(world.slack.announced)
            + repr(world.trace)
        )
        for key_id, secret in world.iam.made.items():
            if secret in lasting:
                raise Broken(f"the secret of {key_id} was stored")
        for channel, key_id, _ in world.slack.observed:
            request = world.asked.get(world.made_by.get(key_id, ""))
            if request is None or request.dm != channel:
                raise Broken(f"{key_id} was shown in {channel}")

    def _approvers_posted(self) -> None:
        """Check that the newest approvers were posted, and each recorded change was."""
        store, people, posted = self._world.store, self._world.people, self._world.slack.announced
        told, approvers = store.announced_approvers(), people.approvers()
        if told is not None and told != approvers:
            raise Broken(f"{sorted(told)} was posted last, and {sorted(approvers)} may approve")
        for entry in store.entries:
            if entry.action == "approvers" and entry.detail not in [what for _, what in posted]:
                raise Broken(f"a change of approvers was never posted: {entry.detail}")

    def _trail(self) -> None:
        """Check that the trail has an entry of each request."""
        noted = Counter(
            entry.request_id
            for entry in self._world.store.entries
            if entry.to_status in list(Status)
        )
        for request in self._world.requests():
            if noted[request.id] < 1:
                raise Broken(f"{request.name} has no entry")


def _named(value: KeyRequest | ManagedKey, entry: AuditEntry, changes: tuple[Change, ...]) -> bool:
    """Say whether the entry names this value, or its request or key."""
    named = {entry.request_id, entry.key_id} - {""}
    for change in changes:
        after, before = change.after, change.before
        if after.id in named:
            named |= {
                getattr(after, name, "")
                for name in ("target", "delete_first", "request_id", "replaces")
            }
        if isinstance(before, ManagedKey):
            named |= {after.id} if before.replaces in named else set()
    other = value.access_key_id if isinstance(value, KeyRequest) else value.request_id
    return value.id in named or other in named
