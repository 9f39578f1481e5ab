"""Keeps the suggestions of collections in memory and makes them again after writes."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from services.common.ending import ended
from services.common.errors import SearchError
from services.common.request_context import Deadline
from services.common.wire.suggest import Suggested, SuggestRequest
from services.recall.domain import Index
from services.recall.query.analyzers import IndexAnalyzers, WordSource
from services.recall.suggestions.collected import Collected
from services.recall.suggestions.homophones import did_you_mean
from services.recall.suggestions.index import SuggestionIndex, indexed
from services.recall.suggestions.readings import readings

logger = logging.getLogger(__name__)

MOST_TEXTS = 300_000
"""Most texts that are kept, of all collections together: about 250 MB of titles and keywords."""
_SLIPS = 5
"""Suggestions that are found beyond those wanted, for frequent queries that are left out."""
_PAGE = 1_000
"""Number of documents that are read in one call."""
_PAGE_SECONDS = 30.0
_AT_ONCE = 50
"""Number of documents that are counted between two turns of other tasks, which takes about 2 ms."""
_FIRST_SECONDS = 2.0
"""Seconds for which a first request waits; larger collections answer once they have been read."""
_PAUSE_SECONDS = 5.0
_REST = 10.0
"""A collection is read again after at least this multiple of the seconds that reading it took."""


class TitleSource(WordSource, Protocol):
    """An index that tells the titles and metadata of its documents."""

    async def resolve(self, collection: str, deadline: Deadline) -> Index:
        """The index behind a name. Raises CollectionNotFound, IndexUnavailable."""

    async def titles(
        self, index: Index, behind: str, most: int, deadline: Deadline
    ) -> list[tuple[str, str, Mapping[str, Any]]]:
        """Id, title and metadata of at most `most` documents behind an id, in the order of ids.

        Raises IndexUnavailable, DeadlineExceeded.
        """


@dataclass(frozen=True, slots=True)
class _Kept:
    """The suggestions of a collection as they were at one of its versions."""

    index: SuggestionIndex
    physical: str
    version: str | None
    complete: bool
    made_at: float
    """Seconds of the monotonic clock at which the suggestions were made."""
    took: float
    """Seconds that making them took."""


@dataclass(slots=True)
class Suggester:
    """Answers from memory; all requests share one suggester."""

    source: TitleSource
    analyzers: IndexAnalyzers
    most_texts: int = MOST_TEXTS
    _kept: OrderedDict[str, _Kept] = field(default_factory=OrderedDict, init=False)
    """Suggestions by collection, the least recently used first."""
    _making: dict[str, "asyncio.Task[None]"] = field(default_factory=dict, init=False)
    _turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1), init=False)

    async def suggest(self, asked: SuggestRequest, deadline: Deadline) -> Suggested:
        """Completions of a query. Raises CollectionNotFound, IndexUnavailable."""
        name = asked.collection
        index = await self.source.resolve(name, deadline)
        kept = self._kept_of(name, index)
        if kept is None or self._is_due(kept, asked.version):
            making = self._make(name, index, asked.version)
            if kept is None:
                await asyncio.wait([making], timeout=min(deadline.remaining(), _FIRST_SECONDS))
                kept = self._kept_of(name, index)
        if kept is None:
            return Suggested(suggestions=[], did_you_mean=None, complete=False)
        self._kept.move_to_end(name)
        analyzer = await self.analyzers.of(name, index, deadline.remaining())
        found = kept.index.suggest(asked.typed, asked.limit + _SLIPS, asked.frequent)
        # A slip that many people make becomes a frequent query, which finds little; it is left out.
        suggestions = [
            one
            for one in found
            if one.kind != "query" or did_you_mean(one.text, kept.index, analyzer) is None
        ]
        return Suggested(
            suggestions=suggestions[: asked.limit],
            did_you_mean=did_you_mean(asked.typed, kept.index, analyzer),
            complete=kept.complete,
        )

    async def aclose(self) -> None:
        """Cancels reading in the background."""
        await ended(self._making.values())

    def _kept_of(self, name: str, index: Index) -> _Kept | None:
        """The suggestions of an index; those of another one with this name are dropped."""
        kept = self._kept.get(name)
        if kept is not None and kept.physical != index.physical:
            del self._kept[name]
            return None
        return kept

    def _is_due(self, kept: _Kept, version: str | None) -> bool:
        """Whether there were writes, and enough time has passed since the suggestions were made."""
        pause = max(_PAUSE_SECONDS, _REST * kept.took)
        return version != kept.version and time.monotonic() - kept.made_at > pause

    def _make(self, name: str, index: Index, version: str | None) -> "asyncio.Task[None]":
        """Makes the suggestions of a collection in the background, unless that is under way."""
        if name in self._making:
            return self._making[name]

        async def run() -> None:
            try:
                async with self._turn:
                    await self._read(name, index, version)
            except SearchError as error:
                logger.warning(
                    "the suggestions could not be made",
                    extra={"collection": name, "why": error.detail},
                )
            except Exception:
                logger.exception("the suggestions could not be made", extra={"collection": name})
            finally:
                del self._making[name]

        task = self._making[name] = asyncio.create_task(run())
        return task

    async def _read(self, name: str, index: Index, version: str | None) -> None:
        started, behind = time.perf_counter(), ""
        collected = Collected(self.most_texts)
        while not collected.full:
            before = time.perf_counter()
            page = await self.source.titles(index, behind, _PAGE, Deadline.after(_PAGE_SECONDS))
            for place, (_, title, fields) in enumerate(page):
                if place % _AT_ONCE == _AT_ONCE - 1:
                    await asyncio.sleep(0)
                collected.add(title, fields)
            if len(page) < _PAGE:
                break
            behind = page[-1][0]
            # Pauses leave half of the time to searches.
            await asyncio.sleep(time.perf_counter() - before)
        analyzer = await self.analyzers.of(name, index, _PAGE_SECONDS)
        await asyncio.to_thread(readings)
        made = await indexed(list(collected.texts.values()), analyzer)
        took = time.perf_counter() - started
        self._kept[name] = _Kept(
            made, index.physical, version, not collected.full, time.monotonic(), took
        )
        self._kept.move_to_end(name)  # The loop drops those used least lately.
        while len(self._kept) > 1 and self._size() > self.most_texts:
            self._kept.popitem(last=False)
        logger.info(
            "the suggestions were made",
            extra={"collection": name, "texts": len(made), "seconds": round(took, 2)},
        )

    def _size(self) -> int:
        return sum(len(kept.index) for kept in self._kept.values())
