"""Compares a new index with the old one by real queries, before the new one answers.

The queries come from the collection's golden set, and are answered by the whole cascade: recall in
both legs, then rank. Without a golden set, titles of the collection's own documents replace it, by
vectors alone; that is a weak gate, and the message says so.

Asking ends as soon as the new index is worse beyond doubt: with a ruined encoder, whose searches
cost rank the most, after some tens of queries. What is no worse is asked every query.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.common.collection import PhysicalName
from services.common.errors import EncoderMismatch
from services.common.wire.golden import GoldenQuery
from services.common.wire.recall import MAX_QUERY_CHARS, Mode
from services.indexer.index.gate.cascade import Cascade
from services.indexer.index.gate.comparison import Comparison
from services.indexer.index.gate.golden import GoldenSets
from services.indexer.index.gate.verdict import EARLY_CHANCE, Verdict, judge, looks
from services.indexer.index.port import VectorIndex

logger = logging.getLogger(__name__)

_SAMPLE = 100
"""Number of titles that are used if there is no golden set."""
_SEED = 0
"""Seed by which queries are drawn: the same golden set gives the same ones each time."""

Progress = Callable[[str], None]
"""Takes a sentence on how far a comparison is; an empty one when it has ended."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether the new index may answer, with a message that holds the figures."""

    passed: bool
    words: str


class SwitchGate:
    """Searches both indexes with at most `most` queries. Raises Unavailable while recall, Milvus or
    storage is away."""

    def __init__(
        self,
        golden: GoldenSets,
        cascade: Cascade,
        index: VectorIndex,
        tolerance: float,
        most: int,
    ) -> None:
        self._golden = golden
        self._cascade = cascade
        self._index = index
        self._tolerance = tolerance
        self._most = most

    async def compare(self, old: PhysicalName, new: PhysicalName, progress: Progress) -> Outcome:
        """Whether the new index of a collection answers as well as the old one."""
        queries = await self._golden.read(old.name)
        if weak := not queries:
            queries = await self._titles(old)
        queries = await self._in_both(queries, old, new)
        if not queries:
            return Outcome(
                True,
                "No golden query and no title asks for a document of both indexes, so the new one"
                " could not be compared.",
            )
        try:
            return await self._compared(queries, old, new, progress, weak=weak)
        except EncoderMismatch:
            logger.warning(
                "the gate was skipped: the encoder of the old index is not installed",
                extra={"collection": old.name, "encoder": old.encoder},
            )
            return Outcome(
                True,
                f"The encoder of the index before, {old.encoder}, is not installed, so the new one"
                " could not be compared with it.",
            )
        finally:
            progress("")

    async def _compared(
        self,
        queries: Sequence[GoldenQuery],
        old: PhysicalName,
        new: PhysicalName,
        progress: Progress,
        *,
        weak: bool,
    ) -> Outcome:
        """The outcome of queries that both indexes have documents for."""
        kind = "titles" if weak else "golden queries"
        drawn = random.Random(_SEED).sample(queries, min(len(queries), self._most))
        # A hybrid search does without the vector of a query that cannot be encoded.
        await self._cascade.candidates(old, drawn[0].query, Mode.DENSE, texts=False)
        mode = Mode.DENSE if weak else Mode.HYBRID
        ranked = self._cascade.rank is not None and not weak
        comparison = Comparison(self._cascade, old, new, mode, ranked, [], [])

        def asked() -> None:
            progress(
                "The new index is compared with the one before:"
                f" {len(comparison.by_recall):,} of at most {len(drawn):,} {kind} are answered."
            )

        asked()
        for count in looks(len(drawn)):
            await comparison.ask(drawn[len(comparison.by_recall) : count], asked)
            verdict = await asyncio.to_thread(
                judge, comparison.answered, len(drawn), self._tolerance
            )
            if verdict.worse:
                break
        words = _words(verdict, kind, asked=count, drawn=len(drawn), there=len(queries))
        if weak:
            words += (
                " This is a weak gate: the collection has no golden queries, so titles were asked"
                " for their own documents, by vectors alone."
            )
        if comparison.ranked:
            words += " The hits were ranked."
        elif ranked:
            logger.warning("the gate compared without ranking", extra={"collection": old.name})
            words += " The hits were not ranked, since the rank service did not answer."
        return Outcome(not verdict.worse, words)

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


def _words(verdict: Verdict, kind: str, *, asked: int, drawn: int, there: int) -> str:
    """The figures, how many queries of those that are there were asked and why no more, and which
    got worse."""
    share = f" of {there:,} {kind}, drawn at random" if asked < there else f" {kind}"
    words = f"{asked:,}{share}: {verdict.figures}."
    if asked < drawn:
        words += (
            " No more were asked, since chance explains so large a loss in fewer than 1 of"
            f" {1 / EARLY_CHANCE:,.0f} cases."
        )
    elif drawn < there:
        words += " A rebuild asks no more."
    return words + verdict.queries
