"""Routes that read the documents of a collection in bulk; the indexer carries them out."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from services.common.paths import segment
from services.common.wire.contents import (
    CollectionStatistics,
    DocumentPage,
    ExportFormat,
    ExportOptions,
    PageOptions,
    StoredVector,
)
from services.common.wire.input_formats import InputFormat
from services.gateway.access.security_headers import API_POLICY
from services.gateway.indexing.collections import DocumentId, Name
from services.gateway.indexing.proxy import follow, pass_on
from services.gateway.stores.upstream import Indexer

router = APIRouter(prefix="/v1/collections/{collection}", tags=["collections"])

_PDF = InputFormat.PDF.media_types[0]


@router.get("/documents", response_model=DocumentPage, summary="Documents, page by page")
async def documents(
    collection: Name, options: Annotated[PageOptions, Query()], indexer: Indexer
) -> Response:
    """Lists documents in the order of their ids; documents that are written meanwhile may be
    included."""
    path = f"/collections/{segment(collection)}/documents"
    return await pass_on(indexer, "GET", path, params=options.params())


@router.get(
    "/vectors/{document_id:path}", response_model=StoredVector, summary="The vector of a document"
)
async def vector(collection: Name, document_id: DocumentId, indexer: Indexer) -> Response:
    """Returns the vector of one document as it is stored."""
    path = f"/collections/{segment(collection)}/vectors/{segment(document_id)}"
    return await pass_on(indexer, "GET", path)


@router.get(
    "/originals/{document_id:path}",
    response_class=Response,
    responses={
        200: {
            "description": "The file as it was sent",
            "content": {
                next(iter(each.media_types), "text/plain"): {
                    "schema": {"type": "string", "format": "binary"}
                }
                for each in InputFormat
                if each.whole
            },
        }
    },
    summary="The file of which a document was made",
)
async def original(collection: Name, document_id: DocumentId, indexer: Indexer) -> Response:
    """Streams the original of a document that was a file: a PDF to be shown, any other to be
    stored."""
    path = f"/collections/{segment(collection)}/originals/{segment(document_id)}"
    answer = await follow(indexer, path)
    if answer.headers["content-type"] != _PDF:
        # Should a browser show it all the same, it may do nothing.
        answer.headers["Content-Security-Policy"] = f"sandbox; {API_POLICY}"
    return answer


@router.get(
    "/statistics", response_model=CollectionStatistics, summary="Statistics of the documents"
)
async def statistics(collection: Name, indexer: Indexer) -> Response:
    """Describes the fields of a collection: their kinds, ranges and most frequent values."""
    return await pass_on(indexer, "GET", f"/collections/{segment(collection)}/statistics")


@router.get(
    "/export",
    response_class=Response,
    responses={
        200: {
            "description": "A file that an index job can read",
            "content": {
                form.media_type: {"schema": {"type": "string", "format": "binary"}}
                for form in ExportFormat
            },
            "headers": {
                "X-Encoder": {
                    "description": "Fingerprint of the encoder of the collection",
                    "schema": {"type": "string"},
                }
            },
        }
    },
    summary="All documents of a collection as a file",
)
async def export(
    collection: Name, options: Annotated[ExportOptions, Query()], indexer: Indexer
) -> Response:
    """Streams the documents. If the connection breaks off early, the file is incomplete."""
    return await follow(
        indexer, f"/collections/{segment(collection)}/export", params=options.params()
    )
