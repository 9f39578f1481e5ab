"""What tests of several areas share."""

from collections.abc import Iterator
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.scheduling import SystemScheduling
from tests.stack import DOCUMENTS, Stack, first_papers, running_stack


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return SystemScheduling(config, log)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole system with DOCUMENTS papers, started once for all tests that ask for it.

    The fine phase reads 20 candidates, not 100, so that tests wait less for a busy machine.
    """
    folder = tmp_path_factory.mktemp("stack")
    sample = first_papers(folder, DOCUMENTS)
    with running_stack(folder, sample, rank_keep="20") as stack:
        yield stack
