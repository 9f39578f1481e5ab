"""Finds passages on Milvus beside the documents' own rows, and reads them with their places."""

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from services.common.collection import (
    OF_TEXT,
    Field,
    PassageField,
    PassageKey,
    document_id,
    id_literal,
    passages_name,
)
from services.common.documents import Content
from services.common.milvus import Missing
from services.common.request_context import Deadline
from services.common.wire.passages import Passage, ShownPassages
from services.common.wire.rank import MAX_TEXT_CHARS
from services.recall.contents import KeptContents
from services.recall.domain import Found, Index
from services.recall.passage_collections import PassageCollections
from services.recall.reading import Leg, Reader

_READ = 2
"""Number of passages of a document that rank reads, the best first."""
_ABOUT = [Field.ID, Field.VERSION]
_WHOLE = [
    *(Field.ID, Field.TEXT, PassageField.COUNT),
    *(PassageField.START, PassageField.PAGE, PassageField.SECTION),
]


class PassageFound(NamedTuple):
    """A passage that one leg found."""

    key: PassageKey
    score: float
    """Score of the passage, as in Found."""


class PassageReader:
    """Finds and reads the passages of documents."""

    def __init__(self, reader: Reader, contents: KeptContents) -> None:
        self._reader = reader
        self._contents = contents
        self._collections = PassageCollections(reader)

    async def found(self, index: Index, leg: Leg, deadline: Deadline) -> list[PassageFound]:
        """The passages that a leg finds, best first, of any version."""
        kind = await self._collections.kind(index, deadline)
        if kind is None:
            return []
        name = passages_name(index.physical)
        try:
            hits = await self._reader.search(name, leg, kind, [], index.server_time, deadline)
        except Missing:
            self._collections.forget(index)
            raise
        best: dict[str, float] = {}
        for way in hits:
            for key, score in zip(way.ids, way.scores, strict=True):
                if math.isfinite(score) and score > best.get(key, -math.inf):
                    best[key] = score
        ordered = sorted(best.items(), key=lambda one: -one[1])
        return [PassageFound(PassageKey.parse(key), score) for key, score in ordered]

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

    async def with_texts(
        self, index: Index, found: Sequence[Found], deadline: Deadline
    ) -> list[Found]:
        """The documents that passages found, with the best passages before the rest of their
        text."""
        keys = {
            one.id: [
                str(PassageKey(one.id, one.version, number)) for number, _ in one.passages[:_READ]
            ]
            for one in found
            if one.passages
        }
        if not keys:
            return list(found)
        texts = await self._passage_texts(
            index, [key for one in keys.values() for key in one], deadline
        )
        complete = []
        for one in found:
            parts = [texts[key] for key in keys.get(one.id, ()) if key in texts]
            text = "\n".join((*parts, one.text))[:MAX_TEXT_CHARS] if parts else one.text
            complete.append(one._replace(text=text))
        return complete

    async def shown(
        self, index: Index, numbers: Mapping[str, Sequence[int]], deadline: Deadline
    ) -> dict[str, ShownPassages]:
        """Passages of bodies by document: those of the given numbers, or else the first one.

        Documents without a body are left out.
        """
        if not numbers or await self._collections.kind(index, deadline) is None:
            return {}
        heads = await self._reader.rows(
            index.physical, list(numbers), _ABOUT, index.server_time, deadline
        )
        versions = {document_id(row[Field.ID]): int(row[Field.VERSION]) for row in heads}
        keys = [
            str(PassageKey(one, version, number))
            for one, version in versions.items()
            for number in dict.fromkeys((*numbers[one], 0))
        ]
        name = passages_name(index.physical)
        rows = await self._reader.rows(name, keys, _WHOLE, index.server_time, deadline)
        stored: dict[str, dict[int, dict[str, Any]]] = {}
        for row in rows:
            key = PassageKey.parse(row[Field.ID])
            if row[PassageField.PAGE] != OF_TEXT:
                stored.setdefault(key.document, {})[key.number] = row
        return {one: _shown(numbers[one], several) for one, several in stored.items()}

    async def bodies(self, index: Index, ids: Sequence[str], deadline: Deadline) -> dict[str, str]:
        """The bodies of those of the documents that have one."""
        if not ids or await self._collections.kind(index, deadline) is None:
            return {}
        heads = await self._reader.rows(index.physical, ids, _ABOUT, index.server_time, deadline)
        versions = {document_id(row[Field.ID]): int(row[Field.VERSION]) for row in heads}
        literals = ", ".join(map(id_literal, versions))
        rows = await self._reader.behind(
            passages_name(index.physical),
            "",
            sys.maxsize,
            f"{PassageField.DOCUMENT} in [{literals}] and {PassageField.PAGE} > {OF_TEXT}",
            [Field.ID, Field.TEXT, PassageField.START],
            index.server_time,
            deadline,
        )
        bodies: dict[str, str] = {}
        for row in rows:
            key = PassageKey.parse(row[Field.ID])
            if versions.get(key.document) == key.version:
                body = bodies.get(key.document, "")
                bodies[key.document] = body + row[Field.TEXT][len(body) - row[PassageField.START] :]
        return bodies

    async def _passage_texts(
        self, index: Index, keys: Sequence[str], deadline: Deadline
    ) -> dict[str, str]:
        name = passages_name(index.physical)
        texts = {key: kept.text for key in keys if (kept := self._contents.get((name, key, 0)))}
        unknown = [key for key in keys if key not in texts]
        rows = await self._reader.rows(
            name, unknown, [Field.ID, Field.TEXT], index.server_time, deadline
        )
        for row in rows:
            text = str(row[Field.TEXT]).strip()
            kept = Content.model_construct(id=row[Field.ID], text=text)
            self._contents.put((name, row[Field.ID], 0), kept)
            texts[row[Field.ID]] = text
        return texts

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
        rows = await self._reader.rows(
            index.physical,
            sorted(unknown),
            _ABOUT,
            index.server_time,
            deadline,
            leg.expression,
        )
        return versions | {document_id(row[Field.ID]): int(row[Field.VERSION]) for row in rows}


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


def _shown(numbers: Sequence[int], stored: Mapping[int, Mapping[str, Any]]) -> ShownPassages:
    """The passages of these numbers that still exist, or else the first one."""
    chosen = [number for number in numbers if number in stored] or [*stored][:1]
    count = next(int(row[PassageField.COUNT]) for row in stored.values())
    return ShownPassages(count=count, passages=[_passage(one, stored[one]) for one in chosen])


def _passage(number: int, row: Mapping[str, Any]) -> Passage:
    start, text = int(row[PassageField.START]), str(row[Field.TEXT])
    return Passage(
        number=number,
        start=start,
        end=start + len(text),
        page=int(row[PassageField.PAGE]) or None,
        section=row[PassageField.SECTION],
        text=text.strip(),
    )
