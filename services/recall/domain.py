"""Recall: the candidates of a query from two legs, and how their scores become one order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from services.common.documents import FieldValue
from services.common.request_context import Deadline

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Index:
    """A searchable collection, as its server describes it."""

    physical: str
    encoder: str
    """Fingerprint of the encoder that filled it."""
    analyzer: str
    """Identity of the word analysis that filled it."""
    lexical: bool
    """Whether the server searches it by words."""


@dataclass(frozen=True, slots=True)
class Found:
    """A document that one leg found."""

    id: str
    score: float
    """Dense: cosine. Lexical: BM25, 0 or more."""
    title: str
    text: str
    fields: Mapping[str, FieldValue]


class DocumentIndex(Protocol):
    """Where documents are found."""

    async def resolve(self, collection: str, deadline: Deadline) -> Index:
        """The index behind a name. Raises CollectionNotFound, IndexUnavailable."""

    async def nearest(
        self, index: Index, vector: Vector, n: int, expression: str, deadline: Deadline
    ) -> list[Found]:
        """The n documents of the highest cosine, best first. Raises IndexUnavailable."""

    async def matching(
        self, index: Index, words: Sequence[str], n: int, expression: str, deadline: Deadline
    ) -> list[Found]:
        """The n documents of the highest BM25, best first. Raises IndexUnavailable."""


class QueryEncoder(Protocol):
    """Turns queries into vectors."""

    @property
    def fingerprint(self) -> str: ...

    async def encode_query(self, query: str, deadline: Deadline) -> Vector:
        """float32 [dimension], of unit length. Raises Unavailable, DeadlineExceeded."""


DENSE_WEIGHT = 0.6
"""Best on 517 dev papers: docs/quality.md."""


@dataclass(frozen=True, slots=True)
class Fusion:
    """How two legs become one order."""

    method: Literal["weighted", "reciprocal_rank"] = "weighted"
    dense_weight: float = DENSE_WEIGHT
    """Weighted: share of the dense leg; the lexical leg has the rest."""
    rank_constant: int = 10
    """Reciprocal rank: the k of 1 / (k + rank) (Cormack et al., SIGIR 2009)."""


@dataclass(frozen=True, slots=True)
class Fused:
    """A document with the scores of the legs that found it."""

    document: Found
    dense: float | None
    lexical: float | None
    score: float
    """Comparable within one answer only."""


def fuse(dense: Sequence[Found], lexical: Sequence[Found], n: int, fusion: Fusion) -> list[Fused]:
    """The best n of both legs, best first; equal scores in the order of ids."""
    dense_parts = _parts(dense, fusion, fusion.dense_weight)
    lexical_parts = _parts(lexical, fusion, 1 - fusion.dense_weight)
    documents = {found.id: found for found in (*lexical, *dense)}
    dense_scores = {found.id: found.score for found in dense}
    lexical_scores = {found.id: found.score for found in lexical}
    totals = [
        (-(dense_parts.get(id_, 0.0) + lexical_parts.get(id_, 0.0)), id_) for id_ in documents
    ]
    totals.sort()
    return [
        Fused(documents[id_], dense_scores.get(id_), lexical_scores.get(id_), -negative)
        for negative, id_ in totals[:n]
    ]


def _parts(leg: Sequence[Found], fusion: Fusion, weight: float) -> dict[str, float]:
    """What each document of a leg adds to its fused score."""
    if fusion.method == "reciprocal_rank":
        return {
            found.id: 1 / (fusion.rank_constant + rank) for rank, found in enumerate(leg, start=1)
        }
    if not leg:
        return {}
    best, worst = leg[0].score, leg[-1].score
    if best <= worst:
        return {found.id: weight for found in leg}
    scale = weight / (best - worst)
    return {found.id: (found.score - worst) * scale for found in leg}
