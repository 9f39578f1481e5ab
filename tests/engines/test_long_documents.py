"""A long document on its whole way: written, found by a sentence of its middle, read, replaced."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.engines.cluster import ClusterSystem
from xunwen.client import Client

SENTENCE = "青藏铁路沿线的多年冻土在夏季融化，路基因此沉降了十二厘米。"


def body(chapters: int, middle: str = SENTENCE) -> str:
    """Chapters of a report, one on a page, with a sentence in the middle one."""
    parts = []
    for number in range(chapters):
        text = "".join(f"第{number}章第{line}段记录各观测站的常规巡检。" for line in range(40))
        inside = f"{text[:400]}{middle}{text[400:]}" if number == chapters // 2 else text
        parts.append(f"## 第{number}章 巡检\n{inside}\n")
    return "# 铁路年报\n" + "\f".join(parts)


@pytest.fixture(scope="module")
def client(local: ClusterSystem) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=local.gateways[0], timeout=120) as client:
        yield client
        client.delete("/v1/collections/long_reports")


def search(client: httpx.Client, query: str, **options: Any) -> dict[str, Any]:
    body = {"query": query, "collection": "long_reports", "rank": False, "mode": "lexical"}
    answer = client.post("/v1/search", json={**body, "budget_ms": 20_000, **options})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def count(client: httpx.Client) -> int:
    collection = client.get("/v1/collections/long_reports").json()
    listed = client.get("/v1/collections/long_reports/documents").json()["documents"]
    assert collection["count"] == len(listed)
    return len(listed)


def put(client: httpx.Client, identity: str, **members: Any) -> None:
    path = f"/v1/collections/long_reports/documents/{identity}"
    answer = client.put(path, json=members)
    assert answer.status_code == 200, answer.text


def test_it_is_found_by_its_middle_and_replaced_as_a_whole(client: httpx.Client) -> None:
    whole = body(9)
    put(client, "short", title="桥梁检测", text="桥梁的裂缝检测方法。", fields={"year": 2019})
    put(client, "long", title="铁路年报", body=whole, fields={"year": 2020})
    assert count(client) == 2

    for options in ({}, {"filter": {"year": 2020}}):
        answer = search(client, "多年冻土融化使路基沉降", **options)
        hit = answer["hits"][0]
        assert hit["id"] == "long"
        assert SENTENCE in hit["text"]
        place = hit["passage"]
        assert (place["page"], place["section"]) == (5, "铁路年报 › 第4章 巡检")
        assert whole[place["start"] : place["end"]].strip() == hit["text"]
        assert hit["passage_count"] > 20
        assert "<em>" in hit["highlights"]["text"][0]
        assert all(
            whole[one["start"] : one["end"]].strip() == one["text"] for one in hit["passages"]
        )
        assert place["number"] not in [one["number"] for one in hit["passages"]]
    assert search(client, "多年冻土", filter={"year": 2019})["hits"] == []
    listed = search(client, "巡检", facets=["year"])
    assert listed["total"] == len(listed["hits"]) <= 2
    assert sum(one["count"] for one in listed["facets"]["year"]["values"]) == listed["total"]
    phrase = search(client, "铁路", phrases=["路基因此沉降了十二厘米"])
    assert [one["id"] for one in phrase["hits"]] == ["long"]
    assert search(client, "铁路", exclude=["路基因此沉降了十二厘米"])["hits"] == []

    stored = client.get("/v1/collections/long_reports/documents/long").json()
    assert stored["body"] == whole
    assert stored["passage_count"] == hit["passage_count"]
    assert "body" not in client.get("/v1/collections/long_reports/documents/short").json()

    path = "/v1/collections/long_reports/documents/long"
    assert client.patch(path, json={"fields": {"year": 2021}}).status_code == 200
    hit = search(client, "多年冻土融化使路基沉降", filter={"year": 2021})["hits"][0]
    assert SENTENCE in hit["text"]

    put(client, "long", title="铁路年报", body=body(1, middle="今年没有沉降。"))
    assert count(client) == 2
    after = search(client, "多年冻土融化使路基沉降")["hits"]
    assert all(SENTENCE not in (one["text"] or "") for one in after)
    assert client.get(path).json()["body"] == body(1, middle="今年没有沉降。")

    put(client, "long", title="铁路年报", text="只剩摘要。")
    hit = next(one for one in search(client, "铁路年报")["hits"] if one["id"] == "long")
    assert (hit["text"], "passage" in hit) == ("只剩摘要。", False)
    assert client.delete(path).json()["deleted"] == 1
    assert count(client) == 1


def test_a_long_text_is_found_by_its_middle_and_comes_back_as_text(client: httpx.Client) -> None:
    text = "各观测站的常规巡检没有异常。" * 60 + SENTENCE + "各观测站的常规巡检没有异常。" * 60
    path = "/v1/collections/long_reports/documents/text"
    put(client, "text", title="巡检年报", text=text, fields={"year": 1999})
    put(client, "brief", title="巡检", body=SENTENCE, fields={"year": 1998})
    only = {"filter": {"year": 1999}}

    # The whole text has one vector, and its middle has one of its own.
    dense = search(client, SENTENCE, mode="dense", explain=True, **only)["hits"][0]
    put(client, "text", title="巡检年报", text=text.replace(SENTENCE, ""), fields={"year": 1999})
    without = search(client, SENTENCE, mode="dense", explain=True, **only)["hits"][0]
    assert dense["scores"]["dense"] > without["scores"]["dense"]
    put(client, "text", title="巡检年报", text=text, fields={"year": 1999})

    hit = search(client, "多年冻土融化使路基沉降", **only)["hits"][0]
    assert (hit["id"], hit["text"]) == ("text", text)
    assert {"passage", "passages", "passage_count"}.isdisjoint(hit)
    assert "<em>多年冻土</em>" in "".join(hit["highlights"]["text"])
    stored = client.get(path).json()
    assert stored["text"] == text
    assert {"body", "passage_count"}.isdisjoint(stored)
    exported = client.get("/v1/collections/long_reports/export").text.splitlines()
    [line] = [line for line in map(json.loads, exported) if line["id"] == "text"]
    assert (line["text"], line["body"]) == (text, "")
    for phrases, found in (([SENTENCE], 1), (["没有的句子"], 0)):
        assert len(search(client, "巡检", phrases=phrases, **only)["hits"]) == found

    assert client.patch(path, json={"fields": {"year": 2001}}).status_code == 200
    moved = search(client, SENTENCE, mode="dense", explain=True, filter={"year": 2001})["hits"][0]
    assert moved["scores"]["dense"] == pytest.approx(dense["scores"]["dense"], abs=1e-5)
    assert client.patch(path, json={"text": text.replace(SENTENCE, "")}).status_code == 200
    after = search(client, SENTENCE, mode="dense", explain=True, filter={"year": 2001})["hits"][0]
    assert after["scores"]["dense"] == pytest.approx(without["scores"]["dense"], abs=1e-5)
    for one in ("text", "brief"):
        assert client.delete(f"/v1/collections/long_reports/documents/{one}").status_code == 200


def test_a_job_an_export_and_a_rebuild_keep_it_whole(
    client: httpx.Client, local: ClusterSystem
) -> None:
    whole = body(5)
    lines = [{"id": "job", "title": "年报", "body": whole}, {"id": "plain", "title": "路基"}]
    with Client(local.gateways[0]) as xunwen:
        job = xunwen.wait(xunwen.index(lines, collection="long_reports").id)
        assert job.counts.indexed == 2
        exported = client.get("/v1/collections/long_reports/export").text
        assert whole in [json.loads(line)["body"] for line in exported.splitlines()]
        rebuilt = xunwen.wait(xunwen.rebuild("long_reports").job_id)
        assert rebuilt.state == "succeeded"
    hit = search(client, "多年冻土融化使路基沉降")["hits"][0]
    assert (hit["id"], hit["passage"]["page"]) == ("job", 3)
    assert SENTENCE in hit["text"]
    first = search(client, "巡检", cursor="*", top_k=1)
    second = search(client, "巡检", cursor=first["next_cursor"], top_k=1)
    assert {first["hits"][0]["id"], second["hits"][0]["id"]} <= {"job", "plain", "short"}


def test_a_body_too_long_for_a_put_is_refused_with_the_way(client: httpx.Client) -> None:
    answer = client.put(
        "/v1/collections/long_reports/documents/huge", json={"body": "长。" * 300_000}
    )
    assert answer.status_code == 413
    assert "send it as a job, POST /v1/index-jobs" in answer.json()["detail"]
    answer = client.put(
        "/v1/collections/long_reports/documents/huge", json={"body": "长" * 2_000_000}
    )
    assert answer.status_code == 422
    assert "5,000,000" in answer.json()["detail"]
