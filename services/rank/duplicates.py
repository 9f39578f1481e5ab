"""The last phase: near-duplicates go, and on demand similar hits make room for different ones."""

from collections.abc import Sequence

from services.common.text import WordAnalyzer
from services.common.wire.recall import Candidate

_GRAM = 3
_CHARS = 400
"""Enough of a document to tell a copy from a neighbour."""

Shingles = frozenset[str]


def shingles(candidate: Candidate, analyzer: WordAnalyzer) -> Shingles:
    """The character 3-grams of a document's beginning, folded, without punctuation."""
    folded = analyzer.fold(f"{candidate.title}{candidate.text[:_CHARS]}")
    bare = "".join(filter(str.isalnum, folded))
    return frozenset(bare[at : at + _GRAM] for at in range(max(1, len(bare) - _GRAM + 1)))


def similarity(left: Shingles, right: Shingles) -> float:
    """Jaccard: shared grams of all grams, 0 to 1."""
    shared = len(left & right)
    return shared / (len(left) + len(right) - shared)


def select(
    scores: Sequence[float],
    documents: Sequence[Shingles],
    *,
    top_k: int,
    diversity: float,
    duplicate: float,
) -> list[int]:
    """Positions of at most `top_k` documents, given best first, without near-duplicates.

    A document whose similarity to a chosen one reaches `duplicate` is left out. With
    `diversity` d, the next one maximises (1 - d) score - d similarity to the chosen
    (maximal marginal relevance, Carbonell and Goldstein, SIGIR 1998).
    """
    chosen: list[int] = []
    closest = [0.0] * len(documents)
    open_ = list(range(len(documents)))
    while open_ and len(chosen) < top_k:
        if diversity:
            best = max(open_, key=lambda at: (1 - diversity) * scores[at] - diversity * closest[at])
        else:
            best = open_[0]
        chosen.append(best)
        open_.remove(best)
        for at in open_:
            closest[at] = max(closest[at], similarity(documents[at], documents[best]))
        open_ = [at for at in open_ if closest[at] < duplicate]
    return chosen
