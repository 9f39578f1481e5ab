"""Keys of Redis that hold a value of another type, as a person or another program may leave them.

Redis refuses commands on them with an error, but is not away.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from services.common.errors import (
    QueueUnavailable,
    StorageDamaged,
    Unauthenticated,
    Unavailable,
)
from services.common.versions import version_key
from services.common.wire.query_rules import rules_key, rules_version_key
from services.gateway.access.doorkeeper import Doorkeeper
from services.gateway.access.keys import Scope, new_key
from services.gateway.access.keystore import KEY_PREFIX, KeyStore
from services.gateway.access.rate_limit import RateLimiter
from services.gateway.cache.policy import Entry
from services.gateway.cache.redis import RedisCache
from services.gateway.cache.versions import VersionReader
from services.gateway.search.cascade.rules import RuleBooks
from services.gateway.search.hot.queries import HotQueries
from services.gateway.stores.redis_client import GuardedRedis
from services.gateway.stores.state_reader import StateReader
from services.indexer.queue import TaskQueue
from services.indexer.versions import RedisVersions
from tests.gateway.cascades import search

Use = Callable[[GuardedRedis], Awaitable[object]]

SEARCH = frozenset({Scope.SEARCH})


async def counted(redis: GuardedRedis) -> None:
    hot = HotQueries(redis)
    hot.count(search("甲"), "-")
    await hot.flush()


async def summed(redis: GuardedRedis) -> None:
    with pytest.raises(Unavailable, match="another type"):
        await HotQueries(redis).top("notes", 1)


async def made(redis: GuardedRedis) -> None:
    with pytest.raises(StorageDamaged):
        await KeyStore(redis).add(new_key("reader", SEARCH)[1], by="test")


async def listed(redis: GuardedRedis) -> None:
    with pytest.raises(StorageDamaged, match="`xunwen:keys`"):
        await KeyStore(redis).all()


async def noted(redis: GuardedRedis) -> None:
    with pytest.raises(StorageDamaged, match="`xunwen:audit`"):
        await KeyStore(redis).note({})


async def logged(redis: GuardedRedis) -> None:
    with pytest.raises(StorageDamaged):
        await KeyStore(redis).audit(1)


_TODAY = f"xunwen:hot:{{notes}}:{int(time.time()) // 86_400}"


@pytest.mark.parametrize(
    ("key", "use"),
    [
        ("xunwen:answer:{k}", lambda redis: RedisCache(redis).get("k")),
        ("xunwen:answer:{k}", lambda redis: RedisCache(redis).lock("k", 0.001)),
        ("xunwen:answer:{k}", lambda redis: RedisCache(redis).look("k")),
        ("xunwen:flight:{k}", lambda redis: RedisCache(redis).unlock("k", "token")),
        ("xunwen:rate:one", lambda redis: RateLimiter(redis).admit("one", 1_000)),
        (_TODAY, counted),
        (_TODAY, summed),
        ("xunwen:keys", made),
        ("xunwen:keys", listed),
        ("xunwen:audit", made),
        ("xunwen:audit", noted),
        ("xunwen:audit", logged),
    ],
)
async def test_a_key_of_another_type_keeps_nobody_from_the_others(
    redis: GuardedRedis, key: str, use: Use
) -> None:
    """Redis was taken for away, and for a second nothing else was read from it."""
    for _ in range(redis.breaker.failures + 1):
        await redis.redis.delete(key)
        await redis.redis.hset(key, "some", "thing")
        await use(redis)
        assert not redis.breaker.open


async def test_an_entry_and_a_rate_of_another_type_are_replaced(redis: GuardedRedis) -> None:
    await redis.redis.hset("xunwen:answer:{k}", "some", "thing")
    entry = Entry(b"{}", 1_700_000_000.0, 10, 10, "notes_1")
    await RedisCache(redis).put("k", entry, 10)
    assert await RedisCache(redis).get("k") == entry
    await redis.redis.hset("xunwen:rate:one", "some", "thing")
    await RateLimiter(redis).admit("one", 0.5)
    assert await redis.redis.get("xunwen:rate:one")


async def test_a_key_whose_record_has_another_type_is_told_and_revoked(
    redis: GuardedRedis,
) -> None:
    store, door = KeyStore(redis), Doorkeeper(StateReader(redis), RateLimiter(redis))
    key, record = new_key("reader", SEARCH)
    _, other = new_key("other", SEARCH)
    for one in (record, other):
        await store.add(one, by="test")
    await redis.redis.delete(KEY_PREFIX + record.id)
    await redis.redis.hset(KEY_PREFIX + record.id, "name", "reader")
    remedy = rf"{record.id}.*xunwen keys revoke {record.id}"
    with pytest.raises(StorageDamaged, match=remedy):
        await door.admit(f"Bearer {key}", "POST", "/v1/search")
    with pytest.raises(StorageDamaged, match=remedy):
        await store.rotate(record.id, by="test")
    assert [(one.id, one.name) for one in await store.all()] == [
        (record.id, "(damaged)"),
        (other.id, "other"),
    ]
    await store.revoke(record.id, by="test")
    with pytest.raises(Unauthenticated):
        await door.admit(f"Bearer {key}", "POST", "/v1/search")
    assert await store.all() == [other]


async def test_many_unknown_keys_take_one_connection(
    redis: GuardedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those with valid keys must find one."""
    running, most = 0, 0
    typed = redis.redis.type

    async def counting(key: str) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        found = await typed(key)
        running -= 1
        return found

    monkeypatch.setattr(redis.redis, "type", counting)
    door = Doorkeeper(StateReader(redis), RateLimiter(redis))
    offered = [new_key("stranger", SEARCH)[0] for _ in range(50)]
    calls = (door.admit(f"Bearer {key}", "POST", "/v1/search") for key in offered)
    refused = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(one, Unauthenticated) for one in refused)
    assert most == 1


