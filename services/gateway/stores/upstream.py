"""Opens the clients of the other services, and gives routes the types to use them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from services.common.calls.client import ServiceClient
from services.common.server.resources import opened
from services.gateway.settings import GatewaySettings

_INDEXER_SECONDS = 120.0
"""Longest time in seconds that a call of the indexer may take, such as the deletion of a
collection."""


@dataclass(frozen=True, slots=True)
class Services:
    """The clients of the services behind the gateway."""

    recall: ServiceClient
    rank: ServiceClient
    indexer: ServiceClient


@asynccontextmanager
async def open_services(settings: GatewaySettings) -> AsyncIterator[Services]:
    """Clients that are closed when the block ends; nothing is sent yet."""
    token, longest = settings.token(), settings.max_budget_ms / 1000
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(ServiceClient(name, url, timeout=seconds, token=token))
            for name, url, seconds in (
                ("recall", settings.recall_url, longest),
                ("rank", settings.rank_url, longest),
                ("indexer", settings.indexer_url, _INDEXER_SECONDS),
            )
        ]
        yield Services(*clients)


Recall = Annotated[ServiceClient, opened("recall")]
Rank = Annotated[ServiceClient, opened("rank")]
Indexer = Annotated[ServiceClient, opened("indexer")]
