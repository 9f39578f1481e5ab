"""Documents with ready-made vectors as `xunwen load` sends them: shards, and blocks of a matrix."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import typer
from numpy.typing import NDArray
from pydantic import TypeAdapter

from training.data.documents import DocumentFile, Rejected
from training.extract.shards import ExtractionError, Shard, ShardFolder

_ROW = TypeAdapter(dict[str, Any])
_BLOCK = 10_000
"""Most documents of a block of a matrix."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Documents with their vectors, float [documents, dimension]."""

    name: str
    number: int
    documents: list[dict[str, Any]]
    vectors: NDArray[np.floating]


def complete(shards: ShardFolder) -> Iterator[Shard]:
    """The finished shards of an extraction, in order. Raises ExtractionError after the last one if
    the extraction is not finished."""
    ended = False
    for shard in shards.finished():
        yield shard
        ended = shard.last
    if not ended:
        raise ExtractionError(
            f"{shards.path} is not finished; give `xunwen extract` again, then go on here"
        )


def of_shard(shards: ShardFolder, shard: Shard) -> Delivery:
    """The content of a finished shard. Raises ExtractionError if it is damaged."""
    vectors = np.load(shards.file(shard.number, "npy"), mmap_mode="r")
    with shards.file(shard.number, "jsonl").open("rb") as lines:
        documents = [_ROW.validate_json(line) for line in lines]
    if not len(documents) == shard.documents == len(vectors):
        raise ExtractionError(
            f"shard {shard.number} of {shards.path} is damaged; delete its .json file and extract"
            " again"
        )
    return Delivery("shard", shard.number, documents, vectors)


def of_matrix(source: Path, file: DocumentFile) -> Iterator[Delivery]:
    """Blocks of the rows of a matrix, each row brought to length 1, with their documents.

    The row of a text on a line of its own is that of its line, as `xunwen predict vectors` writes a
    vector for blank lines too. Raises ExtractionError before the first block if the numbers of
    documents and rows differ.
    """
    try:
        matrix = np.load(source, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise ExtractionError(f"{source} is no .npy matrix; numpy.save writes one") from error
    if matrix.ndim != 2 or matrix.dtype.kind != "f":
        raise ExtractionError(f"{source} must be a float matrix [documents, dimension]")
    rows = file.rows()
    if not rows == len(matrix) > 0:
        raise ExtractionError(
            f"{source} has {len(matrix):,} rows and {file.path} is for {rows:,}, a row for each"
            f" {file.row_of}: nothing is loaded; give the file that the matrix was made of, or make"
            " the matrix again"
        )
    with file.records() as records:
        start = number = 0
        while block := [*islice(records, _BLOCK)]:
            places = [file.row(record, at) for at, record in enumerate(block, start)]
            start += len(block)
            vectors = matrix[places].astype(np.float32)
            kept, documents = [], []
            for place, record in enumerate(block):
                try:
                    documents.append(file.document(record).model_dump(exclude_defaults=True))
                except Rejected as reason:
                    typer.echo(f"line {record.line} is left out: {reason}", err=True)
                    continue
                kept.append(place)
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
            unit = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
            yield Delivery("block", number, documents, unit[kept])
            number += 1
