"""Reads training files line by line; lines that hold no example are counted and named."""

import json
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from training.failures import DataInvalid

log = logging.getLogger(__name__)

T = TypeVar("T")

NAMED_LINES = 20
"""Number of malformed lines that the log names; the count is always complete."""

SOURCES = {
    "literature_abstracts.jsonl": "GitHub CLUEbenchmark/FewCLUE by `xunwen prepare`",
    "pairs_general.tsv": "GitHub CLUEbenchmark/SimCLUE by `xunwen prepare`",
    "pairwise_general.tsv": "GitHub CLUEbenchmark/SimCLUE by `xunwen prepare`",
    "relevance_web.tsv": "GitHub CLUEbenchmark/QBQTC by `xunwen prepare`",
    "people_passages.jsonl": "GitHub ymcui/cmrc2018 by `xunwen prepare`",
    "natural_train.tsv": "queries written for literature_abstracts.jsonl, as the model card tells",
    "natural_some.tsv": "1,800 lines of natural_train.tsv at random",
    "natural_lists.tsv": "`xunwen mine --ids`",
    "natural_lists_more.tsv": "`xunwen mine --ids`",
    "natural_lists_voices.tsv": "`xunwen mine --ids`",
    "natural_lists_titles.tsv": "`xunwen mine --ids`",
    "mined.tsv": "`xunwen mine`",
}
"""The origin of the files of the shipped recipes that the project does not hold."""


_ESCAPED = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")


class Malformed(ValueError):
    """A line that holds no example; the message says why."""


@dataclass
class LineReport:
    """The number of lines of a file that were read, and the malformed ones."""

    path: Path
    read: int = 0
    malformed: int = 0
    named: list[str] = field(default_factory=list)
    """The first malformed lines with their reasons. The others are only counted: a large file of
    another form has millions."""

    def refuse(self, number: int, reason: str) -> None:
        """Counts a malformed line by its number, which counts from 1."""
        self.malformed += 1
        if len(self.named) < NAMED_LINES:
            self.named.append(f"line {number}: {reason}")

    def __str__(self) -> str:
        more = self.malformed - len(self.named)
        reasons = "; ".join([*self.named, *([f"and {more} more"] if more else [])])
        tail = f" ({reasons})" if reasons else ""
        return f"{self.path.name}: {self.read} read, {self.malformed} malformed{tail}"

    def say(self) -> None:
        """Logs the report. Raises DataInvalid if no line was usable."""
        log.log(logging.WARNING if self.malformed else logging.INFO, "%s", self)
        if not self.read:
            raise DataInvalid(f"no usable line in {self}")


def read_lines(path: Path, parse: Callable[[str], T]) -> tuple[list[T], LineReport]:
    """Every line of `path` that `parse` accepts; blank lines are skipped.

    `parse` raises Malformed. Raises DataInvalid when nothing at all could be read.
    """
    report = LineReport(path)
    items: list[T] = []
    for number, line in _numbered(path, report):
        if not line.strip():
            continue
        try:
            items.append(parse(line))
        except Malformed as error:
            report.refuse(number, str(error))
    report.read = len(items)
    report.say()
    return items, report


def _numbered(path: Path, report: LineReport) -> Iterator[tuple[int, str]]:
    if not path.is_file():
        raise DataInvalid(missing(path))
    with path.open("rb") as stream:
        for number, raw in enumerate(stream, start=1):
            try:
                yield number, text_of_line(raw, first=number == 1)
            except UnicodeDecodeError:
                report.refuse(number, "not UTF-8")


def text_of_line(raw: bytes, *, first: bool) -> str:
    """The text of a line of a file. The byte order mark that editors on Windows write before the
    first line is no part of it. Raises UnicodeDecodeError."""
    return raw.decode("utf-8-sig" if first else "utf-8").rstrip("\r\n")


def missing(path: Path) -> str:
    """The message about a file that does not exist; it says how to make the file, if that is
    known."""
    if path.is_dir():
        return f"{path} is a folder; name a file in it"
    source = SOURCES.get(path.name)
    if source is None:
        return f"{path} does not exist"
    return f"{path} does not exist: it is made of {source}; docs/training.md says its form"


def columns(at_least: int, at_most: int) -> Callable[[str], tuple[str, ...]]:
    """A parser of tab-separated lines whose columns must all be filled."""

    def parse(line: str) -> tuple[str, ...]:
        cells = tuple(cell.strip() for cell in line.split("\t"))
        if not at_least <= len(cells) <= at_most:
            wanted = str(at_least) if at_least == at_most else f"{at_least} to {at_most}"
            raise Malformed(f"{len(cells)} columns, {wanted} expected")
        if not all(cells):
            raise Malformed(f"column {cells.index('') + 1} is empty")
        return cells

    return parse


def record(*required: str) -> Callable[[str], dict[str, Any]]:
    """A parser of jsonl lines whose `required` members must be filled strings."""

    def parse(line: str) -> dict[str, Any]:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise Malformed("not JSON") from None
        if not isinstance(row, dict):
            raise Malformed("not a JSON object")
        # UTF-8 cannot hold half a character, but an escape sequence of JSON can name one.
        if _ESCAPED.search(line) and _SURROGATE.search(json.dumps(row, ensure_ascii=False)):
            raise Malformed("holds half a character (a lone surrogate)")
        for name in required:
            if not isinstance(row.get(name), str) or not row[name].strip():
                raise Malformed(f"no text in {name!r}")
        return row

    return parse


def is_jsonl(path: Path) -> bool:
    """Whether a file has a JSON object in each line, by its name."""
    return ".jsonl" in path.suffixes


def text_parser(path: Path, fields: tuple[str, ...]) -> Callable[[str], str]:
    """A parser of plain lines, or of jsonl, of whose rows it takes the first of `fields` that they
    have; it raises Malformed."""
    if not is_jsonl(path):
        return str.strip

    parse_row = record()

    def parse(line: str) -> str:
        row = parse_row(line)
        for name in fields:
            text = row.get(name)
            if isinstance(text, str) and text.strip():
                return text.strip()
        raise Malformed(f"none of {', '.join(fields)} holds text")

    return parse
