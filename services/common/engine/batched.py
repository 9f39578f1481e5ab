"""Encoder and ranker shared between the tasks of an event loop."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

import numpy as np

from services.common.engine.batcher import QUEUED_TOKENS, Batcher, Priority
from services.common.engine.batches import plan_batches
from services.common.engine.forward import in_order
from services.common.engine.metrics import EngineMetrics
from services.common.engine.models import Encoder, Ranker
from services.common.engine.predictor import FloatArray
from services.common.engine.tokens import Tokens
from services.common.errors import DeadlineExceeded
from services.common.request_context import Deadline

_FEW = 8
"""Number of texts up to which tokenizing runs on the event loop; longer lists are tokenized in a
thread."""
_BLOCK = 32
"""Number of texts whose passes are planned together when the best texts go first."""


class BatchedEncoder:
    """An encoder whose callers share forward passes. Single queries go first."""

    def __init__(self, encoder: Encoder, batcher: Batcher) -> None:
        self.encoder = encoder
        self._batcher = batcher

    async def alive(self) -> None:
        """Raises ModelUnavailable when the model is stuck."""
        self._batcher.check()

    async def encode_queries(
        self, queries: Sequence[str], deadline: Deadline | None = None
    ) -> tuple[FloatArray, int]:
        """Unit vectors float32 [n, dimension] and the number of tokens that were read.

        One query, as a search has it, goes first; several wait behind searches as documents do.
        Raises Overloaded, DeadlineExceeded, ModelUnavailable.
        """
        if len(queries) <= _FEW:
            tokens = self.encoder.query_tokens(queries)
        else:
            tokens = await asyncio.to_thread(self.encoder.query_tokens, queries)
        priority = Priority.QUERY if len(queries) == 1 else Priority.BULK
        vectors = await _run(self._batcher, tokens, priority, deadline)
        return vectors, sum(map(len, tokens))

    async def encode(
        self, texts: Sequence[str], deadline: Deadline | None = None
    ) -> tuple[FloatArray, int]:
        """Unit vectors float32 [n, dimension] of rendered document texts, and their tokens.

        Documents wait behind queries. Raises Overloaded, DeadlineExceeded, ModelUnavailable.
        """
        tokens = await asyncio.to_thread(self.encoder.document_tokens, texts)
        vectors = await _run(self._batcher, tokens, Priority.BULK, deadline)
        return vectors, sum(map(len, tokens))


class BatchedRanker:
    """A ranker whose callers share forward passes."""

    def __init__(self, ranker: Ranker, batcher: Batcher) -> None:
        self.ranker = ranker
        self._batcher = batcher

    async def alive(self) -> None:
        """Raises ModelUnavailable when the model is stuck."""
        self._batcher.check()

    async def score(
        self, query: str, texts: Sequence[str], deadline: Deadline | None = None
    ) -> tuple[FloatArray, int]:
        """Logits float32 [n] of all texts and the number of tokens that were read.

        Raises Overloaded, DeadlineExceeded, ModelUnavailable.
        """
        pairs = await asyncio.to_thread(self.ranker.pair_tokens, query, texts)
        logits = await _run(self._batcher, pairs, Priority.BULK, deadline)
        return logits, sum(map(len, pairs))

    async def score_in_time(
        self, query: str, texts: Sequence[str], deadline: Deadline | None
    ) -> FloatArray:
        """Logits float32 [n] in the order of `texts`, best first; NaN where time ran out.

        Texts are taken in blocks from the front, so that the best are scored first; within a
        block, texts of similar length share a pass. Raises Overloaded or ModelUnavailable when
        not a single text was scored for that reason.
        """
        logits = np.full(len(texts), np.nan, dtype=np.float32)
        units: dict[asyncio.Task[FloatArray], list[int]] = {}
        try:
            for start, end in _blocks(len(texts)):
                if deadline is not None and deadline.expired:
                    break
                pairs = await asyncio.to_thread(self.ranker.pair_tokens, query, texts[start:end])
                lengths = [len(tokens) for tokens in pairs]
                for positions in plan_batches(lengths, self._batcher.passes):
                    unit = [pairs[position] for position in positions]
                    work = self._batcher.submit(unit, priority=Priority.QUERY, deadline=deadline)
                    units[asyncio.create_task(work)] = [start + each for each in positions]
            if units:
                await asyncio.wait(units, timeout=deadline.remaining() if deadline else None)
        finally:
            for task in units:
                task.cancel()
        errors: list[BaseException] = []
        for task, positions in units.items():
            if not task.done():
                continue
            error = task.exception()
            if error is None:
                logits[positions] = task.result()
            elif not isinstance(error, DeadlineExceeded):
                errors.append(error)
        if errors and np.isnan(logits).all():
            raise errors[0]
        return logits


async def _run(
    batcher: Batcher, sequences: Sequence[Tokens], priority: Priority, deadline: Deadline | None
) -> FloatArray:
    """Outputs of one or more sequences in their order, computed in planned units.

    Raises the error of the first unit that fails.
    """
    lengths = [len(tokens) for tokens in sequences]
    plan = plan_batches(lengths, batcher.passes)
    tasks = [
        asyncio.create_task(
            batcher.submit(
                [sequences[position] for position in unit], priority=priority, deadline=deadline
            )
        )
        for unit in plan
    ]
    try:
        outputs = await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
    return in_order(plan, outputs)


def _blocks(count: int) -> Iterator[tuple[int, int]]:
    """Start and end of each block of a list of `count`.

    The first block is small, so that a tight deadline still gets the best few scored.
    """
    start, end = 0, _FEW
    while start < count:
        yield start, min(end, count)
        start, end = end, end + _BLOCK


@asynccontextmanager
async def batched_encoder(
    encoder: Encoder,
    *,
    queued_tokens: int = QUEUED_TOKENS,
    metrics: EngineMetrics | None = None,
) -> AsyncIterator[BatchedEncoder]:
    """Shares an encoder until the context ends."""
    async with _batcher(encoder, queued_tokens, metrics) as batcher:
        yield BatchedEncoder(encoder, batcher)


@asynccontextmanager
async def batched_ranker(
    ranker: Ranker,
    *,
    queued_tokens: int = QUEUED_TOKENS,
    metrics: EngineMetrics | None = None,
) -> AsyncIterator[BatchedRanker]:
    """Shares a ranker until the context ends."""
    async with _batcher(ranker, queued_tokens, metrics) as batcher:
        yield BatchedRanker(ranker, batcher)


def _batcher(model: Encoder | Ranker, queued_tokens: int, metrics: EngineMetrics | None) -> Batcher:
    forward = model.forward
    return Batcher(
        forward.batch, forward.predictor.passes, queued_tokens=queued_tokens, metrics=metrics
    )
