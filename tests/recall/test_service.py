"""The recall service over HTTP, with a real index and a real (tiny) model."""

import base64
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from services.common.collection import PhysicalName
from services.common.engine import Encoder
from services.common.text import Analyzers
from services.common.wire.recall import EncodeResponse, RecallResponse
from services.recall.app import create_app
from services.recall.settings import RecallSettings
from tests.asgi import client_of
from tests.recall.conftest import Filler
from tests.servers import Server


@pytest.fixture
async def client(
    milvus: Server, literature: PhysicalName, encoder: Encoder
) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(RecallSettings(milvus_uri=milvus.url), encoder, Analyzers())
    async with client_of(app) as http:
        yield http


async def search(client: httpx.AsyncClient, **body: object) -> httpx.Response:
    return await client.post("/search", json={"collection": "literature", **body})


async def test_a_title_finds_its_document(
    client: httpx.AsyncClient, literature: PhysicalName
) -> None:
    for mode in ("hybrid", "dense", "lexical"):
        answer = await search(client, query="中西方语言与文化的差异", mode=mode)
        recalled = RecallResponse.model_validate_json(answer.content)
        assert recalled.candidates[0].id == "d1"
        assert recalled.candidates[0].fields["year"] == 2015
        assert recalled.index == str(literature)
        assert recalled.degraded == []


async def test_filters_hold_in_both_legs(client: httpx.AsyncClient) -> None:
    answer = await search(client, query="企业", filter={"open": True})
    assert [each["id"] for each in answer.json()["candidates"]] == ["d3"]


async def test_what_cannot_be_searched_is_said(client: httpx.AsyncClient) -> None:
    for body, status, code in (
        ({"query": "企业", "collection": "nowhere"}, 404, "collection_not_found"),
        ({"query": "企业", "filter": {"a": {"like": "x"}}}, 422, "invalid_filter"),
        ({"query": ""}, 422, "invalid_request"),
        ({"query": "企业", "top_n": 0}, 422, "invalid_request"),
    ):
        answer = await search(client, **body)
        assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_foreign_encoder_is_a_conflict(
    client: httpx.AsyncClient, milvus: Server, fill: Filler
) -> None:
    fill(milvus.url, "foreign", fingerprint="0" * 16)
    answer = await search(client, query="企业", collection="foreign")
    assert (answer.status_code, answer.json()["code"]) == (409, "encoder_mismatch")


async def test_without_bm25_the_dense_leg_answers(
    client: httpx.AsyncClient, milvus: Server, fill: Filler
) -> None:
    fill(milvus.url, "dense_only", lexical=False)
    answer = await search(client, query="企业文化建设", collection="dense_only")
    assert answer.json()["degraded"] == ["lexical"]
    assert answer.json()["candidates"][0]["id"] == "d3"


async def test_encode_gives_the_models_vectors(client: httpx.AsyncClient, encoder: Encoder) -> None:
    texts = ["企业文化", "语言"]
    answer = await client.post("/encode", json={"texts": texts, "kind": "document"})
    encoded = EncodeResponse.model_validate_json(answer.content)
    vectors = np.frombuffer(base64.b64decode(encoded.vectors), dtype="<f4")
    np.testing.assert_allclose(
        vectors.reshape(2, encoded.dimension), encoder.encode(texts), atol=1e-6
    )
    assert encoded.tokens == sum(map(len, encoder.document_tokens(texts)))


async def test_model_says_who_answers(client: httpx.AsyncClient, encoder: Encoder) -> None:
    model = (await client.get("/model")).json()
    assert model["fingerprint"] == encoder.manifest.fingerprint
    assert model["dimension"] == encoder.dimension


async def test_ready_only_with_an_index(client: httpx.AsyncClient, encoder: Encoder) -> None:
    assert (await client.get("/readyz")).status_code == 200
    app = create_app(RecallSettings(milvus_uri="http://127.0.0.1:1"), encoder, Analyzers())
    async with client_of(app) as alone:
        ready = await alone.get("/readyz")
        assert ready.status_code == 503
        assert not ready.json()["checks"]["milvus"]["ok"]
        answer = await search(alone, query="企业")
        assert (answer.status_code, answer.json()["code"]) == (503, "index_unavailable")
        assert "retry-after" in answer.headers


def test_a_bad_model_directory_ends_the_process_with_one_line(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "services.recall"],
        env={"XUNWEN_RECALL_MODEL_DIR": str(tmp_path), "XUNWEN_RECALL_PORT": "0"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("recall: model")
    assert ended.stderr.count("\n") == 1


def test_a_bad_setting_is_named() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "services.recall"],
        env={"XUNWEN_RECALL_PORT": "high"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert "XUNWEN_RECALL_PORT" in ended.stderr
    assert ended.stderr.count("\n") == 1
