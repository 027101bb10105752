"""Show that the sandbox waits for an ack as long as Slack does: three seconds."""

from __future__ import annotations

import pytest

from sandbox.local import LocalSlack
from tests.unit.sandbox.conftest import app as app
from tests.unit.sandbox.conftest import client as client
from tests.unit.sandbox.conftest import closing as closing
from tests.unit.sandbox.conftest import manifest as manifest
from tests.unit.sandbox.conftest import slack as slack


@pytest.mark.slow
@pytest.mark.usefixtures("app")
def test_a_command_that_is_not_acked_in_time_fails(slack: LocalSlack) -> None:
    delivery = slack.person("alice").command("/key silence")
    assert not delivery.acked
    assert delivery.error in ("operation_timeout", "http_client_error")
