"""Removes originals that no document names any more, such as those of replaced files.

Deletions of documents and collections remove theirs at once; this is for the rest, and for what a
kill has left behind.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from services.common.errors import SearchError
from services.indexer.index.collections.collections import Collections
from services.indexer.index.role import WriterRole
from services.indexer.jobs.book import JobBook
from services.indexer.originals import HAS_ONE, Original, Originals, digest_of, named

logger = logging.getLogger(__name__)

_FIRST_SECONDS = 600.0
_INTERVAL_SECONDS = 86_400.0


class OriginalsSweep:
    """Looks at all originals once a day, the first time ten minutes after the start."""

    def __init__(
        self, originals: Originals, collections: Collections, book: JobBook, role: WriterRole
    ) -> None:
        self._originals = originals
        self._collections = collections
        self._book = book
        self._role = role

    async def run(self) -> None:
        """Sweeps until it is cancelled."""
        pause = _FIRST_SECONDS
        while True:
            await asyncio.sleep(pause)
            pause = _INTERVAL_SECONDS
            try:
                if self._role.holds and self._book.loaded:
                    for name in await asyncio.to_thread(self._originals.collections):
                        await self.sweep(name)
            except SearchError as error:
                logger.warning("originals are looked at later", extra={"reason": error.detail})
                pause = _FIRST_SECONDS
            except Exception:
                logger.exception("originals could not be looked at")

    async def sweep(self, name: str) -> None:
        """Removes the originals of a collection that no document of any generation names and no job
        may still need. Raises Unavailable, IndexUnavailable."""
        index = self._collections.index
        if await index.resolve(name) is None or self._book.rebuilding(name) is not None:
            return
        found = await asyncio.to_thread(self._originals.all, name)
        # The jobs are asked first: the documents of one that has ended meanwhile are found below.
        oldest = self._book.oldest_write(name)
        kept: dict[str, set[Original]] = {}
        newest: dict[str, int] = {}
        for physical in await index.physicals():
            if physical.name != name:
                continue
            async for page in index.pages(physical, HAS_ONE, vectors=False):
                for row in page:
                    digest, version = digest_of(row.id), row.version or 0
                    one = named(found.get(digest, []), row.document, version)
                    kept.setdefault(digest, set()).update([one] if one else [])
                    newest[digest] = max(version, newest.get(digest, 0))
        stale = _without(found, kept, newest, oldest)
        if stale:
            await self._role.check()
            await asyncio.to_thread(self._originals.remove, name, stale)
            count = sum(map(len, stale.values()))
            logger.info("originals were removed", extra={"collection": name, "files": count})


def _without(
    found: Mapping[str, Sequence[Original]],
    kept: Mapping[str, set[Original]],
    newest: Mapping[str, int],
    oldest: int | None,
) -> dict[str, list[Original]]:
    """The originals that are neither named nor those of a job that may still write its document:
    one of version `oldest` or later, above the version of the document."""
    stale = {
        digest: [
            one
            for one in several
            if one not in kept.get(digest, ())
            and (oldest is None or one.version < oldest or one.version < newest.get(digest, 0))
        ]
        for digest, several in found.items()
    }
    return {digest: several for digest, several in stale.items() if several}
