"""Collections and their single documents; the indexer does the work."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from services.common.collection import NAME_PATTERN
from services.common.documents import ID_PATTERN, Document
from services.common.wire.collections import (
    Collection,
    CollectionCreate,
    CollectionList,
    DeleteRequest,
    DocumentBody,
    DocumentsDeleted,
    DocumentWritten,
)
from services.common.wire.jobs import JobAccepted
from services.gateway.api.state import Caller, Indexer, check_sees
from services.gateway.proxy import pass_on, segment

router = APIRouter(prefix="/v1/collections", tags=["collections"])


async def _seen(caller: Caller, collection: Annotated[str, Path(pattern=NAME_PATTERN)]) -> str:
    check_sees(caller, collection)
    return collection


Name = Annotated[str, Depends(_seen)]
"""A collection that the caller's key sees."""
DocumentId = Annotated[str, Path(min_length=1, max_length=512, pattern=ID_PATTERN)]


@router.get("", response_model=CollectionList, summary="All collections")
async def collections(indexer: Indexer, caller: Caller) -> Response:
    answer = await pass_on(indexer, "GET", "/collections")
    if caller.collections is None:
        return answer
    found = CollectionList.model_validate_json(bytes(answer.body))
    seen = [each for each in found.collections if caller.sees(each.name)]
    content = CollectionList(collections=seen).model_dump_json()
    return Response(content, media_type="application/json")


@router.post("", response_model=Collection, status_code=201, summary="Make an empty collection")
async def create_collection(body: CollectionCreate, indexer: Indexer, caller: Caller) -> Response:
    check_sees(caller, body.name)
    return await pass_on(indexer, "POST", "/collections", body=body)


@router.post(
    "/{collection}/documents:delete",
    response_model=DocumentsDeleted,
    summary="Delete documents by ids or by filter",
)
async def delete_documents(collection: Name, body: DeleteRequest, indexer: Indexer) -> Response:
    return await pass_on(
        indexer, "POST", f"/collections/{segment(collection)}/documents:delete", body=body
    )


@router.post(
    "/{collection}:rebuild",
    response_model=JobAccepted,
    status_code=202,
    summary="Index all documents of a collection anew, then switch to the new index",
)
async def rebuild(collection: Name, indexer: Indexer) -> Response:
    return await pass_on(indexer, "POST", f"/collections/{segment(collection)}:rebuild")


@router.post(
    "/{collection}:rollback",
    response_model=Collection,
    summary="Back to the index before the last rebuild",
)
async def rollback(collection: Name, indexer: Indexer) -> Response:
    return await pass_on(indexer, "POST", f"/collections/{segment(collection)}:rollback")


@router.put(
    "/{collection}/documents/{document_id:path}",
    response_model=DocumentWritten,
    summary="Write a document; it can be found when the call returns",
)
async def put_document(
    collection: Name, document_id: DocumentId, body: DocumentBody, indexer: Indexer
) -> Response:
    return await pass_on(indexer, "PUT", _document(collection, document_id), body=body)


@router.get(
    "/{collection}/documents/{document_id:path}", response_model=Document, summary="Read a document"
)
async def get_document(collection: Name, document_id: DocumentId, indexer: Indexer) -> Response:
    return await pass_on(indexer, "GET", _document(collection, document_id))


@router.delete(
    "/{collection}/documents/{document_id:path}",
    response_model=DocumentsDeleted,
    summary="Delete a document",
)
async def delete_document(collection: Name, document_id: DocumentId, indexer: Indexer) -> Response:
    return await pass_on(indexer, "DELETE", _document(collection, document_id))


@router.get("/{collection}", response_model=Collection, summary="One collection")
async def collection(collection: Name, indexer: Indexer) -> Response:
    return await pass_on(indexer, "GET", f"/collections/{segment(collection)}")


@router.delete("/{collection}", status_code=204, summary="Delete a collection and its documents")
async def delete_collection(collection: Name, indexer: Indexer) -> Response:
    return await pass_on(indexer, "DELETE", f"/collections/{segment(collection)}")


def _document(collection: str, document_id: str) -> str:
    return f"/collections/{segment(collection)}/documents/{segment(document_id)}"
