"""Calls of Milvus's protocol that pymilvus has under private names, or with costs of its own."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pymilvus import AsyncMilvusClient
from pymilvus.client.prepare import Prepare
from pymilvus.client.ts_utils import construct_guarantee_ts
from pymilvus.client.utils import check_status
from pymilvus.decorators import retry_on_rpc_failure

_CREATE_SECONDS = 30.0


class Hits(NamedTuple):
    """The rows that one query found, by columns and best first."""

    ids: Sequence[str]
    scores: Sequence[float]
    numbers: Mapping[str, Sequence[int]]
    """The columns of whole numbers that were asked for."""


async def search(
    client: AsyncMilvusClient,
    name: str,
    queries: Sequence[object],
    field: str,
    parameters: Mapping[str, Any],
    most: int,
    expression: str,
    columns: Sequence[str],
    **consistency: Any,
) -> list[Hits]:
    """At most `most` rows for each query, which is a vector (float32) or a text.

    pymilvus makes objects of a thousand rows in 1.4 ms, and reading their scores takes 0.4 ms more.
    """
    default = construct_guarantee_ts(name, consistency)
    request = Prepare.search_requests_with_expr(
        collection_name=name,
        anns_field=field,
        param=dict(parameters),
        limit=most,
        data=list(queries),
        expr=expression,
        output_fields=list(columns),
        use_default_consistency=default,
        **consistency,
    )
    handler = await client._get_connection()  # noqa: SLF001
    return _by_query(await _search(handler, client, request), columns)


async def _once(handler: Any, client: AsyncMilvusClient, request: Any) -> Any:
    answer = await _call(handler, client, "Search", request)
    check_status(answer.status)
    return answer.results


_search = retry_on_rpc_failure()(_once)
"""The results of a search, which is tried again as pymilvus does it."""


def _by_query(results: Any, columns: Sequence[str]) -> list[Hits]:
    """The results by query; they are stored one behind another."""
    ids, scores = list(results.ids.str_id.data), list(results.scores)
    stored: dict[str, list[int]] = {name: [] for name in columns}  # empty ones are left out
    stored |= {
        column.field_name: list(column.scalars.long_data.data) for column in results.fields_data
    }
    hits, start = [], 0
    for count in results.topks:
        rows = slice(start, start + count)
        numbers = {name: values[rows] for name, values in stored.items()}
        hits.append(Hits(ids[rows], scores[rows], numbers))
        start += count
    return hits


async def send(client: AsyncMilvusClient, method: str, request: Any, seconds: float) -> Any:
    """The answer of a call in the client's database, whose status the caller checks."""
    handler = await client._get_connection()  # noqa: SLF001
    return await _call(handler, client, method, request, seconds)


async def _call(
    handler: Any,
    client: AsyncMilvusClient,
    method: str,
    request: Any,
    seconds: float | None = None,
) -> Any:
    context = client._generate_call_context()  # noqa: SLF001
    call = getattr(handler._async_stub, method)  # noqa: SLF001
    return await call(request, timeout=seconds, metadata=context.to_grpc_metadata())


async def create_collection(
    client: AsyncMilvusClient, name: str, schema: Any, indexes: Any, **options: Any
) -> None:
    """Creates a collection with its indexes and loads it; what a killed call has done is completed.

    pymilvus waits half a second for each index, of which nothing is built yet.
    """
    if not await client.has_collection(name):
        await client.create_collection(name, schema=schema, **options)
    for index in indexes:
        request = Prepare.create_index_request(
            name, index.field_name, index.get_index_configs(), index_name=index.index_name
        )
        check_status(await send(client, "CreateIndex", request, _CREATE_SECONDS))
    await client.load_collection(name)
