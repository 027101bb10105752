"""The stories of a key, a rotation and a leak in the demo, in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from bot.slack import action_ids
from sandbox.aws import LocalAws
from sandbox.demo import furnish, settings, slack_and_aws
from sandbox.local import LocalSlack
from tests.browser.conftest import OpenPage
from tests.browser.story import approve, be, button, confirm, reveal, say
from tests.support.running_bot import RunningBot

pytestmark = pytest.mark.browser
ALICE, BOB = "alice@example.com", "bob@example.com"
Demo = tuple[LocalSlack, LocalAws]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Run the demo's Slack and AWS, and the real bot, for the whole file."""
    folder = tmp_path_factory.mktemp("demo")
    clock = folder / "clock"
    slack, aws = slack_and_aws(clock)
    with aws, slack:
        furnish(aws)
        with RunningBot(slack, aws, folder, more=settings(slack, aws, clock)):
            yield slack, aws


@pytest.fixture
def page(demo: Demo, open_page: OpenPage) -> Page:
    """Open the page as Alice, in #general."""
    return open_page(demo[0].url)


def pass_time(page: Page, step: str) -> None:
    """Move the clock on by one of its buttons, e.g. "+1 day"."""
    page.locator("#clock").get_by_role("button", name=step, exact=True).click()


def let_use(page: Page, key: str) -> None:
    """Let a program use that key."""
    page.get_by_role("combobox", name="Use a key").select_option(key)
    expect(page.get_by_text(f"Used …{key[-4:]}")).to_be_attached()


def rotated(page: Page, aws: LocalAws, name: str, old: str) -> str:
    """Rotate a key in the form that is open, up to the new key's receipt.

    Return its ID.
    """
    form = page.get_by_role("dialog")
    form.get_by_role("combobox").select_option(old)
    form.get_by_role("button", name="Ask", exact=True).click()
    expect(form.get_by_role("combobox")).to_have_count(0)
    form.get_by_role("button", name="Close").last.click()
    approve(page, "rotate", old)
    be(page, name, "Keydesk")
    shown, new = reveal(page)
    expect(shown).to_contain_text(aws.secrets[new])
    button(shown, action_ids.SAVED).click()
    expect(page.get_by_text(aws.secrets[new])).to_have_count(0)
    return new


def both_keys(page: Page) -> Locator:
    """Return the message with the last use of both keys."""
    return page.get_by_role("article").filter(has=button(page, action_ids.CHECK))


def states(aws: LocalAws, user: str) -> dict[str, str]:
    """Return the state of each key of an IAM user."""
    return {key["AccessKeyId"]: key["Status"] for key in aws.keys(user)}


def without_keys(aws: LocalAws, user: str) -> None:
    """Delete all keys of an IAM user in the console."""
    for key_id in aws.key_ids(user):
        aws.client("iam").delete_access_key(UserName=user, AccessKeyId=key_id)


def test_from_the_form_to_a_second_reveal(page: Page, demo: Demo) -> None:
    """The secret is seen once. Another key replaces one that did not arrive.

    `/key create` alone opens a form. A bad lifetime is refused at its field, and nothing that
    was typed is lost.
    """
    slack, aws = demo
    without_keys(aws, BOB)
    be(page, "Bob Brown", "general")
    say(page, "/key create")
    form = page.get_by_role("dialog")
    reason, lifetime = form.get_by_role("textbox").first, form.get_by_role("textbox").nth(1)
    reason.fill("deploy script")
    lifetime.fill("soon")
    form.get_by_role("button", name="Ask", exact=True).click()
    expect(lifetime).to_have_attribute("aria-invalid", "true")
    expect(reason).to_have_value("deploy script")
    lifetime.fill("30d")
    form.get_by_role("button", name="Ask", exact=True).click()
    expect(lifetime).to_have_count(0)
    form.get_by_role("button", name="Close").last.click()
    approve(page, "deploy script")

    be(page, "Bob Brown", "Keydesk")
    expect(page.get_by_role("tab")).to_have_text(["Home", "Messages"])
    shown, first = reveal(page)
    expect(shown).to_contain_text(aws.secrets[first])
    page.get_by_role("button", name="Reload page").click()
    expect(page.get_by_text(aws.secrets[first])).to_have_count(0)

    confirm(page, button(page, action_ids.DID_NOT_GET))
    shown, second = reveal(page)
    expect(shown).to_contain_text(aws.secrets[second])
    button(shown, action_ids.SAVED).click()
    expect(page.get_by_text(aws.secrets[second])).to_have_count(0)

    assert first != second and aws.key_ids(BOB) == [second]
    assert [secret for secret in aws.secrets.values() if secret in slack.lasting_text()] == []


