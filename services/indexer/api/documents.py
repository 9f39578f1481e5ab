"""Routes of single documents: put, change, get, delete."""

from typing import Annotated

from fastapi import APIRouter, Path

from services.common.collection import NAME_PATTERN
from services.common.documents import DocumentId
from services.common.errors import InvalidRequest
from services.common.filters import compile_filter
from services.common.wire.collections import (
    DeleteRequest,
    DocumentBody,
    DocumentsDeleted,
    DocumentWritten,
)
from services.common.wire.contents import DocumentPatch, StoredDocument
from services.indexer.api.dependencies import BookDep, SinglesDep, WriterDep
from services.indexer.index.writer import IndexWriter
from services.indexer.jobs.book import JobBook

router = APIRouter(prefix="/collections/{name}", tags=["documents"])

Name = Annotated[str, Path(pattern=NAME_PATTERN)]
Id = Annotated[DocumentId, Path()]

_DELETED_AT_ONCE = 10_000


@router.put("/documents/{id:path}")
async def put(singles: SinglesDep, name: Name, id: Id, body: DocumentBody) -> DocumentWritten:  # noqa: A002
    """Creates or replaces a document; searches find it when this returns."""
    document = body.document(id)
    version = await singles.put(name, document)
    return DocumentWritten(id=id, collection=name, index_version=version)


@router.patch("/documents/{id:path}")
async def patch(singles: SinglesDep, name: Name, id: Id, body: DocumentPatch) -> DocumentWritten:  # noqa: A002
    """Changes the members that the body names; what models do not read is not encoded again."""
    version = await singles.patch(name, id, body)
    return DocumentWritten(id=id, collection=name, index_version=version)


@router.get("/documents/{id:path}", response_model_exclude_unset=True)
async def get(singles: SinglesDep, name: Name, id: Id) -> StoredDocument:  # noqa: A002
    """The document as it is stored."""
    row = await singles.stored(name, id)
    document = row.document.model_dump()
    if row.passages is None or not row.document.body:
        del document["body"]
        return StoredDocument(**document)
    return StoredDocument(**document, passage_count=len(row.passages))


@router.delete("/documents/{id:path}")
async def delete_one(writer: WriterDep, book: BookDep, name: Name, id: Id) -> DocumentsDeleted:  # noqa: A002
    """Deletes one document; `deleted` is 0 if it did not exist, so that a repeated call
    succeeds."""
    return await _delete(writer, book, name, [id])


@router.post("/documents:delete")
async def delete_many(
    writer: WriterDep, book: BookDep, name: Name, body: DeleteRequest
) -> DocumentsDeleted:
    """Deletes documents by ids, or by a filter on the documents that are in the collection now."""
    if (body.ids is None) == (body.filter is None):
        raise InvalidRequest("Give either `ids` or `filter`.")
    if body.ids is not None:
        return await _delete(writer, book, name, body.ids)
    expression = compile_filter(body.filter)
    if not expression:
        raise InvalidRequest("An empty filter would delete everything; delete the collection.")
    collections = writer.collections
    deleted, version = 0, ""
    while True:
        physical = await collections.live(name)
        ids = await collections.index.matching(physical, expression, _DELETED_AT_ONCE)
        answer = await _delete(writer, book, name, ids)
        deleted, version = deleted + answer.deleted, answer.index_version
        if len(ids) < _DELETED_AT_ONCE:
            return DocumentsDeleted(deleted=deleted, index_version=version)


async def _delete(
    writer: IndexWriter, book: JobBook, name: str, ids: list[str]
) -> DocumentsDeleted:
    version = await writer.accept(name)
    pending = book.oldest_write(name) is not None
    deleted, moved = await writer.delete(name, ids, version, pending=pending)
    return DocumentsDeleted(deleted=deleted, index_version=moved)
