"""`python -m services.indexer.worker`: a Celery worker that plans inputs and encodes parts.

Threads, not processes: a forked child must not inherit Paddle's threads. One thread encodes
at a time, the others read, cut words and send what is encoded, so the encoder never waits.
Celery's own loop stays free and answers the broker. kill -9 at any moment loses nothing:
the ledger gives the parts to another worker when their leases run out.
"""

import gc
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

if __name__ == "__main__":
    gc.disable()  # until the start has ended

from celery import current_task, signals
from opentelemetry.trace import SpanKind
from prometheus_client import CollectorRegistry, Histogram

from services.common.engine import PredictorOptions, open_described
from services.common.engine.metrics import EngineMetrics
from services.common.errors import SearchError, StartFailed
from services.common.model_dir.encoders import EncoderDirectories
from services.common.objects import ObjectStoreSettings
from services.common.redis.address import RedisAddress
from services.common.server.garbage import set_apart
from services.common.server.listening import listener
from services.common.settings import read_settings
from services.common.telemetry.logs import configure_logs
from services.common.telemetry.tracing import span, tracing
from services.common.text import Analyzers
from services.indexer.dictionaries import Dictionaries
from services.indexer.intake.files.ocr import fault
from services.indexer.jobs.files import JobFiles
from services.indexer.originals import Originals
from services.indexer.queue import PART_TASK, PLAN_TASK, celery_app
from services.indexer.settings import IndexerSettings
from services.indexer.store import ObjectStore
from services.indexer.work.client import IndexerClient
from services.indexer.work.encode import PartEncoder, WorkerEncoders
from services.indexer.work.probe import probe_server
from services.indexer.work.tasks import Tasks

THREADS = 3
_HEARTBEAT_SECONDS = 2.0
_TASK_SECONDS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)

logger = logging.getLogger(__name__)


def main() -> int:
    """Runs a worker until SIGTERM; returns the exit code, 1 if it cannot start."""
    settings = read_settings(IndexerSettings, "worker")
    configure_logs("worker", settings.log_level)
    if settings.ocr_command and (reason := fault(settings.ocr_command)):
        sys.stderr.write(f"worker: XUNWEN_INDEXER_OCR_COMMAND: {reason}\n")
        return 1
    try:
        bound = listener(settings.host, settings.worker_port) if settings.worker_port else None
        options = PredictorOptions(threads=settings.threads, precision=settings.precision)
        directories = EncoderDirectories.read(settings.model_dir, settings.encoders)
        encoder = open_described(directories.default, options)
        analyzers = Analyzers(settings.dictionaries)
    except StartFailed as error:
        sys.stderr.write(f"worker: {error.detail}\n")
        return 1
    name = f"{socket.gethostname()}-{os.getpid()}"
    client = IndexerClient(settings.url, name, settings.token())
    objects = read_settings(ObjectStoreSettings, "worker")
    store = ObjectStore(settings.storage_url, objects.options(settings.storage_url))
    registry = CollectorRegistry()
    metrics = EngineMetrics(registry)
    metrics.shows(encoder.manifest, encoder.precision)
    seconds = Histogram(
        "xunwen_worker_task_seconds",
        "Time of a task, waiting for the indexer included",
        ("task",),
        buckets=_TASK_SECONDS,
        registry=registry,
    )
    encoders = WorkerEncoders(directories, encoder, options, settings.encoder_memory_mb << 20)
    parts = PartEncoder(encoders, metrics)
    originals = Originals(store, settings.max_original_bytes)
    dictionaries = Dictionaries(store, analyzers)
    tasks = Tasks(
        client, JobFiles(store), originals, parts, dictionaries, settings.ocr_command or ""
    )

    app = celery_app(RedisAddress.parse(settings.state_redis_url), settings.queue)
    for task, run in ((PLAN_TASK, tasks.plan), (PART_TASK, tasks.part)):
        app.task(_observed(task, run, seconds), name=task)

    def stop(**_: Any) -> None:
        client.stopping.set()

    signals.worker_shutting_down.connect(stop)
    threading.Thread(target=_beat, args=(client,), name="heartbeat", daemon=True).start()
    worker = app.Worker(
        pool="threads",
        concurrency=THREADS,
        hostname=f"xunwen@{name}",
        queues=[settings.queue],
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )
    with ExitStack() as stack:
        stack.enter_context(tracing("worker", settings.trace_endpoint, settings.trace_sample_ratio))
        if bound is not None:
            stack.enter_context(probe_server(bound, registry, lambda: parts.stuck))
        set_apart()
        worker.start()
    return int(worker.exitcode or 0)


def _observed(task: str, run: Callable[..., None], seconds: Histogram) -> Callable[..., None]:
    """The task with its time measured, in the trace of the message that asked for it."""
    timed = seconds.labels(task)  # The metric starts at 0 instead of appearing with the first task.

    def execute(*names: str) -> None:
        sent = current_task.request.get("traceparent")
        parent = {"traceparent": sent} if sent else {}
        about = {"job": names[0]}
        with (
            timed.time(),
            span(task, kind=SpanKind.CONSUMER, parent=parent, attributes=about),
        ):
            run(*names)

    return execute


def _beat(client: IndexerClient) -> None:
    """Sends heartbeats, also while the worker has nothing to do."""
    while not client.stopping.wait(_HEARTBEAT_SECONDS):
        try:
            client.heartbeat()
        except SearchError:
            logger.debug("the indexer does not answer")


if __name__ == "__main__":
    sys.exit(main())
