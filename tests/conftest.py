"""What tests of several areas share."""

from collections.abc import Iterator

import pytest

from tests.stack import PAPERS, Stack, running_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole system with 1,000 papers, started once for all tests that ask for it.

    The fine phase reads 20 candidates, not 100, so that tests wait less for a busy machine.
    """
    with running_stack(tmp_path_factory.mktemp("stack"), PAPERS, rank_keep="20") as stack:
        yield stack
