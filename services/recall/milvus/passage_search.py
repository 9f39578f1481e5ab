"""Finds passages on Milvus beside the documents' own rows, and makes documents of them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from services.common.collection import PassageKey, passages_name
from services.common.milvus import Missing
from services.common.request_context import Deadline
from services.recall.domain import Found, Index
from services.recall.milvus.passage_collections import PassageCollections
from services.recall.milvus.reading import Leg, Reader


class PassageFound(NamedTuple):
    """A passage that one leg found."""

    key: PassageKey
    score: float
    """Score of the passage, as in Found."""


@dataclass(frozen=True, slots=True)
class PassageSearch:
    """Searches the passages of documents for a leg."""

    reader: Reader
    collections: PassageCollections

    async def found(self, index: Index, leg: Leg, deadline: Deadline) -> list[PassageFound]:
        """The passages that a leg finds, best first, of any version; of all wordings together those
        of the best `leg.n` documents."""
        kind = await self.collections.kind(index, deadline)
        if kind is None:
            return []
        name = passages_name(index.physical)
        try:
            hits = await self.reader.search(name, leg, kind, [], index.server_time, deadline)
        except Missing:
            self.collections.forget(index)
            raise
        best: dict[str, float] = {}
        for way in hits:
            for key, score in zip(way.ids, way.scores, strict=True):
                if math.isfinite(score) and score > best.get(key, -math.inf):
                    best[key] = score
        ordered = sorted(best.items(), key=lambda one: -one[1])
        every = (PassageFound(PassageKey.parse(key), score) for key, score in ordered)
        return _of_best_documents(every, leg.n)

    async def grouped(
        self,
        index: Index,
        leg: Leg,
        heads: Sequence[Found],
        passages: list[PassageFound],
        deadline: Deadline,
    ) -> list[Found]:
        """Documents by the better score of their own row and their best passage, best first.

        Passages count if their document's row has their version. If a row has a later version, the
        document was replaced meanwhile, and the passages are searched again.
        """
        versions = await self._versions(index, leg, heads, passages, deadline)
        if any(key.version < versions.get(key.document, 0) for key, _ in passages):
            passages = await self.found(index, leg, deadline)
            versions = await self._versions(index, leg, heads, passages, deadline)
        return by_best_passage(heads, passages, versions)[: leg.n]

    async def _versions(
        self,
        index: Index,
        leg: Leg,
        heads: Sequence[Found],
        passages: Iterable[PassageFound],
        deadline: Deadline,
    ) -> dict[str, int]:
        """The versions of those found documents that exist and whose own rows match the request."""
        versions = {one.id: one.version for one in heads}
        unknown = {key.document for key, _ in passages} - versions.keys()
        if not unknown:
            return versions
        return versions | await self.reader.versions(
            index.physical, sorted(unknown), index.server_time, deadline, leg.expression
        )


def _of_best_documents(passages: Iterable[PassageFound], n: int) -> list[PassageFound]:
    """The passages, given best first, of the n documents that come first. The wordings of a query
    may find those of more documents than a server looks up in one call."""
    documents: set[str] = set()
    kept = []
    for one in passages:
        if one.key.document in documents or len(documents) < n:
            documents.add(one.key.document)
            kept.append(one)
    return kept


def by_best_passage(
    heads: Sequence[Found], passages: Sequence[PassageFound], versions: Mapping[str, int]
) -> list[Found]:
    """The documents of rows and passages, both given best first, by the best score of each
    document."""
    best: dict[str, list[tuple[int, float]]] = {}
    for key, score in passages:
        if versions.get(key.document) == key.version:
            best.setdefault(key.document, []).append((key.number, score))
    found = {one.id: one for one in heads}
    for document, several in best.items():
        head = found.get(document)
        score = several[0][1] if head is None else max(head.score, several[0][1])
        found[document] = Found(
            document, score, version=versions[document], passages=tuple(several)
        )
    return sorted(found.values(), key=lambda one: -one.score)
