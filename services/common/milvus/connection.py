"""The asynchronous connection to a Milvus server, with its failures in the terms of the system."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from pymilvus import AsyncMilvusClient

from services.common.ending import ended
from services.common.errors import IndexUnavailable
from services.common.milvus.diagnosis import why_not_entered
from services.common.milvus.failures import (
    FAILURES,
    NoAnswerInTime,
    NotEntered,
    NotLoaded,
    translated,
    unimplemented,
)
from services.common.milvus.names import Aliases, NameRows, Names
from services.common.milvus_address import MilvusAddress

_CONNECT_SECONDS = 5.0
_LOAD_SECONDS = 300.0
_LOG_SECONDS = 60.0

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")
Call = Callable[[AsyncMilvusClient], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Engine:
    """The kind of server at the other end."""

    version: str
    """Version of Milvus, such as v2.6.2; empty for the embedded engine, which gives none."""

    @property
    def embedded(self) -> bool:
        """Whether the server is the compiled milvus-lite."""
        return not self.version

    @property
    def lexical(self) -> bool:
        """Whether the server has Milvus's BM25 function."""
        return not self.version.lstrip("v").startswith(("2.3", "2.4"))

    @property
    def imports(self) -> bool:
        """Whether rows may be written by the server's bulk import: it was tried with Milvus 2.3
        only."""
        return self.version.lstrip("v").startswith("2.3.")

    @property
    def misplaces_upserts(self) -> bool:
        """Whether an upsert may put rows into a wrong partition, where a filter on the partition
        key does not find them: Milvus 2.3.5 takes a wrong column for the key."""
        return self.version.lstrip("v").startswith("2.3.")


class MilvusConnection:
    """One client for one event loop. It connects at the first call, so that a service starts
    while Milvus is away, and reconnects by itself."""

    def __init__(self, address: MilvusAddress) -> None:
        self._client = AsyncMilvusClient(
            **address.options(), timeout=_CONNECT_SECONDS, dedicated=True
        )
        self._address = address
        self._engine: Engine | None = None
        self._logging: asyncio.Task[None] | None = None
        self._logged = float("-inf")
        self._answered = float("-inf")

    @property
    def silent_seconds(self) -> float:
        """Seconds since the server last answered; infinite after a failure."""
        return time.monotonic() - self._answered

    async def close(self) -> None:
        """Ends the connection; no further call is possible."""
        if self._logging is not None:
            await ended([self._logging])
        await self._client.close()

    async def check(self, seconds: float) -> None:
        """Raises IndexUnavailable if the server does not answer, with the setting to look at where
        it cannot be entered."""
        try:
            await self.ask("check", lambda client: client.list_collections(), seconds)
        except NotEntered as error:
            reason = await why_not_entered(self._address, seconds)
            raise IndexUnavailable(reason, retry_after=2) from error

    async def engine(self, seconds: float = _CONNECT_SECONDS) -> Engine:
        """The kind of server, requested once. Raises IndexUnavailable."""
        if self._engine is None:
            self._engine = Engine(await self.ask("version", _version, seconds))
        return self._engine

    async def names(self, seconds: float = _CONNECT_SECONDS) -> Names:
        """The store of users' names of collections. Raises IndexUnavailable."""
        engine = await self.engine(seconds)
        if engine.embedded:
            return NameRows(self.ask)
        return Aliases(self.ask, in_database=bool(self._address.database))

    async def server_time(self) -> int | None:
        """The server's time, which is above that of every write it has acknowledged.

        A search that names it finds all of them. None on the embedded engine, whose searches
        always do. Raises IndexUnavailable.
        """
        if (await self.engine()).embedded:
            return None
        return await self.ask("time", _time, _CONNECT_SECONDS)

    async def ask(
        self, what: str, call: Call[Answer], seconds: float, collection: str | None = None
    ) -> Answer:
        """The answer of one call that may take `seconds`; `what` names the call in messages.

        If the server has `collection` on disk only, it is loaded and the call repeated. Raises
        Missing, NoAnswerInTime, Overloaded, InvalidRequest, and IndexUnavailable for the rest.
        """
        try:
            return await self._ask(what, call, seconds)
        except NotLoaded:
            if collection is None:
                raise
        await self._ask("load", lambda client: client.load_collection(collection), _LOAD_SECONDS)
        return await self._ask(what, call, seconds)

    async def _ask(self, what: str, call: Call[Answer], seconds: float) -> Answer:
        try:
            async with asyncio.timeout(seconds):
                answer = await call(self._client)
        except TimeoutError as error:
            raise NoAnswerInTime(
                f"The index did not carry out {what} in time; try again shortly.", retry_after=2
            ) from error
        except FAILURES as error:
            problem = translated(error, what)
            if type(problem) in (IndexUnavailable, NotEntered):
                self._answered = float("-inf")
            if isinstance(problem, NotEntered):
                self._log_reason()
            raise problem from error
        self._answered = time.monotonic()
        return answer

    def _log_reason(self) -> None:
        """Logs why the server cannot be entered, unless it did so within the last minute."""

        async def log() -> None:
            logger.warning(await why_not_entered(self._address, _CONNECT_SECONDS))

        if time.monotonic() - self._logged > _LOG_SECONDS:
            self._logged = time.monotonic()
            self._logging = asyncio.create_task(log())


async def _version(client: AsyncMilvusClient) -> str:
    try:
        return str(await client.get_server_version())
    except FAILURES as error:
        if unimplemented(error):  # milvus-lite is the only server that lacks this call.
            return ""
        raise


async def _time(client: AsyncMilvusClient) -> int:
    # pymilvus has this call under a private name only.
    handler = await client._get_connection()  # noqa: SLF001
    return int(await handler.alloc_timestamp())


@asynccontextmanager
async def milvus_connection(address: MilvusAddress) -> AsyncIterator[MilvusConnection]:
    """A connection that is closed with the context."""
    connection = MilvusConnection(address)
    try:
        yield connection
    finally:
        await connection.close()
