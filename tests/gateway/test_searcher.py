"""The cache around a cascade: what is kept, computed once, served stale, and never served."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from services.common.errors import IndexUnavailable, ServiceUnavailable
from services.common.request_context import Deadline
from services.common.service_client import ServiceClient
from services.common.versions import new_version, version_key
from services.gateway.admission.adaptive_limit import AdaptiveLimit
from services.gateway.admission.control import AdmissionControl
from services.gateway.answering import CacheState, Served
from services.gateway.cache.hot import HotQueries
from services.gateway.cache.local import LocalCache
from services.gateway.cache.policy import CacheUse, Lifetimes, Models, cache_key
from services.gateway.cache.redis import RedisCache
from services.gateway.cache.versions import RedisVersions
from services.gateway.cache.warming import Warmer
from services.gateway.domain import Cascade
from services.gateway.metrics import CacheMetrics, SearchMetrics
from services.gateway.models import ModelWatch
from services.gateway.redis_client import GuardedRedis, connect
from services.gateway.searcher import Asker, Searcher
from services.gateway.state_reader import StateReader
from tests.gateway.cascades import ENCODER, RANKER, CountingRecall, PlainRank, search
from tests.servers import Server, valkey

NOWHERE = "http://127.0.0.1:9"
LONG = Lifetimes(fresh=100, stale=1000, kept=10_000)


@dataclass(slots=True)
class Replica:
    """A gateway's search with a cascade of ours, before real Redis servers."""

    searcher: Searcher
    recall: CountingRecall
    rank: PlainRank
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    async def ask(
        self,
        query: str = "创新",
        use: CacheUse = CacheUse.NORMAL,
        tenant: str = "-",
        seconds: float = 10.0,
        **changes: Any,
    ) -> Served:
        return await self.searcher.answer(
            search(query, **changes), Deadline.after(seconds), Asker(tenant, tenant), use
        )


@asynccontextmanager
async def replica(
    state: GuardedRedis,
    cache: GuardedRedis,
    recall: CountingRecall,
    rank: PlainRank | None = None,
    lifetimes: Lifetimes = LONG,
) -> AsyncIterator[Replica]:
    rank = rank or PlainRank()
    registry = CollectorRegistry()
    away = ServiceClient("recall", NOWHERE, timeout=1)
    searcher = Searcher(
        cascade=Cascade(recall, rank, 0.85),
        versions=RedisVersions(StateReader(state)),
        models=ModelWatch(away, away, cache, Models(ENCODER, RANKER)),
        local=LocalCache(1_000_000, lambda: None),
        shared=RedisCache(cache),
        lifetimes=lifetimes,
        admission=AdmissionControl(AdaptiveLimit(8, 1, 8)),
        hot=HotQueries(cache),
        metrics=SearchMetrics(registry),
        cache_metrics=CacheMetrics(registry),
        budget_seconds=10,
    )
    try:
        yield Replica(searcher, recall, rank, registry)
    finally:
        await searcher.aclose()
        await away.__aexit__()


@pytest.fixture
async def version(redis: GuardedRedis) -> str:
    """Of the collection `notes`, which exists."""
    return await written(redis)


async def written(redis: GuardedRedis) -> str:
    """As the indexer does it after each committed write."""
    moved = new_version()
    await redis.redis.set(version_key("notes"), moved)
    return moved


def title(served: Served) -> str:
    return str(json.loads(served.body)["hits"][0]["title"])


async def test_the_second_answer_comes_from_the_cache(redis: GuardedRedis, version: str) -> None:
    async with replica(redis, redis, CountingRecall()) as one:
        first, second = await one.ask(), await one.ask()
    assert (first.state, second.state, one.recall.calls) == (CacheState.MISS, CacheState.HIT, 1)
    computed, cached = json.loads(first.body), json.loads(second.body)
    assert (computed["cached"], cached["cached"]) == (False, True)
    assert cached["hits"] == computed["hits"]
    assert cached["index_version"] == version


async def test_replicas_share_answers(redis: GuardedRedis, version: str) -> None:
    recall = CountingRecall()
    async with replica(redis, redis, recall) as one, replica(redis, redis, recall) as other:
        await one.ask()
        assert (await other.ask()).state is CacheState.HIT
    assert recall.calls == 1


@pytest.mark.usefixtures("version")
async def test_a_stampede_over_two_replicas_computes_once(redis: GuardedRedis) -> None:
    recall = CountingRecall(seconds=0.3)
    async with replica(redis, redis, recall) as one, replica(redis, redis, recall) as other:
        asked = [replica.ask() for _ in range(100) for replica in (one, other)]
        answers = await asyncio.gather(*asked)
    assert recall.calls == 1
    assert {title(answer) for answer in answers} == {"第1次"}


@pytest.mark.usefixtures("version")
async def test_a_write_ends_every_answer_before_it(redis: GuardedRedis) -> None:
    async with replica(redis, redis, CountingRecall()) as one:
        assert title(await one.ask()) == "第1次"
        await written(redis)
        assert title(await one.ask()) == "第2次"


@pytest.mark.usefixtures("version")
async def test_tenants_do_not_share(redis: GuardedRedis) -> None:
    async with replica(redis, redis, CountingRecall()) as one:
        await one.ask(tenant="a")
        assert (await one.ask(tenant="b")).state is CacheState.MISS


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


