"""An indexer without servers: its index is in memory, and tests do the work of its workers."""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from services.common.collection import PhysicalName
from services.common.documents import Content
from services.common.errors import Conflict, LeaseLost, MalformedRequest
from services.common.model_dir.encoders import EncoderDirectories
from services.common.text import Analyzers
from services.common.wire.input_formats import InputFormat
from services.common.wire.jobs import Job, JobMode
from services.indexer.index.collections.clock import VersionClock
from services.indexer.index.gate.gate import Outcome
from services.indexer.index.imports.imports import Tables
from services.indexer.index.rebuild import Rebuilds
from services.indexer.index.writer import IndexWriter
from services.indexer.jobs.acceptance import JobAcceptance
from services.indexer.jobs.book import JobBook
from services.indexer.jobs.files import JobFiles
from services.indexer.jobs.finish import JobFinisher
from services.indexer.jobs.input_store import InputStore
from services.indexer.jobs.ledger import JobLedger
from services.indexer.jobs.manifest import JobManifest, now
from services.indexer.jobs.submission import Submission
from services.indexer.jobs.supervisor import JobSupervisor
from services.indexer.jobs.wire import Claim, Failure, Granted, Planned, StoredRows
from services.indexer.jobs.workers import PartLeases, Workers
from services.indexer.originals import Originals
from services.indexer.rows import Row
from services.indexer.tables import unpack_planned
from services.indexer.work.planner import Planner
from tests.analyzers import ANALYZERS
from tests.indexer.in_memory import NAME, Index, Role, Store, Versions, collections_of

WORKER = "test"
PART_DOCUMENTS = 2


