"""Rank over HTTP. It gets no metadata, and of each text what it reads."""

from dataclasses import dataclass
from typing import Any

import orjson

from services.common.calls.client import ServiceClient
from services.common.request_context import Deadline
from services.common.wire.rank import MAX_TEXT_CHARS, RankResponse
from services.gateway.search.cascade.hits import CandidateMembers, RecallAnswer
from services.gateway.search.cascade.transfer import posted
from services.gateway.search.query.search import Search


@dataclass(slots=True)
class RankService:
    """The rank service as a ranker of candidates."""

    client: ServiceClient

    async def rank(
        self, search: Search, recalled: RecallAnswer, deadline: Deadline
    ) -> RankResponse:
        """Ranks the candidates of a search. Raises Unavailable or DeadlineExceeded."""
        body: dict[str, Any] = {
            "query": search.query,
            "candidates": [
                _rank_candidate(one, recalled.boosted.get(one["id"])) for one in recalled.candidates
            ],
            "top_k": search.top_k,
            "diversity": search.diversity,
            "explain": search.explain,
        }
        return await posted(
            self.client, "/rank", orjson.dumps(body), deadline, RankResponse.model_validate_json
        )


def _rank_candidate(
    candidate: CandidateMembers, boosted: tuple[float, float] | None
) -> dict[str, Any]:
    """The members of a wire RankCandidate: no metadata, and the beginning of the text.

    `boosted` are the log-odds that boosts add, and the score without them.
    """
    boost, score = boosted or (0.0, candidate["score"])
    return {
        "id": candidate["id"],
        "title": candidate["title"],
        "text": candidate["text"][:MAX_TEXT_CHARS],
        "dense": candidate.get("dense"),
        "lexical": candidate.get("lexical"),
        "score": score,
        "boost": boost,
        "wording": candidate.get("wording"),
    }
