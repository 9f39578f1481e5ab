"""schemathesis against the live gateway: whatever is sent, no 5xx. Last, as it writes freely."""

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error

from tests.stack import Stack


@pytest.fixture(scope="module")
def described(system: Stack) -> schemathesis.schemas.BaseSchema:
    return schemathesis.openapi.from_url(f"{system.url}/openapi.json")


schema = schemathesis.pytest.from_fixture("described")


@schema.parametrize()
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_server_error(case: schemathesis.Case) -> None:
    case.call_and_validate(checks=[not_a_server_error])
