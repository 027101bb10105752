"""Empty a local AWS, so that many tests can share it and boto3's clients."""

from __future__ import annotations

from collections.abc import Iterable

from moto.core.models import DEFAULT_ACCOUNT_ID as ACCOUNT

from sandbox.aws import BOT_USER, LocalAws
from sandbox.aws_keys import KeyHistory, moto_iam
from sandbox.iam_policy import Document

BOT_ARN = f"arn:aws:iam::{ACCOUNT}:user/{BOT_USER}"


def empty(aws: LocalAws, users: Iterable[str], policy: Document | None = None) -> None:
    """Bring a local AWS back to its start, with these users.

    The bot keeps its access key, so its clients stay usable. With a policy the account is strict.
    """
    aws.faults.clear()
    aws._tell_moto("reset")
    aws._tell_moto("reset-auth", "inf")
    for user in (BOT_USER, *users):
        moto_iam().create_user("us-east-1", user)
    key = aws._bot_key
    assert key is not None
    key.status, key.last_used = "Active", None
    moto_iam().access_keys[key.access_key_id] = key
    moto_iam().get_user(BOT_USER).access_keys.append(key)
    layer = aws._layer
    layer.rights, layer.history = None, KeyHistory()
    layer._calls.clear()
    layer._secrets.clear()
    if policy is not None:
        aws._be_strict(policy)
    layer.history.note()
