"""Asks a query of one physical collection through recall and rank, as a search does."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from services.common.calls.client import ServiceClient
from services.common.collection import PhysicalName
from services.common.errors import DeadlineExceeded, Unavailable
from services.common.request_context import Deadline
from services.common.wire.rank import RankCandidate, RankRequest, RankResponse, considered
from services.common.wire.recall import Candidate, Mode, RecallRequest, RecallResponse
from services.indexer.index.gate.verdict import BEST, DEPTH, Scored

_TRIES = 3
"""Number of times that rank is asked for the same query before it counts as away."""
_PAUSE_SECONDS = 1.0
"""Seconds between two such calls, in which a full queue of rank gets shorter."""


class RankAway(Exception):
    """Rank did not answer, or not in full, so that its order cannot be compared."""


@dataclass(frozen=True, slots=True)
class Cascade:
    """The two stages of a search. There may be no rank service."""

    recall: ServiceClient
    rank: ServiceClient | None

    async def candidates(
        self, physical: PhysicalName, query: str, mode: Mode, *, texts: bool
    ) -> list[Candidate]:
        """The candidates of a query, best first; with their texts if rank is to read them.

        Raises EncoderMismatch if a query cannot be encoded for the collection, Unavailable.
        """
        body = RecallRequest(
            query=query,
            collection=physical.name,
            index=str(physical),
            best=considered(BEST) if texts else DEPTH,
            mode=mode,
            texts=texts,
        )
        deadline = Deadline.after(self.recall.timeout)
        try:
            found = await self.recall.ask(
                "POST", "/search", RecallResponse, body=body, deadline=deadline
            )
        except DeadlineExceeded as error:
            raise Unavailable("Recall is too slow to answer golden queries.") from error
        if found.degraded:
            raise Unavailable(f"Recall answers golden queries without {', '.join(found.degraded)}.")
        return found.candidates

    async def best(self, query: str, candidates: Sequence[Candidate]) -> list[Scored]:
        """The best candidates in the order of rank, with its scores. Raises RankAway."""
        if self.rank is None:
            raise RankAway
        body = RankRequest(query=query, candidates=list(map(_to_rank, candidates)), top_k=BEST)
        for attempt in range(_TRIES):
            if attempt:
                await asyncio.sleep(_PAUSE_SECONDS)
            try:
                answer = await self.rank.ask(
                    "POST",
                    "/rank",
                    RankResponse,
                    body=body,
                    deadline=Deadline.after(self.rank.timeout),
                )
            except (Unavailable, DeadlineExceeded):
                continue
            if not answer.degraded:
                return [(hit.id, hit.score) for hit in answer.hits]
        raise RankAway


def _to_rank(one: Candidate) -> RankCandidate:
    return RankCandidate(
        id=one.id,
        title=one.title,
        text=one.text,
        dense=one.dense,
        lexical=one.lexical,
        score=one.score,
    )
