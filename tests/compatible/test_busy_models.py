"""Vectors and relevance of many texts while the models are busy with other calls."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from services.common.errors import DeadlineExceeded
from services.common.problem import problem_response
from services.common.service_client import ServiceClient
from services.gateway.app import create_app
from services.gateway.settings import GatewaySettings
from tests.compatible.refusals import refused

APP = create_app(GatewaySettings())
CALLS = {
    "/v1/embeddings": {"input": ["水稻" * 500] * 4},
    "/v1/rerank": {"query": "水稻", "documents": ["水稻" * 500] * 4},
}


class Model:
    """A service whose model is not reached in time, as often as the test says."""

    def __init__(self, late: int) -> None:
        self.late = late
        self.asked = 0

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.late:
            self.late -= 1
            told = problem_response(DeadlineExceeded("The model was not reached in the budget."))
            return httpx.Response(told.status_code, headers=told.headers, content=bytes(told.body))
        vectors = {"dimension": 1, "vectors": "AAAAAAAAAAA=", "encoder": "e", "tokens": 2}
        scores = {"scores": [0.5, 0.5], "ranker": "r", "tokens": 2}
        return httpx.Response(200, json=vectors if "encode" in str(request.url) else scores)


@asynccontextmanager
async def gateway(model: Model) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.MockTransport(model.answer)
    async with ServiceClient("model", "http://a", timeout=5, transport=transport) as service:
        state = {"doorkeeper": None, "recall": service, "rank": service}

        async def served(scope: Scope, receive: Receive, send: Send) -> None:
            await APP({**scope, "state": state}, receive, send)

        way = httpx.ASGITransport(served)
        async with httpx.AsyncClient(transport=way, base_url="http://gateway") as http:
            yield http


@pytest.mark.parametrize("path", CALLS)
async def test_a_portion_that_came_too_late_is_asked_again(path: str) -> None:
    """Else minutes of work on the portions before it would be lost."""
    model = Model(late=2)
    async with gateway(model) as http:
        answer = await http.post(path, json=CALLS[path])
    assert answer.status_code == 200, answer.text
    assert model.asked == 4


@pytest.mark.parametrize("path", CALLS)
async def test_a_call_is_refused_if_the_model_stays_busy(path: str) -> None:
    model = Model(late=99)
    async with gateway(model) as http:
        answer = await http.post(path, json=CALLS[path])
    detail = refused(answer, 503)
    assert answer.json()["code"] == "overloaded"
    assert int(answer.headers["retry-after"]) >= 1
    assert "fewer texts" in detail
    assert "budget" not in detail
    assert model.asked == 3