@pytest.mark.usefixtures("version")
async def test_no_cache_computes_anew_for_all_and_no_store_for_nobody(redis: GuardedRedis) -> None:
    async with replica(redis, redis, CountingRecall()) as one:
        await one.ask()
        refreshed = await one.ask(use=CacheUse.REFRESH)
        assert (refreshed.state, title(refreshed)) == (CacheState.BYPASS, "第2次")
        assert title(await one.ask()) == "第2次"
        assert title(await one.ask(use=CacheUse.NONE)) == "第3次"
        assert title(await one.ask()) == "第2次"


@pytest.mark.usefixtures("version")
async def test_stale_answers_are_served_while_they_are_made_again(redis: GuardedRedis) -> None:
    lifetimes = Lifetimes(fresh=0.05, stale=1000, kept=10_000)
    async with replica(redis, redis, CountingRecall(), lifetimes=lifetimes) as one:
        await one.ask()
        await asyncio.sleep(0.1)
        stale = await one.ask()
        assert (stale.state, title(stale)) == (CacheState.STALE, "第1次")
        async with asyncio.timeout(5):
            while title(answer := await one.ask()) == "第1次":
                assert answer.state is CacheState.STALE
                await asyncio.sleep(0.01)


@pytest.mark.usefixtures("version")
async def test_an_old_answer_is_served_only_where_recall_is_away(redis: GuardedRedis) -> None:
    lifetimes = Lifetimes(fresh=0.01, stale=0.01, kept=1000)
    async with replica(redis, redis, CountingRecall(), lifetimes=lifetimes) as one:
        await one.ask()
        await asyncio.sleep(0.05)
        one.recall.error = IndexUnavailable("The index does not answer.")
        old = await one.ask()
        assert (old.state, json.loads(old.body)["degraded"]) == (CacheState.STALE, ["recall"])
        with pytest.raises(IndexUnavailable):
            await one.ask("另一个")
        await written(redis)
        with pytest.raises(IndexUnavailable):  # the write may have deleted what it shows
            await one.ask()
        one.recall.error = None
        assert json.loads((await one.ask()).body)["degraded"] == []


@pytest.mark.usefixtures("version")
async def test_a_hit_says_that_recall_is_away_where_that_is_known(redis: GuardedRedis) -> None:
    async with replica(redis, redis, CountingRecall()) as one:
        await one.ask()
        one.searcher.models.recall_away = True
        hit = await one.ask()
    assert (hit.state, json.loads(hit.body)["degraded"]) == (CacheState.HIT, ["recall"])


@pytest.mark.usefixtures("version")
async def test_without_the_cache_search_goes_on(
    redis: GuardedRedis, dead_redis: GuardedRedis
) -> None:
    async with replica(redis, dead_redis, CountingRecall()) as one:
        assert title(await one.ask()) == "第1次"
        assert (await one.ask()).state is CacheState.HIT  # from the level in this process


async def test_without_a_version_nothing_is_kept(
    redis: GuardedRedis, dead_redis: GuardedRedis
) -> None:
    async with replica(dead_redis, redis, CountingRecall()) as one:
        assert [title(await one.ask()) for _ in range(2)] == ["第1次", "第2次"]


@pytest.mark.usefixtures("version")
async def test_a_holder_that_died_delays_the_others_only(redis: GuardedRedis) -> None:
    """Its lock ends by itself; nobody waits longer than half of its own time."""
    async with replica(redis, redis, CountingRecall()) as one:
        assert await lock_of_another(one, redis)
        assert title(await one.ask(seconds=1.0)) == "第1次"


async def lock_of_another(one: Replica, redis: GuardedRedis) -> object:
    version = await one.searcher.versions.current("notes")
    assert version is not None
    key = cache_key(search(), version, Models(ENCODER, RANKER), "-")
    assert key is not None
    return await RedisCache(redis).lease(key, 60)


@pytest.mark.usefixtures("version")
async def test_a_caller_with_more_time_does_not_get_what_was_cut_for_less(
    redis: GuardedRedis,
) -> None:
    recall = CountingRecall(seconds=0.2, degraded=["lexical"])
    async with replica(redis, redis, recall) as one:
        hurried = asyncio.create_task(one.ask(seconds=1))
        await asyncio.sleep(0.05)
        recall.degraded = []
        patient = await one.ask(seconds=10)
        assert json.loads((await hurried).body)["degraded"] == ["lexical"]
    assert json.loads(patient.body)["degraded"] == []


@pytest.mark.usefixtures("version")
async def test_hot_queries_are_computed_after_a_rebuild_and_only_then(redis: GuardedRedis) -> None:
    async with replica(redis, redis, CountingRecall()) as one:
        warmer = Warmer(one.searcher, one.searcher.hot, redis, 10)
        for query, times in (("甲", 3), ("乙", 2), ("丙", 1)):
            for _ in range(times):
                await one.ask(query)
        await one.searcher.hot.flush()
        top = await one.searcher.hot.top("notes", 2)
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


async def test_a_restarted_redis_is_used_again(redis: GuardedRedis, tmp_path: Any) -> None:
    await written(redis)
    with valkey(tmp_path) as server:
        async with connect(server.url) as client:
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
    async with connect(server.url) as client, asyncio.timeout(10):
        number = 0
        while not [key async for key in client.scan_iter("xunwen:answer:*")]:
            number += 1
            await one.ask(f"查询{number}")
            await asyncio.sleep(0.1)
