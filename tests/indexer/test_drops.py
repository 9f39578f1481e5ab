"""A drop that is interrupted anywhere is finished, and a new collection inherits nothing."""

import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.common.collection import PhysicalName
from services.common.errors import CollectionNotFound, IndexUnavailable
from services.common.model_dir.encoders import EncoderDirectories
from services.common.text import Analyzers
from services.common.wire.golden import GoldenQuery
from services.indexer.index.collections.clock import VersionClock
from services.indexer.index.collections.collections import Collections
from services.indexer.index.collections.tombstones import Tombstones
from services.indexer.index.gate.golden import GoldenSets
from services.indexer.jobs.book import JobBook
from services.indexer.jobs.files import JobFiles
from services.indexer.jobs.housekeeping import Housekeeping
from tests.indexer.in_memory import NAME, YEAR, Role, Store, Versions
from tests.indexer.installation import Installation
from tests.indexer.serverless import MemoryIndex, Serverless

STEPS = 9
"""Number of steps of a drop of a collection with everything that one can have."""
OTHER = "others"


class Killed(Exception):
    """The process ends here."""


class Life:
    """Counts the steps of a drop, and ends the process before one of them."""

    def __init__(self, steps: float = float("inf"), error: type[Exception] = Killed) -> None:
        self.left = steps
        self.error = error

    def step(self) -> None:
        if self.left <= 0:
            raise self.error
        self.left -= 1


@pytest.fixture(scope="module")
def analyzers() -> Analyzers:
    """The word analyses, which take a second to load."""
    return Analyzers()


class World:
    """What outlives a process: storage, index and Redis."""

    def __init__(self, folder: Path, encoders: EncoderDirectories, analyzers: Analyzers) -> None:
        self.life = Life()
        world = self

        class DyingStore(Store):
            def remove(self, prefix: str) -> None:
                world.life.step()
                super().remove(prefix)

        class DyingIndex(MemoryIndex):
            async def unpoint(self, name: str) -> None:
                world.life.step()
                await super().unpoint(name)

            async def drop(self, physical: PhysicalName) -> None:
                world.life.step()
                await super().drop(physical)

        class DyingVersions(Versions):
            async def forget(self, collection: str) -> None:
                world.life.step()
                world.rules.discard(collection)

        self.store, self.index, self.versions = DyingStore(folder), DyingIndex(), DyingVersions()
        self.rules = {NAME, OTHER}
        """Names of the collections that have query rules."""
        self.encoders, self.analyzers = encoders, analyzers

    def started(self) -> Collections:
        """The collections as a new process knows them."""
        parts = cast("Any", self.index), self.store, cast("Any", self.versions), VersionClock()
        return Collections(
            *parts, self.encoders, self.analyzers, lambda name: 0, check=Role().check
        )

    async def fill(self, name: str) -> None:
        """Makes a collection with all that one can have."""
        collections = self.started()
        await collections.create(name, None, {"year": YEAR}, "tenant")
        await GoldenSets(self.store).write(name, [GoldenQuery(query="冻土", ids=["1"])])
        await Tombstones(self.store, name).add(["1"], time.time_ns())
        self.store.write(f"dictionaries/{name}/digest", "草原生态补偿".encode())
        self.store.write(f"originals/{name}/digest/7-1.pdf", b"x")

    def left(self, name: str) -> list[str]:
        """What is there of a collection."""
        kept = [key for key in self.store.under("") if name in key]
        kept += [str(one) for one in self.index.columns if one.name == name]
        return kept + [name] * ((name in self.rules) + (name in self.index.live))


async def tidied(collections: Collections, world: World) -> None:
    """What the first look at the jobs after a start does."""
    book = JobBook(JobFiles(world.store))
    await book.load()

    async def collect(name: str) -> None:
        """Older indexes are not of interest here."""

    rebuilds = cast("Any", SimpleNamespace(collect=collect))
    housekeeping = Housekeeping(
        book, collections, rebuilds, retention=timedelta(days=1), retained_jobs=10
    )
    await housekeeping.run()


async def created(collections: Collections) -> None:
    made = await collections.create(NAME)
    assert (made.fields, made.partition_key) == ({}, None)


async def written(collections: Collections) -> None:
    state = await collections.state(NAME)
    async with state.lock:
        await collections.ensure(NAME)
    assert (dict(state.types), state.partition_key, state.tombstones.newest) == ({}, None, 0)


async def dropped(collections: Collections) -> None:
    await collections.drop(NAME)


@pytest.fixture
async def world(tmp_path: Path, encoders: EncoderDirectories, analyzers: Analyzers) -> World:
    made = World(tmp_path, encoders, analyzers)
    for name in (NAME, OTHER):
        await made.fill(name)
    return made


async def test_a_drop_leaves_nothing(world: World) -> None:
    before = world.left(OTHER)
    world.life = Life(STEPS)
    collections = world.started()
    await collections.drop(NAME)
    assert world.life.left == 0, "the other tests die before each step"
    assert world.left(NAME) == []
    assert world.left(OTHER) == before
    await created(collections)
    with pytest.raises(CollectionNotFound):
        await collections.drop("never_made")


