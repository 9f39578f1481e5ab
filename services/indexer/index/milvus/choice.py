"""Chooses the vector index of a new collection."""

from dataclasses import dataclass
from enum import StrEnum
from math import isqrt
from typing import Any

_GRAPH_DOCUMENTS = 20_000_000
"""Number of documents above which `AUTO` takes IVF_SQ8, since a graph over float32 vectors needs
four times the memory."""
_LEAST_LISTS, _MOST_LISTS = 128, 65_536
_LISTS_PER_ROOT = 4
"""Factor of nlist = 4 sqrt(n), as Milvus's documentation recommends."""


class IndexKind(StrEnum):
    """Milvus's index types, and AUTO for a choice by engine and size."""

    AUTO = "AUTO"
    FLAT = "FLAT"
    HNSW = "HNSW"
    HNSW_SQ = "HNSW_SQ"
    IVF_FLAT = "IVF_FLAT"
    IVF_SQ8 = "IVF_SQ8"
    DISKANN = "DISKANN"


@dataclass(frozen=True, slots=True)
class IndexChoice:
    """The wanted kind of index, and its build parameters.

    The metric is the inner product, which orders vectors of unit length as cosine and L2 do.
    """

    kind: IndexKind = IndexKind.AUTO
    m: int = 16
    ef_construction: int = 200
    lists: int = 0
    """The number of IVF lists; 0 derives it from the number of documents."""

    def of(self, documents: int, *, embedded: bool) -> tuple[IndexKind, dict[str, Any]]:
        """Kind and build parameters for about this many documents; 0 if their number is unknown."""
        kind = self._kind(documents, embedded=embedded)
        graph = {"M": self.m, "efConstruction": self.ef_construction}
        if kind is IndexKind.HNSW:
            return kind, graph
        if kind is IndexKind.HNSW_SQ:
            return kind, graph | {"sq_type": "SQ8"}
        if kind in (IndexKind.IVF_FLAT, IndexKind.IVF_SQ8):
            by_size = min(max(_LISTS_PER_ROOT * isqrt(documents), _LEAST_LISTS), _MOST_LISTS)
            return kind, {"nlist": self.lists or by_size}
        return kind, {}

    def _kind(self, documents: int, *, embedded: bool) -> IndexKind:
        if self.kind is not IndexKind.AUTO:
            return self.kind
        # The embedded engine has FLAT and IVF_FLAT, and FLAT finds exactly the nearest.
        if embedded:
            return IndexKind.FLAT
        return IndexKind.IVF_SQ8 if documents > _GRAPH_DOCUMENTS else IndexKind.HNSW
