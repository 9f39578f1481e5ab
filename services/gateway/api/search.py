"""POST and GET /v1/search, and many searches in one call."""

import asyncio
import time
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, Query, Request, Response

from services.common.collection import NAME_PATTERN
from services.common.errors import SearchError
from services.common.request_context import Deadline, request_id_var
from services.common.wire.rank import MAX_TOP_K
from services.common.wire.recall import MAX_CANDIDATES, MAX_QUERY_CHARS, Mode
from services.gateway import domain
from services.gateway.answering import Served
from services.gateway.api.state import As, Caller, Search, Settings, check_sees
from services.gateway.cache.policy import CacheUse, cache_use
from services.gateway.normalising import search_of
from services.gateway.schemas import (
    DEFAULT_COLLECTION,
    MAX_BUDGET_MS,
    BatchAnswer,
    BatchRequest,
    SearchAnswer,
    SearchOptions,
    SearchRequest,
)
from services.gateway.searcher import Asker, Searcher, late
from services.gateway.settings import GatewaySettings

router = APIRouter(prefix="/v1", tags=["search"])

_GRACE = 1.08
_BATCH_AT_ONCE = 16
"""Queries of one batch that run at the same time; the batch waits for what others leave."""

CacheControl = Annotated[
    str | None,
    Header(
        alias="Cache-Control",
        description="`no-cache` computes the answer anew, `no-store` does not keep it either",
    ),
]
_CACHE_HEADERS: dict[int | str, dict[str, Any]] = {
    200: {
        "headers": {
            "X-Cache": {
                "description": "HIT, STALE (being computed again), MISS or BYPASS",
                "schema": {"type": "string"},
            },
            "Age": {
                "description": "Seconds since the answer was computed",
                "schema": {"type": "integer"},
            },
        }
    }
}


@router.post(
    "/search", response_model=SearchAnswer, responses=_CACHE_HEADERS, summary="Search a collection"
)
async def search(
    request: Request,
    body: SearchRequest,
    searcher: Search,
    settings: Settings,
    asker: As,
    caller: Caller,
    cache_control: CacheControl = None,
) -> Response:
    """Recalls candidates, ranks them, and answers with the best."""
    check_sees(caller, body.collection)
    use = cache_use(cache_control)
    found = search_of(body.query, body)
    served = await _within_budget(found, _budget_ms(body, settings), searcher, asker, use)
    request.state.asked = found  # next time it need not be parsed
    return _answer(served)


@router.get(
    "/search",
    response_model=SearchAnswer,
    responses=_CACHE_HEADERS,
    summary="The same for a browser",
)
async def search_by_url(
    searcher: Search,
    settings: Settings,
    asker: As,
    caller: Caller,
    q: Annotated[str, Query(min_length=1, max_length=MAX_QUERY_CHARS, pattern=r"\S")],
    collection: Annotated[str, Query(pattern=NAME_PATTERN)] = DEFAULT_COLLECTION,
    top_k: Annotated[int, Query(ge=1, le=MAX_TOP_K)] = 10,
    recall_k: Annotated[int, Query(ge=1, le=MAX_CANDIDATES)] = 1000,
    mode: Mode = Mode.HYBRID,
    rank: bool = True,
    explain: bool = False,
    budget_ms: Annotated[int | None, Query(ge=1, le=MAX_BUDGET_MS)] = None,
    cache_control: CacheControl = None,
) -> Response:
    check_sees(caller, collection)
    options = SearchOptions(
        collection=collection,
        top_k=top_k,
        recall_k=recall_k,
        mode=mode,
        rank=rank,
        explain=explain,
        budget_ms=budget_ms,
    )
    use = cache_use(cache_control)
    found = search_of(q, options)
    budget_ms = _budget_ms(options, settings)
    return _answer(await _within_budget(found, budget_ms, searcher, asker, use))


@router.post("/search:batch", response_model=BatchAnswer, summary="Many queries in one call")
async def search_batch(
    body: BatchRequest,
    searcher: Search,
    settings: Settings,
    asker: As,
    caller: Caller,
    cache_control: CacheControl = None,
) -> Response:
    """All queries share the options and the budget; each is answered or says why not."""
    check_sees(caller, body.collection)
    started = time.perf_counter()
    use = cache_use(cache_control)
    budget_ms = _budget_ms(body, settings)
    deadline = Deadline.after(budget_ms / 1000)
    turns = asyncio.Semaphore(_BATCH_AT_ONCE)

    async def one(query: str) -> dict[str, Any]:
        try:
            async with asyncio.timeout(deadline.remaining()), turns:
                found = search_of(query, body)
                served = await searcher.answer(
                    found, deadline, asker, use, patience=deadline.remaining()
                )
        except TimeoutError:
            return _failed(late(budget_ms))
        except SearchError as error:
            return _failed(error)
        return {"answer": orjson.Fragment(served.body), "error": None}

    answers = await asyncio.gather(*(one(query) for query in body.queries))
    took_ms = round((time.perf_counter() - started) * 1000, 2)
    return _json(
        orjson.dumps({"answers": answers, "took_ms": took_ms, "request_id": request_id_var.get()})
    )


def _failed(error: SearchError) -> dict[str, Any]:
    return {"answer": None, "error": {"code": error.code, "detail": error.detail}}


def _budget_ms(options: SearchOptions, settings: GatewaySettings) -> int:
    return min(options.budget_ms or settings.budget_ms, settings.max_budget_ms)


async def _within_budget(
    found: domain.Search, budget_ms: int, searcher: Searcher, asker: Asker, use: CacheUse
) -> Served:
    seconds = budget_ms / 1000
    try:
        # The cascade keeps to the budget by itself; what it has then is worth a moment more.
        async with asyncio.timeout(seconds * _GRACE):
            return await searcher.answer(found, Deadline.after(seconds), asker, use)
    except TimeoutError as error:
        raise late(budget_ms) from error


def _answer(served: Served) -> Response:
    return Response(served.body, media_type="application/json", headers=dict(served.headers))


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")
