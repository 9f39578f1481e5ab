"""A system clock that went back while the indexer was away loses no acknowledged write."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from services.common.collection import PhysicalName
from services.common.documents import Content
from services.indexer.index.collections.clock import VersionClock
from services.indexer.index.collections.collections import Collections
from services.indexer.index.collections.tombstones import Tombstones
from services.indexer.index.writer import IndexWriter
from services.indexer.originals import Originals
from services.indexer.rows import Row
from services.indexer.store import ObjectStore
from tests.analyzers import ANALYZERS
from tests.indexer.in_memory import Role

ENCODER = "e" * 16
THEN, NOW = 2_000, 1_000
"""When the earlier process wrote, and what the clock says after its step back."""


class Index:
    """One collection in memory: the parts of a VectorIndex that a single write needs."""

    def __init__(self, rows: dict[str, tuple[Row, int]]) -> None:
        self.rows = rows

    async def resolve(self, name: str) -> PhysicalName:
        return PhysicalName(name, ENCODER, ANALYZERS.of(name).identity, 1)

    async def versions(self, physical: PhysicalName, ids: Sequence[str]) -> dict[str, int]:
        return {one: self.rows[one][1] for one in ids if one in self.rows}

    async def upsert(self, physical: PhysicalName, rows: Sequence[Row], version: int) -> None:
        self.rows |= {row.id: (row, version) for row in rows}


class Versions:
    """Index versions as the state Redis kept them."""

    async def current(self, collection: str) -> str | None:
        return f"{THEN:016x}"

    async def move(self, collection: str) -> str:
        return f"{NOW:016x}"


class Jobs:
    """There are none."""

    def check(self) -> None:
        """They are known."""

    def rebuilding(self, collection: str) -> int | None:
        return None

    def importing(self, collection: str) -> str | None:
        return None


class Encoders:
    """One is installed."""

    fingerprints = (ENCODER,)

    def __contains__(self, fingerprint: str) -> bool:
        return fingerprint == ENCODER


def row(title: str) -> Row:
    return Row(Content(id="1", title=title), "", np.ones(2, dtype=np.float32))


def writer_of(rows: Index, store: ObjectStore) -> IndexWriter:
    clock = VersionClock(time_ns=lambda: NOW)
    index, versions, encoders, role, jobs = (
        cast("Any", one) for one in (rows, Versions(), Encoders(), Role(), Jobs())
    )
    collections = Collections(
        index, store, versions, clock, encoders, ANALYZERS, lambda name: 0, Role().check
    )
    return IndexWriter(collections, index, versions, role, clock, jobs, Originals(store))


async def test_a_write_after_a_step_back_replaces_what_was_written_before_it(
    tmp_path: Path,
) -> None:
    index = Index({"1": (row("alt"), THEN)})
    writer = writer_of(index, ObjectStore(str(tmp_path)))
    version = await writer.accept("notes")
    await writer.put("notes", {ENCODER: row("neu")}, version)
    assert version > THEN
    assert index.rows["1"][0].document.title == "neu"


async def test_a_write_after_a_step_back_outlives_a_remembered_deletion(tmp_path: Path) -> None:
    store = ObjectStore(str(tmp_path))
    deletions = await Tombstones.read(store, "notes")
    await deletions.add(["1"], THEN + 500)
    index = Index({})
    writer = writer_of(index, store)
    await writer.put("notes", {ENCODER: row("neu")}, await writer.accept("notes"))
    assert index.rows["1"][0].document.title == "neu"


@pytest.mark.parametrize("seen", [0, NOW - 1, THEN])
def test_versions_rise(seen: int) -> None:
    clock = VersionClock(time_ns=lambda: NOW)
    clock.seen(seen)
    handed = [clock.next() for _ in range(3)]
    assert handed == sorted(set(handed))
    assert handed[0] > seen
