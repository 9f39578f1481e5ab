"""The sources of the pages: one sentence on one line, so that an edit is a readable diff."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, pages

SOURCES = [*pages(), ROOT / "CHANGELOG.md"]
_CONTINUED = re.compile(r"^[a-z]")
"""A line that begins like this goes on with the sentence of the line before."""


@pytest.mark.parametrize("page", SOURCES, ids=lambda page: page.stem)
def test_no_sentence_is_wrapped(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = text.splitlines()
    wrapped = [
        line
        for before, line in pairwise(lines)
        if _CONTINUED.match(line) and before.strip() and not before.startswith(("|", "<", "!"))
    ]
    assert wrapped == []
