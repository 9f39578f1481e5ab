"""Keeps the lease on a part while a worker works on it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from services.common.errors import LeaseLost, SearchError
from services.indexer.work.client import IndexerClient

_RENEWALS_PER_LEASE = 4
_LONGEST_INTERVAL = 1.0
"""Longest time between two renewals, in seconds, and so the longest time for which a cancelled part
continues."""


class HeldLease:
    """The state of a lease, which the work checks now and then."""

    def __init__(self, stopping: threading.Event) -> None:
        self.lost = threading.Event()
        self._stopping = stopping

    def check(self) -> None:
        """Raises LeaseLost if another worker has the part or the job is cancelled, and
        WorkerStopping if the worker is asked to end."""
        if self.lost.is_set():
            raise LeaseLost
        if self._stopping.is_set():
            raise WorkerStopping


class WorkerStopping(Exception):
    """The worker was asked to end, so the part is given back."""


@contextmanager
def held_lease(
    client: IndexerClient,
    job: str,
    part: str,
    token: str,
    seconds: float,
    read: Callable[[], int] = lambda: 0,
) -> Iterator[HeldLease]:
    """A lease that a thread of its own renews until the block ends.

    `seconds` is how long a lease lasts; `read` gives the lines read so far, for the progress of
    planning.
    """
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
                continue  # The indexer is away; it will know the token after a restart too.

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        ended.set()
        thread.join()
