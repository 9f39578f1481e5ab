"""The contract between gateway and rank: POST /rank (all phases) and POST /rerank (plain pairs)."""

from pydantic import BaseModel, ConfigDict, Field

from services.common.wire.recall import MAX_CANDIDATES, MAX_QUERY_CHARS
from services.common.wire.stages import Stage

MAX_TOP_K = 100

MAX_TEXT_CHARS = 2_000
"""Characters of a text that rank reads; the gateway sends no more of it."""


SCALED_BY = 60
"""Number of candidates, the best ones without boosts, that scores are relative to. It depends on
nothing, so that a document has the same score whatever the number of hits that is asked for."""


def considered(top_k: int) -> int:
    """The number of candidates, best first, that rank considers for `top_k` hits. No more are sent
    to it, or with boosts up to as many again, which these raise among the best.

    On dev queries 60 candidates lose nothing against 200 (docs/measurements/2026-11-29-sixty.md),
    and their texts are read, sent and compared with the query in a third of the time.
    """
    return max(SCALED_BY, 5 * top_k)


class RankCandidate(BaseModel):
    """The members of a candidate that rank reads: no metadata, and only the beginning of its
    text."""

    model_config = ConfigDict(frozen=True)

    id: str
    title: str
    text: str = Field(
        description="The first MAX_TEXT_CHARS characters of the text; more is not read"
    )
    dense: float | None = Field(default=None, description="Cosine of query and document, -1 to 1")
    lexical: float | None = Field(default=None, description="BM25 score, 0 or more")
    score: float = Field(
        description="Fused score without boosts; comparable within one search only"
    )
    boost: float = Field(default=0.0, description="Log-odds that boosts add to its relevance")
    wording: str | None = Field(
        default=None,
        description="Wording of the query by synonyms, with which the candidate is compared; None"
        " for the query itself",
    )


class RankRequest(BaseModel):
    """Asks rank for the best of a query's candidates."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1, max_length=MAX_QUERY_CHARS)
    candidates: list[RankCandidate] = Field(max_length=MAX_CANDIDATES)
    top_k: int = Field(default=10, ge=1, le=MAX_TOP_K)
    diversity: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Weight of diversity in maximal marginal relevance; 0 turns it off",
    )
    explain: bool = False


class RankedHit(BaseModel):
    """A candidate with its final score and the scores behind it."""

    id: str
    score: float = Field(
        ge=0,
        le=1,
        description="Probability of relevance, comparable across queries, with boosts in it",
    )
    scores: dict[str, float] = Field(
        description="Score of each phase (dense, lexical, coarse, fine), and the factor of boosts;"
        " with explain also features"
    )


class RankResponse(BaseModel):
    """The best candidates, the best one first."""

    hits: list[RankedHit] = Field(description="The hits, best first, at most `top_k`")
    ranker: str = Field(description="Fingerprint of the ranker")
    stages: list[Stage]
    degraded: list[str] = Field(
        default_factory=list, description="`rank` when the fine phase was cut short"
    )


class RerankRequest(BaseModel):
    """Asks rank for the relevance of texts to a query."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1, max_length=MAX_QUERY_CHARS)
    documents: list[str] = Field(min_length=1, max_length=1000)


class RerankResponse(BaseModel):
    """The relevance of each text, from 0 to 1, in the order of the texts."""

    scores: list[float] = Field(description="Relevance in [0, 1], in the order of the documents")
    tokens: int
    ranker: str = Field(description="Fingerprint of the ranker")
