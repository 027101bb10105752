"""Word the failures of AWS, Slack and the database, by code."""

from __future__ import annotations

from bot.domain.codes import Code
from bot.slack.messages.facts import Text

OUTSIDE: dict[Code, Text] = {
    Code.UNEXPECTED: "Something went wrong in Keydesk. Tell a Keydesk admin.",
    Code.UNAVAILABLE: "Keydesk can't do that right now. Nothing was lost. Try again in a minute.",
    Code.ACCESS_KEY_LIMIT: (
        "Your IAM user already has two access keys, the most that AWS allows. "
        "Delete one first with `/key delete &lt;access key ID&gt;`."
    ),
    Code.ACCESS_KEY_NOT_FOUND: (
        "AWS doesn't know that access key. It may already be deleted. `/key list` shows your keys."
    ),
    Code.AWS_DENIED: (
        "AWS doesn't let Keydesk use `{permission}` ({aws_code}). Nothing was changed. "
        "Tell a Keydesk admin."
    ),
    Code.AWS_FORBIDDEN: (
        "Keydesk isn't allowed to manage this IAM user: a policy explicitly denies `{permission}` "
        "({aws_code}). Users tagged `keydesk=never` and Keydesk's own user are protected. "
        "If that is wrong, tell a Keydesk admin."
    ),
    Code.AWS_NOT_CONFIGURED: (
        "Keydesk isn't set up correctly: it has no working AWS credentials ({aws_code}). "
        "Nothing was changed. Tell a Keydesk admin."
    ),
    Code.AWS_REFUSED: (
        "AWS refused `{action}` ({aws_code}). Nothing was changed. Try again in a minute. "
        "If that doesn't help, tell a Keydesk admin."
    ),
    Code.AWS_THROTTLED: (
        "AWS is receiving too many requests right now. Nothing was changed. Try again in a minute."
    ),
    Code.AWS_UNAVAILABLE: "AWS isn't responding. Nothing was lost. Try again in a minute.",
    Code.CONFLICT: "Someone else made a change at the same moment. Nothing was changed. Try again.",
    Code.GROUP_NEEDS_PAID_PLAN: (
        "Keydesk can't read the user group {group}, because user groups need a paid Slack plan. "
        "Nothing was changed. A Keydesk admin must list users (U…) instead of groups."
    ),
    Code.GROUP_NOT_FOUND: (
        "Keydesk can't find the user group {group}, or it is disabled. Nothing was changed. "
        "A Keydesk admin must correct the group, or enable it again in Slack."
    ),
    Code.GROUP_RATE_LIMITED: (
        "Slack limits how often Keydesk may read the user group {group}. Nothing was changed. "
        "Try again in a minute."
    ),
    Code.GROUP_SCOPE_MISSING: (
        "Keydesk can't read the user group {group}, because its Slack app lacks the scope "
        "`usergroups:read`. Nothing was changed. A Keydesk admin must add the scope and install "
        "the app again, or list users (U…) instead of groups."
    ),
    Code.GROUP_UNREADABLE: (
        "Keydesk can't read the user group {group} (Slack says {error}). Nothing was changed. "
        "Try again in a minute."
    ),
    Code.IAM_USER_NOT_FOUND: (
        "You don't have an IAM user yet. Ask an AWS admin to create one, then try again."
    ),
    Code.LOCKED: (
        "You already have another action in progress. Nothing was changed. Try again in a minute."
    ),
    Code.OUTCOME_UNKNOWN: "{call} got no answer. It may or may not have run.",
    Code.SLACK_NOT_CONFIGURED: (
        "Keydesk isn't set up correctly in Slack: `{method}` was refused ({error}). "
        "Nothing was changed. Tell a Keydesk admin."
    ),
    Code.SLACK_RATE_LIMITED: (
        "Slack limits how often Keydesk may ask right now. Nothing was changed. "
        "Try again in a minute."
    ),
    Code.SLACK_REFUSED: "Slack refused the message ({error}).",
    Code.SLACK_REFUSED_CALL: (
        "Slack refused `{method}` ({error}). Nothing was changed. Try again in a minute. "
        "If that doesn't help, tell a Keydesk admin."
    ),
    Code.SLACK_UNAVAILABLE: (
        "Slack isn't available right now, so nothing was changed. Try again in a minute."
    ),
    Code.STORED_FORMAT_TOO_NEW: (
        "A newer version of Keydesk saved `{key}` (format {format}), so this version can't read "
        "it. Nothing was changed. Tell a Keydesk admin."
    ),
    Code.STORED_VALUE_UNREADABLE: (
        "Keydesk can't read `{key}` in its database. Nothing was changed. Tell a Keydesk admin."
    ),
    Code.STORE_UNAVAILABLE: (
        "Keydesk can't reach its database. Nothing was lost. Try again in a minute."
    ),
    Code.TOO_MANY_CONCURRENT: (
        "You already have several actions in progress. Try again when they finish."
    ),
    Code.UNKNOWN_BUTTON: (
        "Keydesk doesn't know this button. It may belong to another version. `/key help` shows "
        "the commands."
    ),
    Code.UNKNOWN_FORM: "Keydesk doesn't know this form. `/key help` shows the commands.",
    Code.WORKERS_BUSY: "Keydesk is very busy, so nothing was changed. Try again in a minute.",
}
