"""The documents of a collection as data: pages, export, stored vectors, statistics."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse

from services.common.collection import NAME_PATTERN, PhysicalName
from services.common.documents import SHOWN, DocumentId
from services.common.errors import DocumentNotFound, OriginalNotFound
from services.common.filters import check_prepared, compile_filter
from services.common.wire.contents import (
    CollectionStatistics,
    DocumentPage,
    DocumentsRead,
    ExportOptions,
    ListedDocument,
    PageOptions,
    StoredDocuments,
    StoredVector,
    cursor_of,
    id_behind,
)
from services.indexer.api.dependencies import (
    CollectionsDep,
    OriginalsDep,
    SinglesDep,
    StatisticsDep,
)
from services.indexer.export import exported
from services.indexer.index.port import VectorIndex
from services.indexer.rows import Row

router = APIRouter(prefix="/collections/{name}", tags=["documents"])

Name = Annotated[str, Path(pattern=NAME_PATTERN)]
Id = Annotated[DocumentId, Path()]


@router.get("/documents", response_model_exclude_unset=True)
async def page(
    collections: CollectionsDep, name: Name, options: Annotated[PageOptions, Query()]
) -> DocumentPage:
    """Documents in the order of their ids, page by page."""
    behind = "" if options.after is None else id_behind(options.after)
    expression = compile_filter(options.filter)
    physical = await collections.live(name)
    check_prepared(expression, physical.name, prepared=physical.layout >= 2)
    rows = await collections.index.page(physical, behind, options.limit, expression, vectors=False)
    more = len(rows) == options.limit
    return DocumentPage(
        documents=[_listed(row, options.fields) for row in rows],
        next=cursor_of(rows[-1].id) if more else None,
    )


@router.post("/documents:read")
async def read(collections: CollectionsDep, name: Name, body: DocumentsRead) -> StoredDocuments:
    """The documents of these ids that are there."""
    rows = await collections.index.documents(await collections.live(name), body.ids)
    return StoredDocuments(documents=[row.document for row in rows])


@router.get("/export", response_class=StreamingResponse)
async def export(
    collections: CollectionsDep, name: Name, options: Annotated[ExportOptions, Query()]
) -> StreamingResponse:
    """All documents, or those of a filter, as a file that an index job reads back."""
    expression = compile_filter(options.filter)
    physical = await collections.live(name)
    check_prepared(expression, physical.name, prepared=physical.layout >= 2)
    dimension = await collections.index.dimension(physical) if options.vectors else None
    pages = collections.index.pages(physical, expression, vectors=options.vectors)
    content = exported(_whole(collections.index, physical, pages), options.format, dimension)
    first = await anext(content, b"")  # what is wrong at the beginning has a status of its own
    return StreamingResponse(
        _from(first, content),
        media_type=options.format.media_type,
        headers={
            "Content-Disposition": f'attachment; filename="{name}.{options.format}"',
            "X-Encoder": physical.encoder,
        },
    )


@router.get("/vectors/{id:path}")
async def vector(
    singles: SinglesDep,
    collections: CollectionsDep,
    name: Name,
    id: Id,  # noqa: A002
) -> StoredVector:
    """The vector of a document as it is stored."""
    row = await singles.stored(name, id)
    physical = await collections.live(name)
    return StoredVector(
        id=id,
        collection=name,
        encoder=physical.encoder,
        dimension=len(row.vector),
        vector=row.vector.tolist(),
    )


@router.get("/originals/{id:path}", response_class=StreamingResponse)
async def original(
    collections: CollectionsDep,
    originals: OriginalsDep,
    name: Name,
    id: Id,  # noqa: A002
) -> StreamingResponse:
    """The file of which a document was made, as it was sent."""
    rows = await collections.index.documents(await collections.live(name), [id])
    if not rows:
        raise DocumentNotFound(f"There is no document {id!r} in collection {name!r}.")
    document, version = rows[0].document, rows[0].version or 0
    kept = await asyncio.to_thread(originals.open, name, document, version)
    if kept is None:
        raise OriginalNotFound(
            f"No original of document {id!r} is kept: it was no file, or one that is larger than"
            " XUNWEN_INDEXER_MAX_ORIGINAL_BYTES."
        )
    return StreamingResponse(
        kept.blocks(),
        headers={
            "Content-Type": kept.media_type,
            "Content-Length": str(kept.size),
            "Content-Disposition": kept.disposition,
        },
    )


@router.get("/statistics")
async def statistics(book: StatisticsDep, name: Name) -> CollectionStatistics:
    """Statistics of the documents: their fields, the kinds and the most frequent values of each."""
    return await book.of(name)


def _listed(row: Row, names: list[str] | None) -> ListedDocument:
    document = row.document
    texts = {name: getattr(document, name) for name in SHOWN}
    fields = document.fields
    if names is not None:
        texts = {name: text for name, text in texts.items() if name in names}
        fields = {name: fields[name] for name in names if name in fields}
    members: dict[str, object] = {"id": row.id, **texts}
    if names is None or fields:
        members["fields"] = fields
    return ListedDocument.model_validate(members)


async def _whole(
    index: VectorIndex, physical: PhysicalName, pages: AsyncIterator[list[Row]]
) -> AsyncIterator[list[Row]]:
    """Rows with their bodies, as many at a time as are to be in memory."""
    async for page in pages:
        async for rows in index.with_bodies(physical, page):
            yield rows


async def _from(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for block in rest:
        yield block
