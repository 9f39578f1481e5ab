"""What tests of several areas share."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from tests.scheduling import GroupScheduling, in_order
from tests.stack import DOCUMENTS, Stack, first_papers, running_stack

# paddlenlp cannot be installed under Python 3.13, where only searching and indexing are supported.
collect_ignore = ["training", "deploy/test_extras.py"] if sys.version_info >= (3, 13) else []

# Examples take long while other tests use the processor; that is no failure.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def pytest_make_parametrize_id(val: object) -> str | None:
    """Bytes are named neither by their content nor by their length.

    Both may hold a time of day (gzip, zip), and then two processes name one test differently.
    """
    return "bytes" if isinstance(val, bytes) and len(val) > 20 else None


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return GroupScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Brings the tests into the order of their groups."""
    items[:] = in_order(items)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole system with DOCUMENTS papers, started once for all tests that ask for it.

    The fine phase reads 20 candidates, not 100, so that tests wait less for a busy machine.
    """
    folder = tmp_path_factory.mktemp("stack")
    sample = first_papers(folder, DOCUMENTS)
    with running_stack(folder, sample, rank_keep="20") as stack:
        yield stack
