"""Calls on single documents and pages of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.common.documents import BYTES
from services.common.wire.collections import DocumentsDeleted, DocumentWritten
from services.common.wire.contents import DocumentPage, PageOptions, StoredDocument, StoredVector
from xunwen.client.calls.call import (
    NOT_GIVEN,
    Call,
    NotGiven,
    collection_path,
    document_path,
    given,
    listed,
    parameters,
)
from xunwen.client.documents import GivenDocument, checked_document

PAGE_DOCUMENTS = 500
"""Documents that a client reads at a time when it lists a collection."""


def put(given: GivenDocument, collection: str) -> Call[DocumentWritten]:
    """The writing of a document. Raises XunwenError for one that cannot be indexed."""
    document = checked_document(given, "The document")
    body = document.model_dump(include={*BYTES, "fields"})
    return Call("PUT", document_path(collection, document.id), DocumentWritten, json=body)


def patch(
    document_id: str,
    collection: str,
    title: str | NotGiven | None,
    text: str | NotGiven | None,
    body: str | NotGiven | None,
    fields: Mapping[str, Any] | NotGiven | None,
) -> Call[DocumentWritten]:
    """The change of parts of a document; None removes a part."""
    named = dict(fields) if isinstance(fields, Mapping) else fields
    members = {"title": title, "text": text, "body": body, "fields": named}
    changes = {name: value for name, value in members.items() if value is not NOT_GIVEN}
    return Call("PATCH", document_path(collection, document_id), DocumentWritten, json=changes)


def get(document_id: str, collection: str) -> Call[StoredDocument]:
    """One document."""
    return Call("GET", document_path(collection, document_id), StoredDocument)


def original_path(document_id: str, collection: str) -> str:
    """The path of the file of which a document was made."""
    return document_path(collection, document_id, "originals")


def delete(document_id: str, collection: str) -> Call[DocumentsDeleted]:
    """The deletion of a document."""
    return Call("DELETE", document_path(collection, document_id), DocumentsDeleted)


def delete_documents(
    collection: str, ids: Sequence[str] | None, filter: Mapping[str, Any] | None
) -> Call[DocumentsDeleted]:
    """The deletion of documents by ids or by a filter."""
    body = given(ids=None if ids is None else listed(ids, "ids"), filter=filter)
    return Call(
        "POST", f"{collection_path(collection)}/documents:delete", DocumentsDeleted, json=body
    )


def documents(
    collection: str,
    after: str | None,
    filter: Mapping[str, Any] | None,
    fields: Sequence[str] | None,
) -> Call[DocumentPage]:
    """A page of the documents of a collection."""
    members = {
        "limit": PAGE_DOCUMENTS,
        "after": after,
        "filter": filter,
        "fields": None if fields is None else listed(fields, "fields"),
    }
    options = parameters(PageOptions, "Documents", members)
    path = f"{collection_path(collection)}/documents"
    return Call("GET", path, DocumentPage, params=options)


def vector(document_id: str, collection: str) -> Call[StoredVector]:
    """The stored vector of a document."""
    return Call("GET", document_path(collection, document_id, "vectors"), StoredVector)
