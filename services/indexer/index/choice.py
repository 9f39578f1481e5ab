"""Which index the vectors of a new collection get."""

from dataclasses import dataclass
from enum import StrEnum
from math import isqrt
from typing import Any

_GRAPH_DOCUMENTS = 20_000_000
"""Beyond it `AUTO` takes IVF_SQ8: a graph over float32 vectors needs four times the memory."""
_LEAST_LISTS, _MOST_LISTS = 128, 65_536
_LISTS_PER_ROOT = 4
"""nlist of 4 sqrt(n), as Milvus's documentation recommends."""


class IndexKind(StrEnum):
    AUTO = "AUTO"
    FLAT = "FLAT"
    HNSW = "HNSW"
    HNSW_SQ = "HNSW_SQ"
    IVF_FLAT = "IVF_FLAT"
    IVF_SQ8 = "IVF_SQ8"
    DISKANN = "DISKANN"


@dataclass(frozen=True, slots=True)
class IndexChoice:
    """The metric is the inner product: of unit vectors it gives the order of cosine and L2."""

    kind: IndexKind = IndexKind.AUTO
    m: int = 16
    ef_construction: int = 200
    lists: int = 0
    """Of IVF; 0: by the number of documents."""

    def of(self, documents: int, *, embedded: bool) -> tuple[IndexKind, dict[str, Any]]:
        """Kind and build parameters for about so many documents, 0 when nobody knows yet."""
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
        if embedded:  # milvus-lite loses hits of filtered searches on a graph
            return IndexKind.FLAT
        return IndexKind.IVF_SQ8 if documents > _GRAPH_DOCUMENTS else IndexKind.HNSW
