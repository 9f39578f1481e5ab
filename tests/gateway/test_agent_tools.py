"""The tools of agents by the SDK's client, without a network: which calls they make of the API."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from mcp import Client as Agent
from mcp.types import CallToolResult, TextContent
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from services.common.agents import ApiRefused, agent_server
from services.common.server.foreign_pages import ForeignPages
from services.gateway.access.body_limits import BodyLimits
from services.gateway.access.doorkeeper import Doorkeeper
from services.gateway.access.gate import Gate
from services.gateway.access.keys import Scope as Right
from services.gateway.access.keys import new_key
from services.gateway.access.keystore import KeyStore
from services.gateway.access.rate_limit import RateLimiter
from services.gateway.agents.server import _call_var, _OwnRoutes
from services.gateway.stores.redis_client import GuardedRedis
from services.gateway.stores.state_reader import StateReader

HIT = {
    "id": "a/1", "title": "题", "text": "全文" * 500, "score": 0.5, "fields": {"year": 2019},
    "highlights": {"text": ["前<em>冻土</em>后", "又一处"]},
}  # fmt: skip
ANSWERS: dict[str, Any] = {
    "/v1/search": {
        "hits": [
            HIT,
            HIT | {"highlights": {}, "passage": {"number": 3, "page": 7, "section": ""}},
        ],
        "degraded": ["rank"],
    },
    "/v1/similar": {"hits": [HIT]},
    "/v1/citations": "[1] 题[Z].\n",
    "/v1/collections": {"collections": [{"name": "notes", "count": 3, "encoder": "e"}]},
}


class Recorder:
    """An API that keeps what it is asked, and refuses what the test says."""

    def __init__(self, refusal: str = "") -> None:
        self.asked: list[tuple[str, str, Any, Any]] = []
        self._refusal = refusal

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Any:
        self.asked.append((method, path, json, params))
        if self._refusal:
            raise ApiRefused(self._refusal)
        return ANSWERS.get(path, {"answered": path})


async def called(api: Recorder, tool: str, **arguments: Any) -> CallToolResult:
    async with Agent(agent_server(api)) as agent:
        return await agent.call_tool(tool, arguments)


@pytest.mark.parametrize(
    ("tool", "arguments", "call"),
    [
        (
            "search",
            {"query": "冻土", "collection": "notes", "filter": {"year": 2019}, "mode": "dense"},
            (
                "POST", "/v1/search",
                {
                    "query": "冻土", "collection": "notes", "top_k": 10, "mode": "dense",
                    "filter": {"year": 2019},
                },
                None,
            ),
        ),
        (
            "get", {"id": "../a b", "collection": "notes"},
            ("GET", "/v1/collections/notes/documents/%2E%2E%2Fa%20b", None, None),
        ),
        (
            "similar", {"id": "a/1", "top_k": 3},
            ("POST", "/v1/similar", {"id": "a/1", "collection": "literature", "top_k": 3}, None),
        ),
        ("collections", {}, ("GET", "/v1/collections", None, None)),
        ("fields", {"collection": "a/b"}, ("GET", "/v1/collections/a%2Fb/statistics", None, None)),
        (
            "cite", {"ids": ["a/1"], "form": "ris"},
            (
                "POST", "/v1/citations",
                {"ids": ["a/1"], "collection": "literature", "form": "ris"}, None,
            ),
        ),
        (
            "index", {"documents": [{"id": "1", "title": "甲"}], "collection": "notes"},
            (
                "POST", "/v1/index-jobs", {"documents": [{"id": "1", "title": "甲"}]},
                {"collection": "notes"},
            ),
        ),
        ("job", {"id": "j1"}, ("GET", "/v1/index-jobs/j1", None, None)),
    ],
)  # fmt: skip
async def test_a_tool_is_a_call_of_the_api(
    tool: str, arguments: dict[str, Any], call: tuple[Any, ...]
) -> None:
    api = Recorder()
    result = await called(api, tool, **arguments)
    assert not result.is_error, result.content
    assert api.asked == [call]


async def test_a_hit_has_its_passage_and_where_to_read_on() -> None:
    result = await called(Recorder(), "search", query="冻土")
    assert result.structured_content is not None
    marked, plain = result.structured_content["hits"]
    assert marked["passage"] == "前冻土后 … 又一处"
    assert len(plain["passage"]) == 400
    assert plain["page"] == 7
    assert not {"page", "section"} & set(marked), "a short document has no pages"
    assert "section" not in plain, "none is known"
    assert marked["document"] == "/v1/collections/literature/documents/a%2F1"
    assert result.structured_content["degraded"] == ["rank"]


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("search", {}, "query: Field required"),
        ("search", {"query": "a", "top_k": 1000}, "top_k: Input should be less than or"),
        ("search", {"query": "a", "filter": "year"}, "filter: a JSON object is needed"),
        ("cite", {"ids": []}, "ids: List should have at least 1 item after validation, not 0"),
        ("search", {"query": "a", "mode": "best"}, "mode: Input should be 'hybrid', 'dense' or"),
        ("index", {"documents": ["a"], "collection": "b"}, "documents.0: a JSON object is needed"),
        (
            "search", {"query": "a", "filters": {"year": 2019}},
            "filters: there is no such argument; the tool has: query, collection, top_k, filter,",
        ),
        ("collections", {"limit": 3}, "limit: there is no such argument; the tool has none"),
    ],
)  # fmt: skip
async def test_wrong_arguments_are_told_and_not_sent(
    tool: str, arguments: dict[str, Any], says: str
) -> None:
    """A filter under another name would be left out without a word, and the answer be another."""
    api = Recorder()
    result = await called(api, tool, **arguments)
    assert result.is_error
    (content,) = result.content
    assert isinstance(content, TextContent)
    assert content.text.startswith(says)
    assert "pydantic" not in content.text
    assert api.asked == []


async def test_what_the_api_refuses_is_told_in_its_words() -> None:
    result = await called(Recorder("The key has not the scope index."), "job", id="j1")
    assert result.is_error
    (content,) = result.content
    assert isinstance(content, TextContent)
    assert content.text == "The key has not the scope index."


async def test_only_index_writes() -> None:
    async with Agent(agent_server(Recorder())) as agent:
        tools = (await agent.list_tools()).tools
    assert all(tool.input_schema["additionalProperties"] is False for tool in tools)
    assert [tool.name for tool in tools if not tool.annotations.read_only_hint] == ["index"]  # type: ignore[union-attr]


async def test_a_call_of_a_tool_is_one_request_of_its_key(redis: GuardedRedis) -> None:
    """It was two, so that no tool worked for a key with less than one request a second."""
    key, record = new_key("agent", frozenset({Right.SEARCH}), rate=0.5)
    await KeyStore(redis).add(record, by="test")
    state = {"doorkeeper": Doorkeeper(StateReader(redis), RateLimiter(redis))}

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/mcp":
            token = _call_var.set({**scope, "app_state": state})
            assert await _OwnRoutes(gate).call("POST", "/v1/search", json={}) == "found"
            _call_var.reset(token)
        await JSONResponse("found")(scope, receive, send)

    limits, pages = BodyLimits(100, 100, 1.0), ForeignPages(loopback=True)
    gate = Gate(route, limits=limits, max_requests=9, pages=pages)

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        await gate({**scope, "state": dict(state)}, receive, send)

    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(served), base_url="http://gateway", headers=headers
    ) as http:
        statuses = [(await http.post("/mcp", json={})).status_code for _ in range(2)]
        statuses.append((await http.post("/v1/search", json={})).status_code)
    assert statuses == [200, 429, 429]
