"""What tests write to and read from a Milvus server beside the services."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from pymilvus import MilvusClient

from services.common.milvus import MilvusAddress, MilvusConnection, milvus_connection
from services.indexer.index.milvus.choice import IndexChoice
from services.indexer.index.milvus.index import MilvusVectorIndex
from services.indexer.index.milvus.journal import Journal
from services.indexer.store import ObjectStore

Answer = TypeVar("Answer")


def plain_client(url: str) -> MilvusClient:
    """A client of pymilvus on a connection of its own, which pings as rarely as the services'.

    With pymilvus's own settings it shares one connection a server and pings every ten seconds, and
    the server hangs up: "too many pings".
    """
    return MilvusClient(**MilvusAddress(url).options(), dedicated=True)


def on_connection(url: str, question: Callable[[MilvusConnection], Awaitable[Answer]]) -> Answer:
    """Runs a question on a connection of its own, also where an event loop runs already."""

    async def ask() -> Answer:
        async with milvus_connection(MilvusAddress(url)) as connection:
            return await question(connection)

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, ask()).result()


def on_index(
    url: str,
    question: Callable[[MilvusVectorIndex], Awaitable[Answer]],
    choice: IndexChoice | None = None,
    storage: Path | None = None,
) -> Answer:
    """The same on the indexer's adapter; `storage` holds its journal, a new folder if None."""

    async def ask(connection: MilvusConnection) -> Answer:
        with TemporaryDirectory() as folder:
            journal = Journal(ObjectStore(str(storage or folder)))
            return await question(MilvusVectorIndex(connection, journal, choice))

    return on_connection(url, ask)
