"""Routes for operators."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.common.collection import NAME_PATTERN
from services.gateway.access.caller import Caller, check_sees
from services.gateway.search.dependencies import HotQueriesDep
from services.gateway.search.query.schemas import DEFAULT_COLLECTION

router = APIRouter(prefix="/v1/admin", tags=["admin"])


class HotSearch(BaseModel):
    """A search that a tenant makes often."""

    query: str
    mode: str
    top_k: int
    rank: bool
    tenant: str
    count: float = Field(description="Number of these searches today, plus half of yesterday's")


class HotSearches(BaseModel):
    """The most frequent searches of a collection."""

    queries: list[HotSearch] = Field(description="Searches, the most frequent first")


@router.get("/hot-queries", summary="The most frequent queries")
async def hot_queries(
    hot: HotQueriesDep,
    caller: Caller,
    collection: Annotated[str, Query(pattern=NAME_PATTERN)] = DEFAULT_COLLECTION,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> HotSearches:
    """Lists the most frequent queries over all gateways; after a rebuild they are computed in
    advance."""
    check_sees(caller, collection)
    await hot.flush()
    return HotSearches(
        queries=[
            HotSearch(
                query=query.search.query,
                mode=query.search.mode.value,
                top_k=query.search.top_k,
                rank=query.search.rank,
                tenant=query.tenant,
                count=query.count,
            )
            for query in await hot.top(collection, limit)
        ]
    )
