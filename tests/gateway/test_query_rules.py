"""Query rules of a running system: synonyms, stop words, pins, through two gateways."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from redis import Redis

from services.gateway.access.rights import is_audited
from tests.stack import Stack
from xunwen import ApiError, Client

NAME = "ruled"
RULES = f"/v1/collections/{NAME}/query-rules"
PAPERS = {
    "cnn": "卷积神经网络识别水稻病害",
    "svm": "支持向量机识别小麦病害",
    "rice": "水稻病害的田间调查",
    "name": "李小明的玉米育种",
    "wheat": "小麦抗旱育种",
}


@pytest.fixture(scope="module")
def two(stack: Stack, second: str) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """Clients of two gateways before a small collection."""
    with (
        httpx.Client(base_url=stack.url, timeout=60) as http,
        httpx.Client(base_url=second, timeout=60) as other,
    ):
        for place, (identity, title) in enumerate(PAPERS.items()):
            body = {"title": title, "fields": {"year": 2010 + place, "crop": title[:2]}}
            http.put(f"/v1/collections/{NAME}/documents/{identity}", json=body).raise_for_status()
        yield http, other
        http.delete(f"/v1/collections/{NAME}")


def put(http: httpx.Client, **rules: Any) -> dict[str, Any]:
    answer = http.put(RULES, json=rules)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def ask(http: httpx.Client, query: str, **options: Any) -> dict[str, Any]:
    body = {"query": query, "collection": NAME, "budget_ms": 30_000, **options}
    answer = http.post("/v1/search", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["degraded"] == []
    return dict(answer.json())


def ids(answer: dict[str, Any]) -> list[str]:
    return [hit["id"] for hit in answer["hits"]]


def test_synonyms_find_what_other_words_say(two: tuple[httpx.Client, httpx.Client]) -> None:
    http, second = two
    words = {"mode": "lexical", "rank": False}
    put(http)
    assert ids(ask(http, "CNN", **words)) == []
    assert ids(ask(second, "Li Xiaoming", **words)) == []
    put(http, synonyms=[["CNN", "卷积神经网络"], ["李小明", "Li Xiaoming"], ["玉米", "水稻"]])
    found = ask(second, "CNN", **words)
    assert ids(found) == ["cnn"], "the other gateway follows at once"
    assert found["hits"][0]["highlights"]["title"] == ["<em>卷积神经网络</em>识别水稻病害"]
    assert ids(ask(http, "Li Xiaoming", **words)) == ["name"]
    assert set(ids(ask(http, "玉米病害", **words))) >= {"cnn", "rice", "name"}
    assert ids(ask(http, '"CNN"', syntax="fields", **words)) == [], "phrases are as written"
    assert ids(ask(http, "CNN -水稻", syntax="fields", **words)) == []
    assert ids(ask(http, "CNN", filter={"year": {"gte": 2012}}, **words)) == []
    assert ids(ask(http, "CNN", top_k=1)) == ["cnn"], "with both legs and ranked"


def test_stop_words(two: tuple[httpx.Client, httpx.Client]) -> None:
    http, second = two
    words = {"mode": "lexical", "rank": False}
    put(http)
    assert len(ids(ask(second, "水稻病害", **words))) == 3
    put(http, stop_words=["病害"])
    assert set(ids(ask(second, "水稻病害", **words))) == {"cnn", "rice"}
    assert len(ids(ask(second, "病害", **words))) == 3, "a query of stop words alone is looked up"


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
@pytest.mark.parametrize("rank", [True, False])
def test_pinned_stand_first_and_hidden_never_appear(
    two: tuple[httpx.Client, httpx.Client], mode: str, rank: bool
) -> None:
    http, second = two
    written = put(
        http, queries=[{"query": "水稻病害", "pinned": ["wheat", "gone"], "hidden": ["cnn"]}]
    )
    assert written["unknown_ids"] == ["gone"]
    options = {"mode": mode, "rank": rank, "facets": ["crop"]}
    found = ask(second, "水稻 病害", **options)
    assert ids(found)[0] == "wheat"
    assert [hit.get("pinned", False) for hit in found["hits"]][:2] == [True, False]
    assert "cnn" not in ids(found)
    assert found["total"] == len(ids(found))
    counts = {one["value"]: one["count"] for one in found["facets"]["crop"]["values"]}
    assert "卷积" not in counts
    assert counts["小麦"] == 1
    filtered = ask(http, "水稻病害", filter={"crop": "水稻"}, **options)
    assert ids(filtered) == ["rice"], "filters hold for pinned documents too"
    assert "wheat" not in ids(ask(http, "水稻", top_k=1, mode=mode, rank=rank))
    held = ask(http, "水稻病害", phrases=["水稻"], mode=mode, rank=rank)
    assert "wheat" not in ids(held), "phrases too"


def test_pages_and_scores_with_pins(two: tuple[httpx.Client, httpx.Client]) -> None:
    http, _ = two
    put(http, queries=[{"query": "育种", "pinned": ["cnn", "svm"], "hidden": []}])
    seen: list[str] = []
    marked: list[str] = []
    cursor: str | None = "*"
    while cursor is not None:
        page = ask(http, "育种", top_k=1, cursor=cursor)
        seen += ids(page)
        marked += [hit["id"] for hit in page["hits"] if hit.get("pinned")]
        cursor = page["next_cursor"]
    assert seen[:2] == marked == ["cnn", "svm"]
    assert sorted(seen) == sorted(PAPERS)
    assert ids(ask(http, "育种", min_score=1.0)) == ["cnn", "svm"], "a pin needs no score"
    assert ids(ask(http, "育种", sort=["-year"]))[0] == "wheat", "a chosen order is kept"
    grouped = ask(http, "育种", group_by="crop")
    assert ids(grouped)[:2] == ["cnn", "svm"]


def test_rules_are_refused_in_words_and_told_whole(
    stack: Stack, two: tuple[httpx.Client, httpx.Client]
) -> None:
    http, _ = two
    answer = http.put(RULES, json={"synonyms": [["CNN", "ＣＮＮ"]]})
    assert answer.status_code == 422
    assert "are the same to a search" in answer.json()["detail"]
    assert http.put("/v1/collections/nothing/query-rules", json={}).status_code == 404
    with Client(stack.url) as client:
        client.put_query_rules(NAME, {"synonyms": [["水稻", "rice"]], "stop_words": ["的"]})
        rules = client.query_rules(NAME)
        assert rules.synonyms[0].words == ["水稻", "rice"]
        client.put_query_rules(NAME, rules)
        with pytest.raises(ApiError) as refused:
            client.put_query_rules(NAME, rules)
        assert refused.value.status == 409
        assert client.search("水稻", collection=NAME).hits[0].pinned is False


def test_a_dropped_collection_leaves_no_rules(stack: Stack) -> None:
    with Client(stack.url) as client:
        client.create_collection("short_lived")
        client.put_query_rules("short_lived", {"stop_words": ["的"]})
        client.delete_collection("short_lived")
        client.create_collection("short_lived")
        try:
            assert client.query_rules("short_lived").stop_words == []
        finally:
            client.delete_collection("short_lived")


def test_changes_are_audited(stack: Stack, two: tuple[httpx.Client, httpx.Client]) -> None:
    http, _ = two
    put(http, stop_words=["的"])
    with Redis.from_url(f"redis://127.0.0.1:{stack.settings.state_port}/0") as redis:
        latest = redis.xrevrange("xunwen:audit", count=5)
    assert any(f"PUT {RULES}".encode() in event[b"event"] for _, event in latest)
    assert not is_audited("GET", RULES)


def test_the_commands(stack: Stack, two: tuple[httpx.Client, httpx.Client], tmp_path: Any) -> None:
    put(two[0])
    synonyms = tmp_path / "synonyms.txt"
    synonyms.write_text("# 同义词\n水稻, 稻子\n手机 => 智能手机，移动电话\n", encoding="utf-8")
    assert stack.xunwen("rules", "synonyms", NAME, str(synonyms)).returncode == 0
    assert stack.xunwen("rules", "stop-words", NAME, "的").returncode == 0
    pinned = stack.xunwen("rules", "pin", NAME, "水稻", "rice", "--hide", "nobody")
    assert "no document has the ids: nobody" in pinned.stdout
    shown = stack.xunwen("rules", "show", NAME).stdout.splitlines()
    assert shown == [
        "水稻, 稻子",
        "手机 => 智能手机, 移动电话",
        "stop words: 的",
        "水稻: pinned rice, hidden nobody",
    ]
    whole = tmp_path / "rules.json"
    whole.write_text(stack.xunwen("rules", "show", NAME, "--json").stdout, encoding="utf-8")
    assert stack.xunwen("rules", "set", NAME, str(whole)).returncode == 0
    again = stack.xunwen("rules", "set", NAME, str(whole))
    assert (again.returncode, "read them again" in again.stderr) == (1, True)
    bad = tmp_path / "bad.txt"
    bad.write_text("只有一个词\n", encoding="utf-8")
    refused = stack.xunwen("rules", "synonyms", NAME, str(bad))
    assert "bad.txt, line 1" in refused.stderr
