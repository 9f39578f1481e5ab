"""Which queries are computed before people ask them, and when."""

import asyncio

import pytest

from services.common.errors import Unavailable
from services.common.versions import version_key
from services.gateway.search.answers import CacheState
from services.gateway.search.hot.warming import Warmer
from services.gateway.stores.redis_client import GuardedRedis
from tests.gateway.cascades import CountingRecall
from tests.gateway.chains import Replica, replica, written


def warmer_of(one: Replica, redis: GuardedRedis, queries: int = 10) -> Warmer:
    return Warmer(one.cached, one.keys.versions, one.hot, redis, queries, 10)


async def asked_often(one: Replica) -> None:
    """Asks three queries, the first of them most often."""
    for query, times in (("甲", 3), ("乙", 2), ("丙", 1)):
        for _ in range(times):
            await one.ask(query)
    await one.hot.flush()


async def rebuilt(recall: CountingRecall, redis: GuardedRedis) -> None:
    """Another index answers to the name, as after a rebuild."""
    recall.index = "notes__2"
    await written(redis)


@pytest.mark.usefixtures("version")
async def test_hot_queries_are_computed_after_a_rebuild_and_only_then(redis: GuardedRedis) -> None:
    async with replica(redis, redis, CountingRecall()) as one:
        warmer = warmer_of(one, redis)
        await asked_often(one)
        top = await one.hot.top("notes", 2)
        assert [(each.search.query, each.count) for each in top] == [("甲", 3), ("乙", 2)]
        await warmer.look("notes")
        await written(redis)
        assert await warmer.look("notes") == 1  # a document was written: the index is the same
        await rebuilt(one.recall, redis)
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
        warmer = warmer_of(one, redis)
        for query in ("甲", "甲", "乙"):
            await one.ask(query)
        await one.hot.flush()
        await warmer.look("notes")
        await rebuilt(one.recall, redis)
        await one.ask("甲")  # somebody asks before the warmer looks
        assert await warmer.look("notes") == 2


@pytest.mark.usefixtures("version")
async def test_a_frequent_query_that_is_no_longer_valid_leaves_the_others_to_be_computed(
    redis: GuardedRedis,
) -> None:
    """A field by which it sorts may be gone with the index before."""
    async with replica(redis, redis, CountingRecall()) as one:
        warmer = warmer_of(one, redis)
        await asked_often(one)
        await warmer.look("notes")
        one.recall.refused = {"甲"}
        await rebuilt(one.recall, redis)
        await warmer.look("notes")
        assert [(await one.ask(query)).state for query in "乙丙"] == [CacheState.HIT] * 2


@pytest.mark.usefixtures("version")
@pytest.mark.parametrize("answered", [0, 2])
async def test_what_could_not_be_computed_is_computed_at_the_next_look(
    redis: GuardedRedis, answered: int
) -> None:
    """Recall may be away for a moment just after the switch."""
    async with replica(redis, redis, CountingRecall()) as one:
        warmer = warmer_of(one, redis)
        await asked_often(one)
        await warmer.look("notes")
        await rebuilt(one.recall, redis)
        one.recall.answers = answered
        with pytest.raises(Unavailable):
            await warmer.look("notes")
        one.recall.answers = None
        await warmer.look("notes")
        assert [(await one.ask(query)).state for query in "甲乙丙"] == [CacheState.HIT] * 3
        assert await warmer.look("notes") == 0


@pytest.mark.usefixtures("version")
async def test_one_of_several_replicas_computes(redis: GuardedRedis) -> None:
    recall = CountingRecall()
    async with replica(redis, redis, recall) as one, replica(redis, redis, recall) as other:
        warmers = [warmer_of(each, redis) for each in (one, other)]
        await asked_often(one)
        for warmer in warmers:
            await warmer.look("notes")
        await rebuilt(recall, redis)
        assert [await warmer.look("notes") for warmer in warmers] == [3, 0]


@pytest.mark.usefixtures("version")
async def test_a_collection_that_was_deleted_is_watched_no_longer(redis: GuardedRedis) -> None:
    """Each one that was ever searched was looked up in Redis every two seconds, for ever."""
    async with replica(redis, redis, CountingRecall()) as one:
        warmer = warmer_of(one, redis)
        await asked_often(one)
        await warmer.look("notes")
        await redis.redis.delete(version_key("notes"))
        assert await warmer.look("notes") == 0
        assert one.hot.collections == set()
        await written(redis)
        await one.ask("甲")
        await one.hot.flush()
        assert one.hot.collections == {"notes"}


@pytest.mark.usefixtures("version")
async def test_no_more_queries_are_computed_than_wanted(redis: GuardedRedis) -> None:
    async with replica(redis, redis, CountingRecall()) as one:
        warmer = warmer_of(one, redis, 2)
        await asked_often(one)
        await warmer.look("notes")
        await rebuilt(one.recall, redis)
        assert await warmer.look("notes") == 2
        assert [(await one.ask(query)).state for query in "甲乙丙"] == [
            CacheState.HIT,
            CacheState.HIT,
            CacheState.MISS,
        ]


@pytest.mark.usefixtures("version")
async def test_what_a_gateway_that_stops_leaves_is_computed_by_the_next_one(
    redis: GuardedRedis,
) -> None:
    """A release often follows a rebuild: its gateways must not wait for the end of a lock."""
    async with replica(redis, redis, CountingRecall()) as one:
        warmer = warmer_of(one, redis)
        await asked_often(one)
        await warmer.look("notes")
        one.recall.seconds = 60.0
        one.recall.called.clear()
        await rebuilt(one.recall, redis)
        looking = asyncio.create_task(warmer.look("notes"))
        await asyncio.wait_for(one.recall.called.wait(), 10)
        looking.cancel()
        await asyncio.wait([looking])
        assert looking.cancelled()
    async with replica(redis, redis, CountingRecall(index="notes__2")) as other:
        warmer = warmer_of(other, redis)
        assert await warmer.look("notes") == 3
