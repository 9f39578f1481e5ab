"""The search of one leg on Milvus: documents by their own rows and by their passages."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from services.common.collection import Field, document_id
from services.common.milvus.raw import Hits
from services.common.request_context import Deadline
from services.common.text import index_text
from services.recall.domain import Found, Index, Vector
from services.recall.legs.found import FoundColumns
from services.recall.milvus.passage_search import PassageSearch
from services.recall.milvus.reading import Leg, Reader

_VERSION = Field.VERSION.value
"""A plain string: the hash of an enumeration's member is computed in Python, a thousand times."""


@dataclass(frozen=True, slots=True)
class LegSearch:
    """Searches the legs; `ef` and `nprobe` are parameters of the vector indexes."""

    reader: Reader
    passages: PassageSearch
    ef: int
    nprobe: int

    def dense(self, vector: Vector, n: int, expression: str) -> Leg:
        """The leg that finds n documents by a vector."""

        def parameters(kind: str) -> dict[str, Any]:
            if kind.startswith("HNSW"):  # HNSW_SQ too
                return {"ef": max(n, self.ef)}
            if kind == "DISKANN":
                return {"search_list": max(n, self.ef)}
            return {"nprobe": self.nprobe} if kind.startswith("IVF") else {}

        return Leg(Field.VECTOR, [vector], "IP", n, expression, parameters)

    def lexical(self, ways: Sequence[Sequence[str]], n: int, expression: str) -> Leg:
        """The leg that finds n documents by the words of any wording."""
        texts = [index_text(words) for words in ways]
        return Leg(Field.LEXICAL, texts, "BM25", n, expression, lambda _: {})

    async def found(self, index: Index, leg: Leg, kind: str, deadline: Deadline) -> Sequence[Found]:
        """The documents that a leg finds, best first; `kind` is that of the vector index.

        Raises Missing if the collection was dropped, IndexUnavailable, DeadlineExceeded.
        """
        hits, passages = await asyncio.gather(
            self.reader.search(index.physical, leg, kind, [_VERSION], index.server_time, deadline),
            self.passages.found(index, leg, deadline),
        )
        heads = _found(hits[0]) if len(hits) == 1 else _best_of([*map(_found, hits)], leg.n)
        if not passages:
            return heads
        return await self.passages.grouped(index, leg, heads, passages, deadline)


def _found(hits: Hits) -> FoundColumns:
    """The hits of one query in their order, without rows whose score is no finite number."""
    found = FoundColumns([*map(document_id, hits.ids)], hits.scores, hits.numbers[_VERSION])
    if all(map(math.isfinite, hits.scores)):
        return found
    return FoundColumns.of([one for one in found if math.isfinite(one.score)])


def _best_of(lists: Sequence[Sequence[Found]], n: int) -> list[Found]:
    """The n documents of the highest scores in any of the lists, best first."""
    best: dict[str, Found] = {}
    for one in chain.from_iterable(lists):
        known = best.get(one.id)
        if known is None or known.score < one.score:
            best[one.id] = one
    return sorted(best.values(), key=lambda one: (-one.score, one.id))[:n]
