"""Compares a new index with the old one by real queries, before the new one answers.

The queries come from the collection's golden set. Without one, titles of its own documents replace
them, by vectors alone; that is a weak gate, and the message says so.
"""

import asyncio
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.common.collection import PhysicalName
from services.common.errors import EncoderMismatch
from services.common.service_client import ServiceClient
from services.common.wire.golden import GoldenQuery
from services.common.wire.recall import MAX_QUERY_CHARS, Mode, RecallRequest, RecallResponse
from services.indexer.index.golden import GoldenSets
from services.indexer.index.port import VectorIndex

logger = logging.getLogger(__name__)

_BEST = 10
_DEPTH = 100
_SAMPLE = 100
"""Number of titles that are used if there is no golden set."""
_AT_ONCE = 4
_CHANCE = 0.05
"""Probability above which a loss is taken for chance."""
_FLIPS = 10_000
_SHOWN = 3
"""Number of worse queries that the message names."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The quality of an index's answer to a query."""

    reciprocal: float
    """1 / rank of the first relevant document among the first ten; 0 if none is among them."""
    recall: float
    """Share of the relevant documents among the first hundred."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of the gate, with a message that holds its figures."""

    passed: bool
    words: str


def answer_of(found: Sequence[str], right: Sequence[str]) -> Answer:
    """The figures of one answer, whose ids are given best first."""
    first = next((rank for rank, one in enumerate(found[:_BEST], 1) if one in set(right)), 0)
    hits = len(set(found[:_DEPTH]) & set(right))
    return Answer(1 / first if first else 0.0, hits / len(set(right)))


def judge(
    queries: Sequence[str],
    old: Sequence[Answer],
    new: Sequence[Answer],
    tolerance: float,
    *,
    weak: bool,
) -> Verdict:
    """Compares answers to the same queries, at least one.

    The new index fails if it loses more than the tolerance in either figure, and signs that are
    turned at random (Fisher's paired test) lose as much in fewer than 5 of 100 cases.
    """
    losses = {
        f"MRR@{_BEST}": [o.reciprocal - n.reciprocal for o, n in zip(old, new, strict=True)],
        f"recall@{_DEPTH}": [o.recall - n.recall for o, n in zip(old, new, strict=True)],
    }
    before = [math.fsum(each.reciprocal for each in old), math.fsum(each.recall for each in old)]
    passed, figures = True, []
    for (name, lost), total in zip(losses.items(), before, strict=True):
        mean = math.fsum(lost) / len(lost)
        chance = _chance(lost)
        was = total / len(old)
        figures.append(f"{name} {was:.3f} before, {was - mean:.3f} now (p {chance:.3f})")
        passed = passed and not (mean > tolerance and chance < _CHANCE)
    words = f"{len(queries)} {'titles' if weak else 'golden queries'}: {'; '.join(figures)}."
    if weak:
        words += (
            " This is a weak gate: the collection has no golden queries, so titles were asked for"
            " their own documents, by vectors alone."
        )
    lost = losses[f"MRR@{_BEST}"]
    worst = sorted(range(len(lost)), key=lambda at: -lost[at])[:_SHOWN]
    if not passed and (named := [queries[at][:60] for at in worst if lost[at] > 0]):
        words += f" Worse than before, among others: {', '.join(map(repr, named))}."
    return Verdict(passed, words)


def _chance(lost: Sequence[float]) -> float:
    """The probability that the losses with random signs have at least the same sum."""
    losses = np.array([loss for loss in lost if loss], dtype=np.float64)
    if not len(losses):
        return 1.0
    signs = np.random.default_rng(0).choice((-1.0, 1.0), (_FLIPS, len(losses)))
    return float(np.mean(signs @ losses >= losses.sum() - 1e-12))


class SwitchGate:
    """Searches both indexes through recall. Raises Unavailable while recall, Milvus or storage is
    away."""

    def __init__(
        self, golden: GoldenSets, recall: ServiceClient, index: VectorIndex, tolerance: float
    ) -> None:
        self._golden = golden
        self._recall = recall
        self._index = index
        self._tolerance = tolerance

    async def compare(self, old: PhysicalName, new: PhysicalName) -> Verdict:
        """Whether the new index of a collection answers as well as the old one."""
        queries, mode = await self._golden.read(old.name), Mode.HYBRID
        if weak := not queries:
            queries, mode = await self._titles(old), Mode.DENSE
        queries = await self._in_both(queries, old, new)
        if not queries:
            return Verdict(
                True,
                "No golden query and no title asks for a document of both indexes, so the new one"
                " could not be compared.",
            )
        try:
            before = await self._answers(old, queries, mode)
            now = await self._answers(new, queries, mode)
        except EncoderMismatch:
            logger.warning(
                "the gate was skipped: the encoder of the old index is not installed",
                extra={"collection": old.name, "encoder": old.encoder},
            )
            return Verdict(
                True,
                f"The encoder of the index before, {old.encoder}, is not installed, so the new one"
                " could not be compared with it.",
            )
        asked = [each.query for each in queries]
        return judge(asked, before, now, self._tolerance, weak=weak)

    async def _in_both(
        self, queries: Sequence[GoldenQuery], old: PhysicalName, new: PhysicalName
    ) -> list[GoldenQuery]:
        """The queries, each with those of its documents that both indexes have.

        A rebuild from a file may leave documents out, which is no fault of the new index.
        """
        ids = list(dict.fromkeys(one for query in queries for one in query.ids))
        there = set(await self._index.versions(old, ids)) & set(
            await self._index.versions(new, ids)
        )
        kept = [(query, [one for one in query.ids if one in there]) for query in queries]
        return [GoldenQuery(query=query.query, ids=right) for query, right in kept if right]

    async def _titles(self, physical: PhysicalName) -> list[GoldenQuery]:
        ids = await self._index.matching(physical, 'title != ""', _SAMPLE)
        rows = await self._index.documents(physical, ids)
        return [
            GoldenQuery(query=row.document.title[:MAX_QUERY_CHARS], ids=[row.id]) for row in rows
        ]

    async def _answers(
        self, physical: PhysicalName, queries: Sequence[GoldenQuery], mode: Mode
    ) -> list[Answer]:
        places = asyncio.Semaphore(_AT_ONCE)

        async def ask(query: GoldenQuery) -> Answer:
            body = RecallRequest(
                query=query.query,
                collection=physical.name,
                index=str(physical),
                top_n=_DEPTH,
                mode=mode,
                texts=False,
            )
            async with places:
                found = await self._recall.ask("POST", "/search", RecallResponse, body=body)
            return answer_of([each.id for each in found.candidates], query.ids)

        return await asyncio.gather(*map(ask, queries))