def test_a_rotation_from_the_list_to_undo(page: Page, demo: Demo) -> None:
    """The old key, unused since the delivery, is disabled two days later.

    **Undo** enables it.
    """
    (slack, aws), user = demo, ALICE
    (old,) = aws.key_ids(user)
    say(page, "/key list")
    button(page.get_by_role("article").filter(has_text=old).last, action_ids.ROTATE).click()
    new = rotated(page, aws, "Alice Adams", old)

    both = both_keys(page)
    expect(both).to_contain_text("95")
    let_use(page, new)
    button(both, action_ids.CHECK).click()
    expect(both).to_contain_text(re.compile("eu-west-1.*eu-west-1", re.DOTALL))
    assert states(aws, user) == {old: "Active", new: "Active"}

    pass_time(page, "+1 day")
    pass_time(page, "+1 day")
    button(page, action_ids.UNDO).click()
    expect(button(page, action_ids.UNDO)).to_have_count(0)
    assert states(aws, user) == {old: "Active", new: "Active"}
    changes = [one.parameters for one in aws.calls("UpdateAccessKey")]
    assert [one["Status"] for one in changes if one["AccessKeyId"] == old] == ["Inactive", "Active"]
    assert [secret for secret in aws.secrets.values() if secret in slack.lasting_text()] == []


def test_a_rotation_from_the_home_tab_with_a_used_key(page: Page, demo: Demo) -> None:
    """Its owner is told, and the Home tab shows both keys."""
    _, aws = demo
    user = BOB
    without_keys(aws, user)
    aws.client("iam").create_access_key(UserName=user)
    (old,) = aws.key_ids(user)
    be(page, "Bob Brown", "Keydesk")
    page.get_by_role("tab", name="Home").click()
    page.get_by_role("cell", name=old).wait_for()
    button(page, action_ids.ROTATE).first.click()
    new = rotated(page, aws, "Bob Brown", old)
    both = both_keys(page)
    pass_time(page, "+1 hour")
    let_use(page, old)
    button(both, action_ids.CHECK).click()
    expect(both).to_contain_text("eu-west-1")

    pass_time(page, "+1 day")
    told = page.get_by_role("article").filter(has=button(page, action_ids.NOT_YET)).last
    expect(told).to_be_visible()
    assert states(aws, user) == {old: "Active", new: "Active"}
    confirm(page, button(told, action_ids.DISABLE_OLD))
    button(page, action_ids.UNDO).wait_for()
    page.get_by_role("tab", name="Home").click()
    expect(page.get_by_role("row", name=old)).to_contain_text("inactive")
    expect(page.get_by_role("row", name=new)).to_contain_text("active")


def test_a_leak_card_has_its_details_in_its_thread(page: Page, demo: Demo) -> None:
    """They stay below the card, and what is posted later comes after both."""
    _, aws = demo
    iam, user = aws.client("iam"), "leaky@example.com"
    iam.create_user(UserName=user)
    key = iam.create_access_key(UserName=user)["AccessKey"]["AccessKeyId"]
    be(page, "Bob Brown", "key-approvals")
    say(page, f"/key leaked {key}")
    expect(page.locator("article.reply").filter(has_text=key)).to_contain_text(user)
    say(page, "Who looks at it?")
    expect(page.locator("article", has_text="Who looks at it?")).to_be_visible()
    shown = page.get_by_role("article").all_inner_texts()
    card = next(index for index, text in enumerate(shown) if key in text and text != shown[-1])
    assert key in shown[card + 1] and "Who looks at it?" in shown[-1]
    be(page, "Carol Clark", "key-approvals")
    confirm(page, button(page, action_ids.LEAKED_DISABLE))
    expect(button(page.get_by_role("article"), action_ids.LEAKED_DISABLE)).to_have_count(0)
    assert states(aws, user) == {key: "Inactive"}
