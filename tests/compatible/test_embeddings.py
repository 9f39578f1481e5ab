"""POST /v1/embeddings on the real system: OpenAI's schema."""

import base64
import struct
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.compatible.refusals import refused
from tests.stack import Stack

TEXTS = ["卫星姿态控制", "水稻病害的识别", "Attitude control of a satellite"]


@pytest.fixture
def http(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.url, timeout=600) as http:  # as OpenAI's client waits
        yield http


def embed(http: httpx.Client, **body: Any) -> dict[str, Any]:
    answer = http.post("/v1/embeddings", json=body)
    assert answer.status_code == 200, answer.text
    read: dict[str, Any] = answer.json()
    return read


def test_a_list_is_answered_in_its_order(http: httpx.Client) -> None:
    answer = embed(http, input=TEXTS, model="text-embedding-3-small", user="someone")
    assert answer["object"] == "list"
    assert answer["model"]
    assert [item["index"] for item in answer["data"]] == [0, 1, 2]
    assert {item["object"] for item in answer["data"]} == {"embedding"}
    alone = embed(http, input=TEXTS[1])["data"]
    assert len(alone) == 1
    assert alone[0]["embedding"] == pytest.approx(answer["data"][1]["embedding"], abs=2e-2)
    assert answer["usage"]["prompt_tokens"] == answer["usage"]["total_tokens"] > len(TEXTS)


def test_vectors_have_length_one_and_mean_something(http: httpx.Client) -> None:
    vectors = [item["embedding"] for item in embed(http, input=TEXTS)["data"]]
    assert all(sum(x * x for x in vector) == pytest.approx(1, abs=1e-3) for vector in vectors)
    satellite, rice, _ = vectors
    (near,) = embed(http, input="航天器的姿态控制")["data"]

    def cosine(other: list[float]) -> float:
        return float(sum(a * b for a, b in zip(near["embedding"], other, strict=True)))

    assert cosine(satellite) > cosine(rice) + 0.2


def test_the_names_of_other_services_for_the_two_forms_of_a_text(http: httpx.Client) -> None:
    def vector(input_type: str | None) -> list[float]:
        numbers: list[float] = embed(http, input="水稻", input_type=input_type)["data"][0][
            "embedding"
        ]
        return numbers

    for name in ("search_document", "passage", "classification", "clustering", None):
        assert vector(name) == pytest.approx(vector("document"), abs=1e-3), name
    assert vector("search_query") == pytest.approx(vector("query"), abs=1e-3)
    answer = http.post("/v1/embeddings", json={"input": "a", "input_type": "magic"})
    assert "input_type" in refused(answer, 422)


def test_base64_is_the_same_vector(http: httpx.Client) -> None:
    plain = embed(http, input=TEXTS[0], encoding_format="float")["data"][0]["embedding"]
    coded = embed(http, input=TEXTS[0], encoding_format="base64")["data"][0]["embedding"]
    raw = base64.b64decode(coded)
    assert struct.unpack(f"<{len(raw) // 4}f", raw) == pytest.approx(plain, abs=1e-6)


def test_dimensions_may_be_the_encoders_own(http: httpx.Client) -> None:
    size = len(embed(http, input=TEXTS[0])["data"][0]["embedding"])
    assert len(embed(http, input="a", dimensions=size)["data"][0]["embedding"]) == size
    answer = http.post("/v1/embeddings", json={"input": "a", "dimensions": size // 2})
    assert f"have {size} and cannot be shortened" in refused(answer, 422)


def test_members_that_other_servers_know_and_nulls_are_no_error(http: httpx.Client) -> None:
    body = {"model": None, "encoding_format": None, "dimensions": None, "truncate": "END"}
    assert embed(http, input="a", **body)["data"]


def test_more_than_one_call_of_the_encoder_takes_is_answered(http: httpx.Client) -> None:
    """OpenAI permits 2,048 texts a call; they are far more than the queue of recall holds."""
    texts = [f"第{number}号水文站的日均径流观测" for number in range(2048)]
    answer = embed(http, input=texts, encoding_format="base64")
    assert [item["index"] for item in answer["data"]] == list(range(2048))
    (last,) = embed(http, input=texts[-1])["data"]
    raw = base64.b64decode(answer["data"][-1]["embedding"])
    vector = struct.unpack(f"<{len(raw) // 4}f", raw)
    assert sum(a * b for a, b in zip(vector, last["embedding"], strict=True)) > 0.99


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([1, 2, 3], "token arrays cannot be read"),
        ([[1, 2], [3]], "check_embedding_ctx_length=False"),
        ("", "the text is empty"),
        (["a", ""], "text 1: the text is empty"),
        ([], "0 texts are given; 1 to 2,048"),
        (["a"] * 2049, "2,049 texts are given"),
        (["a", None], "text 1: a string is needed"),
        ({"text": "a"}, "a string is needed"),
        ("长" * 100_001, "100,001 characters"),
    ],
)
def test_inputs_that_cannot_be_read(http: httpx.Client, value: object, says: str) -> None:
    detail = refused(http.post("/v1/embeddings", json={"input": value}), 422)
    assert detail.startswith("input: ")
    assert says in detail


@pytest.mark.parametrize(
    "body", [{}, {"input": "a", "encoding_format": "int8"}, {"input": "a", "dimensions": 0}]
)
def test_other_members_that_cannot_be_read(http: httpx.Client, body: dict[str, object]) -> None:
    refused(http.post("/v1/embeddings", json=body), 422)


@pytest.mark.parametrize(
    "body", [rb'{"input": "\ud800"}', b'{"input": "\xed\xa0\x80"}', b"{", b"NaN"]
)
def test_text_that_no_json_holds_is_refused(http: httpx.Client, body: bytes) -> None:
    for path in ("/v1/embeddings", "/v1/rerank", "/v1/search"):
        answer = http.post(path, content=body, headers={"content-type": "application/json"})
        assert "not valid JSON" in refused(answer, 400)


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/rerank", "/v1/search", "/retrieval"])
def test_a_body_that_is_no_object_is_told_in_words_of_json(http: httpx.Client, path: str) -> None:
    """The first is what `curl -d` sends if it is told no more."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    detail = refused(http.post(path, content=b'{"input": "a"}', headers=form), 415)
    assert "with the header `Content-Type: application/json`" in detail
    refused(http.post(path, content=b'{"input": "a"}'), 415)
    assert refused(http.post(path, json=["a"]), 422) == "body: a JSON object is needed"
