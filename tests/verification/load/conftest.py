"""Fixtures of the load tests: bots as in the integration tests."""

from tests.integration.conftest import aws as aws
from tests.integration.conftest import canary as canary
from tests.integration.conftest import clock as clock
from tests.integration.conftest import numbers as numbers
from tests.integration.conftest import start as start
