"""Routes of the user dictionary of a collection, which the indexer stores."""

from fastapi import APIRouter, Response

from services.common.paths import segment
from services.common.wire.dictionary import (
    DictionaryUpdate,
    DictionaryWritten,
    StoredDictionary,
)
from services.gateway.indexing.collections import Name
from services.gateway.indexing.proxy import pass_on
from services.gateway.stores.upstream import Indexer

router = APIRouter(prefix="/v1/collections/{collection}/dictionary", tags=["collections"])


@router.put("", response_model=DictionaryWritten, summary="Set words that are kept whole")
async def put_dictionary(collection: Name, body: DictionaryUpdate, indexer: Indexer) -> Response:
    """Replaces the words of a collection's dictionary; the next rebuild applies them to documents
    and queries together."""
    path = f"/collections/{segment(collection)}/dictionary"
    return await pass_on(indexer, "PUT", path, body=body)


@router.get("", response_model=StoredDictionary, summary="Words that are kept whole")
async def dictionary(collection: Name, indexer: Indexer) -> Response:
    """Returns the words of a collection's dictionary."""
    return await pass_on(indexer, "GET", f"/collections/{segment(collection)}/dictionary")
