"""schemathesis on a gateway with keys, all checks. Last, as it writes freely into collections."""

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from tests.gateway.gateways import OPERATOR_KEY, gateway
from tests.stack import Stack

AUTHORIZATION = {"Authorization": f"Bearer {OPERATOR_KEY}"}


@pytest.fixture(scope="module")
def described(stack: Stack) -> Iterator[schemathesis.schemas.BaseSchema]:
    with gateway(stack, require_keys="true", operator_key=OPERATOR_KEY) as url:
        yield schemathesis.openapi.from_url(f"{url}/openapi.json")


schema = schemathesis.pytest.from_fixture("described")


@schema.parametrize()
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
def test_all_checks(case: schemathesis.Case) -> None:
    case.call_and_validate(headers=AUTHORIZATION)
