"""Reads and writes the durable objects of jobs; no other module does.

The objects lie here:

    jobs/<id>/input, vectors           the input as it was sent; removed once it is planned
    jobs/<id>/manifest.json            its presence is the acceptance
    jobs/<id>/plan.json                its presence is the end of planning
    jobs/<id>/plans/<token>/           parts and rejected lines of one planner
    jobs/<id>/rows/<token>/            rows of one worker that an import takes, as Parquet tables
    jobs/<id>/results/<part>.json      the result of a part
    jobs/<id>/attempts/<part>.json     the number of attempts at a part without a result
    jobs/<id>/splits/<part>            the part was halved to find a document that kills workers
    jobs/<id>/cancel                   cancelling was asked for
    jobs/<id>/end.json                 the end of the job
"""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import IO, TypeVar

from pydantic import BaseModel, ValidationError

from services.common.wire.jobs import JobState
from services.indexer.jobs.manifest import (
    Attempts,
    JobEnd,
    JobManifest,
    PartKey,
    PartResult,
    Plan,
    Rejection,
)
from services.indexer.store import NoSuchObject, ObjectStore

logger = logging.getLogger(__name__)

Durable = TypeVar("Durable", bound=BaseModel)

_JOBS = "jobs"
_PART = ".arrow"


class JobFiles:
    """The objects of jobs by their meaning. All methods are synchronous; a write is durable when it
    returns."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store

    def ids(self) -> list[str]:
        """Ids of all jobs, including those that were never accepted."""
        return self.store.names(_JOBS)

    def manifest(self, job_id: str) -> JobManifest | None:
        """The manifest of a job; None if it was never accepted."""
        return self._read(f"{_JOBS}/{job_id}/manifest.json", JobManifest)

    def write_manifest(self, manifest: JobManifest) -> None:
        """Stores the manifest of a job, which is accepted from then on."""
        self._write(f"{_JOBS}/{manifest.id}/manifest.json", manifest)

    def plan(self, job_id: str) -> Plan | None:
        """The plan of a job; None before its planning has ended."""
        return self._read(f"{_JOBS}/{job_id}/plan.json", Plan)

    def write_plan(self, job_id: str, plan: Plan) -> None:
        """Ends the planning of a job."""
        self._write(f"{_JOBS}/{job_id}/plan.json", plan)

    def end(self, job_id: str) -> JobEnd | None:
        """The end of a job; None if it has not ended."""
        return self._read(f"{_JOBS}/{job_id}/end.json", JobEnd)

    def write_end(self, job_id: str, end: JobEnd) -> None:
        """Records the end of a job."""
        self._write(f"{_JOBS}/{job_id}/end.json", end)

    def results(self, job_id: str) -> dict[PartKey, PartResult]:
        """The results of the parts that have one."""
        return self._by_part(f"{_JOBS}/{job_id}/results", PartResult)

    def attempts(self, job_id: str) -> dict[PartKey, Attempts]:
        """The attempts at each part that was begun."""
        return self._by_part(f"{_JOBS}/{job_id}/attempts", Attempts)

    def write_attempts(self, job_id: str, part: PartKey, attempts: Attempts) -> None:
        """Records how often a part was begun."""
        self._write(f"{_JOBS}/{job_id}/attempts/{part}.json", attempts)

    def write_result(self, job_id: str, part: PartKey, result: PartResult) -> None:
        """Records the result of a part."""
        self._write(f"{_JOBS}/{job_id}/results/{part}.json", result)

    def splits(self, job_id: str) -> set[PartKey]:
        """The parts that were halved."""
        names = self.store.names(f"{_JOBS}/{job_id}/splits")
        return {key for name in names if (key := PartKey.parse(name)) is not None}

    def write_split(self, job_id: str, part: PartKey) -> None:
        """Records that a part was halved."""
        self.store.write(f"{_JOBS}/{job_id}/splits/{part}", b"")

    def cancelled(self, job_id: str) -> bool:
        """Whether cancelling was asked for."""
        return self.store.exists(f"{_JOBS}/{job_id}/cancel")

    def write_cancel(self, job_id: str) -> None:
        """Records that cancelling was asked for."""
        self.store.write(f"{_JOBS}/{job_id}/cancel", b"")

    def reopen(self, job_id: str, failed: list[PartKey]) -> None:
        """Removes the end of a job, its cancelling, its attempts and the results of failed
        parts, so that the job can be tried again."""
        for part in failed:
            self.store.remove(f"{_JOBS}/{job_id}/results/{part}.json")
        self.store.remove(f"{_JOBS}/{job_id}/attempts")
        self.store.remove(f"{_JOBS}/{job_id}/cancel")
        self.store.remove(f"{_JOBS}/{job_id}/end.json")

    @staticmethod
    def input_key(job_id: str) -> str:
        """Key of the input of a job."""
        return f"{_JOBS}/{job_id}/input"

    @staticmethod
    def vectors_key(job_id: str) -> str:
        """Key of the vectors of a job."""
        return f"{_JOBS}/{job_id}/vectors"

    @staticmethod
    def part_key(job_id: str, token: str, part: int) -> str:
        """Key of a part of a plan."""
        return f"{_JOBS}/{job_id}/plans/{token}/{part:06d}{_PART}"

    @staticmethod
    def rejected_key(job_id: str, token: str) -> str:
        """Key of the lines that a planner rejected."""
        return f"{_JOBS}/{job_id}/plans/{token}/rejected.jsonl"

    @staticmethod
    def rows_key(job_id: str, token: str, part: PartKey) -> str:
        """Key of the rows of a part that an import takes."""
        return f"{_JOBS}/{job_id}/rows/{token}/{part}.parquet"

    @staticmethod
    def passages_key(job_id: str, token: str, part: PartKey) -> str:
        """Key of the passages of such rows."""
        return f"{_JOBS}/{job_id}/rows/{token}/{part}.passages.parquet"

    @contextmanager
    def input(self, job_id: str) -> Iterator[IO[bytes]]:
        """A stream over the input of a job as it was sent. Raises NoSuchObject, Unavailable."""
        with self.store.open(self.input_key(job_id)) as stream:
            yield stream

    @asynccontextmanager
    async def upload(self, key: str) -> AsyncIterator[IO[bytes]]:
        """A stream into a new object, which is durable once the block has ended."""
        async with self.store.upload(key) as stream:
            yield stream

    def part(self, job_id: str, token: str, part: int) -> bytes:
        """The documents of a part of a plan as an Arrow file. Raises NoSuchObject, Unavailable."""
        return self.store.read(self.part_key(job_id, token, part))

    def drop_input(self, job_id: str, token: str) -> None:
        """Removes the input and the vectors of a job that was planned under this token, since the
        parts hold all documents, and the parts of planners that were killed or came too late."""
        self.store.remove(self.input_key(job_id))
        self.store.remove(self.vectors_key(job_id))
        plans = f"{_JOBS}/{job_id}/plans"
        for other in self.store.names(plans):
            if other != token:
                self.store.remove(f"{plans}/{other}")

    def drop_spent(self, job_id: str, plan: Plan | None, end: JobEnd) -> None:
        """Removes what no retry of an ended job reads: rows that workers stored for an import, the
        input if it cannot be planned, and the parts if all was indexed. Rejected lines stay."""
        job = f"{_JOBS}/{job_id}"
        there = self.store.names(job)
        if "rows" in there:
            self.store.remove(f"{job}/rows")
        if end.planner is not None and not {"input", "vectors"}.isdisjoint(there):
            self.drop_input(job_id, end.planner)
        if plan is not None and end.state is JobState.SUCCEEDED:
            planned = f"{job}/plans/{plan.token}"
            for name in self.store.names(planned):
                if name.endswith(_PART):
                    self.store.remove(f"{planned}/{name}")

    def forget(self, job_id: str) -> None:
        """Removes all objects of a job.

        The manifest goes first, since a job without a manifest was never accepted.
        """
        self.store.remove(f"{_JOBS}/{job_id}/manifest.json")
        self.store.remove(f"{_JOBS}/{job_id}")

    @contextmanager
    def rejected(self, job_id: str, token: str) -> Iterator[IO[bytes]]:
        """A stream over the lines that a planner rejected, as JSON lines. Raises NoSuchObject,
        Unavailable."""
        with self.store.open(self.rejected_key(job_id, token)) as stream:
            yield stream

    def write_rejected(self, stream: IO[bytes], rejection: Rejection) -> None:
        """Appends a rejected line to a stream, as a line of JSON."""
        stream.write(rejection.model_dump_json().encode() + b"\n")

    def _by_part(self, prefix: str, kind: type[Durable]) -> dict[PartKey, Durable]:
        """All objects under a prefix that are named after parts. A damaged one counts as absent,
        since the work on a part can be repeated."""
        objects: dict[PartKey, Durable] = {}
        for name in self.store.names(prefix):
            key = PartKey.parse(name.removesuffix(".json"))
            try:
                content = self._read(f"{prefix}/{name}", kind)
            except ValidationError:
                logger.exception("a part's record is damaged", extra={"object": f"{prefix}/{name}"})
                continue
            if key is not None and content is not None:
                objects[key] = content
        return objects

    def _read(self, key: str, kind: type[Durable]) -> Durable | None:
        try:
            return kind.model_validate_json(self.store.read(key))
        except NoSuchObject:
            return None

    def _write(self, key: str, content: BaseModel) -> None:
        self.store.write(key, content.model_dump_json().encode())
