"""Records in Redis that a person edited, or that a later release wrote in another form."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from services.common.errors import Conflict, NotFound, StorageDamaged, Unavailable
from services.common.versions import new_version, version_key
from services.common.wire.query_rules import rules_key, rules_version_key
from services.gateway.access.doorkeeper import Doorkeeper
from services.gateway.access.keys import Scope, new_key
from services.gateway.access.keystore import KEY_PREFIX, KeyStore
from services.gateway.access.rate_limit import RateLimiter
from services.gateway.cache.versions import VersionReader
from services.gateway.search.answers import CacheState
from services.gateway.search.cascade.rules import RuleBooks
from services.gateway.search.hot.warming import Warmer
from services.gateway.search.links.key import Keys
from services.gateway.search.model_watch import ModelWatch
from services.gateway.stores.redis_client import GuardedRedis
from services.gateway.stores.state_reader import StateReader
from services.indexer.versions import RedisVersions
from tests.gateway.cascades import CountingRecall, search
from tests.gateway.chains import replica

DAMAGED = "(damaged)"
SEARCH = frozenset({Scope.SEARCH})
WHOLE = orjson.loads(new_key("reader", SEARCH, rate=5)[1].pack())
DAMAGED_KEYS = {
    "no JSON": b"{",
    "empty": b"",
    "no text": b"\xff\xfe",
    "a list": b"[]",
    "a number": b"7",
    **{
        f"without {left}": orjson.dumps({name: WHOLE[name] for name in WHOLE if name != left})
        for left in WHOLE
    },
    **{
        f"{name} is {value!r}": orjson.dumps({**WHOLE, name: value})
        for name, value in [
            ("name", 7),
            ("scopes", "search"),
            ("scopes", [7]),
            ("scopes", None),
            ("hash", None),
            ("collections", "notes"),
            ("collections", {"notes": 1}),
            ("tenant", None),
            ("rate", "5"),
            ("rate", 0),
            ("rate", True),
            ("created_at", "yesterday"),
        ]
    },
}


@pytest.mark.parametrize("packed", DAMAGED_KEYS.values(), ids=DAMAGED_KEYS)
async def test_a_damaged_key_is_told_and_can_be_revoked(redis: GuardedRedis, packed: bytes) -> None:
    store, door = KeyStore(redis), Doorkeeper(StateReader(redis), RateLimiter(redis))
    key, record = new_key("reader", SEARCH)
    _, other = new_key("other", SEARCH)
    for one in (record, other):
        await store.add(one, by="test")
    await redis.redis.set(KEY_PREFIX + record.id, packed)
    remedy = rf"{record.id}.*xunwen keys revoke {record.id}"
    with pytest.raises(StorageDamaged, match=remedy):
        await door.admit(f"Bearer {key}", "POST", "/v1/search")
    with pytest.raises(StorageDamaged, match=remedy):
        await store.rotate(record.id, by="test")
    listed = {one.id: one for one in await store.all()}
    assert listed[other.id] == other
    assert (listed[record.id].name, listed[record.id].scopes) == (DAMAGED, frozenset())
    assert (await store.revoke("other", by="test")).id == other.id
    assert (await store.revoke(record.id, by="test")).id == record.id
    assert await store.all() == []


async def test_the_word_for_damaged_keys_is_no_name_of_several(redis: GuardedRedis) -> None:
    store = KeyStore(redis)
    for _ in range(2):
        _, record = new_key("reader", SEARCH)
        await store.add(record, by="test")
        await redis.redis.set(KEY_PREFIX + record.id, b"{")
    with pytest.raises(Conflict):
        await store.revoke(DAMAGED, by="test")
    with pytest.raises(NotFound):
        await store.revoke("reader", by="test")


@pytest.mark.parametrize(
    "entry", [{"event": b"{"}, {"event": b"7"}, {"event": b"{}"}, {"other": b"{}"}]
)
async def test_a_damaged_event_hides_no_other(redis: GuardedRedis, entry: dict[Any, Any]) -> None:
    store = KeyStore(redis)
    await store.note({"action": "first", "by": "test", "key": "-"})
    await redis.redis.xadd("xunwen:audit", entry, id="99999999999999-0")
    damaged, first = await store.audit(10)
    assert first["action"] == "first"
    assert (damaged["action"], damaged["at"]) == (DAMAGED, 99999999999.999)
    assert set(first) == set(damaged)


@pytest.mark.parametrize("written", [b"\xff", b"", b"3", b"hello", b"{}"])
async def test_a_damaged_index_version_costs_the_cache_and_no_answer(
    redis: GuardedRedis, written: bytes
) -> None:
    async with replica(redis, redis, CountingRecall()) as one:
        await redis.redis.set(version_key("notes"), written)
        for _ in range(2):
            assert (await one.ask("甲")).state is not CacheState.HIT
        await redis.redis.set(version_key("notes"), new_version())
        await one.ask("甲")
        assert (await one.ask("甲")).state is CacheState.HIT


@pytest.mark.parametrize("written", [b"\xff", b"hello", b"zzzz"])
async def test_the_indexer_replaces_a_damaged_index_version(
    redis: GuardedRedis, written: bytes
) -> None:
    async def no_time() -> None:
        return None

    versions = RedisVersions(redis.redis, no_time)
    await redis.redis.set(version_key("notes"), written)
    assert await versions.current("notes") is None
    version = await versions.move("notes")
    assert await versions.current("notes") == version
    await redis.redis.set(version_key("notes"), written)
    await versions.restore()
    assert await versions.current("notes") == version


async def test_a_damaged_version_of_rules_is_one_like_any_other(
    redis: GuardedRedis, keys: Keys, version: str
) -> None:
    key = (await keys.now(search("甲"), "-")).key
    await redis.redis.set(rules_version_key("notes"), b"\xff")
    named = await keys.now(search("甲"), "-")
    assert (named.version, named.key == key) == (version, False)


async def test_rules_are_read_once_under_a_damaged_version(redis: GuardedRedis) -> None:
    """They were read and prepared again for each search, one after the other."""
    books = RuleBooks(StateReader(redis))
    stored = {"stop_words": ["CNN"], "version": "1"}
    await redis.redis.set(rules_key("notes"), orjson.dumps(stored))
    assert await books.of(search("CNN"), "hello")
    await redis.redis.delete(rules_key("notes"))
    assert await books.of(search("CNN"), "hello"), "from memory"


@pytest.mark.usefixtures("version")
async def test_a_damaged_name_of_an_index_is_that_of_another_one(redis: GuardedRedis) -> None:
    async with replica(redis, redis, CountingRecall()) as one:
        warmer = Warmer(one.cached, one.keys.versions, one.hot, redis, 10, 10)
        for query in "甲乙":
            await one.ask(query)
        await one.hot.flush()
        await redis.redis.hset("xunwen:indexes", "notes", b"\xff")
        assert await warmer.look("notes") == 2


async def test_a_damaged_fingerprint_of_the_ranker_is_unknown(
    redis: GuardedRedis, keys: Keys
) -> None:
    await redis.redis.set("xunwen:ranker", b"\xff")
    watch = replace(keys.models, ranker=None)
    assert isinstance(watch, ModelWatch)
    await watch.begin()
    assert watch.ranker is None


async def test_a_damaged_rate_is_that_of_a_key_that_sent_nothing(redis: GuardedRedis) -> None:
    limiter = RateLimiter(redis)
    await redis.redis.set("xunwen:rate:one", b"soon")
    await limiter.admit("one", 0.5)
    due: Any = await redis.redis.get("xunwen:rate:one")
    assert float(due) > 0


async def test_an_index_version_that_cannot_be_read_is_told(redis: GuardedRedis) -> None:
    await redis.redis.set(version_key("notes"), b"hello")
    with pytest.raises(Unavailable, match=r"'notes'.*next write"):
        await VersionReader(StateReader(redis)).current("notes")
