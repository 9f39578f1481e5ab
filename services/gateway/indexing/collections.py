"""Routes of collections and single documents, which the indexer carries out."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from services.common import documents
from services.common.collection import NAME_PATTERN
from services.common.paths import segment
from services.common.wire.collections import (
    Collection,
    CollectionCreate,
    CollectionList,
    DeclaredFields,
    DeleteRequest,
    DocumentBody,
    DocumentsDeleted,
    DocumentWritten,
    RebuildOptions,
)
from services.common.wire.contents import DocumentPatch, StoredDocument
from services.common.wire.golden import GoldenQueries
from services.common.wire.jobs import JobAccepted
from services.gateway.access.caller import Caller, check_sees
from services.gateway.indexing.proxy import pass_on
from services.gateway.stores.upstream import Indexer

router = APIRouter(prefix="/v1/collections", tags=["collections"])


async def _seen(caller: Caller, collection: Annotated[str, Path(pattern=NAME_PATTERN)]) -> str:
    check_sees(caller, collection)
    return collection


Name = Annotated[str, Depends(_seen)]
"""The name of a collection that the caller's key may see."""
DocumentId = Annotated[documents.DocumentId, Path()]


@router.get("", response_model=CollectionList, summary="All collections")
async def collections(indexer: Indexer, caller: Caller) -> Response:
    """Lists the collections that the API key may see."""
    answer = await pass_on(indexer, "GET", "/collections")
    if caller.collections is None:
        return answer
    listed = CollectionList.model_validate_json(bytes(answer.body))
    seen = [item for item in listed.collections if caller.sees(item.name)]
    content = CollectionList(collections=seen).model_dump_json()
    return Response(content, media_type="application/json")


@router.post("", response_model=Collection, status_code=201, summary="Make an empty collection")
async def create_collection(body: CollectionCreate, indexer: Indexer, caller: Caller) -> Response:
    """Creates an empty collection."""
    check_sees(caller, body.name)
    return await pass_on(indexer, "POST", "/collections", body=body)


@router.post(
    "/{collection}/documents:delete",
    response_model=DocumentsDeleted,
    summary="Delete documents by ids or by filter",
)
async def delete_documents(collection: Name, body: DeleteRequest, indexer: Indexer) -> Response:
    """Deletes documents by their ids or by a filter."""
    return await pass_on(
        indexer, "POST", f"/collections/{segment(collection)}/documents:delete", body=body
    )


@router.post(
    "/{collection}:rebuild",
    response_model=JobAccepted,
    status_code=202,
    summary="Index all documents of a collection anew, then switch to the new index",
)
async def rebuild(
    collection: Name, indexer: Indexer, options: Annotated[RebuildOptions, Query()]
) -> Response:
    """Starts a job that builds a collection anew from its own documents."""
    path = f"/collections/{segment(collection)}:rebuild"
    return await pass_on(indexer, "POST", path, params=options.params())


@router.put(
    "/{collection}/fields",
    response_model=Collection,
    summary="Declare the types of metadata fields",
)
async def declare_fields(collection: Name, body: DeclaredFields, indexer: Indexer) -> Response:
    """Adds types to those that are declared; filters use columns of their own from the next rebuild
    on."""
    return await pass_on(indexer, "PUT", f"/collections/{segment(collection)}/fields", body=body)


@router.put(
    "/{collection}/golden-queries",
    response_model=GoldenQueries,
    summary="Set the queries that a rebuild must answer as well as the index before",
)
async def put_golden_queries(collection: Name, body: GoldenQueries, indexer: Indexer) -> Response:
    """Replaces the golden queries of a collection and the ids that answer them."""
    path = f"/collections/{segment(collection)}/golden-queries"
    return await pass_on(indexer, "PUT", path, body=body)


@router.get(
    "/{collection}/golden-queries",
    response_model=GoldenQueries,
    summary="The queries that a rebuild is checked with",
)
async def golden_queries(collection: Name, indexer: Indexer) -> Response:
    """Returns the golden queries of a collection; an empty list if none were set."""
    return await pass_on(indexer, "GET", f"/collections/{segment(collection)}/golden-queries")


@router.post(
    "/{collection}:rollback",
    response_model=Collection,
    summary="Return to the index before the last rebuild",
)
async def rollback(collection: Name, indexer: Indexer) -> Response:
    """Returns to the index before the last rebuild."""
    return await pass_on(indexer, "POST", f"/collections/{segment(collection)}:rollback")


@router.put(
    "/{collection}/documents/{document_id:path}",
    response_model=DocumentWritten,
    summary="Write a document; it can be found when the call returns",
)
async def put_document(
    collection: Name, document_id: DocumentId, body: DocumentBody, indexer: Indexer
) -> Response:
    """Creates or replaces a document; it is searchable when the call returns."""
    return await pass_on(indexer, "PUT", _document(collection, document_id), body=body)


@router.patch(
    "/{collection}/documents/{document_id:path}",
    response_model=DocumentWritten,
    summary="Change parts of a document; the change can be found when the call returns",
)
async def patch_document(
    collection: Name, document_id: DocumentId, body: DocumentPatch, indexer: Indexer
) -> Response:
    """Changes the members that are named; without a new title, text or `body` nothing is encoded
    again."""
    return await pass_on(indexer, "PATCH", _document(collection, document_id), body=body)


@router.get(
    "/{collection}/documents/{document_id:path}",
    response_model=StoredDocument,
    summary="Read a document",
)
async def get_document(collection: Name, document_id: DocumentId, indexer: Indexer) -> Response:
    """Returns one document as it is stored."""
    return await pass_on(indexer, "GET", _document(collection, document_id))


@router.delete(
    "/{collection}/documents/{document_id:path}",
    response_model=DocumentsDeleted,
    summary="Delete a document",
)
async def delete_document(collection: Name, document_id: DocumentId, indexer: Indexer) -> Response:
    """Deletes one document; succeeds also if the document does not exist."""
    return await pass_on(indexer, "DELETE", _document(collection, document_id))


@router.get("/{collection}", response_model=Collection, summary="One collection")
async def collection(collection: Name, indexer: Indexer) -> Response:
    """Describes one collection."""
    return await pass_on(indexer, "GET", f"/collections/{segment(collection)}")


@router.delete("/{collection}", status_code=204, summary="Delete a collection and its documents")
async def delete_collection(collection: Name, indexer: Indexer) -> Response:
    """Deletes a collection with all its documents."""
    return await pass_on(indexer, "DELETE", f"/collections/{segment(collection)}")


def _document(collection: str, document_id: str) -> str:
    return f"/collections/{segment(collection)}/documents/{segment(document_id)}"
