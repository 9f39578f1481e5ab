"""Tables that are made while the embedded engine runs get their index by id at once."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from services.common.collection import PhysicalName
from services.common.milvus import MilvusAddress, milvus_connection
from services.indexer.index.milvus.index import MilvusVectorIndex
from services.indexer.index.milvus.journal import Journal
from services.indexer.store import ObjectStore
from tests.engines.rows import DIMENSION, row
from tests.servers import milvus_lite
from xunwen.embedded.parts import DATABASE


def physical(generation: int) -> PhysicalName:
    return PhysicalName("indexed", "0" * 16, "1", generation)


def indexed(database: Path) -> set[str]:
    """Tables that have an index by id."""
    with closing(sqlite3.connect(database)) as connection:
        found = connection.execute("SELECT tbl_name FROM sqlite_master WHERE name LIKE 'xunwen_%'")
        return {name for (name,) in found}


async def test_new_tables_are_indexed_while_others_are_written(tmp_path: Path) -> None:
    database = tmp_path / "milvus" / DATABASE
    with milvus_lite(tmp_path) as server:
        async with milvus_connection(MilvusAddress(server.url)) as connection:
            journal = Journal(ObjectStore(str(tmp_path / "storage")))
            index = MilvusVectorIndex(connection, journal, None, database)
            await index.create(physical(0), DIMENSION, 0)

            async def write() -> None:
                for number in range(30):
                    rows = [row(f"{number}-{at}") for at in range(10)]
                    await index.upsert(physical(0), rows, number + 1)
                    await index.upsert(physical(0), rows[:1], number + 2)

            async def make() -> None:
                for generation in range(1, 6):
                    await index.create(physical(generation), DIMENSION, 0)
                    await index.point("indexed", physical(generation))

            await asyncio.gather(write(), make())
            assert await index.count(physical(0)) == 300
            assert await index.resolve("indexed") == physical(5)
        assert indexed(database) >= {str(physical(generation)) for generation in range(6)}
