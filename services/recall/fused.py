"""The fusion of two legs: one order of the documents of both."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import Literal, NamedTuple

from services.common.wire.passages import MOST_SHOWN
from services.recall.domain import Found


@dataclass(frozen=True, slots=True)
class Fusion:
    """The way to make one order of two legs."""

    method: Literal["weighted", "reciprocal_rank"] = "weighted"
    dense_weight: float = 0.6
    """Weight of the dense leg in weighted fusion; the lexical leg has the rest to 1."""
    rank_constant: int = 10
    """The k of 1 / (k + rank) in reciprocal rank fusion (Cormack et al., SIGIR 2009)."""


class Fused(NamedTuple):
    """A document with the scores of the legs that found it."""

    document: Found
    dense: float | None
    lexical: float | None
    score: float
    """Fused score, comparable within one answer only."""


def fuse(dense: Sequence[Found], lexical: Sequence[Found], n: int, fusion: Fusion) -> list[Fused]:
    """The best n of both legs, best first; equal scores in the order of ids."""
    dense_parts = _parts(dense, fusion, fusion.dense_weight)
    lexical_parts = _parts(lexical, fusion, 1 - fusion.dense_weight)
    totals = dict(dense_parts)
    for id_, part in lexical_parts.items():
        totals[id_] = totals.get(id_, 0.0) + part
    best = nsmallest(n, [(-total, id_) for id_, total in totals.items()])
    dense_found = {found.id: found for found in dense}
    lexical_found = {found.id: found for found in lexical}
    fused = [
        _fused(dense_found.get(id_), lexical_found.get(id_), -negative) for negative, id_ in best
    ]
    if not any(one.passages for leg in (dense, lexical) for one in leg):
        return fused
    scales = _scale(dense, fusion.dense_weight), _scale(lexical, 1 - fusion.dense_weight)
    return [
        one._replace(
            document=one.document._replace(
                passages=_best_passages(
                    (dense_found.get(one.document.id), lexical_found.get(one.document.id)), scales
                )
            )
        )
        for one in fused
    ]


def _fused(dense: Found | None, lexical: Found | None, score: float) -> Fused:
    """A document that at least one leg found."""
    document = dense or lexical
    assert document is not None  # noqa: S101 - it has a score of one of them
    return Fused(document, dense and dense.score, lexical and lexical.score, score)


def _best_passages(
    found: Iterable[Found | None], scales: Iterable[tuple[float, float]]
) -> tuple[tuple[int, float], ...]:
    """The passages of one document that either leg found, by both, best first."""
    totals: dict[int, float] = {}
    for one, (worst, scale) in zip(found, scales, strict=True):
        for number, score in one.passages if one else ():
            totals[number] = totals.get(number, 0.0) + max(score - worst, 0.0) * scale
    best = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
    return tuple(best[:MOST_SHOWN])


def _scale(leg: Sequence[Found], weight: float) -> tuple[float, float]:
    """The worst score of a leg, and the factor by which what is above it counts."""
    if not leg:
        return 0.0, 0.0
    best, worst = leg[0].score, leg[-1].score
    return worst, weight / max(best - worst, 1e-9)


def _parts(leg: Sequence[Found], fusion: Fusion, weight: float) -> dict[str, float]:
    """The part of each document's fused score that comes from one leg."""
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


def numbers_of(fused: Iterable[Fused]) -> dict[str, list[int]]:
    """The numbers of the best passages of each document, none of one that its own row found."""
    return {one.document.id: [number for number, _ in one.document.passages] for one in fused}
