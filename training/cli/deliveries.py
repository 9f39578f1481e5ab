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
    left_out: int = 0
    """Number of records of a matrix's texts that are no documents."""


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
    try:
        vectors = _matrix(shards.file(shard.number, "npy"))
        with shards.file(shard.number, "jsonl").open("rb") as lines:
            documents = [_ROW.validate_json(line) for line in lines]
        whole = len(documents) == shard.documents == len(vectors)
    except (FileNotFoundError, ValueError):  # A line of JSON that is none is a ValueError, too.
        whole = False
    if not whole:
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
        matrix = _matrix(source)
    except (OSError, ValueError) as error:
        raise ExtractionError(
            f"{source} is no .npy file of a float matrix [documents, dimension], or not a whole"
            " one; numpy.save writes one"
        ) from error
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
            yield Delivery("block", number, documents, unit[kept], len(block) - len(kept))
            number += 1


def _matrix(file: Path) -> NDArray[np.floating]:
    """The float matrix of a .npy file, which stays on disk. Raises OSError, ValueError."""
    try:
        matrix = np.load(file, mmap_mode="r")
    except EOFError as error:  # The file is empty.
        raise ValueError(f"{file} is empty") from error
    if not isinstance(matrix, np.ndarray) or matrix.ndim != 2 or matrix.dtype.kind != "f":
        raise ValueError(f"{file} holds no float matrix")
    return matrix
