"""The application of the indexer; its lifespan owns every resource."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from importlib.metadata import version

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from services.common.calls.client import ServiceClient
from services.common.ending import ended
from services.common.errors import QueueUnavailable, Unavailable
from services.common.milvus import milvus_connection
from services.common.model_dir.encoders import EncoderDirectories
from services.common.objects import ObjectStoreSettings
from services.common.redis.address import RedisAddress, RedisKind
from services.common.redis.client import opened_redis
from services.common.server.app import Resources, create_service_app
from services.common.server.internal_calls import InternalCalls
from services.common.text import Analyzers
from services.indexer.api import (
    collections,
    contents,
    dictionaries,
    documents,
    jobs,
    query_rules,
    work,
)
from services.indexer.index.collections.clock import VersionClock
from services.indexer.index.collections.collections import Collections
from services.indexer.index.gate.cascade import Cascade
from services.indexer.index.gate.gate import SwitchGate
from services.indexer.index.gate.golden import GoldenSets
from services.indexer.index.imports.bulk_import import BulkImport
from services.indexer.index.imports.imports import Imports
from services.indexer.index.milvus.index import MilvusVectorIndex
from services.indexer.index.milvus.journal import Journal
from services.indexer.index.rebuild import Rebuilds
from services.indexer.index.role import WriterRole
from services.indexer.index.statistics import StatisticsBook
from services.indexer.index.writer import IndexWriter
from services.indexer.jobs.acceptance import JobAcceptance
from services.indexer.jobs.book import JobBook
from services.indexer.jobs.files import JobFiles
from services.indexer.jobs.finish import JobFinisher
from services.indexer.jobs.housekeeping import Housekeeping
from services.indexer.jobs.input_store import InputStore
from services.indexer.jobs.named_sources import NamedSources
from services.indexer.jobs.originals import OriginalsSweep
from services.indexer.jobs.supervisor import JobSupervisor
from services.indexer.jobs.workers import PartLeases, Workers
from services.indexer.metrics import JobMetrics
from services.indexer.originals import Originals
from services.indexer.query_rules import QueryRulesStore
from services.indexer.queue import TaskQueue, celery_app
from services.indexer.settings import IndexerSettings
from services.indexer.singles import SingleDocuments
from services.indexer.store import ObjectStore
from services.indexer.versions import RedisVersions

_ENCODE_SECONDS = 20.0
_RANK_SECONDS = 60.0
_REDIS_SECONDS = 2.0


def create_app(
    settings: IndexerSettings,
    objects: ObjectStoreSettings,
    encoders: EncoderDirectories,
    analyzers: Analyzers,
) -> FastAPI:
    """The application for encoders whose manifests have been read and verified before."""

    @asynccontextmanager
    async def lifespan(registry: CollectorRegistry) -> AsyncIterator[Resources]:
        async with AsyncExitStack() as stack:
            yield await _open(stack, settings, objects, encoders, analyzers, registry)

    return create_service_app(
        title="Xunwen indexer",
        version=version("xunwen"),
        routers=[
            jobs.router,
            contents.router,
            query_rules.router,
            dictionaries.router,
            documents.router,
            collections.router,
            work.router,
        ],
        lifespan=lifespan,
        internal=InternalCalls(settings.token(), settings.host),
    )


async def _open(
    stack: AsyncExitStack,
    settings: IndexerSettings,
    objects: ObjectStoreSettings,
    encoders: EncoderDirectories,
    analyzers: Analyzers,
    registry: CollectorRegistry,
) -> Resources:
    address = RedisAddress.parse(settings.state_redis_url)
    redis = await stack.enter_async_context(opened_redis(address, _REDIS_SECONDS))
    options = objects.options(settings.storage_url)
    store = await asyncio.to_thread(ObjectStore, settings.storage_url, options)
    milvus = await stack.enter_async_context(milvus_connection(settings.milvus()))
    index = MilvusVectorIndex(milvus, Journal(store), settings.index_choice(), settings.milvus_file)
    recall = await stack.enter_async_context(
        ServiceClient(
            "recall", settings.recall_url, timeout=_ENCODE_SECONDS, token=settings.token()
        )
    )
    rank = None
    if settings.rank_url:
        rank = await stack.enter_async_context(
            ServiceClient("rank", settings.rank_url, timeout=_RANK_SECONDS, token=settings.token())
        )
    replicated = address.kind is RedisKind.SENTINEL
    versions = RedisVersions(redis, milvus.server_time, replicated=replicated)
    role = WriterRole(redis, settings.role_seconds, f"xunwen:{settings.queue}:writer")
    queue = TaskQueue(celery_app(address, settings.queue), redis, settings.queue)
    stack.callback(queue.close)

    book = JobBook(JobFiles(store), lambda: role.terms)
    clock = VersionClock()
    known = Collections(index, store, versions, clock, encoders, analyzers, book.newest, role.check)
    originals = Originals(store)
    writer = IndexWriter(known, index, versions, role, clock, book, originals)
    golden = GoldenSets(store)
    gate = SwitchGate(
        golden, Cascade(recall, rank), index, settings.golden_tolerance, settings.golden_queries
    )
    rebuilds = Rebuilds(known, writer, role, gate)
    place = None
    if settings.import_url:
        more = objects.options(settings.import_url)
        place = await asyncio.to_thread(ObjectStore, settings.import_url, more)
    imports = Imports(known, BulkImport(milvus), role, store, place)
    finisher = JobFinisher(book, writer, rebuilds, imports)
    workers = Workers(settings.expected_workers)
    housekeeping = Housekeeping(
        book,
        known,
        rebuilds,
        retention=timedelta(days=settings.retention_days),
        retained_jobs=settings.retained_jobs,
    )
    supervisor = JobSupervisor(book, queue, finisher, writer, known, role, housekeeping)
    JobMetrics(registry, book, workers, lambda: role.holds)

    stack.push_async_callback(role.release)
    await _background(stack, _keep_role(role, versions, settings.role_seconds / 4))
    stack.push_async_callback(supervisor.stop)
    await _background(stack, supervisor.run())
    await _background(stack, OriginalsSweep(originals, known, book, role).run())

    async def holds_role() -> None:
        if not (role.holds and book.loaded):
            raise Unavailable("Another indexer holds the writer's role, or Redis is away.")

    return {
        "checks": {
            "milvus": index.check,
            "redis": versions.check,
            "storage": lambda: asyncio.to_thread(store.check),
            "role": holds_role,
            "worker": workers.check,
        },
        "book": book,
        "named_sources": NamedSources(settings.source_roots, objects),
        "acceptance": JobAcceptance(
            book, known, writer, InputStore(book.files, settings.max_input_bytes), imports
        ),
        "leases": PartLeases(
            book,
            workers,
            known,
            writer,
            finisher,
            settings.lease_seconds,
            settings.part_documents,
        ),
        "collections": known,
        "golden": golden,
        "originals": originals,
        "query_rules": QueryRulesStore(redis, replicated=replicated),
        "rebuilds": rebuilds,
        "statistics": StatisticsBook(known),
        "writer": writer,
        "singles": SingleDocuments(recall, writer),
    }


async def _keep_role(role: WriterRole, versions: RedisVersions, interval: float) -> None:
    while True:
        if await role.renew():
            with contextlib.suppress(QueueUnavailable):  # the next turn makes up for it
                await versions.restore()
        await asyncio.sleep(interval)


async def _background(stack: AsyncExitStack, work: "asyncio._CoroutineLike[None]") -> None:
    task = asyncio.create_task(work)

    stack.push_async_callback(ended, [task])
