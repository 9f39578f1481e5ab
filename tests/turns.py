"""Which tests of a parallel run may run beside each other, and which share a process."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

_ON_THE_STACK = (
    *("tests/cli/", "tests/compatible/", "tests/docs/", "tests/e2e/", "tests/gateway/"),
    *("tests/reliability/", "tests/training/test_load.py", "tests/web/"),
)
"""Whose tests share the fixture `stack`, which takes long to start."""


class SystemScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Tests that share a running system run in one process, in their order."""

    def _split_scope(self, nodeid: str) -> str:
        return "stack" if nodeid.startswith(_ON_THE_STACK) else nodeid.split("/")[1]


@contextmanager
def turn(item: pytest.Item) -> Iterator[None]:
    """While the block runs, nothing runs beside a test that is marked `alone`.

    Readers and writers through files: all pass the door, and who must be alone keeps it shut until
    the others have left the room.
    """
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    if run is None:
        yield
        return
    alone = item.get_closest_marker("alone") is not None
    folder = Path(tempfile.gettempdir()) / f"xunwen-tests-{run}"
    folder.mkdir(exist_ok=True)
    with (folder / "door").open("w") as door, (folder / "room").open("w") as room:
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        yield
