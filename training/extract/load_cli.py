"""`xunwen load`."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated

import numpy as np
import typer
from pydantic import TypeAdapter

from services.common.wire.jobs import Job, JobState
from training.extract.options import plain_errors
from training.extract.shards import ExtractionError, Shard, ShardFolder
from xunwen.cli.context import client_of

app = typer.Typer(add_completion=False)

VECTOR = "vector"
_DIGITS = 8
_ROW = TypeAdapter(dict[str, object])


@app.command()
def load(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(help="What `xunwen extract` wrote")],
    collection: Annotated[
        str, typer.Option("--collection", "-c", help="Where to; made if it does not exist.")
    ],
    first_shard: Annotated[
        int, typer.Option(min=0, help="Begin here, where an earlier load stopped")
    ] = 0,
) -> None:
    """Put documents and their extracted vectors into a collection, without embedding again.

    Each shard is a bulk job of its own; documents replace those of the same id.
    """
    indexed = rejected = 0
    with plain_errors(), client_of(ctx) as client:
        shards = ShardFolder(folder)
        plan = shards.plan()
        for shard in _complete(shards):
            if shard.number < first_shard or not shard.documents:
                continue
            with tempfile.NamedTemporaryFile(suffix=".jsonl") as rows:
                _write_rows(shards, shard, rows)
                rows.flush()
                accepted = client.index(
                    rows.name,
                    collection=collection,
                    mapping={"vector": VECTOR},
                    encoder=plan.encoder,
                )
            job = client.wait(accepted.id)
            _check(job, shard)
            indexed += job.counts.indexed
            rejected += job.counts.rejected
            typer.echo(f"shard {shard.number}: {job.counts.indexed:,} indexed", err=True)
    typer.echo(f"{indexed:,} documents in {collection}, {rejected:,} rejected")


def _complete(shards: ShardFolder) -> Iterator[Shard]:
    """Raises ExtractionError at the end of an extraction that is not finished."""
    ended = False
    for shard in shards.finished():
        yield shard
        ended = shard.last
    if not ended:
        raise ExtractionError(
            f"{shards.path} is not finished; give `xunwen extract` again, then go on here"
        )


def _write_rows(shards: ShardFolder, shard: Shard, target: IO[bytes]) -> None:
    """jsonl of the documents, each with its vector."""
    vectors = np.load(shards.file(shard.number, "npy"), mmap_mode="r")
    with shards.file(shard.number, "jsonl").open("rb") as documents:
        count = 0
        for line, vector in zip(documents, vectors, strict=False):
            row = _ROW.validate_json(line)
            row[VECTOR] = [round(float(value), _DIGITS) for value in vector]
            target.write(_ROW.dump_json(row) + b"\n")
            count += 1
    if not count == shard.documents == len(vectors):
        raise ExtractionError(
            f"shard {shard.number} of {shards.path} is damaged; delete its .json file and extract"
            " again"
        )


def _check(job: Job, shard: Shard) -> None:
    if job.state not in (JobState.SUCCEEDED, JobState.SUCCEEDED_WITH_ERRORS):
        raise ExtractionError(
            f"shard {shard.number}: job {job.id} {job.state}. {job.message or ''} Go on with"
            f" --first-shard {shard.number}"
        )


if __name__ == "__main__":
    app()
