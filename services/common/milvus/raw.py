"""Calls of Milvus's protocol that pymilvus has under private names, or with waits of its own."""

from typing import Any

from pymilvus import AsyncMilvusClient
from pymilvus.client.prepare import Prepare
from pymilvus.client.utils import check_status

_CREATE_SECONDS = 30.0


async def send(client: AsyncMilvusClient, method: str, request: Any, seconds: float) -> Any:
    """The answer of a call in the client's database, whose status the caller checks."""
    handler = await client._get_connection()  # noqa: SLF001
    call = getattr(handler._async_stub, method)  # noqa: SLF001
    context = client._generate_call_context()  # noqa: SLF001
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
