"""Routes of the query rules of a collection, which the indexer stores."""

from fastapi import APIRouter, Response

from services.common.paths import segment
from services.common.wire.query_rules import QueryRulesUpdate, RulesWritten, StoredRules
from services.gateway.indexing.collections import Name
from services.gateway.indexing.proxy import pass_on
from services.gateway.stores.upstream import Indexer

router = APIRouter(prefix="/v1/collections/{collection}/query-rules", tags=["collections"])


@router.put(
    "",
    response_model=RulesWritten,
    summary="Set synonyms, stop words, pinned and hidden documents",
)
async def put_query_rules(collection: Name, body: QueryRulesUpdate, indexer: Indexer) -> Response:
    """Replaces the query rules of a collection; every gateway applies them at once."""
    path = f"/collections/{segment(collection)}/query-rules"
    # A change that is based on a version would be refused the second time.
    return await pass_on(indexer, "PUT", path, body=body, once=body.version is not None)


@router.get(
    "", response_model=StoredRules, summary="Synonyms, stop words, pinned and hidden documents"
)
async def query_rules(collection: Name, indexer: Indexer) -> Response:
    """Returns the query rules of a collection; empty if none were set."""
    return await pass_on(indexer, "GET", f"/collections/{segment(collection)}/query-rules")
