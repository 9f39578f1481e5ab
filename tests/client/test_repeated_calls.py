"""The client's page names the calls that are not sent again."""

import ast
import re
from collections.abc import Iterator

from tests.docs.blocks import ROOT


def sent_once() -> Iterator[str]:
    """The functions whose call is, always or at times, sent once."""
    for module in (ROOT / "xunwen/client/calls").glob("*_calls.py"):
        for function in ast.parse(module.read_text(encoding="utf-8")).body:
            if isinstance(function, ast.FunctionDef) and any(
                isinstance(word, ast.keyword) and word.arg == "repeatable"
                for word in ast.walk(function)
            ):
                yield function.name


def test_the_page_names_the_calls_that_are_sent_once() -> None:
    page = (ROOT / "docs/client.md").read_text(encoding="utf-8")
    [line] = [line for line in page.splitlines() if line.endswith("are sent once.")]
    assert set(re.findall(r"`(\w+)`", line)) == set(sent_once())
