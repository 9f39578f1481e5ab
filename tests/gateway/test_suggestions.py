"""Suggestions of a running system: rights, frequent queries, what is refused."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from services.gateway.search.hot.frequent import FrequentQueries
from services.gateway.search.hot.queries import HotQueries
from services.gateway.stores.redis_client import GuardedRedis
from tests.gateway.cascades import search
from tests.stack import Stack
from tests.waiting import eventually
from xunwen import Client

NAME = "typed_into"
ADDRESS = f"/v1/collections/{NAME}/suggestions"


@pytest.fixture(scope="module")
def http(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.url, timeout=60) as http:
        for identity, title in (("a", "神经网络的可解释性"), ("b", "冻土路基的变形")):
            body = {"title": title, "fields": {"keywords": ["神经网络"], "authors": ["欧阳修"]}}
            http.put(f"/v1/collections/{NAME}/documents/{identity}", json=body).raise_for_status()
        yield http
        http.delete(f"/v1/collections/{NAME}")


def suggested(http: httpx.Client, typed: str, **more: Any) -> dict[str, Any]:
    """What is suggested once the collection is read."""

    def complete() -> dict[str, Any] | None:
        answer = http.get(ADDRESS, params={"q": typed, **more})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found if found["complete"] else None

    return eventually(complete)


def test_how_it_goes_on(stack: Stack, http: httpx.Client) -> None:
    (first, second) = suggested(http, "sjwl")["suggestions"]
    assert first == {"text": "神经网络", "kind": "keyword", "count": 2}
    assert second == {"text": "神经网络的可解释性", "kind": "title", "count": 1}
    assert suggested(http, "ouyang")["suggestions"][0]["kind"] == "author"
    assert suggested(http, "身经网络")["did_you_mean"] == "神经网络"
    assert len(suggested(http, "神经", limit=1)["suggestions"]) == 1
    with Client(stack.url) as client:
        found = client.suggest("dongtu", collection=NAME)
        assert [one.text for one in found.suggestions] == ["冻土路基的变形"]


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({}, 422),
        ({"q": " "}, 422),
        ({"q": "x" * 101}, 422),
        ({"q": "x", "limit": 21}, 422),
        ({"q": "x", "prefix": "y"}, 422),
    ],
)
def test_what_is_refused(http: httpx.Client, params: dict[str, Any], status: int) -> None:
    assert http.get(ADDRESS, params=params).status_code == status


def test_a_collection_that_is_not_there(http: httpx.Client) -> None:
    answer = http.get("/v1/collections/nothing/suggestions", params={"q": "x"})
    assert (answer.status_code, answer.json()["code"]) == (404, "collection_not_found")


async def test_frequent_queries_are_of_one_tenant_and_whole(redis: GuardedRedis) -> None:
    hot = HotQueries(redis)
    for query, times in (("神", 4), ("神经", 4), ("神经机器翻译", 3), ("沉积", 1), ("冻土", 9)):
        for _ in range(times):
            hot.count(search(query), "one")
    hot.count(search("别家"), "two")
    await hot.flush()
    queries = FrequentQueries(hot)
    found = await queries.of("notes", "one")
    assert [(one.text, one.count) for one in found] == [("冻土", 9), ("神经机器翻译", 3)]
    assert await queries.of("notes", "two") == []


async def test_without_redis_nothing_is_frequent(dead_redis: GuardedRedis) -> None:
    assert await FrequentQueries(HotQueries(dead_redis)).of("notes", "one") == ()