class MemoryIndex(Index):
    """Collections with their rows in memory; no vector finds anything."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[PhysicalName, dict[str, Row]] = {}
        self.unbuilt: list[int] = []
        """Numbers of rows without a vector index, as a server gives them one after the other."""
        self.reloaded: list[PhysicalName] = []

    def ids(self, name: str = NAME) -> list[str]:
        """The ids of the documents that answer."""
        live = self.live.get(name)
        return [] if live is None else sorted(self.rows.get(live, {}))

    async def physicals(self) -> list[PhysicalName]:
        return [*self.columns]

    async def drop(self, physical: PhysicalName) -> None:
        self.columns.pop(physical, None)
        self.rows.pop(physical, None)

    async def load(self, physical: PhysicalName) -> None:
        """All rows are in memory."""

    async def reload(self, physical: PhysicalName) -> None:
        assert not self.unbuilt, "its index is not built"
        self.reloaded.append(physical)

    async def unindexed(self, physical: PhysicalName) -> int:
        return self.unbuilt.pop(0) if self.unbuilt else 0

    async def flush(self, physical: PhysicalName) -> None:
        """No row is buffered."""

    async def recover(self) -> set[PhysicalName]:
        return set()

    async def count(self, physical: PhysicalName, version: int | None = None) -> int:
        rows = self.rows.get(physical, {}).values()
        return sum(version is None or row.version == version for row in rows)

    async def matching(self, physical: PhysicalName, expression: str, limit: int) -> list[str]:
        return []

    async def documents(self, physical: PhysicalName, ids: Sequence[str]) -> list[Row]:
        return []

    async def versions(self, physical: PhysicalName, ids: Collection[str]) -> dict[str, int]:
        rows = self.rows.get(physical, {})
        return {one: rows[one].version or 0 for one in ids if one in rows}

    async def upsert(self, physical: PhysicalName, rows: Sequence[Row], version: int) -> None:
        written = {row.id: replace(row, version=row.version or version) for row in rows}
        self.rows.setdefault(physical, {}).update(written)

    async def scan(self, physical: PhysicalName) -> AsyncIterator[Row]:
        for row in list(self.rows.get(physical, {}).values()):
            yield row


@dataclass
class Queue:
    """A queue that nobody takes messages from: the test plans and does the parts by itself."""

    sent: list[str] = field(default_factory=list)
    """Ids of the jobs that messages were about."""
    trouble: dict[str, Exception] = field(default_factory=dict)
    """What the messages of a job raise, by its id."""

    async def depth(self) -> int:
        return 1_000

    async def put_plan(self, job: str, *, priority: int) -> None:
        if (error := self.trouble.get(job)) is not None:
            raise error
        self.sent.append(job)

    async def put_part(self, job: str, part: str, *, priority: int) -> None:
        await self.put_plan(job, priority=priority)


class Gate:
    """A comparison that every new index passes."""

    async def compare(self, *about: object) -> Outcome:
        return Outcome(passed=True, words="Compared.")


class BulkImports:
    """Imports whose files are never read; the collection that is filled stays empty."""

    def __init__(self, index: MemoryIndex) -> None:
        self._index = index

    async def check(self, name: str) -> None:
        if self._index.ids(name):
            raise Conflict("The collection has documents.")

    async def begin(self, physical: PhysicalName) -> None:
        await self._index.create(physical, 1, 0)

    async def fill(self, physical: PhysicalName, rows: Tables, *more: object) -> None:
        if await self._index.resolve(physical.name) == physical:
            return  # As the real one after a kill.
        made = {f"imported {n}": cast("Row", None) for n in range(rows.rows)}
        self._index.rows[physical] = made

    async def settled(self, physical: PhysicalName) -> None:
        """No import is under way."""

    async def clear(self, physical: PhysicalName) -> None:
        """There are no files."""


class Serverless:
    """All of the indexer that deals with jobs. A second one on the same folder and index is what a
    restart makes of it."""

    def __init__(
        self,
        folder: Path,
        encoders: EncoderDirectories,
        index: MemoryIndex | None = None,
        analyzers: Analyzers = ANALYZERS,
    ) -> None:
        self.index, self.store, self.role = index or MemoryIndex(), Store(folder), Role()
        self.queue = Queue()
        self.encoders = encoders
        self.now = 0.0
        self.collections = collections_of(self.index, self.store, encoders, analyzers)
        self.book = JobBook(JobFiles(self.store), lambda: self.role.terms, lambda: self.now)
        role, versions = cast("Any", self.role), cast("Any", Versions())
        originals = Originals(self.store)
        self.writer = IndexWriter(
            self.collections,
            cast("Any", self.index),
            versions,
            role,
            VersionClock(),
            self.book,
            originals,
        )
        imports = cast("Any", BulkImports(self.index))
        rebuilds = Rebuilds(self.collections, self.writer, role, cast("Any", Gate()))
        self.finisher = JobFinisher(self.book, self.writer, rebuilds, imports)
        self.acceptance = JobAcceptance(
            self.book, self.collections, self.writer, InputStore(self.book.files, 1 << 20), imports
        )
        self.leases = PartLeases(
            self.book,
            Workers(0),
            self.collections,
            self.writer,
            self.finisher,
            60.0,
            PART_DOCUMENTS,
        )
        self.claim = Claim(worker=WORKER, encoders=list(encoders.fingerprints))
        self.supervisor = JobSupervisor(
            self.book,
            cast("Any", self.queue),
            self.finisher,
            self.writer,
            self.collections,
            role,
            cast("Any", _Housekeeping()),
        )

    async def turn(self) -> None:
        """A look at all jobs, with the steps that it begins."""
        await self.supervisor._turn()
        for step in list(self.supervisor._busy.values()):
            await step

    async def hold(self, *ids: str) -> None:
        """Lets the collection answer with these documents."""
        state = await self.collections.state(NAME)
        async with state.lock:
            live = await self.collections.ensure(NAME)
        await self.index.upsert(live, [row(one, self.encoders) for one in ids], 1)

    async def submitted(self, *ids: str, **options: Any) -> JobLedger:
        """The ledger of a job of these documents, begun."""
        lines = b"".join(line(one) for one in ids)
        ledger = await self.acceptance.submit(Submission(NAME, **options), body(lines))
        await self.turn()
        return ledger

    async def rebuilt(self, *, force: bool = False) -> JobLedger:
        """The ledger of a rebuild of the collection from its own documents, begun."""
        ledger = await self.acceptance.rebuild(NAME, force=force)
        await self.turn()
        return ledger

    async def plan(self, ledger: JobLedger) -> None:
        """Plans a job as a worker does."""
        job = ledger.manifest.id
        granted = await self.leases.claim(job, "plan", self.claim)
        planner = Planner(self.book.files, Originals(self.store), granted, check=lambda: None)
        await self.leases.planned(job, Planned(token=granted.token, plan=planner.plan()), WORKER)

    async def work(self, ledger: JobLedger, *, broken: Collection[str] = ()) -> Job:
        """Does the parts of a job until it has ended; on `broken` documents every worker fails."""
        for _ in range(100):
            await self.turn()
            if ledger.end is not None:
                return self.book.report(ledger)
            for key in list(ledger.open):
                if key in ledger.open:
                    await self._part(ledger, str(key), broken)
        raise TimeoutError(self.book.report(ledger))

    async def _part(self, ledger: JobLedger, part: str, broken: Collection[str]) -> None:
        job = ledger.manifest.id
        try:
            granted = await self.leases.claim(job, part, self.claim)
        except LeaseLost:
            return
        token = granted.token
        try:
            rows = self._rows(granted, part)
        except MalformedRequest:
            await self.leases.fail(job, part, Failure(token=token, reason="it is damaged"))
            return
        if not {row.id for row in rows}.isdisjoint(broken):
            await self.leases.fail(job, part, Failure(token=token, reason="it hurts"))
        elif granted.columns is None:
            encoded = dict.fromkeys(granted.encoders, rows)
            await self.leases.written(job, part, token, WORKER, encoded)
        else:
            await self.leases.stored(job, part, StoredRows(worker=WORKER, token=token, passages=0))

    def _rows(self, granted: Granted, part: str) -> list[Row]:
        number, start, stop = map(int, part.split("-"))
        stored = self.book.files.part(granted.manifest.id, granted.plan_token or "", number)
        return [
            replace(
                row(one.document.id, self.encoders),
                document=one.document,
                version=one.version,
                analyzer=granted.analyzer,
            )
            for one in unpack_planned(stored, start, stop)
        ]


class _Housekeeping:
    async def run(self) -> None:
        """Nothing is removed."""


def manifest(job: str = "job", **options: Any) -> JobManifest:
    """The manifest of a job of upserts."""
    about = {"mode": JobMode.UPSERT, "format": InputFormat.JSONL, "version": 1}
    return JobManifest(id=job, collection=NAME, created_at=now(), **(about | options))


def row(identity: str, encoders: EncoderDirectories) -> Row:
    """A row as an index gives it back."""
    document = {"id": identity, "title": f"title {identity}"}
    return Row(Content(**document), "", np.zeros(encoders.default.dimension, np.float32))


def line(identity: str) -> bytes:
    """A document as a line of JSON."""
    return b'{"id":"%s","title":"t"}\n' % identity.encode()


async def body(content: bytes) -> AsyncIterator[bytes]:
    """The body of a request."""
    yield content
