"""Example requests: one in each state, with the longest and most hostile facts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.domain.codes import Code, Detail
from bot.domain.keys import (
    AccessKey,
    DesiredState,
    KeyStatus,
    LastUsed,
    ManagedKey,
    ObservedState,
    Origin,
)
from bot.domain.requests import Approval, KeyRequest, Lease
from bot.domain.states import Event, Status
from bot.slack.messages.kinds import Destinations

NOW = datetime(2026, 11, 24, 10, 2, tzinfo=UTC)
LATER = NOW + timedelta(hours=72)
REQUESTER, APPROVER = "U0ALICE0000", "U0CAROL0000"
ID = "0123456789abcdef0123456789abcd"
IAM_USER = ("Alice+Adams=of_the_billing_team,on@" + "example.com." * 3)[:64]
KEY, OLDER_KEY, OLDEST_KEY = "AKIAIOSFODNN7EXAMPL2", "AKIAIOSFODNN7EXAMPL3", "AKIAIOSFODNN7EXAMPL4"
HOSTILE = (
    "<!channel> <@U0BOB|bob> <https://evil.example|Approve> & "
    "*bold* _it_ ~no~ `code` :tada: \U0001f511 &lt; "
)
REASON = (HOSTILE * 6)[:500]
WHY = ("Use the role <instead> & not a key. " + HOSTILE * 6)[:500]
NOTE = ("AWS refused CreateAccessKey <LimitExceeded> & more. " * 40)[:2000]
DETAIL = Detail(Code.KEY_NOT_CREATED, {"cause": "", "aws_code": NOTE})

_USED = LastUsed(
    NOW - timedelta(days=3),
    "a-service-with-an-exceptionally-long-name" * 2,
    "us-gov-northwest-17" * 3,
)
KEYS = (
    AccessKey(KEY, IAM_USER, KeyStatus.ACTIVE, NOW - timedelta(days=400), _USED),
    AccessKey(OLDER_KEY, IAM_USER, KeyStatus.INACTIVE, NOW, LastUsed()),
)
UNKNOWN_USE = replace(KEYS[0], last_used=None)

PLACES = Destinations(
    "C0APPROVALS", " ".join(f"<!subteam^S0123456{number:03}>" for number in range(8))
)

PENDING = KeyRequest(
    id=ID,
    verb="create",
    requester=REQUESTER,
    dm="D0ALICE0000",
    account="111122223333",
    iam_user=IAM_USER,
    iam_user_id="AIDA" + "X" * 17,
    reason=REASON,
    keys=KEYS,
    requested_at=NOW,
    deadline=LATER,
)
APPROVED = PENDING.transition(
    Event.APPROVE,
    APPROVER,
    NOW,
    approvals=(Approval(APPROVER, NOW),),
    decided_by=APPROVER,
    decided_at=NOW,
    deadline=LATER,
)
ISSUING = APPROVED.transition(
    Event.REVEAL, REQUESTER, NOW, lease=Lease("token", NOW, LATER, NOW), deadline=LATER
)
ISSUED = ISSUING.transition(Event.RECORD_KEY, REQUESTER, NOW, access_key_id=KEY)
DELIVERED = ISSUED.transition(
    Event.DELIVER, REQUESTER, NOW, reveals=1, delivered_at=NOW, deadline=LATER
)
RECOVERED = ISSUED.transition(Event.RECOVER, "keydesk", NOW, delivered_at=NOW, deadline=LATER)
REMINDED = DELIVERED.transition(Event.REMIND, "keydesk", NOW, reminded_at=NOW, deadline=LATER)
UNCLAIMED = REMINDED.transition(Event.UNCLAIM, "keydesk", NOW, unclaimed_at=NOW, deadline=LATER)
DELETING = UNCLAIMED.transition(Event.REPLACE, REQUESTER, NOW)
AGAIN = DELETING.transition(
    Event.KEY_DELETED,
    "keydesk",
    NOW,
    lease=None,
    access_key_id="",
    reveal_round=1,
    detail=DETAIL,
    deleted_keys=(KEY, OLDER_KEY),
    deadline=LATER,
)
STOPPED = DELIVERED.transition(Event.STOP, APPROVER, NOW, stopped_by=APPROVER)
STOPPED_UNCLAIMED = UNCLAIMED.transition(Event.STOP, APPROVER, NOW, stopped_by=APPROVER)
LAST = replace(DELETING, reveals=3)

APPROVAL, SECOND = Approval(APPROVER, NOW), Approval("U0ERIN00000", NOW)
PARTLY_APPROVED = replace(PENDING, approvals_needed=3).transition(
    Event.ADD_APPROVAL, APPROVER, NOW, approvals=(APPROVAL,)
)
QUORUM = replace(PENDING, approvals_needed=2).transition(
    Event.APPROVE,
    SECOND.by,
    NOW,
    approvals=(APPROVAL, SECOND),
    decided_by=SECOND.by,
    decided_at=NOW,
    deadline=LATER,
)

DENIED = PENDING.transition(
    Event.DENY, APPROVER, NOW, decided_by=APPROVER, decided_at=NOW, deadline=None, denial_reason=WHY
)

REQUESTS: dict[str, KeyRequest] = {
    "pending": PENDING,
    "approved": APPROVED,
    "approved again": AGAIN,
    "issuing": ISSUING,
    "issued": ISSUED,
    "issuing again": replace(
        ISSUED, reveal_round=1, deleted_keys=(OLDER_KEY,), reminded_at=NOW, unclaimed_at=NOW
    ),
    "deleting": DELETING,
    "delivered": DELIVERED,
    "recovered": RECOVERED,
    "delivered a last time": replace(
        DELIVERED, reveals=3, reveal_round=2, deleted_keys=(OLDER_KEY, OLDEST_KEY)
    ),
    "reminded": REMINDED,
    "unclaimed": UNCLAIMED,
    "confirmed": DELIVERED.transition(Event.CONFIRM, REQUESTER, NOW, deadline=None),
    "denied": DENIED,
    "approved by one of three": PARTLY_APPROVED,
    "approved by two of three, one of whom is dropped": PARTLY_APPROVED.transition(
        Event.ADD_APPROVAL, SECOND.by, NOW, approvals=(SECOND,), dropped_approvers=(APPROVER,)
    ),
    "approved by two": QUORUM,
    "revoked": QUORUM.transition(Event.REVOKE, SECOND.by, NOW, deadline=None),
    "revoked after a reveal": AGAIN.transition(Event.REVOKE, APPROVER, NOW, deadline=None),
    "cancelled": PENDING.transition(Event.CANCEL, REQUESTER, NOW, deadline=None),
    "cancelled after approval": AGAIN.transition(Event.CANCEL, REQUESTER, NOW, deadline=None),
    "not decided": PENDING.transition(Event.EXPIRE, "keydesk", NOW, deadline=None),
    "not revealed": APPROVED.transition(Event.EXPIRE, "keydesk", NOW, deadline=None),
    "not revealed again": AGAIN.transition(Event.EXPIRE, "keydesk", NOW, deadline=None),
    "not claimed": UNCLAIMED.transition(Event.EXPIRE, "keydesk", NOW, deadline=None),
    "closed": LAST.transition(
        Event.CLOSE, "keydesk", NOW, access_key_id="", deleted_keys=(KEY, OLDER_KEY), detail=DETAIL
    ),
    "stopped": STOPPED,
    "unclaimed and stopped": STOPPED_UNCLAIMED,
    "stopped and closed": STOPPED.transition(Event.DID_NOT_GET, REQUESTER, NOW).transition(
        Event.CLOSE, "keydesk", NOW, access_key_id="", deleted_keys=(KEY,), detail=DETAIL
    ),
    "deleted": DELIVERED.transition(Event.OWNER_DELETED, REQUESTER, NOW, deadline=None),
}

FOUND = ManagedKey(
    id=KEY,
    account="111122223333",
    iam_user=IAM_USER,
    owner=REQUESTER,
    request_id=ID,
    origin=Origin.ORPHANED,
    created_at=NOW,
    desired=DesiredState.INACTIVE,
    changed_by="keydesk",
    changed_at=NOW,
)


ROTATE = replace(PENDING, verb="rotate", target=KEY, lifetime=timedelta(days=30))
VERBS: dict[str, KeyRequest] = {  # what may be requested besides a new key
    "rotate": ROTATE,
    "rotate, both slots taken, the other is deleted": replace(ROTATE, delete_first=OLDER_KEY),
    "rotate, both slots taken, the same is deleted": replace(ROTATE, delete_first=KEY),
    "rotate, the other is being deleted": replace(
        ROTATE, delete_first=OLDER_KEY, delete_first_at=NOW
    ),
    "rotate, the same is being deleted": replace(ROTATE, delete_first=KEY, delete_first_at=NOW),
    "enable": replace(PENDING, verb="enable", target=OLDER_KEY),
    "extend": replace(PENDING, verb="extend", target=KEY),
    "create for a service user": replace(
        PENDING, is_service_user=True, lifetime=timedelta(hours=36)
    ),
}


def decided(request: KeyRequest) -> KeyRequest:
    """Return a request that an approver approved."""
    return request.transition(
        Event.APPROVE,
        APPROVER,
        NOW,
        approvals=(Approval(APPROVER, NOW),),
        decided_by=APPROVER,
        decided_at=NOW,
        deadline=LATER,
    )


def requests() -> Iterator[tuple[str, KeyRequest]]:
    """Yield a request in each state, for each way to come to it."""
    assert {request.status for request in REQUESTS.values()} == set(Status)
    yield from REQUESTS.items()


def found_keys() -> Iterator[tuple[str, ManagedKey]]:
    """Yield an orphaned key in each state."""
    for wanted in DesiredState:
        for shown in ObservedState:
            by = "keydesk" if wanted is DesiredState.INACTIVE else APPROVER
            yield (
                f"{wanted}, {shown}",
                replace(FOUND, desired=wanted, observed=shown, changed_by=by),
            )
