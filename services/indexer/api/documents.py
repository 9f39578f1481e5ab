"""Single documents: put, get, delete."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import ValidationError

from services.common.collection import NAME_PATTERN
from services.common.documents import Document
from services.common.errors import DocumentNotFound, InvalidRequest
from services.common.filters import compile_filter
from services.common.wire.collections import (
    DeleteRequest,
    DocumentBody,
    DocumentsDeleted,
    DocumentWritten,
)
from services.indexer.index.writer import IndexWriter
from services.indexer.jobs.book import JobBook
from services.indexer.singles import SingleDocuments

router = APIRouter(prefix="/collections/{name}", tags=["documents"])

Name = Annotated[str, Path(pattern=NAME_PATTERN)]

_DELETED_AT_ONCE = 10_000


@router.put("/documents/{id:path}")
async def put(request: Request, name: Name, id: str, body: DocumentBody) -> DocumentWritten:  # noqa: A002
    """Creates or replaces a document; it is found when this returns."""
    try:
        document = Document(id=id, **body.model_dump())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        raise InvalidRequest(f"{where}: {reason}" if where else reason) from None
    singles: SingleDocuments = request.state.singles
    version = await singles.put(name, document)
    return DocumentWritten(id=id, collection=name, index_version=version)


@router.get("/documents/{id:path}")
async def get(request: Request, name: Name, id: str) -> Document:  # noqa: A002
    collections = _writer(request).collections
    physical = await collections.live(name)
    rows = await asyncio.to_thread(collections.index.documents, physical, [id])
    if not rows:
        raise DocumentNotFound(f"There is no document {id!r} in collection {name!r}.")
    row = rows[0]
    return Document(id=row.id, title=row.title, text=row.text, fields=row.fields)


@router.delete("/documents/{id:path}")
async def delete_one(request: Request, name: Name, id: str) -> DocumentsDeleted:  # noqa: A002
    """`deleted` is 0 when it was not there, so that a repeated call succeeds."""
    return await _delete(request, name, [id])


@router.post("/documents:delete")
async def delete_many(request: Request, name: Name, body: DeleteRequest) -> DocumentsDeleted:
    """By ids, or by a filter on the documents that are in the collection now."""
    if (body.ids is None) == (body.filter is None):
        raise InvalidRequest("Give either `ids` or `filter`.")
    if body.ids is not None:
        return await _delete(request, name, body.ids)
    expression = compile_filter(body.filter)
    if not expression:
        raise InvalidRequest("An empty filter would delete everything; delete the collection.")
    collections = _writer(request).collections
    deleted, version = 0, ""
    while True:
        physical = await collections.live(name)
        ids = await asyncio.to_thread(
            collections.index.matching, physical, expression, _DELETED_AT_ONCE
        )
        answer = await _delete(request, name, ids)
        deleted, version = deleted + answer.deleted, answer.index_version
        if len(ids) < _DELETED_AT_ONCE:
            return DocumentsDeleted(deleted=deleted, index_version=version)


async def _delete(request: Request, name: str, ids: list[str]) -> DocumentsDeleted:
    writer, book = _writer(request), request.state.book
    assert isinstance(book, JobBook)  # noqa: S101
    version = await writer.accept(name)
    pending = book.oldest_write(name) is not None
    deleted, moved = await writer.delete(name, ids, version, pending=pending)
    return DocumentsDeleted(deleted=deleted, index_version=moved)


def _writer(request: Request) -> IndexWriter:
    writer: IndexWriter = request.state.writer
    return writer
