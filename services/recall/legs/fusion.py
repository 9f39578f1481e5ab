"""The fusion of two legs: one order of the documents of both."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from services.common.wire.passages import MOST_SHOWN
from services.recall.domain import Found
from services.recall.legs.found import FoundColumns


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
    wording: str | None = None
    """Wording of the query of which the document holds more than of the query itself, if there is
    one."""


def fuse(dense: Sequence[Found], lexical: Sequence[Found], n: int, fusion: Fusion) -> list[Fused]:
    """The best n of both legs, best first; equal scores in the order of ids."""
    weights = fusion.dense_weight, 1 - fusion.dense_weight
    legs = FoundColumns.of(dense), FoundColumns.of(lexical)
    totals = dict(zip(legs[0].ids, _parts(legs[0].scores, fusion, weights[0]), strict=True))
    for id_, part in zip(legs[1].ids, _parts(legs[1].scores, fusion, weights[1]), strict=True):
        totals[id_] = totals.get(id_, 0.0) + part
    places = [{id_: place for place, id_ in enumerate(leg.ids)} for leg in legs]
    scales = [_scale(leg.scores, weight) for leg, weight in zip(legs, weights, strict=True)]
    fused = []
    for id_, total in _best(totals, n):
        found = [
            None if (place := known.get(id_)) is None else leg[place]
            for leg, known in zip((dense, lexical), places, strict=True)
        ]
        fused.append(_fused(found[0], found[1], total, scales))
    return fused


def _best(totals: Mapping[str, float], n: int) -> list[tuple[str, float]]:
    """The n documents of the highest totals, best first; equal ones in the order of ids."""
    least = sorted(totals.values())[-n] if len(totals) > n else -math.inf
    best = [(-total, id_) for id_, total in totals.items() if total >= least]
    return [(id_, -negative) for negative, id_ in sorted(best)[:n]]


def _fused(
    dense: Found | None,
    lexical: Found | None,
    score: float,
    scales: Sequence[tuple[float, float]],
) -> Fused:
    """A document that at least one leg found."""
    document = dense or lexical
    assert document is not None  # noqa: S101 - it has a score of one of them
    if any(one.passages for one in (dense, lexical) if one):
        document = document._replace(passages=_best_passages((dense, lexical), scales))
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


def _scale(scores: Sequence[float], weight: float) -> tuple[float, float]:
    """The worst score of a leg, and the factor by which what is above it counts."""
    if not scores:
        return 0.0, 0.0
    return scores[-1], weight / max(scores[0] - scores[-1], 1e-9)


def _parts(scores: Sequence[float], fusion: Fusion, weight: float) -> list[float]:
    """The part of each document's fused score that comes from one leg."""
    if fusion.method == "reciprocal_rank":
        return [1 / (fusion.rank_constant + rank) for rank in range(1, len(scores) + 1)]
    if not scores or scores[0] <= scores[-1]:
        return [weight] * len(scores)
    worst = scores[-1]
    spread = scores[0] - worst
    return [(score - worst) / spread * weight for score in scores]


def numbers_of(fused: Iterable[Fused]) -> dict[str, list[int]]:
    """The numbers of the best passages of each document, none of one that its own row found."""
    return {one.document.id: [number for number, _ in one.document.passages] for one in fused}
