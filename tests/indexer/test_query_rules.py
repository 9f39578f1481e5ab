"""Query rules: which are refused and in which words, and that no change is lost unseen."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pydantic import ValidationError
from redis.asyncio import Redis

from services.common.errors import Conflict, InvalidRequest, QueueUnavailable, StorageDamaged
from services.common.validation import first_reason
from services.common.wire.query_rules import (
    QueryRules,
    QueryRulesUpdate,
    rules_key,
    rules_version_key,
)
from services.indexer.query_rules import QueryRulesStore, check_rules, ids_of
from tests.servers import Server, valkey


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"synonyms": [["CNN"]]}, "a group needs two words"),
        ({"synonyms": [["CNN", "ＣＮＮ"]]}, "'CNN' and 'ＣＮＮ' are the same"),
        ({"synonyms": [{"words": ["微积分"], "also": ["微積分"]}]}, "are the same"),
        ({"synonyms": [["CNN", "！？"]]}, "holds no letter"),
        ({"synonyms": [["水稻", " "]]}, "synonyms"),
        ({"synonyms": [["a" * 101, "b"]]}, "at most 100"),
        ({"synonyms": [list("甲乙丙丁戊己庚辛壬癸子")]}, "at most 10"),
        ({"stop_words": ["的", "的"]}, "are the same"),
        ({"queries": [{"query": "量子"}]}, "needs an id"),
        ({"queries": [{"query": "量子", "pinned": ["a"], "hidden": ["a"]}]}, "named twice"),
        ({"queries": [{"query": "量子", "pinned": [".."]}]}, "cannot be part of an address"),
        ({"queries": [{"query": "量子", "pinned": [str(n) for n in range(21)]}]}, "at most 20"),
        (
            {"queries": [{"query": one, "pinned": ["a"]} for one in ("量子 计算", "量子計算")]},
            "are the same",
        ),
        ({"synonym": []}, "no such member"),
    ],
)
def test_what_cannot_be_a_rule(rules: dict[str, Any], words: str) -> None:
    with pytest.raises((ValidationError, InvalidRequest)) as refused:
        check_rules(QueryRules.model_validate(rules))
    error = refused.value
    said = first_reason(error, 9) if isinstance(error, ValidationError) else str(error)
    assert words in said


def test_ids_are_named_once() -> None:
    queries = [{"query": one, "pinned": ["a", one], "hidden": ["b"]} for one in ("x", "y")]
    assert ids_of(QueryRules.model_validate({"queries": queries})) == ["a", "x", "b", "y"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with valkey(tmp_path_factory.mktemp("rules")) as started:
        yield started


@pytest.fixture
async def store(server: Server) -> AsyncIterator[QueryRulesStore]:
    redis = Redis.from_url(server.url, protocol=2)
    await redis.flushall()
    yield QueryRulesStore(redis)
    await redis.aclose()


def update(*words: str, version: str | None = None) -> QueryRulesUpdate:
    return QueryRulesUpdate.model_validate({"stop_words": list(words), "version": version})


async def test_a_change_is_based_on_what_was_read(store: QueryRulesStore) -> None:
    assert (await store.read("notes")).version == ""
    first = await store.write("notes", update("的", version=""))
    with pytest.raises(Conflict, match="read them again"):
        await store.write("notes", update("了", version=""))
    second = await store.write("notes", update("了", version=first))
    assert first < second
    await store.write("notes", update("着"))
    kept = await store.read("notes")
    assert (kept.stop_words, kept.synonyms) == (["着"], [])
    assert (await store.read("others")).stop_words == []


async def test_damaged_rules_are_told_and_can_be_set_again(
    store: QueryRulesStore, server: Server
) -> None:
    redis = Redis.from_url(server.url, protocol=2)
    for content in (b"", b"{", b"[]", b"\xff", b'{"stop_words": 1}'):
        await redis.set(rules_key("notes"), content)
        with pytest.raises(StorageDamaged, match=r"'notes' .*PUT .*/notes/query-rules"):
            await store.read("notes")
        assert (await store.read("others")).stop_words == []
        await store.write("notes", update("的"))
        assert (await store.read("notes")).stop_words == ["的"]
    await redis.aclose()


async def test_rules_of_another_type_are_told_and_can_be_set_again(
    store: QueryRulesStore, server: Server
) -> None:
    redis = Redis.from_url(server.url, protocol=2)
    first = await store.write("notes", update("的"))
    for key in (rules_key("notes"), rules_version_key("notes")):
        await redis.delete(key)
        await redis.hset(key, "some", "thing")
    remedy = r"'notes' .*PUT .*/notes/query-rules, without `version`"
    with pytest.raises(StorageDamaged, match=remedy):
        await store.read("notes")
    with pytest.raises(StorageDamaged, match=remedy):
        await store.write("notes", update("了", version=first))
    await store.write("notes", update("着"))
    assert (await store.read("notes")).stop_words == ["着"]
    await redis.aclose()


async def test_a_change_that_no_replica_has_is_not_acknowledged(server: Server) -> None:
    redis = Redis.from_url(server.url, protocol=2)
    with pytest.raises(QueueUnavailable, match="no replica"):
        await QueryRulesStore(redis, replicated=True).write("notes", update("的"))
    await redis.aclose()


async def test_rules_have_a_size(store: QueryRulesStore) -> None:
    long = [{"query": f"{n}" + "长" * 1900, "pinned": ["a"]} for n in range(400)]
    with pytest.raises(InvalidRequest, match="at most 2,097,152"):
        await store.write("notes", QueryRulesUpdate.model_validate({"queries": long}))
