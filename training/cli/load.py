"""The command `xunwen load`."""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from services.common.model_dir.manifest import MANIFEST, read_manifest
from services.common.wire.jobs import Job, JobMode, JobState
from training.cli.deliveries import Delivery, complete, of_matrix, of_shard
from training.cli.reading import CharsetOption, FormatOption, MappingOption, document_file
from training.extract.shards import ExtractionError, Shard, ShardFolder
from training.extract.transfer import VECTOR, write_table
from training.failures import plain_errors
from xunwen.cli.context import client_of
from xunwen.cli.exits import Exit
from xunwen.cli.index import PartitionOption
from xunwen.client import Client

app = typer.Typer(add_completion=False)


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
    bulk_import: Annotated[
        bool,
        typer.Option(
            "--bulk-import",
            help="Send all shards as one job, whose rows a Milvus server imports from its own"
            " storage; the collection must be empty and takes no other writes meanwhile.",
        ),
    ] = False,
) -> None:
    """Load documents and their extracted vectors into a collection, without encoding again.

    Each shard is a bulk job of its own; documents replace those with the same id. As `index`, it
    exits with 4 if documents were rejected.
    """
    if bulk_import and (seen_at is not None or first_shard):
        raise typer.BadParameter(
            "--bulk-import sends a whole load as one job; leave --seen-at and --first-shard away"
        )
    if texts is not None and seen_at is not None:
        raise typer.BadParameter("--seen-at is for a folder of `xunwen extract`, not for --texts")
    if texts is None and any(one is not None for one in (encoder, format, mapping, charset)):
        raise typer.BadParameter(
            "--encoder, --format, --mapping and --charset are for --texts: a folder of"
            " `xunwen extract` records its own"
        )
    rejected = 0

    def counted(deliveries: Iterable[Delivery]) -> Iterator[Delivery]:
        """The deliveries with documents; the records of all that are none count as rejected."""
        nonlocal rejected
        for one in deliveries:
            rejected += one.left_out
            if one.documents:
                yield one

    with plain_errors(), client_of(ctx) as client:
        if texts is not None:
            target = Target(client, collection, _fingerprint(encoder), partition)
            file = document_file(texts, format, mapping, charset)
            deliveries = counted(
                one for one in of_matrix(source, file) if one.number >= first_shard
            )
            jobs = (_whole(target, deliveries),) if bulk_import else _each(target, deliveries)
        else:
            shards = ShardFolder(source)
            target = Target(client, collection, shards.plan().encoder, partition)
            found = (one for one in complete(shards) if one.number >= first_shard and one.documents)
            if seen_at is not None:
                jobs = (_named(target, seen_at, shard) for shard in found)
            else:
                deliveries = (of_shard(shards, shard) for shard in found)
                jobs = (_whole(target, deliveries),) if bulk_import else _each(target, deliveries)
        indexed = 0
        for job in jobs:
            indexed += job.counts.indexed
            rejected += job.counts.rejected
    typer.echo(f"{indexed:,} documents in {collection}, {rejected:,} rejected")
    if rejected:
        raise typer.Exit(Exit.WITH_REJECTED)


def _each(target: Target, deliveries: Iterable[Delivery]) -> Iterator[Job]:
    """Sends each delivery as a job, after the one before has ended."""
    for one in deliveries:
        accepted = _sent(target, [one], JobMode.UPSERT)
        again = f" Go on with --first-shard {one.number}"
        yield _ended(target.client, accepted, f"{one.name} {one.number}", again)


def _whole(target: Target, deliveries: Iterable[Delivery]) -> Job:
    """Sends all deliveries as one job, whose rows Milvus imports."""
    return _ended(target.client, _sent(target, deliveries, JobMode.IMPORT), "bulk import", "")


def _sent(target: Target, deliveries: Iterable[Delivery], mode: JobMode) -> Job:
    with tempfile.TemporaryDirectory(prefix="xunwen-load-") as folder:
        table = Path(folder) / "documents.parquet"
        if not write_table(table, ((one.documents, one.vectors) for one in deliveries)):
            raise ExtractionError("there are no documents to load")
        return target.client.index(
            table,
            collection=target.collection,
            mode=mode,
            mapping={"vector": VECTOR},
            encoder=target.encoder,
            partition=target.partition,
        )


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
    again = f" Go on with --first-shard {shard.number}"
    return _ended(target.client, accepted, f"shard {shard.number}", again)


def _ended(client: Client, accepted: Job, name: str, again: str) -> Job:
    """The job once it has ended. Raises ExtractionError, with what to do `again`, if it failed."""
    job = client.wait(accepted.id)
    if job.state not in (JobState.SUCCEEDED, JobState.SUCCEEDED_WITH_ERRORS):
        raise ExtractionError(f"{name}: job {job.id} {job.state}. {job.message or ''}{again}")
    typer.echo(f"{name}: {job.counts.indexed:,} indexed", err=True)
    if job.counts.rejected:
        typer.echo(f"{job.message or ''} See `xunwen jobs errors {job.id}`.".lstrip(), err=True)
    return job


def _fingerprint(encoder: str | None) -> str:
    if encoder is None:
        raise ExtractionError("--texts needs --encoder: the model directory that made the matrix")
    if (Path(encoder) / MANIFEST).is_file():
        return read_manifest(Path(encoder)).fingerprint
    return encoder


if __name__ == "__main__":
    app()
