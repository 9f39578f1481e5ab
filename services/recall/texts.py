"""Keeps the texts that rank reads in memory, so that searches need not fetch them again.

Fetching a thousand titles and texts takes the index ten times as long as fetching their ids. An
entry is named by the collection, the id and the version of the row, which the index gives with each
hit, so that a document that was written again is never answered with its old text.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence

from services.common.errors import SearchError
from services.common.request_context import Deadline
from services.recall.domain import DocumentIndex, Found, Index
from services.recall.fused import Fused

MOST_CHARACTERS = 24_000_000
"""Most characters of titles and texts that are kept, about 50 MB of Chinese."""

Key = tuple[str, str, int]
"""Physical collection, document id, version."""
Text = tuple[str, str]
"""Title and the beginning of the text."""


class TextCache:
    """Titles and texts by document; the least recently used are dropped first."""

    def __init__(self, most_characters: int = MOST_CHARACTERS) -> None:
        self._most = most_characters
        self._characters = 0
        self._kept: OrderedDict[Key, Text] = OrderedDict()

    def get(self, key: Key) -> Text | None:
        """The title and text of a row, if they are in memory."""
        text = self._kept.get(key)
        if text is not None:
            self._kept.move_to_end(key)
        return text

    def put(self, key: Key, text: Text) -> None:
        """Stores a row's title and text."""
        if key in self._kept:
            return
        self._kept[key] = text
        self._characters += _size(text)
        while self._characters > self._most:
            _, oldest = self._kept.popitem(last=False)
            self._characters -= _size(oldest)


async def with_texts(
    source: DocumentIndex, index: Index, candidates: Sequence[Fused], deadline: Deadline
) -> list[Fused]:
    """The candidates with their titles and texts. Raises IndexUnavailable, DeadlineExceeded."""
    documents = await source.with_texts(
        index, [candidate.document for candidate in candidates], deadline
    )
    return [
        candidate._replace(document=document)
        for candidate, document in zip(candidates, documents, strict=True)
    ]


async def with_best_texts(
    source: DocumentIndex, index: Index, found: Mapping[str, list[Found]], deadline: Deadline
) -> Mapping[str, list[Found]]:
    """The legs, each with the text of its best document, which fusion needs.

    If the texts cannot be fetched, the legs are returned as they are.
    """
    try:
        best = await source.with_texts(index, [leg[0] for leg in found.values() if leg], deadline)
    except SearchError:
        return found
    complete = {(document.id, document.score): document for document in best}
    return {
        name: [complete[leg[0].id, leg[0].score], *leg[1:]] if leg else leg
        for name, leg in found.items()
    }


def _size(text: Text) -> int:
    return len(text[0]) + len(text[1])
