"""Which tests of a parallel run share a process."""

from xdist.scheduler import LoadScopeScheduling

_ON_THE_STACK = (
    "tests/benchmarks/",
    "tests/cli/",
    "tests/compatible/",
    "tests/docs/",
    "tests/e2e/",
    "tests/gateway/",
    "tests/reliability/",
    "tests/training/test_load.py",
    "tests/web/",
)
"""Whose tests share the fixture `stack`, which takes long to start."""


class SystemScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Tests that share a running system run in one process, in their order."""

    def _split_scope(self, nodeid: str) -> str:
        return "stack" if nodeid.startswith(_ON_THE_STACK) else nodeid.split("/")[1]
