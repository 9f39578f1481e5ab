"""The routes POST and GET /v1/search, and POST /v1/search:batch."""

import asyncio
import time
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from services.common.errors import SearchError
from services.gateway.access.caller import check_sees
from services.gateway.search import render
from services.gateway.search.answer_schemas import BatchAnswer, SearchAnswer
from services.gateway.search.query.budget import Budget
from services.gateway.search.query.request import search_of
from services.gateway.search.query.schemas import (
    BatchRequest,
    SearchByUrl,
    SearchOptions,
    SearchRequest,
)
from services.gateway.search.query.search import Search
from services.gateway.search.terms import Terms, TermsDep, answered

router = APIRouter(prefix="/v1", tags=["search"])

_BATCH_AT_ONCE = 16
"""Number of queries of one batch that run at the same time; a batch waits for places that others
leave."""

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
async def search(request: Request, body: SearchRequest, terms: TermsDep) -> Response:
    """Recalls candidates, ranks them, and answers with the best."""
    normalised, response = await _responded(body.query, body, terms)
    if body.syntax == "plain":  # The meaning of operators depends on the fields of the moment.
        request.state.meant = normalised  # QuickHits need not parse this body again.
    return response


@router.get(
    "/search",
    response_model=SearchAnswer,
    responses=_CACHE_HEADERS,
    summary="The same search as a URL, for a browser",
)
async def search_by_url(parameters: Annotated[SearchByUrl, Query()], terms: TermsDep) -> Response:
    """Takes the same options as the body of the POST; `q` is the query."""
    _, response = await _responded(parameters.q, parameters, terms)
    return response


@router.post("/search:batch", response_model=BatchAnswer, summary="Many queries in one call")
async def search_batch(body: BatchRequest, terms: TermsDep) -> Response:
    """Answers many queries; they share the options and the budget, and each gets an answer or an
    error."""
    check_sees(terms.caller, body.collection)
    started = time.perf_counter()
    budget = Budget.of(body, terms.settings)
    deadline = budget.deadline()
    patience = deadline.remaining()
    turns = asyncio.Semaphore(_BATCH_AT_ONCE)

    async def one(query: str, fields: Sequence[str] | None) -> bytes | SearchError:
        try:
            async with budget.kept(deadline), turns:
                ask = terms.ask(search_of(query, body, fields), deadline, patience)
                return render.answer(ask, await terms.answers.answer(ask))
        except SearchError as error:
            return error

    items: list[bytes | SearchError]
    try:
        fields = await terms.fields(body, deadline, *body.queries)
    except SearchError as error:
        items = [error for _ in body.queries]
    else:
        items = await asyncio.gather(*(one(query, fields) for query in body.queries))
    return Response(render.batch(items, started), media_type="application/json")


async def _responded(
    query: str | None, options: SearchOptions, terms: Terms
) -> tuple[Search, Response]:
    """One search with its meaning, and the response to it. Raises the errors of the chain."""
    ask, found = await answered(query, options, terms)
    return ask.search, Response(
        render.answer(ask, found),
        media_type="application/json",
        headers=render.headers(found),
    )
