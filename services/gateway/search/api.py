"""The routes POST and GET /v1/search, and POST /v1/search:batch."""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from services.common.errors import SearchError
from services.common.request_context import Deadline
from services.gateway.access.caller import Caller, check_sees
from services.gateway.cache.policy import cache_use
from services.gateway.search import render
from services.gateway.search.answer_schemas import BatchAnswer, SearchAnswer
from services.gateway.search.answers import Answered, Answers, Ask, Asker
from services.gateway.search.dependencies import AnswersDep, AskerDep, FieldNamesDep, SettingsDep
from services.gateway.search.field_names import FieldNames
from services.gateway.search.query.budget import Budget
from services.gateway.search.query.request import Search, search_of
from services.gateway.search.query.schemas import (
    BatchRequest,
    SearchByUrl,
    SearchOptions,
    SearchRequest,
)
from services.gateway.settings import GatewaySettings

router = APIRouter(prefix="/v1", tags=["search"])

_BATCH_AT_ONCE = 16
"""Number of queries of one batch that run at the same time; a batch waits for places that others
leave."""

_COLON = re.compile("[:：]")

CacheControl = Annotated[
    str | None,
    Header(
        alias="Cache-Control",
        description="`no-cache` computes the answer anew, `no-store` does not keep it either",
    ),
]


@dataclass(frozen=True, slots=True)
class Terms:
    """The parts of a request that every search route reads beside its body or parameters."""

    answers: Answers
    settings: GatewaySettings
    asker: Asker
    caller: Caller
    field_names: FieldNames
    cache_control: str | None

    async def fields(
        self, options: SearchOptions, deadline: Deadline, *queries: str | None
    ) -> Sequence[str] | None:
        """The collection's fields if a query may name one, else None. Raises CollectionNotFound."""
        if options.syntax != "fields" or not any(_COLON.search(query or "") for query in queries):
            return None
        return await self.field_names.of(options.collection, deadline)

    def ask(self, search: Search, deadline: Deadline, patience: float = 0.0) -> Ask:
        """The search on these terms; `patience` is that of Ask."""
        return Ask(search, deadline, self.asker, cache_use(self.cache_control), patience)


async def _terms(
    answers: AnswersDep,
    settings: SettingsDep,
    asker: AskerDep,
    caller: Caller,
    field_names: FieldNamesDep,
    cache_control: CacheControl = None,
) -> Terms:
    """A coroutine, since FastAPI calls a class in a thread, which costs 0.4 ms."""
    return Terms(answers, settings, asker, caller, field_names, cache_control)


TermsDep = Annotated[Terms, Depends(_terms)]
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
    fields = await terms.fields(body, deadline, *body.queries)

    async def one(query: str) -> bytes | SearchError:
        try:
            async with budget.kept(deadline), turns:
                ask = terms.ask(search_of(query, body, fields), deadline, patience)
                return render.answer(ask, await terms.answers.answer(ask))
        except SearchError as error:
            return error

    items = await asyncio.gather(*(one(query) for query in body.queries))
    return Response(render.batch(items, started), media_type="application/json")


async def answered(query: str | None, options: SearchOptions, terms: Terms) -> tuple[Ask, Answered]:
    """The ask of one search, and its answer. Raises the errors of the chain."""
    check_sees(terms.caller, options.collection)
    started = time.perf_counter()
    budget = Budget.of(options, terms.settings)
    deadline = budget.deadline()
    async with budget.kept(deadline):
        normalised = search_of(query, options, await terms.fields(options, deadline, query))
        ask = replace(terms.ask(normalised, deadline), started=started)
        return ask, await terms.answers.answer(ask)


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
