"""Calls that a browser sends for pages of other sites, to a gateway that asks for no keys."""

from typing import Any

import httpx
import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.gateway.access.body_limits import BodyLimits
from services.gateway.access.gate import Gate
from services.gateway.access.keys import ApiKey
from tests.gateway.gateways import ORIGIN

OTHER = "https://other.example"
JOB = "/v1/index-jobs?collection=mine&format=jsonl&mode=rebuild"


class Admits:
    """A check of keys that lets everybody in."""

    async def admit(self, _authorization: str | None, _method: str, _path: str) -> ApiKey:
        return ApiKey("1", "one", frozenset(), "")


async def called(
    method: str, path: str, headers: dict[str, str], doorkeeper: Admits | None = None
) -> httpx.Response:
    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(status_code=204)(scope, receive, send)

    gate = Gate(route, limits=BodyLimits(100, 100, 1.0), max_requests=9, origins=[ORIGIN])

    async def served(scope: Any, receive: Receive, send: Send) -> None:
        await gate(scope | {"state": {"doorkeeper": doorkeeper}}, receive, send)

    way = httpx.ASGITransport(served)
    async with httpx.AsyncClient(transport=way, base_url="http://gateway") as http:
        return await http.request(method, path, headers=headers)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", JOB),
        ("POST", "/v1/index-jobs/1:cancel"),
        ("POST", "/v1/search"),
        ("POST", "/mcp"),
        ("PUT", "/v1/collections/mine/documents/1"),
        ("DELETE", "/v1/collections/mine"),
    ],
)
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_a_page_of_another_site_changes_nothing(method: str, path: str, site: str) -> None:
    answer = await called(method, path, {"sec-fetch-site": site, "origin": OTHER})
    assert answer.status_code == 403
    assert "XUNWEN_GATEWAY_CORS_ORIGINS" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("POST", {}),
        ("POST", {"sec-fetch-site": "same-origin", "origin": "http://gateway"}),
        ("POST", {"sec-fetch-site": "none"}),
        ("POST", {"sec-fetch-site": "cross-site", "origin": ORIGIN}),
        ("GET", {"sec-fetch-site": "cross-site"}),
    ],
)
async def test_other_calls_pass(method: str, headers: dict[str, str]) -> None:
    assert (await called(method, JOB, headers)).status_code == 204


async def test_a_key_is_proof_enough() -> None:
    """A browser asks first before it sends a key of another site's page."""
    answer = await called("POST", JOB, {"sec-fetch-site": "cross-site", "origin": OTHER}, Admits())
    assert answer.status_code == 204
