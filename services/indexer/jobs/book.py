"""All jobs of this installation: their ledgers in memory, every change that counts on disk.

Only the indexer process keeps the book. At start it is read back from the job's objects, so
neither a restart nor the loss of Redis loses a job.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator

from services.common.errors import Conflict, JobNotFound, Unavailable
from services.common.wire.jobs import JobMode, JobState
from services.indexer.jobs.files import JobFiles
from services.indexer.jobs.ledger import JobLedger
from services.indexer.jobs.manifest import (
    JobEnd,
    JobManifest,
    PartKey,
    PartResult,
    Plan,
    Rejection,
)
from services.indexer.store import NoSuchObject

logger = logging.getLogger(__name__)


class JobBook:
    """Methods that change durable state return when it is durable. Raises Unavailable."""

    def __init__(self, files: JobFiles, clock: Callable[[], float] = time.monotonic) -> None:
        self.files = files
        self.clock = clock
        self._ledgers: dict[str, JobLedger] = {}
        self._changed = asyncio.Event()
        self._loaded = False

    async def load(self) -> None:
        """Reads all jobs back. At the first time what was never accepted is removed; later,
        when another indexer had the writer's role meanwhile, it may be an upload of ours."""
        recovered = await asyncio.to_thread(self._recovered, remove=not self._loaded)
        self._ledgers = {ledger.manifest.id: ledger for ledger in recovered}
        self._loaded = True
        self.touch()

    @property
    def loaded(self) -> bool:
        return self._loaded

    def check(self) -> None:
        """Raises Unavailable while the jobs are not read back: nothing can be said of them."""
        if not self._loaded:
            raise Unavailable("The indexer is starting; try again shortly.", retry_after=1)

    def _recovered(self, *, remove: bool) -> list[JobLedger]:
        ledgers = []
        for job_id in self.files.ids():
            manifest = self.files.manifest(job_id)
            if manifest is None:
                if not remove:
                    continue
                logger.info("removing an upload that was never accepted", extra={"job": job_id})
                self.files.forget(job_id)
                continue
            ledgers.append(
                JobLedger.recover(
                    manifest,
                    self.files.plan(job_id),
                    self.files.results(job_id),
                    self.files.splits(job_id),
                    cancelling=self.files.cancelled(job_id),
                    end=self.files.end(job_id),
                )
            )
        return ledgers

    def add(self, manifest: JobManifest) -> JobLedger:
        """An accepted job; its manifest is durable already."""
        ledger = JobLedger.recover(manifest, None, {}, set(), cancelling=False, end=None)
        self._ledgers[manifest.id] = ledger
        self.touch()
        return ledger

    def get(self, job_id: str) -> JobLedger:
        """Raises JobNotFound, Unavailable."""
        self.check()
        try:
            return self._ledgers[job_id]
        except KeyError:
            raise JobNotFound(f"There is no index job {job_id!r}.") from None

    def all(self) -> list[JobLedger]:
        """Newest first."""
        return sorted(self._ledgers.values(), key=lambda one: one.manifest.id, reverse=True)

    def running(self) -> Iterator[JobLedger]:
        return (ledger for ledger in list(self._ledgers.values()) if ledger.end is None)

    def rebuilding(self, collection: str) -> int | None:
        """The version of the rebuild that runs on a collection. Raises Unavailable."""
        self.check()
        return next(
            (
                one.manifest.version
                for one in self._of(collection)
                if one.manifest.mode is JobMode.REBUILD and one.end is None and not one.cancelling
            ),
            None,
        )

    def newest(self, collection: str) -> int:
        """The version of the last job of a collection, 0 if it has none."""
        return max((one.manifest.version for one in self._of(collection)), default=0)

    def oldest_write(self, collection: str) -> int | None:
        """The version of the oldest job that may still write, a retry included."""
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

    def by_idempotency_key(self, key: str) -> JobLedger | None:
        return next(
            (one for one in self._ledgers.values() if one.manifest.idempotency_key == key), None
        )

    async def planned(self, ledger: JobLedger, plan: Plan) -> None:
        await asyncio.to_thread(self.files.write_plan, ledger.manifest.id, plan)
        ledger.planned(plan)
        await asyncio.to_thread(self.files.drop_input, ledger.manifest.id)
        self.touch()

    async def finish(self, ledger: JobLedger, part: PartKey, result: PartResult) -> None:
        await asyncio.to_thread(self.files.write_result, ledger.manifest.id, part, result)
        ledger.finish(part, result, self.clock())
        self.touch()

    async def split(self, ledger: JobLedger, part: PartKey) -> None:
        await asyncio.to_thread(self.files.write_split, ledger.manifest.id, part)
        ledger.split(part)
        self.touch()

    async def cancel(self, ledger: JobLedger) -> None:
        """From here on no claim, renewal or write of the job is accepted."""
        if ledger.end is not None:
            if ledger.end.state is JobState.CANCELLED:
                return
            raise Conflict(f"The job has ended already ({ledger.end.state}).")
        await asyncio.to_thread(self.files.write_cancel, ledger.manifest.id)
        ledger.cancelling = True
        self.touch()

    async def finalise(self, ledger: JobLedger, end: JobEnd) -> None:
        await asyncio.to_thread(self.files.write_end, ledger.manifest.id, end)
        ledger.end = end
        ledger.open = {}
        self.touch()
        logger.info(
            "job ended",
            extra={
                "job": ledger.manifest.id,
                "state": end.state,
                "counts": end.counts.model_dump(),
                "reason": end.message,
            },
        )

    async def retry(self, ledger: JobLedger) -> None:
        """Opens again what failed or was not reached; what is in stays in.

        Raises Conflict when there is nothing that another attempt could change.
        """
        end = ledger.end
        if end is None:
            raise Conflict("The job has not ended; there is nothing to retry yet.")
        failed = [key for key, result in ledger.results.items() if result.rejected]
        unreached = end.state in (JobState.CANCELLED, JobState.FAILED) and end.planner is None
        if not failed and not unreached:
            raise Conflict(
                "Nothing of this job can be retried: what was rejected would be rejected again."
                " Correct the lines and send them as a new job."
            )
        await asyncio.to_thread(self.files.reopen, ledger.manifest.id, failed)
        for key in failed:
            del ledger.results[key]
        splits = await asyncio.to_thread(self.files.splits, ledger.manifest.id)
        ledger.end, ledger.cancelling = None, False
        ledger.reopen(splits)
        self.touch()

    async def restart(self, ledger: JobLedger, version: int) -> None:
        """Opens all parts again, as of a newer version: for a rebuild that was taken back."""
        manifest = ledger.manifest.model_copy(update={"version": version})
        await asyncio.to_thread(self.files.write_manifest, manifest)
        ledger.manifest = manifest
        await asyncio.to_thread(self.files.reopen, manifest.id, list(ledger.results))
        ledger.results.clear()
        splits = await asyncio.to_thread(self.files.splits, manifest.id)
        ledger.end, ledger.cancelling = None, False
        ledger.reopen(splits)
        self.touch()

    async def forget(self, ledger: JobLedger) -> None:
        await asyncio.to_thread(self.files.forget, ledger.manifest.id)
        self._ledgers.pop(ledger.manifest.id, None)

    def rejections(self, ledger: JobLedger) -> Iterator[Rejection]:
        """All rejected lines: those of planning, then those of parts. Synchronous."""
        token = ledger.plan.token if ledger.plan else ledger.end.planner if ledger.end else None
        if token is not None:
            try:
                with self.files.rejected(ledger.manifest.id, token) as stream:
                    for line in stream:
                        yield Rejection.model_validate_json(line)
            except NoSuchObject:
                pass
        for result in list(ledger.results.values()):
            yield from result.rejected

    def touch(self) -> None:
        """Wakes everyone who waits for a change."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def change(self, seconds: float) -> None:
        """Returns at the next change, or after that time."""
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return
