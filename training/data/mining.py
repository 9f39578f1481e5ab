"""Hard negatives: what recall ranks high for a query although another document is the answer."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.common.engine.predictor import FloatArray
from training import durable
from training.data.blocks import blocks
from training.data.pairs import Pair, normal

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MiningOptions:
    """The ranks that negatives come from, and the bound above which a document may be an answer."""

    count: int = 7
    """Most negatives of a query."""
    least: int = 7
    """A query with fewer negatives than this is left out."""
    first: int = 1
    last: int = 50
    """Worst rank to draw from; the best of all documents has rank 1."""
    ceiling: float = 0.95
    """Share of the answer's cosine above which a document may be an answer too and is left out."""
    seed: int = 1


def hard_negatives(
    queries: FloatArray,
    documents: FloatArray,
    answers: Sequence[int | None],
    same: Sequence[frozenset[int]],
    options: MiningOptions,
) -> list[list[int]]:
    """Rows of the negatives of each query; an empty list for a query that is left out.

    queries float32 [n, d] and documents float32 [m, d], both of unit length. `answers` has the row
    of each query's answer, None where it is not among the documents; `same` has rows that are the
    query or its answer again. Comparing cosines with a share of the answer's own is the filter of
    NV-Retriever (Moreira et al., 2024); RocketQA (Qu et al., 2021) asks a cross-encoder instead.
    """
    rng = np.random.default_rng(options.seed)
    mined: list[list[int]] = []
    for block in blocks(len(queries), len(documents)):
        cosines = queries[block] @ documents.T
        depth = min(options.last, cosines.shape[1])
        best = np.argpartition(-cosines, depth - 1, axis=1)[:, :depth]
        for offset, rows in enumerate(best):
            at = block.start + offset
            line, answer = cosines[offset], answers[at]
            limit = np.inf if answer is None else options.ceiling * float(line[answer])
            ranked = rows[np.argsort(-line[rows], kind="stable")][options.first - 1 :]
            allowed = [
                int(row)
                for row in ranked
                if row != answer and line[row] < limit and row not in same[at]
            ]
            drawn = rng.permutation(len(allowed))[: options.count]
            enough = len(allowed) >= options.least
            mined.append([allowed[place] for place in sorted(drawn)] if enough else [])
    log.info("negatives for %d of %d queries", sum(map(bool, mined)), len(mined))
    return mined


def mine_texts(
    pairs: Sequence[Pair],
    query_vectors: FloatArray,
    corpus: Sequence[str],
    corpus_vectors: FloatArray,
    options: MiningOptions,
    known: Sequence[Pair],
) -> list[tuple[str, ...]]:
    """(query, answer, negative...) of the pairs that have enough negatives in `corpus`. `known` are
    all pairs whose answers are known, those that are not asked too."""
    rows_of: dict[str, list[int]] = {}
    for row, text in enumerate(corpus):
        rows_of.setdefault(normal(text), []).append(row)
    own = [rows_of.get(normal(pair.title), []) for pair in pairs]
    right = _right((pair.query, rows_of.get(normal(pair.title), [])) for pair in known)
    mined = hard_negatives(
        query_vectors,
        corpus_vectors,
        [rows[0] if rows else None for rows in own],
        [right[normal(pair.query)].union(rows_of.get(normal(pair.query), [])) for pair in pairs],
        options,
    )
    return [
        (pair.query, pair.title, *(corpus[row] for row in negatives))
        for pair, negatives in zip(pairs, mined, strict=True)
        if negatives
    ]


def mine_ids(
    queries: Sequence[tuple[str, str]],
    query_vectors: FloatArray,
    ids: Sequence[str],
    vectors: FloatArray,
    options: MiningOptions,
    known: Sequence[tuple[str, str]],
) -> list[tuple[str, ...]]:
    """(query, answer id, negative id...) of the (query, answer id) that have enough negatives.
    `known` are all of which the answer is known, those that are not asked too."""
    row_of = {key: row for row, key in enumerate(ids)}
    answers = [row_of[key] for _, key in queries]
    right = _right((query, [row_of[key]]) for query, key in known if key in row_of)
    same = [right[normal(query)] for query, _ in queries]
    mined = hard_negatives(query_vectors, vectors, answers, same, options)
    return [
        (query, key, *(ids[row] for row in negatives))
        for (query, key), negatives in zip(queries, mined, strict=True)
        if negatives
    ]


def _right(answered: Iterable[tuple[str, Sequence[int]]]) -> dict[str, frozenset[int]]:
    """The rows of all answers of each query, by `normal`: a document that answers another query of
    the same words is no negative of this one."""
    rows_of: dict[str, set[int]] = {}
    for query, rows in answered:
        rows_of.setdefault(normal(query), set()).update(rows)
    return {query: frozenset(rows) for query, rows in rows_of.items()}


def write_lists(path: Path, lists: Iterable[Sequence[str]]) -> int:
    """Write `query<TAB>answer<TAB>negative...` lines; returns how many."""
    return durable.write_lines(
        path, ("\t".join(" ".join(cell.split()) for cell in cells) for cells in lists)
    )
