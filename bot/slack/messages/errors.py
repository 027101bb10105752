"""Word every refusal, failure and stored detail, by code.

A text is a template, or a function of the facts. A template's fields are facts: `{key_id}` is
escaped, `{by:user}` becomes a mention, `{at:date}` a date in the reader's time zone, and
`{limit:duration}` a duration. A text never holds another text: a cause has its own code.
"""

from __future__ import annotations

from bot.domain.codes import Code, Detail
from bot.domain.commands import VERBS
from bot.domain.errors import BadCommand, KeydeskError
from bot.slack.messages.blocks import escape
from bot.slack.messages.delivery_errors import DELIVERY
from bot.slack.messages.facts import Facts, Text, fill
from bot.slack.messages.key_errors import KEYS
from bot.slack.messages.outside_errors import OUTSIDE
from bot.slack.messages.request_errors import POLICY, REQUESTS
from bot.slack.messages.text import usage

_EXAMPLE_ID = "`AKIAIOSFODNN7EXAMPLE`"


def _reason_missing(facts: Facts) -> str:
    about = "what the key is for" if facts["verb"] == "create" else "why"
    return f"Say {about} in a few words."


def _key_id_missing(facts: Facts) -> str:
    if facts["verb"] == "leaked":
        return "Which key? Add the ID of the key that you found."
    return "Which key? `/key list` shows yours."


def _unknown_command(facts: Facts) -> str:
    if facts["verb"] == "help":
        return "That isn't a command. `/key help` lists them all."
    return f"That isn't a command. Did you mean `/key {facts['verb']}`?"


_COMMANDS: dict[Code, Text] = {
    Code.UNKNOWN_COMMAND: _unknown_command,
    Code.UNKNOWN_OPTION: "`/key {verb}` has no option `--{option}`.",
    Code.OPTION_TAKES_NO_VALUE: "`--{option}` takes no value, and you can give it once.",
    Code.OPTION_NEEDS_VALUE: "`--{option}` needs one value, and you can give it once.",
    Code.NO_ARGUMENTS: "`/key {verb}` takes nothing after it.",
    Code.ONLY_A_KEY_ID: "`/key {verb}` takes one access key ID and nothing else.",
    Code.ONLY_A_MEMBER: "`/key list` shows your keys. Approvers can add one @person.",
    Code.KEY_ID_MISSING: _key_id_missing,
    Code.BAD_KEY_ID: f"That isn't an access key ID. They look like {_EXAMPLE_ID}.",
    Code.TEMPORARY_KEY: "Keys that begin with ASIA are temporary. They expire by themselves, "
    "and Keydesk doesn't manage them.",
    Code.BAD_LIFETIME: "That isn't a key's lifetime. Use hours, days or weeks: `12h`, `30d`, `2w`.",
    Code.BAD_USER_NAME: "That isn't an IAM user name.",
    Code.REASON_MISSING: _reason_missing,
    Code.REASON_TOO_LONG: "The reason has {length} characters. The maximum is {limit}.",
    Code.LOOKS_LIKE_SECRET: "That looks like a secret access key, so nothing was stored. Treat "
    "the key as leaked: report it with `/key leaked` and its ID, then request a new one.",
}

TEXTS: dict[Code, Text] = {
    **_COMMANDS,
    **POLICY,
    **REQUESTS,
    **DELIVERY,
    **KEYS,
    **OUTSIDE,
}


def error_text(error: KeydeskError) -> str:
    """Return an error's text as mrkdwn. A bad command comes with its usage."""
    words = text(error.code, error.facts)
    if isinstance(error, BadCommand) and error.verb in VERBS:
        return f"{words} Usage: `{escape(usage(error.verb))}`"
    return words


def detail_text(detail: Detail) -> str:
    """Return a stored detail's text as mrkdwn."""
    return text(Code(detail.code), detail.facts)


def text(code: Code, facts: Facts) -> str:
    """Return the text of a code.

    Raises:
        KeyError: The code has no text, or a fact is missing.
    """
    found = TEXTS[code]
    return fill(found, facts)
