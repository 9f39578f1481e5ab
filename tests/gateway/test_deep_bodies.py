"""JSON that is nested deeper than it can be passed on is refused, whatever call it comes with."""

import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.common.server.problem import install_problem_handlers
from services.gateway.access.doorkeeper import EVERYBODY
from services.gateway.indexing.collections import router as collections_router
from services.gateway.indexing.contents import router as contents_router
from services.gateway.search.admission.adaptive_limit import AdaptiveLimit
from services.gateway.search.admission.control import AdmissionControl
from services.gateway.search.similar import router as similar_router
from services.gateway.settings import GatewaySettings

NOTES = "/v1/collections/notes"
DEEP: dict[str, Any] = {"year": 1}
for _ in range(300):
    DEEP = {"not": DEEP}
WRITTEN = json.dumps(DEEP)


@pytest.mark.parametrize(
    ("method", "path", "request_", "reason"),
    [
        ("POST", "/v1/similar", {"json": {"id": "1", "filter": DEEP}}, "10 levels deep"),
        ("POST", f"{NOTES}/documents:delete", {"json": {"filter": DEEP}}, "10 levels deep"),
        ("GET", f"{NOTES}/documents", {"params": {"filter": WRITTEN}}, "10 levels deep"),
        ("GET", f"{NOTES}/export", {"params": {"filter": WRITTEN}}, "10 levels deep"),
        ("PATCH", f"{NOTES}/documents/1", {"json": {"fields": {"a": DEEP}}}, "a: is an object"),
        ("PATCH", f"{NOTES}/documents/1", {"json": {"a": [DEEP]}}, "a: is a list of lists"),
        ("PUT", f"{NOTES}/documents/1", {"json": {"title": "t", "a": DEEP}}, "a: is an object"),
    ],
)
async def test_deep_json_is_refused_in_words(
    method: str, path: str, request_: dict[str, Any], reason: str
) -> None:
    app = FastAPI()
    install_problem_handlers(app)
    for router in (similar_router, contents_router, collections_router):
        app.include_router(router)
    state = {
        "recall": None,
        "indexer": None,
        "settings": GatewaySettings(),
        "caller": EVERYBODY,
        "admission": AdmissionControl(AdaptiveLimit(2, 2, 2)),
    }

    async def served(scope: Any, receive: Any, send: Any) -> None:
        await app(scope | {"state": dict(state)}, receive, send)

    transport = httpx.ASGITransport(app=served, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
        answer = await http.request(method, path, **request_)
    assert answer.status_code == 422, answer.text
    assert reason in answer.json()["detail"]
