"""The route of suggestions."""

from typing import Annotated

from fastapi import APIRouter

from services.common.request_context import Deadline, deadline_var
from services.common.resources import opened
from services.common.wire.suggest import Suggested, SuggestRequest
from services.recall.suggestions.suggester import Suggester

router = APIRouter(tags=["recall"])

SuggesterDep = Annotated[Suggester, opened("suggester")]
_SECONDS = 3.0


@router.post("/suggest")
async def suggest(body: SuggestRequest, suggester: SuggesterDep) -> Suggested:
    """Completes a query that is being typed."""
    return await suggester.suggest(body, deadline_var.get() or Deadline.after(_SECONDS))