async def test_an_index_version_of_another_type_is_replaced(redis: GuardedRedis) -> None:
    async def no_time() -> None:
        return None

    versions = RedisVersions(redis.redis, no_time)
    await redis.redis.hset(version_key("notes"), "some", "thing")
    assert await versions.current("notes") is None
    version = await versions.move("notes")
    assert await versions.current("notes") == version
    await redis.redis.delete(version_key("notes"))
    await redis.redis.hset(version_key("notes"), "some", "thing")
    await versions.restore()
    assert await versions.current("notes") == version


async def test_a_queue_of_another_type_is_told(redis: GuardedRedis) -> None:
    await redis.redis.set("q", "something")
    with pytest.raises(QueueUnavailable, match="XUNWEN_INDEXER_QUEUE"):
        await TaskQueue(cast("Any", None), redis.redis, "q").depth()


async def test_rules_of_another_type_are_unavailable(redis: GuardedRedis) -> None:
    """A search is made without them and says so; they were left out in silence."""
    await redis.redis.hset(rules_key("notes"), "some", "thing")
    with pytest.raises(Unavailable, match="query rules"):
        await RuleBooks(StateReader(redis)).of(search("CNN"), "1")


async def test_a_version_of_rules_of_another_type_is_told_as_damaged_rules(
    redis: GuardedRedis,
) -> None:
    """It counted as the version of a collection that never had rules."""
    books = RuleBooks(StateReader(redis))
    await redis.redis.set(rules_key("notes"), b'{"stop_words": ["CNN"], "version": "1"}')
    await redis.redis.hset(rules_version_key("notes"), "some", "thing")
    _, version = await VersionReader(books.reader).with_rules("notes")
    with pytest.raises(Unavailable, match="query rules"):
        await books.of(search("CNN"), version)
    await redis.redis.delete(rules_version_key("notes"))
    assert await books.of(search("CNN"), "") is None
