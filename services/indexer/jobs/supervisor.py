"""Drives all running jobs: fills the queue, takes parts from silent workers, and ends jobs that are
done.

It looks at the book whenever that changes, and every half second, since workers can fall silent and
Redis can lose messages. It needs no knowledge of events before a restart.
"""

import asyncio
import logging

from services.common.ending import ended
from services.common.errors import SearchError, Unavailable
from services.indexer.index.collections.collections import Collections
from services.indexer.index.role import WriterRole
from services.indexer.index.writer import IndexWriter
from services.indexer.jobs.book import JobBook
from services.indexer.jobs.finish import JobFinisher
from services.indexer.jobs.given_up import given_up
from services.indexer.jobs.housekeeping import Housekeeping
from services.indexer.jobs.ledger import JobLedger
from services.indexer.jobs.messages import Messages
from services.indexer.jobs.parts import PLANNING
from services.indexer.jobs.waiting import PATIENCE_SECONDS, Waiting, reason_of
from services.indexer.queue import TaskQueue

logger = logging.getLogger(__name__)

_TICK_SECONDS = 0.5
_LONGEST_STALL_SECONDS = 10.0
"""Longest pause in seconds after a turn that failed; Redis and Milvus come back without a notice.
"""
_MOST_FAULTS = 10
"""Unexpected errors of a job's own steps after which the job fails."""


class JobSupervisor:
    """Drives the jobs in one task of the event loop; an error of a job is logged, and the job is
    tried again."""

    def __init__(
        self,
        book: JobBook,
        queue: TaskQueue,
        finisher: JobFinisher,
        writer: IndexWriter,
        collections: Collections,
        role: WriterRole,
        housekeeping: Housekeeping,
    ) -> None:
        self._book = book
        self._messages = Messages(book, queue)
        self._finisher = finisher
        self._writer = writer
        self._collections = collections
        self._role = role
        self._housekeeping = housekeeping
        self._begun: set[tuple[str, int]] = set()
        """Jobs whose beginning was prepared, with their versions, which change when a rebuild
        starts over."""
        self._busy: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Looks at the jobs until it is cancelled."""
        stalled: Waiting | None = None
        while True:
            try:
                await self._turn()
                stalled, self._book.stalled = None, ""
            except SearchError as error:
                stalled = await self._stall(stalled, error)
            except Exception as error:
                # Whatever the error is, it must not stop all jobs.
                logger.exception("the jobs could not be looked at")
                stalled = await self._stall(stalled, error)
            await self._book.change(_TICK_SECONDS)

    async def _stall(self, before: Waiting | None, error: Exception) -> Waiting:
        """Pauses after a turn that failed, and gives the reason to all running jobs."""
        now = self._book.clock()
        stalled = Waiting.after(before, reason_of(error), now)
        self._book.stalled = stalled.reason
        logger.warning("all jobs wait", extra={"reason": stalled.reason, "tries": stalled.tries})
        await asyncio.sleep(min(stalled.until - now, _LONGEST_STALL_SECONDS))
        return stalled

    async def stop(self) -> None:
        """Cancels the steps that are under way; the next start repeats them."""
        await ended(self._busy.values())
        self._busy.clear()  # A step that was cancelled before it began has not left by itself.

    async def _turn(self) -> None:
        if not self._role.holds:
            return
        if not self._book.loaded:
            await self.stop()  # Another indexer may have done, or undone, what these steps do.
            await self._book.load()
            self._collections.forget_states()
            self._begun.clear()
        await self._writer.settle()
        lost = await self._messages.lost()
        now = self._book.clock()
        for ledger in list(self._book.running()):
            ledger.expire(now)
            job = ledger.manifest.id
            if job in self._busy and ledger.cancelling and ledger.step:
                self._busy[job].cancel()  # The step may take minutes, and no search sees it.
            if job in self._busy or (ledger.waiting and not ledger.waiting.over(now)):
                continue
            if ledger.hopeless(now):
                self._busy[job] = asyncio.create_task(self._give_up(ledger, ledger.hopeless(now)))
                continue
            if ledger.cancelling or ledger.complete or _run_of(ledger) not in self._begun:
                self._busy[job] = asyncio.create_task(self._advance(ledger))
                continue
            await self._tend(ledger, lost=lost)
        await self._housekeeping.run()

    async def _tend(self, ledger: JobLedger, *, lost: bool) -> None:
        """Settles parts that failed and sends messages that are due. A fault of one job stops no
        other job.

        Raises Unavailable if the storage or the queue is away, which stops all jobs.
        """
        try:
            await self._settle_exhausted(ledger)
            await self._messages.send_due(ledger, lost=lost)
            ledger.waiting, ledger.faults = None, 0
        except Unavailable:
            raise
        except Exception as error:
            logger.exception("a job could not be looked at", extra={"job": ledger.manifest.id})
            await self._failed_step(ledger, error)

    async def _advance(self, ledger: JobLedger) -> None:
        """Makes the steps of a job that take time, beside the other jobs."""
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
            ledger.waiting, ledger.faults = None, 0
        except SearchError as error:
            await self._failed_step(ledger, error)
        except Exception as error:
            logger.exception("a step of a job failed", extra={"job": job})
            await self._failed_step(ledger, error)
        finally:
            ledger.step = ""
            del self._busy[job]
            self._book.touch()

    async def _failed_step(self, ledger: JobLedger, error: Exception) -> None:
        """Lets the job wait if waiting can help; otherwise ends it."""
        job, reason = ledger.manifest.id, reason_of(error)
        ledger.waiting = Waiting.after(ledger.waiting, reason, self._book.clock())
        ledger.faults += not isinstance(error, Unavailable)
        logger.warning(
            "a job waits", extra={"job": job, "reason": reason, "tries": ledger.waiting.tries}
        )
        refused = isinstance(error, SearchError) and not isinstance(error, Unavailable)
        if (refused or ledger.faults >= _MOST_FAULTS) and not ledger.cancelling:
            try:
                await self._finisher.failed(ledger, reason)
            except SearchError as second:
                logger.warning("a job waits", extra={"job": job, "reason": second.detail})

    async def _give_up(self, ledger: JobLedger, reason: str) -> None:
        """Ends a job that has waited for a day."""
        job, hours = ledger.manifest.id, PATIENCE_SECONDS / 3600
        message = f"Given up after waiting for {hours:.0f} hours: {reason} Retry the job then."
        try:
            await self._finisher.failed(ledger, message)
        except SearchError as error:
            ledger.waiting = Waiting.after(ledger.waiting, error.detail, self._book.clock())
            logger.warning("a job waits", extra={"job": job, "reason": error.detail})
        finally:
            del self._busy[job]
            self._book.touch()

    async def _settle_exhausted(self, ledger: JobLedger) -> None:
        """Halves parts that keep failing; a part of a single document becomes a rejected line."""
        for key in ledger.exhausted():
            reason = ledger.open[key].reason
            if key == PLANNING:
                message = f"The input could not be read in several attempts: {reason}."
                await self._finisher.failed(ledger, message)
            elif key.documents > 1:
                await self._book.split(ledger, key)
            else:
                result = await asyncio.to_thread(given_up, self._book.files, ledger, key, reason)
                await self._book.finish(ledger, key, result)


def _run_of(ledger: JobLedger) -> tuple[str, int]:
    return ledger.manifest.id, ledger.manifest.version
