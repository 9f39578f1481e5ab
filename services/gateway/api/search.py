"""POST and GET /v1/search, and many searches in one call."""

import asyncio
import time
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Response

from services.common.collection import NAME_PATTERN
from services.common.errors import SearchError
from services.common.request_context import Deadline, request_id_var
from services.common.wire.rank import MAX_TOP_K
from services.common.wire.recall import MAX_CANDIDATES, MAX_QUERY_CHARS, Mode
from services.gateway.api.state import Search, Settings
from services.gateway.schemas import (
    DEFAULT_COLLECTION,
    MAX_BUDGET_MS,
    BatchAnswer,
    BatchRequest,
    SearchAnswer,
    SearchOptions,
    SearchRequest,
)
from services.gateway.searcher import Searcher, late, search_of
from services.gateway.settings import GatewaySettings

router = APIRouter(prefix="/v1", tags=["search"])


@router.post("/search", response_model=SearchAnswer, summary="Search a collection")
async def search(body: SearchRequest, searcher: Search, settings: Settings) -> Response:
    """Recalls candidates, ranks them, and answers with the best."""
    return _json(await _within_budget(body.query, body, searcher, settings))


@router.get("/search", response_model=SearchAnswer, summary="The same for a browser")
async def search_by_url(
    searcher: Search,
    settings: Settings,
    q: Annotated[str, Query(min_length=1, max_length=MAX_QUERY_CHARS, pattern=r"\S")],
    collection: Annotated[str, Query(pattern=NAME_PATTERN)] = DEFAULT_COLLECTION,
    top_k: Annotated[int, Query(ge=1, le=MAX_TOP_K)] = 10,
    recall_k: Annotated[int, Query(ge=1, le=MAX_CANDIDATES)] = 1000,
    mode: Mode = Mode.HYBRID,
    rank: bool = True,
    explain: bool = False,
    budget_ms: Annotated[int | None, Query(ge=1, le=MAX_BUDGET_MS)] = None,
) -> Response:
    options = SearchOptions(
        collection=collection,
        top_k=top_k,
        recall_k=recall_k,
        mode=mode,
        rank=rank,
        explain=explain,
        budget_ms=budget_ms,
    )
    return _json(await _within_budget(q, options, searcher, settings))


@router.post("/search:batch", response_model=BatchAnswer, summary="Many queries in one call")
async def search_batch(body: BatchRequest, searcher: Search, settings: Settings) -> Response:
    """All queries share the options and the budget; each is answered or says why not."""
    started = time.perf_counter()

    async def one(query: str) -> dict[str, Any]:
        try:
            answer = await _within_budget(query, body, searcher, settings)
        except SearchError as error:
            return {"answer": None, "error": {"code": error.code, "detail": error.detail}}
        return {"answer": orjson.Fragment(answer), "error": None}

    answers = await asyncio.gather(*(one(query) for query in body.queries))
    took_ms = round((time.perf_counter() - started) * 1000, 2)
    return _json(
        orjson.dumps({"answers": answers, "took_ms": took_ms, "request_id": request_id_var.get()})
    )


async def _within_budget(
    query: str, options: SearchOptions, searcher: Searcher, settings: GatewaySettings
) -> bytes:
    budget_ms = min(options.budget_ms or settings.budget_ms, settings.max_budget_ms)
    try:
        async with asyncio.timeout(budget_ms / 1000):
            return await searcher.answer(
                search_of(query, options), Deadline.after(budget_ms / 1000)
            )
    except TimeoutError as error:
        raise late(budget_ms) from error


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")
