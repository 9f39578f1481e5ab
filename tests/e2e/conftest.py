"""A client of the system under test."""

from collections.abc import Iterator

import pytest

from tests.stack import Stack
from xunwen import Client


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    with Client(stack.url) as client:
        yield client
