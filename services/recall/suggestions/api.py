"""The route of suggestions."""

from typing import Annotated

from fastapi import APIRouter

from services.common.server.resources import DeadlineDep, opened
from services.common.wire.suggest import Suggested, SuggestRequest
from services.recall.suggestions.suggester import Suggester

router = APIRouter(tags=["recall"])

SuggesterDep = Annotated[Suggester, opened("suggester")]


@router.post("/suggest")
async def suggest(
    body: SuggestRequest, suggester: SuggesterDep, deadline: DeadlineDep
) -> Suggested:
    """Completes a query that is being typed."""
    return await suggester.suggest(body, deadline)
