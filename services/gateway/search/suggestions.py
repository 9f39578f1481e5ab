"""The route GET /v1/collections/{collection}/suggestions, which completes a query that is being
typed."""

import time
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from services.common.collection import NAME_PATTERN
from services.common.errors import Unavailable
from services.common.patterns import NOT_BLANK
from services.common.request_context import Deadline, request_id_var
from services.common.server.resources import opened
from services.common.wire.suggest import MAX_SUGGESTIONS, MAX_TYPED, Suggested, SuggestRequest
from services.gateway.access.caller import Caller, check_sees
from services.gateway.cache.versions import VersionReader
from services.gateway.search.cascade.recall_service import RecallService
from services.gateway.search.hot.frequent import FrequentQueries
from services.gateway.stores.upstream import Recall

router = APIRouter(prefix="/v1/collections/{collection}", tags=["search"])

_SECONDS = 3.0
"""Longest time in seconds that suggestions may take, also for a collection that is read first."""

FrequentDep = Annotated[FrequentQueries, opened("frequent")]
VersionsDep = Annotated[VersionReader, opened("versions")]


class Typed(BaseModel):
    """The text that was typed so far."""

    model_config = ConfigDict(extra="forbid")

    q: str = Field(
        min_length=1,
        max_length=MAX_TYPED,
        pattern=NOT_BLANK,
        description="The beginning of a query: Chinese, English, pinyin or its first letters",
    )
    limit: int = Field(default=8, ge=1, le=MAX_SUGGESTIONS)


class Suggestions(Suggested):
    """Completions of a query that is being typed."""

    took_ms: float
    request_id: str


@router.get("/suggestions", summary="Complete a query that is being typed")
async def suggestions(
    collection: Annotated[str, Path(pattern=NAME_PATTERN)],
    typed: Annotated[Typed, Query()],
    recall: Recall,
    caller: Caller,
    frequent: FrequentDep,
    versions: VersionsDep,
) -> Suggestions:
    """Completes a query by titles, keywords, authors, and frequent queries of the caller's
    tenant."""
    check_sees(caller, collection)
    started = time.perf_counter()
    try:
        version = await versions.current(collection)
    except Unavailable:
        version = None
    asked = SuggestRequest(
        collection=collection,
        typed=typed.q,
        limit=typed.limit,
        version=version,
        frequent=list(await frequent.of(collection, caller.tenant)),
    )
    found = await RecallService(recall).suggest(asked, Deadline.after(_SECONDS))
    return Suggestions(
        **found.model_dump(),
        took_ms=round((time.perf_counter() - started) * 1000, 2),
        request_id=request_id_var.get(),
    )
