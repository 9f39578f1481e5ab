"""The code blocks of the documentation, as a reader meets them.

A block of bash or Python is run in its page's order. A comment on the line above says otherwise;
a block of sh, which needs a cluster or takes hours, has one always:

    <!-- tested by tests/embedded/test_x.py -->   the test that runs it, or what it is made of
    <!-- runs in: clients -->                     it needs the environment of that name

A block ```output right after it holds what it prints: each line must come, whatever its numbers.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUN = ("bash", "python")
_FENCE = re.compile(r"^```(\w*)\s*$")
_NOTE = re.compile(r"^<!-- (tested by|runs in:) (\S+) -->$")
_ID = re.compile(r"\b(?=\w*\d)[0-9a-z]{2,}(?:[-_]?[0-9a-z]+)*[0-9a-f]{6,}\b")


@dataclass(slots=True)
class Block:
    page: str
    line: int
    language: str
    code: str
    tested_by: str = ""
    environment: str = ""
    output: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """All Markdown that a reader is sent to."""
    others = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "data" / "README.md"]
    return [*others, *sorted((ROOT / "docs").rglob("*.md"))]


def manuals() -> list[Path]:
    """All pages but those that tell of one day."""
    return [page for page in pages() if page.parent.name != "measurements"]


def blocks(page: Path) -> list[Block]:
    found: list[Block] = []
    note: re.Match[str] | None = None
    fenced = _fenced(page.read_text(encoding="utf-8"))
    for line, language, text in fenced:
        if language is None:
            note = _NOTE.match(text)
            continue
        if language == "output":
            found[-1].output = text
        else:
            block = Block(str(page.relative_to(ROOT)), line, language, text)
            if note is not None:
                kind, value = note.groups()
                block.tested_by = value if kind == "tested by" else ""
                block.environment = value if kind == "runs in:" else ""
            found.append(block)
        note = None
    return found


def _fenced(text: str) -> Iterator[tuple[int, str | None, str]]:
    """Line number, language and text of each block; language None for a line between them."""
    lines = iter(enumerate(text.splitlines(), start=1))
    for number, line in lines:
        fence = _FENCE.match(line)
        if fence is None:
            if line.strip():
                yield number, None, line.strip()
            continue
        inside: list[str] = []
        for _, each in lines:
            if each.startswith("```"):
                break
            inside.append(each)
        yield number, fence[1], "\n".join(inside) + "\n"


def missing(expected: str, printed: str) -> list[str]:
    """Lines of `expected` that were not printed, whatever their numbers and ids."""
    seen = {_shape(line) for line in printed.splitlines()}
    return [line for line in expected.splitlines() if line != "…" and _shape(line) not in seen]


def _shape(line: str) -> str:
    line = _ID.sub("ID", line)
    return " ".join(re.sub(r"-?\d[\d,.:]*", "#", line).split())
