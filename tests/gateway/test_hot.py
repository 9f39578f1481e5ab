"""The counts of frequent queries that replicas of several releases share."""

import logging
import time
from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from services.common.errors import CollectionNotFound, InvalidRequest, SearchError
from services.gateway.cache.policy import CacheUse
from services.gateway.search.hot.frequent import FrequentQueries
from services.gateway.search.hot.queries import HotQueries
from services.gateway.search.hot.warming import Warmer
from services.gateway.search.query.search import Arrangement
from services.gateway.stores.redis_client import GuardedRedis
from tests.gateway.cascades import CountingRecall, search
from tests.gateway.chains import replica

KNOWN: Mapping[str, Any] = orjson.loads(search("未知").canonical)
ODD = {
    "a new member": ["-", {**KNOWN, "newer": None}],
    "a new member of the arrangement": ["-", {**KNOWN, "arrangement": {"newer": 1}}],
    "a new member of the wording": ["-", {**KNOWN, "wording": {"newer": 1}}],
    "an arrangement of another form": ["-", {**KNOWN, "arrangement": "by year"}],
    "a new mode": ["-", {**KNOWN, "mode": "newer"}],
    "no mode": ["-", {name: one for name, one in KNOWN.items() if name != "mode"}],
    "no query": ["-", {name: one for name, one in KNOWN.items() if name != "query"}],
    "a query that is no text": ["-", {**KNOWN, "query": ["未知"]}],
    "a tenant that is no text": [{"name": "-"}, KNOWN],
    "a list of members": ["-", [*KNOWN]],
    "no members": ["-", None],
    "a third part": ["-", KNOWN, 1],
    "one part": ["-"],
    "no list": 7,
}


async def counted(redis: GuardedRedis, member: bytes) -> HotQueries:
    """Counts of two searches, and of a member that is more frequent than both."""
    hot = HotQueries(redis)
    for query, times in (("甲", 3), ("乙", 2)):
        for _ in range(times):
            hot.count(search(query), "-")
    await hot.flush()
    await redis.redis.zadd(f"xunwen:hot:{{notes}}:{int(time.time()) // 86_400}", {member: 9})
    return hot


