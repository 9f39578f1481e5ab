"""GET /v1/models on the real system: OpenAI's schema."""

import httpx
import pytest

from tests.compatible.refusals import refused
from tests.stack import Stack


def test_the_models_that_answer(stack: Stack) -> None:
    with httpx.Client(base_url=stack.url, timeout=120) as http:
        listed = http.get("/v1/models").raise_for_status().json()
        assert listed["object"] == "list"
        models = {model["kind"]: model for model in listed["data"]}
        assert set(models) == {"encoder", "ranker"}
        assert {model["object"] for model in models.values()} == {"model"}
        embedded = http.post("/v1/embeddings", json={"input": "水稻"}).json()
        assert embedded["model"] == models["encoder"]["fingerprint"]
        assert len(embedded["data"][0]["embedding"]) == models["encoder"]["dimension"]
        body = {"query": "水稻", "documents": ["水稻"], "model": models["ranker"]["id"]}
        ranked = http.post("/v1/rerank", json=body).json()
        assert ranked["model"] == models["ranker"]["fingerprint"]


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_models_are_only_listed(stack: Stack, method: str) -> None:
    refused(httpx.request(method, f"{stack.url}/v1/models"), 405)
