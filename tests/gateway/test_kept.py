"""The link `Kept`: which answers go into the cache, and under which key."""

import asyncio
import json
from typing import Any

import pytest

from services.common.errors import ServiceUnavailable
from services.common.redis.address import RedisAddress
from services.common.redis.client import opened_redis
from services.gateway.cache.policy import CacheUse, Entry
from services.gateway.cache.redis import RedisCache
from services.gateway.search.links.kept import Kept
from services.gateway.search.links.key import Keys, cache_key
from services.gateway.search.links.shared import Shared
from services.gateway.stores.redis_client import GuardedRedis
from tests.gateway.cascades import RANKER, CountingLink, CountingRecall, PlainRank, ask
from tests.gateway.chains import Replica, levels, replica, written
from tests.servers import Server, valkey


class LateStore(RedisCache):
    """Stores nothing before `let` is set."""

    def __init__(self, cache: GuardedRedis) -> None:
        super().__init__(cache)
        self.let = asyncio.Event()

    async def put(self, key: str, entry: Entry, kept_seconds: float) -> None:
        await self.let.wait()
        await super().put(key, entry, kept_seconds)


async def test_an_answer_does_not_wait_until_redis_has_it(redis: GuardedRedis, keys: Keys) -> None:
    """Its lock does: other replicas that wait for the lock find the answer."""
    cache = levels(redis)
    late = LateStore(redis)
    cache.redis = late
    shared = Shared(Kept(CountingLink(), cache, keys), cache.local, late)
    key = cache_key(ask().search, "v", "", RANKER, "-")
    assert key is not None
    await asyncio.wait_for(shared.answer(ask(version="v", rules="", key=key)), 10)
    here = cache.fresh_here(key)
    assert here is not None
    assert await late.look(key) == (None, True)
    late.let.set()
    await shared.aclose()
    stored, locked = await late.look(key)
    assert stored is not None
    assert stored.body == here.body
    assert not locked


@pytest.mark.usefixtures("version")
@pytest.mark.parametrize("part", ["dense", "rank"])
async def test_incomplete_answers_are_not_kept(redis: GuardedRedis, part: str) -> None:
    recall = CountingRecall(degraded=[part] if part == "dense" else [])
    rank = PlainRank(ServiceUnavailable("away") if part == "rank" else None)
    async with replica(redis, redis, recall, rank) as one:
        first = await one.ask()
        assert json.loads(first.body)["degraded"] == [part]
        await one.ask()
    assert recall.calls == 2


async def test_a_restarted_redis_is_used_again(redis: GuardedRedis, tmp_path: Any) -> None:
    await written(redis)
    with valkey(tmp_path) as server:
        async with opened_redis(RedisAddress.parse(server.url)) as client:
            cache = GuardedRedis(client, "cache")
            async with replica(redis, cache, CountingRecall()) as one:
                await one.ask("甲")
                server.kill()
                for query in "乙丙丁戊":
                    await one.ask(query)
                assert cache.breaker.open
                server.start()
                await until_kept(one, server)


async def until_kept(one: Replica, server: Server) -> None:
    """Asks until an answer is in Redis again."""
    async with opened_redis(RedisAddress.parse(server.url)) as client, asyncio.timeout(10):
        number = 0
        while not [key async for key in client.scan_iter("xunwen:answer:*")]:
            number += 1
            await one.ask(f"查询{number}")
            await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("use", "version", "degraded", "kept"),
    [
        (CacheUse.NORMAL, "v", (), True),
        (CacheUse.REFRESH, "v", (), True),
        (CacheUse.NONE, "v", (), False),
        (CacheUse.NORMAL, None, (), False),
        (CacheUse.NORMAL, "v", ("dense",), False),
    ],
)
async def test_only_complete_answers_about_a_known_version_are_kept(
    redis: GuardedRedis,
    keys: Keys,
    use: CacheUse,
    version: str | None,
    degraded: tuple[str, ...],
    kept: bool,
) -> None:
    cache = levels(redis)
    link = Kept(CountingLink(degraded=degraded), cache, keys)
    await link.answer(ask(use=use, version=version, rules=""))
    assert len(cache.local) == int(kept)


async def test_the_key_holds_the_ranker_that_answered(redis: GuardedRedis, keys: Keys) -> None:
    keys.models.ranker = "another"
    cache = levels(redis)
    await Kept(CountingLink(), cache, keys).answer(ask(version="v", rules=""))
    key = cache_key(ask().search, "v", "", RANKER, "-")
    assert key is not None
    assert cache.fresh_here(key) is not None
    assert keys.models.ranker == RANKER
