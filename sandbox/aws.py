"""Run a local AWS: moto's IAM and STS on a free loopback port."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any

import boto3
from botocore.config import Config
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import AccessKey, AccessKeyLastUsed
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Response

from sandbox.aws_faults import AwsFaults
from sandbox.aws_keys import moto_iam, moto_key
from sandbox.aws_layer import ADMINISTRATOR, AwsLayer, Call
from sandbox.aws_rights import Rights
from sandbox.iam_policy import Document

BOT_USER = "keydesk-bot"
_REGION = "us-east-1"
_POLL = 0.02  # seconds between two looks whether to stop


class LocalAws:
    """An AWS account with some IAM users, and one more ("keydesk-bot") for the bot.

    A context manager. moto's state belongs to the whole process and starts clean here: use one at a
    time. `ahead` says how far the time, at which keys are made and used, runs ahead of the
    machine's. With a `policy`, which is the bot's, the account is strict: callers may do what their
    policies allow.
    """

    def __init__(
        self,
        users: Sequence[str] = (),
        ahead: Callable[[], timedelta] = timedelta,
        policy: Document | None = None,
    ) -> None:
        self.faults = AwsFaults()
        self.url = ""
        self._users = tuple(users)
        self._policy = policy
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._layer = AwsLayer(self._moto, self.faults, ahead)
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._bot_key: AccessKey | None = None

    def __enter__(self) -> LocalAws:
        self._tell_moto("reset")
        for user in (BOT_USER, *self._users):
            moto_iam().create_user(_REGION, user)
        self._bot_key = moto_iam().create_access_key(BOT_USER)
        if self._policy is not None:
            self._be_strict(self._policy)
        self._layer.history.note()
        self._server = make_server(
            "127.0.0.1", 0, self._layer, threaded=True, request_handler=_Quiet
        )
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL,), name="local-aws", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop. Calls that were held or delayed until now do not run any more."""
        if self._layer.closed:
            return
        self._layer.close()
        self.faults.clear()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        for client in self._clients.values():
            client.close()
        self._tell_moto("reset-auth", "inf")

    @property
    def rights(self) -> Rights:
        """Who may do what, in a strict account."""
        if self._layer.rights is None:
            raise RuntimeError("the local AWS is not strict")
        return self._layer.rights

    def _be_strict(self, policy: Document) -> None:
        """Judge calls by policies, and let moto judge them by their actions too."""
        self._layer.rights = Rights()
        self._layer.rights.give(f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:user/{BOT_USER}", policy)
        moto_iam().create_user(_REGION, "administrator")
        everything = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
        }
        moto_iam().put_user_policy("administrator", "everything", json.dumps(everything))
        key = moto_iam().create_access_key("administrator")
        key.access_key_id, key.secret_access_key = ADMINISTRATOR, "administrator"
        moto_iam().access_keys[ADMINISTRATOR] = key
        self._tell_moto("reset-auth", "0")

    def _tell_moto(self, what: str, data: str = "") -> None:
        told = EnvironBuilder(f"/moto-api/{what}", method="POST", data=data).get_environ()
        Response.from_app(self._moto, told)

    @property
    def credentials(self) -> dict[str, str]:
        """Return the environment by which the bot finds this AWS and its own key."""
        if self._bot_key is None:
            raise RuntimeError("the local AWS is not running")
        return {
            "AWS_ACCESS_KEY_ID": self._bot_key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self._bot_key.secret_access_key,
            "AWS_DEFAULT_REGION": _REGION,
            "AWS_ENDPOINT_URL": self.url,
        }

    @property
    def secrets(self) -> dict[str, str]:
        """Return the secret of each key that CreateAccessKey made, by key ID.

        Keys whose answer was dropped are among them.
        """
        return self._layer.secrets()

    def calls(self, action: str | None = None) -> list[Call]:
        """Return the calls of everybody but the administrator, of one action or of all."""
        return [call for call in self._layer.calls() if action in (None, call.action)]

    def client(self, service: str) -> Any:
        """Return an administrator's boto3 client ("iam", "sts").

        No fault meets it, nothing records it.
        """
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._new_client(service, ADMINISTRATOR, "administrator")
            return self._clients[service]

    def call_as(self, key_id: str, secret: str) -> str:
        """Ask STS who a key is: returns the ARN, or raises what boto3 raises.

        The key's last use is now.
        """
        sts = self._new_client("sts", key_id, secret)
        try:
            return str(sts.get_caller_identity()["Arn"])
        finally:
            sts.close()

    def keys(self, user: str) -> list[dict[str, Any]]:
        """Return the user's keys as ListAccessKeys gives them, whatever faults are on."""
        found: list[dict[str, Any]] = self.client("iam").list_access_keys(UserName=user)[
            "AccessKeyMetadata"
        ]
        return found

    def tag(self, user: str, **tags: str) -> None:
        """Put tags on a user."""
        pairs = [{"Key": name, "Value": value} for name, value in tags.items()]
        self.client("iam").tag_user(UserName=user, Tags=pairs)

    def key_ids(self, user: str) -> list[str]:
        """Return the IDs of the user's keys."""
        return [key["AccessKeyId"] for key in self.keys(user)]

    def backdate(self, key_id: str, created: datetime) -> None:
        """Set when a key was created (UTC), in whole seconds as IAM's dates are."""
        _existing(key_id).create_date = created.replace(microsecond=0)
        self._layer.history.note()

    def mark_used(
        self, key_id: str, at: datetime, service: str = "s3", region: str = _REGION
    ) -> None:
        """Let a key have been used last at a time (UTC), for a service, in a region."""
        _existing(key_id).last_used = AccessKeyLastUsed(
            timestamp=at, service=service, region=region
        )

    def working_keys(self) -> list[dict[str, str]]:
        """Return the "id" and "user" of each active key but the bot's."""
        users = [user for user in moto_iam().users.values() if user.name != BOT_USER]
        return [
            {"id": key.access_key_id, "user": user.name}
            for user in users
            for key in list(user.access_keys)
            if key.status == "Active"
        ]

    def _new_client(self, service: str, key_id: str, secret: str) -> Any:
        session = boto3.Session(
            aws_access_key_id=key_id, aws_secret_access_key=secret, region_name=_REGION
        )
        config = Config(
            connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 1}, proxies={}
        )
        return session.client(service, endpoint_url=self.url, config=config)


class _Quiet(WSGIRequestHandler):
    """Serve without a line of log for each request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Write nothing."""


def _existing(key_id: str) -> AccessKey:
    key = moto_key(key_id)
    if key is None:
        raise LookupError(f"there is no access key {key_id}")
    return key
