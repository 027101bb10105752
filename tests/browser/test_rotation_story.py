"""Can a person see a key's whole rotation, by moving the clock? The demo's Slack and AWS, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from bot.slack import action_ids
from sandbox.aws import LocalAws
from sandbox.demo import furnish, settings, slack_and_aws
from sandbox.local import LocalSlack
from tests.browser.story import be, button, confirm, opened, reveal
from tests.browser.test_page import say
from tests.support.running_bot import RunningBot

ALICE = "alice@example.com"
DAY = 24 * 60 * 60

pytestmark = pytest.mark.browser
Places = tuple[LocalSlack, LocalAws]


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Places]:
    """The demo's Slack and AWS, with the real bot between them."""
    clock = tmp_path / "clock"
    slack, aws = slack_and_aws(clock)
    with aws, slack:
        furnish(aws)
        with RunningBot(slack, aws, tmp_path, more=settings(slack, aws, clock)):
            yield slack, aws


@pytest.fixture
def page(places: Places) -> Iterator[Page]:
    """The page as Alice, in #general; a script error fails the test."""
    with opened(places[0].url) as page:
        yield page


def pass_time(page: Page, step: str) -> None:
    """Move the desk's clock on by one of its buttons, e.g. "+1 day"."""
    page.get_by_role("group", name="Sandbox clock").get_by_role(
        "button", name=step, exact=True
    ).click()


def let_use(page: Page, key: str) -> None:
    """Let a program use that key."""
    page.get_by_role("combobox", name="Use a key").select_option(key)
    expect(page.get_by_text(f"Used …{key[-4:]}")).to_be_attached()


def message(page: Page, *words: str) -> Locator:
    """The newest message that holds all these words."""
    found = page.get_by_role("article")
    for each in words:
        found = found.filter(has_text=each)
    return found.last


def rotated(page: Page, aws: LocalAws, old: str) -> str:
    """Let Alice ask in the form that is open, Carol approve, and Alice take the new key; return its ID."""
    form = page.get_by_role("dialog")
    form.get_by_role("combobox").select_option(old)
    form.get_by_role("button", name="Ask", exact=True).click()
    expect(form.get_by_role("combobox")).to_have_count(0)
    form.get_by_role("button", name="Close").last.click()
    be(page, "Carol Clark", "key-approvals")
    card = message(page, "rotate", old)
    button(card, action_ids.APPROVE).click()
    expect(button(card, action_ids.APPROVE)).to_have_count(0)
    be(page, "Alice Adams", "Keydesk")
    shown, new = reveal(page)
    expect(shown).to_contain_text(aws.secrets[new])
    button(shown, action_ids.SAVED).click()
    expect(page.get_by_text(aws.secrets[new])).to_have_count(0)
    return new


def states(aws: LocalAws) -> dict[str, str]:
    """The state of each of Alice's keys."""
    return {key["AccessKeyId"]: key["Status"] for key in aws.keys(ALICE)}


def test_a_rotation_from_the_list_to_undo(page: Page, places: Places) -> None:
    """The old key, quiet since the hand-over, is turned off two days later; **Undo** brings it back."""
    slack, aws = places
    (old,) = aws.key_ids(ALICE)
    say(page, "/key list")
    button(message(page, old), action_ids.ROTATE).click()
    new = rotated(page, aws, old)

    both = page.get_by_role("article").filter(has=button(page, action_ids.CHECK))
    expect(both).to_contain_text("95")
    let_use(page, new)
    button(both, action_ids.CHECK).click()
    expect(both).to_contain_text(re.compile("eu-west-1.*eu-west-1", re.DOTALL))
    assert states(aws) == {old: "Active", new: "Active"}

    pass_time(page, "+1 day")
    pass_time(page, "+1 day")
    off = page.get_by_role("article").filter(has=button(page, action_ids.UNDO))
    button(off, action_ids.UNDO).click()
    expect(button(page, action_ids.UNDO)).to_have_count(0)
    assert states(aws) == {old: "Active", new: "Active"}
    retired = [
        call for call in aws.calls("UpdateAccessKey") if call.parameters["AccessKeyId"] == old
    ]
    assert [call.parameters["Status"] for call in retired] == ["Inactive", "Active"]
    assert [secret for secret in aws.secrets.values() if secret in slack.lasting_text()] == []


def test_from_the_home_tab_with_the_old_key_still_in_use(page: Page, places: Places) -> None:
    """What is in use is not broken by time: its owner is told, and the Home tab shows both keys."""
    _, aws = places
    (old,) = aws.key_ids(ALICE)
    page.get_by_role("link", name="Keydesk").click()
    page.get_by_role("tab", name="Home").click()
    page.get_by_role("cell", name=old).wait_for()
    button(page, action_ids.ROTATE).first.click()
    new = rotated(page, aws, old)
    both = page.get_by_role("article").filter(has=button(page, action_ids.CHECK))
    pass_time(page, "+1 hour")
    let_use(page, old)
    button(both, action_ids.CHECK).click()
    expect(both).to_contain_text("eu-west-1")

    pass_time(page, "+1 day")
    told = page.get_by_role("article").filter(has=button(page, action_ids.NOT_YET)).last
    expect(told).to_be_visible()
    assert states(aws) == {old: "Active", new: "Active"}
    confirm(page, button(told, action_ids.DISABLE_OLD))
    button(page, action_ids.UNDO).wait_for()
    page.get_by_role("tab", name="Home").click()
    expect(page.get_by_role("row", name=old)).to_contain_text("inactive")
    expect(page.get_by_role("row", name=new)).to_contain_text("active")


def test_a_leak_card_has_its_facts_in_its_thread_below_it(page: Page, places: Places) -> None:
    """Bob reports Alice's key. The facts stay with the card, and what is posted later comes after both."""
    _, aws = places
    (old,) = aws.key_ids(ALICE)
    be(page, "Bob Brown", "key-approvals")
    say(page, f"/key leaked {old}")
    reply = page.locator("article.reply").filter(has_text=old)
    expect(reply).to_contain_text(ALICE)
    say(page, "Who looks at it?")
    expect(page.locator("article", has_text="Who looks at it?")).to_be_visible()
    shown = page.get_by_role("article").all_inner_texts()
    card = next(index for index, text in enumerate(shown) if text.count(old) and text != shown[-1])
    assert old in shown[card + 1] and "Who looks at it?" in shown[-1]
    be(page, "Carol Clark", "key-approvals")
    confirm(page, button(page, action_ids.LEAKED_DISABLE))
    expect(button(page.get_by_role("article"), action_ids.LEAKED_DISABLE)).to_have_count(0)
    assert states(aws) == {old: "Inactive"}
