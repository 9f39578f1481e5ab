"""Members that a body may not have: the answer says which ones it may have at that place."""

from collections import defaultdict
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from services.gateway.app import create_app
from services.gateway.settings import GatewaySettings

GATEWAY = create_app(GatewaySettings())


async def problem(path: str, body: object) -> dict[str, Any]:
    """The answer to a body, by a gateway whose resources are not open."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        await GATEWAY({**scope, "state": defaultdict(lambda: None)}, receive, send)

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(served), base_url="http://service"
    ) as http:
        answer = await http.post(path, json=body)
    assert answer.status_code == 422, answer.text
    said: dict[str, Any] = answer.json()
    return said


@pytest.mark.parametrize(
    ("path", "body", "field", "known"),
    [
        ("/v1/search", {"query": "水稻", "k": 5}, "k", "top_k"),
        ("/v1/search", {"query": "水稻", "top-k": 5}, "top-k", "did you mean top_k?"),
        ("/v1/search", {"query": "水稻", "facets": [{"feld": "year"}]}, "facets.0.feld", "edges"),
        ("/v1/search", {"boosts": [{"field": "year", "recncy": 1}]}, "boosts.0.", "halfway"),
        ("/v1/similar", {"id": "a", "limit": 3}, "limit", "top_k"),
    ],
)
async def test_the_message_names_what_is_possible_there(
    path: str, body: dict[str, Any], field: str, known: str
) -> None:
    said = (await problem(path, body))["errors"]
    unknown = [each for each in said if "there is no such member" in each["message"]]
    assert unknown, said
    assert unknown[0]["field"].startswith(field)
    assert known in unknown[0]["message"]


async def test_a_member_of_another_place_is_not_offered() -> None:
    said = await problem("/v1/search", {"query": "水稻", "facets": [{"top_k": "year"}]})
    assert "top_k" not in said["errors"][-1]["message"].partition("Possible here")[2]


async def test_no_words_of_a_library_are_left() -> None:
    assert "inputs" not in str(await problem("/v1/search", {"query": "水稻", "size": 5}))
