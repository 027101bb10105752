"""Make the record of a key that was created for a request."""

from __future__ import annotations

from bot.domain.keys import AccessKey, DesiredState, ManagedKey, ObservedState, Origin
from bot.domain.requests import KeyRequest


def managed_key(
    request: KeyRequest,
    key: AccessKey,
    origin: Origin,
    desired: DesiredState,
    observed: ObservedState,
) -> ManagedKey:
    """Return the record of a key that was made for `request`. It is not stored yet.

    The lifetime is counted from the moment at which IAM made the key.
    """
    expires_at = None if request.lifetime is None else key.created_at + request.lifetime
    return ManagedKey(
        id=key.id,
        account=request.account,
        iam_user=request.iam_user,
        owner=request.requester,
        request_id=request.id,
        origin=origin,
        created_at=key.created_at,
        desired=desired,
        observed=observed,
        dm=request.dm,
        is_service_user=request.is_service_user,
        urgent=request.urgent,
        expires_at=expires_at,
        version=1,
    )
