"""Which tests of a parallel run share a process, in the order in which the groups begin."""

import pytest
from xdist.scheduler import LoadScopeScheduling

KILLS = "kills"
STACK = "stack"
_KILLS = (
    "tests/e2e/",
    "tests/reliability/",
    "tests/training/test_eval_own.py",
    "tests/training/test_load.py",
    "tests/web/",
)
"""Tests on a shared system that stop its parts, those that fill it, and after them those of the
page, which need about as long."""
_STACK = (
    "tests/benchmarks/",
    "tests/cli/test_system.py",
    "tests/compatible/",
    "tests/docs/test_click_log.py",
    "tests/docs/test_clients.py",
    "tests/docs/test_pages.py",
    "tests/gateway/test_access.py",
    "tests/gateway/test_agents.py",
    "tests/gateway/test_bodies.py",
    "tests/gateway/test_citations.py",
    "tests/gateway/test_contents.py",
    "tests/gateway/test_fuzz.py",
    "tests/gateway/test_ids.py",
    "tests/gateway/test_lists.py",
    "tests/gateway/test_no_stale.py",
    "tests/gateway/test_originals.py",
    "tests/gateway/test_owned_settings.py",
    "tests/gateway/test_query_rules.py",
    "tests/gateway/test_stack.py",
    "tests/gateway/test_suggestions.py",
    "tests/gateway/test_walks.py",
)
"""The other tests on the shared system."""
FIRST = (STACK, KILLS, "indexer", "engines", "common", "deploy", "training")
"""The groups that take minutes, the longest first. One of them that began late would run alone
while the other processes have nothing left to do."""
_MILVUS = "engines"
_MILVUS_OF_THEIR_OWN = (
    "tests/engines/test_imports_from_objects.py",
    "tests/engines/test_secured.py",
    "tests/recall/test_tune.py",
)
"""Tests that start a Milvus 2.3.5, which runs once on a machine, for themselves."""


def group_of(nodeid: str) -> str:
    """Tests on the shared system are two groups, on a system each, and those on Milvus 2.3.5 are
    one; the others go by folder."""
    if nodeid.startswith(_KILLS):
        return KILLS
    if nodeid.startswith(_MILVUS_OF_THEIR_OWN):
        return _MILVUS
    return STACK if nodeid.startswith(_STACK) else nodeid.split("/")[1]


def on_stack(nodeid: str) -> bool:
    """Whether a test is in one of the two groups on the shared system."""
    return group_of(nodeid) in (KILLS, STACK)


class GroupScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Gives each process whole groups."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def in_order(items: list[pytest.Item]) -> list[pytest.Item]:
    """The groups of FIRST in their order, then the others, and in each group those that are marked
    `last` after the others.

    Those with a Milvus of their own come before those that share one until the end.

    Raises UsageError for a test on the shared system that belongs to neither of its groups.
    """
    for item in items:
        if "stack" in getattr(item, "fixturenames", ()) and not on_stack(item.nodeid):
            raise pytest.UsageError(f"{item.nodeid} uses the shared system: name it in {__name__}")

    def place(item: pytest.Item) -> tuple[int, bool, bool]:
        group = group_of(item.nodeid)
        rank = FIRST.index(group) if group in FIRST else len(FIRST)
        shares = not item.nodeid.startswith(_MILVUS_OF_THEIR_OWN)
        return rank, shares, item.get_closest_marker("last") is not None

    return sorted(items, key=place)
