"""What do messages say of a key that an approver turned off before its person had claimed it, or that is reported?"""

from __future__ import annotations

from bot.domain.keys import ManagedKey
from bot.domain.requests import KeyRequest
from bot.slack.messages import requester
from tests.support.example_keys import MANAGED
from tests.support.example_requests import APPROVER, KEY, PLACES, REQUESTS, everything
from tests.unit.slack.test_copies import CARD, OUTCOME, REMINDER, UNCLAIMED
from tests.unit.slack.test_key_copies import OFF


def said(name: str, kind: str) -> str:
    kept: KeyRequest | ManagedKey = REQUESTS.get(name) or MANAGED[name]
    return everything(requester.render(kept, kind, PLACES))


def test_of_a_key_that_an_approver_turned_off_it_is_said_who_did_and_no_other_is_promised() -> None:
    off = f"<@{APPROVER}> turned it off."
    end = "It was turned off: the request closes, and you would have to ask again."
    for kind in (CARD, f"{OUTCOME}:0", f"{REMINDER}:{KEY}"):
        assert off in said("stopped", kind)
    assert end in said("stopped", f"{OUTCOME}:0")
    assert "it is turned off" not in said("stopped", f"{REMINDER}:{KEY}")
    unclaimed = said("unclaimed and stopped", f"{UNCLAIMED}:{KEY}")
    assert f"<@{APPROVER}> turned it off, and you did not say that you have it" in unclaimed
    assert "enable it" not in unclaimed and "reveal another" not in unclaimed
    assert f"never confirmed. {off}" in said("unclaimed and stopped", CARD)
    assert f"Closed: <@{APPROVER}> turned the key off" in said("stopped and closed", CARD)


def test_of_an_old_key_that_is_reported_no_undo_is_offered() -> None:
    for kind in (f"retired:{OFF}", f"deletion:{OFF}"):
        shown = said("replaced and reported", kind)
        assert "Ask for it back" in shown and "Undo" not in shown
