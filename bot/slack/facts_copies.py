"""How is it shown what a key will be able to do, and what its person asked for before? Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from slack_sdk.models.blocks import Block

from bot.core.iam_facts import Group, IamFacts
from bot.core.request import Earlier, KeyRequest
from bot.slack.blocks import context, escape, moment, section

READING = ":mag: Reading what this key will be able to do…"
UNREAD = "could not be read"
ROOM, GROUPS_ROOM, GROUP_ROOM, SHORT_ROOM, REASON_ROOM = 600, 1000, 200, 150, 200
"""Letters for a list of names, for all groups, for the policies of one, for a short warning and for a denial's reason:
together far from the 3000 of a section ("Block Kit", Slack)."""


def on_card(request: KeyRequest) -> list[Block]:
    """What the approvers see: a warning first, what the key will be able to do, what is unread, earlier requests."""
    return [*_facts(request), *([section(_earlier(request.earlier))] if request.earlier else [])]


def in_short(request: KeyRequest) -> str:
    """The warning alone, for a row; "" where there is none. It goes on after what stands before it."""
    facts = request.facts
    if facts is None or not facts.risky:
        return ""
    return f" · :warning: {_who(facts.admin_like, SHORT_ROOM) if facts.admin_like else _NOT_KNOWN}"


_NOT_KNOWN = f"whether it is administrator-like {UNREAD}"


def _facts(request: KeyRequest) -> list[Block]:
    if request.facts is None:
        if request.awaits_facts:
            return [section(READING)]
        late = request.facts_due is not None and request.decided_at is not None
        return (
            [context("Decided before AWS had told what this key will be able to do.")]
            if late
            else []
        )
    facts = request.facts
    title = "What the new key will be able to do" if request.has_secret else "What this key can do"
    as_of = f"  as of {moment(request.facts_at)}" if request.facts_at else ""
    lines = [
        f"*{title}*{as_of}",
        f"*Policies*  {_known(facts, facts.attached, 'ListAttachedUserPolicies')}",
        f"*Inline policies*  {_known(facts, facts.inline, 'ListUserPolicies')}",
        f"*Groups*  {UNREAD if facts.could_not_read('ListGroupsForUser') else _groups(facts.groups)}",
        f"*MFA*  {UNREAD if facts.mfa is None else 'yes' if facts.mfa else 'no'}",
    ]
    blocks: list[Block] = []
    if facts.admin_like:
        blocks.append(section(f":warning: {_who(facts.admin_like, ROOM)}"))
    elif facts.unsure:
        blocks.append(section(f":warning: {_NOT_KNOWN.capitalize()}; take it for possible."))
    blocks.append(section("\n".join(lines)))
    if facts.missing:
        blocks.append(context(_missing(facts)))
    return blocks


def _who(admin_like: Sequence[str], room: int) -> str:
    return f"*Administrator-like:* {_names(admin_like, room)}"


def _known(facts: IamFacts, names: Sequence[str], action: str) -> str:
    return UNREAD if facts.could_not_read(action) else _names(names, ROOM)


def _groups(groups: Sequence[Group]) -> str:
    words = []
    for group in groups:
        policies = (*group.attached, *group.inline)
        words.append(
            f"`{escape(group.name)}`{f' ({_names(policies, GROUP_ROOM)})' if policies else ''}"
        )
    return _cut(words, GROUPS_ROOM)


def _names(names: Iterable[str], room: int) -> str:
    return _cut([f"`{escape(name)}`" for name in names], room)


def _cut(words: Sequence[str], room: int) -> str:
    """The first words that have room, at least one, and how many more there are; "none" for none."""
    shown, used = 0, 0
    for word in words:
        used += len(word) + len(", ")
        if shown and used > room:
            break
        shown += 1
    more = [f"and {len(words) - shown} more"] if shown < len(words) else []
    return ", ".join([*words[:shown], *more]) or "none"


def _missing(facts: IamFacts) -> str:
    """Which permissions the desk lacks, and which answers did not come."""
    denied = ", ".join(f"`iam:{one.action}`" for one in facts.missing if one.denied)
    silent = ", ".join(f"`iam:{one.action}`" for one in facts.missing if not one.denied)
    return " ".join(
        filter(
            None,
            [
                f"AWS does not let the desk do {denied}." if denied else "",
                f"AWS did not answer {silent}." if silent else "",
            ],
        )
    )


def _earlier(earlier: Earlier) -> str:
    """How often its person asked and was denied before, and the last denial."""
    if not earlier.asked:
        return "*Earlier requests*  none"
    last = ""
    if earlier.denied:
        by = f" by <@{earlier.by}>" if earlier.by else ""
        when = f", {moment(earlier.denied_at)}" if earlier.denied_at else ""
        why = f": {escape(_one_line(earlier.why))}" if earlier.why else ""
        last = f"; the last denial{by}{when}{why}"
    return f"*Earlier requests*  {earlier.asked}, {earlier.denied or 'none'} of them denied{last}"


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= REASON_ROOM else f"{line[:REASON_ROOM]}…"
