"""Asks two indexes the same queries and keeps the figures of their answers."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.common.collection import PhysicalName
from services.common.wire.golden import GoldenQuery
from services.common.wire.recall import Mode
from services.indexer.index.gate.cascade import Cascade, RankAway
from services.indexer.index.gate.verdict import Answered, Scored, answer_of

_AT_ONCE = 2
"""Number of queries that are under way at the same time."""


@dataclass(slots=True)
class Comparison:
    """The answers of two physical collections so far."""

    cascade: Cascade
    old: PhysicalName
    new: PhysicalName
    mode: Mode
    ranked: bool
    """Whether orders of rank are compared; false from the first query on that rank leaves
    unanswered, and then the orders of recall count for all queries."""
    by_recall: list[Answered]
    by_rank: list[Answered]

    @property
    def answered(self) -> list[Answered]:
        """The answers to all queries so far, all ranked or none."""
        return self.by_rank if self.ranked else self.by_recall

    async def ask(self, queries: Sequence[GoldenQuery], progress: Callable[[], None]) -> None:
        """Asks further queries, and calls `progress` after each. Raises EncoderMismatch,
        Unavailable."""
        left = iter(queries)

        async def work() -> None:
            for query in left:
                await self._ask(query)
                progress()

        tasks = [asyncio.create_task(work()) for _ in range(_AT_ONCE)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def _ask(self, query: GoldenQuery) -> None:
        old, new = [
            await self.cascade.candidates(physical, query.query, self.mode, texts=self.ranked)
            for physical in (self.old, self.new)
        ]
        orders = [[(one.id, one.score) for one in candidates] for candidates in (old, new)]
        found = [[one for one, _ in order] for order in orders]
        if self.ranked:
            try:
                best = await self.cascade.best(query.query, old)
                # Indexes that were filled by the same encoder mostly find the same.
                ranked = [best, best if new == old else await self.cascade.best(query.query, new)]
            except RankAway:
                self.ranked = False
            else:
                self.by_rank.append(_answered(query, found, ranked))
        self.by_recall.append(_answered(query, found, orders))


def _answered(
    query: GoldenQuery, found: Sequence[Sequence[str]], orders: Sequence[Sequence[Scored]]
) -> Answered:
    old, new = (answer_of(ids, best, query.ids) for ids, best in zip(found, orders, strict=True))
    return Answered(query.query, old, new)
