"""Drives all running jobs: fills the queue, takes parts from the silent, ends what is done.

It looks at the book whenever that changes, and every half second because workers can fall
silent and Redis can forget. Nothing here needs to have seen what happened before a restart.
"""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from services.common.errors import CollectionNotFound, SearchError
from services.indexer.index.collections import Collections
from services.indexer.index.rebuild import Rebuilds
from services.indexer.index.role import WriterRole
from services.indexer.index.writer import IndexWriter
from services.indexer.jobs.book import JobBook
from services.indexer.jobs.finish import JobFinisher
from services.indexer.jobs.ledger import PLANNING, JobLedger
from services.indexer.jobs.manifest import PartKey, PartResult, Rejection
from services.indexer.queue import TaskQueue
from services.indexer.rows import unpack_planned
from services.indexer.store import NoSuchObject

logger = logging.getLogger(__name__)

_TICK_SECONDS = 0.5
_WINDOW = 16
"""Messages of one job in the queue at a time, so that Redis stays small and order fair."""
_FORGOTTEN_SECONDS = 2.0
"""After which a message that nobody took and no queue holds was lost."""
_LARGE_BYTES = 32 << 20
_HOUSEKEEPING_SECONDS = 600.0


class JobSupervisor:
    """One task of the event loop; an error of a job is logged and tried again."""

    def __init__(
        self,
        book: JobBook,
        queue: TaskQueue,
        finisher: JobFinisher,
        writer: IndexWriter,
        collections: Collections,
        role: WriterRole,
        rebuilds: Rebuilds,
        *,
        retention: timedelta,
        retained_jobs: int,
    ) -> None:
        self._book = book
        self._queue = queue
        self._finisher = finisher
        self._writer = writer
        self._collections = collections
        self._role = role
        self._rebuilds = rebuilds
        self._retention = retention
        self._retained_jobs = retained_jobs
        self._begun: set[tuple[str, int]] = set()
        """Jobs with their versions, which a rebuild that starts over changes."""
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._tidied = 0.0
        self._term = 0
        self._short_since: float | None = None

    async def run(self) -> None:
        while True:
            try:
                await self._turn()
            except SearchError as error:
                logger.warning("jobs wait", extra={"reason": error.detail})
                await asyncio.sleep(_TICK_SECONDS)
            except Exception:
                # Whatever it was, the jobs of a night must not stand still for it.
                logger.exception("a look at the jobs failed")
                await asyncio.sleep(_TICK_SECONDS)
            await self._book.change(_TICK_SECONDS)

    async def stop(self) -> None:
        for task in self._busy.values():
            task.cancel()
        await asyncio.gather(*self._busy.values(), return_exceptions=True)

    async def _turn(self) -> None:
        if not self._role.holds:
            return
        if not self._book.loaded or self._role.terms != self._term:
            term = self._role.terms
            await self._book.load()
            self._collections.forget_states()
            self._begun.clear()
            self._term = term
        await self._writer.settle()
        lost = await self._messages_lost()
        for ledger in list(self._book.running()):
            ledger.expire(self._book.clock())
            job = ledger.manifest.id
            if job in self._busy:
                continue
            if ledger.cancelling or ledger.complete or _run_of(ledger) not in self._begun:
                self._busy[job] = asyncio.create_task(self._advance(ledger))
                continue
            await self._settle_exhausted(ledger)
            await self._fill(ledger, lost=lost)
        await self._tidy()

    async def _advance(self, ledger: JobLedger) -> None:
        """The steps of a job that take time, beside the others."""
        job = ledger.manifest.id
        try:
            if ledger.cancelling:
                if not ledger.writing:
                    await self._finisher.cancelled(ledger)
                    self._begun.discard(_run_of(ledger))
            elif ledger.complete:
                await self._finisher.begin(ledger)
                await self._finisher.end(ledger)
                self._begun.discard(_run_of(ledger))
            else:
                await self._finisher.begin(ledger)
                self._begun.add(_run_of(ledger))
        except SearchError as error:
            logger.warning("job waits", extra={"job": job, "reason": error.detail})
            await asyncio.sleep(_TICK_SECONDS)
        except Exception:
            logger.exception("a job's step failed", extra={"job": job})
            await asyncio.sleep(_TICK_SECONDS)
        finally:
            del self._busy[job]
            self._book.touch()

    async def _settle_exhausted(self, ledger: JobLedger) -> None:
        """Halves parts that keep failing; a single document that does is rejected."""
        for key in ledger.exhausted():
            reason = ledger.open[key].reason
            if key == PLANNING:
                message = f"The input could not be read in several attempts: {reason}."
                await self._finisher.failed(ledger, message)
            elif key.documents > 1:
                await self._book.split(ledger, key)
            else:
                await self._book.finish(ledger, key, await self._poison(ledger, key, reason))

    async def _poison(self, ledger: JobLedger, key: PartKey, reason: str) -> PartResult:
        files = self._book.files
        assert ledger.plan is not None  # noqa: S101 - parts exist after planning only
        name = files.part_key(ledger.manifest.id, ledger.plan.token, key.part)
        try:
            content = await asyncio.to_thread(files.store.read, name)
        except NoSuchObject:
            gone = Rejection(line=0, reason="is gone: its part is missing in the storage")
            return PartResult(indexed=0, rejected=[gone])
        [planned] = unpack_planned(content, key.start, key.stop)
        rejection = Rejection(
            line=planned.line,
            reason=f"cannot be indexed: {reason}",
            content=planned.document.id,
        )
        return PartResult(indexed=0, rejected=[rejection])

    async def _messages_lost(self) -> bool:
        """Whether the queue has held fewer messages than were put in for a while: Redis lost
        them, or a worker died with them. Putting one in twice costs a look at the ledger."""
        waiting = sum(
            part.lease is None and part.queued_at is not None
            for ledger in self._book.running()
            for part in ledger.open.values()
        )
        now = self._book.clock()
        if await self._queue.depth() >= waiting:
            self._short_since = None
        elif self._short_since is None:
            self._short_since = now
        elif now - self._short_since > _FORGOTTEN_SECONDS:
            self._short_since = None
            return True
        return False

    async def _fill(self, ledger: JobLedger, *, lost: bool) -> None:
        """Keeps a window of messages in the queue, and replaces lost ones."""
        now = self._book.clock()
        waiting = 0
        for key, part in list(ledger.open.items()):
            if part.lease is not None:
                continue
            again = lost and part.queued_at and now - part.queued_at > _FORGOTTEN_SECONDS
            if part.queued_at is None or again:
                priority = _priority(ledger, key)
                if key == PLANNING:
                    await self._queue.put_plan(ledger.manifest.id, priority=priority)
                else:
                    await self._queue.put_part(ledger.manifest.id, str(key), priority=priority)
                part.queued_at = now
            waiting += 1
            if waiting >= _WINDOW:
                return

    async def _tidy(self) -> None:
        """Old jobs go, and deletions that no write can undo any more."""
        clock = self._book.clock()
        if self._tidied and clock - self._tidied < _HOUSEKEEPING_SECONDS:
            return
        self._tidied = clock
        limit = datetime.now(UTC) - self._retention
        ended = [ledger for ledger in self._book.all() if ledger.end is not None]
        for place, ledger in enumerate(ended):
            old = ledger.end is not None and ledger.end.finished_at < limit
            if old or place >= self._retained_jobs:
                await self._book.forget(ledger)
        for name in {ledger.manifest.collection for ledger in self._book.all()}:
            try:
                state = await self._collections.state(name)
            except CollectionNotFound:
                continue
            oldest = self._book.oldest_write(name)
            await asyncio.to_thread(state.tombstones.prune, oldest)
            if self._book.rebuilding(name) is None:
                await self._rebuilds.collect(name)


def _run_of(ledger: JobLedger) -> tuple[str, int]:
    return ledger.manifest.id, ledger.manifest.version


def _priority(ledger: JobLedger, key: PartKey) -> int:
    """The first parts of every job go first: a small job passes a night's load by."""
    if key == PLANNING:
        return 0 if ledger.manifest.input_bytes < _LARGE_BYTES else 3
    done = len(ledger.results)
    return 0 if done < 4 else 3 if done < 32 else 6
