"""What are the tests of the drawings drawn from? A request in each state with the longest facts there may be."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.core import errors
from bot.core.access_key import AccessKey, KeyStatus, LastUsed, ManagedKey, Origin, Shown, Wanted
from bot.core.counting import Count, Deed, Limit
from bot.core.moves import Action, Status
from bot.core.request import Approval, KeyRequest, Lease
from bot.slack.blocks import Drawn
from bot.slack.copies import Places

NOW = datetime(2026, 11, 24, 10, 2, tzinfo=UTC)
LATER = NOW + timedelta(hours=72)
REQUESTER, APPROVER = "U0ALICE0000", "U0CAROL0000"
ID = "0123456789abcdef0123456789abcd"
IAM_USER = ("Alice+Adams=of_the_billing_team,on@" + "example.com." * 3)[:64]
KEY, OLDER_KEY, OLDEST_KEY = "AKIAIOSFODNN7EXAMPL2", "AKIAIOSFODNN7EXAMPL3", "AKIAIOSFODNN7EXAMPL4"
HOSTILE = "<!channel> <@U0BOB|bob> <https://evil.example|Approve> & *bold* _it_ ~no~ `code` :tada: \U0001f511 &lt; "
REASON = (HOSTILE * 6)[:500]
WHY = ("Use the role <instead> & not a key. " + HOSTILE * 6)[:500]
NOTE = ("AWS refused CreateAccessKey <LimitExceeded> & more. " * 40)[:2000]

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

PLACES = Places("C0APPROVALS", " ".join(f"<!subteam^S0123456{number:03}>" for number in range(8)))

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
    asked_at=NOW,
    deadline=LATER,
)
APPROVED = PENDING.move(
    Action.APPROVE,
    APPROVER,
    NOW,
    approvals=(Approval(APPROVER, NOW),),
    decided_by=APPROVER,
    decided_at=NOW,
    deadline=LATER,
)
ISSUING = APPROVED.move(
    Action.REVEAL, REQUESTER, NOW, lease=Lease("token", NOW, LATER, NOW), deadline=LATER
)
ISSUED = ISSUING.move(Action.ISSUE, REQUESTER, NOW, access_key_id=KEY)
DELIVERED = ISSUED.move(
    Action.HAND_OVER, REQUESTER, NOW, reveals=1, handed_over_at=NOW, deadline=LATER
)
RECOVERED = ISSUED.move(Action.RECOVER, "keydesk", NOW, handed_over_at=NOW, deadline=LATER)
REMINDED = DELIVERED.move(Action.REMIND, "keydesk", NOW, reminded_at=NOW, deadline=LATER)
UNCLAIMED = REMINDED.move(Action.UNCLAIM, "keydesk", NOW, unclaimed_at=NOW, deadline=LATER)
WITHDRAWING = UNCLAIMED.move(Action.REPLACE, REQUESTER, NOW)
AGAIN = WITHDRAWING.move(
    Action.WITHDRAWN,
    "keydesk",
    NOW,
    lease=None,
    access_key_id="",
    turn=1,
    note=NOTE,
    withdrawn=(KEY, OLDER_KEY),
    deadline=LATER,
)
STOPPED = DELIVERED.move(Action.STOP, APPROVER, NOW, stopped_by=APPROVER)
STOPPED_UNCLAIMED = UNCLAIMED.move(Action.STOP, APPROVER, NOW, stopped_by=APPROVER)
LAST = replace(WITHDRAWING, reveals=3)

APPROVAL, SECOND = Approval(APPROVER, NOW), Approval("U0ERIN00000", NOW)
ENDORSED = replace(PENDING, needed=3).move(Action.ENDORSE, APPROVER, NOW, approvals=(APPROVAL,))
QUORUM = replace(PENDING, needed=2).move(
    Action.APPROVE,
    SECOND.by,
    NOW,
    approvals=(APPROVAL, SECOND),
    decided_by=SECOND.by,
    decided_at=NOW,
    deadline=LATER,
)

DENIED = PENDING.move(
    Action.DENY, APPROVER, NOW, decided_by=APPROVER, decided_at=NOW, deadline=None, denied_why=WHY
)

REQUESTS: dict[str, KeyRequest] = {
    "pending": PENDING,
    "approved": APPROVED,
    "approved again": AGAIN,
    "issuing": ISSUING,
    "issued": ISSUED,
    "issuing again": replace(
        ISSUED, turn=1, withdrawn=(OLDER_KEY,), reminded_at=NOW, unclaimed_at=NOW
    ),
    "withdrawing": WITHDRAWING,
    "delivered": DELIVERED,
    "recovered": RECOVERED,
    "delivered a last time": replace(
        DELIVERED, reveals=3, turn=2, withdrawn=(OLDER_KEY, OLDEST_KEY)
    ),
    "reminded": REMINDED,
    "unclaimed": UNCLAIMED,
    "confirmed": DELIVERED.move(Action.CONFIRM, REQUESTER, NOW, deadline=None),
    "denied": DENIED,
    "approved by one of three": ENDORSED,
    "approved by two of three, one of whom is dropped": ENDORSED.move(
        Action.ENDORSE, SECOND.by, NOW, approvals=(SECOND,), dropped=(APPROVER,)
    ),
    "approved by two": QUORUM,
    "revoked": QUORUM.move(Action.REVOKE, SECOND.by, NOW, deadline=None),
    "revoked after a reveal": AGAIN.move(Action.REVOKE, APPROVER, NOW, deadline=None),
    "cancelled": PENDING.move(Action.CANCEL, REQUESTER, NOW, deadline=None),
    "cancelled after approval": AGAIN.move(Action.CANCEL, REQUESTER, NOW, deadline=None),
    "not decided": PENDING.move(Action.LAPSE, "keydesk", NOW, deadline=None),
    "not revealed": APPROVED.move(Action.LAPSE, "keydesk", NOW, deadline=None),
    "not revealed again": AGAIN.move(Action.LAPSE, "keydesk", NOW, deadline=None),
    "not claimed": UNCLAIMED.move(Action.LAPSE, "keydesk", NOW, deadline=None),
    "closed": LAST.move(
        Action.CLOSE, "keydesk", NOW, access_key_id="", withdrawn=(KEY, OLDER_KEY), note=NOTE
    ),
    "stopped": STOPPED,
    "unclaimed and stopped": STOPPED_UNCLAIMED,
    "stopped and closed": STOPPED.move(Action.DID_NOT_GET, REQUESTER, NOW).move(
        Action.CLOSE, "keydesk", NOW, access_key_id="", withdrawn=(KEY,), note=NOTE
    ),
    "deleted": DELIVERED.move(Action.DELETE, REQUESTER, NOW, deadline=None),
}

FOUND = ManagedKey(
    id=KEY,
    account="111122223333",
    iam_user=IAM_USER,
    owner=REQUESTER,
    request_id=ID,
    origin=Origin.FOUND,
    made_at=NOW,
    wanted=Wanted.INACTIVE,
    changed_by="keydesk",
    changed_at=NOW,
)

ERRORS: list[errors.KeydeskError] = [  # one of each kind
    errors.KeydeskError(),
    errors.Refused("No."),
    errors.BadCommand("Say why.", "/key create <reason>"),
    errors.LooksLikeSecret(),
    errors.NotAMember(),
    errors.NotAllowed("Only approvers can decide this."),
    errors.NoSuchRequest(),
    errors.WrongState("denied", DENIED.story(), APPROVER, NOW),
    errors.AlreadyOpen(ID, "You have a request open already."),
    errors.NoIamUser("the list names you twice"),
    errors.IdentityChanged(f"You are matched to another IAM user ({IAM_USER})"),
    errors.TooManyKeys(KEYS, "You have two access keys already."),
    errors.NotYourKey(),
    errors.KeyIsActive(KEY),
    errors.ChooseKey(KEY, KEYS, f"Choose which: `/key rotate {KEY} --delete {OLDER_KEY}`."),
    errors.NotInAccount(KEY),
    errors.KeyIsLeaked(KEY),
    Count(Deed.REQUEST, REQUESTER, NOW, Limit(10, 200)).over("person", 1),
    errors.OlderKey(KEY),
    errors.ClockIsOff(-3600.0),
    errors.IamRefused("EntityTemporarilyUnmodifiable", "GetUser"),
    errors.IamDenied("AccessDenied", "CreateAccessKey"),
    errors.IamThrottled("Throttling", "GetUser"),
    errors.KeyLimit(),
    errors.NoSuchIamUser(),
    errors.NoSuchKey("UpdateAccessKey"),
    errors.HandOverFailed(f"{KEY} is withdrawn."),
    errors.StillTrying(f"{KEY} is being deleted."),
    errors.Unavailable(),
    errors.StoreUnavailable(),
    errors.IamUnavailable("GetUser"),
    errors.SlackUnavailable("users.info", "ratelimited"),
    errors.OutcomeUnknown("chat.postEphemeral"),
    errors.Conflict("request:1"),
    errors.Held("open:1", "2"),
]


ROTATE = replace(PENDING, verb="rotate", target=KEY, lifetime=timedelta(days=30))
VERBS: dict[str, KeyRequest] = {  # what may be asked for besides a new key
    "rotate": ROTATE,
    "rotate, both slots taken, the other goes": replace(ROTATE, let_go=OLDER_KEY),
    "rotate, both slots taken, the same goes": replace(ROTATE, let_go=KEY),
    "rotate, the other is let go": replace(ROTATE, let_go=OLDER_KEY, let_go_at=NOW),
    "rotate, the same is let go": replace(ROTATE, let_go=KEY, let_go_at=NOW),
    "enable": replace(PENDING, verb="enable", target=OLDER_KEY),
    "extend": replace(PENDING, verb="extend", target=KEY),
    "create for a service user": replace(PENDING, service=True, lifetime=timedelta(hours=36)),
}


def decided(request: KeyRequest) -> KeyRequest:
    """A request that an approver has said yes to."""
    return request.move(
        Action.APPROVE,
        APPROVER,
        NOW,
        approvals=(Approval(APPROVER, NOW),),
        decided_by=APPROVER,
        decided_at=NOW,
        deadline=LATER,
    )


def requests() -> Iterator[tuple[str, KeyRequest]]:
    """A request in each state, in each way to come to it."""
    assert {request.status for request in REQUESTS.values()} == set(Status)
    yield from REQUESTS.items()


def found_keys() -> Iterator[tuple[str, ManagedKey]]:
    """A found key in each state."""
    for wanted in Wanted:
        for shown in Shown:
            by = "keydesk" if wanted is Wanted.INACTIVE else APPROVER
            yield f"{wanted}, {shown}", replace(FOUND, wanted=wanted, shown=shown, changed_by=by)


def parts(thing: Any, kind: str) -> list[dict[str, Any]]:
    """Every part of a message or view whose type is `kind`, however deep."""
    if isinstance(thing, Drawn):
        return parts(thing.blocks, kind)
    if isinstance(thing, list):
        return [found for one in thing for found in parts(one, kind)]
    if not isinstance(thing, dict):
        return []
    here = [thing] if thing.get("type") == kind else []
    return here + [found for one in thing.values() for found in parts(one, kind)]


def buttons(thing: Any) -> dict[str, str]:
    """The buttons of a message: their action IDs and values."""
    return {one["action_id"]: one["value"] for one in parts(thing, "button")}


def formatted(thing: Any) -> list[str]:
    """Every text in which Slack reads formatting and mentions."""
    own = [thing.text] if isinstance(thing, Drawn) else []
    return own + [one["text"] for one in parts(thing, "mrkdwn")]


def bold(message: Drawn) -> list[str]:
    """Every text that Slack shows bold."""
    return [
        found
        for text in formatted(message)
        for found in re.findall(r"(?<![\w*])\*(?=\S)([^\n]*?)(?<=\S)\*(?![\w*])", text)
    ]


def everything(message: Drawn) -> str:
    """All of a message, as text to search in."""
    return message.text + json.dumps(message.blocks, ensure_ascii=False)
