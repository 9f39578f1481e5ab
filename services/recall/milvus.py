"""Milvus as the document index: milvus-lite, 2.3 and clusters through one asynchronous client."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import grpc
from opentelemetry.trace import SpanKind
from pymilvus import AsyncMilvusClient
from pymilvus.exceptions import MilvusException

from services.common.collection import Field, PhysicalName
from services.common.errors import (
    CollectionNotFound,
    DeadlineExceeded,
    IndexUnavailable,
)
from services.common.request_context import Deadline
from services.common.tracing import span
from services.recall.domain import Found, Index, Vector

_NOT_FOUND = (100, 1600)
"""Milvus's codes for a missing collection and a missing alias."""
_NOT_LOADED = 101
_FRESH_SECONDS = 2.0
_OUTPUT = [Field.ID, Field.TITLE, Field.TEXT, Field.FIELDS]
_GRPC = {
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1_000,  # else a long outage is noticed minutes late
}

Answer = TypeVar("Answer")


class MilvusIndex:
    """A DocumentIndex. Belongs to one event loop; connects at the first call."""

    def __init__(self, uri: str, token: str | None, *, ef: int, nprobe: int) -> None:
        self._client = AsyncMilvusClient(uri, token=token or "", grpc_options=_GRPC)
        self._ef = ef
        self._nprobe = nprobe
        self._known: dict[str, tuple[Index, str]] = {}
        self._answered = -_FRESH_SECONDS

    async def close(self) -> None:
        await self._client.close()

    async def check(self) -> None:
        """Raises IndexUnavailable unless the server answers or did so a moment ago.

        milvus-lite answers calls one by one: a probe would wait behind searches.
        """
        if time.monotonic() - self._answered > _FRESH_SECONDS:
            await self._ask(self._client.get_server_version(timeout=2.0), Deadline.after(2.0))

    async def resolve(self, collection: str, deadline: Deadline) -> Index:
        try:
            alias = await self._ask(
                self._client.describe_alias(collection, timeout=deadline.remaining()), deadline
            )
        except _NotFound as error:
            raise CollectionNotFound(
                f"There is no collection {collection}; an index job creates it."
            ) from error
        physical = alias["collection_name"]
        if physical not in self._known:
            self._known = {physical: await self._describe(physical, deadline), **self._known}
        return self._known[physical][0]

    async def nearest(
        self, index: Index, vector: Vector, n: int, expression: str, deadline: Deadline
    ) -> list[Found]:
        parameters: dict[str, Any] = {}
        kind = self._known[index.physical][1]
        if kind.startswith("HNSW"):  # HNSW_SQ too
            parameters["ef"] = max(n, self._ef)
        elif kind == "DISKANN":
            parameters["search_list"] = max(n, self._ef)
        elif kind.startswith("IVF"):
            parameters["nprobe"] = self._nprobe
        return await self._search(
            index, Field.VECTOR, vector.tolist(), "IP", parameters, n, expression, deadline
        )

    async def matching(
        self, index: Index, words: Sequence[str], n: int, expression: str, deadline: Deadline
    ) -> list[Found]:
        return await self._search(
            index, Field.LEXICAL, " ".join(words), "BM25", {}, n, expression, deadline
        )

    async def _describe(self, physical: str, deadline: Deadline) -> tuple[Index, str]:
        name = PhysicalName.parse(physical)
        if name is None:
            raise CollectionNotFound(f"{physical} is not a collection of this system.")
        schema = await self._ask(
            self._client.describe_collection(physical, timeout=deadline.remaining()), deadline
        )
        about = await self._ask(
            self._client.describe_index(physical, Field.VECTOR, timeout=deadline.remaining()),
            deadline,
        )
        fields = {field["name"] for field in schema["fields"]}
        index = Index(physical, name.encoder, name.analyzer, Field.LEXICAL in fields)
        return index, str(about["index_type"])

    async def _search(
        self,
        index: Index,
        field: Field,
        query: object,
        metric: str,
        parameters: dict[str, Any],
        n: int,
        expression: str,
        deadline: Deadline,
    ) -> list[Found]:
        async def search() -> Any:
            with span("milvus.search", kind=SpanKind.CLIENT, attributes=about):
                return await self._client.search(
                    index.physical,
                    data=[query],
                    anns_field=field,
                    limit=n,
                    filter=expression,
                    output_fields=_OUTPUT,
                    search_params={"metric_type": metric, "params": parameters},
                    timeout=deadline.remaining(),
                )

        about = {
            "db.system.name": "milvus",
            "db.collection.name": index.physical,
            "field": str(field),
        }

        try:
            answer = await self._ask(search(), deadline)
        except _NotLoaded:  # a restarted milvus-lite comes back with everything released
            await self._ask(
                self._client.load_collection(index.physical, timeout=deadline.remaining()),
                deadline,
            )
            answer = await self._ask(search(), deadline)
        except _NotFound as error:
            self._known.pop(index.physical, None)
            raise IndexUnavailable("The index was just replaced; try again.") from error
        # milvus-lite reports BM25 as a negative distance, the others as a positive score.
        sign = -1.0 if metric == "BM25" and any(hit["distance"] < 0 for hit in answer[0]) else 1.0
        return [_found(hit, sign) for hit in answer[0]]

    async def _ask(self, call: Coroutine[Any, Any, Answer], deadline: Deadline) -> Answer:
        """One call, bounded in time, its failures in our terms."""
        try:
            async with asyncio.timeout(deadline.remaining()):
                answer = await call
        except TimeoutError as error:
            raise DeadlineExceeded("The index did not answer within the budget.") from error
        except (MilvusException, grpc.RpcError) as error:
            code = error.code if isinstance(error, MilvusException) else None
            if code in _NOT_FOUND:
                raise _NotFound from error
            if code == _NOT_LOADED:
                raise _NotLoaded from error
            self._answered = -_FRESH_SECONDS
            raise IndexUnavailable("The index does not answer.", retry_after=1) from error
        self._answered = time.monotonic()
        return answer


class _NotFound(IndexUnavailable):
    """The server knows no such collection or alias."""


class _NotLoaded(IndexUnavailable):
    """The collection is on disk only."""


def _found(hit: Any, sign: float) -> Found:
    row = hit["entity"]
    return Found(
        row[Field.ID],
        sign * hit["distance"],
        row[Field.TITLE],
        row[Field.TEXT],
        row[Field.FIELDS],
    )


@asynccontextmanager
async def milvus_index(
    uri: str, token: str | None, *, ef: int, nprobe: int
) -> AsyncIterator[MilvusIndex]:
    """An index that is closed with the context."""
    index = MilvusIndex(uri, token, ef=ef, nprobe=nprobe)
    try:
        yield index
    finally:
        await index.close()
