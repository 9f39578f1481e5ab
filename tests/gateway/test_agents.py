"""Tools for agents by the SDK's own client: over HTTP, and on standard input and output."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp import Client as Agent
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult

from tests.gateway.gateways import OPERATOR_KEY
from tests.stack import XUNWEN, Stack
from xunwen import Client, Document

NAME = f"agents_{os.getpid()}"
TITLES = ["冻土区路基的变形", "青藏铁路路基的长期变形", "水稻病害的图像识别"]


@pytest.fixture(scope="module")
def url(keyed: str) -> str:
    """A gateway that wants keys, with three documents."""
    with Client(keyed, api_key=OPERATOR_KEY, timeout=60) as client:
        for number, title in enumerate(TITLES):
            fields = {"year": 2019 + number, "authors": ["张三"], "journal": "中国科学"}
            document = Document(id=f"p/{number}", title=title, text=f"{title}。", fields=fields)
            client.put(document, collection=NAME)
    return keyed


@asynccontextmanager
async def agent_of(url: str, key: str) -> AsyncIterator[Agent]:
    async with AsyncExitStack() as stack:
        headers = {"authorization": f"Bearer {key}"}
        http = await stack.enter_async_context(httpx2.AsyncClient(headers=headers, timeout=60))
        transport = streamable_http_client(f"{url}/mcp", http_client=http)
        yield await stack.enter_async_context(Agent(transport))


def told(result: CallToolResult) -> Any:
    """What a tool answered. Fails where it told an error."""
    text = "".join(getattr(part, "text", "") for part in result.content)
    assert not result.is_error, text
    return result.structured_content or json.loads(text)


async def walk(agent: Agent) -> None:
    """What an agent does: look around, search, follow a hit, cite it."""
    tools = {tool.name: tool for tool in (await agent.list_tools()).tools}
    assert set(tools) == {
        "search", "get", "similar", "collections", "fields", "cite", "index", "job",
    }  # fmt: skip
    assert all(tool.description for tool in tools.values())
    assert "query" in tools["search"].input_schema["required"]
    listed = told(await agent.call_tool("collections", {}))["collections"]
    assert {"name": NAME, "count": 3} in listed
    arguments = {"query": "路基变形", "collection": NAME, "filter": {"year": {"lte": 2020}}}
    hits = told(await agent.call_tool("search", arguments))["hits"]
    assert {hit["id"] for hit in hits} == {"p/0", "p/1"}
    assert hits[0]["passage"].endswith("变形。")
    document = told(await agent.call_tool("get", {"id": hits[0]["id"], "collection": NAME}))
    assert document["title"] == hits[0]["title"]
    assert document["fields"]["journal"] == "中国科学"
    near = told(await agent.call_tool("similar", {"id": "p/0", "collection": NAME, "top_k": 1}))
    assert near["hits"][0]["id"] == "p/1"
    found = told(await agent.call_tool("fields", {"collection": NAME}))
    assert {field["name"] for field in found["fields"]} == {"year", "authors", "journal"}
    cited = await agent.call_tool("cite", {"ids": ["p/0"], "collection": NAME})
    assert "张三. 冻土区路基的变形[J]. 中国科学, 2019" in cited.content[0].text  # type: ignore[union-attr]


async def refused(agent: Agent, tool: str, arguments: dict[str, Any]) -> str:
    result = await agent.call_tool(tool, arguments)
    assert result.is_error
    return "".join(getattr(part, "text", "") for part in result.content)


async def test_an_agent_over_http(url: str) -> None:
    async with agent_of(url, OPERATOR_KEY) as agent:
        assert "search" in (agent.instructions or "")
        await walk(agent)
        documents = [{"id": "new", "title": "新来的文献", "year": 2024}]
        job = told(await agent.call_tool("index", {"documents": documents, "collection": NAME}))
        assert told(await agent.call_tool("job", {"id": job["job_id"]}))["collection"] == NAME
        with Client(url, api_key=OPERATOR_KEY, timeout=60) as client:
            assert client.wait(job["job_id"]).counts.indexed == 1
            client.delete("new", collection=NAME)


async def test_an_agent_on_standard_input_and_output(url: str) -> None:
    server = StdioServerParameters(
        command=str(XUNWEN), args=["mcp"],
        env={**os.environ, "XUNWEN_URL": url, "XUNWEN_API_KEY": OPERATOR_KEY},
    )  # fmt: skip
    async with Agent(stdio_client(server)) as agent:
        await walk(agent)


async def test_a_key_does_by_a_tool_what_it_may_do_by_the_api(stack: Stack, url: str) -> None:
    key = stack.xunwen(
        "keys", "create", NAME, "--scope", "search", "--collection", NAME
    ).stdout.strip()
    async with agent_of(url, key) as agent:
        assert told(await agent.call_tool("search", {"query": "路基", "collection": NAME}))["hits"]
        literature = {"query": "路基", "collection": "literature"}
        assert "no collection" in await refused(agent, "search", literature)
        told_why = await refused(
            agent, "index", {"documents": [{"id": "x", "title": "甲"}], "collection": NAME}
        )
        assert "index" in told_why
        gone = {"id": "../../keys", "collection": NAME}
        assert "no document" in await refused(agent, "get", gone)
        for name in (".", ".."):  # taken out of the address, they would name another route
            assert "path.collection" in await refused(agent, "fields", {"collection": name})
            assert "scope 'index'" in await refused(agent, "job", {"id": name})
        bad = {"query": "路基", "collection": NAME, "filter": {"year": {"near": 1}}}
        assert "near" in await refused(agent, "search", bad)
    async with httpx2.AsyncClient() as http:
        for method in ("POST", "GET", "DELETE"):
            answer = await http.request(method, f"{url}/mcp", json={})
            assert answer.status_code == 401
        headers = {"authorization": f"Bearer {key}", "accept": "text/event-stream"}
        assert (await http.get(f"{url}/mcp", headers=headers)).status_code == 405
        assert (await http.delete(f"{url}/mcp", headers=headers)).status_code == 405


def retrieval(**changes: Any) -> dict[str, Any]:
    """A request in the form of Dify's manual."""
    setting = {"top_k": 2, "score_threshold": 0.0}
    return {"knowledge_id": NAME, "query": "路基变形", "retrieval_setting": setting, **changes}


