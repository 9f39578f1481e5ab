"""What the documentation names exists: commands with their options, make targets, links."""

import importlib
import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.exceptions import TyperException
from typer.main import get_command

from tests.docs.blocks import ROOT, Block, blocks, manuals, pages
from xunwen.cli.main import app
from xunwen.cli.offline import _COMMANDS as OFFLINE

_SHELL = {"|", ">", ">>", "<", "&&", "||", ";", "&", "2>&1", "2>/dev/null"}
_LINK = re.compile(r"\]\(([^)#:\s]*)(?:#([^)\s]*))?\)")
_FENCED = re.compile(r"```.*?```", re.DOTALL)
_INDENTED = re.compile(r"^    \S.*(?:\n    .*)*", re.MULTILINE)
"""Commands that take too long to be run with the tests."""
_FILE = re.compile(r"`((?:services|training|xunwen|benchmarks|deploy|tests|docs)/[\w./-]+\.\w+)`")
_TEST = re.compile(r"`(?:\w+/)?(test_\w+\.py)`")
_HEREDOC = re.compile(r"<<'?(\w+)'?\n.*?\n\1\n", re.DOTALL)


def lines(first: str) -> Iterator[tuple[Block, list[str]]]:
    """The words of each command line that begins with `first`."""
    for page in pages():
        for block in (*blocks(page), *indented(page)):
            if block.language != "bash":
                continue
            code = _HEREDOC.sub("\n", block.code.replace("\\\n", " "))
            for line in code.splitlines():
                if re.match(rf"\s*(\w+=\S+ )*{first} ", line):
                    yield block, _words(line[line.index(first) :])


def indented(page: Path) -> Iterator[Block]:
    text = _FENCED.sub("", page.read_text(encoding="utf-8"))
    for found in _INDENTED.finditer(text):
        yield Block(page.name, 0, "bash", textwrap.dedent(found[0]))


def _words(line: str) -> list[str]:
    words = []
    for word in shlex.split(line, comments=True):
        if word in _SHELL:
            break
        words.append(word)
    return words[1:]


def test_commands_and_their_options_exist() -> None:
    seen = 0
    for block, words in lines("xunwen"):
        seen += 1
        try:
            _parse(app, words)
        except typer.Exit:
            continue  # --help
        except TyperException as error:
            pytest.fail(f"{block}: xunwen {' '.join(words)}: {error}")
    assert seen > 20


def _parse(application: typer.Typer, words: list[str]) -> None:
    """Raises what the command line would report as wrong usage."""
    command = get_command(application)
    while True:
        context = command.make_context(command.name or "xunwen", list(words))
        if not hasattr(command, "resolve_command"):
            return
        rest = [*context._protected_args, *context.args]
        name, command, words = command.resolve_command(context, rest)
        if name in OFFLINE and context.parent is None:
            module, _ = OFFLINE[name]
            _parse(importlib.import_module(module).app, words)
            return


def test_every_command_stands_in_the_table_of_commands() -> None:
    page = (ROOT / "docs/cli.md").read_text("utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    listed = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert listed == set(get_command(app).commands)  # type: ignore[attr-defined]


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for block, words in lines("make"):
        named = [word for word in words if "=" not in word and not word.startswith("-")]
        assert set(named) <= targets, f"{block}: make {named}"


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    text = _FENCED.sub("", page.read_text(encoding="utf-8"))
    for target, section in _LINK.findall(text):
        linked = page.parent / target if target else page
        assert linked.exists(), f"{page.name} links to {target}"
        assert not section or section in sections(linked), f"{page.name}: {target}#{section}"


def sections(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = _FENCED.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}


@pytest.mark.parametrize("page", manuals(), ids=lambda page: page.stem)
def test_files_that_are_named_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    there = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    assert [name for name in _TEST.findall(text) if name not in there] == []
    assert [path for path in _FILE.findall(text) if not (ROOT / path).exists()] == []
