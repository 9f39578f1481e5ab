"""Coarse features: cheap numbers that compare a candidate with the query, without a model."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.common.text import WordAnalyzer
from services.common.text.spellings import held_share, with_spellings
from services.common.wire.rank import MAX_TEXT_CHARS, RankCandidate

_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

NAMES = (
    "dense",
    "dense_relative",
    "lexical_relative",
    "recall_relative",
    "title_coverage",
    "text_coverage",
    "title_match",
    "title_share",
    "order",
    "detail_in_text",
)
"""Names of the columns of the feature matrix, each 0 to 1.

dense             cosine of query and document, 0 where the dense leg did not find it
*_relative        score of a leg, or of both fused, between the worst (0) and the best (1) found
title_coverage    share of the query's characters that lie in words of the title
text_coverage     the same for title and text
title_match       1 when the title is the query, less when either has more than the other
title_share       share of the title's character pairs that the query has too
order             share of the query's character pairs that title or text have: words in a row
detail_in_text    how much detail the query gives, when the document has a text; 0 without one.
                  Details are met by texts, while a short query names a topic, as titles do, too
"""

_TOPIC_WORDS, _DETAIL_WORDS = 4, 8
"""Words up to which a query gives no detail, and from which on it gives as much as can be."""


_OF_WORDS = NAMES[NAMES.index("title_coverage") : NAMES.index("order") + 1]
"""The features that compare the words of query and candidate."""


@dataclass(frozen=True, slots=True)
class AnalysedQuery:
    """A query, folded and cut into words once for all candidates."""

    folded: str
    """Letters and digits of the folded query."""
    words: tuple[str, ...]
    """Words that stand in the folded query, each once."""
    pairs: frozenset[str]
    """Pairs of neighbouring characters of `folded`."""

    @classmethod
    def of(cls, text: str, analyzer: WordAnalyzer) -> "AnalysedQuery":
        """Analyses a query."""
        folded = analyzer.fold(text)
        words = [term for term in analyzer.terms(text) if term in folded]
        letters = bare(folded)
        return cls(letters, tuple(words), frozenset(_pairs(letters)))

    @property
    def detail(self) -> float:
        """How much detail the query gives, 0 to 1, by the number of its words."""
        share = (len(self.words) - _TOPIC_WORDS) / (_DETAIL_WORDS - _TOPIC_WORDS)
        return min(1.0, max(0.0, share))


def coarse_features(
    query: AnalysedQuery,
    candidates: Sequence[RankCandidate],
    analyzer: WordAnalyzer,
    usual: BoolArray | None = None,
) -> FloatArray:
    """The feature matrix, float64 [candidates, NAMES].

    A candidate with a wording of its own is compared with that. Scores are relative to those of the
    candidates in the mask `usual`; by default to all.
    """
    if usual is None:
        usual = np.ones(len(candidates), dtype=np.bool_)
    dense = np.array([each.dense or 0.0 for each in candidates])
    lexical = np.array([each.lexical or 0.0 for each in candidates])
    recall = np.array([each.score for each in candidates])
    wordings = {each.wording for each in candidates if each.wording is not None}
    analysed = {wording: AnalysedQuery.of(wording, analyzer) for wording in wordings}
    words = [
        _word_features(
            query if each.wording is None else analysed[each.wording],
            each.title,
            each.text[:MAX_TEXT_CHARS],
            analyzer,
        )
        for each in candidates
    ]
    return np.column_stack(
        [
            np.clip(dense, 0, 1),
            _relative(dense, usual),
            _relative(lexical, usual),
            _relative(recall, usual),
            np.array(words, dtype=float).reshape(-1, len(_OF_WORDS)),
            [query.detail if each.text.strip() else 0.0 for each in candidates],
        ]
    )


def _word_features(
    query: AnalysedQuery, title: str, text: str, analyzer: WordAnalyzer
) -> tuple[float, ...]:
    """How far a candidate has the words of a query: its features in the order of _OF_WORDS."""
    folded = analyzer.fold(title)
    bare_title = bare(folded)
    title = with_spellings(title, folded, query.words)
    text = text and with_spellings(text, analyzer.fold(text), query.words)
    content = f"{title}\n{text}"
    in_a_row = sum(pair in content for pair in query.pairs)
    return (
        held_share(query.words, title),
        held_share(query.words, content),
        _match(query.folded, bare_title),
        _share(query.pairs, bare_title),
        in_a_row / max(len(query.pairs), 1),
    )


def _relative(scores: FloatArray, usual: BoolArray) -> FloatArray:
    """Scores stretched from 0 (the worst that a leg found) to 1 (the best), of the usual ones.

    A document that the leg did not find, whose score is 0, stays at 0.
    """
    found = scores[usual & (scores != 0)]
    if not found.size or found.max() <= found.min():
        return np.where(scores != 0, 1.0, 0.0)
    low, high = float(found.min()), float(found.max())
    relative = np.clip((scores - low) / (high - low), 0.0, 1.0)
    return np.where(scores != 0, relative, 0.0)  # The worst may be below 0, as cosines may.


def _match(query: str, title: str) -> float:
    if not title or not query:
        return 0.0
    if query in title:
        return len(query) / len(title)
    return len(title) / len(query) if title in query else 0.0


def _share(query: frozenset[str], title: str) -> float:
    pairs = _pairs(title)
    return sum(pair in query for pair in pairs) / len(pairs) if pairs else 0.0


def bare(text: str) -> str:
    """Letters and digits, as str.isalnum has them."""
    return _NOT_ALPHANUMERIC.sub("", text)


def _pairs(text: str) -> list[str]:
    return [text[at : at + 2] for at in range(len(text) - 1)]
