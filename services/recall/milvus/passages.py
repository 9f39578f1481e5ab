"""Reads passages on Milvus: their texts for rank, their places for answers, and whole bodies."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from services.common.collection import (
    OF_TEXT,
    Field,
    PassageField,
    PassageKey,
    passages_name,
)
from services.common.documents import Content
from services.common.request_context import Deadline
from services.common.wire.passages import Passage, ShownPassages
from services.common.wire.rank import MAX_TEXT_CHARS
from services.recall.domain import Found, Index
from services.recall.milvus.contents import KeptContents
from services.recall.milvus.passage_collections import PassageCollections
from services.recall.milvus.reading import Reader

_READ = 2
"""Number of passages of a document that rank reads, the best first."""
_AT_ONCE = 4_096
"""Most passages of several documents that are in memory at once, 2 MB of text; a single document
may have more."""
_ASKED = 500
"""Number of passages that one call asks for."""
_WHOLE = [
    *(Field.ID, Field.TEXT, PassageField.COUNT),
    *(PassageField.START, PassageField.PAGE, PassageField.SECTION),
]


class PassageReader:
    """Reads the passages of documents."""

    def __init__(
        self, reader: Reader, contents: KeptContents, collections: PassageCollections
    ) -> None:
        self._reader = reader
        self._contents = contents
        self._collections = collections

    async def with_texts(
        self, index: Index, found: Sequence[Found], deadline: Deadline
    ) -> list[Found]:
        """The documents with their best passages before the rest of their text."""
        keys = {
            one.id: [str(PassageKey(one.id, one.version, number)) for number in _numbers_read(one)]
            for one in found
        }
        if not any(keys.values()) or await self._collections.kind(index, deadline) is None:
            return list(found)
        texts = await self._passage_texts(
            index, [key for one in keys.values() for key in one], deadline
        )
        complete = []
        for one in found:
            parts = [*(texts[key] for key in keys[one.id]), one.text]
            text = "\n".join(filter(None, parts))[:MAX_TEXT_CHARS]
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
        versions = await self._reader.versions(
            index.physical, list(numbers), index.server_time, deadline
        )
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

    async def bodies(
        self, index: Index, ids: Sequence[str], deadline: Deadline
    ) -> AsyncIterator[dict[str, str]]:
        """The bodies of those of the documents that have one, of some documents at a time: of as
        many as have a bounded number of passages, or of a single longer one."""
        if not ids or await self._collections.kind(index, deadline) is None:
            return
        versions = await self._reader.versions(index.physical, ids, index.server_time, deadline)
        firsts = [PassageKey(one, version, 0) for one, version in versions.items()]
        name = passages_name(index.physical)
        counts = [
            (PassageKey.parse(row[Field.ID]), int(row[PassageField.COUNT]))
            for row in await self._reader.rows(
                name,
                [str(key) for key in firsts],
                [Field.ID, PassageField.COUNT, PassageField.PAGE],
                index.server_time,
                deadline,
            )
            if row[PassageField.PAGE] != OF_TEXT
        ]
        for some in _groups(counts):
            yield await self._joined(index, some, deadline)

    async def _joined(
        self, index: Index, counts: Sequence[tuple[PassageKey, int]], deadline: Deadline
    ) -> dict[str, str]:
        """The bodies of documents, each given by its first passage and their number."""
        keys = [replace(key, number=at) for key, count in counts for at in range(count)]
        texts: dict[PassageKey, tuple[int, str]] = {}
        for start in range(0, len(keys), _ASKED):
            rows = await self._reader.rows(
                passages_name(index.physical),
                [str(key) for key in keys[start : start + _ASKED]],
                [Field.ID, Field.TEXT, PassageField.START],
                index.server_time,
                deadline,
            )
            texts |= {
                PassageKey.parse(row[Field.ID]): (int(row[PassageField.START]), row[Field.TEXT])
                for row in rows
            }
        bodies: dict[str, list[str]] = {}
        length = 0
        for key in keys:
            pieces = bodies.setdefault(key.document, [])
            length = length if pieces else 0
            begin, text = texts.get(key, (length, ""))  # It was replaced meanwhile.
            pieces.append(text[max(0, length - begin) :])
            length = begin + len(text)
        return {document: "".join(pieces) for document, pieces in bodies.items()}

    async def _passage_texts(
        self, index: Index, keys: Sequence[str], deadline: Deadline
    ) -> dict[str, str]:
        name = passages_name(index.physical)
        texts = {key: kept.text for key in keys if (kept := self._contents.get((name, key, 0)))}
        unknown = [key for key in keys if key not in texts]
        rows = await self._reader.rows(
            name, unknown, [Field.ID, Field.TEXT], index.server_time, deadline
        )
        # The passages of a version are there before its row, so one that is absent never comes.
        read = dict.fromkeys(unknown, "") | {
            str(row[Field.ID]): str(row[Field.TEXT]).strip() for row in rows
        }
        for key, text in read.items():
            self._contents.put((name, key, 0), Content.model_construct(id=key, text=text))
        return texts | read


def _numbers_read(found: Found) -> list[int]:
    """The passages of a document that rank reads, the best first. Of one that has no text, and that
    its own row found, it reads the beginning of the body."""
    best = [number for number, _ in found.passages[:_READ]]
    return best or ([] if found.text else [0])


def _groups(
    counts: Sequence[tuple[PassageKey, int]],
) -> Iterator[list[tuple[PassageKey, int]]]:
    """The documents in groups that have a bounded number of passages."""
    some: list[tuple[PassageKey, int]] = []
    size = 0
    for key, count in counts:
        if some and size + count > _AT_ONCE:
            yield some
            some, size = [], 0
        some.append((key, count))
        size += count
    if some:
        yield some


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
