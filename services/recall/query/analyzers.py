"""The word analysis of each index, by which queries are cut as its documents were."""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Protocol

from services.common.errors import SearchError
from services.common.request_context import Deadline
from services.common.text import Analyzers, WordAnalyzer
from services.recall.domain import Index

logger = logging.getLogger(__name__)

_SECONDS = 30.0
"""Seconds for reading a dictionary, also for a search that gives up before."""


class WordSource(Protocol):
    """An index that tells the user dictionary that it was filled with."""

    async def words(self, index: Index, deadline: Deadline) -> list[str] | None:
        """The words of an index's user dictionary; None if it has none. Raises IndexUnavailable,
        DeadlineExceeded."""


@dataclass(slots=True)
class IndexAnalyzers:
    """Finds the analyzers of indexes; all requests share one."""

    analyzers: Analyzers
    source: WordSource
    _reading: "dict[str, asyncio.Task[None]]" = field(default_factory=dict, init=False)
    _absent: set[str] = field(default_factory=set, init=False)
    """Physical collections without words beside them, as versions before 0.2 made them."""

    async def of(self, collection: str, index: Index, seconds: float) -> WordAnalyzer:
        """The analyzer of an index, or that of the files if its words are not known within
        `seconds`; the identity tells which."""
        if (known := self.analyzers.known(index.analyzer)) is not None:
            return known
        if index.physical not in self._absent:
            # The words are read to the end in any case, for the next search.
            reading = self._read(index)
            await asyncio.wait([reading], timeout=seconds)
            if reading.done():
                reading.result()
        return self.analyzers.known(index.analyzer) or self.analyzers.of(collection)

    def reads(self, index: Index) -> bool:
        """Whether the words of an index are being read."""
        return index.physical in self._reading

    def _read(self, index: Index) -> "asyncio.Task[None]":
        if index.physical not in self._reading:

            async def run() -> None:
                try:
                    words = await self.source.words(index, Deadline.after(_SECONDS))
                    if words is None:
                        self._absent.add(index.physical)
                    else:
                        await asyncio.to_thread(self.analyzers.made, words)
                except SearchError as error:
                    logger.warning(
                        "a user dictionary could not be read", extra={"code": error.code}
                    )
                finally:
                    del self._reading[index.physical]

            self._reading[index.physical] = asyncio.create_task(run())
        return self._reading[index.physical]
