"""Both clients under one set of tests."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from tests.client.scripted import ScriptedGateway, scripted_gateway
from xunwen import AsyncClient, Client
from xunwen.client.retries import Retries

FAST = Retries(attempts=3, first_seconds=0.001, longest_seconds=1.0, away_seconds=2.0)

Do = Callable[..., Any]
"""do(method, *arguments) calls a method of the client; iterators come back as lists."""


@pytest.fixture
def gateway() -> Iterator[ScriptedGateway]:
    with scripted_gateway() as gateway:
        yield gateway


@pytest.fixture(params=["synchronous", "asynchronous"])
def do(request: pytest.FixtureRequest, gateway: ScriptedGateway) -> Do:
    def with_client(method: str, *args: Any, **kwargs: Any) -> Any:
        with Client(gateway.url, api_key="secret", retries=FAST) as client:
            result = getattr(client, method)(*args, **kwargs)
            return list(result) if isinstance(result, Iterator) else result

    async def with_async_client(method: str, *args: Any, **kwargs: Any) -> Any:
        async with AsyncClient(gateway.url, api_key="secret", retries=FAST) as client:
            result = getattr(client, method)(*args, **kwargs)
            if isinstance(result, AsyncIterator):
                return [item async for item in result]
            return await result

    if request.param == "synchronous":
        return with_client
    return lambda *args, **kwargs: asyncio.run(with_async_client(*args, **kwargs))