@pytest.mark.parametrize("steps", range(STEPS))
async def test_a_drop_that_was_killed_is_finished_after_the_start(world: World, steps: int) -> None:
    before = world.left(OTHER)
    world.life = Life(steps)
    with pytest.raises(Killed):
        await world.started().drop(NAME)
    world.life = Life()
    await tidied(world.started(), world)
    assert world.left(NAME) == []
    assert world.left(OTHER) == before


@pytest.mark.parametrize("steps", range(STEPS))
@pytest.mark.parametrize("write", [created, written])
async def test_a_new_collection_inherits_nothing_of_one_whose_drop_was_killed(
    world: World, steps: int, write: Callable[[Collections], Awaitable[None]]
) -> None:
    world.life = Life(steps)
    with pytest.raises(Killed):
        await world.started().drop(NAME)
    world.life = Life()
    collections = world.started()
    await write(collections)
    live = world.index.live[NAME]
    assert [one for one in world.index.columns if one.name == NAME] == [live]
    assert world.index.columns[live] == frozenset()
    assert await GoldenSets(world.store).read(NAME) == []
    await tidied(collections, world)
    await tidied(world.started(), world)
    assert world.index.live[NAME] == live, "the drop does not come again"


@pytest.mark.parametrize("steps", range(STEPS))
@pytest.mark.parametrize("write", [created, written, dropped])
async def test_a_drop_that_failed_is_finished_by_the_next_call(
    world: World, steps: int, write: Callable[[Collections], Awaitable[None]]
) -> None:
    """The index or Redis were away for a moment; the process lives on."""
    collections = world.started()
    await collections.state(NAME)
    world.life = Life(steps, IndexUnavailable)
    with pytest.raises(IndexUnavailable):
        await collections.drop(NAME)
    world.life = Life()
    await write(collections)
    if write is dropped:
        assert world.left(NAME) == []
    else:
        assert world.index.columns[world.index.live[NAME]] == frozenset()
        assert await GoldenSets(world.store).read(NAME) == []


async def test_a_drop_that_another_process_finished_is_not_made_again(world: World) -> None:
    """This one was the writer before, and knows of the drop that failed."""
    collections = world.started()
    world.life = Life(0, IndexUnavailable)
    with pytest.raises(IndexUnavailable):
        await collections.drop(NAME)
    world.life = Life()
    await created(world.started())
    live = world.index.live[NAME]
    await collections.state(NAME)
    assert world.index.live[NAME] == live


async def test_deletions_of_a_collection_without_jobs_are_pruned(world: World) -> None:
    await Tombstones(world.store, OTHER).add(["2"], 7)
    assert len(world.store.names(f"tombstones/{OTHER}")) == 2
    await tidied(world.started(), world)
    assert len(world.store.names(f"tombstones/{OTHER}")) == 1


async def test_a_collection_with_damaged_files_can_be_dropped(world: World) -> None:
    for key in (f"collections/{NAME}.json", f"golden/{NAME}.json", f"tombstones/{NAME}/{7:016x}"):
        world.store.write(key, b"\xff")
    collections = world.started()
    await collections.drop(NAME)
    assert world.left(NAME) == []
    await created(collections)


async def test_jobs_go_on_beside_a_drop_that_cannot_be_finished(
    tmp_path: Path, encoders: EncoderDirectories
) -> None:
    system = Serverless(tmp_path, encoders)
    await system.book.load()
    system.store.write("drops/others", b"")

    async def away(name: str) -> PhysicalName | None:
        if name == OTHER:
            raise IndexUnavailable
        return system.index.live.get(name)

    system.index.resolve = away  # type: ignore[method-assign]
    rebuilds = cast("Any", SimpleNamespace(collect=None))
    system.supervisor._housekeeping = Housekeeping(
        system.book, system.collections, rebuilds, retention=timedelta(days=1), retained_jobs=10
    )
    await system.turn()
    ledger = await system.submitted("a")
    await system.plan(ledger)
    assert (await system.work(ledger)).counts.indexed == 1


def test_what_a_kill_left_of_a_drop_is_gone_after_the_start(indexer: Installation) -> None:
    client, storage = indexer.client, indexer.folder / "storage"
    client.post("/collections", json={"name": "half", "fields": {"year": "number"}})
    golden = {"queries": [{"query": "冻土", "ids": ["1"]}]}
    client.put("/collections/half/golden-queries", json=golden).raise_for_status()
    client.put("/collections/half/query-rules", json={"stop_words": ["的"]}).raise_for_status()
    indexer.api.kill()
    (storage / "drops").mkdir(exist_ok=True)
    (storage / "drops" / "half").touch()
    indexer.restart_with_settings(indexer.api)
    put = client.put("/collections/half/documents/1", json={"title": "冻土", "year": "about 2020"})
    assert put.is_success, put.text
    made = client.get("/collections/half").json()
    assert (made["count"], made["fields"]) == (1, {})
    assert client.get("/collections/half/golden-queries").json() == {"queries": []}
    assert client.get("/collections/half/query-rules").json().get("stop_words", []) == []
    client.delete("/collections/half").raise_for_status()
    assert client.get("/collections/half").status_code == 404
