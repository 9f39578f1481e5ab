"""gateway -> rank: POST /rank (the cascade's phases) and POST /rerank (plain pairs)."""

from pydantic import BaseModel, ConfigDict, Field

from services.common.wire.recall import MAX_CANDIDATES, MAX_QUERY_CHARS, Candidate
from services.common.wire.stages import Stage

MAX_TOP_K = 100


class RankRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1, max_length=MAX_QUERY_CHARS)
    candidates: list[Candidate] = Field(max_length=MAX_CANDIDATES)
    top_k: int = Field(default=10, ge=1, le=MAX_TOP_K)
    keep: int | None = Field(
        default=None, ge=1, le=1000, description="Fine-ranked; default: setting"
    )
    diversity: float = Field(default=0.0, ge=0, le=1, description="MMR weight; 0 is off")
    explain: bool = False


class RankedHit(BaseModel):
    id: str
    score: float = Field(ge=0, le=1, description="Calibrated; comparable across queries")
    scores: dict[str, float] = Field(
        description="Score per phase (dense, lexical, coarse, fine); all features with explain"
    )


class RankResponse(BaseModel):
    hits: list[RankedHit] = Field(description="Best first, at most top_k")
    ranker: str = Field(description="Fingerprint of the ranker")
    stages: list[Stage]
    degraded: list[str] = Field(
        default_factory=list, description="`rank` when the fine phase was cut"
    )


class RerankRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1, max_length=MAX_QUERY_CHARS)
    documents: list[str] = Field(min_length=1, max_length=1000)


class RerankResponse(BaseModel):
    scores: list[float] = Field(description="Relevance in [0, 1], in the order of the documents")
    tokens: int
    ranker: str
