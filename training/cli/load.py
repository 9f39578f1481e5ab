"""The command `xunwen load`."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from pydantic import TypeAdapter

from services.common.model_dir.manifest import MANIFEST, read_manifest
from services.common.wire.jobs import Job, JobState
from training.cli.reading import CharsetOption, FormatOption, MappingOption, document_file
from training.data.documents import DocumentFile, Rejected
from training.extract.shards import ExtractionError, Shard, ShardFolder
from training.extract.transfer import VECTOR, write_table
from training.failures import plain_errors
from xunwen.cli.context import client_of
from xunwen.cli.index import PartitionOption
from xunwen.client import Client

app = typer.Typer(add_completion=False)

_ROW = TypeAdapter(dict[str, Any])
_BLOCK = 10_000
"""Most documents of a job that is made from one matrix."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The content of one bulk job."""

    name: str
    number: int
    documents: list[dict[str, Any]]
    vectors: NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Target:
    """The place of all documents of a load."""

    client: Client
    collection: str
    encoder: str
    """Fingerprint of the encoder that made the vectors."""
    partition: str | None
    """Partition of the documents; None leaves it to their fields."""


@app.command()
def load(
    ctx: typer.Context,
    source: Annotated[
        Path,
        typer.Argument(help="Folder that `xunwen extract` wrote, or a .npy matrix for --texts"),
    ],
    collection: Annotated[
        str,
        typer.Option(
            "--collection", "-c", help="Collection to fill; it is made if it does not exist."
        ),
    ],
    first_shard: Annotated[
        int,
        typer.Option(min=0, help="Number of the first shard to load, if an earlier load stopped"),
    ] = 0,
    seen_at: Annotated[
        str | None,
        typer.Option(
            help="The folder as the server sees it, a path or s3:// address; nothing is sent"
        ),
    ] = None,
    texts: Annotated[
        Path | None,
        typer.Option(help="File of the documents of a matrix, one for each of its rows"),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="With --texts: model directory or fingerprint of the encoder that made the matrix"
        ),
    ] = None,
    format: FormatOption = None,  # noqa: A002 - as the API names it
    mapping: MappingOption = None,
    charset: CharsetOption = None,
    partition: PartitionOption = None,
) -> None:
    """Load documents and their extracted vectors into a collection, without encoding again.

    Each shard is a bulk job of its own; documents replace those with the same id.
    """
    with plain_errors(), client_of(ctx) as client:
        if texts is not None:
            target = Target(client, collection, _fingerprint(encoder), partition)
            file = document_file(texts, format, mapping, charset)
            jobs = (
                _sent(target, each)
                for each in _of_matrix(source, file)
                if each.number >= first_shard
            )
        else:
            shards = ShardFolder(source)
            target = Target(client, collection, shards.plan().encoder, partition)
            jobs = (
                _sent(target, _of_shard(shards, shard))
                if seen_at is None
                else _named(target, seen_at, shard)
                for shard in _complete(shards)
                if shard.number >= first_shard and shard.documents
            )
        indexed = rejected = 0
        for job in jobs:
            indexed += job.counts.indexed
            rejected += job.counts.rejected
    typer.echo(f"{indexed:,} documents in {collection}, {rejected:,} rejected")


def _complete(shards: ShardFolder) -> Iterator[Shard]:
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


def _of_shard(shards: ShardFolder, shard: Shard) -> Delivery:
    vectors = np.load(shards.file(shard.number, "npy"), mmap_mode="r")
    with shards.file(shard.number, "jsonl").open("rb") as lines:
        documents = [_ROW.validate_json(line) for line in lines]
    if not len(documents) == shard.documents == len(vectors):
        raise ExtractionError(
            f"shard {shard.number} of {shards.path} is damaged; delete its .json file and extract"
            " again"
        )
    return Delivery("shard", shard.number, documents, vectors)


def _of_matrix(source: Path, file: DocumentFile) -> Iterator[Delivery]:
    """Blocks of the rows of a matrix, each row brought to length 1, with their documents.

    Raises ExtractionError if the numbers of documents and rows differ.
    """
    try:
        matrix = np.load(source, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise ExtractionError(f"{source} is no .npy matrix; numpy.save writes one") from error
    if matrix.ndim != 2 or matrix.dtype.kind != "f":
        raise ExtractionError(f"{source} must be a float matrix [documents, dimension]")
    with file.records() as records:
        start = number = 0
        while block := [*islice(records, _BLOCK)]:
            rows = np.array(matrix[start : start + len(block)], dtype=np.float32)
            if len(rows) < len(block):
                break
            start += len(block)
            kept, documents = [], []
            for place, record in enumerate(block):
                try:
                    documents.append(file.document(record).model_dump(exclude_defaults=True))
                except Rejected as reason:
                    typer.echo(f"line {record.line} is left out: {reason}", err=True)
                    continue
                kept.append(place)
            lengths = np.linalg.norm(rows, axis=1, keepdims=True)
            unit = rows / np.maximum(lengths, np.finfo(np.float32).tiny)
            yield Delivery("block", number, documents, unit[kept])
            number += 1
        more = start < len(matrix) or next(records, None) is not None
    if more or not start:
        raise ExtractionError(
            f"{source} has {len(matrix):,} rows and {file.path} another number of documents;"
            f" {start:,} of both were loaded"
        )


def _sent(target: Target, delivery: Delivery) -> Job:
    with tempfile.TemporaryDirectory(prefix="xunwen-load-") as folder:
        table = Path(folder) / "documents.parquet"
        write_table(table, delivery.documents, delivery.vectors)
        accepted = target.client.index(
            table,
            collection=target.collection,
            mapping={"vector": VECTOR},
            encoder=target.encoder,
            partition=target.partition,
        )
    return _ended(target.client, accepted, f"{delivery.name} {delivery.number}", delivery.number)


def _named(target: Target, folder: str, shard: Shard) -> Job:
    address = f"{folder.rstrip('/')}/part-{shard.number:06d}"
    accepted = target.client.index(
        collection=target.collection,
        source=f"{address}.jsonl",
        format="jsonl",
        vectors=f"{address}.npy",
        encoder=target.encoder,
        partition=target.partition,
    )
    return _ended(target.client, accepted, f"shard {shard.number}", shard.number)


def _ended(client: Client, accepted: Job, name: str, number: int) -> Job:
    job = client.wait(accepted.id)
    if job.state not in (JobState.SUCCEEDED, JobState.SUCCEEDED_WITH_ERRORS):
        raise ExtractionError(
            f"{name}: job {job.id} {job.state}. {job.message or ''} Go on with"
            f" --first-shard {number}"
        )
    typer.echo(f"{name}: {job.counts.indexed:,} indexed", err=True)
    return job


def _fingerprint(encoder: str | None) -> str:
    if encoder is None:
        raise ExtractionError("--texts needs --encoder: the model directory that made the matrix")
    if (Path(encoder) / MANIFEST).is_file():
        return read_manifest(Path(encoder)).fingerprint
    return encoder


if __name__ == "__main__":
    app()
