"""What the lifespan opened, as routes ask for it."""

from typing import Annotated, cast

from fastapi import Depends, Request

from services.common.service_client import ServiceClient
from services.gateway.searcher import Searcher
from services.gateway.settings import GatewaySettings


def _settings(request: Request) -> GatewaySettings:
    return cast(GatewaySettings, request.state.settings)


def _searcher(request: Request) -> Searcher:
    return cast(Searcher, request.state.searcher)


def _recall(request: Request) -> ServiceClient:
    return cast(ServiceClient, request.state.recall)


def _rank(request: Request) -> ServiceClient:
    return cast(ServiceClient, request.state.rank)


def _indexer(request: Request) -> ServiceClient:
    return cast(ServiceClient, request.state.indexer)


Settings = Annotated[GatewaySettings, Depends(_settings)]
Search = Annotated[Searcher, Depends(_searcher)]
Recall = Annotated[ServiceClient, Depends(_recall)]
Rank = Annotated[ServiceClient, Depends(_rank)]
Indexer = Annotated[ServiceClient, Depends(_indexer)]
