"""Remote models against a real server that speaks the three protocols."""

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from typer.testing import CliRunner

from services.common.engine import batched_encoder, batched_ranker, open_encoder, open_ranker
from services.common.engine.remote_directory import ENDPOINT
from services.common.errors import ModelInvalid, ModelUnavailable
from training.cli.convert import app as importer

_DIMENSION = 24
_KEY = "a-key-of-the-test"


class _Server:
    """What the server answers, and what it was asked."""

    def __init__(self) -> None:
        self.seed = "one"
        self.failures: list[int] = []
        """Statuses with which the next requests fail."""
        self.batches: list[int] = []
        self.app = FastAPI()
        self.app.post("/v1/embeddings")(self.embeddings)
        self.app.post("/v1/rerank")(self.jina)
        self.app.post("/rerank")(self.tei)

    def vector(self, text: str) -> list[float]:
        digest = hashlib.sha256((self.seed + text).encode()).digest()[:_DIMENSION]
        return [byte / 128 - 1 for byte in digest]

    def score(self, query: str, text: str) -> float:
        return float(len(set(query) & set(text))) - 2

    def refused(self, request: Request) -> JSONResponse | None:
        if request.headers.get("Authorization") != f"Bearer {_KEY}":
            return JSONResponse({"error": "no key"}, 401)
        if self.failures:
            return JSONResponse({}, self.failures.pop(0), headers={"Retry-After": "0"})
        return None

    async def embeddings(self, request: Request) -> JSONResponse:
        texts = (await request.json())["input"]
        if (refusal := self.refused(request)) is not None:
            return refusal
        self.batches.append(len(texts))
        rows = [{"index": at, "embedding": self.vector(text)} for at, text in enumerate(texts)]
        return JSONResponse({"data": rows[::-1]})

    async def jina(self, request: Request) -> JSONResponse:
        body = await request.json()
        if (refusal := self.refused(request)) is not None:
            return refusal
        scores = [
            {"index": at, "relevance_score": 1 / (1 + np.exp(-self.score(body["query"], text)))}
            for at, text in enumerate(body["documents"])
        ]
        return JSONResponse({"results": sorted(scores, key=lambda row: -row["relevance_score"])})

    async def tei(self, request: Request) -> JSONResponse:
        body = await request.json()
        assert body["raw_scores"]
        if (refusal := self.refused(request)) is not None:
            return refusal
        rows = [
            {"index": at, "score": self.score(body["query"], text)}
            for at, text in enumerate(body["texts"])
        ]
        return JSONResponse(rows)


@contextmanager
def _running(app: FastAPI) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[_Server, str]]:
    monkeypatch.setenv("TEST_REMOTE_KEY", _KEY)
    server = _Server()
    with _running(server.app) as url:
        yield server, url


def _import(url: str, target: Path, protocol: str) -> Any:
    given = ["remote", url, str(target), "--model", "some-model", "--protocol", protocol]
    options = ["--key-variable", "TEST_REMOTE_KEY", "--batch", "4", "--query-prefix", "q: "]
    return CliRunner().invoke(importer, [*given, *options])


async def test_an_encoder_is_served_as_a_local_one(
    remote: tuple[_Server, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, url = remote
    made = _import(f"{url}/v1", tmp_path / "encoder", "openai")
    assert made.exit_code == 0, made.output
    monkeypatch.setenv("TEST_REMOTE_KEY", f"{_KEY}\n")  # as it is in a file
    encoder = open_encoder(tmp_path / "encoder")
    assert encoder.dimension == _DIMENSION
    texts = [f"文档{at}" for at in range(11)]
    expected = np.array([server.vector(text) for text in texts])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    server.batches.clear()
    assert np.allclose(encoder.encode(texts), expected, atol=1e-6)
    assert sum(server.batches) == 11
    assert max(server.batches) == 4
    query = np.array(server.vector("q: 国有"))
    assert np.allclose(
        encoder.encode_queries(["國 有"])[0], query / np.linalg.norm(query), atol=1e-6
    )
    async with batched_encoder(encoder) as shared:
        vectors, _ = await shared.encode(texts)
    assert np.allclose(vectors, expected, atol=1e-6)


@pytest.mark.parametrize("protocol", ["jina", "tei"])
async def test_a_ranker_is_served_as_a_local_one(
    protocol: str, remote: tuple[_Server, str], tmp_path: Path
) -> None:
    server, url = remote
    address = url if protocol == "tei" else f"{url}/v1"
    made = _import(address, tmp_path / "ranker", protocol)
    assert made.exit_code == 0, made.output
    ranker = open_ranker(tmp_path / "ranker")
    texts = ["国有企业改革", "海洋", "国有", "企业", "生态", "改革"]
    expected = [server.score("q: 国有企业", text) for text in texts]
    assert np.allclose(ranker.score("国有企业", texts), expected, atol=1e-3)
    async with batched_ranker(ranker) as shared:
        scores = await shared.score_in_time("国有企业", texts, None)
    assert np.allclose(scores, expected, atol=1e-3)


def test_failures_are_tried_again_and_then_told(
    remote: tuple[_Server, str], tmp_path: Path
) -> None:
    server, url = remote
    assert _import(f"{url}/v1", tmp_path / "encoder", "openai").exit_code == 0
    encoder = open_encoder(tmp_path / "encoder")
    server.failures = [503, 429]
    assert encoder.encode(["文"]).shape == (1, _DIMENSION)
    server.failures = [503] * 3
    with pytest.raises(ModelUnavailable, match="status 503"):
        encoder.encode(["文"])
    server.failures = [400, 503]
    with pytest.raises(ModelUnavailable, match="status 400"):
        encoder.encode(["文"])
    assert server.failures == [503], "a refused request is not sent again"


def test_another_model_at_the_address_is_refused_and_a_moved_one_is_not(
    remote: tuple[_Server, str], tmp_path: Path
) -> None:
    server, url = remote
    directory = tmp_path / "encoder"
    assert _import(f"{url}/v1", directory, "openai").exit_code == 0
    fingerprint = open_encoder(directory).manifest.fingerprint
    other = _Server()
    with _running(other.app) as elsewhere:
        endpoint = json.loads((directory / ENDPOINT).read_text("utf-8"))
        (directory / ENDPOINT).write_text(
            json.dumps(endpoint | {"url": f"{elsewhere}/v1"}), "utf-8"
        )
        assert open_encoder(directory).manifest.fingerprint == fingerprint
        other.seed = "two"
        with pytest.raises(ModelInvalid, match="is not the model that it was"):
            open_encoder(directory)
    with pytest.raises(ModelInvalid, match="does not answer"):
        open_encoder(directory)
    server.seed = "two"
    assert _import(f"{url}/v1", tmp_path / "changed", "openai").exit_code == 0
    assert open_encoder(tmp_path / "changed").manifest.fingerprint != fingerprint


def test_what_is_wrong_with_an_import_is_one_line(
    remote: tuple[_Server, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, url = remote
    for address, protocol, message in (
        ("ftp://x", "openai", "url"),
        (url, "cohere", "protocol"),
        (f"{url}/elsewhere", "openai", "status 404"),
    ):
        made = _import(address, tmp_path / "never", protocol)
        assert (made.exit_code, message in made.stderr) == (1, True), made.output
        assert not (tmp_path / "never").exists()
    monkeypatch.setenv("TEST_REMOTE_KEY", "another")
    made = _import(f"{url}/v1", tmp_path / "never", "openai")
    assert (made.exit_code, "status 401" in made.stderr) == (1, True)
    assert _KEY not in made.output
