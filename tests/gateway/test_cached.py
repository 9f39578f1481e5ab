"""The link `Cached`, alone and in a whole chain: what is served, and how old it may be."""

import asyncio
import json

import pytest
from prometheus_client import CollectorRegistry

from services.common.errors import IndexUnavailable, Overloaded, ServiceUnavailable
from services.gateway.cache.policy import CacheUse, Lifetimes
from services.gateway.search.admission.adaptive_limit import AdaptiveLimit
from services.gateway.search.admission.control import AdmissionControl
from services.gateway.search.answers import CacheState
from services.gateway.search.links.admitted import Admitted
from services.gateway.search.links.cached import Cached
from services.gateway.search.links.key import Keys
from services.gateway.search.metrics import SearchMetrics
from services.gateway.stores.redis_client import GuardedRedis
from tests.gateway.cascades import CountingLink, CountingRecall, ask
from tests.gateway.cascades import title as title_of
from tests.gateway.chains import levels, replica, title, written


async def test_the_second_answer_comes_from_the_cache(redis: GuardedRedis, version: str) -> None:
    async with replica(redis, redis, CountingRecall()) as one:
        first, second = await one.ask(), await one.ask()
    assert (first.state, second.state, one.recall.calls) == (CacheState.MISS, CacheState.HIT, 1)
    computed, cached = json.loads(first.body), json.loads(second.body)
    assert (computed["cached"], cached["cached"]) == (False, True)
    assert cached["hits"] == computed["hits"]
    assert cached["index_version"] == version


@pytest.mark.usefixtures("version")
async def test_the_share_of_degraded_answers_is_that_of_all_answers(redis: GuardedRedis) -> None:
    """Cached ones count as well, else one of ten would be called all."""
    async with replica(redis, redis, CountingRecall()) as one:
        for _ in range(9):
            await one.ask()
        one.rank.error = ServiceUnavailable("away")
        await one.ask(query="另一个问题")
        degraded = "xunwen_search_degraded_total", {"part": "rank"}
        assert one.metrics.get_sample_value("xunwen_search_answers_total") == 10
        assert one.metrics.get_sample_value("xunwen_cache_computations_total") == 2
        assert one.metrics.get_sample_value(*degraded) == 1


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
        one.keys.models.recall_away = True
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


async def test_what_is_asked_inside_carries_version_and_key(
    redis: GuardedRedis, version: str, keys: Keys
) -> None:
    inner = CountingLink()
    cached = Cached(inner, levels(redis), keys, refresh_seconds=10)
    await cached.answer(ask())
    await cached.answer(ask(use=CacheUse.REFRESH))
    normal, refresh = inner.asked
    assert (normal.version, refresh.version) == (version, version)
    assert normal.key is not None
    assert refresh.key is None


async def test_a_fresh_entry_is_served_and_the_inner_link_is_not_asked(
    redis: GuardedRedis, version: str, keys: Keys
) -> None:
    inner, cache = CountingLink(), levels(redis)
    cached = Cached(inner, cache, keys, refresh_seconds=10)
    key = (await keys.now(ask().search, "-")).key
    assert key is not None
    assert await cached.at_once(ask()) is None
    cache.keep(key, b'{"hits":[{"title":"kept"}]', "notes__7")
    for answered in (await cached.answer(ask()), await cached.at_once(ask())):
        assert answered is not None
        assert (title_of(answered), answered.state, answered.index) == (
            "kept",
            CacheState.HIT,
            "notes__7",
        )
    assert inner.calls == 0


@pytest.mark.usefixtures("version")
async def test_a_refusal_for_load_is_passed_on_though_an_old_entry_exists(
    redis: GuardedRedis, keys: Keys
) -> None:
    inner = CountingLink(error=Overloaded("full"))
    cache = levels(redis, Lifetimes(fresh=0.01, stale=0.01, kept=1000))
    cached = Cached(inner, cache, keys, refresh_seconds=10)
    key = (await keys.now(ask().search, "-")).key
    assert key is not None
    cache.keep(key, b'{"hits":[{"title":"kept"}]', "notes__1")
    await asyncio.sleep(0.05)
    with pytest.raises(Overloaded):
        await cached.answer(ask())
    inner.error = IndexUnavailable("away")
    answered = await cached.answer(ask())
    assert (answered.state, answered.degraded) == (CacheState.STALE, ("recall",))


@pytest.mark.usefixtures("version")
async def test_a_stale_entry_is_refreshed_once_however_often_it_is_served(
    redis: GuardedRedis, keys: Keys
) -> None:
    inner = CountingLink(seconds=60)
    cache = levels(redis, Lifetimes(fresh=0.01, stale=1000, kept=1000))
    cached = Cached(inner, cache, keys, refresh_seconds=10)
    key = (await keys.now(ask().search, "-")).key
    assert key is not None
    cache.keep(key, b'{"hits":[{"title":"kept"}]', "notes__1")
    await asyncio.sleep(0.05)
    states = {(await cached.answer(ask(seconds=0.01))).state for _ in range(20)}
    assert states == {CacheState.STALE}
    assert inner.calls == 1
    assert inner.asked[0].deadline.remaining() > 1  # nobody waits for it
    await cached.aclose()


@pytest.mark.usefixtures("version")
async def test_a_search_goes_before_stale_answers_that_are_made_again(
    redis: GuardedRedis, keys: Keys
) -> None:
    """Nobody waits for these, and many may be due at once."""
    inner = CountingLink(seconds=0.1)
    admitted = Admitted(
        inner, AdmissionControl(AdaptiveLimit(1, 1, 1)), SearchMetrics(CollectorRegistry())
    )
    cache = levels(redis, Lifetimes(fresh=0.01, stale=1000, kept=1000))
    cached = Cached(admitted, cache, keys, refresh_seconds=10)
    for query in ("甲", "乙", "丙"):
        key = (await keys.now(ask(query).search, "-")).key
        assert key is not None
        cache.keep(key, b'{"hits":[{"title":"kept"}]', "notes__1")
    await asyncio.sleep(0.05)
    running = asyncio.create_task(cached.answer(ask("丁")))
    await inner.called.wait()
    for query in ("甲", "乙", "丙"):
        assert (await cached.answer(ask(query))).state is CacheState.STALE
    await cached.answer(ask("戊"))
    assert [one.search.query for one in inner.asked][:2] == ["丁", "戊"]
    await running
    await cached.aclose()
