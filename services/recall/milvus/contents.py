"""Keeps the contents of rows in memory, so that searches need not fetch them again.

An entry is named by the collection, the id and the version of the row, which the index gives with
each hit, so that a document that was written again is never answered with its old content. Every
search needs some: fusion the texts of the best of each leg, rank those of its candidates, the
answer the whole hits. Fetching them takes the embedded engine 3 to 4 ms each time, memory none.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence

from services.common.documents import Content, FieldValue
from services.common.ending import ended
from services.common.errors import SearchError

logger = logging.getLogger(__name__)

MOST_CHARACTERS = 24_000_000
"""Most characters of the members of rows that are kept, about 50 MB of Chinese."""
_ROW_CHARACTERS = 400
"""Characters that stand for what Python needs to keep a row."""
_VALUE_CHARACTERS = 32
"""Characters that stand for what Python needs to keep a name, a value or an item of a list."""
_AGAIN_SECONDS = 60.0
"""Least seconds between two readings ahead of a collection."""
_PAUSE_SECONDS = 0.05
"""Seconds between two pages, in which searches go on."""
_SLOW_SECONDS = 0.25
"""Seconds of a page that only a large collection takes, which the embedded engine looks through
whole for each page."""

RowKey = tuple[str, str, int]
"""Physical collection, document id, version."""


class KeptContents:
    """Contents by row; the least recently used are dropped first."""

    def __init__(self, most_characters: int = MOST_CHARACTERS) -> None:
        self._most = most_characters
        self._characters = 0
        self._kept: OrderedDict[RowKey, tuple[Content, int]] = OrderedDict()
        """Contents, each with its size in characters."""

    def get(self, key: RowKey) -> Content | None:
        """The content of a row, if it is in memory."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        self._kept.move_to_end(key)
        return kept[0]

    def of(self, physical: str, rows: Iterable[tuple[str, int | None]]) -> dict[str, Content]:
        """The contents that are in memory of the rows with these ids and versions, by id."""
        found = {}
        for identity, version in rows:
            if version is not None and (content := self.get((physical, identity, version))):
                found[identity] = content
        return found

    def put(self, key: RowKey, content: Content) -> None:
        """Keeps the content of a row."""
        if key in self._kept:
            return
        size = _size(content)
        self._kept[key] = (content, size)
        self._characters += size
        while self._characters > self._most:
            _, (_, oldest) = self._kept.popitem(last=False)
            self._characters -= oldest

    def half_full(self) -> bool:
        """Whether reading ahead would soon push out what searches asked for."""
        return 2 * self._characters >= self._most


Page = Callable[[str], Awaitable[Sequence[tuple[int, Content]]]]
"""Reads, puts into memory and returns versions and contents of the rows behind an id; none at the
end."""


class ReadAhead:
    """Reads collections in the background, as far as their contents fit into half of the memory:
    those of a small collection are then there before further searches need them."""

    def __init__(self, kept: KeptContents) -> None:
        self._kept = kept
        self._tasks: set[asyncio.Task[None]] = set()
        self._started: dict[str, float] = {}
        """Time by the monotonic clock at which each collection was last begun."""

    def missed(self, physical: str, page: Page) -> None:
        """Tells that a search had to fetch contents of a collection; it is read page by page then,
        at most once a minute."""
        now = time.monotonic()
        just_begun = physical in self._started and now - self._started[physical] < _AGAIN_SECONDS
        if just_begun or self._kept.half_full():
            return
        self._started[physical] = now
        task = asyncio.create_task(self._read(page))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """Ends what is being read."""
        await ended(self._tasks)

    async def _read(self, page: Page) -> None:
        behind = ""
        try:
            while not self._kept.half_full():
                started = time.monotonic()
                rows = await page(behind)
                if not rows or time.monotonic() - started > _SLOW_SECONDS:
                    return
                behind = rows[-1][1].id
                await asyncio.sleep(_PAUSE_SECONDS)
        except SearchError as error:
            # Searches fetch what they need themselves.
            logger.info("contents were not read ahead", extra={"code": error.code})


def _size(content: Content) -> int:
    """The characters that a row counts for, what Python needs beside them included."""
    texts = len(content.id) + len(content.title) + len(content.text) + len(content.body)
    fields = content.fields.items()
    return _ROW_CHARACTERS + texts + sum(_of_value(name) + _of_value(one) for name, one in fields)


def _of_value(value: FieldValue) -> int:
    if isinstance(value, str):
        return _VALUE_CHARACTERS + len(value)
    if isinstance(value, list):
        return _VALUE_CHARACTERS + sum(map(_of_value, value))
    return _VALUE_CHARACTERS
