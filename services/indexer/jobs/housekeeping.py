"""Removes old jobs, refused uploads, old deletions and replaced collections."""

import logging
import time
from datetime import UTC, datetime, timedelta

from services.common.errors import SearchError, Unavailable
from services.indexer.index.collections.collections import Collections
from services.indexer.index.rebuild import Rebuilds
from services.indexer.jobs.book import JobBook

logger = logging.getLogger(__name__)

_INTERVAL_SECONDS = 600.0
_AGAIN_SECONDS = 30.0
"""Seconds until the next try while something that the work needs is away."""
_KEPT_DELETIONS = timedelta(hours=1)
"""Deletions are kept for so long at least: an older job may be on its way into the book, and older
jobs and their deletions may come while the deletions are listed."""


class Housekeeping:
    """Removes what is no longer needed, every ten minutes.

    A collection whose turn fails is logged and has another one, so that it holds up no job and no
    other collection.
    """

    def __init__(
        self,
        book: JobBook,
        collections: Collections,
        rebuilds: Rebuilds,
        *,
        retention: timedelta,
        retained_jobs: int,
    ) -> None:
        self._book = book
        self._collections = collections
        self._rebuilds = rebuilds
        self._retention = retention
        self._retained_jobs = retained_jobs
        self._due = 0.0

    async def run(self) -> None:
        """Does the work if it is time for it. Raises Unavailable if the storage is away."""
        clock = self._book.clock()
        if clock < self._due:
            return
        self._due = clock + _INTERVAL_SECONDS
        await self._book.forget_refused()
        await self._forget_jobs()
        names = {ledger.manifest.collection for ledger in self._book.all()}
        for name in {*names, *await self._collections.left_behind()}:
            try:
                await self._tidy(name)
            except SearchError as error:
                about = {"collection": name, "reason": error.detail}
                logger.warning("a collection is tidied up later", extra=about)
                if isinstance(error, Unavailable):
                    self._due = clock + _AGAIN_SECONDS

    async def _tidy(self, name: str) -> None:
        """Removes what one collection no longer needs."""
        state = await self._collections.state(name)
        await state.tombstones.prune(self._oldest_write(name))
        if self._book.rebuilding(name) is None and self._book.importing(name) is None:
            await self._rebuilds.collect(name)

    def _oldest_write(self, name: str) -> int:
        """A version below which no write to a collection may come any more."""
        recent = time.time_ns() - int(_KEPT_DELETIONS.total_seconds() * 1e9)
        known = self._book.oldest_write(name)
        return recent if known is None else min(recent, known)

    async def _forget_jobs(self) -> None:
        limit = datetime.now(UTC) - self._retention
        ended = [ledger for ledger in self._book.all() if ledger.end is not None]
        for place, ledger in enumerate(ended):
            old = ledger.end is not None and ledger.end.finished_at < limit
            if old or place >= self._retained_jobs:
                await self._book.forget(ledger)
