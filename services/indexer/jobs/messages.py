"""Keeps the queue filled with the messages of running jobs, and sends lost ones again."""

from services.indexer.jobs.book import JobBook
from services.indexer.jobs.ledger import JobLedger
from services.indexer.jobs.manifest import PartKey
from services.indexer.jobs.parts import PLANNING
from services.indexer.queue import TaskQueue

_WINDOW = 16
"""Most messages of one job in the queue at a time, so that Redis stays small and jobs take turns.
"""
_FORGOTTEN_SECONDS = 2.0
"""Seconds after which a message that is absent from the queue and unclaimed is considered lost."""
_LARGE_BYTES = 32 << 20
"""Size in bytes of an input from which on its planning lets other jobs go first."""


class Messages:
    """The messages that ask workers for parts. Every method raises Unavailable."""

    def __init__(self, book: JobBook, queue: TaskQueue) -> None:
        self._book = book
        self._queue = queue
        self._short_since: float | None = None
        """Time since which the queue has held fewer messages than were put in; None if it holds
        all."""

    async def lost(self) -> bool:
        """Whether the queue has held fewer messages than were put in for a while.

        Then Redis lost them, or a worker died with them. A message that is put in twice costs a
        look at the ledger.
        """
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

    async def send_due(self, ledger: JobLedger, *, lost: bool) -> None:
        """Keeps a window of messages in the queue, and replaces lost ones."""
        now = self._book.clock()
        for key, part in ledger.due(now)[:_WINDOW]:
            again = lost and part.queued_at and now - part.queued_at > _FORGOTTEN_SECONDS
            if part.queued_at is None or again:
                priority = _priority(ledger, key)
                if key == PLANNING:
                    await self._queue.put_plan(ledger.manifest.id, priority=priority)
                else:
                    await self._queue.put_part(ledger.manifest.id, str(key), priority=priority)
                part.queued_at = now


def _priority(ledger: JobLedger, key: PartKey) -> int:
    """The priority of a message: the first parts of every job go first, so a small job overtakes a
    large one."""
    if key == PLANNING:
        return 0 if ledger.manifest.input_bytes < _LARGE_BYTES else 3
    done = len(ledger.results)
    return 0 if done < 4 else 3 if done < 32 else 6
