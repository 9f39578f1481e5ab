"""Runs of the system as it is served: recall's legs, and the cascade through the gateway.

Nothing is computed here that serving computes: what is measured is what users get, models,
Milvus, fusion, deadlines and all.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from services.common.documents import Document
from services.common.request_context import Deadline
from services.common.service_client import ServiceClient
from services.common.wire.jobs import JobState
from services.common.wire.rank import MAX_TOP_K
from services.common.wire.recall import Mode, RecallRequest, RecallResponse
from training.evaluation.exact import DEPTH
from training.evaluation.legs import Rankings
from training.evaluation.tasks import Corpus, Query, Task
from xunwen.client import AsyncClient, Hit

RECALL_ROWS = {Mode.LEXICAL: "BM25", Mode.DENSE: "dense", Mode.HYBRID: "hybrid"}
COARSE, FINE, RERANK = "+ coarse", "+ fine", "+ rerank"

_PATIENCE_MS = 60_000
"""Budget of a measured search: quality is measured here, not speed."""


class IndexingFailed(Exception):
    """The corpus could not be indexed; the message says what the job reported."""


@dataclass(slots=True)
class ServedRun:
    """The rankings of a task, and what did not go as it should."""

    rankings: Rankings
    degraded: Counter[str] = field(default_factory=Counter)
    """Answers that were cut short, by what was missing. Not zero: the figures are too low."""


@asynccontextmanager
async def temporary_collection(
    gateway: AsyncClient, name: str, corpus: Corpus
) -> AsyncIterator[None]:
    """The corpus in a collection of its own, by a bulk job; removed at the end.

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
) -> ServedRun:
    """Rows of the table for one task; `progress` is told how many more queries are done.

    The cascade's rows rank the MAX_TOP_K documents that it answers, so their recall ends
    there. COARSE and FINE are the same answers in the order of these phases' scores.
    """
    run = ServedRun({row: {} for row in (*RECALL_ROWS.values(), COARSE, FINE, RERANK)})
    places = asyncio.Semaphore(concurrency)

    async def measured(query: Query) -> None:
        async with places:
            for mode, row in RECALL_ROWS.items():
                candidates = await _recalled(recall, query.text, collection, mode, run)
                run.rankings[row][query.id] = candidates
            hits = await _ranked(gateway, query.text, collection, run)
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


async def _recalled(
    recall: ServiceClient, query: str, collection: str, mode: Mode, run: ServedRun
) -> list[str]:
    answer = await recall.ask(
        "POST",
        "/search",
        RecallResponse,
        body=RecallRequest(query=query, collection=collection, top_n=DEPTH, mode=mode),
        deadline=Deadline.after(_PATIENCE_MS / 1000),
    )
    run.degraded.update(answer.degraded)
    return [candidate.id for candidate in answer.candidates]


async def _ranked(gateway: AsyncClient, query: str, collection: str, run: ServedRun) -> list[Hit]:
    answer = await gateway.search(
        query,
        collection=collection,
        top_k=MAX_TOP_K,
        recall_k=DEPTH,
        budget_ms=_PATIENCE_MS,
        fields=[],
    )
    run.degraded.update(answer.degraded)
    return answer.hits


def _documents(corpus: Corpus) -> Iterator[Document]:
    for id_, title, text in zip(corpus.ids, corpus.titles, corpus.texts, strict=True):
        yield Document(id=id_, title=title, text=text)
