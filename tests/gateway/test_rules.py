"""What the query rules of a collection say about a query, and that a change is seen at once."""

import asyncio
import tracemalloc
from typing import cast

import orjson
import pytest

from services.common.errors import Unavailable
from services.common.wire.query_rules import rules_key, rules_version_key
from services.gateway.cache.policy import CacheUse
from services.gateway.search.answers import CacheState
from services.gateway.search.cascade import rules
from services.gateway.search.cascade.cascade import Cascade
from services.gateway.search.cascade.rules import Rulebook, RuleBooks
from services.gateway.search.query.search import Wording
from services.gateway.stores.redis_client import GuardedRedis
from services.gateway.stores.state_reader import StateReader
from tests.gateway.cascades import CountingRecall, PlainRank, ask, search
from tests.gateway.chains import replica, title, written

BYTES_OF_WORD = 150
RULES = {
    "synonyms": [
        {"words": ["卷积神经网络", "CNN", "convolutional neural network"]},
        {"words": ["手机"], "also": ["智能手机"]},
        {"words": ["李小明", "Li Xiaoming"]},
    ],
    "stop_words": ["研究", "of"],
    "queries": [{"query": "量子 计算", "pinned": ["q1"], "hidden": ["q2"]}],
}


def by(query: str, *phrases: str) -> dict[str, list[str]]:
    said = Rulebook(RULES, "1").of(query, phrases)
    return {} if said is None else {one["word"]: one["by"] for one in said["synonyms"]}


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("CNN 的应用", {"cnn": ["卷积神经网络", "convolutional neural network"]}),
        ("卷積神經網絡", {"卷积神经网络": ["cnn", "convolutional neural network"]}),
        ("手机", {"手机": ["智能手机"]}),
        ("智能手机", {"手机": ["智能手机"]}),
        ("李小明", {"李小明": ["li xiaoming"]}),
        ("ＬＩ Xiaoming", {"li xiaoming": ["李小明"]}),
        ("李明", {}),
    ],
)
def test_synonyms_of_a_query(query: str, words: dict[str, list[str]]) -> None:
    assert by(query) == words


def test_what_is_in_quotation_marks_has_no_synonyms() -> None:
    assert by("CNN 手机", "CNN 识别") == {"手机": ["智能手机"]}


@pytest.mark.parametrize("query", ["量子 计算", "量子計算", "量子计算"])
def test_pins_are_of_the_whole_query_in_any_spelling(query: str) -> None:
    said = Rulebook(RULES, "1").of(query)
    assert said is not None
    assert (said["pinned"], said["hidden"]) == (["q1"], ["q2"])
    assert Rulebook(RULES, "1").of(f"{query}机") is None


async def put(redis: GuardedRedis, version: str, rules: object = RULES) -> None:
    """As the indexer writes rules of the collection `notes`."""
    content = orjson.dumps({**rules, "version": version})  # type: ignore[dict-item]
    await redis.redis.mset({rules_key("notes"): content, rules_version_key("notes"): version})


async def test_rules_that_were_just_read_are_not_dropped(
    redis: GuardedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.search.cascade.rules._MOST_WORDS", 2)
    books = RuleBooks(StateReader(redis))
    for collection in ("oldest", "other"):
        assert await books.of(search("CNN", collection=collection), "") is None
    await redis.redis.set(rules_key("oldest"), orjson.dumps(RULES | {"version": "1"}))
    assert await books.of(search("CNN", collection="oldest"), "1") is not None


async def test_collections_without_rules_take_no_more_memory_than_words_may(
    redis: GuardedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each name that a search gave, also one of no collection, was kept at 1.2 kB, up to 600 MB."""
    monkeypatch.setattr("services.gateway.search.cascade.rules._MOST_WORDS", 100)
    books = RuleBooks(StateReader(redis))
    await books.of(search("CNN"), "")
    tracemalloc.start()
    for number in range(100):
        await books.of(search("CNN", collection=f"none{number}"), "")
    held = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, rules.__file__)])
    tracemalloc.stop()
    assert sum(one.size for one in held.statistics("filename")) < 100 * BYTES_OF_WORD


async def test_books_follow_the_version(redis: GuardedRedis) -> None:
    books, cnn = RuleBooks(StateReader(redis)), search("CNN")
    assert await books.of(cnn, "") is None
    await put(redis, "1")
    assert await books.of(cnn, "1") is not None
    await put(redis, "2", {})
    assert await books.of(cnn, "1") is not None, "rules of the version in memory"
    assert await books.of(cnn, "2") is None
    assert await books.of(cnn, None) is None, "the last rules while the version is not known"
    quoted = search("CNN", wording=Wording(["cnn"], []))
    assert await books.of(quoted, "1") is None


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b"\xff", b'{"queries": [{}]}', b'{"synonyms": 1}']
)
async def test_damaged_rules_are_unavailable_and_others_are_not(
    redis: GuardedRedis, content: bytes
) -> None:
    """A search is made without them and says so; it was answered with 500."""
    books = RuleBooks(StateReader(redis))
    await put(redis, "1")
    await redis.redis.set(rules_key("broken"), content)
    with pytest.raises(Unavailable):
        await books.of(search("CNN", collection="broken"), "1")
    assert await books.of(search("CNN"), "1") is not None


async def test_rules_that_were_never_read_are_unavailable(dead_redis: GuardedRedis) -> None:
    books = RuleBooks(StateReader(dead_redis))
    with pytest.raises(Unavailable):
        await books.of(search("CNN"), None)


class SlowReader:
    """Gives rules once it is let go, and counts its reads."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.reads = 0

    async def get(self, _key: str) -> bytes:
        self.reads += 1
        await self.let_go.wait()
        return orjson.dumps(RULES)


async def test_rules_that_come_late_cost_a_search_them_and_not_its_budget() -> None:
    """It was answered with 504, while rules of this or another collection were being prepared."""
    reader = SlowReader()
    books = RuleBooks(cast("StateReader", reader))
    cascade = Cascade(CountingRecall(), PlainRank(), 0.85, books)
    async with asyncio.timeout(10):
        for _ in range(2):
            asked = ask(seconds=0.4, rules="1")
            assert (await cascade.answer(asked)).degraded == ["rules"]
            assert not asked.deadline.expired
        reader.let_go.set()
        assert (await cascade.answer(ask(seconds=10, rules="1"))).degraded == []
    assert reader.reads == 1, "they were read on for the next search"
    await books.aclose()


async def test_a_change_of_the_rules_is_seen_by_every_replica_at_once(redis: GuardedRedis) -> None:
    await written(redis)
    recall = CountingRecall()
    async with replica(redis, redis, recall) as one, replica(redis, redis, recall) as other:
        assert title(await one.ask()) == "第1次"
        assert (await other.ask()).state is CacheState.HIT
        await put(redis, "1")
        changed = await other.ask()
        assert (title(changed), changed.state) == ("第2次", CacheState.MISS)
        assert title(await one.ask()) == "第2次"
        await put(redis, "2", {})
        assert title(await one.ask()) == "第3次", "no rules are another version too"
        assert title(await other.ask(use=CacheUse.NORMAL)) == "第3次"
