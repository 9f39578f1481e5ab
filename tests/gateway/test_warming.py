"""Which queries are computed before people ask them, and when."""

import pytest

from services.gateway.search.answers import CacheState
from services.gateway.search.warming import Warmer
from services.gateway.stores.redis_client import GuardedRedis
from tests.gateway.cascades import CountingRecall
from tests.gateway.chains import replica, written


@pytest.mark.usefixtures("version")
async def test_hot_queries_are_computed_after_a_rebuild_and_only_then(redis: GuardedRedis) -> None:
    async with replica(redis, redis, CountingRecall()) as one:
        warmer = Warmer(one.cached, one.keys.versions, one.hot, redis, 10, 10)
        for query, times in (("甲", 3), ("乙", 2), ("丙", 1)):
            for _ in range(times):
                await one.ask(query)
        await one.hot.flush()
        top = await one.hot.top("notes", 2)
        assert [(each.search.query, each.count) for each in top] == [("甲", 3), ("乙", 2)]
        await warmer.look("notes")
        await written(redis)
        assert await warmer.look("notes") == 1  # a document was written: the index is the same
        one.recall.index = "notes__2"
        await written(redis)
        assert await warmer.look("notes") == 3
        assert await warmer.look("notes") == 0
        calls = one.recall.calls
        for query in "甲乙丙":
            assert (await one.ask(query)).state is CacheState.HIT
        assert one.recall.calls == calls


@pytest.mark.usefixtures("version")
async def test_a_rebuild_is_noticed_though_the_first_query_is_cached_already(
    redis: GuardedRedis,
) -> None:
    async with replica(redis, redis, CountingRecall()) as one:
        warmer = Warmer(one.cached, one.keys.versions, one.hot, redis, 10, 10)
        for query in ("甲", "甲", "乙"):
            await one.ask(query)
        await one.hot.flush()
        await warmer.look("notes")
        one.recall.index = "notes__2"
        await written(redis)
        await one.ask("甲")  # somebody asks before the warmer looks
        assert await warmer.look("notes") == 2
