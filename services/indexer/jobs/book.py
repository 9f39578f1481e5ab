"""All jobs of this installation: their ledgers in memory, and every durable change on disk.

Only the indexer process keeps the book. At start it is read back from the job's objects, so neither
a restart nor the loss of Redis loses a job.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from typing import ParamSpec

from services.common.errors import Conflict, JobNotFound, Unavailable
from services.common.wire.jobs import Job, JobMode, JobState
from services.indexer.jobs.changes import Changes
from services.indexer.jobs.files import JobFiles
from services.indexer.jobs.ledger import JobLedger
from services.indexer.jobs.manifest import (
    Attempts,
    JobEnd,
    JobManifest,
    PartKey,
    PartResult,
    Plan,
)
from services.indexer.jobs.parts import Lease
from services.indexer.jobs.recovery import recovered
from services.indexer.jobs.report import report_of
from services.indexer.jobs.writes import Writes

logger = logging.getLogger(__name__)

_Arguments = ParamSpec("_Arguments")


class JobBook:
    """All ledgers. A method that changes durable state returns when the change is durable.

    Every such method raises Unavailable.
    """

    def __init__(
        self,
        files: JobFiles,
        terms: Callable[[], int] = lambda: 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`terms` gives the number of times that the writer's role was taken over from another
        process."""
        self.files = files
        self.clock = clock
        self.stalled = ""
        """The reason why no job proceeds, as a sentence; empty while they do."""
        self._ledgers: dict[str, JobLedger] = {}
        self._refused: set[str] = set()
        """Ids of uploads that were not accepted and could not be removed yet."""
        self._changes = Changes()
        self._writes = Writes(terms)

    async def load(self) -> None:
        """Reads all jobs back, as a restart does: a change that is under way becomes durable first,
        and none begins before all jobs are read.

        The first time, uploads that were never accepted are removed. Later, after another indexer
        had the writer's role, such an upload may be one that this process is receiving, so it
        stays.
        """
        async with self._writes.held():
            first = not self._writes.begun
            ledgers = await asyncio.to_thread(recovered, self.files, remove=first)
            self._ledgers = {ledger.manifest.id: ledger for ledger in ledgers}
        self.touch()

    @property
    def loaded(self) -> bool:
        """Whether the jobs have been read back since the writer's role was taken over."""
        return self._writes.allowed

    def check(self) -> None:
        """Raises Unavailable until the jobs are read back."""
        self._writes.check()

    async def accept(self, manifest: JobManifest) -> JobLedger:
        """Adds a job, which is accepted when this returns."""
        await self._writes.make(self.files.write_manifest, manifest)
        return self.add(manifest)

    def add(self, manifest: JobManifest) -> JobLedger:
        """Adds an accepted job, whose manifest is durable already."""
        ledger = JobLedger.recover(manifest, None, {}, set(), cancelling=False, end=None)
        self._ledgers[manifest.id] = ledger
        self.touch()
        return ledger

    async def refuse(self, job_id: str) -> None:
        """Removes an upload that is not accepted; if the storage fails, `forget_refused` does."""
        try:
            await asyncio.to_thread(self.files.forget, job_id)
        except Unavailable:
            self._refused.add(job_id)
            logger.warning("an upload that was refused is removed later", extra={"job": job_id})

    async def forget_refused(self) -> None:
        """Removes the uploads that were refused while the storage failed."""
        for job_id in list(self._refused):
            # Another indexer may have taken the upload for a job of its own if its manifest is
            # there: it had the writer's role in between.
            if job_id not in self._ledgers:
                await self._writes.make(self.files.forget, job_id)
            self._refused.discard(job_id)

    def get(self, job_id: str) -> JobLedger:
        """The ledger of a job. Raises JobNotFound, Unavailable."""
        self.check()
        try:
            return self._ledgers[job_id]
        except KeyError:
            raise JobNotFound(f"There is no index job {job_id!r}.") from None

    def all(self) -> list[JobLedger]:
        """The ledgers of all jobs, newest first."""
        return sorted(self._ledgers.values(), key=lambda one: one.manifest.id, reverse=True)

    def running(self) -> Iterator[JobLedger]:
        """The ledgers of the jobs that have not ended."""
        return (ledger for ledger in list(self._ledgers.values()) if ledger.end is None)

    def rebuilding(self, collection: str) -> int | None:
        """The version of the rebuild that runs on a collection, or None. Raises Unavailable."""
        rebuilds = self._running_as(JobMode.REBUILD, collection)
        return next((one.manifest.version for one in rebuilds if not one.cancelling), None)

    def importing(self, collection: str) -> str | None:
        """Id of the import that runs on a collection, or None. Raises Unavailable."""
        imports = self._running_as(JobMode.IMPORT, collection)
        return next((one.manifest.id for one in imports), None)

    def newest(self, collection: str) -> int:
        """The version of the newest job of a collection; 0 if it has none."""
        return max((one.manifest.version for one in self._of(collection)), default=0)

    def oldest_write(self, collection: str) -> int | None:
        """The version of the oldest job that may still write, by a retry too; None without one."""
        return min(
            (
                one.manifest.version
                for one in self._of(collection)
                if one.end is None or one.end.state is not JobState.SUCCEEDED
            ),
            default=None,
        )

    def _of(self, collection: str) -> Iterator[JobLedger]:
        return (one for one in self._ledgers.values() if one.manifest.collection == collection)

    def _running_as(self, mode: JobMode, collection: str) -> Iterator[JobLedger]:
        """The ledgers of the running jobs of a mode on a collection. Raises Unavailable."""
        self.check()
        return (
            one for one in self._of(collection) if one.manifest.mode is mode and one.end is None
        )

    def by_idempotency_key(self, key: str) -> JobLedger | None:
        """The job that was accepted under a key; None if there is none."""
        return next(
            (one for one in self._ledgers.values() if one.manifest.idempotency_key == key), None
        )

    def report(self, ledger: JobLedger) -> Job:
        """The report of a job for users."""
        job = report_of(ledger, self.clock())
        if self.stalled and not job.state.final and not job.message:
            return job.model_copy(update={"message": self.stalled})
        return job

    async def claim(self, ledger: JobLedger, part: PartKey, worker: str, seconds: float) -> Lease:
        """A lease on a part; the attempt is counted on disk. Raises LeaseLost, Unavailable."""
        lease = ledger.claim(part, worker, self.clock(), seconds)
        try:
            await self._count(ledger, part, lease.token)
        except BaseException:
            ledger.release(part, lease.token)
            raise
        self.touch()
        return lease

    async def release(self, ledger: JobLedger, part: PartKey, token: str, reason: str) -> None:
        """Takes a part back from a worker that stops or, with a reason, lacks something."""
        if reason:
            ledger.postpone(part, token, reason, self.clock())
        else:
            ledger.release(part, token)
        self.touch()
        await self._count(ledger, part, "")

    async def failed(self, ledger: JobLedger, part: PartKey, token: str, reason: str) -> None:
        """Counts a failed attempt at a part. Raises LeaseLost, Unavailable."""
        ledger.failed(part, token, reason, self.clock())
        self.touch()
        await self._count(ledger, part, "")

    async def _count(self, ledger: JobLedger, part: PartKey, token: str) -> None:
        if (one := ledger.open.get(part)) is not None:
            attempts = Attempts(attempts=one.attempts, token=token, reason=one.reason)
            job = ledger.manifest.id
            await self._change(ledger, self.files.write_attempts, job, part, attempts)

    async def planned(self, ledger: JobLedger, plan: Plan) -> None:
        """Records the plan of a job, whose input is then removed."""
        await self._change(ledger, self.files.write_plan, ledger.manifest.id, plan)
        ledger.planned(plan)
        await asyncio.to_thread(self.files.drop_input, ledger.manifest.id, plan.token)
        self.touch()

    async def finish(self, ledger: JobLedger, part: PartKey, result: PartResult) -> None:
        """Records the result of a part."""
        await self._change(ledger, self.files.write_result, ledger.manifest.id, part, result)
        ledger.finish(part, result, self.clock())
        self.touch()

    async def split(self, ledger: JobLedger, part: PartKey) -> None:
        """Halves a part that keeps failing."""
        await self._change(ledger, self.files.write_split, ledger.manifest.id, part)
        ledger.split(part)
        self.touch()

    async def cancel(self, ledger: JobLedger) -> None:
        """Cancels a job: no further claim, renewal or write of it is accepted."""
        if ledger.end is not None:
            if ledger.end.state is JobState.CANCELLED:
                return
            raise Conflict(f"The job has ended already ({ledger.end.state}).")
        await self._change(ledger, self.files.write_cancel, ledger.manifest.id)
        ledger.cancelling, ledger.waiting = True, None
        self.touch()

    async def finalise(self, ledger: JobLedger, end: JobEnd) -> None:
        """Records the end of a job."""
        await self._change(ledger, self.files.write_end, ledger.manifest.id, end)
        ledger.end = end
        ledger.open = {}
        self.touch()
        logger.info(
            "a job ended",
            extra={
                "job": ledger.manifest.id,
                "state": end.state,
                "counts": end.counts.model_dump(),
                "reason": end.message,
            },
        )

    async def retry(self, ledger: JobLedger) -> None:
        """Opens the parts again that failed or were not reached; indexed documents stay.

        Raises Conflict if another attempt could change nothing.
        """
        end = ledger.end
        if end is None:
            raise Conflict("The job has not ended; there is nothing to retry yet.")
        failed = [key for key, result in ledger.results.items() if result.rejected]
        unreached = end.state in (JobState.CANCELLED, JobState.FAILED) and end.planner is None
        if not failed and not unreached and ledger.has_all_results:
            raise Conflict(
                "Nothing of this job can be retried: what was rejected would be rejected again."
                " Correct the lines and send them as a new job."
            )
        await self._change(ledger, self.files.reopen, ledger.manifest.id, failed)
        for key in failed:
            del ledger.results[key]
        splits = await asyncio.to_thread(self.files.splits, ledger.manifest.id)
        ledger.end, ledger.cancelling = None, False
        ledger.reopen(splits)
        self.touch()

    async def restart(self, ledger: JobLedger, version: int) -> None:
        """Opens all parts of a cancelled or failed rebuild again, with a newer version."""
        manifest = ledger.manifest.model_copy(update={"version": version})
        await self._change(ledger, self.files.write_manifest, manifest)
        ledger.manifest = manifest
        await self._change(ledger, self.files.reopen, manifest.id, list(ledger.results))
        ledger.results.clear()
        splits = await asyncio.to_thread(self.files.splits, manifest.id)
        ledger.end, ledger.cancelling = None, False
        ledger.reopen(splits)
        self.touch()

    async def forget(self, ledger: JobLedger) -> None:
        """Removes a job with all its objects."""
        await self._change(ledger, self.files.forget, ledger.manifest.id)
        self._ledgers.pop(ledger.manifest.id, None)

    async def _change(
        self,
        ledger: JobLedger,
        write: Callable[_Arguments, None],
        *arguments: _Arguments.args,
        **more: _Arguments.kwargs,
    ) -> None:
        """Makes a change of a job durable. Raises Unavailable if the jobs were read back since the
        ledger was asked for, which then is not the job's any more."""
        if self._ledgers.get(ledger.manifest.id) is not ledger:
            raise Unavailable("The jobs were read back meanwhile; try again.", retry_after=1)
        await self._writes.make(write, *arguments, **more)

    def touch(self) -> None:
        """Wakes all tasks that wait for a change."""
        self._changes.notify()

    async def change(self, seconds: float) -> None:
        """Returns at the next change, or after `seconds`."""
        await self._changes.next(seconds)
