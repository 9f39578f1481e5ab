"""What the lifespan opened, as routes ask for it."""

from typing import Annotated, cast

from fastapi import Depends, Request

from services.common.errors import CollectionNotFound
from services.common.service_client import ServiceClient
from services.gateway.access.keys import ApiKey
from services.gateway.cache.hot import HotQueries
from services.gateway.searcher import Asker, Searcher
from services.gateway.settings import GatewaySettings


def check_sees(caller: ApiKey, collection: str) -> None:
    """Raises CollectionNotFound, whether or not there is such a collection."""
    if not caller.sees(collection):
        raise CollectionNotFound(f"There is no collection {collection!r} for this key.")


async def _settings(request: Request) -> GatewaySettings:
    return cast(GatewaySettings, request.state.settings)


async def _searcher(request: Request) -> Searcher:
    return cast(Searcher, request.state.searcher)


async def _caller(request: Request) -> ApiKey:
    return cast(ApiKey, request.state.caller)


Caller = Annotated[ApiKey, Depends(_caller)]


async def _asker(caller: Caller) -> Asker:
    return Asker(tenant=caller.tenant, key=caller.id)


async def _hot(request: Request) -> HotQueries:
    return cast(HotQueries, request.state.hot)


async def _recall(request: Request) -> ServiceClient:
    return cast(ServiceClient, request.state.recall)


async def _rank(request: Request) -> ServiceClient:
    return cast(ServiceClient, request.state.rank)


async def _indexer(request: Request) -> ServiceClient:
    return cast(ServiceClient, request.state.indexer)


Settings = Annotated[GatewaySettings, Depends(_settings)]
As = Annotated[Asker, Depends(_asker)]
Search = Annotated[Searcher, Depends(_searcher)]
Hot = Annotated[HotQueries, Depends(_hot)]
Recall = Annotated[ServiceClient, Depends(_recall)]
Rank = Annotated[ServiceClient, Depends(_rank)]
Indexer = Annotated[ServiceClient, Depends(_indexer)]
