"""Every command of the documentation does what the page says, against the running system."""

from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, RUN, Block, blocks, missing, pages
from tests.docs.running import run
from tests.stack import Stack

PAGES = [
    "quick-start",
    "tutorial",
    "click-log",
    "indexing",
    "api",
    "agents",
    "cli",
    "client",
    "compatible",
    "faq",
]
"""Of docs/, those whose commands are run here."""


def to_run(page: Path) -> list[Block]:
    return [
        block
        for block in blocks(page)
        if block.language in RUN and not block.tested_by and not block.environment
    ]


@pytest.fixture(scope="module")
def stack_at_rest(stack: Stack) -> Stack:
    """The system as readers have it, who type more slowly than a test does: with the suggestions of
    the sample made, for which a first request waits two seconds at most."""
    stack.await_suggestions("literature")
    return stack


@pytest.mark.parametrize("page", PAGES)
def test_commands(page: str, stack_at_rest: Stack, tmp_path: Path) -> None:
    for block in to_run(ROOT / "docs" / f"{page}.md"):
        ran = run(block, stack_at_rest, tmp_path)
        printed = f"{ran.stdout}\n{ran.stderr}"
        assert ran.returncode == 0, f"{block} ended with {ran.returncode}:\n{printed}"
        lost = missing(block.output, printed)
        assert not lost, f"{block} did not print {lost}, but:\n{printed}"


def test_every_command_is_run_here_or_says_which_test_runs_it() -> None:
    for page in pages():
        run_here = page.parent.name == "docs" and page.stem in PAGES
        for block in blocks(page):
            if block.tested_by:
                assert (ROOT / block.tested_by).is_file(), f"{block}: no {block.tested_by}"
            elif block.language in (*RUN, "sh") and not block.environment:
                assert run_here, f"{block} is run by no test"
                assert block.language in RUN, f"{block} is run by no test"
