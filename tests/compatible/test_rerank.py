"""POST /v1/rerank, /v2/rerank and /rerank on the real system: Jina's and Cohere's schema."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.compatible.refusals import refused
from tests.stack import Stack
from tests.waiting import eventually

QUERY = "卫星姿态控制"
DOCUMENTS = ["水稻病害的图像识别方法", "挠性卫星姿态机动的滑模控制", "唐代长安的坊市制度"]


@pytest.fixture
def http(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.url, timeout=120) as http:
        yield http


def rerank(http: httpx.Client, path: str = "/v1/rerank", **body: Any) -> dict[str, Any]:
    body = {"query": QUERY, "documents": DOCUMENTS} | body
    answer = http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    read: dict[str, Any] = answer.json()
    return read


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank", "/rerank"])
def test_the_most_relevant_comes_first(http: httpx.Client, path: str) -> None:
    answer = rerank(http, path, model="rerank-v3.5", max_tokens_per_doc=4096)
    results = answer["results"]
    assert results[0]["index"] == 1
    assert sorted(item["index"] for item in results) == [0, 1, 2]
    scores = [item["relevance_score"] for item in results]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert scores[0] > scores[1] + 0.2
    assert "document" not in results[0]
    assert answer["usage"]["total_tokens"] > len(DOCUMENTS)
    assert answer["meta"]["billed_units"]["search_units"] == 1
    assert answer["id"]
    assert answer["model"]


def test_documents_as_objects_and_returned(http: httpx.Client) -> None:
    documents = [{"text": text, "id": 7} for text in DOCUMENTS]
    answer = rerank(http, documents=documents, return_documents=True, top_n=2)
    assert answer["results"][0]["document"] == {"text": DOCUMENTS[1], "id": 7}
    assert len(answer["results"]) == 2
    plain = rerank(http)["results"][0]["relevance_score"]
    assert answer["results"][0]["relevance_score"] == pytest.approx(plain, abs=0.02)


def test_rank_fields_are_read_instead_of_the_text(http: httpx.Client) -> None:
    documents = [
        {"text": "无关", "title": title, "no": n, "tags": ["甲", "乙"]}
        for n, title in enumerate(DOCUMENTS)
    ]
    fields = ["title", "no", "tags", "absent"]
    answer = rerank(http, documents=documents, rank_fields=fields, return_documents=True)
    best = answer["results"][0]
    assert best["index"] == 1
    assert best["document"] == documents[1]
    texts = [f"{title}\n{n}\n甲 乙" for n, title in enumerate(DOCUMENTS)]
    same = rerank(http, documents=texts)["results"][0]
    assert best["relevance_score"] == pytest.approx(same["relevance_score"], abs=1e-6)
    # Without them all have the same text; the titles raise one above it and put the others below.
    unread = {item["relevance_score"] for item in rerank(http, documents=documents)["results"]}
    assert len(unread) == 1
    others = [item["relevance_score"] for item in answer["results"][1:]]
    assert best["relevance_score"] > min(unread) > max(others)


def test_texts_come_back_as_objects(http: httpx.Client) -> None:
    results = rerank(http, return_documents=True, rank_fields=["title"])["results"]
    assert results[0]["document"] == {"text": DOCUMENTS[1]}


def test_nulls_are_as_if_left_out(http: httpx.Client) -> None:
    assert len(rerank(http, model=None, top_n=None, return_documents=None)["results"]) == 3


def test_null_fields_of_a_document_are_left_out(http: httpx.Client) -> None:
    """Rows of a table have a null where a text is missing."""
    documents = [{"title": title, "text": None} for title in DOCUMENTS]
    fields = ["title", "text"]
    same = rerank(http)["results"]
    assert rerank(http, documents=documents, rank_fields=fields)["results"] == same
    documents[1]["title"] = None
    answer = http.post(
        "/v1/rerank", json={"query": QUERY, "documents": documents, "rank_fields": fields}
    )
    assert "document 1: it has none of the `rank_fields`" in refused(answer, 422)


def test_top_n_beyond_the_documents(http: httpx.Client) -> None:
    assert len(rerank(http, top_n=100)["results"]) == 3


def test_a_thousand_documents_in_one_call(http: httpx.Client) -> None:
    """More than the ranker takes in one call of its own."""
    documents = [f"第{number}号水文站的日均径流" for number in range(999)]
    documents.insert(700, DOCUMENTS[1])
    results = rerank(http, documents=documents, top_n=1)["results"]
    assert [item["index"] for item in results] == [700]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"documents": []}, "a list of 1 to 1,000 documents"),
        ({"documents": ["a"] * 1001}, "a list of 1 to 1,000 documents"),
        ({"documents": "a"}, "a list of 1 to 1,000 documents"),
        ({"documents": ["a", {"body": "b"}]}, "document 1, itself or in its `text`"),
        ({"documents": ["a", ""]}, "the text is empty"),
        ({"documents": [{"text": "a"}], "rank_fields": ["b"]}, "document 0: it has none of"),
        ({"documents": [{"b": {}}], "rank_fields": ["b"]}, "document 0, `b`: a string, a number"),
        ({"documents": [{"b": ""}], "rank_fields": ["b"]}, "the text is empty"),
        ({"rank_fields": []}, "rank_fields"),
        ({"documents": [["a"]]}, "document"),
        ({"query": ""}, "query"),
        ({"query": " "}, "query"),
        ({"top_n": 0}, "top_n"),
        ({"top_n": 1.5}, "top_n"),
    ],
)
def test_bodies_that_cannot_be_read(http: httpx.Client, body: dict[str, Any], says: str) -> None:
    answer = http.post("/v1/rerank", json={"query": QUERY, "documents": DOCUMENTS} | body)
    assert says in refused(answer, 422)


def test_without_rank_the_error_says_so(http: httpx.Client, stack: Stack) -> None:
    with stack.without("rank"):
        answer = http.post("/v1/rerank", json={"query": QUERY, "documents": DOCUMENTS})
        assert "rank service does not answer" in refused(answer, 503)
        assert int(answer.headers["retry-after"]) >= 1
    # The breaker lets one call through every two seconds until one is answered.
    body = {"query": QUERY, "documents": DOCUMENTS}
    eventually(lambda: http.post("/v1/rerank", json=body).status_code != 503)
    assert len(rerank(http)["results"]) == 3
