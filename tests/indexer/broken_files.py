"""Files as users send them and as they break on the way, with what is known to be in them."""

import csv
import gzip
import io
import json
import math
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa
import zstandard
from pyarrow import parquet

from services.common.wire.input_formats import Charset, InputFormat
from tests.indexer.papers import workbook, zipped

TOKEN = re.compile(r"k\d{5}x")
_TITLES = ["冻土", "a, b", 'say "yes"', "多行\n标题", "水稻,种植", "plain", "x;y\tz", "'quoted'"]
_ODD: list[Any] = [
    10**30,
    -(2**63) - 1,
    math.inf,
    math.nan,
    {"a": 1},
    [1, None],
    [[1]],
    ["a", 1],
    "\ud800",
    "a\x00b",
    "字" * 2_000,
    True,
    [True, False],
    None,
    [],
    1e300,
]


@dataclass(slots=True)
class BrokenFile:
    """An input, and the rows in it: each holds one token of its own."""

    format: InputFormat
    content: bytes = b""
    charset: Charset | None = None
    rows: int = 0
    tokens: set[str] = field(default_factory=set)
    """The tokens that are still legible in the content."""
    exact: bool = True
    """Whether the number of rows is known; not after bytes were cut off or changed."""
    story: list[str] = field(default_factory=list)
    """What was done to it, for the message of a failed test."""


def broken_file(seed: int) -> BrokenFile:
    """The file of a seed, always the same."""
    dice = random.Random(seed)
    kind = dice.choice(list(_CONTAINERS if dice.random() < _RARELY else _WRITERS))
    file = BrokenFile(kind, story=[f"seed {seed}", kind.value])
    rows = [_row(dice, seed * 100 + n) for n in range(dice.choice([0, 1, 2, 7, 30]))]
    file.rows = len(rows)
    (_WRITERS | _CONTAINERS)[kind](dice, file, rows)
    if kind is InputFormat.PARQUET or kind is InputFormat.XLSX:
        file.tokens = {row["id"] for row in rows}
    elif kind is InputFormat.ZIP:
        file.exact = False  # a file in it that is refused is one, whatever it holds
    else:
        _spoil_text(dice, file)
        text = file.content.decode("utf-8", "replace")
        file.tokens = set(TOKEN.findall(text))
        _encode(dice, file)
        _compress(dice, file)
    _damage(dice, file)
    return file


def _row(dice: random.Random, number: int) -> dict[str, Any]:
    row: dict[str, Any] = {"id": f"k{number % 100_000:05d}x", "title": dice.choice(_TITLES)}
    row["year"] = dice.choice([2015, 2016, "2017", "", 12.5])
    row["note"] = dice.choice(["", "n", "007", "字"])
    return row


def _jsonl(dice: random.Random, file: BrokenFile, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        if dice.random() < 0.2:
            row["odd"] = dice.choice(_ODD)
    file.content = "\n".join(json.dumps(row) for row in rows).encode() + b"\n" * bool(rows)


def _lines(dice: random.Random, file: BrokenFile, rows: list[dict[str, Any]]) -> None:
    texts = [f"{row['id']} {row['title']}".replace("\n", " ") for row in rows]
    file.content = "\n".join(texts).encode() + b"\n" * dice.choice([0, 1, 3])


def _delimited(dice: random.Random, file: BrokenFile, rows: list[dict[str, Any]]) -> None:
    tabs = file.format is InputFormat.TSV
    sink = io.StringIO()
    all_quoted = dice.random() < 0.3
    style: Literal[0, 1] = csv.QUOTE_ALL if all_quoted else csv.QUOTE_MINIMAL
    writer = csv.writer(sink, lineterminator="\n", quoting=style)
    names = ["id", "title", "year", "note"]
    table = [names, *([row[name] for name in names] for row in rows)]
    for number, cells in enumerate(table):
        if tabs:
            sink.write("\t".join(re.sub(r"[\t\n]", " ", str(cell)) for cell in cells) + "\n")
            continue
        if number and dice.random() < 0.05:
            cells = dice.choice([cells[:-1], [*cells, "more"], [*cells, "", ""]])
        writer.writerow(cells)
        if dice.random() < 0.05:
            sink.write(dice.choice(["\n", ",,,\n"]))
    text = sink.getvalue()
    # Not before a cell of several lines, which would become two rows, both told.
    single = [row["id"] for row in rows if "\n" not in row["title"]]
    if not tabs and single and dice.random() < 0.3:
        cell = dice.choice(single)
        text = text.replace(f"\n{cell},", f'\n{cell},"', 1)
        file.story.append(f"stray quote behind {cell}")
    file.content = text.encode()


def _table(dice: random.Random, file: BrokenFile, rows: list[dict[str, Any]]) -> None:
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in ("id", "title")}
    columns["year"] = [dice.choice([1.5, math.nan, math.inf, None]) for _ in rows]
    columns["when"] = pa.array([dice.choice([0, 1, 2**61]) for _ in rows], pa.timestamp("us"))
    columns["tags"] = [dice.choice([[], ["a"], ["a", None], None]) for _ in rows]
    sink = io.BytesIO()
    parquet.write_table(pa.table(columns), sink, row_group_size=10)
    file.content = sink.getvalue()


