"""Measures recall against exact search, and latency, of a collection at several settings of its
index."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymilvus import MilvusClient

from services.common.collection import Field

Vectors = NDArray[np.float32]

_PAGE = 1000
_AT_ONCE = 16
"""Queries that are answered exactly at once; their scores of 500,000 rows take 100 MB."""
_SETTINGS: dict[str, tuple[str, str, tuple[int, ...]]] = {
    "HNSW": ("ef", "XUNWEN_RECALL_EF", (16, 32, 64, 128, 256, 512, 1024)),
    "DISKANN": ("search_list", "XUNWEN_RECALL_EF", (16, 32, 64, 128, 256, 512)),
    "IVF": ("nprobe", "XUNWEN_RECALL_NPROBE", (1, 4, 8, 16, 32, 64, 128, 256)),
}


@dataclass(frozen=True, slots=True)
class Knob:
    """The parameter of a kind of index that trades recall for time."""

    parameter: str
    variable: str
    """Name of the recall service's setting that holds the parameter."""
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """Recall and latency of the searches at one value of an index parameter."""

    value: int
    recall: float
    """Share of the exact top k that was found, 0 to 1."""
    p50_ms: float
    p99_ms: float


def knob_of(index_type: str) -> Knob | None:
    """The parameter of an index; None for one that searches exactly."""
    for prefix, setting in _SETTINGS.items():
        if index_type.startswith(prefix):
            return Knob(*setting)
    return None


def all_vectors(client: MilvusClient, collection: str) -> tuple[list[str], list[str], Vectors]:
    """Ids, titles and vectors of a whole collection: float32 [rows, dimension]."""
    ids: list[str] = []
    titles: list[str] = []
    blocks: list[Vectors] = []
    for rows in _pages(client, collection):
        ids += [row[Field.ID] for row in rows]
        titles += [row[Field.TITLE] for row in rows]
        blocks.append(np.array([row[Field.VECTOR] for row in rows], dtype=np.float32))
    return ids, titles, np.concatenate(blocks) if blocks else np.empty((0, 0), dtype=np.float32)


def readings(
    client: MilvusClient,
    collection: str,
    knob: Knob,
    queries: Vectors,
    truth: Sequence[frozenset[str]],
    k: int,
) -> Iterator[Reading]:
    """Measures each value of the parameter, one outcome for each. `truth` holds the ids of the
    exact top k of each query."""
    for value in knob.values:
        if knob.parameter != "nprobe" and value < k:
            continue  # A search list that is shorter than k is an error.
        found, took = 0, []
        for query, exact in zip(queries, truth, strict=True):
            started = time.perf_counter()
            hits = client.search(
                collection,
                data=[query.tolist()],
                anns_field=Field.VECTOR,
                limit=k,
                output_fields=[Field.ID],
                search_params={"metric_type": "IP", "params": {knob.parameter: value}},
            )[0]
            took.append(time.perf_counter() - started)
            found += len(exact & {hit["entity"][Field.ID] for hit in hits})
        median, slowest = np.quantile(took, [0.5, 0.99]) * 1000
        share = found / sum(map(len, truth))
        yield Reading(value, share, float(median), float(slowest))


def exact_top(
    ids: Sequence[str], vectors: Vectors, queries: Vectors, k: int
) -> list[frozenset[str]]:
    """The ids of the k highest inner products of each query."""
    found: list[frozenset[str]] = []
    for start in range(0, len(queries), _AT_ONCE):
        scores = queries[start : start + _AT_ONCE] @ vectors.T
        best = np.argpartition(scores, len(ids) - k, axis=1)[:, -k:]
        found += [frozenset(ids[at] for at in row) for row in best]
    return found


def recommended(found: Sequence[Reading], target: float) -> Reading:
    """The fastest outcome that reaches the target; without one, that of the highest recall."""
    enough = [reading for reading in found if reading.recall >= target]
    if enough:
        return min(enough, key=lambda reading: reading.value)
    return max(found, key=lambda reading: reading.recall)


def _pages(client: MilvusClient, collection: str) -> Iterator[list[dict[str, Any]]]:
    pages = client.query_iterator(
        collection, batch_size=_PAGE, output_fields=[Field.ID, Field.TITLE, Field.VECTOR]
    )
    try:
        while rows := pages.next():
            yield list(rows)
    finally:
        pages.close()
