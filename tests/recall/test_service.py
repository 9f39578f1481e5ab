"""The recall service over HTTP, with a real index and a real (tiny) model."""

import base64
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from services.common.blend import read_weights
from services.common.collection import PhysicalName
from services.common.engine import Encoder
from services.common.model_dir.encoders import EncoderDirectories
from services.common.wire.encode import EncodeResponse
from services.common.wire.recall import DocumentsResponse, RecallResponse
from services.recall.app import create_app
from services.recall.settings import RecallSettings
from tests.analyzers import ANALYZERS
from tests.asgi import client_of
from tests.recall.conftest import DOCUMENTS, Filler
from tests.servers import Server


@pytest.fixture
async def client(
    milvus: Server,
    literature: PhysicalName,
    directories: EncoderDirectories,
    encoder: Encoder,
) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(RecallSettings(milvus_uri=milvus.url), directories, encoder, ANALYZERS)
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
        assert recalled.candidates[0].title == "中西方语言与文化的差异"
        assert recalled.index == str(literature)
        assert recalled.degraded == []


async def test_documents_are_given_by_id(
    client: httpx.AsyncClient, literature: PhysicalName
) -> None:
    for index in (str(literature), None):
        body = {"collection": "literature", "index": index, "ids": ["d3", "nowhere", "d1"]}
        answer = DocumentsResponse.model_validate_json(
            (await client.post("/documents", json=body)).content
        )
        assert [document.id for document in answer.documents] == ["d3", "d1"]
        assert answer.documents[1].fields["year"] == 2015


@pytest.mark.parametrize("by_name", [False, True])
async def test_documents_of_an_index_that_is_gone(
    client: httpx.AsyncClient, literature: PhysicalName, by_name: bool
) -> None:
    index = None if by_name else str(replace(literature, generation=1))
    body = {"collection": "gone", "index": index, "ids": ["d1"]}
    answer = await client.post("/documents", json=body)
    assert (answer.status_code, answer.json()["code"]) == (404, "collection_not_found")


async def test_without_texts_candidates_are_ids_and_scores(client: httpx.AsyncClient) -> None:
    answer = await search(client, query="企业文化", texts=False)
    assert {each["title"] for each in answer.json()["candidates"]} == {""}


COUNTED = [{"field": "discipline"}, {"field": "year", "edges": [2018]}]


@pytest.mark.parametrize("more", [{}, {"phrases": ["企业"]}, {"rules": {"pinned": ["d4"]}}])
async def test_counts_of_a_search_are_those_of_all_that_it_names(
    client: httpx.AsyncClient, literature: PhysicalName, more: dict[str, Any]
) -> None:
    """Counts within a search and counts asked for afterwards are the same, and those of the texts
    above."""
    asked = {"query": "企业文化", "best": 1, "every": True, "texts": False, **more}
    answer = RecallResponse.model_validate_json(
        (await search(client, **asked, facets=COUNTED)).content
    )
    assert answer.every is not None
    assert answer.counted is not None
    body = {
        "index": str(literature),
        "rows": [(identity, version) for identity, version, *_ in answer.every],
        "facets": COUNTED,
    }
    arranged = (await client.post("/arrange", json=body)).json()
    assert answer.counted.model_dump()["facets"] == arranged["facets"]
    named = [
        one.fields for one in DOCUMENTS if one.id in {identity for identity, *_ in answer.every}
    ]
    assert answer.counted.total == answer.found == len(named)
    assert len(named) == (2 if "phrases" in more else len(DOCUMENTS))
    assert {one.value: one.count for one in answer.counted.facets["discipline"].values} == Counter(
        fields["discipline"] for fields in named
    )
    assert "facets" in {stage.name for stage in answer.stages}


async def test_facets_that_cannot_be_counted_are_refused(client: httpx.AsyncClient) -> None:
    answer = await search(client, query="企业文化", facets=[{"field": "yaer"}])
    assert answer.status_code == 422
    assert "its fields: discipline, keywords, open, year" in answer.json()["detail"]


async def test_signs_alone_are_counted_as_nothing(client: httpx.AsyncClient) -> None:
    answer = (await search(client, query="？！", documents=True, facets=COUNTED)).json()
    assert (answer["documents"], answer["counted"]["total"]) == ([], 0)
    assert answer["counted"]["facets"]["discipline"]["values"] == []


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


async def test_without_its_encoder_a_collection_is_searched_by_words(
    client: httpx.AsyncClient, milvus: Server, fill: Filler
) -> None:
    fill(milvus.url, "foreign", fingerprint="0" * 16)
    answer = await search(client, query="企业", collection="foreign", mode="dense")
    assert (answer.status_code, answer.json()["code"]) == (409, "encoder_mismatch")
    for mode, degraded in (("lexical", []), ("hybrid", ["dense"])):
        answer = await search(client, query="企业", collection="foreign", mode=mode)
        assert answer.status_code == 200, answer.text
        assert answer.json()["degraded"] == degraded
        assert {each["id"] for each in answer.json()["candidates"]} == {"d2", "d3"}


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


async def test_ready_only_with_an_index(
    client: httpx.AsyncClient, directories: EncoderDirectories, encoder: Encoder
) -> None:
    assert (await client.get("/readyz")).status_code == 200
    app = create_app(
        RecallSettings(milvus_uri="http://127.0.0.1:1"), directories, encoder, ANALYZERS
    )
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


@pytest.mark.parametrize(
    ("fitted_for", "settings", "warning"),
    [
        ({"encoder": ""}, {}, None),
        ({"encoder": "other"}, {}, "another encoder"),
        ({"encoder": ""}, {"dense_weight": 0.9}, "another fusion"),
        ({"encoder": ""}, {"fusion": "reciprocal_rank"}, "another fusion"),
    ],
)
def test_weights_that_do_not_fit_what_runs_are_named_in_the_log(
    directories: EncoderDirectories,
    encoder: Encoder,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    fitted_for: dict[str, str],
    settings: dict[str, Any],
    warning: str | None,
) -> None:
    path = tmp_path / "blend.json"
    weights = read_weights().model_copy(update=fitted_for)
    path.write_text(weights.model_dump_json(), "utf-8")
    create_app(RecallSettings(blend=path, **settings), directories, encoder, ANALYZERS)
    named = [record.message for record in caplog.records if "weights" in record.message]
    assert len(named) == (warning is not None)
    assert warning is None or warning in named[0]


async def test_a_query_without_letters_or_digits_finds_nothing(client: httpx.AsyncClient) -> None:
    for query in ("😀🎉", "？！"):
        for mode in ("hybrid", "dense", "lexical"):
            answer = (await search(client, query=query, mode=mode)).json()
            assert (answer["candidates"], answer["terms"], answer["degraded"]) == ([], [], [])


async def test_a_single_character_finds_the_words_that_hold_it(client: httpx.AsyncClient) -> None:
    answer = (await search(client, query="语", mode="lexical")).json()
    assert "d1" in [each["id"] for each in answer["candidates"]]
    assert all("语" in each["title"] + each["text"] for each in answer["candidates"])
