"""schemathesis on a gateway with keys, all checks: no 5xx, no answer that the schema does not
describe, no key no answer. Last, as it writes freely into collections."""

from collections.abc import Iterator

import pytest

from tests.gateway.fuzzing import OPERATIONS, Described, described, fuzz
from tests.gateway.gateways import OPERATOR_KEY, gateway
from tests.stack import Stack

HEADERS = {"Authorization": f"Bearer {OPERATOR_KEY}"}


@pytest.fixture(scope="module")
def schema(stack: Stack) -> Iterator[Described]:
    with gateway(stack, require_keys="true", operator_key=OPERATOR_KEY) as url:
        yield described(url)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_all_checks(schema: Described, method: str, path: str) -> None:
    fuzz(schema, method, path, HEADERS, examples=5)


@pytest.mark.soak
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_all_checks_at_full_size(schema: Described, method: str, path: str) -> None:
    fuzz(schema, method, path, HEADERS, examples=200)
