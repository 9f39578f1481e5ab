"""What operators look at."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.common.collection import NAME_PATTERN
from services.gateway.api.state import Caller, Hot, check_sees
from services.gateway.schemas import DEFAULT_COLLECTION

router = APIRouter(prefix="/v1/admin", tags=["admin"])


class HotSearch(BaseModel):
    query: str
    mode: str
    top_k: int
    rank: bool
    tenant: str
    count: float = Field(description="Searches of today and half of yesterday's")


class HotSearches(BaseModel):
    queries: list[HotSearch] = Field(description="The most asked first")


@router.get("/hot-queries", summary="The queries that are asked most")
async def hot_queries(
    hot: Hot,
    caller: Caller,
    collection: Annotated[str, Query(pattern=NAME_PATTERN)] = DEFAULT_COLLECTION,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> HotSearches:
    """Counted over all gateways; after a rebuild they are computed before anybody asks."""
    check_sees(caller, collection)
    await hot.flush()
    return HotSearches(
        queries=[
            HotSearch(
                query=each.search.query,
                mode=each.search.mode.value,
                top_k=each.search.top_k,
                rank=each.search.rank,
                tenant=each.tenant,
                count=each.count,
            )
            for each in await hot.top(collection, limit)
        ]
    )
