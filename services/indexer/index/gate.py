"""Compares a new index with the old one by real queries, before the new one answers.

The queries come from the collection's golden set, and are answered by the whole cascade: recall in
both legs, then rank. Without a golden set, titles of the collection's own documents replace it, by
vectors alone; that is a weak gate, and the message says so.
"""

import asyncio
import logging
from collections.abc import Sequence

from services.common.collection import PhysicalName
from services.common.errors import DeadlineExceeded, EncoderMismatch, Unavailable
from services.common.service_client import ServiceClient
from services.common.wire.golden import GoldenQuery
from services.common.wire.rank import RankCandidate, RankRequest, RankResponse
from services.common.wire.recall import MAX_QUERY_CHARS, Mode, RecallRequest, RecallResponse
from services.indexer.index.golden import GoldenSets
from services.indexer.index.port import VectorIndex
from services.indexer.index.verdict import BEST, DEPTH, Answer, Verdict, answer_of, judge

logger = logging.getLogger(__name__)

_SAMPLE = 100
"""Number of titles that are used if there is no golden set."""
_AT_ONCE = 2
"""Number of queries that are under way at the same time."""


class _RankAway(Exception):
    """The rank service did not answer, or not in full, so that its order cannot be compared."""


class SwitchGate:
    """Searches both indexes through recall, and through rank if there is one. Raises Unavailable
    while recall, Milvus or storage is away."""

    def __init__(
        self,
        golden: GoldenSets,
        recall: ServiceClient,
        rank: ServiceClient | None,
        index: VectorIndex,
        tolerance: float,
    ) -> None:
        self._golden = golden
        self._recall = recall
        self._rank = rank
        self._index = index
        self._tolerance = tolerance

    async def compare(self, old: PhysicalName, new: PhysicalName) -> Verdict:
        """Whether the new index of a collection answers as well as the old one."""
        queries = await self._golden.read(old.name)
        if weak := not queries:
            queries = await self._titles(old)
        queries = await self._in_both(queries, old, new)
        if not queries:
            return Verdict(
                True,
                "No golden query and no title asks for a document of both indexes, so the new one"
                " could not be compared.",
            )
        try:
            return await self._compared(queries, old, new, weak=weak)
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

    async def _compared(
        self, queries: Sequence[GoldenQuery], old: PhysicalName, new: PhysicalName, *, weak: bool
    ) -> Verdict:
        """The verdict on answers that are ranked, or on those of recall where rank is away."""
        asked = [each.query for each in queries]
        about = ""
        if self._rank is not None and not weak:
            try:
                before = await self._answers(old, queries, Mode.HYBRID, self._rank)
                now = await self._answers(new, queries, Mode.HYBRID, self._rank)
            except _RankAway:
                logger.warning("the gate compares without ranking", extra={"collection": old.name})
                about = " The hits were not ranked, since the rank service did not answer."
            else:
                verdict = judge(asked, before, now, self._tolerance, weak=False)
                return Verdict(verdict.passed, f"{verdict.words} The hits were ranked.")
        mode = Mode.DENSE if weak else Mode.HYBRID
        before = await self._answers(old, queries, mode, None)
        now = await self._answers(new, queries, mode, None)
        verdict = judge(asked, before, now, self._tolerance, weak=weak)
        return Verdict(verdict.passed, verdict.words + about)

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
        self,
        physical: PhysicalName,
        queries: Sequence[GoldenQuery],
        mode: Mode,
        rank: ServiceClient | None,
    ) -> list[Answer]:
        """The figures of each answer, ranked if a rank service is given. Raises _RankAway."""
        places = asyncio.Semaphore(_AT_ONCE)

        async def ask(query: GoldenQuery) -> Answer:
            body = RecallRequest(
                query=query.query,
                collection=physical.name,
                index=str(physical),
                top_n=DEPTH,
                mode=mode,
                texts=rank is not None,
            )
            async with places:
                found = await self._recall.ask("POST", "/search", RecallResponse, body=body)
                ids = [each.id for each in found.candidates]
                if rank is not None:
                    first = await _ranked(rank, query.query, found)
                    ids = list(dict.fromkeys([*first, *ids]))
            return answer_of(ids, query.ids)

        return await asyncio.gather(*map(ask, queries))


async def _ranked(rank: ServiceClient, query: str, found: RecallResponse) -> list[str]:
    """The ids of the best hits in the order of rank, as a search has them. Raises _RankAway."""
    candidates = [
        RankCandidate(
            id=one.id,
            title=one.title,
            text=one.text,
            dense=one.dense,
            lexical=one.lexical,
            score=one.score,
        )
        for one in found.candidates
    ]
    body = RankRequest(query=query, candidates=candidates, top_k=BEST)
    try:
        answer = await rank.ask("POST", "/rank", RankResponse, body=body)
    except (Unavailable, DeadlineExceeded) as error:
        raise _RankAway from error
    if answer.degraded:
        raise _RankAway
    return [hit.id for hit in answer.hits]
