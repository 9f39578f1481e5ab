"""The bodies that Milvus's embedding and ranker functions send, and what they read.

Taken from Milvus's sources: models/openai, models/vllm and models/cohere under
internal/util/function. Its clients want status 200 and these members.
"""

from collections.abc import Iterator

import httpx
import pytest

from tests.stack import Stack

TEXTS = ["水稻病害的图像识别方法", "挠性卫星姿态机动的滑模控制"]


@pytest.fixture
def http(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.url, timeout=60) as http:
        yield http


@pytest.mark.parametrize("more", [{}, {"dimensions": 384, "user": "milvus"}])
def test_the_openai_provider(http: httpx.Client, more: dict[str, object]) -> None:
    body = {"model": "xunwen", "input": TEXTS * 64, "encoding_format": "float", **more}
    answer = http.post("/v1/embeddings", json=body)
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert sorted(item["index"] for item in data) == list(range(128))
    assert {len(item["embedding"]) for item in data} == {384}


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/rerank", {}),
        ("/rerank", {"truncate_prompt_tokens": 512}),
        ("/v2/rerank", {"model": "xunwen"}),
    ],
)
def test_the_ranker_providers(http: httpx.Client, path: str, more: dict[str, object]) -> None:
    answer = http.post(path, json={"query": "卫星姿态控制", "documents": TEXTS * 16, **more})
    assert answer.status_code == 200
    results = sorted(answer.json()["results"], key=lambda result: int(result["index"]))
    assert len(results) == 32
    assert results[1]["relevance_score"] > results[0]["relevance_score"]
