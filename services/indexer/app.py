"""The application factory; the lifespan owns every resource."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from services.common.app import Resources, create_service_app
from services.common.errors import Unavailable
from services.common.model_dir import ModelManifest
from services.common.service_client import ServiceClient
from services.common.text import Analyzers
from services.indexer.api import collections, documents, jobs, work
from services.indexer.index.clock import VersionClock
from services.indexer.index.collections import Collections, Encoding
from services.indexer.index.milvus import MilvusIndex
from services.indexer.index.rebuild import Rebuilds
from services.indexer.index.role import WriterRole
from services.indexer.index.writer import IndexWriter
from services.indexer.jobs.book import JobBook
from services.indexer.jobs.files import JobFiles
from services.indexer.jobs.finish import JobFinisher
from services.indexer.jobs.sources import Sources
from services.indexer.jobs.submission import Submissions
from services.indexer.jobs.supervisor import JobSupervisor
from services.indexer.jobs.workers import WorkDesk, Workers
from services.indexer.metrics import JobMetrics
from services.indexer.queue import TaskQueue, celery_app
from services.indexer.settings import IndexerSettings
from services.indexer.singles import SingleDocuments
from services.indexer.store import ObjectStore
from services.indexer.versions import RedisVersions

_ENCODE_SECONDS = 20.0


def create_app(settings: IndexerSettings, manifest: ModelManifest, analyzers: Analyzers) -> FastAPI:
    """The indexer for one encoder, whose manifest was read and verified before."""

    @asynccontextmanager
    async def lifespan(registry: CollectorRegistry) -> AsyncIterator[Resources]:
        async with AsyncExitStack() as stack:
            yield await _open(stack, settings, manifest, analyzers, registry)

    return create_service_app(
        title="Xunwen indexer",
        version="1",
        routers=[jobs.router, documents.router, collections.router, work.router],
        lifespan=lifespan,
        internal_token=settings.token(),
    )


async def _open(
    stack: AsyncExitStack,
    settings: IndexerSettings,
    manifest: ModelManifest,
    analyzers: Analyzers,
    registry: CollectorRegistry,
) -> Resources:
    redis = Redis.from_url(
        settings.state_redis_url, socket_timeout=2, socket_connect_timeout=1, protocol=2
    )
    stack.push_async_callback(redis.aclose)
    store = await asyncio.to_thread(ObjectStore, settings.storage_url)
    token = settings.milvus_token.get_secret_value() if settings.milvus_token else None
    index = MilvusIndex(settings.milvus_uri, token, settings.index_choice())
    stack.callback(index.close)
    recall = await stack.enter_async_context(
        ServiceClient(
            "recall", settings.recall_url, timeout=_ENCODE_SECONDS, token=settings.token()
        )
    )
    versions = RedisVersions(redis)
    role = WriterRole(redis, settings.role_seconds, f"xunwen:{settings.queue}:writer")
    queue = TaskQueue(celery_app(settings.state_redis_url, settings.queue), redis, settings.queue)
    stack.callback(queue.close)

    book = JobBook(JobFiles(store))
    clock = VersionClock()
    assert manifest.dimension is not None  # noqa: S101 - it is an encoder's
    encoding = Encoding(manifest.fingerprint, manifest.dimension)
    known = Collections(index, store, versions, clock, encoding, analyzers, book.newest)
    writer = IndexWriter(known, index, versions, role, clock, book)
    rebuilds = Rebuilds(known, writer, role)
    finisher = JobFinisher(book, writer, rebuilds)
    workers = Workers(settings.expected_workers)
    supervisor = JobSupervisor(
        book,
        queue,
        finisher,
        writer,
        known,
        role,
        rebuilds,
        retention=timedelta(days=settings.retention_days),
        retained_jobs=settings.retained_jobs,
    )
    JobMetrics(registry, book, workers, lambda: role.holds)

    stack.push_async_callback(role.release)
    await _background(stack, _keep_role(role, settings.role_seconds / 4))
    stack.push_async_callback(supervisor.stop)
    await _background(stack, supervisor.run())

    async def holds_role() -> None:
        if not (role.holds and book.loaded):
            raise Unavailable("Another indexer holds the writer's role, or Redis is away.")

    return {
        "checks": {
            "milvus": lambda: asyncio.to_thread(index.check),
            "redis": versions.check,
            "storage": lambda: asyncio.to_thread(store.check),
            "role": holds_role,
            "worker": workers.check,
        },
        "book": book,
        "sources": Sources(settings.source_roots),
        "submissions": Submissions(book, known, writer, settings.max_input_bytes),
        "desk": WorkDesk(
            book,
            workers,
            known,
            writer,
            finisher,
            settings.lease_seconds,
            settings.part_documents,
        ),
        "collections": known,
        "rebuilds": rebuilds,
        "writer": writer,
        "singles": SingleDocuments(recall, manifest, writer, analyzers),
    }


async def _keep_role(role: WriterRole, interval: float) -> None:
    while True:
        await role.renew()
        await asyncio.sleep(interval)


async def _background(stack: AsyncExitStack, work: "asyncio._CoroutineLike[None]") -> None:
    task = asyncio.create_task(work)

    async def end() -> None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    stack.push_async_callback(end)
