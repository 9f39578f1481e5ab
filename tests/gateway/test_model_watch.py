"""The watch of models keeps the ranker's fingerprint in Redis, for a gateway that starts later."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
from redis.asyncio import Redis

from services.common.calls.client import ServiceClient
from services.common.errors import Unavailable
from services.common.redis.address import RedisAddress
from services.common.redis.client import opened_redis
from services.common.wire.encode import ModelInfo
from services.gateway.search.model_watch import ModelWatch
from services.gateway.stores.redis_client import GuardedRedis
from tests.gateway.cascades import RANKER
from tests.servers import Server, valkey


class _Service:
    """A service that is ready, with a model; or away without one."""

    def __init__(self, fingerprint: str | None) -> None:
        self._fingerprint = fingerprint

    async def check(self) -> None:
        return None

    async def ask(self, *_: object) -> ModelInfo:
        if self._fingerprint is None:
            raise Unavailable("It does not answer.")
        return ModelInfo(
            name="m", version="1", fingerprint=self._fingerprint, max_tokens=8, precision="fp32"
        )


@asynccontextmanager
async def watching(server: Server, fingerprint: str | None) -> AsyncIterator[ModelWatch]:
    """A watch of a gateway that has just begun."""
    service = cast(ServiceClient, _Service(fingerprint))
    async with opened_redis(RedisAddress.parse(server.url)) as client:
        watch = ModelWatch(service, service, GuardedRedis(client, "cache"))
        await watch.begin()
        yield watch


@pytest.mark.parametrize("away", [True, False])
async def test_redis_learns_of_the_ranker_after_it_was_away_or_emptied(
    away: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.search.model_watch._POLL_SECONDS", 0.05)
    with valkey(tmp_path) as server:
        if away:
            server.kill()
        async with watching(server, RANKER) as watch:
            if away:
                server.start()
            else:
                await watch.cache.redis.flushall()
            running = asyncio.create_task(watch.run())
            async with asyncio.timeout(10), watching(server, None) as later:
                while later.ranker is None:
                    await asyncio.sleep(0.05)
                    await later.begin()
            running.cancel()
        assert later.ranker == RANKER


class _SlowRedis:
    """A Redis that notes the first fingerprint only once it is let go."""

    def __init__(self) -> None:
        self.noted: list[str] = []
        self.let_go = asyncio.Event()

    async def set(self, _key: str, fingerprint: str) -> None:
        self.noted.append(fingerprint)
        if len(self.noted) == 1:
            await self.let_go.wait()


async def test_an_answer_counts_for_the_ranker_that_made_it_whatever_is_learnt_meanwhile() -> None:
    """While rank is updated, two rankers answer; the cache must not take one's answer for the
    other's."""
    service, redis = cast(ServiceClient, _Service(None)), _SlowRedis()
    watch = ModelWatch(service, service, GuardedRedis(cast("Redis", redis), "cache"))
    first = asyncio.create_task(watch.learn("a" * 16))
    await asyncio.sleep(0)
    assert await watch.learn("b" * 16) == "b" * 16
    redis.let_go.set()
    assert await first == "a" * 16
    assert await watch.learn(None) == "b" * 16
