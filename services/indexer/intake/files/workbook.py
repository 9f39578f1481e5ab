"""Makes records of the rows of an Excel workbook."""

import json
from collections.abc import Iterator
from typing import IO, Any

from services.indexer.intake.about import About
from services.indexer.intake.files.copies import on_disk
from services.indexer.intake.files.extracted import Unreadable
from services.indexer.intake.files.sandbox import SHEET_SECONDS, Sandbox
from services.indexer.intake.record import EXCERPT_CHARS, BadInput, Record, named_twice

_SHARED_ID = "has its id in a cell that is merged with the one above; give it an id of its own"


def rows(stream: IO[bytes], about: About) -> Iterator[Record]:
    """A record for each row. Raises BadInput for a workbook that cannot be read."""
    try:
        with on_disk(stream) as (path, _):
            for batch in about.sandbox.read("sheets", path, None, SHEET_SECONDS):
                yield from _records(batch, about.mapping.id)
    except Unreadable as problem:
        raise BadInput(f"The workbook {problem}.") from None


def columns(stream: IO[bytes], sandbox: Sandbox) -> list[str]:
    """The names of a workbook's columns, from its header. Raises BadInput."""
    try:
        with on_disk(stream) as (path, _):
            [header] = sandbox.read("header", path, None, SHEET_SECONDS)
    except Unreadable as problem:
        raise BadInput(f"The workbook {problem}.") from None
    names = [str(name) for name in header]
    if twice := named_twice(names):
        raise BadInput(f"The workbook has the column {twice} twice; rename one.")
    return names


def _records(batch: dict[str, Any], identity: str) -> Iterator[Record]:
    """The records of a batch; `identity` is the name of the column of ids."""
    names = batch["columns"]
    for problem in batch.get("problems", ()):
        yield Record(0, None, problem, beside_rows=True)
    for number, cells, shared in batch["rows"]:
        shown = json.dumps(cells, ensure_ascii=False)[:EXCERPT_CHARS]
        problem = _unnamed(names, cells)
        if any(names[place : place + 1] == [identity] for place in shared):
            problem = _SHARED_ID
        if problem:
            yield Record(number, None, problem, shown)
            continue
        # Shorter rows have no cells at their end; none is empty on purpose.
        values = {
            name: cell for name, cell in zip(names, cells, strict=False) if name and cell != ""
        }
        yield Record(number, values, excerpt=shown)


def _unnamed(names: list[str], cells: list[Any]) -> str:
    for place, cell in enumerate(cells):
        if cell != "" and (place >= len(names) or not names[place]):
            return f"has a value in column {place + 1}, which has no name in the header"
    return ""
