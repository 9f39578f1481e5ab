"""kill -9 of the embedded engine in the middle of writes: what was acknowledged is there exactly.

Of the one write that the kill interrupted, each id may be as before or as written, and nothing
else; a name means the old collection or the new one.
"""

import asyncio
import random
import threading
from pathlib import Path

import pytest

from services.common.collection import PhysicalName
from services.common.errors import IndexUnavailable
from services.common.milvus import MilvusAddress, milvus_connection
from services.indexer.index.milvus.index import MilvusVectorIndex
from services.indexer.index.milvus.journal import Journal
from services.indexer.store import ObjectStore
from tests.engines.rows import DIMENSION, row
from tests.milvus import on_index
from tests.servers import Server, milvus_lite

ROUNDS = 8
IDS = 400
BATCH = 40


def physical(generation: int) -> PhysicalName:
    return PhysicalName("killed", "0" * 16, "1", generation)


class Writer:
    """Writes at random until the server is gone, and notes what must and what may be there."""

    def __init__(
        self, url: str, storage: Path, chance: random.Random, there: dict[str, int], named: int
    ) -> None:
        self._url = url
        self._storage = storage
        self._chance = chance
        self.there = there
        """The version of each id, by the acknowledged writes."""
        self.doubtful: dict[str, int | None] = {}
        """What the interrupted write would have made of its ids: a version, or None if deleted."""
        self.names = {named}
        """The generations that the name may mean."""
        self.acknowledged = 0

    async def run(self) -> None:
        async with milvus_connection(MilvusAddress(self._url)) as connection:
            index = MilvusVectorIndex(connection, Journal(ObjectStore(str(self._storage))))
            try:
                while True:
                    await self._one(index)
                    self.acknowledged += 1
            except IndexUnavailable:
                return

    async def _one(self, index: MilvusVectorIndex) -> None:
        kind = self._chance.random()
        ids = self._chance.sample([f"it's {n}" for n in range(IDS)], BATCH)
        if kind < 0.6:
            version = max(self.there.values(), default=0) + 1
            self.doubtful = dict.fromkeys(ids, version)
            await index.upsert(physical(1), [row(one) for one in ids], version)
            self.there |= dict.fromkeys(ids, version)
        elif kind < 0.8:
            self.doubtful = dict.fromkeys(ids, None)
            await index.delete(physical(1), ids)
            self.there = {one: at for one, at in self.there.items() if one not in ids}
        else:
            [now] = self.names
            self.names = {now, 3 - now}
            await index.point("killed", physical(3 - now))
            self.names = {3 - now}
        self.doubtful = {}


def killed(server: Server, writer: Writer, seconds: float) -> None:
    """Lets it write for so long, kills the server, and starts it again."""
    thread = threading.Thread(target=lambda: asyncio.run(writer.run()))
    thread.start()
    thread.join(seconds)
    server.kill()
    thread.join()
    server.start()
    on_index(server.url, answering)


async def answering(index: MilvusVectorIndex) -> None:
    """Returns when the server answers: gRPC waits up to a second before it tries a port again."""
    while True:
        try:
            return await index.check()
        except IndexUnavailable:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("seed", [1, 2])
def test_what_was_acknowledged_is_there(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    acknowledged, storage = 0, tmp_path / "storage"
    with milvus_lite(tmp_path) as server:

        async def prepare(index: MilvusVectorIndex) -> None:
            for generation in (1, 2):
                await index.create(physical(generation), DIMENSION, 0)
            await index.point("killed", physical(1))

        async def state(index: MilvusVectorIndex) -> tuple[list[tuple[str, int]], int]:
            await index.recover()
            assert await index.recover() == set()
            rows = [(found.id, found.version or 0) async for found in index.scan(physical(1))]
            assert await index.count(physical(1)) == len(rows)
            name = await index.resolve("killed")
            assert name is not None
            return rows, name.generation

        on_index(server.url, prepare)
        there: dict[str, int] = {}
        named = 1
        for _ in range(ROUNDS):
            writer = Writer(server.url, storage, chance, there, named)
            killed(server, writer, chance.uniform(0.2, 1.5))
            acknowledged += writer.acknowledged
            rows, named = on_index(server.url, state, storage=storage)
            there = dict(rows)
            assert len(there) == len(rows)
            assert named in writer.names
            for one in {*there, *writer.there, *writer.doubtful}:
                allowed = {writer.there.get(one)}
                if one in writer.doubtful:
                    allowed.add(writer.doubtful[one])
                assert there.get(one) in allowed, one
    assert acknowledged > ROUNDS
    print(f"\n{acknowledged} acknowledged writes, {ROUNDS} kills: exact")
