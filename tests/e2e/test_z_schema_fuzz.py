"""schemathesis against the system as it is shipped: whatever is sent, no 5xx and no answer that
the schema does not describe. Last, as it writes freely."""

import pytest

from tests.gateway.fuzzing import OPERATIONS, Described, described, fuzz
from tests.stack import Stack


@pytest.fixture(scope="module")
def schema(system: Stack) -> Described:
    return described(system.url)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_all_checks(schema: Described, method: str, path: str) -> None:
    fuzz(schema, method, path, {}, examples=2)
