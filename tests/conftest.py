"""What tests of several areas share."""

from collections.abc import Generator, Iterator
from itertools import islice
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.stack import DOCUMENTS, PAPERS, Stack, running_stack
from tests.turns import SystemScheduling, turn


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return SystemScheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    with turn(item):
        return (yield)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole system with DOCUMENTS papers, started once for all tests that ask for it.

    The fine phase reads 20 candidates, not 100, so that tests wait less for a busy machine.
    """
    folder = tmp_path_factory.mktemp("stack")
    sample = folder / PAPERS.name
    with PAPERS.open(encoding="utf-8") as papers:
        sample.write_text("".join(islice(papers, DOCUMENTS)), encoding="utf-8")
    with running_stack(folder, sample, rank_keep="20") as stack:
        yield stack
