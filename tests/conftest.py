"""What tests of several areas share."""

import gc
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from functools import cache
from typing import Any

import httpx
import httpx._transports.default as httpx_transports
import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from tests.scheduling import GroupScheduling, in_order, on_stack
from tests.stack import DOCUMENTS, Stack, first_papers, running_stack

# paddlenlp cannot be installed under Python 3.13, where only searching and indexing are supported.
collect_ignore = ["training", "deploy/test_extras.py"] if sys.version_info >= (3, 13) else []

# Examples take long while other tests use the processor; that is no failure.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

# The garbage collector would take a sixth of the time in which the tests are imported.
gc.disable()

# httpx reads the machine's certificates anew for each client, which takes 15 to 50 ms of processor
# time; the servers of the tests have none of these.
vars(httpx_transports)["create_ssl_context"] = cache(httpx.create_ssl_context)


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


def pytest_collection_finish() -> None:
    """Excludes what was imported from garbage collection, which is on while tests run."""
    gc.enable()
    gc.collect()
    gc.freeze()


_END = pytest.StashKey[ExitStack]()
"""What ends the shared system."""


@pytest.fixture(scope="session")
def stack(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Stack]:
    """The whole system with DOCUMENTS papers, started once for all tests that ask for it, and ended
    with the last of them.

    The fine phase reads 20 candidates, not 100, so that tests wait less for a busy machine.
    """
    folder = tmp_path_factory.mktemp("stack")
    sample = first_papers(folder, DOCUMENTS)
    with ExitStack() as end:
        request.session.stash[_END] = end
        yield end.enter_context(running_stack(folder, sample, rank_keep="20"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    call: "pytest.CallInfo[None]",
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds the server's words to the report of a test that an HTTP error ended."""
    report = yield
    error: BaseException | None = call.excinfo.value if call.excinfo else None
    while error is not None:
        if isinstance(error, httpx.HTTPStatusError):
            report.sections.append(("answer", error.response.text))
        error = error.__cause__ or error.__context__
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Ends the shared system before tests that do not need it: it takes 1.4 GB."""
    yield
    if on_stack(item.nodeid) and nextitem is not None and not on_stack(nextitem.nodeid):
        item.session.stash.get(_END, ExitStack()).close()
