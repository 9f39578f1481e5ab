"""schemathesis against the live gateway, all checks: whatever is sent, no 5xx and no answer that
the schema does not describe. Last, as it writes freely."""

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from tests.stack import Stack


@pytest.fixture(scope="module")
def described(system: Stack) -> schemathesis.schemas.BaseSchema:
    return schemathesis.openapi.from_url(f"{system.url}/openapi.json")


schema = schemathesis.pytest.from_fixture("described")


@schema.parametrize()
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_all_checks(case: schemathesis.Case) -> None:
    case.call_and_validate()