@pytest.mark.parametrize(
    ("conditions", "logical", "found"),
    [
        ([{"name": "year", "comparison_operator": "≥", "value": "2020"}], "and", {"p/1", "p/2"}),
        ([{"name": ["year"], "comparison_operator": "=", "value": 2019}], "and", {"p/0"}),
        (
            [
                {"name": "year", "comparison_operator": "<", "value": 2020},
                {"name": "year", "comparison_operator": ">", "value": "2020"},
            ],
            "or",
            {"p/0", "p/2"},
        ),
        ([{"name": "authors", "comparison_operator": "contains", "value": "张三"}], "and", None),
        ([{"name": "journal", "comparison_operator": "is not", "value": "中国科学"}], "and", set()),
        ([{"name": "journal", "comparison_operator": "not in", "value": ["a"]}], "and", None),
    ],
)
def test_dify_asks_a_collection(
    url: str, conditions: list[dict[str, Any]], logical: str, found: set[str] | None
) -> None:
    """Dify itself was not at hand: these are the requests and answers of its manual."""
    condition = {"logical_operator": logical, "conditions": conditions}
    body = retrieval(metadata_condition=condition)
    body["retrieval_setting"]["top_k"] = 10
    headers = {"authorization": f"Bearer {OPERATOR_KEY}"}
    answer = httpx2.post(f"{url}/retrieval", json=body, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    records = answer.json()["records"]
    wanted = {"p/0", "p/1", "p/2"} if found is None else found
    assert {record["metadata"]["document_id"] for record in records} == wanted
    for record in records:
        assert set(record) == {"content", "score", "title", "metadata"}
        assert record["content"].endswith("。")


def test_dify_and_its_limits(url: str) -> None:
    headers = {"authorization": f"Bearer {OPERATOR_KEY}"}

    def asked(**changes: Any) -> httpx2.Response:
        return httpx2.post(
            f"{url}/retrieval", json=retrieval(**changes), headers=headers, timeout=60
        )

    assert len(asked().json()["records"]) == 2
    scores = [record["score"] for record in asked().json()["records"]]
    assert scores == sorted(scores, reverse=True)
    between = {"top_k": 2, "score_threshold": 1.0}
    assert asked(retrieval_setting=between).json()["records"] == []
    assert asked(knowledge_id="nowhere").status_code == 404
    operator = {"conditions": [{"name": "year", "comparison_operator": "start with", "value": "2"}]}
    assert asked(metadata_condition=operator).status_code == 422
    assert httpx2.post(f"{url}/retrieval", json=retrieval()).status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"metadata_condition": None},
        {"metadata_condition": {"logical_operator": "and", "conditions": None}},
        {"metadata_condition": {"logical_operator": None, "conditions": []}},
        {"retrieval_setting": {"top_k": None, "score_threshold": None}},
        {"retrieval_setting": {}},
    ],
)
def test_nulls_that_dify_sends_are_as_if_left_out(url: str, changes: dict[str, Any]) -> None:
    """Its server writes every member of a condition, and the settings of a dataset that has none;
    an error is an empty answer to it."""
    headers = {"authorization": f"Bearer {OPERATOR_KEY}"}
    answer = httpx2.post(f"{url}/retrieval", json=retrieval(**changes), headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["records"]) == 2
