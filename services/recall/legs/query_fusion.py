"""Computes the dense leg's weight for each query, from the results of both legs.

Words must win for exact titles and rare terms, vectors for paraphrases and for English queries
about Chinese documents. No constant weight does both. A logistic model gives the dense leg's weight
for a query; `xunwen eval blend` fits it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from services.common.blend import FittedWeights
from services.common.errors import ModelInvalid
from services.common.odds import probability
from services.common.text import WordAnalyzer
from services.common.text.analyzer import compared
from services.common.text.spellings import held_share, with_spellings
from services.recall.domain import Found

Evidence = npt.NDArray[np.float64]

NAMES = (
    "constant",
    "dense_best",
    "dense_gap",
    "dense_lead",
    "lexical_gap",
    "lexical_lead",
    "lexical_coverage",
    "dense_coverage",
    "agreement",
    "same_best",
    "latin",
    "length",
)
"""The numbers of `evidence`, each 0 to 1.

constant          always 1
dense_best        cosine of the dense leg's best
dense_gap         its distance to the second
dense_lead        its distance to the mean of the second to the tenth
lexical_gap       distance of the lexical leg's best to its second, as a share of the best score
lexical_lead      its distance to the mean of the second to the tenth, likewise
lexical_coverage  share of the query's characters in words that the lexical best has
dense_coverage    share of the query's characters in words that the dense best has
agreement         share of the ten best that both legs have
same_best         1 when both legs have the same best
latin             share of Latin letters among the query's letters and digits
length            characters of the query, 1 from 60 on
"""

BEST = 10
"""Number of documents of each leg, best first, that the numbers are computed from."""
_TEXT_CHARS = 1_000
_LONG_QUERY = 60


def evidence(
    query: str, dense: Sequence[Found], lexical: Sequence[Found], analyzer: WordAnalyzer
) -> Evidence:
    """The numbers NAMES, float64, of a query and of the documents of both legs, best first, at
    least one each."""
    folded = analyzer.fold(query)
    words = [term for term in analyzer.terms(query) if term in folded]
    characters = [each for each in folded if each.isalnum()]
    latin = sum(each.isascii() and each.isalpha() for each in characters)
    ids = [{found.id for found in leg[:BEST]} for leg in (dense, lexical)]
    cosines = np.array([found.score for found in dense[:BEST]])
    matches = np.array([found.score for found in lexical[:BEST]])
    values = [
        1.0,
        cosines[0],
        cosines[0] - _second(cosines),
        cosines[0] - _others(cosines),
        1 - _second(matches) / max(matches[0], 1e-9),
        1 - _others(matches) / max(matches[0], 1e-9),
        _coverage(words, lexical[0]),
        _coverage(words, dense[0]),
        len(ids[0] & ids[1]) / BEST,
        float(dense[0].id == lexical[0].id),
        latin / max(len(characters), 1),
        min(len(folded) / _LONG_QUERY, 1.0),
    ]
    return np.clip(np.array(values, dtype=np.float64), 0.0, 1.0)


def _second(scores: Evidence) -> float:
    return float(scores[1]) if len(scores) > 1 else 0.0


def _others(scores: Evidence) -> float:
    return float(scores[1:].mean()) if len(scores) > 1 else 0.0


def _coverage(words: Sequence[str], found: Found) -> float:
    """Share of the characters of words that stand in title or text, words weighed by length."""
    parts = (found.title, found.text[:_TEXT_CHARS])
    content = "\n".join(with_spellings(part, compared(part), words) for part in parts)
    return held_share(words, content)


@dataclass(frozen=True, slots=True)
class QueryFusion:
    """The fitted model of the dense leg's weight."""

    weights: tuple[float, ...]
    """Log-odds for each number of NAMES."""

    @classmethod
    def of(cls, fitted: FittedWeights) -> Self:
        """The model of fitted weights. Raises ModelInvalid if these belong to other numbers than
        NAMES."""
        if set(fitted.fusion) != set(NAMES):
            raise ModelInvalid(
                "the weights of fusion are of other numbers than this version computes;"
                " `xunwen eval blend` fits them again"
            )
        return cls(tuple(fitted.fusion[name] for name in NAMES))

    def dense_weight(
        self,
        query: str,
        dense: Sequence[Found],
        lexical: Sequence[Found],
        analyzer: WordAnalyzer,
    ) -> float:
        """The dense leg's weight for a query, 0 to 1; 1 if no word was found."""
        if not dense or not lexical:
            return 1.0 if dense else 0.0
        odds = evidence(query, dense, lexical, analyzer) @ np.array(self.weights)
        return float(probability(odds))