def _array(dice: random.Random, file: BrokenFile, rows: list[dict[str, Any]]) -> None:
    _jsonl(dice, file, rows)
    file.content = b"[" + b",\n".join(file.content.splitlines()) + b"]"


def _workbook(_: random.Random, file: BrokenFile, rows: list[dict[str, Any]]) -> None:
    names = ["id", "title", "year", "note"]
    cells = [[row[name] for name in names] for row in rows]
    file.content = workbook({"s": [names, *cells]})


def _zip(dice: random.Random, file: BrokenFile, rows: list[dict[str, Any]]) -> None:
    files = {}
    for number in range(dice.randint(0, 4)):
        kind = dice.choice(list(_WRITERS))
        inner = BrokenFile(kind, story=[kind.value])
        _WRITERS[kind](dice, inner, [dict(row, id=f"{row['id']}{number}") for row in rows])
        if kind is not InputFormat.PARQUET:
            _spoil_text(dice, inner)
        _damage(dice, inner)
        files[f"{number}{kind.suffixes[0]}"] = inner.content
    file.content = zipped(files)


_WRITERS: dict[InputFormat, Callable[[random.Random, BrokenFile, list[dict[str, Any]]], None]] = {
    InputFormat.JSONL: _jsonl,
    InputFormat.LINES: _lines,
    InputFormat.CSV: _delimited,
    InputFormat.TSV: _delimited,
    InputFormat.PARQUET: _table,
    InputFormat.JSON: _array,
}
_CONTAINERS = {InputFormat.XLSX: _workbook, InputFormat.ZIP: _zip}
"""Formats that take a process to be read, or files in them."""
_RARELY = 0.05


def _spoil_text(dice: random.Random, file: BrokenFile) -> None:
    content = file.content
    ends = dice.choice([b"\n", b"\n", b"\r\n", b"\r", b"mixed"])
    if ends == b"mixed":
        pieces = content.split(b"\n")
        content = (
            b"".join(piece + dice.choice([b"\n", b"\r\n", b"\r"]) for piece in pieces[:-1])
            + (pieces[-1])
        )
    else:
        content = content.replace(b"\n", ends)
    if dice.random() < 0.1 and b"plain" in content:
        content = content.replace(b"plain", b"pl\xffain", 1)
        file.story.append("a byte that is no UTF-8")
    if dice.random() < 0.02 and file.format in (InputFormat.JSONL, InputFormat.LINES):
        content += b'{"id":"k99999x","title":"' + b"x" * (2 << 20) + b'"}\n'
        if not content.startswith(b'{"id":"k99999x"'):
            file.exact = False  # the last line had no end
        file.story.append("a huge line")
        file.rows += 1
    file.content = content


def _encode(dice: random.Random, file: BrokenFile) -> None:
    choice = dice.random()
    try:
        text = file.content.decode()
    except UnicodeDecodeError:
        return
    if choice < 0.1:
        file.content = text.encode("utf-8-sig")
    elif choice < 0.2:
        file.content = text.encode("utf-16")
    elif choice < 0.3:
        file.content = text.encode("gb18030")
        file.charset = dice.choice([Charset.GB18030, None])
        if file.charset is None and not text.isascii():
            file.exact = False
    file.story.append(f"charset {file.charset} {choice:.2f}")


def _compress(dice: random.Random, file: BrokenFile) -> None:
    half = len(file.content) // 2
    way = dice.choice(["plain", "plain", "gzip", "members", "padded", "zstd"])
    file.story.append(way)
    if way == "gzip":
        file.content = gzip.compress(file.content, mtime=0)
    elif way == "members":
        file.content = b"".join(map(gzip.compress, (file.content[:half], file.content[half:])))
    elif way == "padded":
        file.content = gzip.compress(file.content, mtime=0) + b"\n"
    elif way == "zstd":
        file.content = zstandard.ZstdCompressor(write_checksum=True).compress(file.content)


def _damage(dice: random.Random, file: BrokenFile) -> None:
    if not file.content or dice.random() < 0.6:
        return
    file.exact = False
    packed = file.format.binary or file.story[-1] != "plain"
    place = dice.randrange(len(file.content))
    way = dice.choice(["cut", "flipped", "more"])
    file.story.append(f"{way} at {place}")
    if way == "cut":
        file.content = file.content[:place]
    elif way == "flipped":
        changed = bytes([file.content[place] ^ 1 << dice.randrange(8)])
        file.content = file.content[:place] + changed + file.content[place + 1 :]
    else:
        file.content += bytes(dice.randrange(256) for _ in range(dice.randrange(1, 40)))
    if file.format.binary and way == "flipped":
        file.tokens = set()  # pages have no checksum: a flipped bit may change a token
    if not packed and file.charset is None:
        text = file.content.decode(
            "utf-16" if file.content[:2] == b"\xff\xfe" else "utf-8", "replace"
        )
        file.tokens = set(TOKEN.findall(text))
    elif not packed:
        file.tokens = set(TOKEN.findall(file.content.decode("gb18030", "replace")))
