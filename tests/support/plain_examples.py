"""Give the example requests and keys the facts of usual ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.domain.keys import AccessKey, LastUsed, ManagedKey
from bot.domain.requests import KeyRequest
from tests.support.example_requests import NOW

_PLAIN_USE = LastUsed(NOW - timedelta(days=3), "s3", "eu-west-1")


def plain_key(key: AccessKey) -> AccessKey:
    """Return an IAM key with the facts of a usual one."""
    used = _PLAIN_USE if key.last_used and key.last_used.at else key.last_used
    return replace(key, iam_user="alice@example.com", last_used=used)


def plain_request(request: KeyRequest) -> KeyRequest:
    """Return a request with the facts of a usual one."""
    return replace(
        request,
        iam_user="ci-deploy" if request.is_service_user else "alice@example.com",
        reason="deploy script" if request.reason else "",
        denial_reason="Use the build server's role" if request.denial_reason else "",
        detail=None,
        keys=tuple(plain_key(key) for key in request.keys),
    )


def plain_record(key: ManagedKey) -> ManagedKey:
    """Return a stored key with the facts of a usual one."""
    return replace(
        key,
        iam_user="alice@example.com",
        disable_note="it is in a public file" if key.disable_note else "",
        snapshot=tuple(plain_key(one) for one in key.snapshot),
    )
