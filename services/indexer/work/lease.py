"""A lease that is renewed while the work goes on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from services.common.errors import SearchError
from services.indexer.jobs.ledger import LeaseLost
from services.indexer.work.client import IndexerClient

_RENEWALS_PER_LEASE = 4
_LONGEST_INTERVAL = 1.0
"""Bounds how long a cancelled part goes on."""


class HeldLease:
    """Tells the work whether it is still wanted."""

    def __init__(self, stopping: threading.Event) -> None:
        self.lost = threading.Event()
        self._stopping = stopping

    def check(self) -> None:
        """Raises LeaseLost when the part is someone else's now, or cancelled; WorkerStopping."""
        if self.lost.is_set():
            raise LeaseLost
        if self._stopping.is_set():
            raise WorkerStopping


class WorkerStopping(Exception):
    """The worker was asked to end; the part goes back."""


@contextmanager
def held_lease(
    client: IndexerClient,
    job: str,
    part: str,
    token: str,
    seconds: float,
    read: Callable[[], int] = lambda: 0,
) -> Iterator[HeldLease]:
    """Renews in a thread of its own until the block ends."""
    lease = HeldLease(client.stopping)
    ended = threading.Event()
    interval = min(seconds / _RENEWALS_PER_LEASE, _LONGEST_INTERVAL)

    def renew() -> None:
        while not ended.wait(interval):
            try:
                client.renew(job, part, token, read())
            except LeaseLost:
                lease.lost.set()
                return
            except SearchError:
                continue  # the indexer is away; it will know us again

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        ended.set()
        thread.join()
