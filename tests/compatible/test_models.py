"""GET /v1/models in OpenAI's schema, on the real system and before services of its own."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from services.common.calls.client import ServiceClient
from services.gateway.app import create_app
from services.gateway.settings import GatewaySettings
from tests.compatible.refusals import refused
from tests.stack import Stack

APP = create_app(GatewaySettings())
MODELS: dict[str, dict[str, object]] = {
    "recall": {"name": "encoder/2", "version": "2", "fingerprint": "e" * 16, "dimension": 384},
    "rank": {"name": "ranker", "version": "1", "fingerprint": "f" * 16, "dimension": None},
}


@asynccontextmanager
async def gateway(*away: str) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway before services that know their models; those in `away` do not answer."""
    opened: dict[str, ServiceClient] = {}

    def service(name: str) -> ServiceClient:
        async def answer(_request: httpx.Request) -> httpx.Response:
            if name in away:
                raise httpx.ConnectError("refused")
            rest: dict[str, object] = {"max_tokens": 160, "precision": "float32"}
            return httpx.Response(200, json={**MODELS[name], **rest})

        return ServiceClient(name, "http://a", timeout=5, transport=httpx.MockTransport(answer))

    async with AsyncExitStack() as stack:
        for name in MODELS:
            opened[name] = await stack.enter_async_context(service(name))

        async def served(scope: Scope, receive: Receive, send: Send) -> None:
            await APP({**scope, "state": {"doorkeeper": None, **opened}}, receive, send)

        way = httpx.ASGITransport(served)
        yield await stack.enter_async_context(
            httpx.AsyncClient(transport=way, base_url="http://gateway")
        )


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


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("encoder/2", "encoder"),
        ("encoder%2F2", "encoder"),
        ("e" * 16, "encoder"),
        ("ranker", "ranker"),
        ("f" * 16, "ranker"),
    ],
)
async def test_one_model_by_its_name_or_fingerprint(asked: str, found: str) -> None:
    """Programs that check the name in their settings ask for it before they begin."""
    async with gateway() as http:
        answer = await http.get(f"/v1/models/{asked}")
        listed = (await http.get("/v1/models")).json()["data"]
    assert answer.status_code == 200, answer.text
    assert answer.json() in listed
    assert answer.json()["kind"] == found


@pytest.mark.parametrize("asked", ["gpt-4", "Ranker", "ranker/"])
async def test_a_model_that_there_is_not(asked: str) -> None:
    async with gateway() as http:
        assert "GET /v1/models" in refused(await http.get(f"/v1/models/{asked}"), 404)


async def test_a_model_that_may_be_that_of_a_service_that_is_away() -> None:
    async with gateway("rank") as http:
        assert (await http.get("/v1/models/encoder/2")).is_success
        refused(await http.get("/v1/models/ranker"), 503)
