"""What must be true of keys, copies and secrets whenever the desk has come to rest after a crash?"""

from __future__ import annotations

from bot.domain.keys import DesiredState, ManagedKey, Origin
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.slack import action_ids
from bot.slack.messages.kinds import Destinations, render
from sandbox.people import BOT_USER
from sandbox.seen import names_in, words_of
from tests.verification.crashes.crash_world import ALICE, CARDS, CrashWorld

OFFERS = {
    Status.PENDING: {
        action_ids.APPROVE,
        action_ids.DENY,
        action_ids.ON_IT,
        action_ids.NUDGE,
        action_ids.CANCEL,
    },
    Status.APPROVED: {action_ids.REVEAL, action_ids.CANCEL, action_ids.REVOKE},
    Status.DELIVERED: {action_ids.HAVE_IT, action_ids.DID_NOT_GET},
}
"""The buttons that the copies of a request have together."""

PLACES = Destinations("C0APPROVALS", "<!subteam^S0APPROVERS>")


def check_rest(world: CrashWorld, request: KeyRequest, lost_answers: int = 0) -> None:
    """Nothing moves by itself any more. `lost_answers`: how often Slack's answer to a posted copy was lost."""
    check_keys(world, request)
    check_copies(world, request, lost_answers)
    check_secrets(world)


def check_end(world: CrashWorld, request: KeyRequest) -> None:
    """Alice has said that she has her key: it works, she saw it, and it is the only one."""
    key_id = request.access_key_id
    assert request.status is Status.CONFIRMED
    check_rest(world, request)
    assert world.active() == [key_id]
    assert not world.delete_first or _status(world, world.delete_first) == "", (
        "what was let go is gone"
    )
    assert world.sees_secret_of(key_id)
    assert world.aws.call_as(key_id, world.aws.secrets[key_id]).endswith(f":user/{ALICE}")


def check_keys(world: CrashWorld, request: KeyRequest) -> None:
    """Promises 1 and 2: one living key at most, whose person has it or is asked; any other is off and reported."""
    asked = request.status in (Status.DELIVERED, Status.CONFIRMED)
    assert world.active() == ([request.access_key_id] if asked else [])
    assert len(world.aws.secrets) - len(world.known) <= world.reveals, (
        "a click made more than one key"
    )
    if world.kept:
        assert _status(world, world.kept) == "Active", (
            "the key that is to be replaced works until the new one does"
        )
    for key_id in set(world.aws.key_ids(ALICE)) - set(world.active()) - world.known:
        record = _record(world, key_id)
        assert (
            record and record.origin is Origin.ORPHANED and record.desired is DesiredState.INACTIVE
        )
        assert world.carol.last(CARDS, containing=key_id, button=action_ids.FOUND_DELETE), (
            "the approvers do not know of it"
        )


def check_copies(world: CrashWorld, request: KeyRequest, lost_answers: int = 0) -> None:
    """Every copy in Slack shows the request as it is stored; of each lost answer one unknown copy may be left."""
    with world.bot.store() as store:
        known = {(copy.channel, copy.ts): copy for copy in store.messages(request.name)}
        of_keys = {
            copy.ts for key_id in world.aws.secrets for copy in store.messages(f"key:{key_id}")
        }
    lasting = [
        one
        for one in (*world.alice.messages("dm"), *world.carol.messages(CARDS))
        if one.user == BOT_USER and not one.ephemeral and one.ts not in of_keys
    ]
    copies = [one for one in lasting if (one.channel, one.ts) in known]
    assert len(copies) == len(known), "a copy is gone"
    assert len(lasting) - len(copies) <= lost_answers, "a message that nobody knows of"
    assert {one.action_id for message in copies for one in message.buttons} == OFFERS.get(
        request.status, set()
    )
    name_of = world.slack.look(lambda box: names_in(box.workspace))
    for message in copies:
        ought = render(request, known[message.channel, message.ts].kind, PLACES)
        assert message.words == words_of(ought.blocks, name_of), "a copy is older than its request"


def check_secrets(world: CrashWorld) -> None:
    """Promise 3: no secret is in a file of the bot (its memory, its log), in a lasting message or in another call."""
    written = b"".join(
        path.read_bytes() for path in sorted(world.bot.folder.rglob("*")) if path.is_file()
    )
    lasting = world.slack.lasting_text()
    elsewhere = [
        str(call.args) for call in world.slack.calls() if call.method != "chat.postEphemeral"
    ]
    assert world.request().id.encode() in written, "the search looks in the wrong place"
    for secret in world.aws.secrets.values():
        assert secret.encode() not in written
        assert secret not in lasting
        assert not any(secret in args for args in elsewhere)


def _status(world: CrashWorld, key_id: str) -> str:
    """A key's status in IAM, "" where there is no such key."""
    return next(
        (str(key["Status"]) for key in world.aws.keys(ALICE) if key["AccessKeyId"] == key_id), ""
    )


def _record(world: CrashWorld, key_id: str) -> ManagedKey | None:
    with world.bot.store() as store:
        return store.key(key_id)
