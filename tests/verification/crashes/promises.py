"""Check keys, messages and secrets when nothing changes any more after a crash."""

from __future__ import annotations

from bot.domain.keys import DesiredState, ManagedKey, Origin
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.slack import action_ids
from bot.slack.messages.kinds import Destinations, render
from sandbox.people import BOT_USER
from sandbox.seen import names_in, words_of
from tests.verification.crashes.crash_world import ALICE, CARDS, CrashWorld

BUTTONS = {
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
"""The buttons that the messages of a request have together."""

DESTINATIONS = Destinations("C0APPROVALS", "<!subteam^S0APPROVERS>")


def check_rest(world: CrashWorld, request: KeyRequest, lost_answers: int = 0) -> None:
    """Check a state that changes no more. `lost_answers`: of posted messages."""
    check_keys(world, request)
    check_messages(world, request, lost_answers)
    check_secrets(world)


def check_end(world: CrashWorld, request: KeyRequest) -> None:
    """Check that Alice's confirmed key works, was shown to her, and is the only one."""
    key_id = request.access_key_id
    assert request.status is Status.CONFIRMED
    check_rest(world, request)
    assert world.active() == [key_id]
    assert not world.delete_first or world.status(world.delete_first) == ""
    assert world.sees_secret_of(key_id)
    assert world.aws.call_as(key_id, world.aws.secrets[key_id]).endswith(f":user/{ALICE}")


def check_keys(world: CrashWorld, request: KeyRequest) -> None:
    """Check promises 1 and 2: only a delivered key is active, others are orphans."""
    delivered = request.status in (Status.DELIVERED, Status.CONFIRMED)
    assert world.active() == ([request.access_key_id] if delivered else [])
    made = len(world.aws.secrets) - len(world.known)
    assert made <= world.reveals, "a click made more than one key"
    assert not world.rotated or world.status(world.rotated) == "Active", "the old key is off"
    for key_id in set(world.aws.key_ids(ALICE)) - set(world.active()) - world.known:
        record = _record(world, key_id)
        assert record and record.origin is Origin.ORPHANED
        assert record.desired is DesiredState.INACTIVE
        assert world.carol.last(CARDS, containing=key_id, button=action_ids.FOUND_DELETE)


def check_messages(world: CrashWorld, request: KeyRequest, lost_answers: int = 0) -> None:
    """Check that every message shows the request. A lost answer leaves one unknown."""
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
    messages = [one for one in lasting if (one.channel, one.ts) in known]
    assert len(messages) == len(known), "a message is gone"
    assert len(lasting) - len(messages) <= lost_answers, "an unknown message"
    buttons = {one.action_id for message in messages for one in message.buttons}
    assert buttons == BUTTONS.get(request.status, set())
    name_of = world.slack.look(lambda box: names_in(box.workspace))
    for message in messages:
        expected = render(request, known[message.channel, message.ts].kind, DESTINATIONS)
        assert message.words == words_of(expected.blocks, name_of), "a stale message"


def check_secrets(world: CrashWorld) -> None:
    """Check promise 3: no secret is in a file, a lasting message or another call."""
    written = b"".join(
        path.read_bytes() for path in sorted(world.bot.folder.rglob("*")) if path.is_file()
    )
    calls = [str(one.args) for one in world.slack.calls() if one.method != "chat.postEphemeral"]
    shown = "\n".join([world.slack.lasting_text(), *calls])
    assert world.request().id.encode() in written, "the search looks in the wrong place"
    for secret in world.aws.secrets.values():
        assert secret.encode() not in written and secret not in shown


def _record(world: CrashWorld, key_id: str) -> ManagedKey | None:
    with world.bot.store() as store:
        return store.key(key_id)
