"""Runs tasks on the system as it is served: recall's legs, and the cascade through the gateway.

Only the services compute, so the measures are those of what users get, with models, Milvus, fusion
and deadlines.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from services.common.calls.client import ServiceClient
from services.common.documents import Document
from services.common.request_context import Deadline
from services.common.wire.jobs import JobState
from services.common.wire.rank import MAX_TOP_K
from services.common.wire.recall import Mode, RecallRequest, RecallResponse
from training.evaluation.exact import DEPTH
from training.evaluation.legs import Rankings
from training.evaluation.tasks import Corpus, Query, Task
from xunwen.client import AsyncClient

RECALL_ROWS = {Mode.LEXICAL: "BM25", Mode.DENSE: "dense", Mode.HYBRID: "hybrid"}
COARSE, FINE, RERANK = "+ coarse", "+ fine", "+ rerank"

_PATIENCE_MS = 60_000
"""Budget of a measured search in milliseconds. It is long, since quality is measured and not
speed."""


class IndexingFailed(Exception):
    """The corpus could not be indexed; the message says what the job reported."""


@dataclass(slots=True)
class ServedRun:
    """The rankings of a task, and the parts of the system that did not take part."""

    rankings: Rankings
    degraded: Counter[str] = field(default_factory=Counter)
    """Number of incomplete answers by the missing part; if it is above 0, the figures are too
    low."""


@asynccontextmanager
async def temporary_collection(
    gateway: AsyncClient, name: str, corpus: Corpus
) -> AsyncIterator[None]:
    """Holds the corpus in a collection of its own, filled by a bulk job and removed at the end.

    Raises IndexingFailed, and whatever the client raises.
    """
    try:
        accepted = await gateway.index(_documents(corpus), collection=name)
        job = await gateway.wait(accepted.id)
        if job.state is not JobState.SUCCEEDED or job.counts.indexed != len(corpus):
            raise IndexingFailed(
                f"job {job.id} ended {job.state} with {job.counts.indexed:,} of {len(corpus):,}"
                f" documents. {job.message}"
            )
        yield
    finally:
        await gateway.delete_collection(name)


async def run_task(
    task: Task,
    collection: str,
    gateway: AsyncClient,
    recall: ServiceClient,
    *,
    concurrency: int,
    progress: Callable[[int], None],
    search_filter: dict[str, Any] | None = None,
) -> ServedRun:
    """Measures the rows of the table for one task; `progress` is called with the number of queries
    that were just done.

    With a filter only documents that it allows are searched.

    The cascade's rows rank the MAX_TOP_K documents that it answers, so their recall ends
    there. COARSE and FINE are the same answers in the order of these phases' scores.
    """
    run = ServedRun({row: {} for row in (*RECALL_ROWS.values(), COARSE, FINE, RERANK)})
    places = asyncio.Semaphore(concurrency)

    async def measured(query: Query) -> None:
        async with places:
            for mode, row in RECALL_ROWS.items():
                request = RecallRequest(
                    query=query.text,
                    collection=collection,
                    top_n=DEPTH,
                    mode=mode,
                    filter=search_filter,
                )
                run.rankings[row][query.id] = await _recalled(recall, request, run)
            answer = await gateway.search(
                query.text,
                collection=collection,
                top_k=MAX_TOP_K,
                recall_k=DEPTH,
                budget_ms=_PATIENCE_MS,
                fields=[],
                filter=search_filter or {},
            )
            run.degraded.update(answer.degraded)
            hits = answer.hits
        # Without the rank service the hits have no such score: `degraded` counts it.
        by_coarse = sorted(hits, key=lambda hit: -hit.scores.get("coarse", hit.score))
        by_score = sorted(hits, key=lambda hit: -hit.score)
        for row, order in ((COARSE, by_coarse), (FINE, by_score), (RERANK, hits)):
            run.rankings[row][query.id] = [hit.id for hit in order]
        progress(1)

    async with asyncio.TaskGroup() as group:
        for query in task.queries:
            group.create_task(measured(query))
    return run


async def _recalled(recall: ServiceClient, request: RecallRequest, run: ServedRun) -> list[str]:
    answer = await recall.ask(
        "POST",
        "/search",
        RecallResponse,
        body=request,
        deadline=Deadline.after(_PATIENCE_MS / 1000),
    )
    run.degraded.update(answer.degraded)
    return [candidate.id for candidate in answer.candidates]


def _documents(corpus: Corpus) -> Iterator[Document]:
    for id_, title, text in zip(corpus.ids, corpus.titles, corpus.texts, strict=True):
        yield Document(id=id_, title=title, text=text)
