"""Query parameters that a route does not have, on every route of gateway and indexer."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from services.common.model_dir.encoders import EncoderDirectories
from services.common.objects import ObjectStoreSettings
from services.gateway.app import create_app as gateway_app
from services.gateway.settings import GatewaySettings
from services.indexer.app import create_app as indexer_app
from services.indexer.settings import IndexerSettings
from tests.analyzers import ANALYZERS

MODELS = Path(__file__).parents[2] / "models"
APPLICATIONS = {
    "gateway": gateway_app(GatewaySettings()),
    "indexer": indexer_app(
        IndexerSettings(),
        ObjectStoreSettings(),
        EncoderDirectories.read(MODELS / "literature-encoder", []),
        ANALYZERS,
    ),
}
_PROBE = "a balancer or a monitor may add its own, and must not take the service for ill then"
_FOREIGN = "clients of other services send their own, as they do members of the body"
TAKES_UNKNOWN = {
    **dict.fromkeys(("/livez", "/readyz", "/metrics"), _PROBE),
    **dict.fromkeys(("/v1/embeddings", "/v1/rerank", "/v2/rerank", "/rerank"), _FOREIGN),
    **dict.fromkeys(("/v1/models", "/v1/models/{model}", "/retrieval", "/mcp"), _FOREIGN),
}
"""Paths of the routes that take unknown parameters by design, with the reason."""

CALLS = [
    (name, method, path)
    for name, application in APPLICATIONS.items()
    for path, methods in application.openapi()["paths"].items()
    for method in methods
] + [("indexer", "post", "/work/heartbeat"), ("indexer", "post", "/work/{job}/{part}/rows")]
"""Every call of the two services; the description of the API leaves those of workers out."""


def parameters(application: FastAPI, method: str, path: str) -> set[str]:
    described = application.openapi()["paths"].get(path, {}).get(method, {})
    return {each["name"] for each in described.get("parameters", ()) if each["in"] == "query"}


class NoAudit:
    """Stands for the store of keys, in which the gateway notes calls of operators."""

    async def note(self, event: Mapping[str, Any]) -> None:
        """Keeps nothing."""


async def asked(name: str, method: str, path: str, query: str) -> httpx.Response:
    """The answer of an application whose resources are not open, so that a call that is taken
    fails."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        await APPLICATIONS[name]({**scope, "state": {"keystore": NoAudit()}}, receive, send)

    at = path.replace("{", "").replace("}", "")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(served), base_url="http://service"
    ) as http:
        return await http.request(method, f"{at}?{query}")


@pytest.mark.parametrize(("name", "method", "path"), CALLS)
async def test_an_unknown_parameter_is_refused_by_its_name(
    name: str, method: str, path: str
) -> None:
    answer = await asked(name, method, path, f"colection=mine&{quote('参数')}=1")
    if path in TAKES_UNKNOWN:
        assert "colection" not in answer.text
        return
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert [each["field"] for each in problem["errors"]] == ["query.colection", "query.参数"]
    for known in parameters(APPLICATIONS[name], method, path):
        assert known in problem["detail"]


@pytest.mark.parametrize(("name", "method", "path"), CALLS)
async def test_what_the_description_names_is_known(name: str, method: str, path: str) -> None:
    known = parameters(APPLICATIONS[name], method, path)
    answer = await asked(name, method, path, "&".join(f"{each}=1" for each in known))
    assert "there is no such parameter" not in answer.text


def test_what_takes_unknown_parameters_has_none_of_its_own() -> None:
    paths = {path for _, _, path in CALLS}
    assert paths >= set(TAKES_UNKNOWN)
    for name, method, path in CALLS:
        if path in TAKES_UNKNOWN:
            assert parameters(APPLICATIONS[name], method, path) == set()
