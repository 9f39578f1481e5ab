"""Collections: list, create, drop, rebuild, return to the last one."""

from fastapi import APIRouter, Request

from services.common.errors import Conflict
from services.common.wire.collections import Collection, CollectionCreate, CollectionList
from services.common.wire.jobs import JobAccepted
from services.indexer.index.collections import Collections
from services.indexer.index.rebuild import Rebuilds
from services.indexer.index.writer import IndexWriter
from services.indexer.jobs.book import JobBook
from services.indexer.jobs.submission import Submissions

router = APIRouter(prefix="/collections", tags=["collections"])


@router.get("")
async def list_collections(request: Request) -> CollectionList:
    return CollectionList(collections=await _collections(request).list())


@router.post("", status_code=201)
async def create(request: Request, body: CollectionCreate) -> Collection:
    _check_writer(request)
    return await _collections(request).create(body.name)


@router.get("/{name}")
async def describe(request: Request, name: str) -> Collection:
    return await _collections(request).describe(name)


@router.delete("/{name}", status_code=204)
async def drop(request: Request, name: str) -> None:
    _check_writer(request)
    book: JobBook = request.state.book
    for ledger in book.running():
        if ledger.manifest.collection == name:
            raise Conflict(
                f"Job {ledger.manifest.id} is writing to collection {name!r}; cancel it first."
            )
    await _collections(request).drop(name)


@router.post("/{name}:rebuild", status_code=202)
async def rebuild(request: Request, name: str) -> JobAccepted:
    """Builds the collection anew from its own documents, as a change of encoder needs it."""
    _check_writer(request)
    submissions: Submissions = request.state.submissions
    ledger = await submissions.rebuild(name)
    return JobAccepted(job_id=ledger.manifest.id, state=ledger.state)


@router.post("/{name}:rollback")
async def rollback(request: Request, name: str) -> Collection:
    """Returns to the collection before the last rebuild; a second call undoes that."""
    rebuilds: Rebuilds = request.state.rebuilds
    await rebuilds.rollback(name)
    return await _collections(request).describe(name)


def _check_writer(request: Request) -> None:
    """Raises Unavailable."""
    writer: IndexWriter = request.state.writer
    writer.check()


def _collections(request: Request) -> Collections:
    collections: Collections = request.state.collections
    return collections