@pytest.mark.parametrize("member", [*map(orjson.dumps, ODD.values()), b"{"], ids=[*ODD, "no JSON"])
async def test_what_cannot_be_read_hides_nothing_else(
    redis: GuardedRedis, member: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    hot = await counted(redis, member)
    with caplog.at_level(logging.INFO, "services.gateway.search.hot.queries"):
        top = await hot.top("notes", 2)
    assert [(each.search.query, each.count) for each in top] == [("甲", 3), ("乙", 2)]
    assert [record.levelname for record in caplog.records] == ["INFO"]
    suggested = await FrequentQueries(hot).of("notes", "-")
    assert [one.text for one in suggested] == ["甲", "乙"]


async def test_yesterday_counts_half_and_the_day_before_nothing(redis: GuardedRedis) -> None:
    hot = await counted(redis, orjson.dumps("odd"))
    today = int(time.time()) // 86_400
    for days, query, times in ((1, "丙", 5), (1, "甲", 2), (2, "丁", 100)):
        member = orjson.dumps(["-", orjson.Fragment(search(query).canonical)])
        await redis.redis.zadd(f"xunwen:hot:{{notes}}:{today - days}", {member: times})
    top = await hot.top("notes", 9)
    assert [(each.search.query, each.count) for each in top] == [("甲", 4), ("丙", 2.5), ("乙", 2)]


async def test_counts_are_bounded_and_end_after_two_days(
    redis: GuardedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.search.hot.queries._KEPT", 2)
    monkeypatch.setattr("services.gateway.search.hot.queries._MAX_COUNTED", 3)
    hot = HotQueries(redis)
    for query, times in (("甲", 3), ("乙", 1), ("丙", 2), ("丁", 9)):
        for _ in range(times):
            hot.count(search(query), "-")
    await hot.flush()
    top = await hot.top("notes", 9)
    assert [(each.search.query, each.count) for each in top] == [("甲", 3), ("丙", 2)]
    (kept,) = await redis.redis.keys("xunwen:hot:*")
    assert 86_400 < await redis.redis.ttl(kept) <= 2 * 86_400
    for _ in range(4):
        hot.count(search("丁"), "-")
    await hot.flush()
    assert (await hot.top("notes", 1))[0].search.query == "丁", "there is room again"


async def test_counts_of_replicas_add_up_and_tenants_are_kept_apart(redis: GuardedRedis) -> None:
    one, other = HotQueries(redis), HotQueries(redis)
    for hot, tenant, times in ((one, "a", 2), (other, "a", 3), (other, "b", 4)):
        for _ in range(times):
            hot.count(search("甲"), tenant)
        await hot.flush()
    top = await one.top("notes", 9)
    assert [(each.tenant, each.count) for each in top] == [("a", 5), ("b", 4)]


async def test_a_search_of_megabytes_is_not_counted(redis: GuardedRedis) -> None:
    """A thousand of them would be kept in Redis, and be read whenever somebody types."""
    hot = HotQueries(redis)
    for _ in range(2):
        hot.count(search("长", filter={"keywords": {"any": ["深" * 20_000] * 100}}), "-")
        hot.count(search("短", filter={"keywords": {"any": ["深度"] * 100}}), "-")
    await hot.flush()
    assert [each.search.query for each in await hot.top("notes", 9)] == ["短"]


async def test_the_pages_of_a_search_are_one_search(redis: GuardedRedis) -> None:
    """A query that was asked once was suggested as frequent once somebody had read on, and each
    page had a row of its own in the list for operators."""
    hot = HotQueries(redis)
    for cursor in ("*", *(f"{'a' * 16}.{at}" for at in range(10, 50, 10))):
        hot.count(search("翻页", arrangement=Arrangement(cursor=cursor)), "-")
    await hot.flush()
    assert [(one.search.query, one.count) for one in await hot.top("notes", 9)] == [("翻页", 1)]
    assert await FrequentQueries(hot).of("notes", "-") == []


@pytest.mark.usefixtures("version")
@pytest.mark.parametrize(
    "error", [CollectionNotFound("There is none."), InvalidRequest("sort: no such field.")]
)
async def test_a_search_that_has_no_answer_is_not_counted(
    redis: GuardedRedis, error: SearchError
) -> None:
    """Else each unknown name of a collection would be watched for ever."""
    async with replica(redis, redis, CountingRecall(error=error)) as one:
        for number in range(20):
            with pytest.raises(SearchError):
                await one.ask(collection=f"none{number}")
        await one.hot.flush()
        assert one.hot.collections == set()
        assert await one.hot.top("none1", 9) == []
        one.recall.error = None
        await one.ask()
        await one.hot.flush()
        assert one.hot.collections == {"notes"}


@pytest.mark.usefixtures("version")
async def test_a_query_that_is_not_to_be_stored_is_not_suggested(redis: GuardedRedis) -> None:
    """The answer was not kept, and the query was, for two days and for others of its tenant."""
    async with replica(redis, redis, CountingRecall()) as one:
        for use, query in (
            (CacheUse.NONE, "隐私"),
            (CacheUse.REFRESH, "新"),
            (CacheUse.NORMAL, "旧"),
        ):
            for _ in range(2):
                await one.ask(query, use)
        await one.hot.flush()
        assert {each.search.query for each in await one.hot.top("notes", 9)} == {"新", "旧"}


async def test_what_a_release_without_a_later_option_counted_is_read(redis: GuardedRedis) -> None:
    optional = {"arrangement", "wording", "boosts", "partition"}
    members = {name: one for name, one in KNOWN.items() if name not in optional}
    hot = await counted(redis, orjson.dumps(["-", members]))
    assert [each.search for each in await hot.top("notes", 1)] == [search("未知")]


@pytest.mark.usefixtures("version")
async def test_warming_computes_what_can_be_read(redis: GuardedRedis) -> None:
    async with replica(redis, redis, CountingRecall()) as one:
        hot = await counted(redis, orjson.dumps(ODD["a new member"]))
        assert await Warmer(one.cached, one.keys.versions, hot, redis, 10, 10).look("notes") == 1
        assert one.recall.calls == 1
