"""The link `Shared`: one search is computed once, in this process and over replicas."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from services.common.errors import (
    DeadlineExceeded,
    IndexUnavailable,
    Overloaded,
    RateLimited,
    SearchError,
)
from services.gateway.cache.local import LocalCache
from services.gateway.cache.policy import CacheUse, Entry
from services.gateway.cache.redis import RedisCache
from services.gateway.search.answers import Answered, Ask, Asker, CacheState
from services.gateway.search.links.key import cache_key
from services.gateway.search.links.shared import Shared
from services.gateway.stores.redis_client import GuardedRedis
from tests.gateway.cascades import RANKER, CountingLink, CountingRecall, ask, search
from tests.gateway.cascades import title as title_of
from tests.gateway.chains import Replica, replica, title


def keyed(seconds: float = 10.0, use: CacheUse = CacheUse.NORMAL) -> Ask:
    return ask(seconds=seconds, version="v", key="k", use=use)


def shared_before(inner: CountingLink, redis: GuardedRedis) -> Shared:
    return Shared(inner, LocalCache(1_000_000, lambda: None), RedisCache(redis))


async def test_replicas_share_answers(redis: GuardedRedis, version: str) -> None:
    recall = CountingRecall()
    async with replica(redis, redis, recall) as one, replica(redis, redis, recall) as other:
        await one.ask()
        await one.cached.cache.redis.stored()
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
async def test_a_holder_that_died_delays_the_others_only(redis: GuardedRedis) -> None:
    """Its lock ends by itself; nobody waits longer than half of its own time."""
    async with replica(redis, redis, CountingRecall()) as one:
        assert await lock_of_another(one, redis)
        assert title(await one.ask(seconds=1.0)) == "第1次"


async def lock_of_another(one: Replica, redis: GuardedRedis) -> object:
    version = await one.keys.versions.current("notes")
    assert version is not None
    key = cache_key(search(), version, "", RANKER, "-")
    assert key is not None
    token, _ = await RedisCache(redis).lock(key, 60)
    return token


@pytest.mark.usefixtures("version")
async def test_a_caller_with_more_time_does_not_get_what_was_cut_for_less(
    redis: GuardedRedis,
) -> None:
    recall = CountingRecall(seconds=0.5, degraded=["lexical"])
    async with replica(redis, redis, recall) as one:
        hurried = asyncio.create_task(one.ask(seconds=10))
        await asyncio.wait_for(recall.called.wait(), 10)
        recall.degraded = []
        patient = await one.ask(seconds=100)
        assert json.loads((await hurried).body)["degraded"] == ["lexical"]
    assert json.loads(patient.body)["degraded"] == []


async def test_an_incomplete_answer_is_shared_by_those_who_came_together(
    redis: GuardedRedis,
) -> None:
    """Computing it again would bring nothing, at the moment at which a service is ill."""
    inner = CountingLink(seconds=0.1, degraded=["rank"])
    shared = shared_before(inner, redis)
    answers = await asyncio.gather(*(shared.answer(keyed()) for _ in range(50)))
    assert {tuple(answered.degraded) for answered in answers} == {("rank",)}
    assert inner.calls == 1
    await shared.aclose()


@pytest.mark.parametrize("fails", [False, True])
async def test_callers_with_more_time_share_a_second_computation(
    redis: GuardedRedis, fails: bool
) -> None:
    """Or keep what was cut to the time of the first, if that one fails."""
    inner = CountingLink(seconds=0.2, degraded=["rank"])
    shared = shared_before(inner, redis)
    hurried = asyncio.create_task(shared.answer(keyed(5)))
    await asyncio.sleep(0.05)
    patient = asyncio.gather(*(shared.answer(keyed(60)) for _ in range(20)))
    await hurried
    inner.degraded = ()
    inner.error = IndexUnavailable("away") if fails else None
    answers = await patient
    assert {title_of(answered) for answered in answers} == {"第1次" if fails else "第2次"}
    assert inner.calls == 2
    await shared.aclose()


@pytest.mark.parametrize("cached", ["k", None])
async def test_a_short_budget_that_ran_out_is_no_answer_to_those_with_more_time(
    dead_redis: GuardedRedis, cached: str | None
) -> None:
    """They share one more computation; those whose time ran out too get the error."""
    inner = CountingLink(seconds=0.2, error=DeadlineExceeded("late"))
    shared = shared_before(inner, dead_redis)
    asks = [ask(seconds=seconds, version="v", key=cached) for seconds in (5, 5, *[60] * 20)]
    waiting = [asyncio.create_task(shared.answer(one)) for one in asks]
    await asyncio.wait(waiting[:2])
    inner.error = None
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in answers[:2]] == [DeadlineExceeded] * 2
    assert {title_of(one) for one in answers[2:] if isinstance(one, Answered)} == {"第2次"}
    assert len([one for one in answers if isinstance(one, Answered)]) == 20
    assert inner.calls == 2
    await shared.aclose()


async def test_callers_of_one_process_join_one_computation(redis: GuardedRedis) -> None:
    inner = CountingLink(seconds=0.1)
    shared = shared_before(inner, redis)
    answers = await asyncio.gather(*(shared.answer(keyed()) for _ in range(50)))
    assert {title_of(answered) for answered in answers} == {"第1次"}
    assert inner.calls == 1
    await shared.aclose()


async def test_what_another_replica_keeps_is_taken_over(redis: GuardedRedis) -> None:
    inner, store = CountingLink(), RedisCache(redis)
    shared = shared_before(inner, redis)
    token, _ = await store.lock("k", 60)
    waiting = asyncio.create_task(shared.answer(keyed()))
    await asyncio.sleep(0.05)
    kept = Entry(b'{"hits":[{"title":"kept"}]', 4e9, 100, 1000, "notes__7")
    await store.put("k", kept, 60)
    assert isinstance(token, str)
    await store.unlock("k", token)
    answered = await waiting
    assert (title_of(answered), answered.index, inner.calls) == ("kept", "notes__7", 0)
    await shared.aclose()


async def test_without_redis_each_process_computes(dead_redis: GuardedRedis) -> None:
    inner = CountingLink()
    shared = shared_before(inner, dead_redis)
    assert title_of(await shared.answer(keyed())) == "第1次"
    await shared.aclose()


async def test_an_answer_that_was_kept_on_the_way_is_taken_without_redis(
    dead_redis: GuardedRedis,
) -> None:
    """A caller that looked before the answer was kept, and asks Redis in vain, computes nothing."""
    inner = CountingLink()
    shared = shared_before(inner, dead_redis)
    shared.local.put("k", Entry(b'{"hits":[{"title":"kept"}]', time.time(), 100, 1000, "notes__7"))
    assert title_of(await shared.answer(keyed())) == "kept"
    assert inner.calls == 0
    await shared.aclose()


async def test_callers_that_overtake_each_other_join(redis: GuardedRedis) -> None:
    """The first one to begin need not be the first that came."""
    inner = CountingLink(seconds=0.1)
    shared = shared_before(inner, redis)
    await asyncio.gather(*(shared.answer(keyed(10 - late)) for late in (0.0, 0.2, 0.5, 0.7)))
    assert inner.calls == 1
    await asyncio.gather(*(shared.answer(keyed(seconds)) for seconds in (10.0, 5.0)))
    assert inner.calls == 3
    await shared.aclose()


async def test_without_versions_callers_share_what_begins_after_they_came(
    redis: GuardedRedis,
) -> None:
    """A later caller may know of a write that the running computation did not see."""
    inner = CountingLink(seconds=0.2)
    shared = shared_before(inner, redis)
    came = [ask() for _ in range(20)]
    waiting = asyncio.gather(*map(shared.answer, came))
    await asyncio.sleep(0.05)
    later = await asyncio.gather(shared.answer(ask()), shared.answer(ask("another")))
    assert {title_of(answered) for answered in await waiting} == {"第1次"}
    assert {title_of(answered) for answered in later} == {"第2次", "第3次"}
    await shared.aclose()


async def test_what_must_be_computed_anew_is_not_shared(redis: GuardedRedis) -> None:
    inner = CountingLink(seconds=0.05)
    shared = shared_before(inner, redis)
    asks = [keyed(use=use) for use in (CacheUse.NONE, CacheUse.REFRESH) for _ in range(2)]
    await asyncio.gather(*map(shared.answer, asks))
    assert inner.calls == 4
    await shared.aclose()


async def test_a_computation_goes_on_when_its_caller_leaves(redis: GuardedRedis) -> None:
    inner = CountingLink(seconds=0.2)
    shared = shared_before(inner, redis)
    leaving = asyncio.create_task(shared.answer(keyed()))
    await asyncio.sleep(0.05)
    leaving.cancel()
    assert title_of(await shared.answer(keyed())) == "第1次"
    assert inner.calls == 1
    await shared.aclose()


async def test_the_lock_is_released_when_the_process_ends(redis: GuardedRedis) -> None:
    shared = shared_before(CountingLink(seconds=10), redis)
    running = asyncio.create_task(shared.answer(keyed()))
    await asyncio.sleep(0.05)
    _, locked = await RedisCache(redis).look("k")
    assert locked
    await shared.aclose()
    _, locked = await RedisCache(redis).look("k")
    assert not locked
    with pytest.raises(asyncio.CancelledError):
        await running


@dataclass(slots=True)
class Turning(CountingLink):
    """Refuses searches on some terms, by key and whether they are patient."""

    refused: Mapping[tuple[str, bool], SearchError] = field(default_factory=dict)

    async def answer(self, ask: Ask) -> Answered:
        answered = await CountingLink.answer(self, ask)
        if (error := self.refused.get((ask.asker.key, ask.patience > 0))) is not None:
            raise error
        return answered


def of(key: str, patience: float = 0.0, cached: str | None = "k") -> Ask:
    asked = ask(seconds=100, version="v", key=cached, patience=patience)
    return replace(asked, asker=Asker("-", key))


@pytest.mark.parametrize("cached", ["k", None])
@pytest.mark.parametrize("error", [RateLimited("many"), Overloaded("full", retry_after=1.0)])
@pytest.mark.parametrize("first", [("a", 0.0), ("b", 5.0)])
async def test_a_refusal_belongs_to_the_terms_of_the_first_caller(
    redis: GuardedRedis, cached: str | None, error: SearchError, first: tuple[str, float]
) -> None:
    """Callers on others share one more computation for each key and kind."""
    key, patience = first
    joining = ("b", 5.0) if not patience else ("c", 5.0)
    inner = Turning(seconds=0.1, refused={(key, patience > 0): error})
    shared = shared_before(inner, redis)
    asks = [of(key, patience, cached)] * 3 + [of(*joining, cached)] * 20
    answers = await asyncio.gather(*map(shared.answer, asks), return_exceptions=True)
    assert answers[:3] == [error] * 3
    assert {title_of(one) for one in answers[3:] if isinstance(one, Answered)} == {"第2次"}
    assert len([one for one in answers if isinstance(one, Answered)]) == 20
    assert inner.calls == 2
    await shared.aclose()


async def test_who_is_refused_on_its_own_terms_tries_no_third_time(redis: GuardedRedis) -> None:
    mine = RateLimited("mine")
    inner = Turning(seconds=0.1, refused={("a", False): RateLimited("a"), ("b", False): mine})
    shared = shared_before(inner, redis)
    asks = [of("a"), *[of("b")] * 5]
    answers = await asyncio.gather(*map(shared.answer, asks), return_exceptions=True)
    assert answers[1:] == [mine] * 5
    assert inner.calls == 2
    await shared.aclose()


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_an_urgent_search_does_not_wait_for_a_patient_one(
    redis: GuardedRedis, elsewhere: bool
) -> None:
    """Whichever replica computes that; urgent callers, and patient ones after them, share one."""
    slow, quick = CountingLink(seconds=60.0), CountingLink(seconds=0.1)
    shared = shared_before(slow, redis)
    urgent = shared_before(quick, redis) if elsewhere else shared
    waiting = asyncio.create_task(shared.answer(of("a", 10.0)))
    async with asyncio.timeout(20):
        await slow.called.wait()
    shared.inner = quick
    asks = [*[of("b")] * 20, *([] if elsewhere else [of("c", 9.0)] * 20)]
    async with asyncio.timeout(20):
        await asyncio.gather(*map(urgent.answer, asks))
    assert (slow.calls, quick.calls) == (1, 1)
    assert not waiting.done()
    await shared.aclose()
    await urgent.aclose()


async def test_patient_searches_of_two_replicas_are_one_computation(redis: GuardedRedis) -> None:
    inner = CountingLink(seconds=0.2)
    one, other = shared_before(inner, redis), shared_before(inner, redis)
    holder = asyncio.create_task(one.answer(of("a", 10.0)))
    await asyncio.sleep(0.05)
    following = asyncio.create_task(other.answer(of("a", 9.9)))
    await asyncio.sleep(0.05)
    assert inner.calls == 1
    await other.redis.put("k", Entry(b'{"hits":[{"title":"kept"}]', time.time(), 100, 1000), 60)
    assert title_of(await following) == "kept"
    await holder
    assert inner.calls == 1
    await one.aclose()
    await other.aclose()
