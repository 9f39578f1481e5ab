"""Routes of collections: list, create, drop, rebuild, and return to the index before the last
rebuild."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.common.errors import Conflict
from services.common.wire.collections import (
    Collection,
    CollectionCreate,
    CollectionList,
    DeclaredFields,
    RebuildOptions,
)
from services.common.wire.golden import GoldenQueries
from services.common.wire.jobs import JobAccepted
from services.indexer.api.dependencies import (
    AcceptanceDep,
    BookDep,
    CollectionsDep,
    GoldenDep,
    RebuildsDep,
    WriterDep,
)
from services.indexer.jobs.book import JobBook

router = APIRouter(prefix="/collections", tags=["collections"])


@router.get("")
async def list_collections(collections: CollectionsDep) -> CollectionList:
    """Lists all collections with their encoders, sizes and versions."""
    return CollectionList(collections=await collections.list())


@router.post("", status_code=201)
async def create(
    collections: CollectionsDep, writer: WriterDep, body: CollectionCreate
) -> Collection:
    """Creates an empty collection, for the encoder that it names or the default one."""
    await writer.check_open(body.name)
    return await collections.create(body.name, body.encoder, body.fields, body.partition_key)


@router.get("/{name}")
async def describe(collections: CollectionsDep, name: str) -> Collection:
    """Describes one collection."""
    return await collections.describe(name)


@router.delete("/{name}", status_code=204)
async def drop(collections: CollectionsDep, writer: WriterDep, book: BookDep, name: str) -> None:
    """Drops a collection with all its documents. Refused with 409 while a job writes to it."""
    await writer.check()
    _check_idle(book, name)
    await collections.drop(name)


@router.post("/{name}:rebuild", status_code=202)
async def rebuild(
    writer: WriterDep,
    acceptance: AcceptanceDep,
    name: str,
    options: Annotated[RebuildOptions, Query()],
) -> JobAccepted:
    """Builds the collection anew from its own documents, as a change of encoder needs it."""
    await writer.check()
    ledger = await acceptance.rebuild(name, options.encoder, force=options.force)
    return JobAccepted(job_id=ledger.manifest.id, state=ledger.state)


@router.post("/{name}:rollback")
async def rollback(
    collections: CollectionsDep,
    rebuilds: RebuildsDep,
    writer: WriterDep,
    book: BookDep,
    name: str,
) -> Collection:
    """Returns to the index before the last rebuild; a second call undoes the first. Refused with
    409 while a job writes to the collection, whose documents would be divided among both."""
    await writer.check()
    _check_idle(book, name)
    await rebuilds.rollback(name)
    return await collections.describe(name)


@router.put("/{name}/fields")
async def declare_fields(
    collections: CollectionsDep,
    writer: WriterDep,
    book: BookDep,
    name: str,
    body: DeclaredFields,
) -> Collection:
    """Declares types of fields. Refused with 409 while a job writes to the collection."""
    await writer.check()
    _check_idle(book, name)
    return await collections.declare(name, body.fields)


@router.put("/{name}/golden-queries")
async def put_golden(
    collections: CollectionsDep,
    golden: GoldenDep,
    writer: WriterDep,
    name: str,
    body: GoldenQueries,
) -> GoldenQueries:
    """Sets the queries that a rebuild must answer as well as the index before."""
    await writer.check()
    await collections.live(name)
    await golden.write(name, body.queries)
    return body


@router.get("/{name}/golden-queries")
async def get_golden(collections: CollectionsDep, golden: GoldenDep, name: str) -> GoldenQueries:
    """The golden queries of a collection; an empty list if none were set."""
    await collections.live(name)
    return GoldenQueries(queries=await golden.read(name))


def _check_idle(book: JobBook, name: str) -> None:
    """Raises Conflict while a job writes to the collection."""
    for ledger in book.running():
        if ledger.manifest.collection == name:
            raise Conflict(
                f"Job {ledger.manifest.id} is writing to collection {name!r}; wait for it, or"
                " cancel it."
            )
