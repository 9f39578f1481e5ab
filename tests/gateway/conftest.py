"""Real Redis servers, and gateways of our own before the services of the shared stack."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.common.redis.address import RedisAddress
from services.common.redis.client import opened_redis
from services.gateway.search.links.key import Keys
from services.gateway.stores.redis_client import GuardedRedis
from tests.gateway.chains import known_keys, written
from tests.gateway.gateways import OPERATOR_KEY, ORIGIN, gateway
from tests.servers import Server, valkey
from tests.stack import BUDGET_MS, Stack


@pytest.fixture(scope="package")
def keyed(stack: Stack) -> Iterator[str]:
    """The address of a gateway that asks for keys."""
    settings = {
        "require_keys": "true",
        "operator_key": OPERATOR_KEY,
        "cors_origins": json.dumps([ORIGIN]),
        "budget_ms": BUDGET_MS,
    }
    with gateway(stack, **settings) as url:
        yield url


@pytest.fixture(scope="package")
def second(stack: Stack) -> Iterator[str]:
    """The address of a second gateway that is like the stack's."""
    with gateway(stack) as url:
        yield url


@pytest.fixture(scope="package")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with valkey(tmp_path_factory.mktemp("gateway-redis")) as server:
        yield server


@pytest.fixture
async def redis(redis_server: Server) -> AsyncIterator[GuardedRedis]:
    """Empty."""
    async with opened_redis(RedisAddress.parse(redis_server.url)) as client:
        await client.flushall()
        yield GuardedRedis(client, "cache")


@pytest.fixture
async def version(redis: GuardedRedis) -> str:
    """Version of the collection `notes`, which exists."""
    return await written(redis)


@pytest.fixture
async def keys(redis: GuardedRedis) -> AsyncIterator[Keys]:
    """Keys of the cache for searches of `notes`."""
    async with known_keys(redis, redis) as keys:
        yield keys


@pytest.fixture
async def dead_redis(tmp_path: Path) -> AsyncIterator[GuardedRedis]:
    """Of a server that was killed."""
    with valkey(tmp_path) as server:
        server.kill()
        async with opened_redis(RedisAddress.parse(server.url)) as client:
            yield GuardedRedis(client, "cache")
