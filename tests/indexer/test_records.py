"""What is written and read of a collection's record: once, so that no crash leaves half of it."""

from pathlib import Path
from typing import Any, cast

import pytest

from services.common.collection import PhysicalName
from services.common.errors import IndexUnavailable
from services.common.fields.columns import columns_of
from services.common.model_dir.encoders import EncoderDirectories
from services.common.wire.golden import GoldenQuery
from services.common.wire.input_formats import InputFormat
from services.common.wire.jobs import JobMode
from services.indexer.index.collections.clock import VersionClock
from services.indexer.index.gate.golden import GoldenSets
from services.indexer.index.writer import IndexWriter
from services.indexer.jobs.book import JobBook
from services.indexer.jobs.files import JobFiles
from services.indexer.jobs.manifest import JobManifest, Plan, now
from services.indexer.jobs.wire import Claim
from services.indexer.jobs.workers import PartLeases, Workers
from services.indexer.originals import Originals
from tests.indexer.in_memory import (
    NAME,
    RECORD,
    TENANT,
    YEAR,
    Index,
    Role,
    Store,
    Versions,
    collections_of,
)


async def test_a_creation_writes_the_record_once(
    tmp_path: Path, encoders: EncoderDirectories
) -> None:
    index, store = Index(), Store(tmp_path)
    other = encoders.others[0].fingerprint
    made = await collections_of(index, store, encoders).create(
        NAME, other, {"year": YEAR}, "tenant"
    )
    assert (made.fields, made.partition_key) == ({"year": YEAR, "tenant": TENANT}, "tenant")
    assert made.waiting_fields == []
    assert store.writes == {RECORD: 1}
    again = await collections_of(index, store, encoders).describe(NAME)
    assert (again.fields, again.partition_key) == (made.fields, "tenant")
    assert again.encoder == other


async def test_a_creation_that_declares_nothing_writes_no_record(
    tmp_path: Path, encoders: EncoderDirectories
) -> None:
    store = Store(tmp_path)
    made = await collections_of(Index(), store, encoders).create(NAME)
    assert (made.fields, made.partition_key) == ({}, None)
    assert not store.writes


async def test_a_creation_that_was_killed_leaves_a_whole_record(
    tmp_path: Path, encoders: EncoderDirectories
) -> None:
    """The next document makes the collection, whose columns fit what had been declared."""
    index, store = Index(), Store(tmp_path)
    index.away = True
    with pytest.raises(IndexUnavailable):
        await collections_of(index, store, encoders).create(NAME, None, {"year": YEAR}, "tenant")
    assert store.writes == {RECORD: 1}
    index.away = False
    restarted = collections_of(index, store, encoders)
    physical = await restarted.ensure(NAME)
    wanted = columns_of({"year": YEAR, "tenant": TENANT}, "tenant")
    assert index.columns[physical] == frozenset(wanted)
    assert (await restarted.state(NAME)).types.keys() == {"year", "tenant"}
    assert await restarted.in_partition(NAME, "甲") == {"tenant": "甲"}


async def test_parts_in_a_partition_read_the_record_once(
    tmp_path: Path, encoders: EncoderDirectories
) -> None:
    index, store = Index(), Store(tmp_path)
    await collections_of(index, store, encoders).create(NAME, None, {"year": YEAR}, "tenant")

    collections = collections_of(index, store, encoders)
    book = JobBook(JobFiles(store))
    await book.load()
    writer = IndexWriter(
        collections,
        cast("Any", index),
        cast("Any", Versions()),
        cast("Any", Role()),
        VersionClock(),
        book,
        Originals(store),
    )
    ledger = book.add(
        JobManifest(
            id="job",
            collection=NAME,
            partition="甲",
            mode=JobMode.UPSERT,
            format=InputFormat.JSONL,
            version=1,
            created_at=now(),
        )
    )
    leases = PartLeases(book, Workers(0), collections, writer, cast("Any", None), 60.0, 1000)
    claim = Claim(worker="w", encoders=list(encoders.fingerprints))
    store.reads.clear()
    granted = [await leases.claim("job", "plan", claim)]
    plan = Plan(token="p", parts=[4, 2, 7], read=13, rejected=0, deduplicated=0)
    await book.planned(ledger, plan)
    parts = plan.keys()
    granted += [await leases.claim("job", str(part), claim) for part in parts]
    assert len(granted) == 4
    assert all(one.partition == {"tenant": "甲"} for one in granted)
    assert all(set(one.types) == {"year", "tenant"} for one in granted)
    assert store.reads[RECORD] == 1


async def test_a_part_of_an_import_is_not_tried_while_the_index_is_away(
    tmp_path: Path, encoders: EncoderDirectories
) -> None:
    """Its columns are asked for first; attempts would use the part up, and reject documents."""

    class Away(Index):
        async def lexical(self, physical: PhysicalName) -> bool:
            raise IndexUnavailable("It was killed.")

    class Finisher:
        def filled(self, manifest: JobManifest) -> PhysicalName:
            return PhysicalName(NAME, encoders.default.fingerprint, "1", manifest.version)

    store = Store(tmp_path)
    collections = collections_of(Away(), store, encoders)
    book = JobBook(JobFiles(store))
    await book.load()
    ledger = book.add(
        JobManifest(
            id="job",
            collection=NAME,
            mode=JobMode.IMPORT,
            format=InputFormat.JSONL,
            version=1,
            created_at=now(),
        )
    )
    await book.planned(ledger, Plan(token="p", parts=[4], read=4, rejected=0, deduplicated=0))
    [part] = ledger.open
    leases = PartLeases(
        book, Workers(0), collections, cast("Any", None), cast("Any", Finisher()), 60.0, 1000
    )
    claim = Claim(worker="w", encoders=list(encoders.fingerprints))
    with pytest.raises(IndexUnavailable):
        await leases.claim("job", str(part), claim)
    assert (ledger.open[part].attempts, ledger.open[part].lease) == (0, None)


async def test_nothing_of_a_deleted_collection_belongs_to_a_later_one(
    tmp_path: Path, encoders: EncoderDirectories
) -> None:
    """The later one may be somebody else's: golden queries are often those of real users."""
    store = Store(tmp_path)
    collections, golden = collections_of(Index(), store, encoders), GoldenSets(store)
    await collections.create(NAME, encoders.others[0].fingerprint, {"year": YEAR}, "tenant")
    await golden.write(NAME, [GoldenQuery(query="谁的查询", ids=["1"])])
    await collections.set_words(NAME, ["太阳能光伏"])
    await collections.drop(NAME)
    assert await golden.read(NAME) == []
    assert store.under("") == []
    made = await collections.create(NAME)
    assert (made.fields, made.partition_key) == ({}, None)
