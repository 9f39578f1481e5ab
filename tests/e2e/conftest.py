"""The system as it is shipped: its models, its 9,000 documents, its default settings."""

from collections.abc import Iterator

import pytest

from tests.stack import DATA, PAPERS, Stack, running_stack
from xunwen import Client


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Started once for the tests of this folder; some of them kill parts of it."""
    folder = tmp_path_factory.mktemp("system")
    with running_stack(folder, PAPERS, DATA / "literature_titles.jsonl") as system:
        yield system


@pytest.fixture
def client(system: Stack) -> Iterator[Client]:
    with Client(system.url) as client:
        yield client
