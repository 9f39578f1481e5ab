"""Carries over the documents of an installation with milvus-lite 3, which kept them in other files.

Its folder `milvus/collections` holds Parquet files that a manifest lists, and a log of later
writes. Each row carries a sequence number; the row with the highest one of an id counts, unless a
deletion has a higher one. Every collection that a name points at is read and indexed again by one
job, so that documents that were put singly are included and deleted ones are not. Then the old
files are moved, unchanged, to `milvus-lite-3`.
"""

import json
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from services.common.wire.input_formats import InputFormat
from services.common.wire.jobs import Job, JobState
from xunwen.client import ApiError, Client
from xunwen.embedded.errors import EmbeddedError
from xunwen.embedded.jobs import followed, gathered
from xunwen.embedded.settings import EmbeddedSettings

_COLUMNS = ["_seq", "id", "title", "text", "fields"]


def carry_over(client: Client, settings: EmbeddedSettings) -> Iterator[Job]:
    """Yields the jobs that index the earlier documents as they proceed; nothing if there are none.

    After a kill the next start follows the same jobs, and it begins those again that failed. Raises
    EmbeddedError if one failed, or if the documents cannot be read.
    """
    old = settings.home / "milvus"
    if not (old / "collections").is_dir():
        return
    for name, folder in sorted(_named(old).items()):
        job = _submitted(client, name, folder, settings)
        if job is None:
            continue
        for state in followed(client, job):
            job = state
            yield job
        if job.state not in (JobState.SUCCEEDED, JobState.SUCCEEDED_WITH_ERRORS):
            raise EmbeddedError(
                f"The earlier documents of {name} were not indexed: job {job.id} {job.state}."
                f" {job.message} The next `xunwen up` tries it again; {_without(old)}"
            )
    _set_aside(old, settings.home / "milvus-lite-3")


def documents(folder: Path) -> Iterator[dict[str, Any]]:
    """The documents of a collection of milvus-lite 3, in the order of ids."""
    rows: dict[str, dict[str, Any]] = {}
    deleted: dict[str, int] = {}
    for table in _tables(folder, "data"):
        for row in table.select(_COLUMNS).to_pylist():
            if row["_seq"] >= rows.get(row["id"], row)["_seq"]:
                rows[row["id"]] = row
    for table in _tables(folder, "delta"):
        for row in table.select(["id", "_seq"]).to_pylist():
            deleted[row["id"]] = max(row["_seq"], deleted.get(row["id"], 0))
    for identity in sorted(rows):
        row = rows[identity]
        if row["_seq"] > deleted.get(identity, 0):
            yield {
                "id": identity,
                "title": row["title"],
                "text": row["text"],
                "fields": json.loads(row["fields"]),
            }


def _readable(folder: Path) -> Iterator[dict[str, Any]]:
    """The documents of a collection. Raises EmbeddedError if a file is missing or damaged."""
    try:
        yield from documents(folder)
    except (OSError, ValueError, LookupError) as error:
        raise _damaged(folder, folder.parents[1]) from error


def _damaged(path: Path, old: Path) -> EmbeddedError:
    return EmbeddedError(
        f"The earlier documents in {path} cannot be read. Restore a backup; {_without(old)}"
    )


def _without(old: Path) -> str:
    return f"to start without them, move {old / 'collections'} to another place."


def _named(old: Path) -> dict[str, Path]:
    """Users' names of collections with the folders of these collections. Raises EmbeddedError."""
    file = old / "aliases.json"
    try:
        names = json.loads(file.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _damaged(file, old) from error
    return {name: old / "collections" / physical for name, physical in names.items()}


def _tables(folder: Path, kind: str) -> Iterator[Any]:
    """The tables of rows ("data") or of deletions ("delta")."""
    partitions = json.loads((folder / "manifest.json").read_bytes())["partitions"]
    for partition, files in partitions.items():
        for file in files.get(f"{kind}_files", []):
            yield pq.read_table(folder / "partitions" / partition / file)
    for log in sorted((folder / "wal").glob(f"wal_{kind}_*.arrow")):
        yield from _logged(log)


def _logged(log: Path) -> Iterator[Any]:
    """The tables of a log; the last one is left out if a kill cut it off."""
    try:
        with pa.OSFile(str(log)) as source:
            for batch in pa.ipc.open_stream(source):
                batch.validate(full=True)
                yield pa.Table.from_batches([batch])
    except pa.ArrowInvalid:
        return


def _submitted(client: Client, name: str, folder: Path, settings: EmbeddedSettings) -> Job | None:
    """The job that indexes a collection, begun again if it failed at an earlier start; None if the
    collection is empty."""
    lines = (_line(document) for document in _readable(folder))
    first = next(lines, None)
    if first is None:
        return None
    with gathered(settings, chain([first], lines)) as file:
        job = client.index(
            file,
            collection=name,
            format=InputFormat.JSONL,
            idempotency_key=f"earlier-{folder.name}",
        )
    if job.state not in (JobState.FAILED, JobState.CANCELLED):
        return job
    try:
        return client.retry(job.id)
    except ApiError as error:
        if error.status != 409:
            raise
        return job  # Nothing of it can be tried again.


def _line(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode() + b"\n"


def _set_aside(old: Path, aside: Path) -> None:
    aside.mkdir(exist_ok=True)
    for path in sorted(old.iterdir(), key=lambda path: path.name == "collections"):
        # The folder of collections is moved last, since its presence says that documents must be
        # carried over.
        if path.name in ("collections", "aliases.json", "LOCK"):
            path.rename(aside / path.name)
