"""What is kept under which key, and for how long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.wire.recall import Mode
from services.gateway.cache.levels import AnswerCache
from services.gateway.cache.local import LocalCache
from services.gateway.cache.policy import CacheUse, Entry, Lifetimes, Phase, cache_use
from services.gateway.cache.redis import RedisCache
from services.gateway.search.links.key import cache_key
from services.gateway.stores.redis_client import GuardedRedis
from tests.gateway.cascades import search

RANKER = "ranker"


def test_everything_that_changes_an_answer_changes_its_key() -> None:
    plain = search()
    keys = [
        cache_key(plain, "v1", "r", RANKER, "-"),
        cache_key(plain, "v2", "r", RANKER, "-"),
        cache_key(plain, "v1", "other", RANKER, "-"),
        cache_key(plain, "v1", "r", "other", "-"),
        cache_key(plain, "v1", "r", RANKER, "tenant"),
        cache_key(search("创 新"), "v1", "r", RANKER, "-"),
        *(
            cache_key(search(**changed), "v1", "r", RANKER, "-")
            for changed in (
                {"collection": "other"},
                {"top_k": 11},
                {"recall_k": 101},
                {"mode": Mode.DENSE},
                {"filter": {"year": 2020}},
                {"filter": {"year": 2021}},
                {"rank": False},
                {"diversity": 0.5},
                {"explain": True},
                {"fields": ["title"]},
                {"boosts": [{"field": "year", "recency": "5y", "factor": 2.0}]},
                {"boosts": [{"field": "year", "recency": "5y", "factor": 3.0}]},
            )
        ),
    ]
    assert None not in keys
    assert len(set(keys)) == len(keys)


def test_the_order_within_a_filter_does_not_matter() -> None:
    one = search(filter={"year": 2020, "discipline": "数学"})
    other = search(filter={"discipline": "数学", "year": 2020})
    assert cache_key(one, "v", "r", RANKER, "-") == cache_key(other, "v", "r", RANKER, "-")


def test_a_model_that_is_not_known_has_no_key() -> None:
    assert cache_key(search(), "v", "r", None, "-") is None
    assert cache_key(search(rank=False), "v", "r", None, "-") is not None


def test_an_entry_goes_through_its_phases() -> None:
    entry = Entry(b"{}", stored_at=1000.0, fresh_seconds=10, stale_seconds=100)
    assert entry.phase(1009) is Phase.FRESH
    assert entry.phase(1011) is Phase.STALE
    assert entry.phase(1101) is Phase.KEPT
    assert entry.age(990) == 0.0  # a replica whose clock is behind


@given(st.binary(max_size=200))
def test_what_is_packed_is_unpacked(body: bytes) -> None:
    entry = Entry(body, 1_800_000_000.125, 300.5, 3600.0)
    assert Entry.unpack(entry.pack()) == entry


@given(st.binary(max_size=200))
def test_bytes_of_others_are_no_entry(packed: bytes) -> None:
    entry = Entry.unpack(packed)
    assert entry is None or Entry.unpack(entry.pack()) is not None


@pytest.mark.parametrize("packed", [b"", b"2 1 1 1\n{}", b"1 1 1\n{}", b"1 a b c\n{}", b"1 1 1 1"])
def test_damaged_entries_are_misses(packed: bytes) -> None:
    assert Entry.unpack(packed) is None


def test_freshness_is_spread_by_a_tenth() -> None:
    lifetimes = Lifetimes(fresh=100, stale=1000, kept=10_000)
    assert lifetimes.jittered(0) == 100
    assert lifetimes.jittered(1) == pytest.approx(90)


@pytest.mark.parametrize(
    ("header", "use"),
    [
        (None, CacheUse.NORMAL),
        ("max-age=60", CacheUse.NORMAL),
        ("no-cache", CacheUse.REFRESH),
        ("Max-Age=0", CacheUse.REFRESH),
        ("no-cache, no-store", CacheUse.NONE),
    ],
)
def test_cache_control(header: str | None, use: CacheUse) -> None:
    assert cache_use(header) is use


def test_the_local_level_is_bounded_and_forgets_the_least_used() -> None:
    evicted: list[None] = []
    cache = LocalCache(20_000, lambda: evicted.append(None))
    entry = Entry(b"x" * 1600, 0, 1, 1)  # ten of them fit
    for number in range(10):
        cache.put(str(number), entry)
    assert not evicted
    assert cache.get("0") is entry
    cache.put("10", entry)
    assert (len(evicted), cache.get("1"), cache.get("0")) == (1, None, entry)
    assert cache.used_bytes <= 20_000
    cache.put("large", Entry(b"x" * 10_000, 0, 1, 1))
    assert cache.get("large") is None
    for key in map(str, range(11)):
        cache.drop(key)
    assert (len(cache), cache.used_bytes) == (0, 0)


async def test_no_entry_is_served_when_the_order_of_its_pages_is_gone(
    redis: GuardedRedis,
) -> None:
    """A first page names the cursor of the next one, and its order is kept for 15 minutes more than
    the page may be served."""
    day = 86_400.0
    lifetimes = Lifetimes(day, day, day)
    cache = AnswerCache(LocalCache(10_000, lambda: None), RedisCache(redis), lifetimes)
    for _ in range(20):
        cache.keep("key", b"", "index")
        entry = cache.fresh_here("key")
        assert entry is not None
        assert entry.phase(entry.stored_at + day) is Phase.KEPT
    await cache.redis.stored()
