"""POST /v1/similar shares the places of searches."""

import asyncio
from typing import Any

import httpx
import orjson
from fastapi import FastAPI

from services.common.request_context import Deadline
from services.common.server.problem import install_problem_handlers
from services.gateway.access.doorkeeper import EVERYBODY
from services.gateway.search.admission.adaptive_limit import AdaptiveLimit
from services.gateway.search.admission.control import AdmissionControl
from services.gateway.search.similar import router
from services.gateway.settings import GatewaySettings


class SlowRecall:
    """Finds nothing, once it is let go."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.running = self.most = 0

    async def send(self, method: str, path: str, **_: Any) -> httpx.Response:
        self.running += 1
        self.most = max(self.most, self.running)
        await self.let_go.wait()
        self.running -= 1
        return httpx.Response(200, content=orjson.dumps({"documents": [], "index": "notes__1"}))


async def test_no_more_run_at_once_than_there_are_places() -> None:
    recall, admission = SlowRecall(), AdmissionControl(AdaptiveLimit(2, 2, 2))
    app = FastAPI()
    install_problem_handlers(app)
    app.include_router(router)
    state = {
        "recall": recall,
        "settings": GatewaySettings(budget_ms=10_000),
        "caller": EVERYBODY,
        "admission": admission,
    }

    async def served(scope: Any, receive: Any, send: Any) -> None:
        await app(scope | {"state": dict(state)}, receive, send)

    transport = httpx.ASGITransport(app=served)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
        one = http.post
        asked = [asyncio.create_task(one("/v1/similar", json={"id": str(n)})) for n in range(12)]
        done, _ = await asyncio.wait(asked, timeout=5, return_when=asyncio.FIRST_COMPLETED)
        refused = [task.result() for task in done]
        assert {(answer.status_code, answer.json()["code"]) for answer in refused} == {
            (503, "overloaded")
        }
        assert all(answer.headers["retry-after"] for answer in refused)
        recall.let_go.set()
        answers = await asyncio.gather(*asked)
        async with admission.slot("search", "kind", Deadline.after(1)):
            assert admission.in_flight == 1, "all places were given back"
    assert recall.most == 2
    assert {answer.status_code for answer in answers} == {200, 503}
